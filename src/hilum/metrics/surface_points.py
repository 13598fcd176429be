"""The points of a mask's surface, their areas, and the nearest point of another surface."""

import math
from enum import StrEnum
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.core.geometry import Floats
from hilum.core.mask import Selection

Indices = NDArray[np.int64]

_NEAR_STEPS = 8
"""Up to here the tree is asked; within 8 steps of a point, a surface has some 200 points."""
_POINTS_A_VOXEL = 50
"""Points of a tree that can be looked at in the time that a distance transform needs for one voxel (measured)."""
_VOXELS_A_POINT = 10
"""Voxels that a distance transform does in the time in which a tree finds one near point (measured)."""


class SurfaceRule(StrEnum):
    """What the surface of a mask is."""

    ELEMENTS = "elements"
    """Points between 2×2(×2) pixels that are not all alike, with the area that marching cubes puts there."""
    VOXELS = "voxels"
    """Centres of the mask's pixels with a face on the outside, each with weight 1."""


def surface_points(mask: Selection, spacing: Floats, rule: SurfaceRule) -> tuple[Indices, Floats]:
    """A mask's surface: points [n, axes] in steps of the grid, and their areas [n]."""
    box = _bounding_box(mask)
    if box is None:
        return np.empty((0, mask.ndim), dtype=np.int64), np.empty(0)
    padded = np.pad(mask[box], 1)
    first = np.array([part.start for part in box])
    if rule is SurfaceRule.VOXELS:
        points = np.argwhere(padded & ~_interior(padded)) + first
        return points, np.ones(len(points))
    codes = _codes(padded)
    # As unsigned bytes, 0 less 1 is 255: one comparison finds the codes that are neither all out nor all in.
    flat = np.flatnonzero((codes - np.uint8(1)).ravel() < 2**2**mask.ndim - 2)
    points = np.stack(np.unravel_index(flat, codes.shape), axis=1).astype(np.int64) + first
    return points, element_areas(spacing)[codes.ravel()[flat]]


def _bounding_box(mask: Selection) -> tuple[slice, ...] | None:
    """The smallest block that holds the mask, or None when it is empty; each axis is cut before the next is read."""
    box = [slice(0, length) for length in mask.shape]
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        found = np.flatnonzero(mask[tuple(box)].any(axis=others))
        if not len(found):
            return None
        box[axis] = slice(int(found[0]), int(found[-1]) + 1)
    return tuple(box)


def _interior(padded: Selection) -> Selection:
    """Pixels whose neighbours across every face are in the mask, too; `padded` has background on its rim."""
    inside = padded.copy()
    for axis in range(padded.ndim):
        inside &= np.roll(padded, 1, axis) & np.roll(padded, -1, axis)
    return inside


def _codes(padded: Selection) -> NDArray[np.uint8]:
    """Which of the 4 or 8 pixels around each corner are in the mask: bit 2^a is that of the neighbour along axis a."""
    codes = padded.view(np.uint8)
    for axis in range(padded.ndim):
        here = [slice(None)] * padded.ndim
        there = here.copy()
        here[axis], there[axis] = slice(None, -1), slice(1, None)
        codes = codes[tuple(here)] | (codes[tuple(there)] << np.uint8(2**axis))
    return codes


def element_areas(spacing: Floats) -> Floats:
    """The area (length in 2D) that belongs to each code, [16] or [256]."""
    across = spacing.prod() / spacing
    return np.asarray(np.linalg.norm(_normals(len(spacing)) * across, axis=2).sum(axis=1))


