"""Chords that are known, a unit impulse, and the plain projector as the oracle."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hilum.core import Geometry, GeometryError, Quantity, View, Volume
from hilum.drr.joseph import project_joseph, project_joseph_plain
from hilum.drr.projection import Beam, Pose, Setup
from hilum.drr.siddon import project_siddon
from tests.shapes import rotated

POSES = [
    Setup(),
    Setup(beam=Beam.CONE, source_detector_mm=900, source_patient_mm=700),
    Setup(
        view=View.PA, beam=Beam.CONE, pose=Pose((5, -4, 8), (3, 2, -5)), source_detector_mm=900, source_patient_mm=700
    ),
    Setup(view=View.LATERAL, pose=Pose((0, 0, 3))),
    Setup(view=View.OBLIQUE, oblique_deg=45, beam=Beam.CONE),
]


def smooth_blob(geometry, sigma_mm=9.0):
    points = geometry.to_lps_mm(np.moveaxis(np.indices(geometry.shape_zyx), 0, -1))
    middle = geometry.to_lps_mm((np.array(geometry.shape_zyx) - 1) / 2)
    values = np.exp(-((points - middle) ** 2).sum(axis=-1) / (2 * sigma_mm**2))
    return Volume(values.astype(np.float32), geometry, Quantity.ATTENUATION)


def partial_ellipsoid(geometry, radii_mm, over=5):
    """The share of every voxel that lies within an ellipsoid around the grid's middle, by sub-voxels."""
    steps = (np.arange(over) + 0.5) / over - 0.5
    middle = geometry.to_lps_mm((np.array(geometry.shape_zyx) - 1) / 2)
    index = np.moveaxis(np.indices(geometry.shape_zyx), 0, -1)
    inside = np.zeros(geometry.shape_zyx)
    for offset in np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3):
        inside += (((geometry.to_lps_mm(index + offset) - middle) / radii_mm) ** 2).sum(axis=-1) <= 1
    return Volume((inside / over**3).astype(np.float32), geometry, Quantity.ATTENUATION)


def ellipsoid_chords_mm(projection, middle, radii_mm):
    """Length of each pixel's ray within an ellipsoid, from the quadratic formula."""
    rows, columns = projection.shape_yx
    starts, directions = projection.rays(np.moveaxis(np.indices((rows, columns)), 0, -1))
    p, d = (starts - middle) / radii_mm, directions / radii_mm
    a, b, c = (d * d).sum(axis=-1), (p * d).sum(axis=-1), (p * p).sum(axis=-1) - 1
    return 2 * np.sqrt(np.maximum(b * b - a * c, 0)) / a


@pytest.mark.parametrize("setup", POSES)
def test_a_box_casts_its_exact_chord_in_the_reference(setup):
    geometry = Geometry.regular((10, 12, 14), (2.5, 1.5, 1.0), (20, -30, 100))
    box = Volume(np.ones(geometry.shape_zyx), geometry, Quantity.ATTENUATION)
    projection = setup.projection(geometry)
    rows, columns = projection.shape_yx
    starts, directions = projection.rays(np.moveaxis(np.indices((rows, columns)), 0, -1))
    low, high = geometry.to_lps_mm((-0.5, -0.5, -0.5)), geometry.to_lps_mm(np.array(geometry.shape_zyx) - 0.5)
    with np.errstate(divide="ignore"):
        first, second = (low - starts) / directions, (high - starts) / directions
    expected = np.maximum(np.maximum(first, second).min(axis=-1) - np.minimum(first, second).max(axis=-1), 0)
    assert expected.max() > 14
    assert_allclose(project_siddon(box, projection), expected, rtol=1e-6, atol=1e-9)


ELLIPSOID_MM = np.array([26.0, 22.0, 28.0])


@pytest.fixture(scope="module")
def ellipsoid():
    return partial_ellipsoid(Geometry.regular((64, 64, 64), (1, 1, 1)), ELLIPSOID_MM)


def chord_errors(project, volume, setup):
    """(projected − exact chord) / longest chord, for the rays that are well inside."""
    projection = setup.projection(volume.geometry)
    chords = ellipsoid_chords_mm(projection, volume.geometry.to_lps_mm((31.5, 31.5, 31.5)), ELLIPSOID_MM)
    errors = (project(volume, projection) - chords) / chords.max()
    return errors[chords > 0.5 * chords.max()]


