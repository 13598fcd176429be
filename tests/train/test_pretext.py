"""Hidden squares: how many, what a network sees of them, and that it learns to redraw them without any mask."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hilum.core import ConfigError, InputError
from hilum.datasets.xray_config import AugmentConfig
from hilum.datasets.xray_sample import XraySample
from hilum.losses.choice import LossConfig
from hilum.models.catalogue import ModelConfig
from hilum.train.config import PretextConfig, TrainConfig
from hilum.train.fit import Cases, fit
from hilum.train.pretext import GREY, HiddenXrays, hidden, hidden_once, hidden_squares, judge_redrawn
from hilum.train.xrays import Xrays
from tests.train.tiny import MACHINE, TINY

PRETEXT = PretextConfig(share=0.4, square_mm=5.6)
TASK = TINY.model_copy(
    update={
        "model": ModelConfig(name="unet", options={"widths": (8, 16), "stem": "full", "start_probability": 0.4}),
        "loss": LossConfig(name="squared_error"),
        "augment": AugmentConfig.none(),
        "pretext": PRETEXT,
        "trainer": TINY.trainer.model_copy(update={"monitor": "explained", "epochs": 8, "panels_every": 8}),
    }
)


def wave(number):
    """Smooth stripes, so that what is hidden can be told from its surroundings."""
    rng = np.random.default_rng(number)
    rows, columns = np.indices((32, 32))
    angle, phase = rng.uniform(0, np.pi, 2)
    along = rows * np.sin(angle) + columns * np.cos(angle)
    image = (0.5 + 0.4 * np.sin(along / 5 + phase)).astype(np.float32)
    empty = np.zeros(image.shape, dtype=bool)
    return XraySample(str(number), "nobody", image, empty, np.ones_like(image), pixel_mm=1.4)


@pytest.mark.parametrize("share", [0.25, 0.6])
def test_a_share_of_squares_is_hidden_whole(share):
    squares = hidden_squares(np.random.default_rng(0), (400, 320), PretextConfig(share=share, square_mm=11.2), 1.4)
    assert squares.shape == (400, 320)
    assert squares.mean() == pytest.approx(share, abs=0.05)
    steps = np.flatnonzero(np.diff(squares.astype(int), axis=0).any(axis=1))
    assert set(np.diff(steps) % 8) == {0}


def test_a_network_sees_nothing_of_what_is_hidden_and_is_asked_for_nothing_else():
    sample = wave(0)
    weight = sample.weight.copy()
    weight[:6] = 0
    shown = hidden(replace(sample, weight=weight), PRETEXT, np.random.default_rng(1))
    where = shown.weight > 0
    assert where.any()
    assert not where[:6].any()
    assert (shown.image[where] == GREY).all()
    np.testing.assert_array_equal(shown.truth, sample.image)
    untouched = shown.image != GREY
    np.testing.assert_array_equal(shown.image[untouched], sample.image[untouched])


def test_noise_is_on_what_is_shown_alone():
    noisy = hidden(wave(0), PRETEXT.model_copy(update={"noise_level": 0.1}), np.random.default_rng(1))
    plain = hidden(wave(0), PRETEXT, np.random.default_rng(1))
    np.testing.assert_array_equal(noisy.truth, plain.truth)
    np.testing.assert_array_equal(noisy.weight, plain.weight)
    apart = (noisy.image - plain.image)[plain.weight == 0]
    assert 0.05 < apart.std() < 0.12


def test_figures_by_hand():
    """The mean of what is shown explains nothing; the picture itself explains all."""
    samples = hidden_once([wave(0), wave(1)], PRETEXT)
    means = [np.full((32, 32), one.image[one.weight == 0].mean()) for one in samples]
    assert judge_redrawn(means, samples)["explained"] == pytest.approx(0, abs=1e-6)
    perfect = judge_redrawn([one.truth.astype(float) for one in samples], samples)
    assert (perfect["explained"], perfect["hidden_error"]) == (1, 0)
    assert perfect["trivial_error"] > 0.01


def test_it_learns_to_redraw_better_than_the_mean(tmp_path):
    learning = HiddenXrays(Xrays([wave(number) for number in range(16)], TASK), PRETEXT, seed=0)
    torch.manual_seed(0)
    judged = hidden_once([wave(number) for number in range(90, 94)], PRETEXT)
    fitted = fit(TASK.model.build(), Cases(learning, judged), TASK, MACHINE, tmp_path)
    assert fitted.best["hidden_error"] < 0.7 * fitted.best["trivial_error"]
    assert fitted.rows[-1]["train_loss"] < 0.7 * fitted.rows[0]["train_loss"]
    assert (tmp_path / "panels" / "epoch_008.png").stat().st_size > 1000


def test_other_squares_are_hidden_each_time_and_a_draw_can_be_replayed():
    learning = HiddenXrays(Xrays([wave(0)], TASK), PRETEXT, seed=3)
    first, again, next_epoch = (learning.draw(epoch, 0, 0).weight for epoch in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != next_epoch).any()


@pytest.mark.parametrize(
    "fields",
    [
        {"pretext": {}},
        {"trainer": {"monitor": "explained"}},
        {"pretext": {}, "trainer": {"monitor": "explained"}, "insertion": {"share": 0.5}},
    ],
)
def test_a_run_has_one_task(fields):
    with pytest.raises(ConfigError, match="with pretext"):
        TrainConfig.of(fields)


def test_a_stopped_run_goes_on_as_if_it_had_not_been(tmp_path):
    class Stopped(HiddenXrays):
        def draw(self, epoch, place, case):
            if epoch == 1:
                raise InputError("stopped")
            return super().draw(epoch, place, case)

    config = TASK.model_copy(update={"trainer": TASK.trainer.model_copy(update={"epochs": 2, "panels_every": 0})})
    judged = hidden_once([wave(90)], PRETEXT)

    def go(out, kind):
        torch.manual_seed(0)
        learning = kind(Xrays([wave(number) for number in range(4)], config), PRETEXT, seed=0)
        return fit(config.model.build(), Cases(learning, judged), config, MACHINE, tmp_path / out)

    go("whole", HiddenXrays)
    with pytest.raises(InputError, match="stopped"):
        go("cut", Stopped)
    go("cut", HiddenXrays)
    assert (tmp_path / "cut" / "metrics.csv").read_text() == (tmp_path / "whole" / "metrics.csv").read_text()
