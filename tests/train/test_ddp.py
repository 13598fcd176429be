"""Two processes that share each batch learn what one does.

That holds for losses that are means over pictures, as BCE is, and for networks without batch norm: a Dice loss over the
whole batch is another function of two halves, and each process normalises by its own half. DDP takes the mean of the
processes' gradients, which one test sees; the others take that mean themselves, for every loss and norm.
"""

import copy

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from hilum.losses.catalogue import build_loss
from hilum.losses.choice import LossConfig
from hilum.models.catalogue import ModelConfig
from hilum.models.output import Segmentation
from hilum.recipes.catalogue import RECIPES, recipe
from hilum.train.card import hardware
from hilum.train.config import Machine
from hilum.train.fit import Pictures, lightning, quiet
from hilum.train.module import Learner
from hilum.train.phases import Phases
from tests.losses.batches import EVERY, mapped, output, tensors, truth
from tests.train.tiny import cases, changed


class Gradients(pl.Callback):
    """Writes the first process's gradients of every step, and stops after three."""

    def __init__(self, out):
        self.out, self.steps = out, []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):  # noqa: ARG002
        self.steps.append(torch.cat([one.grad.flatten() for one in pl_module.parameters()]).numpy().copy())
        trainer.should_stop = len(self.steps) == 3
        if trainer.is_global_zero:
            np.save(self.out, np.stack(self.steps))


CONFIG = changed(epochs=2).model_copy(
    update={
        "model": ModelConfig(name="unet", options={"widths": (4, 8), "stem": "full", "norm": "group"}),
        "loss": LossConfig(name="bce"),
    }
)


def gradients(out, processes):
    torch.manual_seed(0)
    learner = Learner(CONFIG.model.build(), CONFIG)
    machine = Machine(device="cpu", threads=1, processes=processes)
    with quiet(1):
        trainer = lightning([Phases(CONFIG), Gradients(out)], CONFIG, machine, ".", limit_val_batches=0)
        trainer.fit(learner, datamodule=Pictures(cases(), CONFIG, 0))
    return np.load(out)


def test_two_processes_have_the_gradients_of_one(tmp_path):
    one, two = (gradients(tmp_path / f"{processes}.npy", processes) for processes in (1, 2))
    assert np.abs(one).max() > 0
    np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-7)


SAME = {
    *("bce", "bce, weight 7", "focal", "focal without alpha", "squared_error", "boundary"),
    *("presence", "presence, sharp"),
    "dice over each sample",
}
"""Losses of `tests.losses.batches.EVERY` of which two halves have the slope of the whole, where weights are alike."""


def slopes(loss, given, target):
    """Gradients with respect to all logits, [B, …] flattened."""
    leaves = mapped(given, lambda one: one.clone().requires_grad_())
    loss(leaves, target).total.backward()
    grads = [torch.zeros_like(one) if one.grad is None else one.grad for one in tensors(leaves)]
    return torch.cat([one.flatten(1) for one in grads], 1)


def half(given, part):
    return Segmentation(given.logits[part], given.attention[part], tuple(one[part] for one in given.deep))


def is_shared_alike(loss):
    """Whether the mean of two halves' gradients is the whole batch's."""
    given, target = output((4, 1, 8, 12)), truth((4, 1, 8, 12))
    parts = slice(0, 2), slice(2, 4)
    apart = [slopes(loss, half(given, part), target[part]) / 2 for part in parts]
    return torch.allclose(torch.cat(apart), slopes(loss, given, target), rtol=1e-9, atol=1e-14)


def test_exactly_these_losses_are_of_two_processes_what_they_are_of_one():
    assert {key for key, (name, options) in EVERY.items() if is_shared_alike(build_loss(name, options))} == SAME


@pytest.mark.parametrize(("norm", "is_same"), [("batch", False), ("instance", True), ("group", True)])
def test_only_batch_norm_is_another_of_two_processes(norm, is_same):
    torch.manual_seed(0)
    network = ModelConfig(name="unet", options={"widths": (4, 8), "stem": "full", "norm": norm}).build().train()
    image = torch.rand(4, 1, 16, 16)
    with torch.no_grad():
        whole = copy.deepcopy(network)(image).logits
        halves = torch.cat([copy.deepcopy(network)(image[n : n + 2]).logits for n in (0, 2)])
    assert torch.allclose(halves, whole, atol=1e-5) is is_same


BATCH_NORMS = (torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)


def test_no_recipe_is_the_same_run_on_two_processes():
    """As the how-to says: every one has batch norm, or takes its loss over the batch."""
    for name in RECIPES:
        config = recipe(name)
        with torch.device("meta"):
            has_batch_norm = any(isinstance(one, BATCH_NORMS) for one in config.model.build().modules())
        assert has_batch_norm or not is_shared_alike(config.loss.build()), name


def test_the_card_says_how_many_processes_there_were():
    assert "**2 processes shared each batch**" in " ".join(hardware(2))
    assert "shared each batch" not in " ".join(hardware())
