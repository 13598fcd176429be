"""The same place at each date, whatever the grid."""

import numpy as np
import pytest

from hilum.core import Geometry, Mask, Volume
from hilum.workflows.followup_glance import glance, side_for
from tests.shapes import ellipsoid, rotated

PLACE = (12.0, -7.0, 20.0)


def seen(grid):
    ball = ellipsoid(grid, PLACE, (8, 8, 8))
    hu = np.where(ball, 50, -850).astype(np.int16)
    return glance(Volume(hu, grid), PLACE, 50.0, "now", Mask.of(ball, grid))


@pytest.mark.parametrize(
    "grid",
    [
        Geometry.regular((60, 90, 90), (1.0, 1.0, 1.0), (-30.0, -50.0, -10.0)),
        Geometry.regular((30, 120, 110), (2.0, 0.7, 0.8), (-30.0, -50.0, -10.0)),
        rotated(Geometry.regular((90, 110, 110), (1.0, 1.0, 1.0), (-40.0, -60.0, -25.0)), (0, 0, 20)),
    ],
)
def test_a_ball_is_a_disc_in_the_middle_on_every_grid(grid):
    found = seen(grid)
    assert found.hu.shape == found.mask.shape == (100, 100)
    assert found.mask.sum() * 0.25 == pytest.approx(np.pi * 8**2, rel=0.06)
    np.testing.assert_allclose(np.argwhere(found.mask).mean(axis=0), 49.5, atol=1.5)
    assert found.hu[found.mask].mean() > -150
    assert found.hu[~found.mask].mean() < -750


def test_the_square_grows_with_the_nodule():
    assert side_for([5.0, 8.0]) == 50
    assert side_for([5.0, 40.0]) == 64


def test_beyond_the_ct_there_is_air():
    grid = Geometry.regular((10, 20, 20), (1.0, 1.0, 1.0))
    found = glance(Volume(np.zeros(grid.shape_zyx, np.int16), grid), (0.0, 0.0, 5.0), 30.0, "now")
    assert found.mask is None
    assert found.hu.min() == -1024
    assert found.hu.max() == 0
