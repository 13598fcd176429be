"""How far two surfaces are apart, in mm: Hausdorff, average and robust distance, surface Dice at a tolerance.

A surface is a set of points with areas (in 2D, of contour points with lengths). Each point's distance is that to the
nearest point of the other surface; every figure here is a statistic of those distances, weighted by area, so that a
surface that the grid happens to sample densely doesn't count for more (Nikolov 2021, "Clinically applicable
segmentation of head and neck anatomy", supplementary methods).

What other packages call by the same names:

- DeepMind's surface-distance: the definitions here under `SurfaceRule.ELEMENTS`. Its average distance is a pair, one
  for each direction (`SurfaceDistances.directed_average_mm`), and what it calls infinite is NaN here.
- MONAI: voxel centres of the boundary, each counted once (`SurfaceRule.VOXELS`); its percentile interpolates between
  two distances, the one here is a distance that occurs; its normalised surface Dice counts boundary voxels unless asked
  for subvoxels.
- SimpleITK's HausdorffDistanceImageFilter measures between all voxels of the sets, not between the surfaces: a disk and
  the ring around it are a radius apart there, and one step here.
- medpy's hd95 is the percentile of both directions together: `robust_surface_distance_mm`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hilum.core import GeometryError
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.metrics.overlap import require_pair
from hilum.metrics.surface_points import SurfaceRule, nearest_mm, surface_points

_SAME_MM = 1e-9
"""Distances are products of spacings, so 3 × .1 mm must still be within a tolerance of .3 mm."""


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances of two surfaces from each other; infinite where the other surface doesn't exist.

    Attributes:
        pred_mm: [n], from each point of the prediction's surface to the truth's.
        pred_area: [n], mm² (mm in 2D, a number of voxels under `SurfaceRule.VOXELS`).
        truth_mm: [m], from each point of the truth's surface to the prediction's.
        truth_area: [m].
    """

    pred_mm: Floats
    pred_area: Floats
    truth_mm: Floats
    truth_area: Floats

    @property
    def defined(self) -> bool:
        """Whether both surfaces exist; a distance from nothing, or to nothing, is no number of millimetres."""
        return bool(len(self.pred_mm) and len(self.truth_mm))

    @cached_property
    def both(self) -> tuple[Floats, Floats]:
        """Distances and areas of both surfaces together."""
        return np.concatenate([self.pred_mm, self.truth_mm]), np.concatenate([self.pred_area, self.truth_area])

    @property
    def directed_average_mm(self) -> tuple[float, float]:
        """Area-weighted mean from prediction to truth, and from truth to prediction; NaN when one is empty."""
        if not self.defined:
            return math.nan, math.nan
        return (
            float(np.average(self.pred_mm, weights=self.pred_area)),
            float(np.average(self.truth_mm, weights=self.truth_area)),
        )


def surface_distances(
    pred: Selection, truth: Selection, spacing_mm: Sequence[float], rule: SurfaceRule = SurfaceRule.ELEMENTS
) -> SurfaceDistances:
    """Distances between the surfaces of two masks, on which all figures below are statistics.

    Outside the image is background, so a mask that touches the border has its surface there.

    Args:
        pred: [z, y, x] or [y, x].
        truth: the same shape.
        spacing_mm: step along each axis of the array.
        rule: what the surface is.

    Raises:
        GeometryError: the shapes differ, are not 2D or 3D, or the spacing doesn't fit them.
        InputError: a mask is not boolean.
    """
    require_pair(pred, truth)
    spacing = _spacing(spacing_mm, pred.ndim)
    points, areas = zip(*(surface_points(mask, spacing, rule) for mask in (pred, truth)), strict=True)
    return SurfaceDistances(
        nearest_mm(points[0], points[1], spacing), areas[0], nearest_mm(points[1], points[0], spacing), areas[1]
    )


def hausdorff_mm(distances: SurfaceDistances, percent: float = 100) -> float:
    """The larger of both directed percentiles: 100 the Hausdorff distance (Huttenlocher 1993), 95 the usual robust one.

    A percentile is the smallest distance within which that share of the surface's area lies. NaN when a mask is empty:
    infinity would make every mean infinite, so the case is counted instead, and Dice and surface Dice hold it as 0.
    """
    if not distances.defined:
        return math.nan
    return max(
        _percentile(distances.pred_mm, distances.pred_area, percent),
        _percentile(distances.truth_mm, distances.truth_area, percent),
    )


def average_surface_distance_mm(distances: SurfaceDistances) -> float:
    """Mean distance over the area of both surfaces (ASSD; Heimann 2009, section II-C); NaN when a mask is empty."""
    if not distances.defined:
        return math.nan
    mm, area = distances.both
    return float(np.average(mm, weights=area))


def robust_surface_distance_mm(distances: SurfaceDistances, percent: float = 95) -> float:
    """The percentile over the area of both surfaces together; never above `hausdorff_mm` at the same percentage.

    One bad direction can hide behind a good one here; `hausdorff_mm` keeps the worse of the two. NaN when a mask is
    empty.
    """
    return _percentile(*distances.both, percent) if distances.defined else math.nan


def surface_dice(distances: SurfaceDistances, tolerance_mm: float, *, if_both_empty: float = math.nan) -> float:
    """Share of both surfaces' area that lies within a tolerance of the other (normalised surface Dice; Nikolov 2021).

    A distance equal to the tolerance is within it. 0 when one mask is empty: none of the surface has a counterpart.
    """
    mm, area = distances.both
    total = float(area.sum())
    return float(area[mm <= tolerance_mm + _SAME_MM].sum()) / total if total else if_both_empty


def _percentile(mm: Floats, area: Floats, percent: float) -> float:
    order = np.argsort(mm)
    within = np.cumsum(area[order])
    # Sums of areas are rounded: a share that is reached but for that is reached.
    reached = np.searchsorted(within, within[-1] * (percent / 100 - 1e-12))
    return float(mm[order[min(int(reached), len(mm) - 1)]])


def _spacing(spacing_mm: Sequence[float], ndim: int) -> Floats:
    spacing = np.asarray(spacing_mm, dtype=np.float64)
    if ndim not in (2, 3) or spacing.shape != (ndim,) or not (np.isfinite(spacing) & (spacing > 0)).all():
        raise GeometryError(
            f"surfaces need masks in 2D or 3D and one positive spacing for each axis, got {ndim} axes and {spacing_mm}."
        )
    return spacing
