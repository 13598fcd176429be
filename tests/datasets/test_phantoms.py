"""Drawn shapes have the size that they are said to have."""

import numpy as np
import pytest

from hilum.core import InputError
from hilum.datasets.phantoms import ball
from hilum.measure import centroid_lps_mm


def test_a_ball_has_its_volume():
    drawn = ball((3.0, -7.5, 11.0), 9.0)
    volume = drawn.labels.sum() * drawn.require_geometry().voxel_mm3
    assert volume == pytest.approx(np.pi / 6 * 9**3, rel=0.01)
    assert centroid_lps_mm(drawn.labels > 0, drawn.require_geometry()) == pytest.approx((3.0, -7.5, 11.0))
    with pytest.raises(InputError, match=r"from \.1 to 500 mm"):
        ball((0, 0, 0), 0)
