"""A bar on stderr while a network learns."""

# ruff: noqa: ARG002  # Lightning decides what a hook is given

from typing import TYPE_CHECKING, Any, cast

import pytorch_lightning as pl

from hilum.train.module import Learner

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bar(pl.Callback):
    """Epochs and steps, with the last loss and the best figure so far."""

    def __init__(self, monitor: str) -> None:
        self._monitor = monitor
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._words = ""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the bar."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        if not trainer.is_global_zero:
            return
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task("learning")
        self._progress.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """One step more."""
        if self._progress is None or self._task is None:
            return
        steps, epochs = trainer.num_training_batches, trainer.max_epochs or 1
        done = trainer.current_epoch * steps + batch_idx + 1
        words = f"epoch {trainer.current_epoch + 1}/{epochs}  loss {float(outputs['loss']):.4f}{self._words}"
        self._progress.update(self._task, total=epochs * steps, completed=done, description=words)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say the last figure."""
        self._words = f"  {self._monitor} {cast('Learner', pl_module).figures.get(self._monitor, float('nan')):.4f}"

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the bar away."""
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Take the bar away."""
        self._close()

    def _close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
