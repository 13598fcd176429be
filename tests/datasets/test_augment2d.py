"""Drawn, then applied: picture and truth move together, brightness leaves the truth alone, and all can be replayed."""

import time

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import chisquare

from hilum.core import ConfigError
from hilum.datasets.augment2d import Augmentation, Crop, Tone, Warp, blurred, draw_augmentation, source_places
from hilum.datasets.slice_sample import SliceSample
from hilum.datasets.style2d import Equalisation, FilmStyle
from hilum.datasets.xray_config import AugmentConfig
from hilum.datasets.xray_sample import XraySample
from tests.xrays import disc

WILD = AugmentConfig(
    rotate_deg=30, scale=0.3, shift_mm=10, elastic_mm=5, gamma=0, brightness=0, contrast=0, blur=0, noise=0
)


def landmark(shape=(120, 140), centre=(66, 80), radius=6):
    """A sample whose picture is its truth, softened so that it can be read between pixels."""
    truth = disc(shape, centre, radius)
    image = ndimage.gaussian_filter(truth.astype(np.float32), 1.0)
    return XraySample("a", "p", image, truth, np.ones(shape, np.float32), 0.7)


def noise_sample(shape=(64, 64)):
    rng = np.random.default_rng(3)
    image = rng.random(shape, dtype=np.float32)
    return XraySample("a", "p", image, image > 0.9, np.where(image > 0.9, 0.5, 1).astype(np.float32), 0.7)


def centroid(values):
    return np.array(ndimage.center_of_mass(values))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("crop_px", [None, (70, 64)])
def test_a_landmark_moves_with_its_mask(seed, crop_px):
    config = WILD.model_copy(update={"crop_px": crop_px, "crop_on_lesion": 1.0})
    moved = draw_augmentation(np.random.default_rng(seed), config)(landmark())
    assert moved.has_lesion
    edge = np.argwhere(moved.truth)
    if edge.min() > 3 and (edge < np.array(moved.truth.shape) - 4).all():
        assert (
            np.abs(centroid(moved.image > 0.5) - centroid(moved.truth)).max() < 0.6
        )  # half a pixel is what nearest costs
    agree = (moved.image > 0.5) == moved.truth
    assert agree[moved.weight > 0].mean() > 0.99


def test_the_identity_changes_nothing():
    sample = noise_sample()
    for change in (Augmentation(), draw_augmentation(np.random.default_rng(0), AugmentConfig.none())):
        same = change(sample)
        for array in ("image", "truth", "weight"):
            np.testing.assert_array_equal(getattr(same, array), getattr(sample, array), strict=True)


def test_the_same_draw_gives_the_same_again():
    config = AugmentConfig(crop_px=(40, 40), noise=1, blur=1)
    sample = noise_sample()
    drawn = draw_augmentation(np.random.default_rng(5), config)
    one, again = drawn(sample), drawn(sample)
    other = draw_augmentation(np.random.default_rng(5), config)(sample)
    for same in (again, other):
        np.testing.assert_array_equal(one.image, same.image)
        np.testing.assert_array_equal(one.truth, same.truth)
    assert not np.array_equal(one.image, draw_augmentation(np.random.default_rng(6), config)(sample).image)


@pytest.mark.parametrize(
    ("warp", "oracle"),
    [
        (Warp(is_flipped=True), lambda a: a[:, ::-1]),
        (Warp(angle_deg=90), np.rot90),
        (Warp(angle_deg=180), lambda a: a[::-1, ::-1]),
        (Warp(angle_deg=90, is_flipped=True), lambda a: np.rot90(a[:, ::-1])),
    ],
)
def test_turns_and_mirrors_are_numpys(warp, oracle):
    sample = noise_sample()
    moved = Augmentation(warp)(sample)
    np.testing.assert_allclose(moved.image, oracle(sample.image), atol=2e-5)
    inner = (slice(1, -1), slice(1, -1))
    np.testing.assert_array_equal(moved.truth[inner], oracle(sample.truth)[inner])
    np.testing.assert_array_equal(moved.weight[inner], oracle(sample.weight)[inner])


