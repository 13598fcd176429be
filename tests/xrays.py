"""Small prepared data sets of X-rays, written by hand."""

import json
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from hilum.io.nodules_file import SCHEMA

TRAINING, VALIDATION = ("LIDC-IDRI-0002", "LIDC-IDRI-0003", "LIDC-IDRI-0004"), ("LIDC-IDRI-0006", "LIDC-IDRI-0011")


@dataclass(frozen=True)
class Drawn:
    """One picture: its pixels, its truth, and nodules as (silhouette, entries of `nodules.json`)."""

    patient: str
    picture: np.ndarray
    truth: np.ndarray
    nodules: list = field(default_factory=list)
    pixel_mm: tuple = (0.7, 0.7)
    odd: tuple = ()


def disc(shape, centre, radius):
    rows, columns = np.indices(shape)
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


def chest(patient, shape=(60, 70), lesions=(((30, 20), 4),), pixel_mm=(0.7, 0.7)):
    """A picture with bright discs on a slope; every lesion is a nodule that four readers outlined."""
    rows, columns = np.indices(shape)
    picture, truth, nodules = 60.0 + rows + columns / 2, np.zeros(shape, bool), []
    for centre, radius in lesions:
        lesion = disc(shape, centre, radius)
        picture[lesion] += 40
        truth |= lesion
        nodules.append((lesion, {"visibility": 0.25, "contrast_to_noise": 1.5, "equivalent_diameter_mm": 5.6}))
    return Drawn(patient, picture.astype(np.uint8), truth, nodules, pixel_mm)


def write_xrays(folder, drawn, splits=None):
    """A prepared data set; LIDC's patients go to their splits unless `splits` says otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    for number, one in enumerate(drawn):
        key = f"{one.patient}-{number}"
        Image.fromarray(one.picture).save(folder / f"{key}.png")
        Image.fromarray(one.truth.astype(np.uint8) * 255).save(folder / f"{key}-mask.png")
        entries = []
        for n, (silhouette, about) in enumerate(one.nodules, 1):
            for name, value in (("votes", 4), ("readers", 15)):
                Image.fromarray((silhouette * value).astype(np.uint8)).save(folder / f"{key}-{n}-{name}.png")
            names = {name: f"{key}-{n}-{name}.png" for name in ("votes", "readers")}
            entries.append({"id": str(n), "reader_count": 4, **names, **about})
        (folder / f"{key}.json").write_text(
            json.dumps({"schema": SCHEMA, "study": {"consensus": 0.5}, "nodules": entries})
        )
        masks = {"union": f"{key}-mask.png", "consensus": f"{key}-mask.png"}
        about = {"key": key, "patient": one.patient, "image": f"{key}.png", "masks": masks, "nodules": f"{key}.json"}
        cases.append({**about, "pixel_mm": one.pixel_mm, "odd": one.odd})
    there = sorted({one.patient for one in drawn})
    by_rule = {"train": [p for p in there if p in TRAINING], "validation": [p for p in there if p in VALIDATION]}
    content = {"schema": "hilum.dataset/1", "kind": "drr-pairs", "cases": cases, "splits": splits or by_rule}
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder
