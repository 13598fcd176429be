"""Which learning rate: one short run in which it rises exponentially, and the loss tells (Smith 2017).

On Lightning's trainer, but not by its tuner, which writes a checkpoint to the disk and a bar of its own to the screen.
"""

# ruff: noqa: ARG002  # Lightning decides what a hook is given

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytorch_lightning as pl

from hilum.core import ConfigError, TrainError
from hilum.core.geometry import Floats
from hilum.models.network import Network
from hilum.train.checkpointing import computed_again
from hilum.train.config import Machine, TrainConfig
from hilum.train.fit import Cases, Pictures, lightning, quiet
from hilum.train.guard import failures_said
from hilum.train.module import Learner
from hilum.train.phases import Phases

STEPS, LOWEST, HIGHEST = 100, 1e-7, 1.0
_MEMORY = 0.9
"""Of the running mean of the loss."""
_SKIPPED = 10
"""Steps at the beginning that don't count for the lowest mean: it is then of one or a few batches (Howard and Gugger's
and Lightning's finders leave out as many)."""
_TOO_HIGH = 4.0
"""The run ends when the mean is so many times its lowest."""


@dataclass(frozen=True, eq=False)
class FoundRate:
    """What the short run showed.

    Attributes:
        rates: [n] of each step.
        losses: [n] running mean.
        suggested: a tenth of the rate at which the mean is lowest; NaN when it never falls.
    """

    rates: Floats
    losses: Floats
    suggested: float


class Rising(pl.Callback):
    """Raises the rate of all parts from step to step, until the loss runs away or the steps are over.

    A step has the mean loss of the batches that make it.
    """

    def __init__(self, steps: int) -> None:
        self._rates = np.geomspace(LOWEST, HIGHEST, steps)
        self._mean = 0.0
        self._pending: list[float] = []
        self._seen = 0
        self.losses: list[float] = []

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Set the rate."""
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = float(self._rates[min(len(self.losses), len(self._rates) - 1)])

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Take in the loss of the step before; the mean is corrected for its beginning at 0 (Kingma and Ba 2015)."""
        self._pending.append(float(outputs["loss"]))
        if trainer.global_step == self._seen:
            return
        loss, self._seen, self._pending = float(np.mean(self._pending)), trainer.global_step, []
        self._mean = _MEMORY * self._mean + (1 - _MEMORY) * loss
        corrected = self._mean / (1 - _MEMORY ** (len(self.losses) + 1))
        if not math.isfinite(corrected) or (self.losses and corrected > _TOO_HIGH * min(self.losses)):
            trainer.should_stop = True
            return
        self.losses.append(corrected)
        trainer.should_stop = len(self.losses) >= len(self._rates)

    def found(self) -> FoundRate:
        """A tenth of the rate with the lowest loss (Howard and Gugger 2020: the `minimum` rule of fastai).

        Not the steepest step: on single batches of pictures with few lesions that is noise.

        Raises:
            TrainError: too few steps were made to say.
        """
        if len(self.losses) < 5:
            raise TrainError(
                f"the learning rate can't be looked for: the loss ran away after {len(self.losses)} steps.",
                "Check the data and the loss.",
            )
        losses = np.array(self.losses)
        first = min(_SKIPPED, len(losses) // 2)
        lowest = first + int(np.argmin(losses[first:]))
        suggested = float(self._rates[lowest]) / 10 if lowest > first else math.nan
        return FoundRate(self._rates[: len(losses)], losses, suggested)


def find_rate(network: Network, cases: Cases, config: TrainConfig, machine: Machine, steps: int = STEPS) -> FoundRate:
    """Look for a learning rate on a copy of the network.

    All parts have one rate, whatever `optimiser.lr_of` says; parts and loss are those of the first phase. Batches,
    their accumulation, clipping and checkpointing are those of a run.

    Raises:
        ConfigError: several processes are to share it.
        TrainError: the loss ran away at once, or the memory is not enough.
    """
    require_one_process(machine)
    rising = Rising(steps)
    learner = Learner(copy.deepcopy(network), config)
    endless = config.model_copy(update={"trainer": config.trainer.model_copy(update={"epochs": steps})})
    again = computed_again(learner.network, config.trainer.gradient_checkpointing)
    options = {"limit_val_batches": 0, "gradient_clip_val": config.trainer.clip_norm or None}
    with quiet(machine.threads), failures_said(), again:
        trainer = lightning([Phases(config), rising], endless, machine, ".", **options)
        trainer.fit(learner, datamodule=Pictures(cases, config, machine.workers))
    return rising.found()


def require_one_process(machine: Machine) -> None:
    """Refuse to look for a rate in several processes: the losses would stay in theirs.

    Raises:
        ConfigError: there are several.
    """
    if machine.processes > 1:
        raise ConfigError(
            f"a learning rate is looked for in one process, not in {machine.processes}.", "Leave --processes out."
        )
