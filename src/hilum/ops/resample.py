"""Numbers from one grid to another."""

from enum import StrEnum
from typing import overload

import numpy as np

from hilum.core import Geometry, Mask, Quantity, Volume
from hilum.core.geometry import Floats
from hilum.core.volume import OUTSIDE_HU, Voxels


class Interpolation(StrEnum):
    """How a value between voxels is found."""

    NEAREST = "nearest"
    LINEAR = "linear"
    CUBIC = "cubic"


@overload
def resample_to(image: Volume, geometry: Geometry, interpolation: Interpolation = ...) -> Volume: ...
@overload
def resample_to(image: Mask, geometry: Geometry) -> Mask: ...
def resample_to(
    image: Volume | Mask, geometry: Geometry, interpolation: Interpolation = Interpolation.LINEAR
) -> Volume | Mask:
    """The same image on another grid: every voxel of the result is read at its place in the patient.

    What lies outside the image is air (−1024) in HU, 0 in every other quantity, and background in a mask. A volume
    becomes float32, unless the interpolation is nearest; a mask is always taken by the nearest voxel.

    Args:
        image: what to resample.
        geometry: the grid to go to; any orientation, sheared ones included.
        interpolation: how to read between the voxels of a volume; cubic is a B-spline of order 3.
    """
    if isinstance(image, Mask):
        to_index = _index_to_index(geometry, image.require_geometry())
        labels = _resample(image.labels, to_index, geometry, Interpolation.NEAREST, 0)
        return Mask(labels, geometry, names=image.names)
    outside = OUTSIDE_HU if image.quantity is Quantity.HU else 0.0
    array = image.array if interpolation is Interpolation.NEAREST else image.array.astype(np.float32, copy=False)
    resampled = _resample(array, _index_to_index(geometry, image.geometry), geometry, interpolation, outside)
    return Volume(resampled, geometry, image.quantity)


def _index_to_index(target: Geometry, source: Geometry) -> Floats:
    """4×4: voxel (i, j, k) of the target to voxel (i, j, k) of the source."""
    return np.asarray(np.linalg.solve(source.affine_lps, target.affine_lps))


def _resample(
    array: Voxels, to_index: Floats, geometry: Geometry, interpolation: Interpolation, outside: float
) -> Voxels:
    """SimpleITK in index space, so that shear and reflection need no direction matrix that it would refuse."""
    import SimpleITK as sitk

    methods = {
        Interpolation.NEAREST: sitk.sitkNearestNeighbor,
        Interpolation.LINEAR: sitk.sitkLinear,
        Interpolation.CUBIC: sitk.sitkBSpline,
    }
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(to_index[:3, :3].ravel().tolist())
    transform.SetTranslation(to_index[:3, 3].tolist())
    moved = sitk.Resample(
        sitk.GetImageFromArray(array),
        size=geometry.shape_zyx[::-1],
        transform=transform,
        interpolator=methods[interpolation],
        defaultPixelValue=outside,
    )
    return np.asarray(sitk.GetArrayFromImage(moved))
