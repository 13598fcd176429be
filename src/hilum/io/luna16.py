"""LUNA16's CSV files as published: points on series in LPS mm, and the list of series, which has no header."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from hilum.core import UnreadableError, UnsupportedError
from hilum.core.geometry import Floats
from hilum.io.inputs import open_input

SERIES = "seriesuid"
CENTRE = ("coordX", "coordY", "coordZ")
DIAMETER, PROBABILITY, CLASS = "diameter_mm", "probability", "class"

_LARGEST_BYTES = 128 * 2**20
"""LUNA16's own list of 754,975 candidates has 60 MB."""
_SHOWN = 80
"""Characters of a value that an error repeats."""

_Row: TypeAlias = tuple[str, float, float, float, float]


@dataclass(frozen=True, eq=False)
class SeriesPoints:
    """Rows of a file of marks or findings, in its order.

    Attributes:
        series: series UID of each row.
        centre_lps_mm: [n, 3] x, y, z.
        value: [n] the last column: diameter in mm, or probability.
        repeated: how many rows say exactly what an earlier one says; they are kept.
    """

    series: tuple[str, ...]
    centre_lps_mm: Floats
    value: Floats
    repeated: int


@dataclass(frozen=True)
class SeriesList:
    """Series UIDs in the file's order, each once; `repeated` is how many lines named one again."""

    series: tuple[str, ...]
    repeated: int


def read_points(path: Path, value_column: str) -> SeriesPoints:
    """Read annotations, excluded findings or predictions; columns go by name, further ones are left alone.

    Args:
        path: a CSV file with the columns seriesuid, coordX, coordY, coordZ and `value_column`.
        value_column: `DIAMETER`, `PROBABILITY`, or of a list of candidates `CLASS`.

    Raises:
        InputError: the file doesn't exist or may not be read.
        UnsupportedError: it is larger than 128 MB.
        UnreadableError: it is empty, a column is missing, or a row has no series or no finite number where one belongs;
            the message names the line.
    """
    lines = _lines(path)
    columns = _columns(path, next(lines, (0, []))[1], (SERIES, *CENTRE, value_column))
    rows = [_row(path, number, line, columns) for number, line in lines]
    numbers = np.array([row[1:] for row in rows], dtype=np.float64).reshape(-1, 4)
    return SeriesPoints(
        tuple(row[0] for row in rows), numbers[:, :3].copy(), numbers[:, 3].copy(), len(rows) - len(set(rows))
    )


def read_series_list(path: Path) -> SeriesList:
    """Read `seriesuids.csv`: one UID a line. A first line "seriesuid", which some tools write, is passed over.

    Raises:
        InputError: the file doesn't exist or may not be read.
        UnsupportedError: it is larger than 128 MB.
        UnreadableError: it is empty, or a line holds more than one value.
    """
    found: list[str] = []
    for number, line in _lines(path):
        values = [value.strip() for value in line if value.strip()]
        if len(values) > 1:
            raise UnreadableError(
                f"{path}, line {number}: one series UID a line was expected, got {len(values)} values.",
                "Is this the list of series? LUNA16's is seriesuids.csv.",
            )
        found += values
    if found and found[0] == SERIES:
        del found[0]
    if not found:
        raise UnreadableError(f"{path} names no series.", "One series UID a line was expected.")
    once = tuple(dict.fromkeys(found))
    return SeriesList(once, len(found) - len(once))


def read_patients(path: Path) -> dict[str, str]:
    """Whose each series is: a table with a column that begins with "patient" and one that begins with "series".

    Columns are parted by commas or by blanks, as in the published map of LIDC-IDRI's series to LUNA16's.

    Raises:
        InputError: the file doesn't exist or may not be read.
        UnsupportedError: it is larger than 128 MB.
        UnreadableError: a column is missing, a row is short, or a series is two patients'.
    """
    rows = [(number, line if len(line) > 1 else line[0].split()) for number, line in _lines(path)]
    header = [name.strip().lower() for name in rows[0][1]] if rows else []
    places = [next((n for n, name in enumerate(header) if name.startswith(word)), -1) for word in ("patient", "series")]
    if min(places) < 0:
        raise UnreadableError(
            f"{path} has no column of patients and one of series.", "Its first line names them: PatientID,SeriesUID."
        )
    found: dict[str, str] = {}
    for number, line in rows[1:]:
        if len(line) <= max(places):
            raise UnreadableError(f"{path}, line {number} has fewer values than the columns.", "Mend the line.")
        patient, series = (line[place].strip() for place in places)
        if found.setdefault(series, patient) != patient:
            raise UnreadableError(f"{path}, line {number}: {_short(series)} is of two patients.", "Mend the line.")
    return found


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and values of each line that isn't empty."""
    with open_input(path) as stream:
        content = stream.read(_LARGEST_BYTES + 1)
    if len(content) > _LARGEST_BYTES:
        raise UnsupportedError(
            f"{path} is larger than {_LARGEST_BYTES >> 20} MB.",
            "Keep the best marks: no more than 100 a scan count under LUNA16's rule.",
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path} is not a CSV file: it is not UTF-8 text.", "Is it the right file?") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        yield from ((reader.line_num, line) for line in reader if any(value.strip() for value in line))
    except csv.Error as error:
        raise UnreadableError(f"{path}, line {reader.line_num}: {error}.", "Is it a CSV file?") from error


def _columns(path: Path, header: Sequence[str], wanted: Sequence[str]) -> list[int]:
    names = [name.strip() for name in header]
    if not names:
        raise UnreadableError(f"{path} is empty.", f"A CSV file with the columns {','.join(wanted)} was expected.")
    missing = [name for name in wanted if name not in names]
    if missing:
        raise UnreadableError(
            f"{path} has no column {', '.join(missing)}; its first line is {_short(','.join(names))}.",
            f"LUNA16's files have the columns {','.join(wanted)}.",
        )
    twice = [name for name in wanted if names.count(name) > 1]
    if twice:
        raise UnreadableError(f"{path} has the column {twice[0]} twice.", "Which one counts can't be told.")
    return [names.index(name) for name in wanted]


def _row(path: Path, number: int, line: Sequence[str], columns: Sequence[int]) -> _Row:
    if len(line) <= max(columns):
        raise UnreadableError(
            f"{path}, line {number} has {len(line)} values, fewer than the columns.", "Mend the line."
        )
    series = line[columns[0]].strip()
    if not series:
        raise UnreadableError(f"{path}, line {number} names no series.", "Mend the line.")
    x, y, z, value = (_number(path, number, line[column]) for column in columns[1:])
    return series, x, y, z, value


def _number(path: Path, line: int, text: str) -> float:
    try:
        value = float(text) if "_" not in text else math.nan  # float() would take 1_0
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UnreadableError(
            f"{path}, line {line}: a finite number was expected, got {_short(text)!r}.",
            "Mend the line, or leave it out.",
        )
    return value


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
