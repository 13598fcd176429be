"""What a probability map is worth beyond its mask at one threshold: ranking, calibration, and every other threshold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from hilum.core.figures import Figure
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.evaluate.bootstrap import Resamples, pooled_figure
from hilum.evaluate.calibration import CalibrationRule, CaseCalibration, calibration_figures, case_calibration
from hilum.metrics.overlap import Ratio
from hilum.metrics.probability import (
    ScoreCounts,
    average_precision,
    average_precision_of_sums,
    count_scores,
    require_probabilities,
    roc_auc,
    roc_auc_of_sums,
)

SCAN = np.arange(1, 100) / 100
"""Thresholds at which every case is counted."""

_LEVELS = np.union1d(np.arange(1001) / 1000, 1 / (1 + np.exp(-np.linspace(-30, 17, 2351))))
"""Levels on which scores are pooled: few enough for a thousand resamples; scores between two count as tied.

Steps of .001, and of .02 in log-odds, whichever are finer: small probabilities differ by ratios, and a model whose
scores are all a thousand times too low ranks pixels as well as before.
"""


@dataclass(frozen=True, eq=False)
class CaseScores:
    """A case's probabilities, counted.

    Attributes:
        values: figures of this case by name; NaN where a class is absent or nothing is near.
        counts: pixels by the highest of `_LEVELS` that their probability reaches, for pooling.
        scan: [thresholds, 4] tp, fp, fn, tn at each of `SCAN`.
        calibration: how far the probabilities near truth and prediction are off.
    """

    values: Mapping[str, float]
    counts: ScoreCounts
    scan: Floats
    calibration: CaseCalibration


def case_scores(
    probability: Floats,
    truth: Selection,
    pred: Selection,
    spacing_mm: Sequence[float] | None,
    rule: CalibrationRule | None = None,
) -> CaseScores:
    """Count a case's probabilities.

    Args:
        probability: 0 to 1, [y, x] or [z, y, x].
        truth: the same shape.
        pred: the prediction at its threshold; calibration is looked at around truth and prediction.
        spacing_mm: step along each axis; None counts the region in pixels.
        rule: how calibration is looked at; None takes probabilities as they are.
    """
    require_probabilities(probability, truth)
    fine = count_scores(probability, truth)
    near = case_calibration(probability, truth, pred, spacing_mm, rule or CalibrationRule())
    values = {"roc_auc": roc_auc(fine), "average_precision": average_precision(fine), **near.values}
    return CaseScores(values, _coarse(fine), _scan(fine), near)


def _coarse(fine: ScoreCounts) -> ScoreCounts:
    level = np.searchsorted(_LEVELS, fine.score, side="right") - 1
    positives, negatives = (
        np.bincount(level, weights=part, minlength=len(_LEVELS)).astype(np.float64)
        for part in (fine.positives, fine.negatives)
    )
    return ScoreCounts(_LEVELS, positives, negatives)


def _scan(fine: ScoreCounts) -> Floats:
    first = np.searchsorted(fine.score, SCAN)
    above = [np.append(part[::-1].cumsum()[::-1], 0)[first] for part in (fine.positives, fine.negatives)]
    tp, fp = above
    return np.stack([tp, fp, fine.positives.sum() - tp, fine.negatives.sum() - fp], axis=1)


def pooled_scores(cases: Sequence[CaseScores]) -> ScoreCounts:
    """All cases' pixels together; at least one case."""
    return reduce(add, (case.counts for case in cases))


def pooled_score_figures(cases: Sequence[CaseScores], draw: Resamples) -> list[Figure]:
    """ROC AUC, average precision, ECE and Brier score of all pixels together, with intervals."""
    ranks = np.stack([np.concatenate([case.counts.positives, case.counts.negatives]) for case in cases])
    return [
        pooled_figure("roc_auc_pooled", ranks, lambda s: roc_auc_of_sums(*np.split(s, 2, axis=-1)), draw),
        pooled_figure(
            "average_precision_pooled", ranks, lambda s: average_precision_of_sums(*np.split(s, 2, axis=-1)), draw
        ),
        *calibration_figures([case.calibration for case in cases], draw),
    ]


@dataclass(frozen=True, eq=False)
class ThresholdScan:
    """What other thresholds would have given on the same cases.

    Attributes:
        thresholds: [n].
        dice_mean: [n] over cases with a lesion.
        dice_pooled: [n].
    """

    thresholds: Floats
    dice_mean: Floats
    dice_pooled: Floats

    @property
    def best(self) -> float:
        """The threshold with the highest mean Dice; the middle one of several equally good."""
        good = np.flatnonzero(self.dice_mean >= self.dice_mean.max() - 1e-12)
        return float(self.thresholds[good[(len(good) - 1) // 2]])


def threshold_scan(cases: Sequence[CaseScores]) -> ThresholdScan | None:
    """Dice at every threshold of `SCAN`; None when no case has a lesion."""
    tables = np.stack([case.scan for case in cases]) if cases else np.zeros((0, len(SCAN), 4))
    with_lesion = tables[tables[:, 0, 0] + tables[:, 0, 2] > 0]
    if not len(with_lesion):
        return None
    return ThresholdScan(SCAN, Ratio.DICE.of_sums(with_lesion).mean(axis=0), Ratio.DICE.of_sums(tables.sum(axis=0)))
