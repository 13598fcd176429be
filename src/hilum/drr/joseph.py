"""The fast projector on a CPU: compiled, on all cores, in float32.

Joseph 1982, IEEE Trans. Med. Imaging 1(3):192: along the axis that a ray follows most, one sample in every plane, read
by bilinear interpolation within the plane, times the path length from plane to plane. Unlike a sum over boxes it has no
edges that the volume doesn't have. Beyond the outermost voxel centres the values fall to 0 within one voxel, which
keeps the integral over a voxel at the edge.

`project_joseph_plain` says the same in a few lines of SciPy, and is what the compiled one is tested with. The volume is
read where it lies, never copied. Any rays are followed one by one; two kinds of beam have a shorter way to the same
sums. A parallel beam along an axis of the array reads all planes at the same places: they are added up first. And when
the detector's rows and columns run along axes of the array, whose lines lie whole in memory, each line is interpolated
once for many rows of the detector.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from hilum.core import Geometry, Volume
from hilum.core.geometry import Floats
from hilum.core.volume import Voxels
from hilum.drr.compiled import compiled
from hilum.drr.projection import Projection, Shape2, index_rays

_ALONG = 1e-9
"""What leaves an axis by less than this share runs along it: over any detector, far less than a voxel."""

_MARGIN = 0.01
"""How far, in voxels, a sample must be from the edge to be read unchecked: far more than float32 rounds by."""

_BLOCK_ROWS = 32
"""Rows of the detector that share a plane's interpolated lines: so few that these stay in the fastest cache."""


class _Lines(NamedTuple):
    """All rays as lines in voxel indices; the last axis of each array is the volume's, in the order asked for.

    Attributes:
        points: [3, 3]; a point on the ray of pixel (0, 0), its step from row to row, and from column to column.
        steps: [3, 3]; likewise a vector along the ray, of any length.
        axes_mm: [3, 3]; the step from voxel to voxel along each axis in LPS mm, one a row.
    """

    points: Floats
    steps: Floats
    axes_mm: Floats

    def from_axis(self, axis: int) -> "_Lines":
        """The same with the volume's axes in another order: `axis` first."""
        order = [axis, *(other for other in range(3) if other != axis)]
        return _Lines(self.points[:, order].copy(), self.steps[:, order].copy(), self.axes_mm[order])


def project_joseph(volume: Volume, projection: Projection) -> NDArray[np.float32]:
    """Line integrals [row, column] of attenuation (no unit), or of any quantity (times mm), along each pixel's ray.

    Raises:
        GeometryError: the rays miss the volume.
    """
    projection.require_hit(volume.geometry)
    result = np.zeros(projection.shape_yx, dtype=np.float32)
    lines = _lines(volume.geometry, projection)
    least, most = _spread(lines.steps, projection.shape_yx)
    for axis in np.flatnonzero(most >= least.max()).tolist():
        planes, along = np.moveaxis(volume.array, axis, 0), lines.from_axis(axis)
        if _runs_along(along.steps):
            planes = planes.sum(axis=0, keepdims=True, dtype=np.float32)
        all_follow = least[axis] >= np.delete(most, axis).max()
        if all_follow and _is_aligned(along) and planes.strides[2] < planes.strides[0]:
            _add_blocks(planes, _course(along, 1, result.shape[0]), _course(along, 2, result.shape[1]), along, result)
        else:
            _add_rays(planes, along, result)
    return result


def project_joseph_plain(volume: Volume, projection: Projection) -> Floats:
    """What `project_joseph` computes, plane by plane with SciPy, in float64."""
    projection.require_hit(volume.geometry)
    points, steps_per_mm = index_rays(volume.geometry, projection)
    dominant = np.abs(steps_per_mm).argmax(axis=-1)
    result = np.zeros(projection.shape_yx)
    for axis in np.unique(dominant):
        chosen = dominant == axis
        along = steps_per_mm[chosen][:, [axis]]
        for plane in range(volume.array.shape[axis]):
            at = points[chosen] + (plane - points[chosen][:, [axis]]) / along * steps_per_mm[chosen]
            values = np.take(volume.array, plane, axis=axis).astype(np.float64)
            read = map_coordinates(values, np.delete(at, axis, axis=1).T, order=1, mode="grid-constant")
            result[chosen] += read / np.abs(along[:, 0])
    return result


def _lines(geometry: Geometry, projection: Projection) -> _Lines:
    to_index = np.linalg.inv(geometry.affine_lps[:3, :3])[::-1]
    across = np.stack([projection.row_step_lps_mm, projection.column_step_lps_mm]) @ to_index.T
    still = np.zeros((2, 3))
    if projection.source_lps_mm is None:
        points = [geometry.to_index(projection.corner_lps_mm), *across]
        steps = [to_index @ projection.direction_lps, *still]
    else:
        points = [geometry.to_index(projection.source_lps_mm), *still]
        steps = [to_index @ (projection.corner_lps_mm - projection.source_lps_mm), *across]
    return _Lines(np.stack(points), np.stack(steps), geometry.affine_lps[:3, :3].T[::-1].copy())


