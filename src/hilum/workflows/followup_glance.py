"""A nodule's own slice, cut from a CT on one axial grid for all dates, whatever the CTs' own grids are."""

import numpy as np

from hilum.core import Geometry, Mask, Volume
from hilum.core.geometry import Triple
from hilum.ops import resample_to
from hilum.report.growth import Glance

_STEP_MM = 0.5
LEAST_SIDE_MM, _MARGIN_MM = 50.0, 12.0


def side_for(diameters_mm: list[float]) -> float:
    """Of the square that shows a nodule at all dates: 50 mm, or more where it is larger."""
    return max([LEAST_SIDE_MM, *(one + 2 * _MARGIN_MM for one in diameters_mm)])


def glance(volume: Volume, centre_lps_mm: Triple, side_mm: float, words: str, mask: Mask | None = None) -> Glance:
    """The axial slice through a place, the patient's right on the left, the front on top.

    Args:
        volume: in HU.
        centre_lps_mm: the middle.
        side_mm: of the square.
        words: above it.
        mask: of the nodule, on any grid.
    """
    count = round(side_mm / _STEP_MM)
    x, y, z = centre_lps_mm
    start = -(count - 1) / 2 * _STEP_MM
    grid = Geometry.regular((1, count, count), (1.0, _STEP_MM, _STEP_MM), (x + start, y + start, z))
    hu = resample_to(volume, grid).array[0]
    shown = None if mask is None else np.asarray(resample_to(mask, grid).labels[0] > 0)
    return Glance(words, np.asarray(hu, dtype=np.float64), shown, (_STEP_MM, _STEP_MM))
