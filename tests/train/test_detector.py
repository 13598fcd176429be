"""The detector in the training system: it learns balls, a stopped run goes on alike, and its loss is its own."""

import pytest
import torch
from safetensors.torch import load_file

from hilum.core import ConfigError
from hilum.recipes.catalogue import recipe
from hilum.train.card_use import use_of
from hilum.train.config import Machine, TrainConfig
from hilum.train.fit import Cases, fit
from hilum.train.judged_model import alone
from hilum.train.patches import Patches
from tests.patches import TINY, patch

pytestmark = pytest.mark.usefixtures("one_thread")
MACHINE = Machine(device="cpu", threads=1)
SMALL = {"widths": (4, 8, 12), "blocks": (0, 1, 1), "channels": 16, "convolutions": 1, "anchor_scales": (1,)}
LEARNING = TrainConfig.of(
    {
        **TINY.plain(),
        "model": {"name": "retina3d", "options": {**SMALL, "anchors_px": (6, 10), "dropout": 0.1}},
        "loss": {"name": "retina"},
        "optimiser": {"lr": 0.005},
        "sampling": {"hard_negatives": 2.0, "lesion_share": 0.7},
        "trainer": {**TINY.trainer.plain(), "epochs": 12, "ema": 0.3, "batch_size": 3, "panels_every": 0},
    }
)
SAMPLES = [patch(nodule=str(seed), radius=3 + seed % 3, seed=seed) for seed in range(9)]
SAMPLES += [patch(nodule="", radius=0, seed=seed) for seed in range(9, 12)]
JUDGED = [patch("LIDC-IDRI-0006", seed=30 + seed, radius=4, size=20) for seed in range(3)]


class StoppedError(Exception):
    pass


class Fatal(Patches):
    """Pieces of which one stops the run."""

    def draw(self, epoch, place, case):
        if epoch == 3 and place == 5:
            raise StoppedError
        return super().draw(epoch, place, case)


def run(out, kind=Patches, seed=0):
    torch.manual_seed(seed)
    network = LEARNING.model.build()
    fitted = fit(network, Cases(kind(SAMPLES, LEARNING, LEARNING.data), JUDGED), LEARNING, MACHINE, out)
    return fitted, network


def test_a_run_learns_and_a_stopped_one_goes_on_with_the_same_losses(tmp_path, monkeypatch):
    monkeypatch.setattr("hilum.train.fit.training_curves", lambda _: b"")
    fitted, network = run(tmp_path / "whole")
    losses = [row["train_class"] + row["train_box"] for row in fitted.rows]
    assert losses[-1] == pytest.approx(fitted.rows[-1]["train_loss"], rel=1e-4)
    assert losses[-1] < 0.8 * max(losses[:3])
    assert fitted.best["dice_mean"] > 0.25
    assert fitted.best["lesion_sensitivity"] == 1
    with pytest.raises(StoppedError):
        run(tmp_path / "stopped", Fatal)
    run(tmp_path / "stopped", seed=5)
    assert (tmp_path / "stopped" / "metrics.csv").read_text() == (tmp_path / "whole" / "metrics.csv").read_text()
    whole, stopped = (load_file(tmp_path / name / "model" / "weights.safetensors") for name in ("whole", "stopped"))
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)
    maps = alone(network, JUDGED, 2, "cpu")
    assert [one.shape for one in maps] == [(20, 20, 20)] * 3
    assert 0 <= min(one.min() for one in maps) <= max(one.max() for one in maps) <= 1


def test_boxes_and_masks_have_losses_of_their_own():
    plain = recipe("nodule3d_detector").plain()
    for fields in ({"loss": {"name": "bce_dice"}}, {"phases": [{}, {"first_epoch": 3, "loss": {"name": "focal"}}]}):
        with pytest.raises(ConfigError, match=r"retina3d gives boxes, and the loss \w+ is not of these; .* to retina"):
            TrainConfig.of({**plain, **fields})
    with pytest.raises(ConfigError, match="slim_unet3d gives masks, and the loss retina is not of these"):
        TrainConfig.of({**recipe("nodule3d").plain(), "loss": {"name": "retina"}})


def test_its_card_says_that_it_finds_and_outlines_nothing():
    said = use_of(LEARNING.data, finds_boxes=LEARNING.model.finds_boxes)
    assert "both lungs" in said
    assert "outlines nothing" in said
    assert "not for finding" in use_of(TINY.data, finds_boxes=TINY.model.finds_boxes)


def test_cubes_smaller_than_the_stride_are_padded():
    network = LEARNING.model.build().eval()
    one = patch(size=13, radius=2)
    assert alone(network, [one], 1, "cpu")[0].shape == (13, 13, 13)
