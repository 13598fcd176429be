"""Axes in a known order, without touching a number."""

from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from hilum.core import Geometry, Mask, Volume

Number = TypeVar("Number", bound=np.generic)


@overload
def to_lps_axes(image: Volume) -> Volume: ...
@overload
def to_lps_axes(image: Mask) -> Mask: ...
def to_lps_axes(image: Volume | Mask) -> Volume | Mask:
    """The same voxels, reordered so that i, j, k grow most nearly to the patient's left, back and head.

    Slices [k] are then axial and, shown with row 0 on top and column 0 on the left, lie as radiologists look at them:
    patient right on the left of the picture, front on top. A view where possible; every voxel stays at its place.
    """
    if isinstance(image, Mask):
        labels, geometry = _reorder(image.labels, image.require_geometry())
        return Mask(labels, geometry, names=image.names)
    array, geometry = _reorder(image.array, image.geometry)
    return Volume(array, geometry, image.quantity)


def _reorder(array: NDArray[Number], geometry: Geometry) -> tuple[NDArray[Number], Geometry]:
    array_axes, backwards = _order(geometry)
    start = np.zeros(3)
    for axis, is_backwards in zip(array_axes, backwards, strict=True):
        start[axis] = geometry.shape_zyx[axis] - 1 if is_backwards else 0
    affine = np.array(geometry.affine_lps)
    affine[:3, :3] = geometry.affine_lps[:3, [2 - axis for axis in array_axes[::-1]]]
    affine[:3, :3] *= [-1 if is_backwards else 1 for is_backwards in backwards[::-1]]
    affine[:3, 3] = geometry.to_lps_mm(start)
    steps: Any = tuple(slice(None, None, -1 if is_backwards else 1) for is_backwards in backwards)
    z, y, x = (geometry.shape_zyx[axis] for axis in array_axes)
    return array.transpose(array_axes)[steps], Geometry((z, y, x), affine, geometry.frame_uid)


def _order(geometry: Geometry) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """For z, y, x of the result: the array axis to take, and whether it runs backwards.

    Each patient axis takes the array axis nearest to it among those left, the best fit first.
    """
    directions = geometry.directions
    chosen: dict[int, int] = {}
    for flat in np.abs(directions).ravel().argsort(kind="stable")[::-1]:
        patient_axis, index_axis = divmod(int(flat), 3)
        if patient_axis not in chosen and index_axis not in chosen.values():
            chosen[patient_axis] = index_axis
    array_axes = tuple(2 - chosen[patient_axis] for patient_axis in (2, 1, 0))
    backwards = tuple(bool(directions[patient_axis, chosen[patient_axis]] < 0) for patient_axis in (2, 1, 0))
    return array_axes, backwards
