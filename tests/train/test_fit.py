"""A run learns, stops, goes on and refuses."""

import csv
import json
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from hilum.core import ConfigError, InputError, TrainError, UnreadableError
from hilum.datasets.xray_config import AugmentConfig, SamplingConfig
from hilum.infer.loaded import load_network
from hilum.losses.choice import LossConfig
from hilum.models.catalogue import ModelConfig
from hilum.train import checkpointing, hard
from hilum.train.config import OptimiserConfig, Phase, ScheduleConfig
from hilum.train.finder import find_rate
from hilum.train.fit import Cases, fit
from hilum.train.judged_model import probabilities
from hilum.train.judging import judge
from hilum.train.keeping import CHECKPOINT, read_checkpoint
from hilum.train.module import Learner
from hilum.train.silence import silent_epochs
from hilum.train.xrays import Xrays
from tests.train.tiny import EVERYTHING, MACHINE, TINY, Discs, cases, changed, disc, everything


def run(out, config=TINY, data=None, weights_seed=0):
    torch.manual_seed(weights_seed)
    return fit(config.model.build(), data or cases(), config, MACHINE, out)


def rows_of(out):
    with (out / "metrics.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_it_learns_and_leaves_what_it_promises(tmp_path):
    config = changed(epochs=10, panels_every=5)
    fitted = run(tmp_path, config)
    rows = rows_of(tmp_path)
    assert len(rows) == fitted.epochs == 10
    assert float(rows[-1]["train_loss"]) < 0.7 * float(rows[0]["train_loss"])
    assert fitted.best["dice_mean"] > 0.5
    assert {"train_bce", "train_dice", "validation_loss", "lr_encoder", "gradient_norm", "threshold"} <= rows[0].keys()
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    expected = {"training_curves.png", "model/weights.safetensors", "model/config.json", "checkpoints/last.ckpt"}
    assert expected | {"panels/epoch_005.png", "panels/epoch_010.png"} <= names
    assert any(name.startswith("tensorboard/events") for name in names)
    stored = json.loads((tmp_path / "model" / "config.json").read_text())
    assert stored["hash"] == config.hash
    assert stored["validation"]["epoch"] == fitted.best["epoch"]
    chosen = {name: stored["threshold"][name] for name in ("split", "split_hash", "patients")}
    assert chosen == {"split": "validation", "split_hash": "", "patients": ["nobody"]}
    modes = {(tmp_path / "model" / name).stat().st_mode for name in ("weights.safetensors", "config.json")}
    assert len(modes) == 1, "whoever may read the configuration may read the weights"


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from hilum.train.fit import fit
from tests.train.tiny import MACHINE, Discs, cases, changed

class Fatal(Discs):
    def draw(self, epoch, place, case):
        if epoch == 2 and place == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().draw(epoch, place, case)

data = cases()
config = changed(**eval(sys.argv[2]))
torch.manual_seed(0)
fit(config.model.build(), type(data)(Fatal(), data.judged), config, MACHINE, Path(sys.argv[1]))
"""


def test_a_killed_run_goes_on_with_the_same_losses(tmp_path):
    """To the last digit: of dropout, optimiser, schedule, running mean, in bfloat16."""
    options = {"ema": 0.9, "precision": "bf16"}
    config = changed(**options)
    run(tmp_path / "whole", config)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), repr(options)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(rows_of(tmp_path / "killed")) == 2
    run(tmp_path / "killed", config, weights_seed=5)
    assert (tmp_path / "killed" / "metrics.csv").read_text() == (tmp_path / "whole" / "metrics.csv").read_text()
    whole, killed = (load_file(tmp_path / name / "model" / "weights.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], killed[name]) for name in whole)


KILLED_LATE = """
import os, signal, sys
from pathlib import Path
import torch
from hilum.train.fit import fit
from hilum.train.xrays import Xrays
from tests.train.tiny import EVERYTHING, MACHINE, everything

class Fatal(Xrays):
    def draw(self, epoch, place, case):
        if epoch == 4 and place == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().draw(epoch, place, case)

torch.manual_seed(0)
fit(EVERYTHING.model.build(), everything(Fatal), EVERYTHING, MACHINE, Path(sys.argv[1]))
"""


def test_a_killed_run_that_needs_everything_goes_on_with_the_same_losses(tmp_path):
    """Killed in its second phase, after the plateau has lowered the rate and hard negatives have been found."""
    whole = everything()
    fitted = run(tmp_path / "whole", EVERYTHING, whole)
    command = [sys.executable, "-c", KILLED_LATE, str(tmp_path / "killed")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    cut = rows_of(tmp_path / "killed")
    assert [row["phase"] for row in cut] == ["1", "1", "2", "2"]
    assert float(cut[-1]["lr_encoder"]) < EVERYTHING.optimiser.lr, "the plateau was met"
    state = read_checkpoint(tmp_path / "killed" / CHECKPOINT, EVERYTHING)["callbacks"]
    assert len(set(state["HardNegatives"]["hard"])) > 1
    assert state["Ema"]["steps"] == 2 * 4, "steps of two batches of two"
    more = everything()
    again = run(tmp_path / "killed", EVERYTHING, more, weights_seed=5)
    assert (tmp_path / "killed" / "metrics.csv").read_text() == (tmp_path / "whole" / "metrics.csv").read_text()
    np.testing.assert_array_equal(more.learning.hard, whole.learning.hard)
    kept = [load_file(tmp_path / name / "model" / "weights.safetensors") for name in ("whole", "killed")]
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])
    assert again.best == fitted.best
    assert fitted.best["dice_mean"] > 0.5, "it learns"


class Poisoned(Discs):
    """One picture whose brightness is no number."""

    def draw(self, epoch, place, case):
        one = super().draw(epoch, place, case)
        return replace(one, image=one.image * np.float32(np.nan)) if (epoch, place) == (1, 2) else one


def test_a_loss_that_is_no_number_stops_the_run_and_saves_the_batch(tmp_path):
    data = cases()
    with pytest.raises(TrainError, match=r"loss became nan in epoch 2.*failed_batch.npz") as error:
        run(tmp_path, data=Cases(Poisoned(), data.judged))
    assert "another folder with a lower optimiser.lr" in error.value.remedy
    assert f"--from {tmp_path} takes" in error.value.remedy
    assert load_network(str(tmp_path)).config["validation"]["epoch"] == 1
    with np.load(tmp_path / "failed_batch.npz") as saved:
        assert np.isnan(saved["image"]).any()
        assert sorted(saved["case"].tolist()) == sorted(Discs().order(1)[:4])
    assert len(rows_of(tmp_path)) == 1


def test_a_step_that_no_number_can_hold_is_said(tmp_path):
    config = TINY.model_copy(
        update={"optimiser": OptimiserConfig(lr=1e38), "schedule": ScheduleConfig(warmup_epochs=0)}
    )
    with pytest.raises(TrainError, match="too large for numbers of 32 bits") as error:
        run(tmp_path, config)
    assert "optimiser.lr" in error.value.remedy


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    run(tmp_path, changed(epochs=1))
    with pytest.raises(ConfigError, match="of another configuration"):
        run(tmp_path, changed(epochs=2))
    (tmp_path / "checkpoints" / "last.ckpt").write_bytes(b"nothing")
    with pytest.raises(UnreadableError, match="no checkpoint of hilum"):
        run(tmp_path, changed(epochs=1))


def test_a_complete_run_learns_nothing_more(tmp_path):
    run(tmp_path)
    kept = [(tmp_path / name).read_bytes() for name in ("model/weights.safetensors", "metrics.csv")]
    run(tmp_path)
    assert [(tmp_path / name).read_bytes() for name in ("model/weights.safetensors", "metrics.csv")] == kept


def test_it_stops_when_nothing_improves_and_keeps_the_best(tmp_path):
    config = changed(epochs=30, patience=2)
    still = config.model_copy(update={"optimiser": OptimiserConfig(lr=1e-12)})
    fitted = run(tmp_path, still)
    assert fitted.epochs < 30
    best = max(row["dice_mean"] for row in fitted.rows)
    assert fitted.best["dice_mean"] == best
    assert fitted.epochs == fitted.best["epoch"] + 2


@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_the_kept_model_has_the_figures_of_its_epoch(memory, tmp_path):
    """With a running mean it is the mean that is kept."""
    fitted = run(tmp_path, changed(epochs=8, ema=memory))
    network, judged = TINY.model.build(), cases().judged
    network.load_state_dict(load_file(tmp_path / "model" / "weights.safetensors"))
    found = judge(probabilities(network, judged, 4, "cpu"), [one.truth for one in judged], "dice_mean")
    assert found["dice_mean"] == pytest.approx(fitted.best["dice_mean"]) == max(row["dice_mean"] for row in fitted.rows)
    assert found["dice_mean"] > 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_workers_change_nothing(tmp_path):
    data = Cases(Xrays(Discs().samples, TINY), cases().judged)
    for workers in (0, 1):
        torch.manual_seed(0)
        machine = MACHINE.model_copy(update={"workers": workers})
        fit(TINY.model.build(), data, TINY, machine, tmp_path / str(workers))
    assert (tmp_path / "0" / "metrics.csv").read_text() == (tmp_path / "1" / "metrics.csv").read_text()


def test_tensorboard_has_each_epoch_once(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1
    assert [one.step for one in events.Scalars("train/loss")] == [1, 2, 3, 4]
    shown = [one.value for one in events.Scalars("train/loss")]
    assert shown == pytest.approx([float(row["train_loss"]) for row in rows_of(tmp_path)])


def test_the_running_mean_counts_steps_and_not_batches(tmp_path):
    """Eight cases in batches of two, two of them a step: two steps an epoch."""
    config = changed(epochs=3, batch_size=2, accumulate=2, ema=0.9)
    run(tmp_path, config)
    assert read_checkpoint(tmp_path / CHECKPOINT, config)["callbacks"]["Ema"]["steps"] == 6


def test_the_rate_finder_goes_the_way_of_a_run(monkeypatch):
    """It accumulates, clips and checkpoints, and says that it can't be shared by processes."""
    clipped, again = [], []

    def remember(*_, gradient_clip_val=None, **__):
        clipped.append(gradient_clip_val)

    monkeypatch.setattr(Learner, "configure_gradient_clipping", remember)
    monkeypatch.setattr(checkpointing, "checkpoint", lambda forward, *inputs, **_: again.append(1) or forward(*inputs))
    config = changed(batch_size=2, accumulate=2, clip_norm=0.5, gradient_checkpointing=True)
    found = find_rate(config.model.build(), cases(), config, MACHINE, steps=10)
    assert len(found.losses) == len(clipped) <= 10
    assert set(clipped) == {0.5}
    assert len(again) >= 2 * 2 * len(clipped), "each stage for each batch"
    with pytest.raises(ConfigError, match="in one process, not in 2"):
        find_rate(config.model.build(), cases(), config, MACHINE.model_copy(update={"processes": 2}))


def test_an_interrupt_says_how_to_go_on_and_is_not_swallowed_for_good(tmp_path):
    class Interrupted(Discs):
        def draw(self, epoch, place, case):
            if epoch == 1:
                raise KeyboardInterrupt
            return super().draw(epoch, place, case)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(TrainError, match="The same command goes on"):
        run(tmp_path, data=Cases(Interrupted(), cases().judged))
    assert signal.getsignal(signal.SIGINT) is before
    assert run(tmp_path).epochs == 4


def test_deterministic_mode_leaves_no_trace_and_the_bar_none_without_a_terminal(tmp_path, capsys):
    config = changed(epochs=2, deterministic=True, gradient_checkpointing=True, accumulate=2)
    torch.manual_seed(0)
    machine = MACHINE.model_copy(update={"progress": True})
    fit(config.model.build(), cases(), config, machine, tmp_path)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() >= 1
    assert capsys.readouterr().out == ""


def test_a_network_that_marks_nothing_is_said_while_it_goes_on(tmp_path, caplog):
    """Of pictures without a single lesion it learns that there is none, and says so once, also across a restart."""

    class Empty(Discs):
        def draw(self, epoch, place, case):
            if epoch == self.until:
                raise InputError("stopped")
            one = super().draw(epoch, place, case)
            return replace(one, truth=np.zeros_like(one.truth))

    bright = {**TINY.model.options, "start_probability": 1e-3}
    config = changed(epochs=6).model_copy(update={"model": ModelConfig(name="unet", options=bright)})
    data = Cases(Empty(), cases().judged)
    data.learning.until = 2
    with pytest.raises(InputError, match="stopped"):
        run(tmp_path, config, data)
    assert not caplog.records
    data.learning.until = None
    fitted = run(tmp_path, config, data)
    (said,) = (record.getMessage() for record in caplog.records)
    assert "predicts nothing on validation since epoch 1" in said
    assert [row["marked_share"] for row in fitted.rows] == [0.0] * 6 == [fitted.best["marked_share"]] * 6
    assert silent_epochs(fitted.rows) == [1, 2, 3, 4, 5, 6]


def test_nothing_to_find_on_validation_is_said_at_once(tmp_path):
    empty = disc(np.random.default_rng(0), radius=0)
    with pytest.raises(TrainError, match="none of 2 validation cases has a lesion"):
        run(tmp_path, data=Cases(Discs(), [empty, empty]))


def test_phases_of_an_attended_network_and_their_pictures(tmp_path):
    """Attention alone, then all: with attention maps in the panels and both losses in the table."""
    small = {"resnet": {"width": 4, "blocks": (1, 1, 1, 1)}, "attention_channels": 4}
    config = changed(epochs=2, panels_every=1).model_copy(
        update={
            "model": ModelConfig(name="unet_skip", options=small),
            "phases": (
                Phase(train=("attention",), loss=LossConfig(name="attention")),
                Phase(
                    first_epoch=2,
                    loss=LossConfig(name="combined", options={"terms": [{"name": "bce"}, {"name": "attention"}]}),
                ),
            ),
        }
    )
    fitted = run(tmp_path, config)
    assert "train_bce" not in fitted.rows[0]
    assert {"train_bce", "train_attention"} <= fitted.rows[1].keys()
    assert rows_of(tmp_path)[0]["train_bce"] == "nan"
    assert (tmp_path / "panels" / "epoch_002.png").stat().st_size > 1000


def test_hard_negatives_are_those_of_the_weights_that_were_judged(tmp_path, monkeypatch):
    """With a running mean it is the mean, at whose threshold they are counted."""
    shown = []

    def remembered(network, *given):
        shown.append({name: value.clone() for name, value in network.state_dict().items()})
        return probabilities(network, *given)

    monkeypatch.setattr(hard, "probabilities", remembered)
    config = changed(epochs=2, ema=0.9).model_copy(update={"sampling": SamplingConfig(hard_negatives=3.0)})
    run(tmp_path, config, Cases(Xrays(Discs().samples, config), cases().judged))
    mean = read_checkpoint(tmp_path / CHECKPOINT, config)["callbacks"]["Ema"]["mean"]
    assert len(shown) == 2
    assert all(torch.equal(shown[-1][name], mean[name]) for name in mean)


def test_hard_negatives_come_from_the_last_pass_and_survive_a_restart(tmp_path):
    sampling = SamplingConfig(hard_negatives=3.0)
    unsure = ModelConfig(name="unet", options={**TINY.model.options, "start_probability": 0.5})
    config = changed(epochs=3).model_copy(
        update={"sampling": sampling, "model": unsure, "augment": AugmentConfig.none()}
    )
    judged = cases().judged
    samples = [disc(np.random.default_rng(case), radius=(case % 2) * 4) for case in range(8)]

    class Stopped(Xrays):
        def draw(self, epoch, place, case):
            if epoch == 2:
                raise InputError("stopped")
            return super().draw(epoch, place, case)

    whole, cut, more = (kind(samples, config) for kind in (Xrays, Stopped, Xrays))
    run(tmp_path / "whole", config, Cases(whole, judged))
    assert len(set(whole.hard)) > 1
    with pytest.raises(InputError, match="stopped"):
        run(tmp_path / "cut", config, Cases(cut, judged))
    run(tmp_path / "cut", config, Cases(more, judged))
    assert (tmp_path / "cut" / "metrics.csv").read_text() == (tmp_path / "whole" / "metrics.csv").read_text()
    np.testing.assert_array_equal(more.hard, whole.hard)
