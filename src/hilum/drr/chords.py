"""Exact path lengths through a small block of voxels, for all rays at once.

The same rule as `project_siddon` (Siddon 1985, Med. Phys. 12(2):252), written for many rays and few voxels: the voxels
of a nodule are boxes with sharp edges, which the fast projector would soften by a voxel.
"""

from dataclasses import replace

import numpy as np

from hilum.core import Geometry, Volume
from hilum.core.geometry import Floats
from hilum.drr.projection import Projection, Shape2

_ON_EDGE = 1e-9
"""A ray this share of a voxel beside an edge is on it, and counts for the voxel behind it: as in `project_siddon`."""

_AT_ONCE = 2_000_000
"""Crossings held in memory at a time: some 100 MB."""

Window = tuple[slice, slice]


def project_boxes(block: Volume, projection: Projection) -> Floats:
    """Line integrals [row, column] of a block's values (times mm) along each pixel's ray, float64; 0 beside it.

    Args:
        block: boxes of constant value, such as a nodule's mask on the part of the grid that holds it.
        projection: the rays.
    """
    result = np.zeros(projection.shape_yx)
    window = shadow_window(block.geometry, projection)
    if window is None or 0 in (part := cut_out(projection, window)):
        return result
    smaller = _windowed(projection, window, part)
    pixels = np.moveaxis(np.indices(part), 0, -1).reshape(-1, 2)
    rays_at_once = max(1, _AT_ONCE // (sum(block.geometry.shape_zyx) + 5))
    pieces = [
        _integrals(block, *smaller.rays(pixels[first : first + rays_at_once]))
        for first in range(0, len(pixels), rays_at_once)
    ]
    result[window] = np.concatenate(pieces).reshape(part)
    return result


def shadow_window(grid: Geometry, projection: Projection, reach: float = 0.5) -> Window | None:
    """Rows and columns of the detector that a block's shadow can reach; empty slices when it falls beside.

    Args:
        grid: the block's.
        projection: the rays.
        reach: how far beyond the outer voxels' centres a voxel counts, in voxels: half for boxes with sharp edges, 1
            where values are interpolated down to 0.

    Returns:
        None when some of the block lies behind the source or beside it, so that nothing bounds the shadow.
    """
    last = np.array(grid.shape_zyx) - 1
    corners = np.indices((2, 2, 2)).reshape(3, -1).T * (last + 2 * reach) - reach
    pixels = projection.to_pixel(grid.to_lps_mm(corners))
    if np.isnan(pixels).any():
        return None
    low = np.clip(np.floor(pixels.min(axis=0)), 0, projection.shape_yx).astype(int)
    high = np.clip(np.ceil(pixels.max(axis=0)) + 1, low, projection.shape_yx).astype(int)
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def cut_out(projection: Projection, window: Window) -> Shape2:
    """Rows and columns that a window of the detector has."""
    rows, columns = (len(range(size)[part]) for size, part in zip(projection.shape_yx, window, strict=True))
    return rows, columns


def part_of(projection: Projection, window: Window) -> Projection:
    """The rays of a window of the detector; the window holds at least one pixel."""
    return _windowed(projection, window, cut_out(projection, window))


def _windowed(projection: Projection, window: Window, shape: Shape2) -> Projection:
    corner = projection.to_lps_mm((window[0].start, window[1].start))
    return replace(projection, shape_yx=shape, corner_lps_mm=corner)


def _integrals(block: Volume, starts_lps_mm: Floats, directions_lps: Floats) -> Floats:
    """One integral for each ray; starts and directions are [n, 3]."""
    shape = np.array(block.geometry.shape_zyx)
    starts = block.geometry.to_index(starts_lps_mm)
    steps = block.geometry.to_index(starts_lps_mm + directions_lps) - starts
    crossings = np.sort(np.concatenate([_crossings(starts, steps, axis, n) for axis, n in enumerate(shape)], axis=1))
    lengths = np.diff(crossings, axis=1)
    middles = starts[:, None] + (crossings[:, 1:, None] + crossings[:, :-1, None]) / 2 * steps[:, None]
    voxels = np.floor(middles + 0.5 + _ON_EDGE).astype(np.int64)
    inside = ((voxels >= 0) & (voxels < shape)).all(axis=-1)
    k, j, i = np.moveaxis(np.where(inside[..., None], voxels, 0), -1, 0)
    return np.asarray((lengths * block.array[k, j, i] * inside).sum(axis=1))


def _crossings(starts: Floats, steps: Floats, axis: int, count: int) -> Floats:
    """[n, count + 1]: how far along each ray the planes between voxels lie; a ray along the planes meets none."""
    planes = np.arange(count + 1) - 0.5
    moving = steps[:, [axis]] != 0
    step = np.where(moving, steps[:, [axis]], 1)
    return np.where(moving, (planes - starts[:, [axis]]) / step, 0.0)
