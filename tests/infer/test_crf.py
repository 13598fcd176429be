"""The field against a plain one over all pairs of pixels, and what it is for."""

import numpy as np
import pytest

from hilum.infer.crf import CrfConfig, refined

CONFIG = CrfConfig(iterations=4, radius_px=3, smooth_px=1.2, alike_px=2.0, alike_level=0.1)


def plainly(probability, image, config):
    """The same mean field with one matrix over all pairs of pixels [n, n]."""
    places = np.argwhere(np.ones(image.shape, bool))
    step = places[:, None] - places[None]
    heard = (np.abs(step).max(axis=2) <= config.radius_px) & ~np.eye(len(places), dtype=bool)
    far2 = (step**2).sum(axis=2)
    other2 = (image.ravel()[:, None] - image.ravel()[None]) ** 2
    kernels = (
        heard * np.exp(-far2 / (2 * config.smooth_px**2)),
        heard * np.exp(-far2 / (2 * config.alike_px**2) - other2 / (2 * config.alike_level**2)),
    )
    own = np.log(probability.ravel() / (1 - probability.ravel()))
    q = probability.ravel().astype(float)
    for _ in range(config.iterations):
        messages = [kernel @ (2 * q - 1) / kernel.sum(axis=1) for kernel in kernels]
        q = 1 / (1 + np.exp(-(own + config.smooth_weight * messages[0] + config.alike_weight * messages[1])))
    return q.reshape(image.shape)


@pytest.mark.parametrize("shape", [(9, 11), (1, 6), (2, 2)])
def test_it_is_the_mean_field_over_all_pairs(shape):
    rng = np.random.default_rng(0)
    probability, image = rng.uniform(0.05, 0.95, shape).astype(np.float32), rng.random(shape).astype(np.float32)
    found = refined(probability, image, CONFIG)
    np.testing.assert_allclose(found, plainly(probability, image, CONFIG), atol=2e-6)
    assert found.dtype == np.float32


def test_one_pixel_has_nobody_to_hear():
    probability = np.array([[0.3]], dtype=np.float32)
    np.testing.assert_array_equal(refined(probability, probability, CONFIG), probability)


def test_weights_of_nothing_change_nothing():
    probability = np.random.default_rng(1).uniform(0.1, 0.9, (8, 8)).astype(np.float32)
    found = refined(probability, probability, CrfConfig(smooth_weight=0, alike_weight=0))
    np.testing.assert_allclose(found, probability, atol=1e-6)


def test_speckle_goes_and_an_edge_stays_where_brightness_changes():
    image = np.zeros((16, 16), np.float32)
    image[:, 8:] = 1
    probability = np.where(image > 0, 0.8, 0.2).astype(np.float32)
    probability[4, 3], probability[10, 12] = 0.6, 0.4
    found = refined(probability, image) >= 0.5
    np.testing.assert_array_equal(found, image > 0)


def test_mirrored_pictures_have_mirrored_answers():
    rng = np.random.default_rng(2)
    probability, image = (rng.uniform(0.1, 0.9, (7, 12)).astype(np.float32) for _ in range(2))
    there = refined(probability, image, CONFIG)
    np.testing.assert_allclose(refined(probability[:, ::-1], image[:, ::-1], CONFIG)[:, ::-1], there, atol=1e-6)


def test_all_or_nothing_stays_finite():
    for value in (0.0, 1.0):
        sure = np.full((5, 5), value, np.float32)
        np.testing.assert_allclose(refined(sure, sure, CONFIG), sure, atol=1e-6)
