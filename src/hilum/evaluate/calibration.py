"""Whether probabilities near lesions can be believed: as they are stored, and at a temperature fitted elsewhere.

A temperature changes no order: masks, thresholds, marks and the curves of ranking are those of the stored
probabilities; only what is said of the probabilities themselves changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add

import numpy as np

from hilum.core.evaluation import Temperature
from hilum.core.figures import Figure
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.evaluate.bootstrap import Resamples, pooled_figure
from hilum.metrics.calibration import (
    REGION_MM,
    REGION_PX,
    Reliability,
    adaptive_calibration_error,
    brier,
    calibration_error_of_sums,
    calibration_region,
    equal_width_edges,
    fit_temperature,
    logits,
    reliability,
    tempered,
)
from hilum.metrics.overlap import share
from hilum.metrics.probability import ScoreCounts, count_scores

BEFORE = "_before"
"""After the names of figures of the stored probabilities, where a temperature was applied."""


@dataclass(frozen=True)
class CalibrationRule:
    """How probabilities are looked at.

    Attributes:
        temperature: that their logits are divided by first; None takes them as they are.
        keeps_pixels: whether a temperature will be fitted on these cases.
    """

    temperature: float | None = None
    keeps_pixels: bool = False


@dataclass(frozen=True, eq=False)
class Belief:
    """How far a case's probabilities are off.

    Attributes:
        reliability: bins of equal width.
        ace: adaptive calibration error; NaN without pixels.
        brier: mean squared error; NaN without pixels.
    """

    reliability: Reliability
    ace: float
    brier: float

    @property
    def values(self) -> dict[str, float]:
        """By name."""
        return {"ece": self.reliability.error, "ace": self.ace, "brier": self.brier}

    def sums(self) -> Floats:
        """[3 bins + 1] what a pool adds up: counts, probabilities and positives of the bins, and squared errors."""
        bins, pixels = self.reliability, float(self.reliability.count.sum())
        squares = self.brier * pixels if pixels else 0.0
        return np.concatenate([bins.count, bins.probability_sum, bins.positives, [squares]])


@dataclass(frozen=True, eq=False)
class CaseCalibration:
    """A case's probabilities near truth and prediction.

    Attributes:
        after: at the temperature, or as stored where there is none.
        before: as stored, where there is a temperature; else None.
        pixels: the stored probabilities, counted; None unless a temperature will be fitted on them.
    """

    after: Belief
    before: Belief | None = None
    pixels: ScoreCounts | None = field(default=None, repr=False)

    @property
    def values(self) -> dict[str, float]:
        """Figures of the case by name; those of the stored probabilities with `BEFORE`."""
        before = {} if self.before is None else self.before.values
        return self.after.values | {f"{name}{BEFORE}": value for name, value in before.items()}


def case_calibration(
    probability: Floats, truth: Selection, pred: Selection, spacing_mm: Sequence[float] | None, rule: CalibrationRule
) -> CaseCalibration:
    """Look at the pixels around truth and prediction.

    Args:
        probability: 0 to 1, [y, x] or [z, y, x].
        truth: the same shape.
        pred: the prediction at its threshold, which no temperature moves.
        spacing_mm: step along each axis; None counts the region in pixels.
        rule: see there.
    """
    spacing = [1.0] * truth.ndim if spacing_mm is None else spacing_mm
    region = calibration_region(pred, truth, spacing, REGION_PX if spacing_mm is None else REGION_MM)
    near, there = probability[region], truth[region]
    pixels = count_scores(near, there) if rule.keeps_pixels else None
    stored = _belief(near, there)
    if rule.temperature is None:
        return CaseCalibration(stored, pixels=pixels)
    return CaseCalibration(_belief(tempered(near, rule.temperature), there), stored, pixels)


def _belief(near: Floats, there: Selection) -> Belief:
    binned = reliability(near, there, equal_width_edges())
    return Belief(binned, adaptive_calibration_error(near, there), brier(near, there))


def pooled_belief(cases: Sequence[Belief]) -> Reliability:
    """All cases' bins together; at least one case."""
    return reduce(add, (case.reliability for case in cases))


def calibration_figures(cases: Sequence[CaseCalibration], draw: Resamples) -> list[Figure]:
    """ECE and Brier score of all pixels together, with intervals; before the temperature, too, where there is one."""
    before = [case.before for case in cases if case.before is not None]
    found = _pooled([case.after for case in cases], "", draw)
    return found + (_pooled(before, BEFORE, draw) if before else [])


def _pooled(cases: Sequence[Belief], suffix: str, draw: Resamples) -> list[Figure]:
    sums = np.stack([case.sums() for case in cases])
    return [
        pooled_figure(
            f"ece{suffix}", sums[:, :-1], lambda s: calibration_error_of_sums(*np.split(s, 3, axis=-1)), draw
        ),
        pooled_figure(f"brier{suffix}", sums, _brier_of_sums, draw),
    ]


def _brier_of_sums(sums: Floats) -> Floats:
    """[..., 3 bins + 1] sums of `Belief.sums` to the mean squared error."""
    bins = (sums.shape[-1] - 1) // 3
    return share(sums[..., -1], np.asarray(sums[..., :bins].sum(axis=-1)))


def temperature_of(cases: Sequence[CaseCalibration], *, split: str, source: str) -> Temperature:
    """The temperature that fits these cases best.

    Args:
        cases: whose pixels were kept.
        split: which split they are of; only "validation" is taken.
        source: the data set, in words.

    Raises:
        InputError: another split, or there are no pixels.
        MeasureError: no temperature is the best one.
    """
    kept = [case.pixels for case in cases if case.pixels is not None]
    logit = np.concatenate([logits(one.score) for one in kept for _ in range(2)]) if kept else np.zeros(0)
    weights = np.concatenate([part for one in kept for part in (one.positives, one.negatives)]) if kept else np.zeros(0)
    is_lesion = np.repeat(np.tile([True, False], len(kept)), [len(one.score) for one in kept for _ in range(2)])
    return fit_temperature(logit, is_lesion.astype(np.bool_), split=split, source=source, weights=weights)
