"""Other looks of one picture: curves stay monotone, nothing moves, and each change is what its formula says."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hilum.datasets.augment2d import Augmentation, draw_augmentation
from hilum.datasets.style2d import (
    Curve,
    Equalisation,
    FilmStyle,
    Veil,
    draw_style,
    equalised,
    grain,
    local_mean,
    looked_up,
    sharpened,
    veiled,
)
from hilum.datasets.xray_config import AugmentConfig, StyleConfig
from hilum.datasets.xray_sample import XraySample
from hilum.train.xrays import Xrays
from tests.train.tiny import TINY, Discs

ALWAYS = StyleConfig(share=1.0, each=1.0)


def picture(shape=(90, 110), seed=0):
    """Smooth structure of all grey levels, and fine noise."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.random(shape), 6)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    return np.clip(0.9 * smooth + 0.1 * rng.random(shape), 0, 1).astype(np.float32)


@given(
    st.floats(-6, 6),
    st.floats(0.2, 0.8),
    st.lists(st.floats(-1, 1), min_size=8, max_size=8),
)
@settings(max_examples=40, deadline=None)
def test_a_curve_rises_everywhere_from_black_to_white(steepness, middle, bends):
    levels = Curve(steepness, middle, tuple(bends)).levels()
    assert levels[0] == 0
    assert levels[-1] == pytest.approx(1)
    assert (np.diff(levels) > 0).all()


def test_a_film_curve_is_the_logistic_function_with_toe_and_shoulder():
    k, c = 5.0, 0.4
    x = np.linspace(0, 1, 1024)
    logistic = 1 / (1 + np.exp(-k * (x - c)))
    expected = (logistic - logistic[0]) / (logistic[-1] - logistic[0])
    levels = Curve(k, c).levels()
    np.testing.assert_allclose(levels, expected, atol=1e-4)
    slope = np.diff(levels)
    assert slope[400] > 1.5 * slope[0] > 0
    assert slope[400] > 1.5 * slope[-1] > 0
    reverse = np.diff(Curve(-k, 0.5).levels())
    assert reverse[512] < reverse[0]


def test_without_strength_nothing_changes():
    image = picture()
    np.testing.assert_array_equal(FilmStyle()(image, 0.7), image)
    never = draw_style(np.random.default_rng(1), StyleConfig(share=0.0))
    np.testing.assert_array_equal(never(image, 0.7), image)
    np.testing.assert_allclose(looked_up(Curve().levels(), image), image, atol=1 / 1023)


def test_every_look_is_replayed_and_the_picture_given_stays():
    image = picture()
    kept = image.copy()
    looks = []
    for seed in range(20):
        first, second = (draw_style(np.random.default_rng(seed), ALWAYS)(image, 0.7) for _ in range(2))
        np.testing.assert_array_equal(first, second, strict=True)
        assert first.shape == image.shape
        assert first.dtype == np.float32
        assert first.min() >= 0
        assert first.max() <= 1
        assert np.isfinite(first).all()
        looks.append(first.tobytes())
    np.testing.assert_array_equal(image, kept)
    assert len(set(looks)) == len(looks)


def test_one_strength_more_changes_no_other_draw():
    plain = draw_style(np.random.default_rng(5), replace_config(grain=0.0, border_mm=0.0))
    more = draw_style(np.random.default_rng(5), ALWAYS)
    assert plain.curve.levels().tolist() == more.curve.levels().tolist()
    assert plain.veil == more.veil
    assert plain.equalisation == more.equalisation
    assert (plain.grain, plain.border_mm) == (0.0, (0.0,) * 4)


def replace_config(**changes):
    return ALWAYS.model_copy(update=changes)


def test_a_veil_takes_the_contrast_it_says_and_nothing_else():
    rng = np.random.default_rng(0)
    image = (0.5 + 0.1 * rng.standard_normal((80, 80))).astype(np.float32)
    even = veiled(image, Veil(haze=0.4, grey=0.2, waves=(0.0, 0.0)))  # cos 0 = 1: as thick as can be everywhere
    assert even.std() == pytest.approx(0.6 * image.std(), rel=1e-4)
    assert even.mean() == pytest.approx(0.6 * image.mean() + 0.4 * 0.2, rel=1e-4)
    flat = np.full((81, 81), 0.5, np.float32)
    corner = veiled(flat, Veil(vignette=0.1))
    assert corner[40, 40] == pytest.approx(0.5, abs=1e-6)
    assert corner[0, 0] == pytest.approx(0.6, abs=1e-6)
    np.testing.assert_allclose(corner, corner[::-1, ::-1], atol=1e-6)


