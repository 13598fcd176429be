"""Hard negatives: with each validation, what the network marks on training pictures and is no lesion."""

# ruff: noqa: ARG002  # Lightning decides what a hook is given

from typing import Any, cast

import numpy as np
import pytorch_lightning as pl

from hilum.metrics.lesions import components, count, match_components
from hilum.train.drawn import DrawnCases
from hilum.train.judged_model import probabilities
from hilum.train.module import Learner


class HardNegatives(pl.Callback):
    """Counts each training picture's false positives, by the rule of every other judgement, for the next epoch's order.

    A pass over all training pictures as they are costs about a third of an epoch; every process makes it for itself.
    """

    def __init__(self, cases: DrawnCases[Any], batch_size: int) -> None:
        self._cases, self._batch_size = cases, batch_size

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at all training pictures with the weights that validation judged, at the threshold that it chose."""
        learner = cast("Learner", pl_module)
        maps = probabilities(learner.network, self._cases.whole, self._batch_size, str(learner.device))
        threshold = learner.figures["threshold"]
        for case, (sample, probability) in enumerate(zip(self._cases.samples, maps, strict=True)):
            matches = match_components(components(probability >= threshold), components(sample.truth))
            self._cases.hard[case] = count(matches).false

    def state_dict(self) -> dict[str, list[float]]:
        """What a checkpoint keeps."""
        return {"hard": self._cases.hard.tolist()}

    def load_state_dict(self, state_dict: dict[str, list[float]]) -> None:
        """Go on from there."""
        self._cases.hard[:] = np.array(state_dict["hard"])
