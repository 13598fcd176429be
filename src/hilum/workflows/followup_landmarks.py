"""Landmarks of a follow-up: places that a person has found on two neighbouring CTs, and how far off they come out."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hilum.core import InputError, UnreadableError, Volume
from hilum.core.geometry import Floats
from hilum.followup.ct_landmarks import LandmarkError, landmark_error
from hilum.followup.ct_registration import CtRegistration
from hilum.io.inputs import open_input

PAIR = "pair"
PRIOR, CURRENT = (tuple(f"{which}_{axis}" for axis in "xyz") for which in ("prior", "current"))
_HOW = (
    f"Columns are {', '.join((*PRIOR, *CURRENT))}, in LPS mm (x to the patient's left, y to the back, z to the head); "
    f"with more than two CTs also {PAIR}, such as 1-2."
)


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Landmarks of two neighbouring CTs.

    Attributes:
        prior_lps_mm: [n, 3] on the earlier one.
        current_lps_mm: [n, 3] on the later one.
        lines: of the file, for messages.
    """

    prior_lps_mm: Floats
    current_lps_mm: Floats
    lines: tuple[int, ...]


def read_landmarks(path: Path, count: int) -> dict[tuple[int, int], Landmarks]:
    """Landmarks by the numbers of both CTs, counted from 0.

    Args:
        path: a CSV; further columns are left alone.
        count: of CTs.

    Raises:
        InputError: the file doesn't exist or may not be read.
        UnreadableError: it is no such table, it is empty, or names CTs that are no neighbours.
    """
    with open_input(path) as stream:
        content = stream.read()
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableError(f"{path} is no CSV: {error}.", _HOW) from error
    if not rows:
        raise UnreadableError(f"{path} has no landmark.", _HOW)
    found: dict[tuple[int, int], list[tuple[int, list[float]]]] = {}
    for line, row in enumerate(rows, start=2):
        place = f"{path}, line {line}"
        found.setdefault(_pair(row, count, place), []).append((line, _numbers(row, place)))
    return {pair: _landmarks(some) for pair, some in found.items()}


def _landmarks(some: Sequence[tuple[int, list[float]]]) -> Landmarks:
    numbers = np.array([one for _, one in some], dtype=np.float64)
    return Landmarks(numbers[:, :3], numbers[:, 3:], tuple(line for line, _ in some))


def _pair(row: Mapping[str, str | None], count: int, place: str) -> tuple[int, int]:
    word = (row.get(PAIR) or ("1-2" if count == 2 else "")).strip()
    known = {f"{first}-{first + 1}": (first - 1, first) for first in range(1, count)}
    if word not in known:
        raise UnreadableError(f"{place}: a {PAIR} of {', '.join(known)} was expected, got {word!r}.", _HOW)
    return known[word]


def _numbers(row: Mapping[str, str | None], place: str) -> list[float]:
    try:
        numbers = [float(row[name] or "") for name in (*PRIOR, *CURRENT)]
    except KeyError as error:
        raise UnreadableError(f"{place}: the column {error} is missing.", _HOW) from error
    except ValueError as error:
        raise UnreadableError(f"{place}: {error}.", _HOW) from error
    if not all(map(math.isfinite, numbers)):
        raise UnreadableError(f"{place}: a number is not finite.", _HOW)
    return numbers


def require_shown(marks: Mapping[tuple[int, int], Landmarks], volumes: Sequence[Volume]) -> None:
    """Refuse landmarks that lie outside of their CT.

    Raises:
        InputError: one does.
    """
    for (first, second), some in marks.items():
        for study, places in ((first, some.prior_lps_mm), (second, some.current_lps_mm)):
            for line, place, is_shown in zip(
                some.lines, places.tolist(), volumes[study].geometry.contains(places), strict=True
            ):
                if not is_shown:
                    words = ", ".join(f"{one:g}" for one in place)
                    raise InputError(f"the landmark in line {line}, {words}, lies outside of study {study + 1}.", _HOW)


def landmark_errors(
    maps: Mapping[tuple[int, int], CtRegistration], marks: Mapping[tuple[int, int], Landmarks]
) -> dict[tuple[int, int], LandmarkError]:
    """How far off each registration is at its landmarks."""
    return {pair: landmark_error(maps[pair], one.prior_lps_mm, one.current_lps_mm) for pair, one in marks.items()}


def remarked(
    maps: Mapping[tuple[int, int], CtRegistration], errors: Mapping[tuple[int, int], LandmarkError]
) -> dict[tuple[int, int], CtRegistration]:
    """The registrations with what landmarks say of them among their notes."""
    return {
        pair: replace(one, notes=(*one.notes, errors[pair].words)) if pair in errors else one
        for pair, one in maps.items()
    }