def test_a_shift_is_in_millimetres_and_a_scale_enlarges():
    sample = landmark()
    shifted = Augmentation(Warp(shift_mm=(7.0, -14.0)))(sample)
    np.testing.assert_allclose(centroid(shifted.truth) - centroid(sample.truth), (10, -20), atol=1e-6)
    enlarged = Augmentation(Warp(scale=1.5))(sample)
    assert enlarged.truth.sum() == pytest.approx(1.5**2 * sample.truth.sum(), rel=0.05)


def test_reading_between_pixels_is_scipys():
    sample = noise_sample((50, 61))
    warp = Warp(
        angle_deg=11, scale=1.1, shift_mm=(2, 3), displacement_mm=np.random.default_rng(0).normal(size=(2, 8, 8))
    )
    places = source_places(warp, (50, 61), (24.5, 30.0), 0.7)
    oracle = ndimage.map_coordinates(sample.image, places, order=1, mode="nearest")
    np.testing.assert_allclose(Augmentation(warp)(sample).image, oracle, atol=1e-5)


def test_the_strongest_elastic_draw_does_not_fold():
    config = AugmentConfig(elastic_mm=8, elastic_lattice_mm=40)
    lattice = np.random.default_rng(1).choice([-1.0, 1.0], (2, 16, 16)) * config.elastic_mm
    rows, columns = source_places(Warp(lattice_mm=40, displacement_mm=lattice), (400, 400), (199.5, 199.5), 0.7)
    jacobian = np.gradient(rows, axis=0) * np.gradient(columns, axis=1)
    jacobian -= np.gradient(rows, axis=1) * np.gradient(columns, axis=0)
    assert jacobian.min() > 0
    with pytest.raises(ConfigError, match="at least 5 times"):
        AugmentConfig.of({"elastic_mm": 9, "elastic_lattice_mm": 40})


def test_what_lies_beyond_the_edge_weighs_nothing():
    sample = noise_sample((20, 30))
    shown = Augmentation(crop=Crop((40, 24), (0.5, 0.5), False, 0))(sample)
    assert shown.image.shape == (40, 24)
    np.testing.assert_array_equal(shown.image[10:30], sample.image[:, 3:27])
    np.testing.assert_array_equal(shown.weight[10:30], sample.weight[:, 3:27])
    assert not shown.weight[:10].any()
    assert not shown.truth[30:].any()
    np.testing.assert_array_equal(shown.image[:10], np.repeat(shown.image[10:11], 10, axis=0))


def test_a_piece_is_cut_on_whole_pixels_and_holds_the_lesion_when_told():
    sample, rng = landmark(radius=1), np.random.default_rng(0)
    for _ in range(30):
        place = (rng.random(), rng.random())
        assert Augmentation(crop=Crop((32, 40), place, True, rng.random()))(sample).has_lesion
        shown = Augmentation(crop=Crop((32, 40), place, False, 0))(sample)
        assert shown.weight.all()
        row, column = (int(np.floor(share * room + 0.5)) for share, room in zip(place, (88, 100), strict=True))
        np.testing.assert_array_equal(shown.image, sample.image[row : row + 32, column : column + 40])


def test_brightness_never_touches_the_truth():
    sample = noise_sample()
    tone = Tone(gamma=1.2, brightness=0.1, contrast=1.3, blur_mm=1, noise=0.1, noise_seed=4)
    changed = Augmentation(tone=tone)(sample)
    np.testing.assert_array_equal(changed.truth, sample.truth)
    np.testing.assert_array_equal(changed.weight, sample.weight)
    assert 0 <= changed.image.min() < changed.image.max() <= 1
    assert not np.allclose(changed.image, sample.image)


def test_a_blur_is_scipys():
    image = noise_sample((30, 41)).image
    np.testing.assert_allclose(
        blurred(image, 1.3), ndimage.gaussian_filter(image, 1.3, radius=4, mode="nearest"), atol=1e-6
    )


def test_it_is_fast_enough_to_do_on_the_way():
    sample = landmark((480, 512), (240, 260))
    drawn = [draw_augmentation(np.random.default_rng(n), AugmentConfig(crop_px=(256, 256))) for n in range(15)]
    seconds = []
    for change in drawn:
        start = time.process_time()
        change(sample)
        seconds.append(time.process_time() - start)
    assert np.median(seconds) < 0.015


