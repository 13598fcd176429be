"""Local peaks of a map: one definition for the marks of free-response figures and for the nodules of a prediction."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.core.geometry import Floats
from hilum.ops.components import label_parts

_ASSUMED_MM = 0.7
"""A pixel's side where nobody knows millimetres: that of the published pairs."""


@dataclass(frozen=True)
class PeakRule:
    """What a peak is.

    Attributes:
        lowest: pixels below are none.
        apart_mm: a peak is the highest within this distance along each axis; equal ones that near are one.
        most: of more peaks than this the highest are taken; as many marks as LUNA16 takes of a scan.
    """

    lowest: float = 0.02
    apart_mm: float = 6.0
    most: int = 100

    def reach(self, spacing_mm: Sequence[float] | None, shape: Sequence[int]) -> tuple[int, ...]:
        """`apart_mm` in pixels along each axis: at least one, at most all; of .7 mm where there are no millimetres."""
        steps = (_ASSUMED_MM,) * len(shape) if spacing_mm is None else spacing_mm
        return tuple(max(1, min(round(self.apart_mm / step), size)) for step, size in zip(steps, shape, strict=True))


@dataclass(frozen=True, eq=False)
class Peaks:
    """Peaks of a map, the highest first; of equal ones the first in the array.

    Attributes:
        places: [n, 2 or 3] index along each axis.
        heights: [n] the map's value there.
    """

    places: NDArray[np.intp]
    heights: Floats


def peaks(values: Floats | NDArray[np.float32], spacing_mm: Sequence[float] | None, rule: PeakRule) -> Peaks:
    """Where a map is highest within a distance; a plateau is one peak, at its pixel nearest to its centroid.

    Args:
        values: [y, x] or [z, y, x].
        spacing_mm: step along each axis; None when nobody knows.
        rule: see there.

    Raises:
        GeometryError: the map is neither 2D nor 3D.
    """
    from scipy import ndimage

    reach = rule.reach(spacing_mm, values.shape)
    around = ndimage.maximum_filter(values, tuple(2 * n + 1 for n in reach))
    top = np.asarray((values == around) & (values >= rule.lowest))
    # Boxes of `reach` pixels around two pixels touch exactly when these lie within reach, and then they are equal.
    owner = label_parts(ndimage.maximum_filter(top, reach, mode="constant"))[top] - 1
    places = np.argwhere(top)[_middles(np.argwhere(top), owner)]
    heights = values[tuple(places.T)].astype(np.float64)
    first = np.ravel_multi_index(tuple(places.T), values.shape)
    order = np.lexsort((first, -heights))[: rule.most]
    return Peaks(places[order], heights[order])


def _middles(places: NDArray[np.intp], owner: NDArray[np.int32]) -> NDArray[np.intp]:
    """Of each owner's places the number of the one nearest to their mean, the first of several."""
    sizes = np.maximum(np.bincount(owner), 1)
    means = np.stack([np.bincount(owner, weights=axis) / sizes for axis in places.T], axis=1)
    away = ((places - means[owner]) ** 2).sum(axis=1).round(6)
    order = np.lexsort((away, owner))
    return np.asarray(order[np.unique(owner[order], return_index=True)[1]])