@pytest.mark.parametrize("sigma_px", [0.8, 1.5, 2.5])
def test_grain_is_as_strong_and_as_coarse_as_it_says(sigma_px):
    noise = grain((320, 320), sigma_px, 0.05, seed=4)
    assert noise.std() == pytest.approx(0.05, rel=0.1)
    assert abs(noise.mean()) < 0.01
    neighbours = float((noise[:, 1:] * noise[:, :-1]).mean() / noise.var())
    expected = np.exp(-1 / (4 * sigma_px**2))  # white noise after a Gaussian
    assert neighbours == pytest.approx(expected, abs=0.08)
    np.testing.assert_array_equal(noise[:160], noise[160:])  # without a seam


@pytest.mark.parametrize("side", [3, 7, 21])
def test_the_local_mean_is_scipys_and_unsharp_masking_adds_what_is_left(side):
    image = picture()
    mean = ndimage.uniform_filter(image.astype(np.float64), side, mode="nearest")
    np.testing.assert_allclose(local_mean(image, side), mean, atol=2e-4)
    np.testing.assert_allclose(sharpened(image, 0.7, side), image + 0.7 * (image - mean), atol=2e-4)


def test_global_equalisation_makes_all_grey_levels_alike():
    image = picture((200, 200)) ** 3
    even = equalised(image, Equalisation(mix=1.0, tiles=1, clip=1.0))
    shares = np.histogram(even, bins=8, range=(0, 1))[0] / even.size
    assert np.abs(shares - 1 / 8).max() < 0.04
    order = np.argsort(image.ravel(), kind="stable")
    assert (np.diff(even.ravel()[order]) >= -1e-6).all()
    half = equalised(image, Equalisation(mix=0.5, tiles=1, clip=1.0))
    np.testing.assert_allclose(half, (image + even) / 2, atol=1e-6)


def test_local_equalisation_is_near_scikit_images():
    from skimage.exposure import equalize_adapthist

    image = picture((256, 256))
    own = equalised(image, Equalisation(mix=1.0, tiles=8, clip=0.03))
    other = equalize_adapthist(image.astype(np.float64), kernel_size=32, clip_limit=0.03)
    assert np.corrcoef(own.ravel(), other.ravel())[0, 1] > 0.97
    assert np.corrcoef(image.ravel(), other.ravel())[0, 1] < 0.9  # so the test can fail


def test_a_low_clip_limit_leaves_the_picture_nearly_as_it_is():
    image = picture((256, 256))
    strong, weak = (equalised(image, Equalisation(1.0, 1, clip)) for clip in (0.1, 1e-4))
    assert np.abs(weak - image).max() < 0.02
    assert np.abs(strong - image).max() > 5 * np.abs(weak - image).max()


def test_what_collimation_covers_is_not_learnt():
    image, truth = picture((60, 60)), np.ones((60, 60), bool)
    sample = XraySample("a", "p", image, truth, np.ones((60, 60), np.float32), 0.5)
    shown = Augmentation(style=FilmStyle(border_mm=(5.0, 0.0, 0.0, 2.5), border_grey=1.0))(sample)
    np.testing.assert_array_equal(shown.image[:10], 1)
    np.testing.assert_array_equal(shown.image[:, 55:], 1)
    expected = np.zeros((60, 60), bool)
    expected[10:, :55] = True
    np.testing.assert_array_equal(shown.truth, expected)
    np.testing.assert_array_equal(shown.weight > 0, expected)
    np.testing.assert_array_equal(shown.image[expected], image[expected])


def test_a_run_without_style_is_what_it_was_and_one_with_it_moves_alike():
    samples = Discs(3).samples
    plain = Xrays(samples, TINY)
    augment = TINY.augment.model_copy(update={"style": replace_config(border_mm=0.0)})
    styled = Xrays(samples, TINY.model_copy(update={"augment": augment}))
    for place in range(4):
        before, after = plain.draw(2, place, 1), styled.draw(2, place, 1)
        rng = np.random.default_rng((TINY.trainer.seed, 2, 2, place))  # as it was before there were styles
        np.testing.assert_array_equal(before.image, draw_augmentation(rng, AugmentConfig())(samples[1]).image)
        np.testing.assert_array_equal(before.truth, after.truth)
        assert not np.array_equal(before.image, after.image)
        np.testing.assert_array_equal(after.image, styled.draw(2, place, 1).image)


def test_a_style_takes_no_longer_than_the_rest_of_the_augmentation():
    image = picture((448, 448))
    sample = XraySample("a", "p", image, image > 2, np.ones_like(image), 0.7)
    styles = [draw_style(np.random.default_rng(seed), StyleConfig(share=1.0)) for seed in range(8)]
    change = draw_augmentation(np.random.default_rng(0), AugmentConfig(crop_px=(448, 448)))
    took = {"style": [], "rest": []}
    for _ in range(3):
        for style in styles:
            took["style"].append(seconds(lambda one=style: one(image, 0.7)))
            took["rest"].append(seconds(lambda: replace(change, style=None)(sample)))
    assert np.mean(took["style"]) < np.mean(took["rest"])


def seconds(work):
    start = time.process_time()
    work()
    return time.process_time() - start
