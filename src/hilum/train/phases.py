"""Which parts of the network learn in which epoch, how fast, and from which random numbers."""

# ruff: noqa: ARG002  # Lightning decides what a hook is given

from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from hilum.models.network import Network
from hilum.models.parts import rest_frozen, train_only
from hilum.train.config import ALL, Phase, TrainConfig
from hilum.train.module import Learner
from hilum.train.optimiser import PEAK, adamw
from hilum.train.schedule import Plateau, factor_at


def seed_of(seed: int, epoch: int, rank: int = 0) -> int:
    """A seed for what a process draws within the network (dropout) in one epoch."""
    return int(np.random.SeedSequence((seed, epoch, rank)).generate_state(1)[0])


def set_learning(network: Network, phase: Phase) -> None:
    """Let a phase's parts learn and freeze all others, batch norm's running means included.

    Raises:
        ConfigError: the network has no such part, or fewer stages.
    """
    names = tuple(network.parts()) if ALL in phase.train else phase.train
    network.train()
    train_only(network, names, phase.encoder_stages)
    rest_frozen(network)


def require_fitting(network: Network, config: TrainConfig) -> None:
    """Check that the network has the parts and stages that phases and rates speak of.

    Raises:
        ConfigError: it hasn't.
    """
    adamw(network, config.optimiser)
    for phase in config.phases:
        set_learning(network, phase)


class Phases(pl.Callback):
    """Before each epoch: its seed, and its phase's parts and loss. Nothing is carried over from the epoch before."""

    def __init__(self, config: TrainConfig) -> None:
        self._config = config

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Enter the epoch."""
        learner = cast("Learner", pl_module)
        learner.phase = self._config.phase_at(trainer.current_epoch + 1)
        set_learning(learner.network, self._config.phases[learner.phase])
        torch.manual_seed(seed_of(self._config.trainer.seed, trainer.current_epoch, trainer.global_rank))


class Rates(pl.Callback):
    """Before each step: every group's rate. After each epoch: whether a plateau was reached."""

    def __init__(self, config: TrainConfig) -> None:
        self._config = config
        self._plateau = Plateau(config.schedule)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Set the rates."""
        progress = trainer.current_epoch + batch_idx / trainer.num_training_batches
        factor = factor_at(progress, self._config.trainer.epochs, self._config.schedule) * self._plateau.factor
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = group[PEAK] * factor

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take in the monitored figure."""
        if self._config.schedule.kind == "plateau":
            self._plateau.see(cast("Learner", pl_module).figures[self._config.trainer.monitor])

    def state_dict(self) -> dict[str, float]:
        """What a checkpoint keeps."""
        return self._plateau.state()

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Go on from there."""
        self._plateau.restore(state_dict)


class Ema(pl.Callback):
    """An exponential running mean of the weights (Polyak and Juditsky 1992), judged and kept in place of the last ones.

    The memory grows with the number of steps, min(memory, (1 + n) / (10 + n)), so that the start is soon forgotten.
    """

    def __init__(self, memory: float) -> None:
        self._memory = memory
        self._steps = 0
        self._seen = 0
        self._mean: dict[str, Tensor] = {}
        self._own: dict[str, Tensor] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count the steps from here on."""
        self._seen = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Take in the weights after a step; a batch whose gradient is only added to the next one's makes none."""
        if trainer.global_step == self._seen:
            return
        self._seen = trainer.global_step
        memory = min(self._memory, (1 + self._steps) / (10 + self._steps))
        self._steps += 1
        for name, value in cast("Learner", pl_module).network.state_dict().items():
            mean = self._mean.get(name)
            if mean is None or not value.is_floating_point():
                self._mean[name] = value.detach().clone()
            else:
                mean.lerp_(value.detach(), 1 - memory)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the mean in place."""
        network = cast("Learner", pl_module).network
        self._own = {name: value.detach().clone() for name, value in network.state_dict().items()}
        network.load_state_dict(self._mean or self._own)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on learning from the last weights."""
        cast("Learner", pl_module).network.load_state_dict(self._own)
        self._own = {}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"steps": self._steps, "mean": self._mean}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self._steps, self._mean = state_dict["steps"], state_dict["mean"]
