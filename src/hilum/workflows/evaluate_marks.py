"""A detector's own marks: `KEY/nodules.json` in a folder of predictions, with a place and a score for each nodule."""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from hilum.core import Geometry, HilumError, InputError, UnreadableError
from hilum.datasets.prepared import CaseSource
from hilum.evaluate.case_lesions import Marks
from hilum.io import read_json

NODULES = "nodules.json"

_SIZES = ("equivalent_diameter_mm", "mean_diameter_mm", "long_axis_mm", "size_mm")


class MarksFrom(StrEnum):
    """What the marks of free-response figures (FROC, average precision over lesions, wAFROC) are."""

    AUTO = "auto"
    """`nodules.json` with scores where the predictions have them, else peaks."""
    NODULES = "nodules"
    """The nodules of each case's `nodules.json`, with their scores; a case without one fails."""
    PEAKS = "peaks"
    """Local peaks of each probability map, scored by the probability there; a mask has none."""


def settled_marks(folder: Path, cases: Sequence[CaseSource], wanted: MarksFrom, *, has_pixels: bool) -> MarksFrom:
    """Where all cases' marks come from: scores of two kinds can't be ranked together.

    Args:
        folder: of the predictions.
        cases: those that are reported.
        wanted: what was asked for.
        has_pixels: whether any case has a mask or a probability map.
    """
    if wanted is not MarksFrom.AUTO:
        return wanted
    files = [path for case in cases if (path := marks_file(folder, case.key)).is_file()]
    is_scored = any(_has_score(path) for path in files) or (bool(files) and not has_pixels)
    return MarksFrom.NODULES if is_scored else MarksFrom.PEAKS


def marks_file(folder: Path, key: str) -> Path:
    """Where a case's nodules are, if there are any."""
    return folder / key / NODULES


def _has_score(path: Path) -> bool:
    try:
        return any(entry.get("score") is not None for entry in _entries(path))
    except HilumError:  # listed when the case is judged
        return False


def _entries(path: Path) -> list[Mapping[str, Any]]:
    content = read_json(path)
    entries = content.get("nodules") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UnreadableError(f"{path.name} holds no list of nodules.", "Write it by the schema hilum.nodules/1.")
    return entries


def read_marks(folder: Path, key: str, axes: int, geometry: Geometry | None = None) -> Marks:
    """The marks of a case.

    Args:
        folder: of the predictions.
        key: the case.
        axes: of its image, 2 or 3.
        geometry: of a 3D image, whose nodules have `centre_lps_mm`; in 2D `centre_px` is (row, column).

    Raises:
        InputError: there is no such file, or a nodule has no place or no score.
    """
    path = marks_file(folder, key)
    if not path.is_file():
        raise InputError(
            f"there is no {key}/{NODULES}, and other cases have theirs.",
            'No nodule found is a file, too: {"nodules": []}. Or rank peaks of maps: --marks peaks.',
        )
    entries = _entries(path)
    points = [_place(entry, path, geometry) for entry in entries]
    scores = [_number(entry, "score", path) for entry in entries]
    sizes = [_size(entry) for entry in entries]
    return Marks(np.array(points).reshape(-1, axes), np.array(scores, dtype=np.float64), np.array(sizes))


def _place(entry: Mapping[str, Any], path: Path, geometry: Geometry | None) -> Sequence[float]:
    name = "centre_px" if geometry is None else "centre_lps_mm"
    length = 2 if geometry is None else 3
    given = entry.get(name)
    try:
        place = [float(one) for one in given or ()]
    except (TypeError, ValueError):
        place = []
    if len(place) != length or not all(map(math.isfinite, place)):
        raise InputError(
            f"nodule {entry.get('id')} in {path.parent.name}/{path.name} has no {name} of {length} numbers.", ""
        )
    return place if geometry is None else [float(one) for one in geometry.to_index(place)]


def _number(entry: Mapping[str, Any], name: str, path: Path) -> float:
    value = entry.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(
            f"nodule {entry.get('id')} in {path.parent.name}/{path.name} has no {name} that is a number.",
            "Every nodule needs one, or rank peaks of maps: --marks peaks.",
        )
    return float(value)


def _size(entry: Mapping[str, Any]) -> float:
    """The first diameter that is stated."""
    stated = (entry.get(name) for name in _SIZES)
    return next((float(one) for one in stated if isinstance(one, int | float)), math.nan)
