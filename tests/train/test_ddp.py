"""Two processes that share each batch learn what one does.

That holds for losses that are means over pictures, as BCE is, and for networks without batch norm: a Dice loss over the
whole batch is another function of two halves, and each process normalises by its own half.
"""

import numpy as np
import pytorch_lightning as pl
import torch

from hilum.losses.choice import LossConfig
from hilum.models.catalogue import ModelConfig
from hilum.train.config import Machine
from hilum.train.fit import Pictures, lightning, quiet
from hilum.train.module import Learner
from hilum.train.phases import Phases
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
