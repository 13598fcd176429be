"""How large a nodule is, from its mask.

The rules, stated once:

- A voxel belongs to the nodule or not; its volume counts fully. Which voxels a reader's outline encloses is decided
  before (`hilum.ops.OutlineRule`).
- Lengths are taken on the largest axial slice: the slice across the foot–head axis with the largest area, the first of
  several equal ones. Of a slice's parts the largest connected one counts (pixels touching at a corner are connected).
- The edge runs midway between an inside pixel's centre and its outside neighbour's, so that a row of n pixels is n
  pixels long; it is the contour at half height that scikit-image's and pyradiomics' maximum diameters use. On digital
  discs of 2 to 10 pixels radius the long axis comes out .5 to .7 pixel too long (a maximum finds the pixel that sticks
  out), the short axis 0 to .3; between pixel centres they would be .2 to .4 and .6 to .9 too short.
- The long axis is the longest distance across that edge, the short axis the longest one perpendicular to it, both on
  the convex hull: a line may leave a notched nodule, as a reader's calliper does.
"""

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeAlias

import numpy as np

from hilum.core import Diameters, Geometry, GeometryError, MeasureError
from hilum.core.geometry import Floats, Triple
from hilum.core.mask import Selection
from hilum.ops import largest_part

Segment: TypeAlias = tuple[Triple, Triple]

MASS_MM = 30
"""What is longer is a mass, not a nodule (Fleischner glossary, Hansell 2008)."""
THICK_MM = 3.0
"""Slices farther apart show too little along z for a volume to be trusted; LUNA16 leaves such CTs out (Setio 2017)."""
_SLACK_MM = 1e-3
"""Files round positions."""


@dataclass(frozen=True)
class AxialAxes:
    """The two diameters on the largest axial slice.

    Attributes:
        long_mm: length of the long axis.
        short_mm: length of the longest diameter perpendicular to it.
        slice_index: the slice's index along the grid's axial axis.
        long_ends_lps_mm: where the long axis starts and ends.
        short_ends_lps_mm: where the short axis starts and ends.
    """

    long_mm: float
    short_mm: float
    slice_index: int
    long_ends_lps_mm: Segment
    short_ends_lps_mm: Segment


def is_thick(geometry: Geometry, thickness_mm: float = 0.0) -> bool:
    """Whether slices, whichever way they lie, are too far apart, or too thick, for a volume."""
    return max(*geometry.spacing_zyx_mm, thickness_mm) > THICK_MM + _SLACK_MM


def volume_mm3(nodule: Selection, geometry: Geometry) -> float:
    """Volume of the voxels of `nodule` [z, y, x], in mm³; 0 for none.

    Raises:
        GeometryError: the mask is not on this grid.
    """
    _require_grid(nodule, geometry)
    return int(np.count_nonzero(nodule)) * geometry.voxel_mm3


def equivalent_diameter_mm(volume: float) -> float:
    """Diameter in mm of the ball that has this volume in mm³: (6 V / π)^(1/3).

    Raises:
        MeasureError: the volume is not positive.
    """
    if volume <= 0:
        raise MeasureError(f"an equivalent diameter needs a positive volume, got {volume} mm³.")
    return math.cbrt(6 * volume / math.pi)


def disc_diameter_mm(area: float) -> float:
    """Diameter in mm of the disc that has this area in mm²: 2 √(A / π); 0 for none."""
    return 2 * math.sqrt(area / math.pi)


def centroid_lps_mm(nodule: Selection, geometry: Geometry) -> Triple:
    """Mean position of the voxels of `nodule` [z, y, x], in LPS mm. It may lie outside a curved nodule.

    Raises:
        MeasureError: the mask is empty.
    """
    _require_grid(nodule, geometry)
    _require_voxels(nodule)
    x, y, z = geometry.to_lps_mm(np.argwhere(nodule).mean(axis=0))
    return float(x), float(y), float(z)


def axial_axes(nodule: Selection, geometry: Geometry) -> AxialAxes:
    """Long and perpendicular short axis of `nodule` [z, y, x] on its largest axial slice, by the module's rules.

    Source: long axis and its perpendicular as in Bankier 2017 (Fleischner Society, measuring pulmonary nodules).

    Raises:
        MeasureError: the mask is empty.
    """
    _require_grid(nodule, geometry)
    _require_voxels(nodule)
    axis = geometry.axial_axis
    slice_index = int(np.moveaxis(nodule, axis, 0).sum(axis=(1, 2), dtype=np.int64).argmax())
    rows_columns = _edge_midpoints(largest_part(np.take(nodule, slice_index, axis=axis)))
    edge_lps_mm = geometry.to_lps_mm(np.insert(rows_columns, axis, slice_index, axis=1))
    plane = _in_plane_basis(edge_lps_mm)
    long_ends, short_ends = _long_and_short(edge_lps_mm @ plane)
    corner = edge_lps_mm[0] - (edge_lps_mm[0] @ plane) @ plane.T
    return AxialAxes(
        long_mm=_length(long_ends),
        short_mm=_length(short_ends),
        slice_index=slice_index,
        long_ends_lps_mm=_segment(long_ends @ plane.T + corner),
        short_ends_lps_mm=_segment(short_ends @ plane.T + corner),
    )


