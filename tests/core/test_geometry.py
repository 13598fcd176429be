"""Where voxels are: there and back, whatever the axes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hilum.core import Geometry, GeometryError
from tests.shapes import rotated
from tests.strategies import geometries, spacings


@given(geometry=geometries(), index=st.tuples(*(st.floats(-50, 50) for _ in range(3))))
def test_index_to_patient_and_back(geometry, index):
    assert_allclose(geometry.to_index(geometry.to_lps_mm(index)), index, atol=1e-9)


@given(geometry=geometries())
def test_the_affine_says_where_voxels_are(geometry):
    k, j, i = (n - 1 for n in geometry.shape_zyx)
    expected = geometry.affine_lps @ (i, j, k, 1)
    assert_allclose(geometry.to_lps_mm((k, j, i)), expected[:3], atol=1e-9)
    assert_allclose(geometry.to_lps_mm((0, 0, 0)), geometry.origin_lps_mm)


@given(geometry=geometries())
def test_a_block_of_points_is_mapped_like_one_by_one(geometry):
    block = np.random.default_rng(0).uniform(-5, 5, (2, 4, 3))
    one_by_one = [[geometry.to_lps_mm(point) for point in row] for row in block]
    assert_allclose(geometry.to_lps_mm(block), one_by_one, atol=1e-9)


@given(geometry=geometries())
def test_a_voxel_is_as_large_as_its_steps(geometry):
    assert geometry.voxel_mm3 == pytest.approx(math.prod(geometry.spacing_zyx_mm))
    assert_allclose(geometry.size_zyx_mm, np.multiply(geometry.shape_zyx, geometry.spacing_zyx_mm))
    assert_allclose(geometry.directions.T @ geometry.directions, np.eye(3), atol=1e-9)


def test_a_sheared_voxel_has_the_volume_of_its_tilted_box():
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[1, 2] = 0.7  # gantry tilt: each slice is shifted to the back
    assert Geometry((4, 4, 4), affine).voxel_mm3 == pytest.approx(2.0)


@given(geometry=geometries(shape=(9, 10, 11)))
def test_cropping_leaves_every_voxel_where_it_is(geometry):
    block = geometry.crop((2, 3, 4), (3, 4, 5))
    assert block.shape_zyx == (3, 4, 5)
    assert_allclose(block.to_lps_mm((1, 1, 1)), geometry.to_lps_mm((3, 4, 5)), atol=1e-9)


@given(geometry=geometries(shape=(9, 10, 11)), spacing=spacings)
def test_other_steps_cover_the_same_extent_from_the_same_corner(geometry, spacing):
    finer = geometry.with_spacing(spacing)
    assert_allclose(finer.spacing_zyx_mm, spacing)
    assert_allclose(finer.to_lps_mm((-0.5, -0.5, -0.5)), geometry.to_lps_mm((-0.5, -0.5, -0.5)), atol=1e-6)
    excess = np.subtract(finer.size_zyx_mm, geometry.size_zyx_mm)
    assert (excess > -1e-4 * np.array(spacing)).all()
    assert (excess < np.array(spacing)).all()


@given(geometry=geometries(turned=False))
def test_axis_codes_name_where_the_axes_grow_to(geometry):
    signs = np.sign(np.diag(geometry.affine_lps)[:3])
    assert geometry.axis_codes == "".join(
        pair[int(sign > 0)] for pair, sign in zip(("RL", "AP", "IS"), signs, strict=True)
    )
    assert geometry.axial_axis == 0


def test_only_what_lies_in_the_voxels_is_contained():
    geometry = Geometry.regular((2, 2, 2), (1, 1, 1))
    assert geometry.contains([[0, 0, 0], [-0.5, 1.5, 0], [-0.51, 0, 0], [0, 0, 1.6]]).tolist() == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("shape", "affine", "said"),
    [
        ((0, 1, 1), np.eye(4), "three positive sizes"),
        ((1, 1), np.eye(4), "three positive sizes"),
        ((1, 1, 1), np.eye(3), "4×4"),
        ((1, 1, 1), np.diag([1, 1, np.nan, 1]), "finite"),
        ((1, 1, 1), np.diag([1, 1, 0, 1]), "longer than 0"),
        ((1, 1, 1), np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "apart"),
    ],
)
def test_impossible_grids_are_refused(shape, affine, said):
    with pytest.raises(GeometryError, match=said):
        Geometry(shape, affine)


def test_grids_that_differ_are_told_apart_and_the_way_out_is_said():
    grid = Geometry.regular((4, 5, 6), (2, 1, 1))
    grid.require_same_grid(Geometry.regular((4, 5, 6), (2, 1, 1), (0, 0, 5e-4)))
    with pytest.raises(GeometryError, match="resample_to"):
        grid.require_same_grid(Geometry.regular((4, 5, 7), (2, 1, 1)))
    with pytest.raises(GeometryError, match="mm apart"):
        grid.require_same_grid(rotated(grid, (0, 0, 0.1)))
    framed = [Geometry(grid.shape_zyx, grid.affine_lps, uid) for uid in ("1.2.3", "1.2.4")]
    with pytest.raises(GeometryError, match="frame of reference"):
        framed[0].require_same_grid(framed[1])
    framed[0].require_same_grid(grid)


def test_a_grid_can_not_be_changed_behind_its_back():
    affine = np.eye(4)
    grid = Geometry((1, 1, 1), affine)
    affine[0, 0] = 7
    assert grid.spacing_zyx_mm == (1, 1, 1)
    with pytest.raises(ValueError, match="read-only"):
        grid.affine_lps[0, 0] = 7
