"""Every epoch's figures, each loss's parts apart: `metrics.csv` and TensorBoard."""

# ruff: noqa: ARG002  # Lightning decides what a hook is given

import csv
import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytorch_lightning as pl

from hilum.io.text_file import write_text
from hilum.train.guard import Guard
from hilum.train.module import Learner

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

METRICS, TENSORBOARD = "metrics.csv", "tensorboard"

Row = dict[str, float]


class History(pl.Callback):
    """Collects a row an epoch. Files are written whole each time, so that a resumed run leaves no row twice."""

    def __init__(self, out: Path, guard: Guard) -> None:
        self._out, self._guard = out, guard
        self.rows: list[Row] = []
        self.seconds = 0.0
        self._began = 0.0
        self._writer: SummaryWriter | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the clock."""
        self._began = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add the epoch's row; losses are means over all processes."""
        learner = cast("Learner", pl_module)
        row: Row = {"epoch": trainer.current_epoch + 1, "phase": learner.phase + 1, **_rates(trainer)}
        row |= _over_processes(trainer, {f"train_{name}": value for name, value in learner.learnt.take().items()})
        row["gradient_norm"] = float(np.mean(self._guard.norms)) if self._guard.norms else 0.0
        row |= {f"validation_{name}": value for name, value in learner.judged.take().items()}
        row |= learner.figures
        self.rows.append(row)
        self.seconds += time.monotonic() - self._began
        if trainer.is_global_zero:
            write_text(self._out / METRICS, as_csv(self.rows))
            self._to_tensorboard(row)

    def _to_tensorboard(self, row: Row) -> None:
        """To one file of each process that works on the run; what a killed one has left after this epoch is purged."""
        from torch.utils.tensorboard import SummaryWriter

        epoch = int(row["epoch"])
        self._writer = self._writer or SummaryWriter(str(self._out / TENSORBOARD), purge_step=epoch)
        for name, value in row.items():
            if name != "epoch":
                grouped = name.replace("_", "/", 1) if name.startswith(_GROUPED) else name
                self._writer.add_scalar(grouped, value, epoch)
        self._writer.flush()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Close TensorBoard's file."""
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Close TensorBoard's file."""
        self._close()

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"rows": self.rows, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.rows, self.seconds = state_dict["rows"], state_dict["seconds"]


_GROUPED = ("train_", "validation_")


def _rates(trainer: pl.Trainer) -> Row:
    """The last step's rate of each part of the network."""
    return {f"lr_{group['name']}": float(group["lr"]) for group in trainer.optimizers[0].param_groups}


def _over_processes(trainer: pl.Trainer, row: Row) -> Row:
    if trainer.world_size == 1:
        return row
    import torch

    values = torch.tensor(list(row.values()), dtype=torch.float64)
    mean = trainer.strategy.reduce(values, reduce_op="mean")
    return dict(zip(row, mean.tolist(), strict=True))


def as_csv(rows: Sequence[Mapping[str, float]]) -> str:
    """One line an epoch, numbers to the last digit; a column that an epoch doesn't have is nan there."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="nan", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
