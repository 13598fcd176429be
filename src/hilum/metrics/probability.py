"""How well scores rank pixels or cases: ROC, precision and recall, and the areas under them.

Everything follows from `ScoreCounts`: how many positives and negatives have each score. Counts of distinct scores are
exact; counts on fixed levels can be added over cases and summed again for each bootstrap resample, and are exact, too,
for probabilities that were stored on those levels (16-bit PNG).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.core import GeometryError, InputError
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.metrics.overlap import share

Scores = NDArray[np.floating]

STORED_LEVELS = 65_535
"""A probability map's steps from 0 to 1 as a 16-bit PNG."""


@dataclass(frozen=True, eq=False)
class ScoreCounts:
    """How many positives and negatives have each score.

    Attributes:
        score: [n], ascending and distinct.
        positives: [n], how many with a true label have this score.
        negatives: [n].
    """

    score: Floats
    positives: Floats
    negatives: Floats

    def __add__(self, other: "ScoreCounts") -> "ScoreCounts":
        """Pools two cases that were counted on the same levels.

        Raises:
            GeometryError: the levels differ.
        """
        if not np.array_equal(self.score, other.score):
            raise GeometryError(
                "counts of different scores can't be added.", "Count all cases on the same levels: count_on_levels"
            )
        return ScoreCounts(self.score, self.positives + other.positives, self.negatives + other.negatives)


def count_scores(score: Scores, truth: Selection) -> ScoreCounts:
    """Counts every distinct score; exact, by sorting.

    Args:
        score: any finite numbers of any shape; higher is more likely positive.
        truth: the same shape.

    Raises:
        GeometryError: the shapes differ.
        InputError: the truth is not boolean, or a score is not finite.
    """
    require_scores(score, truth)
    by_class = [np.unique(score[truth], return_counts=True), np.unique(score[~truth], return_counts=True)]
    distinct = np.union1d(by_class[0][0], by_class[1][0])
    counts = np.zeros((2, len(distinct)))
    for row, (values, numbers) in zip(counts, by_class, strict=True):
        row[np.searchsorted(distinct, values)] = numbers
    return ScoreCounts(distinct.astype(np.float64), counts[0], counts[1])


def count_on_levels(probability: Scores, truth: Selection, levels: int = STORED_LEVELS) -> ScoreCounts:
    """Counts on the levels 0, 1/levels … 1, each probability on the nearest one; adds up over cases.

    Pairs of a positive and a negative on one level count as tied, which changes the area under the ROC curve by at most
    half their share.

    Raises:
        GeometryError: the shapes differ.
        InputError: the truth is not boolean, or a probability is not between 0 and 1.
    """
    require_probabilities(probability, truth)
    # Twice the level, plus the class: one pass over the pixels counts both.
    wide = probability.astype(np.result_type(probability.dtype, np.float32), copy=False)
    steps = np.rint(wide * wide.dtype.type(levels)).astype(np.intp)
    counts = np.bincount((2 * steps + truth).ravel(), minlength=2 * (levels + 1)).astype(np.float64)
    return ScoreCounts(np.arange(levels + 1) / levels, counts[1::2], counts[::2])


@dataclass(frozen=True, eq=False)
class Roc:
    """False positive rate and sensitivity at each threshold, from "nothing is positive" to "everything is".

    Attributes:
        threshold: [n + 1], descending; positive is a score at or above it. The first is infinite.
        false_positive_rate: [n + 1]; NaN without negatives.
        sensitivity: [n + 1]; NaN without positives.
    """

    threshold: Floats
    false_positive_rate: Floats
    sensitivity: Floats


def roc_curve(counts: ScoreCounts) -> Roc:
    """The receiver operating characteristic (Fawcett 2006, algorithm 1: tied scores are one step)."""
    tp, fp = _at_or_above(counts)
    threshold = np.concatenate([[math.inf], counts.score[::-1]])
    return Roc(threshold, share(fp, fp[-1]), share(tp, tp[-1]))


