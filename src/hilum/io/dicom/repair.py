"""What is done to an uneven series so that it becomes a grid: planned by places alone, and said in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hilum.core import SpacingError
from hilum.core.geometry import Floats
from hilum.io.dicom.grid import DUPLICATE_MM, SHARE_OF_STEP, Placement, name_of, place, places_mm
from hilum.io.dicom.series import Series, choose_ct
from hilum.io.words import count

_MOST_INVENTED = 0.5


@dataclass(frozen=True, eq=False)
class Repair:
    """How an even grid is made of slices that are none.

    Attributes:
        kept: indices of the slices that are no doubles.
        places: where the slices of the even grid lie among those kept, as fractional indices into `kept`.
        along_mm: place of each slice of the series along the normal.
        axis: what to call that direction, "z " or "".
    """

    kept: tuple[int, ...]
    places: Floats
    along_mm: Floats
    axis: str = ""

    @property
    def dropped_mm(self) -> tuple[float, ...]:
        """Where a slice was left out that lies on another one; `read_series` sees to it that the two are equal."""
        return tuple(float(at) for n, at in enumerate(self.along_mm) if n not in self.kept)

    @property
    def interpolated_mm(self) -> tuple[float, ...]:
        """Where slices of the grid lie that are mixed from their two neighbours."""
        along = self.along_mm[list(self.kept)]
        mixed = self.places[self.places % 1 != 0]
        return tuple(float(at) for at in np.interp(mixed, np.arange(len(along)), along))

    @property
    def unused_mm(self) -> tuple[float, ...]:
        """Where slices lie that are off the grid, and went into their neighbours only."""
        used = set(self.places.tolist())
        return tuple(float(self.along_mm[n]) for index, n in enumerate(self.kept) if index not in used)

    def __str__(self) -> str:
        """In a person's words, "1 slice interpolated at z −409 mm; 1 exact double dropped at z −400 mm"."""
        done = (
            ("slice", "interpolated", self.interpolated_mm),
            ("exact double", "dropped", self.dropped_mm),
            ("slice", "off the even grid left out", self.unused_mm),
        )
        return "; ".join(
            f"{count(len(at), thing)} {verb} at {self.axis}{places_mm(at)}" for thing, verb, at in done if at
        )


def series_repair(path: Path, *, series: str | None = None) -> Repair | None:
    """What `read_series` with `repair` does to a series, by the headers alone; None when nothing has to be done.

    Args:
        path: a file or a folder, searched recursively.
        series: which series, when there are several.

    Raises:
        SpacingError: no repair is known for it.
        InputError: as `read_series`.
    """
    chosen = choose_ct(path, series)
    placement = place(chosen.slices)
    return None if placement.is_even else plan_repair(chosen, placement)


def plan_repair(series: Series, placement: Placement) -> Repair:
    """Leave out the doubles, then lay an even grid over what is left.

    Raises:
        SpacingError: the slices are stacked askew, or more than half of the grid would be invented.
    """
    kept = tuple(n for n in range(len(series.slices)) if n not in placement.doubled)
    places = even_places(series, kept, placement) if len(kept) > 1 else np.zeros(1)
    return Repair(kept, places, placement.along_mm, "z " if _is_along_z(series) else "")


def _is_along_z(series: Series) -> bool:
    return bool(np.cross(*series.slices[0].orientation)[2] > 1 - 1e-6)


def even_places(series: Series, kept: Sequence[int], placement: Placement) -> Floats:
    """Where the slices of the even grid lie among those kept, as fractional indices into `kept`.

    The grid runs from the first slice to the last with the step nearest to the usual one that divides that length.

    Raises:
        SpacingError: the slices are stacked askew, or more than half of the grid would be invented.
    """
    if placement.sideways_mm or placement.step_mm is None:
        raise SpacingError(f"{name_of(series)} can't be repaired: {'; '.join(placement.problems())}.")
    along = placement.along_mm[list(kept)]
    number = round((along[-1] - along[0]) / placement.step_mm) + 1
    if number > len(kept) / _MOST_INVENTED:
        raise SpacingError(
            f"{name_of(series)} can't be repaired: {len(kept)} slices are there, {number} would be needed, "
            "and more than half of them would be invented.",
            "Get the complete series.",
        )
    even = np.linspace(along[0], along[-1], number)
    places = np.interp(even, along, np.arange(len(kept)))
    nearest = np.rint(places)
    # A slice that lies on the grid but for rounding is taken as it is.
    on_grid = np.abs(even - along[nearest.astype(int)]) <= SHARE_OF_STEP * placement.step_mm + DUPLICATE_MM
    return np.where(on_grid, nearest, places)
