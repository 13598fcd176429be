"""What an epoch's probabilities on validation are worth, by the definitions of every other judgement in hilum."""

# ruff: noqa: ARG002  # Lightning decides what a hook is given

import math
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
import pytorch_lightning as pl

from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.metrics.lesions import components, count, match_components, total
from hilum.metrics.overlap import Counts, Ratio, confusion, dice, pooled
from hilum.train.config import Monitor
from hilum.train.module import Learner
from hilum.train.silence import MARKED

THRESHOLDS = (0.005, 0.01, 0.02, 0.05, *(round(0.1 * step, 1) for step in range(1, 10)), 0.95)
"""The small grid on which an epoch's threshold is chosen; its low end tells young networks apart."""


def figures_at(counts: Sequence[Counts]) -> dict[str, float]:
    """Pixel figures of cases: Dice where the truth is not empty, and how often something is seen where it is."""
    of_cases = [dice(one) for one in counts if one.tp + one.fn]
    of_empty = [float(one.fp > 0) for one in counts if not one.tp + one.fn]
    return {
        "dice_mean": _mean(of_cases),
        "dice_pooled": Ratio.DICE(pooled(counts)),
        "precision_pooled": Ratio.PRECISION(pooled(counts)),
        "recall_pooled": Ratio.RECALL(pooled(counts)),
        "empty_false_positive_rate": _mean(of_empty),
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def judge(
    probabilities: Sequence[Floats], truths: Sequence[Selection], monitor: Monitor, groups: Sequence[str] = ()
) -> dict[str, float]:
    """All figures at the threshold of the grid where the monitored one is highest, and that threshold.

    Args:
        probabilities: [y, x] of each case.
        truths: [y, x], of the same shapes.
        monitor: the figure that decides; of equal ones the lower threshold wins.
        groups: which cases belong to one lesion, "" for none; then `dice_by_nodule` pools each group's pixels first.
    """
    pairs = list(zip(probabilities, truths, strict=True))
    at = {level: figures_at([confusion(p >= level, truth) for p, truth in pairs]) for level in THRESHOLDS}
    best = max(at, key=lambda level: np.nan_to_num(at[level][monitor], nan=-1.0))
    matches = [match_components(components(p >= best), components(truth)) for p, truth in pairs]
    lesions = total(count(one) for one in matches)
    grouped = {"dice_by_nodule": _by_group([confusion(p >= best, truth) for p, truth in pairs], groups)}
    return {
        **at[best],
        **(grouped if groups else {}),
        "lesion_sensitivity": lesions.lesion_sensitivity,
        "false_positives_per_image": lesions.false_positives_per_image,
        "threshold": best,
        MARKED: float(sum((p >= best).sum() for p, _ in pairs) / sum(p.size for p, _ in pairs)),
    }


def _by_group(counts: Sequence[Counts], groups: Sequence[str]) -> float:
    """Mean Dice of groups, of all pixels of each; cases without a group, and groups without truth, are left out."""
    parts: dict[str, list[Counts]] = {}
    for one, name in zip(counts, groups, strict=False):
        if name:
            parts.setdefault(name, []).append(one)
    together = [pooled(some) for some in parts.values()]
    return _mean([dice(one) for one in together if one.tp + one.fn])


class Judging(pl.Callback):
    """After each validation: the learner's figures.

    Args:
        figures_of: what [y, x] of every case, in their order, are worth.
    """

    def __init__(self, figures_of: Callable[[Sequence[Floats]], Mapping[str, float]]) -> None:
        self._figures_of = figures_of

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget the epoch before."""
        cast("Learner", pl_module).probabilities.clear()
        cast("Learner", pl_module).labels.clear()

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Judge; all processes take the first one's figures, so that they stop together."""
        learner = cast("Learner", pl_module)
        found: Mapping[str, float] = {}
        if trainer.is_global_zero:
            found = self._found(learner)
        learner.figures = dict(trainer.strategy.broadcast(found))

    def _found(self, learner: Learner) -> Mapping[str, float]:
        maps = learner.probabilities
        return self._figures_of([maps[case].numpy() for case in range(len(maps))])
