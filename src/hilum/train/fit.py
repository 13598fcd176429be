"""One run: a network learns from cases and is judged on others after each epoch."""

import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from hilum.core import ConfigError, TrainError
from hilum.core.geometry import Floats
from hilum.datasets.class_sample import ClassSample
from hilum.infer.device import computes_in_bf16, resolved_device
from hilum.io.text_file import write_bytes
from hilum.models.network import Network
from hilum.report.training import training_curves
from hilum.train.adaptation_config import UnlabeledFacts
from hilum.train.checkpointing import computed_again
from hilum.train.class_judging import ClassJudging
from hilum.train.config import Machine, Precision, TrainConfig
from hilum.train.data import EpochBatches, JudgedCase, LearningCases, judged_batches, training_batches
from hilum.train.drawn import DrawnCases
from hilum.train.guard import Guard, failures_said
from hilum.train.hard import HardNegatives
from hilum.train.history import History
from hilum.train.judging import Judging, judge
from hilum.train.keeping import CHECKPOINT, Best, Keeper, is_complete, read_checkpoint
from hilum.train.module import Learner
from hilum.train.panels import CURVES, ClassPanels, Panels, RedrawnPanels
from hilum.train.phases import Ema, Phases, Rates
from hilum.train.pretext import HiddenSample, judge_redrawn
from hilum.train.progress import Bar
from hilum.train.silence import Silence


@dataclass(frozen=True, eq=False)
class Cases:
    """What a run learns from and is judged on.

    Attributes:
        learning: training cases.
        judged: validation cases, whole pictures.
        split_hash: of the stored split that says which are which; "" when there is none.
        unlabeled: films that the model has seen by the end, for its configuration.
        groups: which judged cases belong to one lesion, such as the slices of a nodule; "" for none. () for no groups.
        names: of the classes by number, where the cases are films by classes.
    """

    learning: LearningCases
    judged: Sequence[JudgedCase]
    split_hash: str = ""
    unlabeled: tuple[UnlabeledFacts, ...] = ()
    groups: Sequence[str] = ()
    names: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a run came to.

    Attributes:
        epochs: how many it learnt.
        seconds: spent on them, of all processes that went on with the run.
        best: the best epoch's figures on validation, its threshold, and its number as "epoch".
        rows: every epoch's figures.
    """

    epochs: int
    seconds: float
    best: dict[str, float]
    rows: Sequence[dict[str, float]]


class Pictures(pl.LightningDataModule):
    """Batches for each process."""

    def __init__(self, cases: Cases, config: TrainConfig, workers: int) -> None:
        super().__init__()
        self._cases, self._config, self._workers = cases, config, workers

    def train_dataloader(self) -> "DataLoader[Any]":
        """This process's share of each batch."""
        trainer = self.trainer
        share = (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)
        batches = EpochBatches(self._cases.learning, self._config.trainer.batch_size, self._epoch, share)
        return training_batches(batches, self._cases.learning, self._workers)

    def val_dataloader(self) -> "DataLoader[Any]":
        """All validation cases: every process judges them all, so that none has to wait for another's."""
        return judged_batches(self._cases.judged, self._config.trainer.batch_size)

    def _epoch(self) -> int:
        return 0 if self.trainer is None else self.trainer.current_epoch


def fit(network: Network, cases: Cases, config: TrainConfig, machine: Machine, out: Path) -> Fitted:
    """Train, or go on with a run that was stopped; leaves files in `out` while it goes.

    `metrics.csv`, `tensorboard/`, `panels/`, `training_curves.png`, `model/` (the best epoch's weights so far) and
    `checkpoints/last.ckpt`, from which the same call goes on.

    Args:
        network: as it begins.
        cases: to learn from and to be judged on.
        config: of the run.
        machine: where it is computed.
        out: an existing folder of this run alone.

    Raises:
        TrainError: nothing to learn from, a loss that is no number, or not enough memory.
        ConfigError: the configuration doesn't fit the network or the checkpoint.
    """
    require_something_to_learn(cases)
    if config.adaptation.is_wanted and machine.processes > 1:
        raise ConfigError("a run that adapts to films is one process.", "Leave --processes out.")
    if not is_complete(out / CHECKPOINT, config):
        learner = Learner(network, config)
        guard = Guard(config.trainer.clip_norm, out)
        trainer = lightning(_callbacks(cases, config, machine, guard, out), config, machine, str(out))
        with quiet(machine.threads), failures_said(), computed_again(network, config.trainer.gradient_checkpointing):
            trainer.fit(learner, datamodule=Pictures(cases, config, machine.workers))
    return _fitted(config, out)


def _fitted(config: TrainConfig, out: Path) -> Fitted:
    found = read_checkpoint(out / CHECKPOINT, config)
    if found is None:
        raise TrainError("the run left no checkpoint.", "Start it again.")
    history = found["callbacks"][History.__name__]
    write_bytes(out / CURVES, training_curves(history["rows"]))
    best = found["callbacks"][Best.__name__]["figures"]
    return Fitted(found["epochs"], history["seconds"], best, history["rows"])


