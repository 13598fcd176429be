"""Shapes whose size and place are known, drawn on grids of their own."""

import numpy as np

from hilum.core import Geometry, InputError, Mask
from hilum.core.geometry import Triple

_STEPS_ACROSS = 24
"""Voxels along the diameter of a drawn ball: its volume comes out within 1 %."""


def ball(centre_lps_mm: Triple, diameter_mm: float) -> Mask:
    """A ball on a fine grid of its own.

    Raises:
        InputError: the diameter is not from .1 to 500 mm.
    """
    if not 0.1 <= diameter_mm <= 500:
        raise InputError(f"a nodule's diameter is from .1 to 500 mm, got {diameter_mm:g}.")
    step, count = diameter_mm / _STEPS_ACROSS, _STEPS_ACROSS + 2
    x, y, z = (float(part) - step * (count - 1) / 2 for part in centre_lps_mm)
    grid = Geometry.regular((count, count, count), (step, step, step), (x, y, z))
    points = grid.to_lps_mm(np.moveaxis(np.indices(grid.shape_zyx), 0, -1))
    return Mask.of(np.linalg.norm(points - centre_lps_mm, axis=-1) <= diameter_mm / 2, grid)
