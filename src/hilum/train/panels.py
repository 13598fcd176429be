"""Pictures of a run while it goes: predictions and attention on a few validation cases, and the curves."""

# ruff: noqa: ARG002  # Lightning decides what a hook is given

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import EllipsisType
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray

from hilum.core.geometry import Floats
from hilum.datasets.class_sample import ClassSample
from hilum.datasets.class_source import UNKNOWN
from hilum.io.text_file import write_bytes
from hilum.report.classes import ClassesShown, class_sheet
from hilum.report.training import Panel, prediction_panels, redrawn_panels, training_curves
from hilum.train.data import Shown, collate
from hilum.train.history import History
from hilum.train.module import Learner

CURVES, PANELS = "training_curves.png", "panels"
SHOWN = 4


class Panels(pl.Callback):
    """Draws every so many epochs; the same cases each time: evenly chosen among those with something to see."""

    def __init__(self, samples: Sequence[Shown], history: History, every: int, out: Path) -> None:
        self._samples, self._history, self._every, self._out = samples, history, every, out
        seen = [case for case, sample in enumerate(samples) if sample.truth.any()]
        self._cases = seen[:: max(1, -(-len(seen) // SHOWN))]

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw predictions, while the judged weights are in place."""
        epoch = trainer.current_epoch + 1
        if not trainer.is_global_zero or not self._every or epoch % self._every or not self._cases:
            return
        write_bytes(self._out / PANELS / f"epoch_{epoch:03d}.png", self._picture(cast("Learner", pl_module), epoch))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the curves."""
        if trainer.is_global_zero and self._every and not (trainer.current_epoch + 1) % self._every:
            write_bytes(self._out / CURVES, training_curves(self._history.rows))

    def _picture(self, learner: Learner, epoch: int) -> bytes:
        panels = [self._panel(learner, case) for case in self._cases]
        words = f"epoch {epoch}, threshold {learner.figures['threshold']:g}"
        return prediction_panels(panels, learner.figures["threshold"], words)

    def _panel(self, learner: Learner, case: int) -> Panel:
        sample = self._samples[case]
        at = middle_slice(sample.truth)
        return Panel(
            sample.image[at].astype(np.float64),
            sample.truth[at],
            learner.probabilities[case].numpy()[at],
            attention_of(learner, sample),
            None if sample.prior is None else sample.prior[at],
            None if sample.prior_lesions is None else sample.prior_lesions[at],
        )


class RedrawnPanels(Panels):
    """Pictures as they were shown, redrawn, and as they are."""

    def _picture(self, learner: Learner, epoch: int) -> bytes:
        rows = [
            (sample.image, learner.probabilities[case].numpy(), sample.truth)
            for case, sample in ((case, self._samples[case]) for case in self._cases)
        ]
        return redrawn_panels(rows, f"epoch {epoch}, explained {learner.figures['explained']:.3f}")


class ClassPanels(Panels):
    """Films by classes: the truth, and beside it the likeliest class of each pixel; nothing of labels alone."""

    def __init__(
        self, films: Sequence[ClassSample], names: Mapping[int, str], history: History, every: int, out: Path
    ) -> None:
        super().__init__(films, history, every, out)
        self._films, self._names = films, names

    def _picture(self, learner: Learner, epoch: int) -> bytes:
        shown = []
        for case in self._cases:
            film, maps = self._films[case], learner.probabilities.get(case)
            truth = np.where(film.weight > 0, film.labels, UNKNOWN).astype(np.uint8)
            shown.append(ClassesShown("truth", film.image, truth))
            if maps is not None:
                said = maps.numpy().argmax(axis=0).astype(np.uint8)
                shown.append(ClassesShown(f"epoch {epoch}", film.image, said))
        return class_sheet(shown, self._names, UNKNOWN)


def middle_slice(truth: "NDArray[Any]") -> "tuple[int | EllipsisType, ...]":
    """Which part of a case is drawn: all of a picture; of a piece of a CT the slice with most of the truth."""
    if truth.ndim == 2:
        return (...,)
    return (int(truth.sum(axis=(1, 2)).argmax()),)


def attention_of(learner: Learner, sample: Shown) -> Floats | None:
    """Where the network looks on one picture, [h, w] from 0 to 1; None for networks that don't say."""
    batch = collate([(0, sample)])
    prior = None if batch.prior is None else batch.prior.to(learner.device)
    attention = learner(batch.image.to(learner.device), prior).attention
    return None if attention is None else attention.sigmoid()[0, 0].cpu().numpy().astype(np.float64)
