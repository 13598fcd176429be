"""From slices to a grid: even, uneven with the places listed, or repaired."""

import math
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hilum.core import Geometry, GeometryError, SpacingError, UnsupportedError
from hilum.core.geometry import Floats
from hilum.io.dicom.instances import Slice
from hilum.io.dicom.series import Series, along_normal_mm
from hilum.io.words import listed, number

DUPLICATE_MM = 1e-3
SHARE_OF_STEP = 0.01
_ROUNDING_MM = 0.05
_TILT_DEGREES = 0.05


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a series' slices lie, and what is wrong with it.

    Attributes:
        along_mm: place of each slice along the normal, sorted.
        step_mm: the usual distance between neighbours; None for one slice.
        doubled: indices of slices that lie where the one before lies.
        gaps: (index, distance) of slices that come too late or too early after the one before.
        sideways_mm: the largest distance of a slice from the straight line through the first and the last.
        tilt_degrees: angle between the normal and the line along which the slices are stacked; 0 for one slice.
    """

    along_mm: Floats
    step_mm: float | None
    doubled: tuple[int, ...]
    gaps: tuple[tuple[int, float], ...]
    sideways_mm: float
    tilt_degrees: float

    @property
    def is_even(self) -> bool:
        """Whether the slices make a regular grid as they are."""
        return not (self.doubled or self.gaps or self.sideways_mm)

    def problems(self) -> list[str]:
        """What is uneven and where, one line each."""
        lines = []
        if self.doubled:
            lines.append(f"{len(self.doubled)} doubled (at {places_mm(self.along_mm[list(self.doubled)])})")
        if self.gaps:
            ends = [(self.along_mm[n] - step, self.along_mm[n]) for n, step in self.gaps]
            where = listed(f"{number(low, 2)} → {number(high, 2)}" for low, high in ends)
            missing = self.missing()
            kind = f"{missing} missing" if missing else f"{len(self.gaps)} unevenly spaced"
            lines.append(f"{kind}, steps of {number(self.step_mm or 0)} mm broken at {where} mm")
        if self.sideways_mm:
            lines.append(f"stacked askew: up to {number(self.sideways_mm)} mm off the line of the first and the last")
        return lines

    def missing(self) -> int:
        """How many slices are missing, if whole ones are and nothing else; 0 when the steps are of any length."""
        if self.step_mm is None:
            return 0
        steps = [step / self.step_mm for _, step in self.gaps]
        whole = all(round(step) >= 2 and abs(step - round(step)) < 0.05 * round(step) for step in steps)
        return sum(round(step) - 1 for step in steps) if whole else 0


def places_mm(along_mm: Iterable[float]) -> str:
    """Places for people, each once, "−409, −406.5 mm"."""
    return f"{listed(dict.fromkeys(number(at, 2) for at in along_mm))} mm"


def place(slices: Sequence[Slice]) -> Placement:
    """See how slices, sorted along their normal, are stacked.

    A slice may lie off the even grid by 1 % of the usual step, or by what rounding explains: half of the last decimal
    that the file writes, and .05 mm at most. Steps within a micrometre count as doubled.
    """
    along = along_normal_mm(slices)
    if len(slices) == 1:
        return Placement(along, None, (), (), 0.0, 0.0)
    steps = np.diff(along)
    kept = steps >= DUPLICATE_MM
    doubled = tuple(int(n) + 1 for n in np.flatnonzero(~kept))
    if not kept.any():
        return Placement(along, None, doubled, (), 0.0, 0.0)
    usual = float(np.quantile(steps[kept], 0.5, method="lower"))
    rounding = min(_ROUNDING_MM, max(plane.position_step_mm for plane in slices) / 2)
    within = max(SHARE_OF_STEP * usual, rounding) + DUPLICATE_MM
    sideways, tilt = _stacking(slices, along)
    gaps = () if _is_even(along[np.r_[True, kept]], within) else _gaps(steps, kept, usual, within)
    return Placement(along, usual, doubled, gaps, sideways if sideways > within else 0.0, tilt)


def _is_even(along: Floats, within: float) -> bool:
    even = np.linspace(along[0], along[-1], len(along))
    return bool(np.abs(along - even).max() <= within)


def _gaps(
    steps: Floats, kept: np.ndarray[tuple[int], np.dtype[np.bool_]], usual: float, within: float
) -> tuple[tuple[int, float], ...]:
    """The steps that differ from the usual one by more than rounding at both ends; never none: the worst at least."""
    off = np.where(kept, np.abs(steps - usual), 0.0)
    worst = max(min(2 * within, float(off.max())), 0.0)
    return tuple((int(n) + 1, float(steps[n])) for n in np.flatnonzero(off >= worst))


def _stacking(slices: Sequence[Slice], along: Floats) -> tuple[float, float]:
    """Largest distance from the straight line through first and last slice (mm), and that line's tilt (degrees)."""
    places = np.array([plane.position_lps_mm for plane in slices])
    share = (along - along[0]) / (along[-1] - along[0])
    line = places[0] + share[:, None] * (places[-1] - places[0])
    sideways = float(np.linalg.norm(places - line, axis=1).max())
    stack = (places[-1] - places[0]) / np.linalg.norm(places[-1] - places[0])
    normal = np.cross(*slices[0].orientation)
    tilt = math.degrees(math.asin(min(1.0, float(np.linalg.norm(np.cross(stack, normal))))))
    return sideways, tilt if tilt > _TILT_DEGREES else 0.0


