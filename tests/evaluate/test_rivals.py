"""Trivial rivals: they find what they must, learn from what they are given only, and go with the image's size."""

import numpy as np
import pytest

from hilum.core import MeasureError
from hilum.evaluate.rivals import all_background, blob_threshold, copied_prior, find_blobs, prior_map
from tests.evaluate.judged import disc


def test_the_map_is_where_training_lesions_are_at_any_size():
    truths = [disc((128, 160), (40, 50), radius) for radius in (8, 10, 12)]
    found = prior_map(truths)
    for shape in ((128, 160), (64, 80), (512, 640)):
        mask = found.predict(shape)
        row, column = np.argwhere(mask).mean(axis=0)
        assert row / shape[0] == pytest.approx(40 / 128, abs=0.02)
        assert column / shape[1] == pytest.approx(50 / 160, abs=0.02)


def test_a_bright_disc_is_the_surest_blob_and_has_its_radius():
    image = np.full((128, 128), 50.0) + 100 * disc((128, 128), (70, 40), 6)
    blobs = find_blobs(image)
    assert np.abs(blobs.centres[0] - (70, 40)).max() <= 1
    assert blobs.radii[0] == pytest.approx(6, abs=1)
    assert (np.diff(blobs.scores) <= 0).all()


def test_brightness_and_contrast_don_t_matter():
    image = np.random.default_rng(0).random((64, 64))
    np.testing.assert_allclose(find_blobs(image).scores, find_blobs(40 * image + 7).scores, rtol=1e-3)


def test_the_threshold_keeps_the_lesion_and_drops_fainter_spots():
    shape = (128, 128)
    truth, decoy = disc(shape, (70, 40), 6), disc(shape, (30, 90), 6)
    blobs = find_blobs(100 * truth + 50.0 * decoy)
    mask = blobs.discs(shape, blob_threshold([(blobs, truth)]))
    assert (mask & truth).any()
    assert not (mask & decoy).any()


def test_a_flat_image_has_no_blob():
    assert len(find_blobs(np.full((32, 32), 7)).scores) == 0


def test_nothing_to_learn_from_is_said():
    with pytest.raises(MeasureError):
        prior_map([np.zeros((8, 8), bool)])
    with pytest.raises(MeasureError):
        blob_threshold([])


def test_background_and_copy():
    assert not all_background((4, 5)).any()
    prior = disc()
    copy = copied_prior(prior)
    assert np.array_equal(copy, prior)
    assert copy is not prior
