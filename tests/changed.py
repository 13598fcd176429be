"""Small pictures over time: lesions that stay, grow, shrink, come and go, and data sets made of them."""

import json

import numpy as np

from hilum.core import ChangeKind
from hilum.evaluate.changes import TrueChange
from hilum.io import write_png
from tests.evaluate.judged import disc

SIDE = 96
NOTHING = np.zeros((SIDE, SIDE), dtype=bool)


def lesion(number, kind, now=None, before=None, **more):
    """A lesion from (centre, radius) now and before."""
    masks = [NOTHING if one is None else disc((SIDE, SIDE), *one) for one in (now, before)]
    sizes = [float("nan") if one is None else 2.0 * one[1] for one in (now, before)]
    place = (now or before)[0]
    return TrueChange(number, ChangeKind(kind), *masks, *sizes, place=tuple(map(float, place)), **more)


def five():
    """One of each kind, apart from one another; registered without an error."""
    return [
        lesion(1, "unchanged", ((16, 16), 5), ((16, 16), 5)),
        lesion(2, "grown", ((16, 48), 6), ((16, 48), 4)),
        lesion(3, "shrunk", ((48, 16), 4), ((48, 16), 6)),
        lesion(4, "new", ((48, 48), 5)),
        lesion(5, "gone", None, ((76, 76), 5)),
    ]


def truth_of(lesions):
    """Where any lesion is, and where any was."""
    return tuple(np.any([getattr(one, name) for one in lesions], axis=0) for name in ("now", "before"))


def write_case(folder, key, patient, lesions):
    """One case in the format of data sets over time; its record."""
    place = f"cases/{key}"
    rng = np.random.default_rng(sum(map(ord, key)))
    for name, mask, when in zip(("mask", "prior_mask"), truth_of(lesions), ("current", "prior"), strict=True):
        write_png(mask, folder / place / f"{name}.png")
        grey = rng.integers(90, 110, mask.shape) + 60 * mask
        write_png(grey.astype(np.uint8), folder / place / f"{when}.png")
    for name, of in (("lesions", "now"), ("prior_lesions", "before")):
        labels = sum((one.id * getattr(one, of) for one in lesions), np.zeros((SIDE, SIDE), dtype=int))
        write_png(labels.astype(np.uint8), folder / place / f"{name}.png")
    content = {"schema": "hilum.changes/1", "labels": "lesions.png", "prior_labels": "prior_lesions.png"}
    (folder / place / "changes.json").write_text(json.dumps(content | {"lesions": list(map(entry, lesions))}))
    masks = {"union": f"{place}/mask.png", "prior": f"{place}/prior_mask.png"}
    record = {"key": key, "patient": patient, "image": f"{place}/current.png", "pixel_mm": [1.0, 1.0], "sha256": key}
    return record | {"masks": masks, "prior": {"image": f"{place}/prior.png"}, "changes": f"{place}/changes.json"}


def entry(one):
    """A lesion as `changes.json` has it."""
    sizes = [None if np.isnan(size) else size for size in (one.size_mm, one.prior_size_mm, one.visibility)]
    about = {"id": one.id, "change": str(one.kind), "centre_px": list(one.place), "is_synthetic": one.is_synthetic}
    about |= {} if one.can_change is None else {"can_change": one.can_change}
    return about | dict(zip(("size_mm", "prior_size_mm", "visibility"), sizes, strict=True))


def write_set(folder, cases):
    """A data set whose validation split is these cases: (key, patient, lesions) each."""
    records = [write_case(folder, *case) for case in cases]
    splits = {"rule": "made", "seed": None, "hash": "abc", "train": [], "test": []}
    splits["validation"] = sorted({patient for _, patient, _ in cases})
    index = {"schema": "hilum.dataset/1", "kind": "xray-over-time", "cases": records, "splits": splits, "failures": []}
    (folder / "dataset.json").write_text(json.dumps(index))
    return folder
