"""CT slices in the training system: what they are drawn by, and what is refused."""

import numpy as np
import pytest

from hilum.core import ConfigError
from hilum.datasets.sampling import drawn_by, slice_traits
from hilum.datasets.slice_config import SliceDataConfig
from hilum.datasets.xray_config import AugmentConfig, SamplingConfig
from hilum.train.config import TrainConfig, xrays_of
from hilum.train.judging import judge
from hilum.train.slices import Slices
from hilum.train.xrays import Xrays
from tests.slices import TINY, sample
from tests.train.tiny import TINY as XRAY

SAMPLES = [
    *(sample(nodule="large", radius=9, seed=seed) for seed in range(6)),
    *(sample(nodule="small", radius=3, seed=seed) for seed in range(6, 8)),
    sample(nodule="", radius=0, seed=8, count=0),
]

DATA = SliceDataConfig()


def planes(one):
    return np.stack([one.image, one.truth, one.weight])


def config(**fields):
    return TINY.model_copy(update=fields)


def test_a_draw_can_be_replayed_in_any_order():
    one, other = (Slices(SAMPLES, TINY, DATA) for _ in range(2))
    drawn = {(epoch, place): planes(one.draw(epoch, place, 2)) for epoch in (0, 1) for place in (0, 3)}
    for (epoch, place), expected in reversed(drawn.items()):
        np.testing.assert_array_equal(planes(other.draw(epoch, place, 2)), expected)
    assert len({one.tobytes() for one in drawn.values()}) == len(drawn)
    assert one.draw(0, 0, 2).nodule == "large"
    assert one.order(5) == other.order(5) != one.order(6)


def test_pieces_show_the_lesion_and_its_brightness_together():
    """What is moved is moved for both: inside the drawn truth the picture is bright, outside it is dark."""
    shown = Slices(SAMPLES, config(augment=AugmentConfig(crop_px=(32, 32), noise=0, blur=0)), DATA)
    for place in range(6):
        one = shown.draw(0, place, 0)
        assert one.image.shape == (32, 32)
        if 20 < one.truth.sum() < 900:
            assert one.image[one.truth].mean() - one.image[~one.truth].mean() > 0.3


def test_a_piece_comes_with_a_point_as_often_as_is_said():
    """The spot is brightest in or beside the nodule that the piece shows; without a point the second image is dark."""
    shown = Slices(SAMPLES, config(augment=AugmentConfig(crop_px=(32, 32))), SliceDataConfig(point_share=0.75))
    drawn = [shown.draw(0, place, 0) for place in range(200)]
    told = [one for one in drawn if one.prior.any()]
    assert 120 < len(told) < 180
    assert all((one.point_px is None) == (not one.prior.any()) for one in drawn)
    for one in told:
        far = np.hypot(*(np.indices(one.truth.shape) - np.reshape(one.point_px, (2, 1, 1)))) * one.pixel_mm
        assert not one.truth.any() or far[one.truth].min() < 5
    np.testing.assert_array_equal(shown.draw(0, 3, 0).prior, drawn[3].prior)
    assert Slices(SAMPLES, TINY, DATA).draw(0, 3, 0).prior is None


def test_to_be_told_of_points_a_network_needs_a_second_input():
    pointed = {**TINY.plain(), "data": {"kind": "slices", "point_share": 0.5}}
    with pytest.raises(ConfigError, match=r"makes 2 images, and the network has .*set model\.options\.inputs to 2"):
        TrainConfig.of(pointed)


def test_nodules_alike_share_the_draws():
    """Six slices of one nodule and two of another: each nodule gets half, each slice its part of that."""
    counts = {}
    for alike in (False, True):
        traits = slice_traits(SAMPLES, nodules_alike=alike)
        drawn = drawn_by(traits.share, 9000, np.random.default_rng(0))
        names = np.array([SAMPLES[one].nodule for one in drawn])
        counts[alike] = {name: int((names == name).sum()) for name in ("large", "small", "")}
    assert counts[False] == pytest.approx({"large": 6000, "small": 2000, "": 1000}, abs=1)
    assert counts[True] == pytest.approx({"large": 4000, "small": 4000, "": 1000}, abs=1)


def test_small_nodules_are_harder_on_all_their_slices_alike():
    """So a curriculum begins with large nodules; slices without a nodule have no difficulty."""
    hard = slice_traits(SAMPLES, nodules_alike=False).difficulty
    assert len(set(hard[:6])) == len(set(hard[6:8])) == 1
    assert hard[0] < hard[6]
    assert np.isnan(hard[8])


def test_lesion_share_and_hard_negatives_hold_for_slices():
    half = Slices(SAMPLES, config(sampling=SamplingConfig(lesion_share=0.5, draws=100)), DATA)
    assert sum(SAMPLES[one].has_lesion for one in half.order(0)) == 50
    missed = Slices(SAMPLES, config(sampling=SamplingConfig(hard_negatives=3.0, draws=1200)), DATA)
    missed.hard[8] = 1
    assert missed.order(0).count(8) == pytest.approx(1200 * 2.5 / (8 + 2.5), abs=1)


def test_what_x_rays_alone_have_is_refused():
    wrong = {
        "insertion": {"share": 0.5},
        "adaptation": {"method": "feature_statistics"},
        "augment": {"prior_shift_mm": 3, "crop_px": (32, 32)},
    }
    plain = TINY.plain()
    for name, fields in wrong.items():
        with pytest.raises(ConfigError, match=r"data\.kind is slices, and X-rays alone have this: set"):
            TrainConfig.of({**plain, name: fields})
    with pytest.raises(ConfigError, match=r"no setting 'data\.prior'.*SliceDataConfig has: kind, truth"):
        TrainConfig.of({**plain, "data": {"kind": "slices", "prior": "same"}})
    with pytest.raises(ConfigError, match=r"no kind 'cubes'\. There are: xray, slices"):
        TrainConfig.of({**plain, "data": {"kind": "cubes"}})
    two = {"name": "unet", "options": {"inputs": 2}}
    with pytest.raises(ConfigError, match=r"makes 1 image, and the network has model\.options\.inputs 2"):
        TrainConfig.of({**plain, "model": two})
    with pytest.raises(ConfigError, match="run on X-rays is needed"):
        Xrays([], TINY)
    with pytest.raises(ConfigError, match="run on X-rays is needed"):
        xrays_of(TINY)


def test_runs_of_x_rays_say_no_kind_and_keep_their_hash():
    """Runs of a time before there were other kinds go on, and their stored configuration is the same bytes."""
    assert "kind" not in XRAY.plain()["data"]
    assert TrainConfig.of(XRAY.plain()).hash == XRAY.hash
    assert TrainConfig.of({**XRAY.plain(), "data": {**XRAY.plain()["data"], "kind": "xray"}}).hash == XRAY.hash
    assert TINY.plain()["data"]["kind"] == "slices"


def test_slices_of_a_nodule_are_judged_together_too():
    """Two slices of one nodule, one found and one missed: per slice (1 + 0) / 2, together 2·4 / (4 + 8)."""
    truth = np.zeros((6, 6), bool)
    truth[1:3, 1:3] = True
    found = judge([truth * 1.0, truth * 0.0, truth * 1.0], [truth] * 3, "dice_mean", groups=("a", "a", "b"))
    assert found["dice_mean"] == pytest.approx(2 / 3)
    assert found["dice_by_nodule"] == pytest.approx((2 / 3 + 1) / 2)
    assert "dice_by_nodule" not in judge([truth * 1.0], [truth], "dice_mean")
