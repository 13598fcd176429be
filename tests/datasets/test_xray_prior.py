"""What stands beside an X-ray: read, packed, moved with it, and exchanged between patients."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hilum.core import ConfigError
from hilum.datasets.augment2d import Augmentation, PriorChange, Tone, Warp, draw_augmentation, draw_prior_change
from hilum.datasets.prepared import read_prepared
from hilum.datasets.xray_config import AugmentConfig, XrayDataConfig
from hilum.datasets.xray_load import load_samples
from hilum.datasets.xray_pack import XrayPack, read_pack, write_pack
from hilum.datasets.xray_prior import fitted, shuffled_once, with_wanted_prior
from hilum.datasets.xray_sample import XraySample
from tests.over_time import write_pairs_over_time
from tests.xrays import chest, write_xrays


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_pairs_over_time(tmp_path_factory.mktemp("pairs"))


def sample(patient="p", shape=(40, 50), seed=0):
    """Noise, whose earlier picture is other noise."""
    rng = np.random.default_rng(seed)
    image, prior = rng.random((2, *shape)).astype(np.float32)
    truth, known = rng.random((2, *shape)) < 0.1
    return XraySample(f"{patient}-{seed}", patient, image, truth, np.ones_like(image), 1.0, (), (), prior, known)


def test_a_case_says_where_the_earlier_picture_is(folder):
    case = read_prepared(folder).cases("union")[0]
    assert case.prior_image == folder / "cases/case-0/prior.png"
    assert case.changes == folder / "cases/case-0/changes.json"


def test_earlier_pictures_and_lesions_are_read(folder):
    (one, _), _ = load_samples(folder, "train", XrayDataConfig(pixel_mm=1.0))
    place = folder / "cases" / one.key
    np.testing.assert_array_equal(np.rint(one.prior * 255), np.array(Image.open(place / "prior.png")))
    np.testing.assert_array_equal(one.prior_lesions, np.array(Image.open(place / "prior_mask.png")) > 0)


def test_data_sets_without_have_none(tmp_path):
    drawn = [chest("LIDC-IDRI-0002")]
    (one,), _ = load_samples(write_xrays(tmp_path, drawn), "train", XrayDataConfig())
    assert one.prior is None
    assert one.prior_lesions is None
    with pytest.raises(ConfigError, match=r"has no earlier picture, which data\.prior earlier needs"):
        with_wanted_prior([one], XrayDataConfig(prior="earlier"))


def test_a_pack_loses_nothing(folder, tmp_path):
    samples, _ = load_samples(folder, "train", XrayDataConfig(pixel_mm=1.4))
    mixed = [*samples, replace(samples[0], prior=None), replace(samples[1], prior_lesions=None)]
    write_pack(tmp_path / "pack.npz", XrayPack({"train": mixed}))
    for one, other in zip(read_pack(tmp_path / "pack.npz").splits["train"], mixed, strict=True):
        for name in ("image", "truth", "prior", "prior_lesions"):
            plane, expected = getattr(one, name), getattr(other, name)
            assert (plane is None) == (expected is None)
            assert plane is None or np.array_equal(plane, expected)


@pytest.mark.parametrize(
    ("prior", "lesions", "picture"), [("none", False, None), ("same", False, "image"), ("earlier", True, "prior")]
)
def test_samples_have_what_is_wanted_and_no_more(prior, lesions, picture):
    one = sample()
    (found,) = with_wanted_prior([one], XrayDataConfig(prior=prior, prior_lesions=lesions))
    assert found.prior is (None if picture is None else getattr(one, picture))
    assert found.prior_lesions is (one.prior_lesions if lesions else None)


def test_shuffled_is_never_the_patients_own():
    samples = [
        sample(patient, shape, seed)
        for seed, (patient, shape) in enumerate([("a", (40, 50)), ("a", (40, 50)), ("b", (30, 64)), ("c", (52, 41))])
    ]
    for own, found in zip(samples, shuffled_once(samples), strict=True):
        assert found.image is own.image
        others = [one for one in samples if one.patient != own.patient]
        assert any(np.array_equal(found.prior, fitted(one.prior, own.image.shape, "edge")) for one in others)
        assert any(
            np.array_equal(found.prior_lesions, fitted(one.prior_lesions, own.image.shape, "constant"))
            for one in others
        )
    with pytest.raises(ConfigError, match="a is the only patient"):
        shuffled_once(samples[:2])


@pytest.mark.parametrize("shape", [(6, 9), (3, 4), (5, 2), (8, 3)])
def test_fitting_keeps_the_middle(shape):
    plane = np.zeros((5, 6))
    plane[2, 3] = 1
    found = fitted(plane, shape, "constant")
    assert found.shape == shape
    ((row, column),) = np.argwhere(found)
    assert abs(row - shape[0] // 2) <= 1
    assert abs(column - shape[1] // 2) <= 1


def test_the_earlier_picture_takes_the_xrays_way():
    """An earlier picture that is the X-ray, with its lesions, is so after any warp and crop."""
    one = sample()
    one = replace(one, prior=one.image, prior_lesions=one.truth)
    for seed in range(5):
        change = draw_augmentation(np.random.default_rng(seed), AugmentConfig(crop_px=(24, 30)))
        found = replace(change, tone=Tone())(one)
        np.testing.assert_array_equal(found.prior, found.image)
        np.testing.assert_array_equal(found.prior_lesions, found.truth)


def test_the_xray_does_not_notice_what_stands_beside_it():
    one = sample()
    alone = replace(one, prior=None, prior_lesions=None)
    change = draw_augmentation(np.random.default_rng(1), AugmentConfig())
    beside = replace(change, prior=draw_prior_change(np.random.default_rng(2), AugmentConfig(prior_shift_mm=3)))
    for name in ("image", "truth", "weight"):
        np.testing.assert_array_equal(getattr(change(alone), name), getattr(beside(one), name))


def test_a_shift_is_left_between_the_two():
    one = sample()
    found = Augmentation(Warp(), Tone(), prior=PriorChange(shift_mm=(3.0, -2.0)))(one)
    np.testing.assert_allclose(found.image, one.image, atol=1e-6)
    np.testing.assert_allclose(found.prior[3:, :-2], one.prior[:-3, 2:], atol=1e-6)
    np.testing.assert_array_equal(found.prior_lesions[3:, :-2], one.prior_lesions[:-3, 2:])
    assert not found.prior_lesions[:3].any()


def test_the_shift_is_as_far_as_it_may_be():
    drawn = [draw_prior_change(np.random.default_rng(seed), AugmentConfig(prior_shift_mm=4)) for seed in range(60)]
    shifts = np.array([one.shift_mm for one in drawn])
    assert 3.5 < np.abs(shifts).max() <= 4
    assert draw_prior_change(np.random.default_rng(0), AugmentConfig()).shift_mm == (0, 0)
    assert len({one.tone for one in drawn}) == 60