def _spread(steps: Floats, shape_yx: Shape2) -> tuple[Floats, Floats]:
    """Least and greatest size of the rays' steps along each axis; they are linear, so the corners have both."""
    rows, columns = shape_yx
    corners = np.array([(1, r, c) for r in (0, rows - 1) for c in (0, columns - 1)]) @ steps
    turns = np.sign(corners).min(axis=0) != np.sign(corners).max(axis=0)
    return np.where(turns, 0.0, np.abs(corners).min(axis=0)), np.abs(corners).max(axis=0)


def _runs_along(steps: Floats) -> bool:
    """Whether all rays are parallel to the first axis."""
    return bool(not steps[1:].any() and (np.abs(steps[0, 1:]) <= _ALONG * abs(steps[0, 0])).all())


def _is_aligned(lines: _Lines) -> bool:
    """Whether the detector's rows and columns run along the second and third axis."""
    return all(
        (np.abs([*part[1:, 0], part[2, 1], part[1, 2]]) <= _ALONG * np.abs(part).max()).all()
        for part in (lines.points, lines.steps)
    )


def _course(lines: _Lines, axis: int, count: int) -> NDArray[np.float32]:
    """For each row (axis 1) or column (axis 2) of an aligned detector, how its rays run along that axis of the volume.

    [2, count]: the index at plane 0, and its step from plane to plane.
    """
    numbers = np.arange(count)
    slopes = (lines.steps[0, axis] + numbers * lines.steps[axis, axis]) / lines.steps[0, 0]
    starts = lines.points[0, axis] + numbers * lines.points[axis, axis] - lines.points[0, 0] * slopes
    return np.stack([starts, slopes]).astype(np.float32)


@compiled
def _add_rays(planes: Voxels, lines: _Lines, result: Voxels) -> None:
    """Integrals along the rays that follow the first axis, one by one; other rays are left alone."""
    rows, columns = result.shape
    for row in numba.prange(rows):
        for column in range(columns):
            step_p, step_v, step_u = _at(lines.steps, row, column)
            if abs(step_p) >= max(abs(step_v), abs(step_u)):
                point_p, point_v, point_u = _at(lines.points, row, column)
                slope_v, slope_u = step_v / step_p, step_u / step_p
                total = _follow(planes, point_v - point_p * slope_v, slope_v, point_u - point_p * slope_u, slope_u)
                result[row, column] = total * _mm_per_plane(lines.axes_mm, slope_v, slope_u)


@numba.njit(fastmath=True, inline="always")
def _at(vectors: Floats, row: int, column: int) -> tuple[float, float, float]:
    """What `_Lines` says of a pixel."""
    return (
        vectors[0, 0] + row * vectors[1, 0] + column * vectors[2, 0],
        vectors[0, 1] + row * vectors[1, 1] + column * vectors[2, 1],
        vectors[0, 2] + row * vectors[1, 2] + column * vectors[2, 2],
    )


@numba.njit(fastmath=True, inline="always")
def _mm_per_plane(axes_mm: Floats, slope_v: float, slope_u: float) -> Any:
    """Length of a ray from plane to plane."""
    x = axes_mm[0, 0] + slope_v * axes_mm[1, 0] + slope_u * axes_mm[2, 0]
    y = axes_mm[0, 1] + slope_v * axes_mm[1, 1] + slope_u * axes_mm[2, 1]
    z = axes_mm[0, 2] + slope_v * axes_mm[1, 2] + slope_u * axes_mm[2, 2]
    return np.float32(np.sqrt(x * x + y * y + z * z))


@numba.njit(fastmath=True)
def _follow(planes: Voxels, start_v: float, slope_v: float, start_u: float, slope_u: float) -> Any:
    """Sum of the samples in all planes along a line: unchecked reading inside, checked at the edges."""
    count, size_v, size_u = planes.shape
    v0, dv, u0, du = np.float32(start_v), np.float32(slope_v), np.float32(start_u), np.float32(slope_u)
    begin_v, end_v = _planes_within(start_v, slope_v, -1.0, size_v, count)
    begin_u, end_u = _planes_within(start_u, slope_u, -1.0, size_u, count)
    begin, end = max(begin_v, begin_u), min(end_v, end_u)
    begin_v, end_v = _planes_within(start_v, slope_v, _MARGIN, size_v - 1 - _MARGIN, count)
    begin_u, end_u = _planes_within(start_u, slope_u, _MARGIN, size_u - 1 - _MARGIN, count)
    inner, outer = max(begin_v, begin_u), min(end_v, end_u)
    if inner >= outer:
        inner = outer = end
    total = np.float32(0)
    for plane in range(inner, outer):
        total += _sample_inside(planes, plane, v0 + np.float32(plane) * dv, u0 + np.float32(plane) * du)
    for plane in range(begin, inner):
        total += _sample(planes, plane, v0 + np.float32(plane) * dv, u0 + np.float32(plane) * du)
    for plane in range(outer, end):
        total += _sample(planes, plane, v0 + np.float32(plane) * dv, u0 + np.float32(plane) * du)
    return total