def _callbacks(cases: Cases, config: TrainConfig, machine: Machine, guard: Guard, out: Path) -> list[pl.Callback]:
    """In the order in which they act: judged before kept, kept before the checkpoint."""
    history = History(out, guard)
    is_silent = bool(config.pretext) or config.model.gives_classes
    return [
        Phases(config),
        *([Ema(config.trainer.ema)] if config.trainer.ema else []),
        guard,
        _judging(cases, config),
        *([] if is_silent else [Silence()]),
        Rates(config),
        Best(config, out, cases.split_hash, [sample.patient for sample in cases.judged], cases.unlabeled),
        history,
        *_hard_negatives(cases.learning, config),
        _panels(cases, config, history, out),
        *([Bar(config.trainer.monitor)] if machine.progress else []),
        Keeper(config, out),
    ]


def _judging(cases: Cases, config: TrainConfig) -> Judging:
    """Who says what an epoch is worth."""
    if config.model.gives_classes:
        return ClassJudging(cast("Sequence[ClassSample]", cases.judged), cases.names)
    return Judging(_figures_of(cases, config))


def _panels(cases: Cases, config: TrainConfig, history: History, out: Path) -> Panels:
    every = config.trainer.panels_every
    if config.model.gives_classes:
        return ClassPanels(cast("Sequence[ClassSample]", cases.judged), cases.names, history, every, out)
    return (RedrawnPanels if config.pretext else Panels)(cases.judged, history, every, out)


def _figures_of(cases: Cases, config: TrainConfig) -> Callable[[Sequence[Floats]], dict[str, float]]:
    """How validation is judged."""
    if config.pretext:
        return partial(judge_redrawn, samples=cast("Sequence[HiddenSample]", cases.judged))
    truths = [sample.truth for sample in cases.judged]
    return partial(judge, truths=truths, monitor=config.trainer.monitor, groups=cases.groups)


def _hard_negatives(cases: LearningCases, config: TrainConfig) -> list[pl.Callback]:
    if not (config.sampling.hard_negatives and isinstance(cases, DrawnCases)):
        return []
    return [HardNegatives(cases, config.trainer.batch_size)]


def lightning(
    callbacks: list[pl.Callback], config: TrainConfig, machine: Machine, folder: str, **options: Any
) -> pl.Trainer:
    """Lightning's trainer without anything that it would add of its own."""
    device = resolved_device(machine.device)
    is_bf16 = resolved_precision(config.trainer.precision, device) == "bf16"
    with quiet(0):
        return pl.Trainer(
            accelerator="gpu" if device == "cuda" else "cpu",
            devices=machine.processes,
            strategy=_strategy(config, machine, device),
            precision="bf16-mixed" if is_bf16 else "32-true",
            max_epochs=config.trainer.epochs,
            accumulate_grad_batches=config.trainer.accumulate,
            deterministic=config.trainer.deterministic or None,
            callbacks=callbacks,
            default_root_dir=folder,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            inference_mode=False,
            **options,
        )


def _strategy(config: TrainConfig, machine: Machine, device: str) -> Any:
    if machine.processes == 1:
        return "auto"
    from pytorch_lightning.strategies import DDPStrategy

    freezes = any(phase.train != ("all",) or phase.encoder_stages for phase in config.phases)
    backend = "nccl" if device == "cuda" else "gloo"
    return DDPStrategy(process_group_backend=backend, start_method="spawn", find_unused_parameters=freezes)


def resolved_precision(precision: Precision, device: str) -> Precision:
    """What "auto" means on this device: bfloat16 where the hardware multiplies in it, else 32 bits."""
    if precision != "auto":
        return precision
    return "bf16" if computes_in_bf16(device) else "32"


def require_something_to_learn(cases: Cases) -> None:
    """Check that both sides have cases, and validation something to find.

    Raises:
        TrainError: they haven't.
    """
    if not len(cases.learning.order(0)):
        raise TrainError("there is no training case.", "Check the data set's split.")
    if not any(sample.truth.any() for sample in cases.judged):
        raise TrainError(
            f"none of {len(cases.judged)} validation cases has a lesion, so no figure can pick the best epoch.",
            "Check the data set's split and data.truth.",
        )


@contextmanager
def quiet(threads: int) -> Iterator[None]:
    """Lightning's remarks left out, with so many threads (0: as it is); everything is put back afterwards."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch")]
    levels = [logger.level for logger in loggers]
    on_interrupt = signal.getsignal(signal.SIGINT)
    before, is_deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        if threads:
            torch.set_num_threads(threads)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"pytorch_lightning|lightning_fabric")
            yield
    finally:
        torch.set_num_threads(before)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, on_interrupt)  # Lightning ignores it for good once it came
        torch.use_deterministic_algorithms(is_deterministic)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