def slice_sample(shape=(128, 128), centre=(64, 64), radius=3):
    truth = disc(shape, centre, radius)
    image = ndimage.gaussian_filter(truth.astype(np.float32), 1.0)
    return SliceSample("a", "p", "p_n00", 3, image, truth, np.ones(shape, np.float32), 0.7)


def test_a_shear_moves_rows_along_by_the_tangent_and_image_with_mask():
    sample = slice_sample(centre=(94, 64))
    leaning = Augmentation(Warp(shear_deg=20.0))(sample)
    down = 94 - 63.5
    expected = 64 - np.tan(np.radians(20)) * down
    np.testing.assert_allclose(centroid(leaning.truth), (94, expected), atol=0.2)
    np.testing.assert_allclose(centroid(leaning.image), (94, expected), atol=0.2)
    assert leaning.truth.sum() == pytest.approx(sample.truth.sum(), rel=0.15)  # a shear keeps areas


def test_upside_down_is_numpys_and_slices_stay_slices():
    plain = noise_sample()
    sample = SliceSample("a", "p", "p_n00", 3, plain.image, plain.truth, plain.weight, 0.7)
    over = Augmentation(Warp(is_upside_down=True))(sample)
    assert isinstance(over, SliceSample)
    assert (over.nodule, over.reader_count) == ("p_n00", 3)
    np.testing.assert_allclose(over.image, plain.image[::-1], atol=2e-5)
    np.testing.assert_array_equal(over.truth[1:-1], plain.truth[::-1][1:-1])
    np.testing.assert_allclose(
        Augmentation(Warp(is_upside_down=True, is_flipped=True))(sample).image,
        Augmentation(Warp(angle_deg=180))(sample).image,
        atol=2e-5,
    )


def test_a_slice_is_changed_as_an_x_ray_of_the_same_pixels():
    plain = noise_sample()
    sample = SliceSample("a", "p", "p_n00", 3, plain.image, plain.truth, plain.weight, 0.7)
    config = AugmentConfig(crop_px=(40, 40), noise=1, blur=1, shear_deg=10, flip_up_down=0.5)
    for seed in range(4):
        drawn = draw_augmentation(np.random.default_rng(seed), config)
        one, other = drawn(sample), drawn(plain)
        for name in ("image", "truth", "weight"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_shear_and_turning_over_are_drawn_last_so_that_earlier_runs_stay_as_they_were():
    usual, more = AugmentConfig(), AugmentConfig(shear_deg=20, flip_up_down=1)
    for seed in range(20):
        one = draw_augmentation(np.random.default_rng(seed), usual)
        other = draw_augmentation(np.random.default_rng(seed), more)
        assert (one.warp.shear_deg, one.warp.is_upside_down) == (0.0, False)
        assert other.warp.is_upside_down
        assert abs(other.warp.shear_deg) <= 20
        assert (one.tone, one.warp.angle_deg, one.warp.is_flipped) == (
            other.tone,
            other.warp.angle_deg,
            other.warp.is_flipped,
        )
        np.testing.assert_array_equal(one.warp.displacement_mm, other.warp.displacement_mm)


def test_half_the_side_as_a_piece_leaves_a_middle_nodule_anywhere():
    """A crop of 64 of 128 pixels: the nodule, always in the crop's middle on disk, is anywhere on what is shown."""
    sample = slice_sample(radius=1)
    config = AugmentConfig.none().model_copy(update={"crop_px": (64, 64), "crop_on_lesion": 1.0})
    rng = np.random.default_rng(0)
    places = np.array([centroid(draw_augmentation(rng, config)(sample).truth) for _ in range(800)])
    for axis in (0, 1):
        counts, _ = np.histogram(places[:, axis], bins=8, range=(-0.5, 63.5))
        assert chisquare(counts).pvalue > 1e-3, counts


def test_equalisation_takes_slices():
    sample = slice_sample()
    style = FilmStyle(equalisation=Equalisation(mix=1.0, tiles=4, clip=0.03))
    changed = Augmentation(style=style)(sample)
    assert isinstance(changed, SliceSample)
    assert 0 <= changed.image.min() < changed.image.max() <= 1
    np.testing.assert_array_equal(changed.truth, sample.truth)
