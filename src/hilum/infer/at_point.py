"""What lies at a point: pixels or voxels near it, and the marked parts that reach them."""

from collections.abc import Sequence

import numpy as np

from hilum.core.mask import Selection
from hilum.ops import label_parts

NEAR_MM = 5.0
"""How far from the point the nodule may begin."""


def near(shape: Sequence[int], place: Sequence[float], step_mm: Sequence[float]) -> Selection:
    """Pixels [y, x] or voxels [z, y, x] within `NEAR_MM` of a place, or within a step where that is larger.

    Args:
        shape: of the grid.
        place: along the same axes, between pixels as it may be.
        step_mm: along each axis.
    """
    axes = np.ogrid[tuple(slice(size) for size in shape)]
    squares = sum(((axis - at) * step) ** 2 for axis, at, step in zip(axes, place, step_mm, strict=True))
    return np.asarray(squares <= max(NEAR_MM, *step_mm) ** 2)


def parts_at(marked: Selection, place: Sequence[float], step_mm: Sequence[float]) -> Selection:
    """The connected parts that come within `NEAR_MM` of a place; nothing where none does."""
    labels = label_parts(marked)
    reached = np.unique(labels[near(marked.shape, place, step_mm)])
    return np.asarray(np.isin(labels, reached[reached > 0]))