TURNED = Pose((7, 5, 11))


@pytest.mark.parametrize("beam", Beam)
@pytest.mark.parametrize("pose", [Pose(), TURNED])
@pytest.mark.parametrize("project", [project_joseph, project_joseph_plain])
def test_a_partial_volume_ellipsoid_at_1_mm_casts_its_chord(project, beam, pose, ellipsoid):
    errors = chord_errors(project, ellipsoid, Setup(beam=beam, pixel_mm=3.7, pose=pose))
    assert len(errors) > 90
    assert np.abs(errors).mean() <= 0.002
    assert np.abs(errors).max() <= 0.006


def test_boxes_cast_the_chord_through_their_centres_and_elsewhere_on_average(ellipsoid):
    through_centres = chord_errors(project_siddon, ellipsoid, Setup(pixel_mm=3.0, shape_yx=(22, 22)))
    assert np.abs(through_centres).mean() <= 0.002
    anywhere = chord_errors(project_siddon, ellipsoid, Setup(beam=Beam.CONE, pixel_mm=3.7, pose=TURNED))
    assert abs(anywhere.mean()) <= 0.002
    assert np.abs(anywhere).mean() > 0.002, "interpolation is the better projector, not only the faster one"


@pytest.mark.parametrize("beam", Beam)
@pytest.mark.parametrize("project", [project_siddon, project_joseph])
@pytest.mark.parametrize("view", [View.AP, View.LATERAL])
def test_a_unit_impulse_integrates_to_its_volume(project, beam, view):
    geometry = Geometry.regular((9, 9, 9), (2.0, 1.2, 0.9))
    array = np.zeros(geometry.shape_zyx, dtype=np.float32)
    array[4, 5, 3] = 1
    impulse = Volume(array, geometry, Quantity.ATTENUATION)
    projection = Setup(view=view, beam=beam, pixel_mm=0.05, shape_yx=(160, 160)).projection(geometry)
    place = geometry.to_lps_mm((4, 5, 3))
    expected = geometry.voxel_mm3 * float(projection.magnification(place)) ** 2
    total = float(project(impulse, projection).sum(dtype=np.float64)) * math.prod(projection.pixel_mm)
    assert total == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("setup", POSES)
@pytest.mark.parametrize("flip", [(1, 1, 1), (1, -1, 1), (-1, 1, -1)])
def test_the_fast_projector_agrees_with_its_plain_twin_and_with_exact_path_lengths(setup, flip):
    affine = np.diag([*flip, 1]) @ Geometry.regular((30, 50, 40), (2.0, 1.0, 1.2), (5, 6, 7)).affine_lps
    volume = smooth_blob(Geometry((30, 50, 40), affine))
    projection = replace(setup, pixel_mm=3.0).projection(volume.geometry)
    fast = project_joseph(volume, projection)
    assert_allclose(fast, project_joseph_plain(volume, projection), rtol=2e-4, atol=1e-3)


@pytest.mark.parametrize("setup", POSES)
def test_the_fast_projector_agrees_with_exact_path_lengths(setup):
    """Boxes and interpolation differ ray by ray by up to half a voxel, so both are averaged over 3 × 3 voxels."""
    volume = smooth_blob(Geometry.regular((44, 48, 46), (1, 1, 1), (5, 6, 7)), sigma_mm=8)
    projection = replace(setup, pixel_mm=0.5, shape_yx=(60, 60)).projection(volume.geometry)
    fast, exact = (
        project(volume, projection).reshape(10, 6, 10, 6).mean(axis=(1, 3))
        for project in (project_joseph, project_siddon)
    )
    assert np.abs(fast - exact).mean() < 0.003 * exact.max()
    assert np.abs(fast - exact).max() < 0.01 * exact.max()


def test_both_loop_orders_give_the_same_for_any_memory_layout():
    volume = smooth_blob(Geometry.regular((20, 24, 28), (1.5, 1.0, 1.0)))
    other = Volume(np.asfortranarray(volume.array), volume.geometry, volume.quantity)
    for view in (View.AP, View.LATERAL):
        projection = Setup(view=view, beam=Beam.CONE).projection(volume.geometry)
        assert_allclose(project_joseph(other, projection), project_joseph(volume, projection), rtol=1e-4, atol=1e-5)


