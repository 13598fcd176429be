"""Outlines to masks: the one place where a polygon becomes pixels (`definitions.md`, "Rasterising")."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hilum.core import Geometry, GeometryError, Mask, Outline
from hilum.core.geometry import Floats
from hilum.core.mask import Selection

_ON_EDGE_PX = 1e-9


class OutlineRule(StrEnum):
    """What the pixels under the line itself are."""

    CENTRE = "centre"
    """In when the pixel's centre is inside; of two neighbours, one gets a centre exactly on their line (RTSTRUCT)."""
    INSIDE = "inside"
    """Pixels on the line are out: LIDC's readers marked the first pixel outside the nodule. The default to measure."""
    OUTLINE = "outline"
    """Pixels on the line are in, as in the published DRR masks."""


def fill_polygon(points_xy: Floats, shape_yx: tuple[int, int], rule: OutlineRule) -> Selection:
    """Pixels [y, x] that belong to one closed polygon, by the even–odd rule.

    Args:
        points_xy: [n, 2] (column, row) in pixels; whole numbers are pixel centres.
        shape_yx: the image's size; what lies outside it is cut off.
        rule: what the pixels on the line are.
    """
    selection = np.zeros(shape_yx, dtype=bool)
    starts, ends = points_xy, np.roll(points_xy, -1, axis=0)
    first = max(0, int(np.ceil(points_xy[:, 1].min() - _ON_EDGE_PX)))
    last = min(shape_yx[0] - 1, int(np.floor(points_xy[:, 1].max() + _ON_EDGE_PX)))
    if first <= last:
        selection[first : last + 1] = _between_crossings(starts, ends, np.arange(first, last + 1), shape_yx[1])
    if rule is not OutlineRule.CENTRE:
        columns, rows = _pixels_on_line(starts, ends, shape_yx)
        selection[rows, columns] = rule is OutlineRule.OUTLINE
    return selection


def _between_crossings(starts: Floats, ends: Floats, rows: NDArray[np.intp], width: int) -> Selection:
    """Pixels [rows, width] with an odd number of crossings on their left, or on their centre."""
    crossed = (starts[:, 1] <= rows[:, None]) != (ends[:, 1] <= rows[:, None])
    row, edge = np.nonzero(crossed)
    (x0, y0), (x1, y1) = starts[edge].T, ends[edge].T
    crossings = x0 + (rows[row] - y0) * (x1 - x0) / (y1 - y0)
    columns = np.clip(np.ceil(crossings - _ON_EDGE_PX), 0, width).astype(np.intp)
    toggled = np.zeros((len(rows), width + 1), dtype=bool)
    np.logical_xor.at(toggled, (row, columns), True)
    return np.asarray(np.logical_xor.accumulate(toggled, axis=1)[:, :width])


def _pixels_on_line(
    starts: Floats, ends: Floats, shape_yx: tuple[int, int]
) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], ...]:
    """Columns and rows of the pixels whose centre lies on the polygon's line."""
    found: list[Floats] = [starts, ends]
    steps = np.abs(ends - starts).max(axis=1)
    for start, end in zip(starts[steps > 1], ends[steps > 1], strict=True):
        axis = int(np.abs(end - start).argmax())
        low, high = sorted((start[axis], end[axis]))
        along = np.arange(np.ceil(low), np.floor(high) + 1)
        share = (along - start[axis]) / (end[axis] - start[axis])
        found.append(start + share[:, None] * (end - start))
    points = np.concatenate(found)
    nearest = np.rint(points)
    exact = (np.abs(points - nearest) <= _ON_EDGE_PX).all(axis=1)
    inside = ((nearest >= 0) & (nearest < shape_yx[::-1])).all(axis=1)
    columns, rows = nearest[exact & inside].astype(np.intp).T
    return columns, rows


def rasterise(outlines: Iterable[Outline], geometry: Geometry, rule: OutlineRule = OutlineRule.INSIDE) -> Selection:
    """The voxels [z, y, x] that outlines on axial slices enclose.

    Several outlines on one slice are joined; holes are cut out afterwards. Under `INSIDE` a hole takes its line with
    it, under `OUTLINE` the line of a hole stays in.

    Args:
        outlines: polygons in pixels of the grid's slices, placed by `z_mm`.
        geometry: an axial grid whose rows and columns are those that the outlines were drawn on.
        rule: what the pixels on the line are.

    Raises:
        GeometryError: the grid's slices are not axial, or an outline lies on none of them.
    """
    selection = np.zeros(geometry.shape_zyx, dtype=bool)
    drawn = list(outlines)
    shape_yx = geometry.shape_zyx[1:]
    for is_hole in (False, True):
        chosen = [outline for outline in drawn if outline.is_hole is is_hole]
        for k, outline in zip(slice_indices([o.z_mm for o in chosen], geometry), chosen, strict=True):
            if is_hole:
                hole_rule = OutlineRule.OUTLINE if rule is OutlineRule.INSIDE else OutlineRule.INSIDE
                cut = fill_polygon(outline.points_xy, shape_yx, rule if rule is OutlineRule.CENTRE else hole_rule)
                selection[k] &= ~cut
            else:
                selection[k] |= fill_polygon(outline.points_xy, shape_yx, rule)
    return selection


def slice_indices(z_mm: Sequence[float], geometry: Geometry) -> list[int]:
    """Which slice k of an axial grid lies at each z.

    Raises:
        GeometryError: the slices are not axial, or there is none within half a slice distance of a z.
    """
    if np.abs(geometry.affine_lps[2, :2]).max() > 1e-4 * abs(geometry.affine_lps[2, 2]):
        raise GeometryError("outlines on axial slices need a grid with axial slices; these are tilted or turned.")
    indices = (np.asarray(z_mm, dtype=np.float64) - geometry.affine_lps[2, 3]) / geometry.affine_lps[2, 2]
    nearest = np.rint(indices).astype(int)
    missed = (np.abs(indices - nearest) > 0.5 - 1e-3) | (nearest < 0) | (nearest >= geometry.shape_zyx[0])
    if missed.any():
        low, high = np.sort(geometry.corners_lps_mm()[[0, -1], 2])
        z = z_mm[int(missed.argmax())]
        raise GeometryError(f"an outline lies at z {z:g} mm, and no slice does: they span {low:g} to {high:g} mm.")
    return [int(k) for k in nearest]


def mask_from_outlines(
    outlines: Iterable[Outline], geometry: Geometry, rule: OutlineRule = OutlineRule.INSIDE, name: str = "nodule"
) -> Mask:
    """`rasterise` as a `Mask` with one label."""
    return Mask.of(rasterise(outlines, geometry, rule), geometry, name)
