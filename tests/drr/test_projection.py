"""A point in the patient, its pixel, and the ray back to it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hilum.core import Geometry, GeometryError, Quantity, View, Volume
from hilum.drr.joseph import project_joseph
from hilum.drr.projection import DETECTOR_MARGIN_MM, Beam, Pose, Projection, Setup

GRID = Geometry.regular((60, 80, 70), (2.5, 1.0, 1.1), (-40, 20, -900))
views = st.sampled_from([View.AP, View.PA, View.LATERAL, View.OBLIQUE])
setups = st.builds(
    Setup,
    view=views,
    beam=st.sampled_from(Beam),
    pose=st.builds(
        Pose, st.tuples(*(st.floats(-30, 30) for _ in range(3))), st.tuples(*(st.floats(-20, 20) for _ in range(3)))
    ),
    oblique_deg=st.floats(-60, 60),
    pixel_mm=st.floats(0.3, 2),
)
shares = st.tuples(*(st.floats(0, 1) for _ in range(3)))


@given(setups, shares)
def test_the_ray_of_a_points_pixel_goes_through_the_point(setup, share):
    projection = setup.projection(GRID)
    point = GRID.to_lps_mm(np.array(share) * (np.array(GRID.shape_zyx) - 1))
    start, direction = projection.rays(projection.to_pixel(point))
    away = point - start
    assert np.linalg.norm(away - (away @ direction) * direction) < 1e-6
    on_detector = projection.to_lps_mm(projection.to_pixel(point))
    assert (on_detector - point) @ direction > 0, "the detector is behind the patient"


@given(setups, shares)
def test_the_matrix_says_the_same_as_to_pixel(setup, share):
    projection = setup.projection(GRID)
    point = GRID.to_lps_mm(np.array(share) * (np.array(GRID.shape_zyx) - 1))
    column, row, scale = projection.matrix @ (*point, 1)
    assert_allclose((row / scale, column / scale), projection.to_pixel(point), atol=1e-6)


@given(setups)
def test_the_detector_holds_the_whole_volume(setup):
    projection = setup.projection(GRID)
    pixels = projection.to_pixel(GRID.corners_lps_mm())
    assert (pixels > -0.5).all()
    assert (pixels < np.array(projection.shape_yx) - 0.5).all()


@pytest.mark.parametrize("beam", Beam)
@pytest.mark.parametrize(
    ("view", "right_of_picture"),
    [(View.AP, (1, 0, 0)), (View.PA, (1, 0, 0)), (View.LATERAL, (0, 1, 0))],
)
def test_heads_are_up_and_sides_are_where_they_belong(beam, view, right_of_picture):
    projection = Setup(view=view, beam=beam).projection(GRID)
    middle = GRID.to_lps_mm((29.5, 39.5, 34.5))
    row, column = projection.to_pixel(middle)
    assert projection.to_pixel(middle + (0, 0, 10))[0] < row - 5
    assert projection.to_pixel(middle + 10 * np.array(right_of_picture))[1] > column + 5
    assert_allclose((row, column), (np.array(projection.shape_yx) - 1) / 2, atol=1e-9)


def test_a_cone_magnifies_by_the_ratio_of_distances():
    setup = Setup(beam=Beam.CONE, source_detector_mm=1800, source_patient_mm=1500, pixel_mm=0.5)
    projection = setup.projection(GRID)
    middle = GRID.to_lps_mm((29.5, 39.5, 34.5))
    assert projection.magnification(middle) == pytest.approx(1.2)
    apart = projection.to_pixel(middle + (5, 0, 0)) - projection.to_pixel(middle - (5, 0, 0))
    assert_allclose(apart * 0.5, (0, 12), atol=1e-9)
    nearer_the_source = middle - (0, 50, 0)
    assert projection.magnification(nearer_the_source) > 1.2


@pytest.mark.parametrize("beam", Beam)
@pytest.mark.parametrize("view", [View.AP, View.PA, View.LATERAL, View.OBLIQUE])
def test_a_ball_lands_on_the_pixel_that_the_geometry_says(beam, view):
    place = GRID.to_lps_mm((41.3, 25.7, 50.2))
    points = GRID.to_lps_mm(np.moveaxis(np.indices(GRID.shape_zyx), 0, -1))
    ball = Volume(np.exp(-((points - place) ** 2).sum(axis=-1) / 18).astype(np.float32), GRID, Quantity.ATTENUATION)
    projection = Setup(view=view, beam=beam, pixel_mm=0.9, pose=Pose((3, -5, 8), (4, 0, -6))).projection(GRID)
    shadow = project_joseph(ball, projection).astype(np.float64)
    found = np.array([(shadow * grid).sum() for grid in np.indices(shadow.shape)]) / shadow.sum()
    assert np.linalg.norm(found - projection.to_pixel(place)) < 0.5


def test_behind_the_source_there_is_no_pixel():
    projection = Setup(beam=Beam.CONE, source_detector_mm=1000, source_patient_mm=500).projection(GRID)
    assert np.isnan(projection.to_pixel(projection.source_lps_mm - (0, 10, 0))).all()


@pytest.mark.parametrize("beam", Beam)
def test_a_moderate_shift_stays_whole_a_far_one_is_cut_and_a_huge_one_refused(beam):
    def shadow(shift_mm):
        projection = Setup(beam=beam, pose=Pose(shift_mm=(shift_mm, 0, 0)), pixel_mm=1.0).projection(GRID)
        columns = projection.to_pixel(GRID.corners_lps_mm())[:, 1]
        return projection.shape_yx, bool((columns < projection.shape_yx[1] - 0.5).all())

    (rows, columns), _ = shadow(0)
    (same_rows, wider), is_whole = shadow(40)
    assert (same_rows, is_whole) == (rows, True)
    assert 80 <= wider - columns <= 100
    (_, far), is_whole = shadow(60)
    assert not is_whole
    assert far <= columns + 2 * DETECTOR_MARGIN_MM + 1
    for axis in (0, 2):
        shift_mm = [0.0, 0.0, 0.0]
        shift_mm[axis] = 5000.0
        with pytest.raises(GeometryError, match="the rays miss the volume"):
            Setup(beam=beam, pose=Pose(shift_mm=tuple(shift_mm))).projection(GRID)


def test_behind_the_source_is_a_miss():
    behind = Setup(beam=Beam.CONE, pose=Pose(shift_mm=(0, -5000, 0)))
    for setup in (behind, replace(behind, shape_yx=(50, 50))):
        with pytest.raises(GeometryError, match="behind the X-ray source"):
            setup.projection(GRID)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e300])
def test_numbers_that_no_room_has_are_refused(number):
    made = [
        lambda: Pose((number, 0, 0)) if not np.isfinite(number) else Pose((0, 0, 0), (number, 0, 0)),
        lambda: Pose((0, 0, 0), (0, number, 0)),
        lambda: Setup(oblique_deg=number) if not np.isfinite(number) else Setup(pixel_mm=number),
        lambda: Setup(pixel_mm=number),
        lambda: Setup(source_detector_mm=number),
        lambda: Setup(source_patient_mm=number),
    ]
    for make in made:
        with pytest.raises(GeometryError):
            make()


def test_a_detector_without_end_is_refused():
    for setup in (Setup(pixel_mm=1e-5), Setup(beam=Beam.CONE, pixel_mm=1e-3)):
        with pytest.raises(GeometryError, match="20,000 a side at most") as caught:
            setup.projection(GRID)
        assert "--pixel-mm" in caught.value.remedy
    with pytest.raises(GeometryError, match="20,000 a side at most"):
        Setup(shape_yx=(10, 20_001))


def test_impossible_rooms_are_refused():
    with pytest.raises(GeometryError, match="between source and detector"):
        Setup(source_patient_mm=1800)
    with pytest.raises(GeometryError, match="positive side"):
        Setup(pixel_mm=0)
    with pytest.raises(GeometryError, match="a view is one of"):
        Setup(view=View.UNKNOWN).projection(GRID)
    with pytest.raises(GeometryError, match="no area"):
        Projection((5, 5), (0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0))
    with pytest.raises(GeometryError, match="at least one pixel"):
        Projection((0, 5), (0, 0, 0), (0, 0, 1), (1, 0, 0), (0, 1, 0))