def grid_of(series: Series, count: int | None = None) -> Geometry:
    """The grid of evenly stacked slices; the axis of the slices goes where the positions go, tilted or not.

    The affine's columns are row direction × column step, column direction × row step (PS3.3 C.7.6.2.1.1, equation
    C.7.6.2.1-1), and (last − first position) / (count − 1). A single slice is as deep as its Spacing Between Slices
    or Slice Thickness says.

    Args:
        series: the slices, sorted along the normal.
        count: slices of the grid, when it differs from the number of files.

    Raises:
        UnsupportedError: a single slice doesn't say how thick it is.
        GeometryError: no grid has such axes.
    """
    first, last = series.slices[0], series.slices[-1]
    slices = count or len(series.slices)
    row, column = np.array(first.orientation)
    affine = np.eye(4)
    affine[:3, 0] = row * first.pixel_mm[1]
    affine[:3, 1] = column * first.pixel_mm[0]
    affine[:3, 3] = first.position_lps_mm
    if slices > 1:
        affine[:3, 2] = (np.array(last.position_lps_mm) - first.position_lps_mm) / (slices - 1)
    else:
        affine[:3, 2] = np.cross(row, column) * _depth_mm(series)
    try:
        return Geometry((slices, series.rows, series.columns), affine, series.frame_uid)
    except GeometryError as error:
        raise GeometryError(f"{series.files[0].parent}: {error.message}", error.remedy) from error


def _depth_mm(series: Series) -> float:
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        try:
            depth = abs(float(series.instances[0].facts[keyword]))
        except ValueError:
            continue
        if 0 < depth < 1000:
            return depth
    raise UnsupportedError(
        f"{series.files[0]} is a single slice that doesn't say how thick it is, so it is no volume.",
        "Give the whole series.",
    )


def require_even(series: Series, placement: Placement) -> None:
    """Refuse slices that are no regular grid.

    Raises:
        SpacingError: slices are missing, doubled, unevenly spaced or stacked askew; the message lists where.
    """
    if not placement.is_even:
        mended = shlex.join(("hilum", "convert", str(series.place), "even.nii.gz", "--repair"))
        remedy = f"Get the complete series, or let the gaps be interpolated and the doubles dropped: {mended}"
        if placement.sideways_mm:
            remedy = "No repair is known for that; is it one series?"
        problems = "; ".join(placement.problems())
        raise SpacingError(
            f"{name_of(series)} has {len(series.slices)} slices that are no even grid: {problems}.", remedy
        )


def name_of(series: Series) -> str:
    """A series in a message: the folder of its files, or its one file, and its key."""
    files = series.files
    return f"{files[0].parent if len(files) > 1 else files[0]} (series {series.short_key()})"
