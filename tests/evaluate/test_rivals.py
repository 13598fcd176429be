"""Trivial rivals: they find what they must, learn from what they are given only, and go with the image's size."""

import numpy as np
import pytest

from hilum.core import MeasureError
from hilum.evaluate.blobs import blob_threshold, find_blobs
from hilum.evaluate.rivals import all_background, copied_prior, prior_map
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


def test_a_faint_spot_in_a_calm_place_beats_the_unrest_elsewhere():
    shape = (256, 256)
    image = np.random.default_rng(0).normal(0, 3, shape)
    image[:, 128:] += 200 * (np.indices(shape)[0][:, 128:] // 16 % 2)  # bright ribs
    blobs = find_blobs(image + 20 * disc(shape, (128, 50), 6))
    assert np.abs(blobs.centres[0] - (128, 50)).max() <= 2


def test_widths_are_millimetres():
    """The same spot with pixels half the size is the same number of millimetres across."""
    coarse = find_blobs(100.0 * disc((128, 128), (64, 64), 6), 0.7)
    fine = find_blobs(100.0 * disc((256, 256), (128, 128), 12), 0.35)
    assert fine.radii[0] * 0.35 == pytest.approx(coarse.radii[0] * 0.7)


def test_spots_are_where_training_has_lesions():
    shape = (128, 128)
    image = 100.0 * (disc(shape, (70, 40), 6) | disc(shape, (20, 110), 6))
    prior = prior_map([disc(shape, (66, 44), 20)])
    assert len(find_blobs(image).scores) >= 2
    centres = find_blobs(image, prior=prior).centres
    assert len(centres)
    assert prior.is_likely(shape)[tuple(centres.T)].all()


def test_the_threshold_spends_the_false_spots_it_is_given():
    shape, rng = (128, 128), np.random.default_rng(3)
    truth = disc(shape, (70, 40), 6)
    found = [find_blobs(rng.normal(0, 1, shape) + 2 * truth) for _ in range(10)]
    for allowed in (0.5, 2.0, 4.0):
        level = blob_threshold([(blobs.scores, blobs.meets(truth)) for blobs in found], allowed)
        false = 0
        for blobs in found:
            for centre, radius, score in zip(blobs.centres, blobs.radii, blobs.scores, strict=True):
                false += score >= level and not (disc(shape, centre, radius) & truth).any()
        assert allowed - 0.1 <= false / 10 <= allowed


def test_the_threshold_keeps_the_lesion_and_drops_fainter_spots():
    shape = (128, 128)
    truth, decoy = disc(shape, (70, 40), 6), disc(shape, (30, 90), 6)
    blobs = find_blobs(100 * truth + 50.0 * decoy)
    mask = blobs.discs(shape, blob_threshold([(blobs.scores, blobs.meets(truth))], 0))
    assert (mask & truth).any()
    assert not (mask & decoy).any()


def test_in_a_volume_the_map_and_the_balls_lie_where_they_do_in_the_training_masks_and_the_image():
    """Steps of 2.5 × 1 × 1 mm: a ball of 5 mm is 4 slices high, is found in its middle, and its disc has its size."""
    shape, step = (40, 96, 96), (2.5, 1.0, 1.0)
    apart = [((axis - at) * one) ** 2 for axis, at, one in zip(np.indices(shape), (20, 30, 60), step, strict=True)]
    ball = sum(apart) <= 5**2
    image = np.where(ball, 50, -850).astype(np.int16)
    image[:4], image[:, :6] = 3000, -3000  # a table and what lies outside the picture
    blobs = find_blobs(image, step)
    assert np.abs(blobs.centres[0] - (20, 30, 60)).max() <= 1
    assert blobs.radii[0] == pytest.approx(5, rel=0.35)
    said = blobs.surest(1).discs(shape, -np.inf)
    assert 2 * (said & ball).sum() / (said.sum() + ball.sum()) > 0.6
    prior = prior_map([ball])
    assert (prior.predict(shape) & ball).any()
    assert np.abs(np.argwhere(prior.predict((80, 48, 48))).mean(axis=0) - (40, 15, 30)).max() < 3
    assert prior.is_likely(shape)[tuple(find_blobs(image, step, prior).centres.T)].all()


def test_pixels_twice_as_fine_in_3d_are_the_same_spots():
    rng = np.random.default_rng(1)
    coarse = rng.normal(-500, 50, (16, 24, 24))
    coarse[6:10, 10:14, 8:12] = 0
    fine = coarse.repeat(2, axis=1).repeat(2, axis=2)
    one, other = find_blobs(coarse, (2.0, 2.0, 2.0)), find_blobs(fine, (2.0, 1.0, 1.0))
    np.testing.assert_allclose(one.scores, other.scores, rtol=1e-4)
    np.testing.assert_allclose(one.radii * 2, other.radii)


def test_the_map_is_cut_where_the_dice_on_the_training_masks_is_highest():
    """As trying out every level does."""
    truths = [disc((256, 256), (100 + 5 * n, 120), 10 + n) for n in range(5)]
    found = prior_map(truths)

    def dice(level):
        pred = found.frequency >= level
        return np.mean([2 * (pred & one).sum() / (pred.sum() + one.sum()) for one in truths])

    best = max(dice(level) for level in np.quantile(found.frequency[found.frequency > 0], np.linspace(0, 1, 50)))
    assert dice(found.threshold) >= best - 1e-9


def test_a_map_of_pictures_is_none_of_volumes():
    with pytest.raises(MeasureError, match="axes"):
        prior_map([disc()]).predict((8, 8, 8))
    with pytest.raises(MeasureError, match="both"):
        prior_map([disc(), np.ones((4, 4, 4), bool)])


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
