"""Some films of a data set by classes as one picture, so that a person sees what was made (`qa.png`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hilum.datasets.class_source import CLASSES, UNKNOWN
from hilum.datasets.xray_load import brightness
from hilum.io import read_mask, read_radiograph
from hilum.io.text_file import write_bytes
from hilum.report.classes import ClassesShown, class_sheet

SHEET = "qa.png"
_SHOWN, _SEED = 24, 0
_TITLE = 26
"""Letters of a key that fit above a picture."""


def write_sheet(index: Mapping[str, Any], folder: Path, path: Path, shown: int = _SHOWN) -> None:
    """Write the picture: films drawn at random, as many of each image label as there are.

    Args:
        index: of the data set.
        folder: of the data set.
        path: of the picture.
        shown: how many films.
    """
    names = {int(number): name for number, name in index["labels"].items()}
    chosen = _chosen(index["cases"], shown)
    write_bytes(path, class_sheet([_shown(case, folder) for case in chosen], names, UNKNOWN))


def _chosen(cases: Sequence[Mapping[str, Any]], shown: int) -> list[Mapping[str, Any]]:
    """By turns of each image label, so that rare ones are seen."""
    rng, piles = np.random.default_rng(_SEED), []
    for label in sorted({str(case["film"]["image_label"]) for case in cases}):
        own = [case for case in cases if str(case["film"]["image_label"]) == label]
        piles.append([own[place] for place in rng.permutation(len(own))])
    turns = [pile[turn] for turn in range(max(map(len, piles))) for pile in piles if turn < len(pile)]
    return sorted(turns[:shown], key=lambda case: (str(case["film"]["image_label"]), case["key"]))


def _shown(case: Mapping[str, Any], folder: Path) -> ClassesShown:
    label, key = case["film"]["image_label"] or "no label", str(case["key"])
    short = key if len(key) <= _TITLE else f"…{key[1 - _TITLE :]}"
    image, classes = read_radiograph(folder / case["image"]).array, read_mask(folder / case["masks"][CLASSES]).labels
    return ClassesShown(f"{short} · {label}", brightness(image), classes)
