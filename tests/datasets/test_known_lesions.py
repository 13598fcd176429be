"""Views of known lesions: every lesion in one size, what lies around it made alike, and the way back."""

from dataclasses import replace

import numpy as np
import pytest

from hilum.core import ConfigError
from hilum.datasets.known_lesions import RADIUS_PX, SIDE_PX, Window, known_views, known_windows, views_of
from hilum.datasets.xray_sample import XraySample
from tests.evaluate.judged import disc

SHAPE = (120, 130)


def over_time(centre=(60.0, 64.0), radius=6.0, *, before=0.25, now=0.25, seed=0, scale=1):
    """A disc that stands out from smooth ground by `before`, and by `now`; on pixels `scale` times finer."""
    shape = tuple(side * scale for side in SHAPE)
    rows, columns = (np.indices(shape) + 0.5) / scale - 0.5
    lesion = np.hypot(rows - centre[0], columns - centre[1]) <= radius
    edge = np.clip(radius + 0.5 - np.hypot(rows - centre[0], columns - centre[1]), 0, 1)
    phase = np.random.default_rng(seed).uniform(0, 6, 4)
    ground = 0.4 + 0.12 * np.sin(rows / 5 + phase[0]) * np.cos(columns / 7 + phase[1])
    other = 0.004 * np.sin(columns / 6 + phase[2])  # what has changed all over
    image, prior = ground + now * edge, 0.8 * ground + other + 0.15 + before * edge
    truth = lesion & (now > 0)
    planes = [plane.astype(np.float32) for plane in (image, np.ones(shape), prior)]
    return XraySample("case", "p", planes[0], truth, planes[1], 0.7 / scale, (), (), planes[2], lesion)


def test_the_lesion_has_its_size_in_the_middle_of_its_view():
    for radius in (3.0, 6.0, 15.0):
        one = over_time(radius=radius)
        (view,) = known_views(one)
        assert view.image.shape == view.prior.shape == (SIDE_PX, SIDE_PX)
        assert np.sqrt(view.prior_lesions.sum() / np.pi) == pytest.approx(RADIUS_PX, rel=0.05)
        np.testing.assert_allclose(np.argwhere(view.prior_lesions).mean(axis=0), (SIDE_PX - 1) / 2, atol=0.6)
        assert view.pixel_mm * RADIUS_PX == pytest.approx(0.7 * np.sqrt(one.prior_lesions.sum() / np.pi))
        assert (view.key, view.patient) == ("case#1", "p")
        assert set(np.unique(view.weight)) == {1.0}


def test_a_lesion_of_two_sizes_gives_one_view():
    coarse, fine = (known_views(over_time(scale=scale))[0] for scale in (1, 2))
    assert np.abs(coarse.image - fine.image).mean() < 0.01
    assert np.abs(coarse.prior - fine.prior).mean() < 0.02
    assert (coarse.truth != fine.truth).mean() < 0.02
    assert coarse.pixel_mm == pytest.approx(fine.pixel_mm, rel=0.02)


def test_brightness_and_contrast_around_do_not_matter():
    one = over_time()
    other = replace(one, image=one.image * 0.6 + 0.3, prior=one.prior * 0.7 + 0.05)
    (plain,), (changed,) = known_views(one), known_views(other)
    assert np.abs(plain.image - changed.image).mean() < 0.05
    outside = ~plain.prior_lesions
    assert np.abs(plain.prior - changed.prior)[outside].mean() < 0.05
    assert plain.image[outside].mean() == pytest.approx(0.5, abs=0.03)


def test_what_is_gone_shows_as_a_dark_difference_and_what_is_there_as_none():
    there, gone, new = (
        known_views(over_time(before=before, now=now))[0] for before, now in ((0.1, 0.08), (0.1, 0), (0, 0.1))
    )
    inside = there.prior_lesions
    assert gone.prior[inside].mean() < 0.2
    assert new.prior[inside].mean() > 0.8
    assert abs(there.prior[inside].mean() - 0.5) < 0.15
    assert there.truth.sum() > 0
    assert not gone.has_lesion