def diameters(nodule: Selection, geometry: Geometry) -> Diameters:
    """All lengths of `nodule` [z, y, x] in mm, by the module's rules.

    Raises:
        MeasureError: the mask is empty.
    """
    axes = axial_axes(nodule, geometry)
    short_mm = min(axes.short_mm, axes.long_mm)  # of a round one they differ by rounding alone, either way
    return Diameters(axes.long_mm, short_mm, equivalent_diameter_mm(volume_mm3(nodule, geometry)))


def fleischner_mm(mean_diameter_mm: float) -> int:
    """A mean diameter rounded to the whole millimetre, halves up, as the Fleischner guideline compares it.

    Source: MacMahon 2017, "Nodule size": the average of long and short axis, to the nearest whole millimetre.
    """
    return int(half_up(mean_diameter_mm))


def half_up(value: float, decimals: int = 0) -> float:
    """A value rounded to so many decimals, halves up, by its shortest decimal form: 5.45 to one decimal is 5.5.

    As a binary number 5.45 lies a little below it, so arithmetic on it would round what a person typed down.
    """
    return float(Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP))


def _require_grid(nodule: Selection, geometry: Geometry) -> None:
    if nodule.shape != geometry.shape_zyx:
        raise GeometryError(f"a mask of shape {nodule.shape} doesn't fit the grid {geometry.shape_zyx}.")


def _require_voxels(nodule: Selection) -> None:
    if not nodule.any():
        raise MeasureError("an empty mask has no size and no place; a nodule of at least one voxel was expected.")


def _edge_midpoints(region: Selection) -> Floats:
    """[n, 2] (row, column): halfway between each inside pixel and each of its four outside neighbours."""
    framed = np.pad(region, 1)
    inside = np.argwhere(framed)
    found = []
    for step in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        neighbours = inside + step
        outside = ~framed[neighbours[:, 0], neighbours[:, 1]]
        found.append(inside[outside] + np.array(step) / 2 - 1)
    return np.concatenate(found)


def _in_plane_basis(points_mm: Floats) -> Floats:
    """[3, 2]: two orthonormal vectors that span the plane in which the points lie."""
    _, _, axes = np.linalg.svd(points_mm - points_mm.mean(axis=0), full_matrices=False)
    return np.asarray(axes[:2].T)


def _long_and_short(points: Floats) -> tuple[Floats, Floats]:
    """Ends [2, 2] of the longest distance within a planar cloud, and of the longest chord perpendicular to it.

    Of several equally long ones the one with the longest perpendicular counts, so that turning the image by a right
    angle or mirroring it changes nothing.
    """
    from scipy.spatial import ConvexHull  # not above: a packed cache is read, and discs are measured, where scipy isn't

    hull = points[ConvexHull(points).vertices]
    apart = np.linalg.norm(hull[:, None] - hull[None], axis=2)
    candidates = np.argwhere(np.triu(apart >= apart.max() * (1 - 1e-9)))
    pairs = [(hull[[start, end]], _widest_chord(hull, start, end)) for start, end in candidates if start != end]
    return max(pairs, key=lambda pair: _length(pair[1]))


def _widest_chord(hull: Floats, start: int, end: int) -> Floats:
    """Ends [2, 2] of the longest chord of a convex polygon perpendicular to the line between two of its corners.

    Along that line the chord's length is concave and linear between corners, so one of the corners has the longest.
    """
    along = (hull[end] - hull[start]) / np.linalg.norm(hull[end] - hull[start])
    across = np.array([-along[1], along[0]])
    one_way = np.roll(hull, -start, axis=0)[: (end - start) % len(hull) + 1]
    back = np.roll(hull, -end, axis=0)[: (start - end) % len(hull) + 1][::-1]
    at = np.sort(hull @ along)
    sides = [np.interp(at, side @ along, side @ across) for side in (one_way, back)]
    widest = int(np.abs(sides[0] - sides[1]).argmax())
    return np.array([at[widest] * along + side[widest] * across for side in sides])


def _length(ends: Floats) -> float:
    return float(np.linalg.norm(ends[1] - ends[0]))


def _segment(ends: Floats) -> Segment:
    (x0, y0, z0), (x1, y1, z1) = ends.tolist()
    return (x0, y0, z0), (x1, y1, z1)
