"""The best model, early stopping, and the checkpoint that a killed run goes on from.

A checkpoint is of the end of an epoch. What an epoch draws follows from the seed and its number, so a run that goes on
from there has the same losses as one that was never stopped; an epoch that was cut short is learnt again.
"""

# ruff: noqa: ARG002  # Lightning decides what a hook is given

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch

from hilum.core import ConfigError, UnreadableError
from hilum.core.evaluation import Threshold
from hilum.io.atomic import atomic_file
from hilum.models.parts import require_fit
from hilum.train.adaptation_config import UnlabeledFacts
from hilum.train.config import TrainConfig
from hilum.train.module import Learner
from hilum.train.stored import MODEL, VALIDATION, threshold_record, write_model

CHECKPOINT = "checkpoints/last.ckpt"
SCHEMA = "hilum.checkpoint/1"


class Best(pl.Callback):
    """Writes the model whenever the monitored figure is higher than ever, and stops when it isn't for too long.

    Args:
        config: of the run.
        out: the run's folder.
        split_hash: of the stored split whose validation patients judge; "" when there is none.
        patients: those.
        unlabeled: films that the weights have seen: what is kept of a run that is stopped says so, too.
    """

    def __init__(
        self,
        config: TrainConfig,
        out: Path,
        split_hash: str = "",
        patients: Iterable[str] = (),
        unlabeled: tuple[UnlabeledFacts, ...] = (),
    ) -> None:
        self._config = config
        self._chosen_on = (split_hash, tuple(patients))
        self._unlabeled = unlabeled
        self._folder = out / MODEL
        self._best = (-math.inf, -math.inf, -math.inf)
        self._waited = 0
        self._figures: dict[str, float] = {}

    @property
    def is_enough(self) -> bool:
        """Whether the patience is at its end."""
        patience = self._config.trainer.patience
        return patience is not None and self._waited >= patience

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compare, and keep. An undefined figure is worse than any other.

        Of equal ones the later phase wins, as losses of two phases can't be compared, and within a phase the lower
        loss. So a young network that marks nothing yet (Dice 0) is not kept for having been the first of them, nor one
        whose decoder has not begun to learn.
        """
        learner = cast("Learner", pl_module)
        value = float(learner.figures[self._config.trainer.monitor])
        score = (-1.0 if math.isnan(value) else value, float(learner.phase), -learner.judged.mean())
        if score <= self._best:
            self._waited += 1
            return
        self._best, self._waited = score, 0
        self._figures = {"epoch": trainer.current_epoch + 1, **learner.figures}
        if trainer.is_global_zero:
            found: dict[str, Any] = {"validation": self._figures, "data": {"unlabeled": self._unlabeled}}
            if "threshold" in learner.figures:
                threshold = Threshold(learner.figures["threshold"], VALIDATION)
                found["threshold"] = threshold_record(threshold, *self._chosen_on)
            write_model(self._folder, learner.network, self._config, found)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop when it is enough."""
        trainer.should_stop = trainer.should_stop or self.is_enough

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"best": self._best, "waited": self._waited, "figures": self._figures, "is_enough": self.is_enough}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        value, phase, loss = state_dict["best"]
        self._best = (value, phase, loss)
        self._waited, self._figures = state_dict["waited"], state_dict["figures"]


class Keeper(pl.Callback):
    """Writes a checkpoint after each epoch, and goes on from one. Stands last: it keeps the others' states."""

    def __init__(self, config: TrainConfig, out: Path) -> None:
        self._config = config
        self._path = out / CHECKPOINT

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on from the checkpoint, where there is one."""
        found = read_checkpoint(self._path, self._config)
        if found is None:
            return
        learner = cast("Learner", pl_module)
        require_fit(learner.network.state_dict(), found["network"], f"this run's network (of {self._path})")
        learner.network.load_state_dict(found["network"])
        if learner.adaptation is not None:
            learner.adaptation.load_state_dict(found["adaptation"])
        trainer.optimizers[0].load_state_dict(found["optimiser"])
        for callback in _with_state(trainer):
            callback.load_state_dict(found["callbacks"][type(callback).__name__])
        # Lightning's own restart leaves out hooks of the first epoch; here it begins like any other.
        done = cast("Any", trainer.fit_loop.epoch_progress.current)
        done.ready = done.started = done.processed = done.completed = found["epochs"]

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep everything that the next epoch depends on."""
        if not trainer.is_global_zero:
            return
        content = {
            "schema": SCHEMA,
            "config": self._config.hash,
            "epochs": trainer.current_epoch + 1,
            "network": cast("Learner", pl_module).network.state_dict(),
            "optimiser": trainer.optimizers[0].state_dict(),
            "callbacks": {type(one).__name__: one.state_dict() for one in _with_state(trainer)},
        }
        adaptation = cast("Learner", pl_module).adaptation
        if adaptation is not None:
            content["adaptation"] = adaptation.state_dict()
        with atomic_file(self._path) as temporary:
            torch.save(content, temporary)


def _with_state(trainer: pl.Trainer) -> list[pl.Callback]:
    return [one for one in trainer.callbacks if type(one).state_dict is not pl.Callback.state_dict]  # type: ignore[attr-defined]  # set at run time


def read_checkpoint(path: Path, config: TrainConfig) -> Mapping[str, Any] | None:
    """What a checkpoint of this configuration holds; None when there is none.

    Raises:
        UnreadableError: the file is damaged.
        ConfigError: it is of another configuration.
    """
    import pickle

    if not path.is_file():
        return None
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise UnreadableError(f"{path} is no checkpoint of hilum.", "Remove it, or start anew with --force.") from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise UnreadableError(f"{path} is no checkpoint of hilum.", "Remove it, or start anew with --force.")
    if found["config"] != config.hash:
        raise ConfigError(
            f"{path} is of another configuration.", "Train with the one that it was begun with, or into another folder."
        )
    return cast("Mapping[str, Any]", found)


def is_complete(path: Path, config: TrainConfig) -> bool:
    """Whether a checkpoint's run has no epoch left to learn."""
    found = read_checkpoint(path, config)
    return found is not None and (
        found["epochs"] >= config.trainer.epochs or bool(found["callbacks"][Best.__name__]["is_enough"])
    )
