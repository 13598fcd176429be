"""Pieces of a CT in the training system: what they are drawn by, what is refused, and that a run learns and goes on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from hilum.core import ConfigError
from hilum.datasets.patch_config import PatchAugmentConfig, PatchDataConfig
from hilum.datasets.patch_sample import HARD, RANDOM
from hilum.datasets.sampling import drawn_by, patch_traits
from hilum.datasets.slice_point import point_map
from hilum.datasets.xray_config import AugmentConfig
from hilum.recipes.catalogue import recipe
from hilum.train.config import Machine, TrainConfig
from hilum.train.data import collate, without_padding
from hilum.train.fit import Cases, fit
from hilum.train.judged_model import probabilities
from hilum.train.judging import judge
from hilum.train.panels import middle_slice
from hilum.train.patches import Patches
from tests.patches import POINTED, TINY, patch
from tests.slices import ball

pytestmark = pytest.mark.usefixtures("one_thread")
MACHINE = Machine(device="cpu", threads=1)
SAMPLES = [
    *(patch(nodule="large", radius=6, seed=seed) for seed in range(6)),
    *(patch(nodule="small", radius=3, seed=seed) for seed in range(6, 8)),
    *(patch(nodule="", radius=0, seed=seed, kind=RANDOM) for seed in range(8, 11)),
    patch(nodule="", radius=0, seed=11, kind=HARD),
]


def planes(one):
    return np.stack([one.image, one.truth, one.weight])


def test_a_draw_can_be_replayed_in_any_order():
    one, other = (Patches(SAMPLES, POINTED, POINTED.data) for _ in range(2))
    drawn = {(epoch, place): one.draw(epoch, place, 2) for epoch in (0, 1) for place in (0, 3)}
    for (epoch, place), expected in reversed(drawn.items()):
        again = other.draw(epoch, place, 2)
        np.testing.assert_array_equal(planes(again), planes(expected))
        np.testing.assert_array_equal(again.prior, expected.prior)
    assert len({planes(one).tobytes() for one in drawn.values()}) == len(drawn)
    assert one.draw(0, 0, 2).nodule == "large"
    assert one.order(5) == other.order(5) != one.order(6)


def test_the_network_is_told_as_often_as_it_is_set_and_near_the_nodule():
    shown = [Patches(SAMPLES, POINTED, POINTED.data).draw(0, place, 0) for place in range(60)]
    told = [one for one in shown if one.prior.any()]
    assert 40 <= len(told) <= 56
    for one in told:
        np.testing.assert_array_equal(one.prior, point_map(one.truth.shape, one.point_zyx, one.voxel_mm))
        if one.truth.sum() > 500:
            assert np.linalg.norm(np.argwhere(one.truth).mean(axis=0) - one.point_zyx) < 14
    assert Patches(SAMPLES, TINY, TINY.data).draw(0, 0, 0).prior is None


def test_nodules_alike_share_the_draws_and_hard_negatives_theirs():
    counts = {}
    for alike, hard_share in ((False, None), (True, 0.75)):
        traits = patch_traits(SAMPLES, nodules_alike=alike, hard_share=hard_share)
        drawn = drawn_by(traits.share, 12000, np.random.default_rng(0))
        names = np.array([SAMPLES[one].nodule or SAMPLES[one].kind for one in drawn])
        counts[alike] = {name: int((names == name).sum()) for name in ("large", "small", RANDOM, HARD)}
    assert counts[False] == pytest.approx({"large": 6000, "small": 2000, RANDOM: 3000, HARD: 1000}, abs=1)
    assert counts[True] == pytest.approx({"large": 4000, "small": 4000, RANDOM: 1000, HARD: 3000}, abs=1)


def test_small_nodules_are_harder_on_all_their_pieces_alike():
    hard = patch_traits(SAMPLES, nodules_alike=False, hard_share=None).difficulty
    assert len(set(hard[:6])) == len(set(hard[6:8])) == 1
    assert hard[0] < hard[6]
    assert np.isnan(hard[8:]).all()


def test_pieces_of_several_sizes_make_a_batch_and_come_apart_again():
    some = [(4, patch(size=12, radius=2)), (7, patch(size=16, radius=3))]
    batch = collate(some)
    assert batch.image.shape == (2, 1, 16, 16, 16)
    assert batch.weight[0].sum() == 12**3
    for case, plane in without_padding(batch, batch.target[:, 0]).items():
        np.testing.assert_array_equal(plane.numpy() > 0, dict(some)[case].truth)


def test_the_middle_is_not_always_the_nodule():
    """Published cubes have 51 voxels and their nodule in the middle; a cube of 48 of them shows it elsewhere, too."""
    truth = ball((51, 51, 51), (25, 25, 25), 5)
    image = truth.astype(np.float32)
    middle = replace(SAMPLES[0], image=image, truth=truth, weight=np.ones_like(image), point_zyx=(25.0,) * 3)
    config = recipe("nodule3d")
    cases = Patches([middle], config, config.data)
    places = np.array([np.argwhere(cases.draw(0, place, 0).truth).mean(axis=0) for place in range(40)])
    assert (np.ptp(places, axis=0) > 14).all()
    assert (places.std(axis=0) > 4).all()


def test_what_does_not_go_with_pieces_is_refused():
    plain = TINY.plain()
    wrong = {
        "insertion": ({"share": 0.5}, r"X-rays alone have this: set insertion\.share"),
        "augment": (AugmentConfig().plain(), r"goes with augment\.kind patches"),
        "model": ({"name": "unet"}, r"is of 3 axes, and the network unet of 2; set model\.name to one of unet3d"),
    }
    for name, (fields, says) in wrong.items():
        with pytest.raises(ConfigError, match=says):
            TrainConfig.of({**plain, name: fields})
    two = {"name": "slim_unet3d", "options": {"inputs": 2}}
    with pytest.raises(ConfigError, match=r"makes 1 image, and the network has model\.options\.inputs 2"):
        TrainConfig.of({**plain, "model": two})
    with pytest.raises(ConfigError, match=r"of 2 axes, and the network unet3d of 3"):
        TrainConfig.of({"model": {"name": "unet3d"}})
    with pytest.raises(ConfigError, match="goes with augment of pictures"):
        TrainConfig.of({"augment": {"kind": "patches"}})
    with pytest.raises(ConfigError, match="run on pieces of a CT is needed"):
        Patches([], TrainConfig(), PatchDataConfig())
    with pytest.raises(ConfigError, match="run on pictures is needed"):
        _ = TINY.picture_augment


def test_runs_on_pictures_keep_their_hash():
    """Their changes say no kind, as before there were others."""
    assert "kind" not in TrainConfig().plain()["augment"]
    assert TINY.plain()["augment"]["kind"] == "patches"


def test_pieces_of_a_nodule_are_judged_together_too():
    truth = np.zeros((6, 6, 6), bool)
    truth[1:3, 1:3, 1:3] = True
    found = judge([truth * 1.0, truth * 0.0, truth * 1.0], [truth] * 3, "dice_mean", groups=("a", "a", "b"))
    assert found["dice_mean"] == pytest.approx(2 / 3)
    assert found["dice_by_nodule"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["lesion_sensitivity"] == pytest.approx(2 / 3)


def test_the_slice_that_is_drawn_shows_most_of_the_nodule():
    truth = np.zeros((6, 5, 5), bool)
    truth[2, 1:3, 1] = truth[4, 1:4, 1] = True
    assert middle_slice(truth) == (4,)
    assert middle_slice(truth[0]) == (...,)


LEARNING = TrainConfig.of(
    {
        **POINTED.plain(),
        "model": {"name": "slim_unet3d", "options": {**POINTED.model.options, "dropout": 0.2}},
        "sampling": {"hard_negatives": 2.0, "lesion_share": 0.7},
        "trainer": {**POINTED.trainer.plain(), "epochs": 4, "ema": 0.5, "batch_size": 3, "panels_every": 0},
    }
)


def learning_cases(kind=Patches):
    judged = [patch("LIDC-IDRI-0006", seed=30 + seed, radius=5, size=16) for seed in range(3)]
    judged = [replace(one, prior=point_map(one.truth.shape, one.point_zyx, one.voxel_mm)) for one in judged]
    return Cases(kind(SAMPLES, LEARNING, LEARNING.data), judged, groups=("a", "a", "b"))


class StoppedError(Exception):
    pass


class Fatal(Patches):
    """Pieces of which one stops the run."""

    def draw(self, epoch, place, case):
        if epoch == 2 and place == 5:
            raise StoppedError
        return super().draw(epoch, place, case)


def run(out, cases, seed=0):
    torch.manual_seed(seed)
    return fit(LEARNING.model.build(), cases, LEARNING, MACHINE, out)


def test_a_run_learns_and_a_stopped_one_goes_on_with_the_same_losses(tmp_path, monkeypatch):
    """To the last digit: of dropout, points, hard negatives, the running mean."""
    monkeypatch.setattr("hilum.train.fit.training_curves", lambda _: b"")
    fitted = run(tmp_path / "whole", learning_cases())
    assert fitted.best["dice_mean"] > 0.5
    assert 0 < fitted.best["dice_by_nodule"] <= 1
    with pytest.raises(StoppedError):
        run(tmp_path / "stopped", learning_cases(Fatal))
    run(tmp_path / "stopped", learning_cases(), seed=5)
    assert (tmp_path / "stopped" / "metrics.csv").read_text() == (tmp_path / "whole" / "metrics.csv").read_text()
    whole, stopped = (load_file(tmp_path / name / "model" / "weights.safetensors") for name in ("whole", "stopped"))
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)


def test_pieces_of_any_size_are_judged_on_their_own_voxels():
    network = TINY.model.build()
    some = [patch(size=12, radius=2), patch(size=17, radius=3)]
    found = probabilities(network, some, 2, "cpu")
    assert [one.shape for one in found] == [(12, 12, 12), (17, 17, 17)]


def test_a_smooth_image_stays_what_it_was_where_nothing_is_drawn():
    config = TINY.model_copy(update={"augment": PatchAugmentConfig.none()})
    shown = Patches(SAMPLES, config, config.data).draw(3, 1, 0)
    np.testing.assert_array_equal(planes(shown), planes(SAMPLES[0]))