def test_the_difference_is_that_of_a_regression():
    from sklearn.linear_model import Ridge

    one = over_time(before=0, now=0)
    ((window, _),) = known_windows(one)
    (view,) = known_views(one)
    now, before = (window.smooth(plane) * 255 for plane in (one.image, one.prior))
    rows, columns = np.indices(now.shape) - (SIDE_PX - 1) / 2
    far = np.hypot(rows, columns) > RADIUS_PX + 3  # a ring narrower than what the view calls around
    ridge = Ridge(alpha=25.0 * far.sum()).fit(before[far][:, None], now[far])
    rest = now - ridge.predict(before.reshape(-1, 1)).reshape(now.shape)
    expected = 0.5 + 0.1 * rest / (rest[far].std() + 2)
    assert np.abs(view.prior - expected).mean() < 0.01


def two_lesions():
    """One known lesion with two parts of the truth on it, one with none, and a new lesion in its view."""
    one = over_time()
    known, truth = np.zeros(SHAPE, dtype=bool), np.zeros(SHAPE, dtype=bool)
    known |= disc(SHAPE, (30, 30), 7) | disc(SHAPE, (90, 90), 4)
    truth[28:32, 20:27] = truth[28:32, 33:40] = True
    truth[80:84, 84:86] = True
    return replace(one, prior_lesions=known, truth=truth)


def test_the_truth_of_a_view_is_what_overlaps_its_lesion():
    sample = two_lesions()
    split, gone = known_views(sample)
    assert (split.key, gone.key) == ("case#1", "case#2")
    assert split.truth.sum() * (split.pixel_mm / 0.7) ** 2 == pytest.approx(56, rel=0.15)
    assert not gone.has_lesion
    assert np.sqrt(gone.prior_lesions.sum() / np.pi) == pytest.approx(RADIUS_PX, rel=0.1)  # alone in its mask


def test_beyond_the_edge_nothing_counts():
    (view,) = known_views(over_time(centre=(0.0, 64.0), radius=6.0))
    beyond = view.weight == 0
    assert 0.35 < beyond.mean() < 0.5
    assert not view.truth[beyond].any()
    assert np.isfinite(view.image).all()


def test_small_lesions_are_not_looked_at_more_finely_than_the_picture_is():
    one = over_time()
    point = np.zeros(SHAPE, dtype=bool)
    point[50, 40] = True
    (view,) = known_views(replace(one, prior_lesions=point, truth=point))
    assert view.pixel_mm == pytest.approx(0.7 * 2 / RADIUS_PX)
    assert view.truth.sum() == view.prior_lesions.sum() == (RADIUS_PX / 2) ** 2


@pytest.mark.parametrize("radius", [2.5, 6.0, 20.0])
@pytest.mark.parametrize("centre", [(60.0, 64.0), (4.0, 120.0)])
def test_a_plane_of_the_view_goes_back_to_where_it_was(radius, centre):
    one = over_time(centre=centre, radius=radius)
    ((window, lesion),) = known_windows(one)
    rows, columns = (np.arange(side, dtype=float) for side in SHAPE)
    back = window.back(window.nearest(lesion).astype(np.float32), rows, columns)
    assert back.shape == SHAPE
    missed = (back >= 0.5) != lesion
    assert missed.sum() <= max(2, 0.1 * lesion.sum())


def test_a_smooth_plane_survives_the_way_there_and_back():
    rows, columns = (np.arange(side, dtype=float) for side in SHAPE)
    plane = (0.5 + 0.3 * np.sin(rows[:, None] / 9) * np.cos(columns / 11)).astype(np.float32)
    window = Window((60.3, 64.8), 0.9)
    back = window.back(window.smooth(plane), rows, columns, beyond=-1)
    seen = back >= 0
    assert seen.sum() == pytest.approx((SIDE_PX * 0.9) ** 2, rel=0.05)
    assert np.abs(back - plane)[seen].max() < 0.02


def test_other_pixels_of_the_picture_are_reached_too():
    window = Window((60.0, 64.0), 0.5)
    values = np.tile(np.arange(SIDE_PX, dtype=np.float32), (SIDE_PX, 1))
    columns = np.array([62.0, 63.0, 64.0, 65.0, 66.0])
    np.testing.assert_allclose(
        window.back(values, np.array([60.0]), columns)[0], 23.5 + (columns - 64) / 0.5, atol=1e-4
    )


def test_a_picture_without_known_lesions_gives_no_view():
    one = over_time()
    bare = replace(one, prior_lesions=np.zeros(SHAPE, dtype=bool))
    assert known_views(bare) == []
    assert [view.key for view in views_of([bare, one, two_lesions()])] == ["case#1", "case#1", "case#2"]
    with pytest.raises(ConfigError, match="no earlier picture with known lesions"):
        known_views(replace(one, prior_lesions=None))
