"""Masks grown and shrunk by millimetres, whatever the size of a pixel along each axis."""

from collections.abc import Sequence

import numpy as np

from hilum.core.geometry import Floats
from hilum.core.mask import Selection


def grown(mask: Selection, radius_mm: float, steps_mm: Sequence[float] | Floats) -> Selection:
    """Dilated with a disc or ball: all pixels whose centres are no farther than the radius from one of the mask.

    Args:
        mask: of any number of axes.
        radius_mm: of the disc or ball.
        steps_mm: from pixel to pixel along each axis of the mask.
    """
    steps = np.asarray(steps_mm, dtype=np.float64)
    axes = [np.arange(-far, far + 1) for far in (radius_mm / steps).astype(int)]
    shifts = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    result = np.zeros_like(mask)
    for shift in shifts[np.sqrt(((shifts * steps) ** 2).sum(axis=1)) <= radius_mm]:
        to, since = zip(*map(_overlap, shift, mask.shape), strict=True)
        result[to] |= mask[since]
    return result


def shrunk(mask: Selection, radius_mm: float, steps_mm: Sequence[float] | Floats) -> Selection:
    """Eroded with a disc or ball; the ends of the image are not the ends of what it shows. Arguments as `grown`."""
    return ~grown(~mask, radius_mm, steps_mm)


def _overlap(shift: int, size: int) -> tuple[slice, slice]:
    """Where a shifted axis falls on itself, and what falls there."""
    return slice(max(shift, 0), max(size + min(shift, 0), 0)), slice(max(-shift, 0), max(size - max(shift, 0), 0))
