"""The plain projector: exact path lengths through every voxel, one ray at a time, in float64.

Siddon 1985, Med. Phys. 12(2):252: between the planes of voxel edges that a ray crosses, sorted along it, each piece
lies in one voxel. A ray that runs along an edge counts for the voxel behind it. Slow and simple on purpose: the fast
projectors are tested against it.
"""

import numpy as np

from hilum.core import Geometry, Volume
from hilum.core.geometry import Floats
from hilum.core.volume import Voxels
from hilum.drr.projection import Projection

_ON_EDGE = 1e-9
"""A ray this share of a voxel beside an edge is on it: rounding must not choose the side."""


def project_siddon(volume: Volume, projection: Projection) -> Floats:
    """Line integrals [row, column] of attenuation (no unit) or of any quantity (times mm), along each pixel's ray.

    Voxels are boxes of constant value; outside the volume there is nothing.

    Raises:
        GeometryError: the rays miss the volume.
    """
    projection.require_hit(volume.geometry)
    rows, columns = projection.shape_yx
    result = np.zeros((rows, columns))
    for row in range(rows):
        starts, directions = projection.rays([(row, column) for column in range(columns)])
        for column in range(columns):
            result[row, column] = integrate_ray(volume.array, volume.geometry, starts[column], directions[column])
    return result


def integrate_ray(array: Voxels, geometry: Geometry, start_lps_mm: Floats, direction_lps: Floats) -> float:
    """Integral of `array` [z, y, x] along a whole line through a point, in the array's unit times mm."""
    start = geometry.to_index(start_lps_mm)
    step = geometry.to_index(start_lps_mm + direction_lps) - start
    near, far = _entry_and_exit(start, step, np.array(geometry.shape_zyx))
    if not near < far:
        return 0.0
    crossings = [np.array([near, far])]
    for axis in np.flatnonzero(step):
        planes = np.arange(geometry.shape_zyx[axis] + 1) - 0.5
        at = (planes - start[axis]) / step[axis]
        crossings.append(at[(at > near) & (at < far)])
    along_mm = np.unique(np.concatenate(crossings))
    middles = start + (along_mm[1:, None] + along_mm[:-1, None]) / 2 * step
    voxels = np.floor(middles + 0.5 + _ON_EDGE).astype(int)
    k, j, i = np.clip(voxels, 0, np.array(geometry.shape_zyx) - 1).T
    return float(np.diff(along_mm) @ array[k, j, i].astype(np.float64))


def _entry_and_exit(start: Floats, step: Floats, shape: Voxels) -> tuple[float, float]:
    """Where a line enters and leaves the box of all voxels; entry ≥ exit when it misses."""
    moving = step != 0
    if ((start < -0.5) | (start > shape - 0.5))[~moving].any():
        return 0.0, 0.0
    first = (-0.5 - start[moving]) / step[moving]
    second = (shape[moving] - 0.5 - start[moving]) / step[moving]
    return float(np.minimum(first, second).max()), float(np.maximum(first, second).min())
