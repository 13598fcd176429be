"""Cases that are predicted: how they are called, and what is left of each."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

from hilum.core import InputError, Prediction, Radiograph
from hilum.core.mask import Selection
from hilum.io.nodules_file import write_nodules
from hilum.io.raster import write_png
from hilum.io.text_file import write_bytes
from hilum.metrics.probability import STORED_LEVELS
from hilum.workflows.output import sha256_of

PUBLISHED_ENDING = "_drr.png"
"""How pictures of the published pairs are called: they are in the style that the shipped model learnt."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class Keyed(Protocol):
    """Something to predict: a frozen dataclass with a key."""

    @property
    def key(self) -> str:
        """Names its folder."""


S = TypeVar("S", bound=Keyed)


def key_of(path: Path, otherwise: str = "xray") -> str:
    """A file's name as a key; `otherwise` where nothing of it is left."""
    stem = path.name.removesuffix(PUBLISHED_ENDING).split(".")[0] if path.suffix else path.name
    return safe_key(stem, otherwise)


def safe_key(stem: str, otherwise: str) -> str:
    """A name as a key; `otherwise` where nothing of it is left."""
    return _UNSAFE.sub("_", stem).strip("._") or otherwise


def distinct(sources: Sequence[S]) -> Iterator[S]:
    """The same sources; a key that is taken gets a number."""
    taken: set[str] = set()
    for source in sources:
        key, number = source.key, 2
        while key in taken:
            key, number = f"{source.key}-{number}", number + 1
        taken.add(key)
        yield replace(source, key=key)  # type: ignore[type-var]  # a protocol can't say that it is a dataclass


def hash_of(path: Path) -> str:
    """SHA-256 of a file; one that can't be read is listed as a failure when its turn comes."""
    try:
        return sha256_of(path)
    except InputError:
        return "unreadable"


def write_prediction(folder: Path, xray: Radiograph, found: Prediction, known: Selection | None = None) -> None:
    """Leave `probability.png` (16 bit), `mask.png`, `nodules.json` and `overlay.png`.

    Args:
        folder: made when it isn't there.
        xray: that was predicted.
        found: the prediction.
        known: [y, x] nodules that are there, for the picture.
    """
    from hilum.report.prediction import prediction_picture

    write_png((found.probability * STORED_LEVELS).round().astype("uint16"), folder / "probability.png")
    write_png(found.mask.labels.astype("uint8"), folder / "mask.png")
    threshold = found.provenance.thresholds["mask"]
    study: dict[str, object] = {
        "key": found.key,
        "pixel_mm": xray.pixel_mm,
        "notes": found.notes,
        "threshold": threshold,
    }
    if files := found.provenance.options.get("prior_files"):
        study["prior"] = files
    look = found.provenance.options.get("known_lesions")
    if isinstance(look, Mapping):
        study["known_lesions"] = {name: one for name, one in look.items() if name != "threshold_chosen"}  # in the index
    write_nodules(folder / "nodules.json", study, found.nodules, known=found.known)
    write_bytes(folder / "overlay.png", prediction_picture(xray, found, known))
