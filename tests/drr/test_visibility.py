"""Contrast to noise, overlap and visibility on pictures whose answers are known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core import Geometry, Mask, View
from hilum.drr.projection import Beam, Setup
from hilum.drr.visibility import LEAST_RING, against_ring, organ_shadows, overlaps
from hilum.drr.visibility_score import visibility

ROWS, COLUMNS = np.indices((120, 130))
DISC = np.hypot(ROWS - 60, COLUMNS - 65) <= 9
NOISE = np.random.default_rng(8).normal(0, 0.2, DISC.shape)
PIXEL = (0.5, 0.5)


def test_contrast_over_noise():
    stand = against_ring(3 + 0.5 * DISC + NOISE, DISC, PIXEL)
    assert stand.contrast == pytest.approx(0.5, abs=0.05)
    assert stand.noise == pytest.approx(0.2, rel=0.1)
    assert stand.contrast_to_noise == pytest.approx(2.5, rel=0.15)


def test_a_slope_is_neither_contrast_nor_noise():
    flat, tilted = (
        against_ring(0.5 * DISC + NOISE + slope * COLUMNS - slope * ROWS, DISC, PIXEL) for slope in (0, 0.05)
    )
    assert tilted.contrast == pytest.approx(flat.contrast, abs=1e-9)
    assert tilted.noise == pytest.approx(flat.noise, abs=1e-9)


def test_only_the_ring_counts():
    away_mm = (np.hypot(ROWS - 60, COLUMNS - 65) - 9) * 0.5
    picture = 0.5 * DISC + NOISE
    changed = picture + 100.0 * ((away_mm > 6.6) | ((away_mm > 0.1) & (away_mm < 1.5)))
    assert against_ring(changed, DISC, PIXEL) == against_ring(picture, DISC, PIXEL)


def test_neighbours_are_no_background():
    other = np.hypot(ROWS - 60, COLUMNS - 83) <= 6
    picture = 0.5 * (DISC | other) + NOISE
    alone = against_ring(0.5 * DISC + NOISE, DISC, PIXEL)
    assert against_ring(picture, DISC, PIXEL, other).contrast == pytest.approx(alone.contrast, abs=0.05)
    assert against_ring(picture, DISC, PIXEL).noise > 1.1 * alone.noise


def test_ratio_and_signs_follow_the_picture():
    picture = 0.5 * DISC + NOISE
    plain, scaled, negative = (against_ring(one, DISC, PIXEL) for one in (picture, 7 * picture + 3, -picture))
    assert scaled.contrast_to_noise == pytest.approx(plain.contrast_to_noise)
    assert negative.contrast_to_noise == pytest.approx(-plain.contrast_to_noise)


def test_what_cant_be_known_is_nan():
    assert math.isnan(against_ring(NOISE, DISC & False, PIXEL).contrast_to_noise)
    assert math.isnan(against_ring(NOISE, DISC, PIXEL, ~DISC).contrast_to_noise)
    assert math.isnan(against_ring(NOISE * 0, DISC, PIXEL).contrast_to_noise)
    crowded = np.ones_like(DISC)
    assert LEAST_RING > 3
    assert math.isnan(against_ring(NOISE, crowded, PIXEL).noise)


@pytest.mark.parametrize("beam", Beam)
def test_organs_cover_what_lies_in_the_same_rays(beam):
    grid = Geometry.regular((40, 50, 60), (2, 2, 2), (-59, -49, -39))
    labels = np.zeros(grid.shape_zyx, np.uint8)
    labels[:, 5:8, 20:30] = 92
    labels[:, 40:43, 30:40] = 51
    organs = Mask(labels, grid, names={92: "rib_left_1", 51: "heart", 5: "liver", 7: "pancreas"})
    projection = Setup(view=View.AP, beam=beam, pixel_mm=1.0).projection(grid)
    shadows = organ_shadows(organs, projection)
    assert set(shadows) == {"ribs", "heart"}, "organs without a voxel are not there"
    middle = projection.shape_yx[0] // 2
    spans = {name: np.flatnonzero(shadow[middle]) for name, shadow in shadows.items()}
    for name, front_mm, inner_mm in (("ribs", -39 + 2, 0), ("heart", 33 - 1, 20)):
        edge = projection.to_pixel((inner_mm, front_mm, 0))[1]
        assert spans[name].max() == pytest.approx(edge, abs=2)
    ahead = projection.to_pixel((-10, 0, 0))[1]
    shadow = np.zeros(projection.shape_yx, dtype=bool)
    shadow[middle, int(ahead) - 3 : int(ahead) + 3] = True
    assert overlaps(shadow, shadows) == {"ribs": 1.0, "heart": 0.0}
    assert math.isnan(overlaps(shadow & False, shadows)["ribs"])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint64])
def test_labels_without_a_name_and_names_without_a_label_are_no_organ(dtype):
    grid = Geometry.regular((20, 30, 30), (2, 2, 2), (-29, -29, -19))
    labels = np.zeros(grid.shape_zyx, dtype)
    labels[5:9, 5:9, 5:9] = 3
    labels[12:15, 20:25, 20:25] = np.iinfo(dtype).max
    organs = Mask(labels, grid, names={3: "heart", 700: "rib_left_1", 0: "liver"})
    projection = Setup(pixel_mm=1.0).projection(grid)
    (found,) = organ_shadows(organs, projection).items()
    assert found[0] == "heart"
    alone = organ_shadows(Mask((labels == 3).astype(np.uint8), grid, names={1: "heart"}), projection)
    np.testing.assert_array_equal(found[1], alone["heart"])


@given(st.floats(0, 50), st.floats(1, 60), st.floats(0, 1))
def test_visibility_is_a_share_that_grows_with_contrast_and_size_and_falls_with_overlap(cnr, diameter_mm, hidden):
    score = visibility(cnr, diameter_mm, [hidden, hidden / 2])
    assert 0 <= score <= 1
    assert visibility(cnr + 1, diameter_mm, [hidden]) > score
    assert visibility(cnr, diameter_mm + 1, [hidden]) >= score
    assert visibility(cnr, diameter_mm) >= score


def test_visibility_at_its_stated_points():
    assert visibility(1.0, 9.0) == pytest.approx(1 / 4)
    assert visibility(1e9, 1e9) == pytest.approx(1)
    assert visibility(1e9, 1e9, [0.2, 1.0]) == pytest.approx(1 / 2)
    assert visibility(-3.0, 20.0) == 0
    assert math.isnan(visibility(math.nan, 9.0))