def roc_auc(counts: ScoreCounts) -> float:
    """Chance that a positive scores above a negative, ties half (Hanley and McNeil 1982); NaN without one of them."""
    return float(roc_auc_of_sums(counts.positives, counts.negatives))


def roc_auc_of_sums(positives: Floats, negatives: Floats) -> Floats:
    """The same of many counts at once, as a bootstrap needs it.

    Args:
        positives: [..., n] numbers on ascending levels.
        negatives: [..., n].

    Returns:
        [...], NaN where a class is absent.
    """
    below = np.cumsum(negatives, axis=-1) - negatives / 2
    pairs = np.asarray(positives.sum(axis=-1) * negatives.sum(axis=-1))
    return share(np.asarray((positives * below).sum(axis=-1)), pairs)


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """Precision and recall at each threshold that is some pixel's score.

    Attributes:
        threshold: [n], descending; positive is a score at or above it.
        precision: [n].
        recall: [n]; NaN without positives.
    """

    threshold: Floats
    precision: Floats
    recall: Floats


def precision_recall_curve(counts: ScoreCounts) -> PrecisionRecall:
    """One point for each score that occurs; no point is made up at recall 0, where precision is undefined."""
    tp, fp = (sums[1:] for sums in _at_or_above(counts))
    occurs = (counts.positives + counts.negatives)[::-1] > 0
    total = tp[-1] if len(tp) else 0.0
    return PrecisionRecall(
        counts.score[::-1][occurs], share(tp[occurs], (tp + fp)[occurs]), share(tp[occurs], np.asarray(total))
    )


def average_precision(counts: ScoreCounts) -> float:
    """Precision averaged over the positives: Σ (R_k − R_{k−1}) P_k, steps, not trapezia (Davis and Goadrich 2006).

    NaN without positives.
    """
    return float(average_precision_of_sums(counts.positives, counts.negatives))


def average_precision_of_sums(positives: Floats, negatives: Floats) -> Floats:
    """The same of many counts at once; arguments and result as in `roc_auc_of_sums`."""
    here = positives[..., ::-1]
    tp = np.cumsum(here, axis=-1)
    called = tp + np.cumsum(negatives[..., ::-1], axis=-1)
    # Where nothing is called positive yet there is no positive here either: the step has no height.
    precision = np.divide(tp, called, out=np.zeros_like(called), where=called > 0)
    return share(np.asarray((here * precision).sum(axis=-1)), np.asarray(positives.sum(axis=-1)))


def require_scores(score: Scores, truth: Selection) -> None:
    """Scores that can be ranked against a truth.

    Raises:
        GeometryError: the shapes differ.
        InputError: the truth is not boolean, or a score is not a finite number.
    """
    if score.shape != truth.shape:
        raise GeometryError(
            f"scores of shape {score.shape} don't fit the truth's {truth.shape}.", "Resample them first."
        )
    if truth.dtype != np.bool_:
        raise InputError(f"the truth is {truth.dtype}, a boolean mask was expected.", "Compare with a label.")
    if score.dtype.kind != "f" or not np.isfinite(score).all():
        raise InputError(f"scores are finite floating-point numbers; these are {score.dtype}, or some are NaN.")


def require_probabilities(probability: Scores, truth: Selection) -> None:
    """Probabilities beside a truth.

    Raises:
        GeometryError: the shapes differ.
        InputError: the truth is not boolean, or a probability is not a number from 0 to 1.
    """
    require_scores(probability, truth)
    if probability.size and not (probability.min() >= 0 and probability.max() <= 1):
        raise InputError(
            f"probabilities lie between 0 and 1, got {probability.min():g} to {probability.max():g}.",
            "Logits become probabilities by the logistic function.",
        )


def _at_or_above(counts: ScoreCounts) -> tuple[Floats, Floats]:
    """[n + 1] true and false positives from the highest threshold, where there are none, down to the lowest."""
    tp, fp = (np.cumsum(part[::-1]) for part in (counts.positives, counts.negatives))
    return np.concatenate([[0.0], tp]), np.concatenate([[0.0], fp])
