"""Whether what LIDC's readers drew belongs to a CT: another patient's outlines fall on any CT of the same size."""

from collections.abc import Iterator, Sequence

import numpy as np

from hilum.core import AmbiguousError, Geometry, GeometryError, InputError, MissingError, Volume
from hilum.io.lidc import Read, with_scan_facts
from hilum.io.lidc.types import IMAGE_SIZE
from hilum.ops import to_lps_axes

_SAME_PIXEL_MM = 0.01
_NEAR = 0.5
"""Ends and outlines this share of a step beside the CT's slices are still on them."""
_OFF_SLICE = 0.25
"""Outlines farther than this share of a step from every slice were drawn on other slices."""


def require_same_scan(read: Read, ct: Volume, series_uid: str | None = None) -> Read:
    """Refuse a read of another CT.

    A DICOM series is known by its UID. A CT of another format is compared with what the read says, and, for an XML,
    with what LIDC's database knows of its series: number of slices, the z of the lowest and highest one, pixel size.
    An XML of a series that the database doesn't know, or without the database, is held against its outlines' z alone.
    Without a UID some series can't be told apart: LIDC-IDRI-0001, 0234 and 0255 have the same slices and pixels.

    Args:
        read: what the readers drew, from an XML or the database.
        ct: the CT, on any grid.
        series_uid: the CT's Series Instance UID; None when its format has none.

    Returns:
        The read, with patient, pixel size and slices where the database knows them.

    Raises:
        GeometryError: the read is of another CT; says what differs.
    """
    read = _with_facts(read)
    apart = _differences(read, to_lps_axes(ct).geometry, series_uid or None)
    if apart:
        raise GeometryError(
            f"{_name(read)} is not this CT: {'; '.join(apart)}.",
            "Give the outlines of this very CT, and the CT as it was published: not cropped, not resampled.",
        )
    return read


def matching_read(reads: Sequence[Read], ct: Volume, series_uid: str | None = None) -> Read:
    """The one of a patient's reads that is of this CT; eight patients have two series.

    Raises:
        GeometryError: none is.
        AmbiguousError: two are, and the CT's format has no series UID.
    """
    fitting, refused = [], []
    for read in reads:
        try:
            fitting.append(require_same_scan(read, ct, series_uid))
        except GeometryError as error:
            refused.append(error)
    if not fitting:
        raise refused[0]
    if len(fitting) > 1:
        raise AmbiguousError(
            f"{_name(fitting[0])} and {len(fitting) - 1} more series fit this CT.", "Give it as DICOM."
        )
    return fitting[0]


def _with_facts(read: Read) -> Read:
    if read.slices_z_mm:
        return read
    try:
        return with_scan_facts(read)
    except (InputError, MissingError):
        return read


def _differences(read: Read, grid: Geometry, series_uid: str | None) -> list[str]:
    """What says that it is another CT, one clause each."""
    slices, *size = grid.shape_zyx
    if size != [IMAGE_SIZE, IMAGE_SIZE]:
        return [f"LIDC's outlines count pixels of {IMAGE_SIZE} × {IMAGE_SIZE}, this CT has {size[0]} × {size[1]}"]
    if series_uid is not None:
        same = series_uid == read.series_uid
        return [] if same else [f"its series is {read.series_uid}, this CT's is {series_uid}"]
    return [*_of_slices(read, grid, slices), *_of_pixels(read, grid), *_of_outlines(read, grid)]


def _of_slices(read: Read, grid: Geometry, slices: int) -> Iterator[str]:
    theirs = read.slices_z_mm
    if not theirs:
        return
    if len(theirs) != slices:
        yield f"it has {len(theirs)} slices, this CT {slices}"
    low, high = grid.to_lps_mm([(0, 0, 0), (slices - 1, 0, 0)])[:, 2]
    if max(abs(low - theirs[0]), abs(high - theirs[-1])) >= _NEAR * grid.spacing_zyx_mm[0]:
        yield f"it runs from z {theirs[0]:g} to {theirs[-1]:g} mm, this CT from {low:g} to {high:g} mm"


def _of_pixels(read: Read, grid: Geometry) -> Iterator[str]:
    if read.pixel_mm is not None and max(abs(mm - read.pixel_mm) for mm in grid.spacing_zyx_mm[1:]) >= _SAME_PIXEL_MM:
        rows_mm, columns_mm = grid.spacing_zyx_mm[1:]
        yield f"its pixels are {read.pixel_mm:g} mm, this CT's {rows_mm:g} × {columns_mm:g} mm"


def _of_outlines(read: Read, grid: Geometry) -> Iterator[str]:
    z_mm = np.array([outline.z_mm for mark in read.marks for outline in mark.outlines])
    if not z_mm.size:
        return
    step = grid.spacing_zyx_mm[0]
    numbers = (z_mm - grid.origin_lps_mm[2]) / step
    outside = (numbers < -_NEAR) | (numbers > grid.shape_zyx[0] - 1 + _NEAR)
    between = np.abs(numbers - np.rint(numbers)) > _OFF_SLICE
    if outside.any():
        yield f"{outside.sum()} of its {z_mm.size} outlines lie above or below this CT"
    elif not read.slices_z_mm and between.any():
        yield f"{between.sum()} of its {z_mm.size} outlines lie between this CT's slices"


def _name(read: Read) -> str:
    return f"what LIDC's readers outlined ({read.patient or f'series {read.series_uid}'})"