NEARLY_STRAIGHT = Pose((1e-4, 0, 1e-4))


@pytest.mark.parametrize("beam", Beam)
@pytest.mark.parametrize("view", [View.AP, View.PA, View.LATERAL])
def test_the_shorter_ways_of_aligned_beams_give_what_following_each_ray_gives(view, beam):
    """A turn far below a voxel takes the way for any rays, and changes nothing else."""
    volume = smooth_blob(Geometry.regular((30, 50, 40), (2.0, 1.0, 1.2), (5, 6, 7)))
    room = Setup(view=view, beam=beam, pixel_mm=0.8, source_detector_mm=900, source_patient_mm=700)
    room = replace(room, shape_yx=(75, 65))
    straight = project_joseph(volume, room.projection(volume.geometry))
    turned = project_joseph(volume, replace(room, pose=NEARLY_STRAIGHT).projection(volume.geometry))
    assert_allclose(straight, turned, atol=1e-3)


@pytest.mark.parametrize("pose", [Pose(), Pose((4, -6, 9))])
@pytest.mark.parametrize("beam", Beam)
@pytest.mark.parametrize("shape", [(1, 9, 7), (8, 1, 7), (8, 9, 1), (2, 2, 2)])
def test_thin_volumes_and_whole_numbers_are_projected_alike(shape, beam, pose):
    array = np.random.default_rng(4).integers(-300, 900, shape).astype(np.int16)
    volume = Volume(array, Geometry.regular(shape, (2.0, 1.0, 1.2)))
    for view in (View.AP, View.LATERAL):
        projection = Setup(view=view, beam=beam, pose=pose, pixel_mm=0.4).projection(volume.geometry)
        assert_allclose(project_joseph(volume, projection), project_joseph_plain(volume, projection), atol=1.0)


def test_rays_of_one_cone_may_follow_different_axes():
    volume = smooth_blob(Geometry.regular((40, 12, 40), (1, 1, 1)))
    room = Setup(beam=Beam.CONE, source_detector_mm=40, source_patient_mm=10, pixel_mm=4.0, shape_yx=(40, 40))
    for pose in (Pose(), Pose((10, 0, 20))):
        projection = replace(room, pose=pose).projection(volume.geometry)
        assert_allclose(project_joseph(volume, projection), project_joseph_plain(volume, projection), atol=1e-3)


@settings(max_examples=15)
@given(turn=st.tuples(*(st.floats(-40, 40) for _ in range(3))))
@pytest.mark.parametrize("project", [project_siddon, project_joseph])
def test_turning_the_patient_is_turning_the_grid_the_other_way(project, turn):
    geometry = Geometry.regular((8, 9, 10), (2, 1.5, 1), (-4.5, -6, -7))
    rng = np.random.default_rng(3)
    array = rng.random(geometry.shape_zyx).astype(np.float32)
    posed = Setup(pose=Pose(turn), pixel_mm=2.0, shape_yx=(12, 12)).projection(geometry)
    turned = Setup(pixel_mm=2.0, shape_yx=(12, 12)).projection(rotated(geometry, turn))
    first = project(Volume(array, geometry, Quantity.ATTENUATION), posed)
    second = project(Volume(array, rotated(geometry, turn), Quantity.ATTENUATION), turned)
    assert_allclose(first, second, rtol=2e-3, atol=2e-3)


def test_the_integral_does_not_depend_on_the_voxel_size():
    coarse = Geometry.regular((20, 20, 20), (2, 2, 2))
    values = smooth_blob(coarse, 12.0)
    finer = Volume(
        values.array.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2),
        coarse.with_spacing((1, 1, 1)),
        values.quantity,
    )
    projection = Setup(pixel_mm=4.0).projection(coarse)
    assert_allclose(project_siddon(finer, projection), project_siddon(values, projection), rtol=1e-9)


def test_a_pose_that_misses_the_patient_is_refused():
    geometry = Geometry.regular((10, 10, 10), (1, 1, 1))
    for setup in (
        Setup(pose=Pose(shift_mm=(500, 0, 0)), shape_yx=(64, 64)),
        Setup(beam=Beam.CONE, source_patient_mm=2),
    ):
        with pytest.raises(GeometryError, match=r"miss the volume|within the volume"):
            setup.projection(geometry)
