"""Training that can't go on stops at once, and says what to do about it."""

# ruff: noqa: ARG002  # Lightning decides what a hook is given

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.multiprocessing.spawn import ProcessRaisedException

from hilum.core import TrainError
from hilum.infer.loaded import WEIGHTS
from hilum.io.atomic import atomic_file
from hilum.train.data import Batch
from hilum.train.stored import MODEL

FAILED_BATCH = "failed_batch.npz"
LOWER_RATE = (
    "Begin anew in another folder with a lower optimiser.lr, a longer schedule.warmup_epochs, or trainer.precision 32"
)


class Guard(pl.Callback):
    """Watches the loss and the gradient of every step, and clips the gradient.

    Attributes:
        norms: lengths of the epoch's gradients before they were clipped.
    """

    def __init__(self, clip_norm: float, out: Path) -> None:
        self._longest = clip_norm or math.inf
        self._out = out
        self._batch: Batch | None = None
        self.norms: list[float] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A new epoch's gradients."""
        self.norms = []

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Remember the batch while it is learnt from."""
        self._batch = batch

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        """Raises TrainError for a loss that is no finite number."""
        self._require_finite("loss", float(loss.detach()), trainer)

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Clip the gradient; raises TrainError when it has no finite length."""
        norm = float(torch.nn.utils.clip_grad_norm_(_learning(pl_module), self._longest))
        self._require_finite("gradient's length", norm, trainer)
        self.norms.append(norm)

    def _require_finite(self, what: str, value: float, trainer: pl.Trainer) -> None:
        if math.isfinite(value):
            return
        path = self._out / FAILED_BATCH
        if self._batch is not None:
            tensors = {key: one for key, one in self._batch._asdict().items() if one is not None}
            with atomic_file(path) as temporary:
                np.savez_compressed(temporary, **{key: one.cpu().numpy() for key, one in tensors.items()})
        has_model = (self._out / MODEL / WEIGHTS).is_file()
        raise TrainError(
            f"the {what} became {value} in epoch {trainer.current_epoch + 1}; the batch is in {path}.",
            f"{LOWER_RATE}; --from {self._out} takes the weights of its best epoch." if has_model else f"{LOWER_RATE}.",
        )


def _learning(module: pl.LightningModule) -> Iterator[torch.nn.Parameter]:
    """The network's parameters: what else learns beside it, such as a classifier of domains, has its own scale."""
    network = getattr(module, "network", module)
    return cast("torch.nn.Module", network).parameters()


@contextmanager
def failures_said() -> Iterator[None]:
    """Turns what can stop a run from outside into one clear error: no memory, an interrupt, another process's failure.

    Raises:
        TrainError: the memory was not enough, somebody interrupted the run, or a process that shares the work failed.
    """
    try:
        yield
    except SystemExit as error:  # Lightning's answer to Ctrl-C and to SIGTERM
        raise TrainError("the run was interrupted.", "The same command goes on from the last whole epoch.") from error
    except ProcessRaisedException as error:
        _, found, words = str(error).rpartition("hilum.core.errors.TrainError: ")
        if not found:
            raise
        raise TrainError(words.strip()) from error
    except (RuntimeError, MemoryError) as error:
        if "without overflow" in str(error):  # AdamW's step, before any loss could tell
            raise TrainError("a step became too large for numbers of 32 bits.", f"{LOWER_RATE}.") from error
        if not _is_memory(error):
            raise
        raise TrainError(
            "the memory is not enough for this run.",
            "Lower trainer.batch_size (trainer.accumulate adds several batches' gradients to one step, but batch norm, "
            "and Dice over the batch, see the small ones) or augment.crop_px, take trainer.precision bf16 or "
            "trainer.gradient_checkpointing true, a smaller network, or a larger "
            "data.pixel_mm.",
        ) from error


def _is_memory(error: BaseException) -> bool:
    words = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(word in str(error).lower() for word in words)
