"""A piece of a volume on another grid, where the grid may reach beyond the volume's ends."""

import numpy as np

from hilum.core import Geometry, Volume
from hilum.ops.resample import resample_to


def resample_repeating(volume: Volume, geometry: Geometry) -> Volume:
    """As `resample_to`, linearly; beyond the volume's ends its last voxels are repeated.

    Only the block of the volume that the grid needs is copied.

    Args:
        volume: in any quantity.
        geometry: the grid to go to.
    """
    corners = volume.geometry.to_index(geometry.corners_lps_mm())
    low, high = np.floor(corners.min(axis=0)).astype(int) - 1, np.ceil(corners.max(axis=0)).astype(int) + 1
    indices = [
        np.clip(np.arange(first, last + 1), 0, size - 1)
        for first, last, size in zip(low, high, volume.array.shape, strict=True)
    ]
    array = volume.array[np.ix_(*indices)]
    affine = np.array(volume.geometry.affine_lps)
    affine[:3, 3] = volume.geometry.to_lps_mm(low)
    return resample_to(Volume(array, Geometry(array.shape, affine, geometry.frame_uid), volume.quantity), geometry)
