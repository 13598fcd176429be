"""A network that marks nothing any more, or nearly everything: said while it goes on, not after the last epoch."""

# Lightning decides what a hook is given

import logging
from collections.abc import Iterable, Mapping
from typing import cast

import pytorch_lightning as pl

from hilum.train.module import Learner

MARKED = "marked_share"
"""Figure: share of validation's pixels that are marked at the chosen threshold."""
PATIENCE = 3
"""Epochs without a marked pixel after which it is said; a young network may need one or two."""

REMEDY = (
    "Lower optimiser.lr, take Dice over the batch (dice.over=batch) or without its share of the loss, or raise bce's "
    "pos_weight."
)

MOST = 0.5
"""Marked share from which a mask finds lesions by covering all there is: under any overlap, nearly every one."""
COVERS = "any overlap finds nearly every lesion then, so sensitivity says nothing; look at Dice and at empty pictures"

_log = logging.getLogger("hilum.train")


def silent_epochs(rows: Iterable[Mapping[str, float]]) -> list[int]:
    """Numbers of the epochs in which no pixel of validation was marked."""
    return [int(row["epoch"]) for row in rows if row.get(MARKED) == 0]


class Silence(pl.Callback):
    """Warns when validation is empty, or mostly marked, for `PATIENCE` epochs on end; once for each such stretch."""

    def __init__(self) -> None:
        self._epochs, self._full = 0, 0

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count, and say it."""
        share = cast("Learner", pl_module).figures[MARKED]
        self._epochs = 0 if share else self._epochs + 1
        self._full = self._full + 1 if share >= MOST else 0
        first = trainer.current_epoch + 2 - PATIENCE
        if self._epochs == PATIENCE and trainer.is_global_zero:
            _log.warning("hilum: note: the network predicts nothing on validation since epoch %d. %s", first, REMEDY)
        if self._full == PATIENCE and trainer.is_global_zero:
            words = (
                "hilum: note: the network marks %.0f %% of validation's pixels, and most of them since epoch %d: %s."
            )
            _log.warning(words, 100 * share, first, COVERS)

    def state_dict(self) -> dict[str, int]:
        """What a checkpoint keeps."""
        return {"epochs": self._epochs, "full": self._full}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on from there."""
        self._epochs, self._full = state_dict["epochs"], state_dict.get("full", 0)