@numba.njit(inline="always")
def _planes_within(start: float, slope: float, low: float, high: float, count: int) -> tuple[int, int]:
    """First plane, and the one after the last, on which a line's coordinate lies between two bounds."""
    if low >= high or (slope == 0 and not low < start < high):
        return 0, 0
    if slope == 0:
        return 0, count
    first, last = (low - start) / slope, (high - start) / slope
    if first > last:
        first, last = last, first
    return int(min(max(np.ceil(first), 0), count)), int(min(max(np.floor(last) + 1, 0), count))


@numba.njit(fastmath=True, inline="always")
def _sample_inside(planes: Voxels, plane: int, v: Any, u: Any) -> Any:
    """Bilinear reading of a plane at (v, u), which must have four neighbours."""
    one = np.uint32(1)
    j, i = np.uint32(np.int32(v)), np.uint32(np.int32(u))
    down, right = v - np.float32(j), u - np.float32(i)
    upper, upper_right = np.float32(planes[plane, j, i]), np.float32(planes[plane, j, i + one])
    lower, lower_right = np.float32(planes[plane, j + one, i]), np.float32(planes[plane, j + one, i + one])
    upper += right * (upper_right - upper)
    lower += right * (lower_right - lower)
    return upper + down * (lower - upper)


@numba.njit(fastmath=True, inline="always")
def _sample(planes: Voxels, plane: int, v: Any, u: Any) -> Any:
    """Bilinear reading of a plane anywhere; 0 from one voxel outside on."""
    j, below, share_j, share_below = _neighbours(v, planes.shape[1])
    i, beside, share_i, share_beside = _neighbours(u, planes.shape[2])
    upper = share_i * planes[plane, j, i] + share_beside * planes[plane, j, beside]
    lower = share_i * planes[plane, below, i] + share_beside * planes[plane, below, beside]
    return np.float32(share_j * upper + share_below * lower)


@numba.njit(fastmath=True, inline="always")
def _neighbours(at: Any, count: int) -> tuple[int, int, Any, Any]:
    """The two voxels around a coordinate along one axis, and their shares of its value."""
    zero, one = np.float32(0), np.float32(1)
    index = min(max(int(np.floor(at)), 0), max(count - 2, 0))
    other = min(index + 1, count - 1)
    share = max(zero, one - abs(at - np.float32(index)))
    return index, other, share, max(zero, one - abs(at - np.float32(index + 1))) if other > index else zero


@compiled
def _add_blocks(
    planes: Voxels, rows_at: NDArray[np.float32], columns_at: NDArray[np.float32], lines: _Lines, result: Voxels
) -> None:
    """Integrals along all rays of an aligned detector, a block of its rows at a time."""
    rows, columns = result.shape
    for block in numba.prange((rows + _BLOCK_ROWS - 1) // _BLOCK_ROWS):
        top, bottom = block * _BLOCK_ROWS, min((block + 1) * _BLOCK_ROWS, rows)
        _add_block(planes, rows_at[:, top:bottom], columns_at, result[top:bottom])
        for row in range(top, bottom):
            for column in range(columns):
                result[row, column] *= _mm_per_plane(lines.axes_mm, rows_at[1, row], columns_at[1, column])


@numba.njit(fastmath=True)
def _add_block(planes: Voxels, rows_at: Voxels, columns_at: Voxels, sums: Voxels) -> None:
    """Sum of samples for a few rows of the detector: each plane first along its lines, then across them."""
    rows, columns = sums.shape
    read = np.empty((planes.shape[1], columns), np.float32)
    for plane in range(planes.shape[0]):
        v = rows_at[0] + np.float32(plane) * rows_at[1]
        lowest, _, _, _ = _neighbours(min(v[0], v[-1]), planes.shape[1])
        _, highest, _, _ = _neighbours(max(v[0], v[-1]), planes.shape[1])
        _read_lines(planes[plane, lowest : highest + 1], columns_at, plane, read)
        for row in range(rows):
            j, below, share_j, share_below = _neighbours(v[row], planes.shape[1])
            upper, lower = read[j - lowest], read[below - lowest]
            for column in range(columns):
                sums[row, column] += share_j * upper[column] + share_below * lower[column]


@numba.njit(fastmath=True)
def _read_lines(lines: Voxels, columns_at: Voxels, plane: int, read: Voxels) -> None:
    """Lines [v, u] of a plane, interpolated where the detector's columns cross them, to [v, column]."""
    columns = read.shape[1]
    first, second = np.empty(columns, np.int64), np.empty(columns, np.int64)
    near, far = np.empty(columns, np.float32), np.empty(columns, np.float32)
    for column in range(columns):
        u = columns_at[0, column] + np.float32(plane) * columns_at[1, column]
        first[column], second[column], near[column], far[column] = _neighbours(u, lines.shape[1])
    for line in range(lines.shape[0]):
        for column in range(columns):
            here, beside = np.float32(lines[line, first[column]]), np.float32(lines[line, second[column]])
            read[line, column] = near[column] * here + far[column] * beside
