"""A CT series as one volume in HU."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.core import Geometry, Quantity, SpacingError, Volume
from hilum.core.geometry import Floats
from hilum.core.volume import Voxels
from hilum.io.dicom.grid import grid_of, name_of, place, require_even
from hilum.io.dicom.instances import Slice
from hilum.io.dicom.pixels import Stored, frames
from hilum.io.dicom.repair import Repair, plan_repair
from hilum.io.dicom.series import Series, choose_ct
from hilum.io.words import number

_INT16 = np.iinfo(np.int16)


def read_series(path: Path, *, series: str | None = None, repair: bool = False) -> Volume:
    """Read a CT series: single-frame files in any order, or enhanced multi-frame ones.

    The array is [z, y, x] with z growing along the normal, row × column, of the slices; nothing is flipped. The grid
    is exact: a tilted gantry gives a sheared affine, because the positions say where the slices are. HU = stored ×
    Rescale Slope + Rescale Intercept (PS3.3 C.11.1), 1 and 0 where the file has none; int16 where that is exact,
    float32 otherwise. Padding (Pixel Padding Value) keeps the HU that it is stored with.

    `repair` does two things, and only where needed. Slices at the place of another are dropped when their voxels are
    equal. Then, where slices are missing or unevenly spaced, an even grid is laid from the first slice to the last
    with the usual (median) step, and slices of it that aren't there are interpolated linearly between their two
    neighbours, rounded to whole HU in an int16 volume; a slice within 1 % of a step of its place is kept as it is.
    What it did to which slices says `repaired_volume_of`, and by the headers alone `series_repair`.

    Args:
        path: a file or a folder, searched recursively.
        series: which series, when there are several: its UID, a unique ending of it, or "beginning…ending".
        repair: allow the above instead of refusing.

    Raises:
        AmbiguousError: there are several CT series, or those of several patients.
        SpacingError: slices are missing, doubled, unevenly spaced or stacked askew (without `repair`: any; with it:
            what it can't mend: unequal doubles, askew slices, more than half of the slices missing).
        UnsupportedError: there is no CT volume, or its pixels are of a kind that nothing here decodes.
        UnreadableError: a file is damaged or truncated.
        GeometryError: no grid has such axes.
    """
    chosen = choose_ct(path, series)
    return repaired_volume_of(chosen)[0] if repair else volume_of(chosen)


def volume_of(series: Series) -> Volume:
    """The volume of a series that is chosen already; see `read_series`.

    Raises:
        SpacingError: as `read_series`.
        UnsupportedError: as `read_series`.
        UnreadableError: as `read_series`.
        GeometryError: as `read_series`.
    """
    require_even(series, place(series.slices))
    return Volume(_load(series.slices), grid_of(series), Quantity.HU)


def repaired_volume_of(series: Series) -> tuple[Volume, Repair | None]:
    """The same with `repair`, and what was done to which slices; None when nothing had to be done.

    Raises:
        SpacingError: no repair is known for it.
        UnsupportedError: as `read_series`.
        UnreadableError: as `read_series`.
        GeometryError: as `read_series`.
    """
    placement = place(series.slices)
    if placement.is_even:
        return volume_of(series), None
    array = _load(series.slices)
    for n in placement.doubled:
        if not np.array_equal(array[n - 1], array[n]):
            raise SpacingError(
                f"{name_of(series)} can't be repaired: at {number(placement.along_mm[n], 2)} mm lie two that differ.",
                "Find out which of the two is right, and remove the other.",
            )
    plan = plan_repair(series, placement)
    grid = grid_of(series, len(plan.places))
    return Volume(_interpolated(array, plan.kept, plan.places, grid), grid, Quantity.HU), plan


def _interpolated(array: Voxels, kept: Sequence[int], places: Floats, grid: Geometry) -> Voxels:
    """Slices at fractional places among those kept, linearly between neighbours."""
    result = np.empty(grid.shape_zyx, array.dtype)
    for k, at in enumerate(places):
        below = min(int(at), len(kept) - 1)
        share = np.float32(at - below)
        if share == 0:
            result[k] = array[kept[below]]
            continue
        mixed = array[kept[below]] * (1 - share) + array[kept[below + 1]] * share
        result[k] = np.rint(mixed) if array.dtype == np.int16 else mixed
    return result


def _load(slices: tuple[Slice, ...]) -> Voxels:
    """All slices in HU, straight into one array; int16 until a slice doesn't fit, then float32."""
    shape = len(slices), *slices[0].pixels.shape_yx
    whole = all(float(number).is_integer() for plane in slices for number in (plane.slope, plane.intercept))
    array: NDArray[Any] = np.empty(shape, np.int16 if whole else np.float32)
    for k, stored in _stored(slices):
        plane = slices[k]
        if array.dtype == np.int16 and not _fits_int16(stored, plane):
            array = array.astype(np.float32)
        to_hu(stored, plane, array[k])
    return array


def _stored(slices: tuple[Slice, ...]) -> Iterator[tuple[int, Stored]]:
    """Every slice's index and stored values; a file is opened once, however many slices it holds."""
    by_file: dict[Path, list[int]] = {}
    for k, plane in enumerate(slices):
        by_file.setdefault(plane.pixels.path, []).append(k)
    for indices in by_file.values():
        source = slices[indices[0]].pixels
        yield from zip(indices, frames(source, [slices[k].frame for k in indices]), strict=True)


def _fits_int16(stored: Stored, plane: Slice) -> bool:
    ends = [value * plane.slope + plane.intercept for value in plane.pixels.range]
    if _INT16.min <= min(ends) and max(ends) <= _INT16.max:
        return True
    ends = [float(value) * plane.slope + plane.intercept for value in (stored.min(), stored.max())]
    return bool(_INT16.min <= min(ends) and max(ends) <= _INT16.max)


def to_hu(stored: Stored, plane: Slice, out: Voxels) -> None:
    """Rescale one frame into `out`, which is int16 (whole numbers that fit) or float32."""
    if out.dtype == np.int16 and plane.slope == 1 and stored.dtype.itemsize == 2:
        # Modulo 2^16, adding is the same for signed and unsigned numbers, and the result is known to fit.
        np.add(
            stored.view(f"{stored.dtype.byteorder}u2"), np.uint16(int(plane.intercept) % 65536), out=out.view(np.uint16)
        )
    else:
        out[...] = stored * np.float64(plane.slope) + plane.intercept
