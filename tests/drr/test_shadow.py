"""Shadows of shapes whose chords are known, in every view."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hilum.core import Geometry, Mask, UnitError, View, Volume
from hilum.drr.attenuation import attenuation_per_mm
from hilum.drr.chords import project_boxes
from hilum.drr.projection import Beam, Pose, Projection, Setup
from hilum.drr.shadow import background_hu, contribution, shadow_of
from hilum.drr.siddon import project_siddon
from tests.shapes import ellipsoid

GRID = Geometry.regular((50, 60, 70), (2.0, 1.0, 1.0), (-34.5, -29.5, -900))
CENTRE = GRID.to_lps_mm((24.3, 33.7, 40.2))
BALL = ellipsoid(GRID, CENTRE, (10, 10, 10))
VIEWS = [View.AP, View.PA, View.LATERAL, View.OBLIQUE]
POSE = Pose((4, -7, 9), (6, -3, 5))


@pytest.mark.parametrize("beam", Beam)
@pytest.mark.parametrize("view", VIEWS)
def test_many_rays_at_once_agree_with_one_by_one(beam, view):
    values = np.random.default_rng(6).normal(size=(6, 7, 5))
    block = Volume(values, GRID.crop((20, 30, 35), (6, 7, 5)))
    projection = Setup(view=view, beam=beam, pose=POSE, pixel_mm=1.3).projection(GRID)
    expected = project_siddon(block, projection)
    assert np.count_nonzero(expected) > 40
    assert_allclose(project_boxes(block, projection), expected, atol=1e-8)


def test_pieces_of_rays_make_the_same_picture(monkeypatch):
    block = Volume(BALL.astype(float), GRID)
    projection = Setup(beam=Beam.CONE, pixel_mm=1.5).projection(GRID)
    whole = project_boxes(block, projection)
    monkeypatch.setattr("hilum.drr.chords._AT_ONCE", 5000)
    np.testing.assert_array_equal(project_boxes(block, projection), whole)


def test_a_block_beside_the_detector_or_behind_the_source_casts_nothing():
    block = Volume(np.ones((3, 3, 3)), GRID.crop((0, 0, 0), (3, 3, 3)))
    beside = Projection((5, 5), (500, 0, 0), (0, 0, -1), (1, 0, 0), (0, 1, 0))
    assert not project_boxes(block, beside).any()
    behind = Projection((9, 9), (-40, 900, -895), (0, 0, -1), (1, 0, 0), (0, 1, 0), (-36, 200, -899))
    assert not project_boxes(block, behind).any()


@pytest.mark.parametrize("beam", Beam)
@pytest.mark.parametrize("view", VIEWS)
def test_a_nodule_of_known_size_and_place_lands_where_the_geometry_says(beam, view):
    """Within half a pixel; as wide as the ball, magnified; as thick as its diameter in the middle."""
    projection = Setup(view=view, beam=beam, pixel_mm=0.8, source_detector_mm=1200, source_patient_mm=1000, pose=POSE)
    projection = projection.projection(GRID)
    shadow = shadow_of(Mask.of(BALL, GRID), projection)
    rows, columns = np.nonzero(shadow.silhouette)
    found = np.array([rows.mean(), columns.mean()])
    said = projection.to_pixel(CENTRE)
    assert np.abs(found - said).max() < 0.5
    radius_px = 10 * float(projection.magnification(CENTRE)) / 0.8
    assert math.sqrt(len(rows) / math.pi) == pytest.approx(radius_px, rel=0.05)
    row, column = np.rint(said).astype(int)
    assert shadow.chord_mm[row, column] == pytest.approx(20, abs=2)
    inside_mm = (np.hypot(*(np.indices(shadow.chord_mm.shape) - said[:, None, None])) / radius_px) * 10
    chord_mm = 2 * np.sqrt(np.clip(10**2 - inside_mm**2, 0, None))
    assert np.abs(shadow.chord_mm - chord_mm)[inside_mm < 7].mean() < 0.7, "voxels of 1 × 1 × 2 mm"


def test_half_a_voxel_is_in_and_less_is_out():
    one = np.zeros(GRID.shape_zyx, dtype=bool)
    one[25, 30, 35] = True
    turn = math.radians(30)
    across = np.array([math.cos(turn), -math.sin(turn), 0])
    along = np.array([math.sin(turn), math.cos(turn), 0])
    start = GRID.to_lps_mm((25, 30, 35)) - 60 * along - across
    projection = Projection((1, 2001), start, (0, 0, -1), across / 1000, along)
    shadow = shadow_of(Mask.of(one, GRID), projection)
    assert (shadow.chord_mm[shadow.silhouette] >= 0.5 - 1e-6).all()
    assert (shadow.chord_mm[~shadow.silhouette] < 0.5).all()
    # a square's chord at 30°: a trapezoid; half a side is reached where the outer flank of .433 mm is down to .5 mm
    flank = 0.5 * math.sin(turn) * math.cos(turn)
    half_width = 0.5 * (math.cos(turn) + math.sin(turn)) - flank
    assert shadow.silhouette.sum() == pytest.approx(2000 * half_width, abs=4)
    assert shadow_of(Mask.of(one, GRID), projection, least_mm=0).silhouette.sum() > shadow.silhouette.sum()


def test_the_integral_over_a_parallel_shadow_is_the_volume():
    mask = Mask.of(BALL, GRID)
    for view in VIEWS:
        shadow = shadow_of(mask, Setup(view=view, pixel_mm=0.25).projection(GRID))
        assert shadow.chord_mm.sum() * 0.25**2 == pytest.approx(BALL.sum() * 2.0, rel=2e-3)


def test_a_contribution_is_tissue_less_the_lung_that_it_replaces():
    hu = np.where(BALL, 40, -860).astype(np.int16)
    hu[:, :3] = 30  # the chest wall, too far to be the nodule's background
    projection = Setup(pixel_mm=1.0).projection(GRID)
    mask = Mask.of(BALL, GRID)
    added = contribution(Volume(hu, GRID), mask, projection, 60)
    per_mm = float(attenuation_per_mm(40, 60) - attenuation_per_mm(-860, 60))
    assert_allclose(added, per_mm * shadow_of(mask, projection).chord_mm, atol=1e-6)


def test_a_mask_on_its_own_finer_grid_contributes_the_same():
    hu = np.full(GRID.shape_zyx, -860, np.int16)
    hu[15:35, 20:50, 30:60] = 40
    inner = ellipsoid(GRID, CENTRE, (8, 8, 8))
    fine = GRID.with_spacing((0.5, 0.5, 0.5))
    finer = ellipsoid(fine, CENTRE, (8, 8, 8))
    projection = Setup(pixel_mm=1.0).projection(GRID)
    coarse, better = (
        contribution(Volume(hu, GRID), mask, projection).sum() for mask in (Mask.of(inner, GRID), Mask.of(finer, fine))
    )
    assert better == pytest.approx(coarse, rel=0.02)


def test_background_is_the_lung_near_by_and_a_usual_one_where_there_is_none():
    hu = np.where(BALL, 40, -860).astype(np.int16)
    assert background_hu(Volume(hu, GRID), BALL) == -860
    assert background_hu(Volume(np.full(GRID.shape_zyx, 50, np.int16), GRID), BALL) == -850


def test_an_empty_mask_has_no_shadow_and_a_flat_one_no_place():
    projection = Setup(pixel_mm=2.0).projection(GRID)
    nothing = Mask.of(BALL & False, GRID)
    assert not shadow_of(nothing, projection).is_seen
    assert not contribution(Volume(np.full(GRID.shape_zyx, -900), GRID), nothing, projection).any()
    with pytest.raises(UnitError):
        shadow_of(Mask(np.ones((3, 3), np.uint8)), projection)
