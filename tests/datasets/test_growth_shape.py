"""A growing nodule: its volume is exact at every size and place, its margin is the scan's."""

import math

import numpy as np
import pytest

from hilum.core import Geometry, InputError
from hilum.datasets.growth_shape import Scanner, ball, drawn, growable
from tests.datasets.test_inserted3d import cube

BLUNT = Scanner(sigma_mm=0.7)
TEN_MM = math.pi / 6 * 1000
PLACES = [(0.0, 0.0, 0.0), (0.31, -0.17, 1.13)]


def grid(steps=(2.5, 0.7, 0.7), size_mm=36):
    shape = tuple(round(size_mm / step) for step in steps)
    origin = tuple(-(n - 1) / 2 * step for n, step in zip(shape, steps, strict=True))[::-1]
    return Geometry.regular(shape, steps, origin)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("steps", [(2.5, 0.7, 0.7), (1.0, 0.7, 0.7)])
@pytest.mark.parametrize("volume", [113.0, TEN_MM, 1.25 * TEN_MM])
def test_what_is_drawn_has_the_volume_that_was_asked_for(volume, steps, place):
    there = drawn(ball(), volume, place, grid(steps), BLUNT)
    assert there is not None
    for share in (there.filled, there.covered):
        assert share.sum(dtype=np.float64) * there.grid.voxel_mm3 == pytest.approx(volume, rel=0.005)


def test_an_ellipsoid_and_a_real_nodule_are_exact_too():
    real = growable(cube(radii=(6.0, 5.0, 4.0), size=25))
    for nodule in (ball(axes=(1, 1.25, 0.8)), real):
        there = drawn(nodule, TEN_MM, PLACES[1], grid(), BLUNT)
        assert there is not None
        assert there.covered.sum(dtype=np.float64) * there.grid.voxel_mm3 == pytest.approx(TEN_MM, rel=0.005)


def test_a_balls_own_volume_is_that_of_its_diameter():
    assert ball(diameter_mm=10.0).own_mm3 == pytest.approx(TEN_MM, rel=0.01)


def test_axes_are_those_of_the_surface():
    assert ball(diameter_mm=10.0).axes_mm == pytest.approx((10.0, 10.0), abs=0.12)
    long_mm, short_mm = ball(axes=(1.0, 1.25, 0.8), diameter_mm=10.0).axes_mm
    assert (long_mm, short_mm) == pytest.approx((12.5, 10.0), abs=0.15)


def test_the_margin_is_as_sharp_as_the_scan_whatever_the_size():
    def sigma(volume, blur):
        """Of the derivative across the margin; a voxel and the steps of the drawing blunt it as well."""
        there = drawn(ball(), volume, (0, 0, 0), grid((1.0, 0.35, 0.35)), Scanner(blur))
        assert there is not None
        line = there.filled[there.filled.shape[0] // 2, there.filled.shape[1] // 2]
        half = -np.diff(line[len(line) // 2 :])
        at = np.arange(len(half)) * 0.35
        middle = (half * at).sum() / half.sum()
        return math.sqrt((half * (at - middle) ** 2).sum() / half.sum())

    small, large = (sigma(volume, 0.7) for volume in (TEN_MM, 3 * TEN_MM))
    assert small == pytest.approx(large, rel=0.06)
    assert small == pytest.approx(0.7, rel=0.15)
    assert sigma(TEN_MM, 1.1) > 1.4 * small


def test_the_mask_has_the_volume_to_half_a_voxel():
    there = drawn(ball(), TEN_MM, PLACES[1], grid(), BLUNT)
    assert there is not None
    assert there.mask.sum() * there.grid.voxel_mm3 == pytest.approx(TEN_MM, abs=0.51 * there.grid.voxel_mm3 + 2)


def test_ground_glass_fills_less_air_than_a_solid_nodule():
    shares = []
    for texture in ("ground-glass", "part-solid", "solid"):
        there = drawn(ball(texture), TEN_MM, (0, 0, 0), grid(), BLUNT)
        assert there is not None
        shares.append(float(there.filled.sum()))
    assert shares == sorted(shares)
    with pytest.raises(InputError, match="Textures"):
        ball("wooden")


def test_a_nodule_outside_of_the_ct_is_not_drawn():
    assert drawn(ball(), TEN_MM, (500.0, 0.0, 0.0), grid(), BLUNT) is None
    with pytest.raises(InputError, match="positive"):
        drawn(ball(), 0.0, (0, 0, 0), grid(), BLUNT)
