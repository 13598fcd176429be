"""A field that is linear in space comes back exactly; a grid there and back is itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hilum.core import Geometry, Mask, Quantity, Volume
from hilum.measure import volume_mm3
from hilum.ops import Interpolation, resample_to
from tests.shapes import ellipsoid, rotated
from tests.strategies import flips, geometries


def linear_field(geometry):
    """A volume whose value is a linear function of the place in the patient."""
    points = geometry.to_lps_mm(np.moveaxis(np.indices(geometry.shape_zyx), 0, -1))
    return Volume((points @ (3.0, -2.0, 0.5) + 40).astype(np.float32), geometry, Quantity.DISPLAY)


@settings(max_examples=30)
@given(geometry=geometries(shape=(12, 13, 14)))
def test_a_grid_to_itself_is_itself(geometry):
    volume = linear_field(geometry)
    assert_allclose(resample_to(volume, geometry).array, volume.array, rtol=1e-5, atol=1e-2)


@settings(max_examples=30)
@given(turn=st.tuples(*(st.floats(-30, 30) for _ in range(3))), flip=flips, shear=st.floats(-0.3, 0.3))
def test_a_linear_field_is_read_exactly_on_any_grid_and_back(turn, flip, shear):
    source = Geometry.regular((24, 26, 28), (2.0, 1.1, 0.9), (-12, -14, -24))
    affine = np.diag([*flip, 1]) @ np.diag([1.3, 0.8, 1.7, 1])
    affine[1, 2] = shear
    inner = rotated(Geometry((6, 6, 6), affine), turn)
    moved = np.array(inner.affine_lps)
    moved[:3, 3] -= inner.to_lps_mm((2.5, 2.5, 2.5))
    target = Geometry((6, 6, 6), moved)
    assert source.contains(target.corners_lps_mm()).all()
    there = resample_to(linear_field(source), target)
    assert_allclose(there.array, linear_field(target).array, atol=2e-3)
    back = resample_to(there, target.crop((1, 1, 1), (4, 4, 4)))
    assert_allclose(back.array, there.array[1:5, 1:5, 1:5], atol=1e-3)


@given(flip=flips)
def test_reordered_axes_are_read_bit_for_bit_there_and_back(flip):
    rng = np.random.default_rng(1)
    geometry = Geometry.regular((5, 6, 7), (2.5, 0.7, 0.7), (10, -20, 30))
    volume = Volume(rng.integers(-1024, 3000, geometry.shape_zyx).astype(np.int16), geometry)
    affine = geometry.affine_lps @ np.diag([*flip, 1])
    affine[:3, 3] = geometry.to_lps_mm([(n - 1) * (sign < 0) for n, sign in zip((5, 6, 7), flip[::-1], strict=True)])
    other = Geometry(geometry.shape_zyx, affine)
    there = resample_to(volume, other, Interpolation.NEAREST)
    steps = tuple(slice(None, None, sign) for sign in flip[::-1])
    assert_array_equal(there.array, volume.array[steps])
    assert there.array.dtype == np.int16
    assert_array_equal(resample_to(there, geometry, Interpolation.NEAREST).array, volume.array)


def test_a_ball_keeps_its_volume_on_a_turned_finer_grid():
    geometry = Geometry.regular((40, 60, 60), (1.0, 0.6, 0.6), (-18, -18, -20))
    ball = Mask.of(ellipsoid(geometry, (0, 0, 0), (9, 9, 9)), geometry)
    finer = rotated(geometry.with_spacing((0.5, 0.5, 0.5)), (10, 20, 30))
    moved = resample_to(ball, finer)
    assert moved.names == ball.names
    assert volume_mm3(moved.select(1), finer) == pytest.approx(volume_mm3(ball.select(1), geometry), rel=0.01)


def test_a_smooth_bump_is_read_better_by_cubic_than_by_linear():
    geometry = Geometry.regular((21, 21, 21), (1, 1, 1), (-10, -10, -10))
    finer = Geometry.regular((9, 9, 9), (0.5, 0.5, 0.5), (-2, -2, -2))

    def bump(grid):
        points = grid.to_lps_mm(np.moveaxis(np.indices(grid.shape_zyx), 0, -1))
        return Volume(np.exp(-(points**2).sum(axis=-1) / 8).astype(np.float32), grid, Quantity.DISPLAY)

    errors = {
        way: np.abs(resample_to(bump(geometry), finer, way).array - bump(finer).array).max()
        for way in (Interpolation.LINEAR, Interpolation.CUBIC)
    }
    assert errors[Interpolation.CUBIC] < 0.1 * errors[Interpolation.LINEAR]


def test_outside_is_air_in_hu_and_nothing_elsewhere():
    geometry = Geometry.regular((3, 3, 3), (1, 1, 1))
    far = Geometry.regular((2, 2, 2), (1, 1, 1), (50, 50, 50))
    ones = np.ones((3, 3, 3), np.int16)
    assert (resample_to(Volume(ones, geometry), far).array == -1024).all()
    assert (resample_to(Volume(ones, geometry, Quantity.ATTENUATION), far).array == 0).all()
    assert not resample_to(Mask.of(ones == 1, geometry), far).labels.any()