@cache
def _normals(ndim: int) -> Floats:
    """The pieces of surface of each code, [codes, pieces, axes]: normals as long as a piece is large on a unit grid.

    Marching cubes (Lorensen and Cline 1987) through the middle of the edges. Where the pixels on a face could be joined
    either way, those of the smaller party stay apart; a code and its complement so have the same surface. A code with
    few pieces is filled up with normals of length 0.
    """
    bits = 2 ** np.arange(2**ndim).reshape((2,) * ndim, order="F")
    full = 2**bits.size - 1
    pieces_of = _triangle_normals if ndim == 3 else _segment_normals
    normals = np.zeros((full + 1, 4 if ndim == 3 else 2, ndim))
    for code in range(1, full):
        smaller = code if code.bit_count() <= bits.size // 2 else full - code
        pieces = pieces_of((bits & smaller) > 0)
        normals[code, : len(pieces)] = pieces
    return normals


def _triangle_normals(cube: Selection) -> Floats:
    from skimage import measure

    marching_cubes: Any = measure.marching_cubes
    vertices, faces, _, _ = marching_cubes(cube.astype(np.float32), 0.5, method="lorensen")
    a, b, c = vertices.astype(np.float64)[faces.T]
    return np.asarray(np.cross(b - a, c - a) / 2)


def _segment_normals(square: Selection) -> Floats:
    """One or two single pixels are cut off across their corner; two neighbours by a line between the other two."""
    inside = np.argwhere(square)
    if len(inside) == 2 and np.abs(inside[0] - inside[1]).sum() == 1:
        return np.array([inside[0] == inside[1]], dtype=np.float64)
    return np.full((len(inside), 2), 0.5)


def nearest_mm(start: Indices, end: Indices, spacing: Floats) -> Floats:
    """From each point of one surface to the nearest of another, [n] mm; infinite when there is no other.

    Small or crumbly surfaces fill their box, and a distance transform of it is quickest; a large one is a few per cent
    of its box, and a search tree needs not visit the rest.

    Args:
        start: [n, axes] in steps of the grid.
        end: [m, axes].
        spacing: [axes] in mm.
    """
    if not (len(start) and len(end)):
        return np.full(len(start), math.inf)
    fills_box = _box_size(start, end) <= _VOXELS_A_POINT * len(start)
    found = (nearest_by_transform if fills_box else nearest_by_tree)(start, end, spacing)
    # From whole steps, not from rounded millimetres: equal shapes give equal numbers wherever they lie.
    return np.asarray(np.sqrt((((start - found) * spacing) ** 2).sum(axis=1)))


def nearest_by_tree(start: Indices, end: Indices, spacing: Floats) -> Indices:
    """The nearest of `end` for each of `start`, [n, axes], by a search tree on `end`.

    The tree answers for points near the other surface. Far from one that lies about equally far everywhere (a ball in a
    ball) it would have to look at all of it, and the transform takes over where that could be slower.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(end * spacing, balanced_tree=False)
    near_mm = _NEAR_STEPS * float(spacing.prod()) ** (1 / len(spacing))
    _, nearest = tree.query(start * spacing, distance_upper_bound=near_mm)
    far = np.flatnonzero(nearest == len(end))
    found = end[np.where(nearest == len(end), 0, nearest)]
    if len(far) * len(end) > _POINTS_A_VOXEL * _box_size(start[far], end):
        found[far] = nearest_by_transform(start[far], end, spacing)
    elif len(far):
        found[far] = end[tree.query(start[far] * spacing)[1]]
    return found


def nearest_by_transform(start: Indices, end: Indices, spacing: Floats) -> Indices:
    """The nearest of `end` for each of `start`, [n, axes], by an exact distance transform of the box around both."""
    from scipy.ndimage import distance_transform_edt

    first = np.minimum(start.min(axis=0), end.min(axis=0))
    outside = np.ones(np.maximum(start.max(axis=0), end.max(axis=0)) - first + 1, dtype=bool)
    outside[tuple((end - first).T)] = False
    indices = distance_transform_edt(outside, sampling=spacing, return_distances=False, return_indices=True)
    return np.asarray(indices[(slice(None), *(start - first).T)].T + first)


def _box_size(start: Indices, end: Indices) -> int:
    both = np.concatenate([start, end])
    return int((both.max(axis=0) - both.min(axis=0) + 1).prod())
