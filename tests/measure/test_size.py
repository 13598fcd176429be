"""Sizes of shapes whose size is known, with scikit-image as the oracle."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.spatial.distance import pdist
from skimage.measure import find_contours, label, regionprops

from hilum.core import Geometry, GeometryError, MeasureError
from hilum.measure import (
    axial_axes,
    centroid_lps_mm,
    diameters,
    disc_diameter_mm,
    equivalent_diameter_mm,
    fleischner_mm,
    volume_mm3,
)
from tests.shapes import ellipsoid, rotated

offsets = st.floats(-0.5, 0.5)


def test_a_digital_ball_of_4_mm_at_half_a_millimetre_has_its_volume():
    geometry = Geometry.regular((25, 25, 25), (0.5, 0.5, 0.5))
    ball = ellipsoid(geometry, centre_mm=(6, 6, 6), radii_mm=(4, 4, 4))
    assert volume_mm3(ball, geometry) == pytest.approx(4 / 3 * math.pi * 4**3, rel=0.02)


@given(x=offsets, y=offsets, z=offsets, radius=st.floats(3, 8))
def test_a_ball_has_its_diameters_wherever_it_lies(x, y, z, radius):
    geometry = Geometry.regular((42, 42, 42), (0.5, 0.5, 0.5), (-10.25, -10.25, -10.25))
    found = diameters(ellipsoid(geometry, (x, y, z), (radius, radius, radius)), geometry)
    assert found.long_axis_mm == pytest.approx(2 * radius, abs=0.5)
    assert found.short_axis_mm == pytest.approx(2 * radius, abs=0.5)
    assert found.equivalent_mm == pytest.approx(2 * radius, rel=0.02)


@pytest.mark.parametrize(("smallest", "largest"), [(2, 3), (3, 5), (5, 10)])
def test_the_bias_on_discs_is_the_documented_one(smallest, largest):
    geometry = Geometry.regular((1, 40, 40), (1, 1, 1))
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(200):
        radius, (x, y) = rng.uniform(smallest, largest), rng.uniform(18, 20, 2)
        found = axial_axes(ellipsoid(geometry, (x, y, 0), (radius, radius, 1)), geometry)
        errors.append((found.long_mm - 2 * radius, found.short_mm - 2 * radius))
    long_bias, short_bias = np.mean(errors, axis=0)
    assert 0.45 < long_bias < 0.75
    assert -0.05 < short_bias < 0.35


@pytest.mark.parametrize("spacing_zyx_mm", [(1, 1, 1), (2.5, 0.7, 0.7), (1, 0.5, 0.8)])
def test_a_box_of_pixels_is_as_long_as_its_pixels(spacing_zyx_mm):
    geometry = Geometry.regular((5, 30, 30), spacing_zyx_mm)
    line = np.zeros(geometry.shape_zyx, dtype=bool)
    line[2, 10, 4:24] = True
    found = axial_axes(line, geometry)
    assert found.long_mm == pytest.approx(20 * spacing_zyx_mm[2])
    assert found.short_mm == pytest.approx(spacing_zyx_mm[1])
    assert found.slice_index == 2
    assert_allclose(found.long_ends_lps_mm[0][2], 2 * spacing_zyx_mm[0])


def test_one_voxel_has_a_size():
    geometry = Geometry.regular((3, 3, 3), (2, 1, 1))
    one = np.zeros((3, 3, 3), dtype=bool)
    one[1, 1, 1] = True
    assert diameters(one, geometry).long_axis_mm == pytest.approx(1)
    assert volume_mm3(one, geometry) == 2


@given(turn=st.floats(0, math.pi), longer=st.floats(1.15, 3))
def test_an_ellipse_has_its_axes_however_it_is_turned(turn, longer):
    geometry = Geometry.regular((1, 81, 81), (1, 0.5, 0.5), (-20, -20, 0))
    half_long, half_short = 5 * longer, 5.0
    x, y, _ = np.moveaxis(geometry.to_lps_mm(np.moveaxis(np.indices(geometry.shape_zyx), 0, -1)), -1, 0)
    along, across = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    found = axial_axes((along / half_long) ** 2 + (across / half_short) ** 2 <= 1, geometry)
    assert found.long_mm == pytest.approx(2 * half_long, abs=0.5)
    assert found.short_mm == pytest.approx(2 * half_short, abs=0.6)
    assert_allclose(np.linalg.norm(np.subtract(*found.long_ends_lps_mm)), found.long_mm)
    assert_allclose(np.dot(np.subtract(*found.long_ends_lps_mm), np.subtract(*found.short_ends_lps_mm)), 0, atol=1e-9)


@given(seed=st.integers(0, 10_000))
def test_mirroring_and_turning_by_a_right_angle_change_nothing(seed):
    rng = np.random.default_rng(seed)
    blob = rng.random((3, 12, 12)) < 0.4
    blob[1, 5, 5] = True
    geometry = Geometry.regular((3, 12, 12), (1, 0.7, 0.7))
    expected = axial_axes(blob, geometry)
    for other in (blob[:, ::-1], blob[:, :, ::-1], np.rot90(blob, axes=(1, 2))):
        found = axial_axes(other, geometry)
        assert_allclose((found.long_mm, found.short_mm), (expected.long_mm, expected.short_mm))


@given(seed=st.integers(0, 10_000))
def test_the_long_axis_spans_the_contour_at_half_height_of_scikit_image(seed):
    rng = np.random.default_rng(seed)
    region = rng.random((1, 15, 15)) < 0.6
    region[0, 7, 7] = True
    geometry = Geometry.regular((1, 15, 15), (1, 1, 1))
    parts = regionprops(label(region[0].astype(np.uint8), connectivity=2))
    largest = max(parts, key=lambda part: (part.area, -part.label))
    contour = np.concatenate(find_contours(np.pad(largest.image_filled, 1).astype(float), 0.5))
    assert axial_axes(region, geometry).long_mm == pytest.approx(pdist(contour).max())


def test_a_turned_grid_measures_the_same_nodule_the_same():
    straight = Geometry.regular((20, 30, 30), (2, 0.6, 0.6), (-9, -9, -20))
    nodule = ellipsoid(straight, (0, 0, 0), (6, 4, 5))
    turned = rotated(straight, degrees=(20, -35, 50))
    assert volume_mm3(nodule, turned) == pytest.approx(volume_mm3(nodule, straight))
    assert_allclose(axial_axes(nodule, turned).long_mm, axial_axes(nodule, straight).long_mm)


def test_the_largest_slice_is_axial_also_when_the_array_is_stored_sagittally():
    axial = Geometry.regular((20, 30, 40), (2, 0.6, 0.6))
    nodule = ellipsoid(axial, (12, 9, 20), (7, 3, 9))
    affine = np.array(axial.affine_lps)[:, [2, 1, 0, 3]]
    sagittal = Geometry((40, 30, 20), affine)
    expected, found = axial_axes(nodule, axial), axial_axes(nodule.transpose(2, 1, 0), sagittal)
    assert_allclose((found.long_mm, found.short_mm), (expected.long_mm, expected.short_mm))
    assert found.slice_index == expected.slice_index
    assert_allclose(centroid_lps_mm(nodule.transpose(2, 1, 0), sagittal), centroid_lps_mm(nodule, axial))


def test_only_the_largest_part_of_a_slice_counts():
    geometry = Geometry.regular((1, 40, 40), (1, 1, 1))
    region = np.zeros((1, 40, 40), dtype=bool)
    region[0, 5:11, 5:11] = True
    alone = axial_axes(region, geometry)
    region[0, 30, 30] = True
    assert axial_axes(region, geometry).long_mm == alone.long_mm


def test_the_centroid_is_in_patient_millimetres():
    geometry = Geometry.regular((10, 10, 10), (2, 1, 0.5), (100, -50, 7))
    block = np.zeros((10, 10, 10), dtype=bool)
    block[2:5, 3:6, 4:7] = True
    assert centroid_lps_mm(block, geometry) == pytest.approx((100 + 5 * 0.5, -50 + 4, 7 + 3 * 2))


def test_emptiness_and_foreign_grids_are_refused():
    geometry = Geometry.regular((3, 3, 3), (1, 1, 1))
    empty = np.zeros((3, 3, 3), dtype=bool)
    assert volume_mm3(empty, geometry) == 0
    for measure in (axial_axes, centroid_lps_mm, diameters):
        with pytest.raises(MeasureError, match="at least one voxel"):
            measure(empty, geometry)
        with pytest.raises(GeometryError, match="doesn't fit"):
            measure(empty[:2], geometry)
    with pytest.raises(MeasureError, match="positive volume"):
        equivalent_diameter_mm(0)


def test_a_disc_of_pixels_has_its_diameter():
    rows, columns = np.indices((101, 101)) - 50
    count = int((rows**2 + columns**2 <= 40**2).sum())
    assert disc_diameter_mm(count * 0.5**2) == pytest.approx(40, rel=0.01)
    assert disc_diameter_mm(0) == 0


def test_fleischner_rounds_to_the_whole_millimetre_halves_up():
    assert [fleischner_mm(d) for d in (5.49, 5.5, 6.5, 7.99)] == [5, 6, 7, 8]


def test_the_short_axis_is_never_the_longer_one_not_even_by_rounding():
    """Of discs both are the same length, found on other points: guidelines compare their mean with the long axis."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        step = float(rng.uniform(0.5, 0.9))
        grid = Geometry.regular((3, 31, 31), (1.0, step, step), tuple(rng.uniform(-99, 99, 3)))
        disc = np.zeros(grid.shape_zyx, bool)
        disc[1] = np.hypot(*(np.indices((31, 31)) - 15)) < rng.uniform(2, 14)
        found = diameters(disc, grid)
        assert found.short_axis_mm <= found.mean_mm <= found.long_axis_mm
