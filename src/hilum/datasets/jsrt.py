"""JSRT's films: chest radiographs with one nodule or none, of which centre, size and subtlety are known.

Source: Shiraishi 2000, "Development of a digital image database for chest radiographs with and without a lung nodule",
AJR 174:71. The masks are those of van Ginneken 2006 (SCR), as a bit field.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from hilum.core import InputError, Nodule
from hilum.core.mask import Labels, Selection
from hilum.datasets.stored_split import StoredSplit

FRAME, FRAME_MM = 2048, 0.175
"""Pixels along a side of the films as they were digitised, in which coordinates are given, and the side of one."""

COLUMNS = ("id", "subtlety", "size_mm", "x_2048", "y_2048", "state")
"""What `metadata.csv` has at least."""

NO_NODULE = "non-nodule"
STATES = ("malignant", "benign", NO_NODULE)

SUBTLETIES: Mapping[int, str] = {
    1: "extremely subtle",
    2: "very subtle",
    3: "subtle",
    4: "relatively obvious",
    5: "obvious",
}
"""How hard a nodule is to see (Shiraishi 2000)."""

ORGANS: Mapping[str, int] = {"lungs": 1 | 2, "heart": 4, "clavicles": 8 | 16}
"""Bits of the masks' pixels."""

JSRT_RULE = (
    "JSRT: every film is for testing and of a patient of its own; nothing is learnt or chosen on these films, and "
    "weights trained on them may not be shipped"
)
JSRT_HALVES_RULE = (
    "JSRT: every film is of a patient of its own; those whose name has an even SHA-256 are there to adapt to without "
    "their labels (train), the others for testing; weights that saw these films may not be shipped"
)

_ABOUT = ("age", "sex", "position", "diagnosis")


@dataclass(frozen=True)
class FilmNodule:
    """The nodule of a film, as `metadata.csv` has it.

    Attributes:
        x: column of its centre in the frame of `FRAME` pixels.
        y: row of its centre.
        size_mm: its diameter.
        subtlety: from `SUBTLETIES`.
    """

    x: float
    y: float
    size_mm: float
    subtlety: int

    def centre_px(self, side: int) -> tuple[float, float]:
        """(row, column) on a picture of `side` pixels that shows the whole frame; both count pixels' centres from 0."""
        row, column = ((place + 0.5) * side / FRAME - 0.5 for place in (self.y, self.x))
        return row, column

    def on(self, side: int) -> Nodule:
        """The nodule on a picture of `side` pixels. JSRT's one size is none of the lengths that a `Nodule` has."""
        return Nodule("1", centre_px=self.centre_px(side), characteristics={"subtlety": float(self.subtlety)})


@dataclass(frozen=True)
class Film:
    """One row of `metadata.csv`.

    Attributes:
        name: of the picture's file.
        state: one of `STATES`.
        nodule: None on films without one.
        about: what else is said: age, sex, position, diagnosis; "" where nothing is.
    """

    name: str
    state: str
    nodule: FilmNodule | None
    about: Mapping[str, str]

    @property
    def key(self) -> str:
        """The file's name without its ending."""
        return PurePath(self.name).stem


def film_of(row: Mapping[str, str | None]) -> Film:
    """A row of `metadata.csv`.

    Raises:
        InputError: it names no file, says both that there is a nodule and that there is none, or a value can't be.
    """
    said = {name: (value or "").strip() for name, value in row.items() if isinstance(name, str)}
    name, state = said["id"], said["state"]
    if not name or PurePath(name).name != name or name.startswith("."):
        raise InputError(f"{name!r} is no file's name.", "The column id names the picture, such as JPCLN001.png.")
    if state not in STATES:
        raise InputError(f"{name} has the state {state!r}; {', '.join(STATES)} are known.", "Correct the row.")
    given = {column: said[column] for column in COLUMNS[1:5]}
    has_place = any(given[column] for column in ("x_2048", "y_2048", "size_mm"))
    if has_place is (state == NO_NODULE):
        raise InputError(
            f"{name} is {state} and has {'a' if has_place else 'no'} place or size of a nodule.", "Correct the row."
        )
    about = {column: said.get(column, "") for column in _ABOUT}
    return Film(name, state, _nodule(name, given) if has_place else None, about)


def _nodule(name: str, given: Mapping[str, str]) -> FilmNodule:
    x, y, size, subtlety = (
        _number(name, column, given[column]) for column in ("x_2048", "y_2048", "size_mm", "subtlety")
    )
    if not (0 <= x < FRAME and 0 <= y < FRAME):
        raise InputError(
            f"{name}: the centre ({x:g}, {y:g}) lies outside {FRAME} × {FRAME} pixels.", "Correct the row."
        )
    if size <= 0 or subtlety not in SUBTLETIES:
        raise InputError(
            f"{name}: a size is above 0 mm and a subtlety 1 to 5, got {size:g} and {subtlety:g}.", "Correct the row."
        )
    return FilmNodule(x, y, size, int(subtlety))


def _number(name: str, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{name}: {column} is {text!r}, and a number was expected.", "Correct the row.")
    return value


def pixel_mm_of(side: int) -> float:
    """Side in mm of a pixel of a picture of `side` pixels that shows the whole frame."""
    return FRAME * FRAME_MM / side


def organs_of(bits: Labels) -> dict[str, Selection]:
    """Each organ's mask [y, x] of a bit field."""
    return {name: (bits & bit) > 0 for name, bit in ORGANS.items()}


def jsrt_split(patients: Iterable[str], *, halves: bool = False) -> StoredSplit:
    """Every film for testing, or half of them, so that the other half can be adapted to.

    Which half a film is in depends on its patient's name alone: the same in any subset, and nobody chose it.

    Args:
        patients: of all films.
        halves: put those whose name has an even SHA-256 into "train".
    """
    every = sorted(set(patients))
    if not halves:
        return StoredSplit(JSRT_RULE, (), (), tuple(every))
    train, test = (tuple(one for one in every if _is_even(one) is even) for even in (True, False))
    return StoredSplit(JSRT_HALVES_RULE, train, (), test)


def _is_even(name: str) -> bool:
    return hashlib.sha256(name.encode()).digest()[-1] % 2 == 0
