"""Free-response figures: from scored marks on scans to curves, sensitivities and figures of merit.

How marks became hits and false positives is decided before (`hilum.metrics.luna16`, `hilum.metrics.lesions`). Here a
hit is one found lesion with the score of its surest mark; a missed lesion is only in the number of lesions.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilum.core import MeasureError
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.metrics.lesions import Matches

Numbers: TypeAlias = NDArray[np.intp]

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives a scan at which LUNA16 reads sensitivities (Setio 2017, section 3.3)."""


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector found on some scans, matched with the truth.

    Attributes:
        scan: [n] number of the scan of each entry.
        score: [n] confidence of each entry, finite; larger is surer.
        is_hit: [n] True for a found lesion (with its surest mark's score), False for a false positive.
        lesions: [scans] how many lesions each scan has, found or not.

    Raises:
        MeasureError: the arrays don't fit together, a score is not finite, or a scan has more hits than lesions.
    """

    scan: Numbers
    score: Floats
    is_hit: Selection
    lesions: Numbers

    def __post_init__(self) -> None:
        if not self.scan.shape == self.score.shape == self.is_hit.shape:
            raise MeasureError("every entry has a scan, a score and whether it is a hit; the lengths differ.")
        if not np.isfinite(self.score).all():
            raise MeasureError("a score is a finite number; some are not.")
        if len(self.scan) and not (self.scan.min() >= 0 and self.scan.max() < len(self.lesions)):
            raise MeasureError(f"scans are numbered from 0 to {len(self.lesions) - 1}; some entries lie outside.")
        if (np.bincount(self.scan[self.is_hit], minlength=len(self.lesions)) > self.lesions).any():
            raise MeasureError("a scan has more hits than lesions; a lesion is found once, by its surest mark.")

    @classmethod
    def of(cls, images: Sequence[tuple[Matches, ArrayLike]]) -> "Detections":
        """From each image's matches and the scores [predictions] of its predictions."""
        parts = [_image_entries(matches, np.asarray(score, dtype=np.float64)) for matches, score in images]
        scan = np.repeat(np.arange(len(parts)), [len(score) for score, _ in parts])
        return cls(
            scan.astype(np.intp),
            np.concatenate([score for score, _ in parts] or [np.zeros(0)]),
            np.concatenate([is_hit for _, is_hit in parts] or [np.zeros(0, dtype=bool)]),
            np.array([len(matches.found_by) for matches, _ in images], dtype=np.intp),
        )

    @property
    def scans(self) -> int:
        """How many scans there are, with or without marks."""
        return len(self.lesions)


def _image_entries(matches: Matches, score: Floats) -> tuple[Floats, Selection]:
    """Scores and hits of one image. Of several marks on a lesion the surest scores, whatever its overlap."""
    surest = np.where(matches.marks, score[:, None], -np.inf).max(axis=0, initial=-np.inf)
    hits = surest[matches.is_found]
    false = score[matches.is_false]
    return np.concatenate([hits, false]), np.repeat([True, False], [len(hits), len(false)])


@dataclass(frozen=True, eq=False)
class FrocCurve:
    """Sensitivity against false positives, from the strictest threshold to the most lenient.

    Attributes:
        false_positives: [n] mean number a scan, ascending, from 0.
        sensitivity: [n] share of lesions found.
        threshold: [n] entries with at least this score count; infinite for the first point, where none does.
    """

    false_positives: Floats
    sensitivity: Floats
    threshold: Floats


class Reading(StrEnum):
    """How a sensitivity is read off the curve at a given number of false positives a scan."""

    INTERPOLATED = "interpolated"
    """On the straight line between the curve's points, LUNA16's way; level beyond the last. Of several sensitivities
    at one number of false positives the highest."""
    NEAREST = "nearest"
    """At the curve's nearest point, one that a threshold really reaches; of two equally near the one with fewer false
    positives, and there the highest."""


class _Sorted:
    """Detections by falling score, with what every weighted curve needs."""

    def __init__(self, found: Detections) -> None:
        order = np.argsort(-found.score, kind="stable")
        score = found.score[order]
        self.scan, self.is_hit = found.scan[order], found.is_hit[order]
        # Equal scores pass a threshold together, so only the last of them is a point of the curve.
        self.ends = np.flatnonzero(np.append(score[1:] != score[:-1], len(score) > 0))
        self.threshold = np.concatenate([[np.inf], score[self.ends]])
        self.lesions = found.lesions

    def curve(self, weight: Numbers | None = None) -> FrocCurve:
        """The curve when scan s counts weight[s] times; NaN sensitivities without a lesion."""
        times = np.ones(len(self.lesions), dtype=np.intp) if weight is None else weight
        each = times[self.scan]
        hits = np.cumsum(each * self.is_hit)[self.ends]
        false = np.cumsum(each)[self.ends] - hits
        lesions, scans = int(times @ self.lesions), int(times.sum())
        sensitivity = np.append(0, hits) / lesions if lesions else np.full(len(self.ends) + 1, np.nan)
        return FrocCurve(np.append(0, false) / max(scans, 1), sensitivity, self.threshold)


def froc_curve(found: Detections) -> FrocCurve:
    """The free-response curve (Bunch 1978): every threshold that a score gives is a point.

    Raises:
        MeasureError: there is no lesion, so no sensitivity.
    """
    _require_lesions(found)
    return _Sorted(found).curve()


def sensitivity_at(
    curve: FrocCurve, rates: ArrayLike = RATES, reading: Reading = Reading.INTERPOLATED
) -> NDArray[np.float64]:
    """[rates] sensitivities at given mean numbers of false positives a scan."""
    wanted = np.asarray(rates, dtype=np.float64)
    if reading is Reading.INTERPOLATED:
        return np.asarray(np.interp(wanted, curve.false_positives, curve.sensitivity))
    reached = curve.false_positives
    above = np.clip(np.searchsorted(reached, wanted), 0, len(reached) - 1)
    below = np.maximum(above - 1, 0)
    nearest = np.where(wanted - reached[below] <= reached[above] - wanted, below, above)
    last_there = np.searchsorted(reached, reached[nearest], side="right") - 1
    return np.asarray(curve.sensitivity[last_there])


def competition_performance(sensitivities: ArrayLike) -> float:
    """CPM: the mean of the sensitivities at the seven rates (Niemeijer 2011; Setio 2017, section 3.3)."""
    return float(np.mean(np.asarray(sensitivities, dtype=np.float64)))


def average_precision(found: Detections) -> float:
    """Area under precision against sensitivity over lesions: Σ (Sₖ − Sₖ₋₁) Pₖ over the thresholds, not interpolated.

    Precision is hits over hits and false positives; missed lesions are in the denominator of the sensitivity, so a
    detector that misses half can't pass one half. Without misses it is scikit-learn's `average_precision_score`.

    Raises:
        MeasureError: there is no lesion.
    """
    _require_lesions(found)
    return precision_area(_Sorted(found).curve(), int(found.lesions.sum()), found.scans)


def precision_area(curve: FrocCurve, lesions: float, scans: float) -> float:
    """Area under precision against sensitivity of a curve, over as many lesions and scans as were counted."""
    hits = curve.sensitivity[1:] * lesions
    marks = hits + curve.false_positives[1:] * scans
    precision = np.divide(hits, marks, out=np.zeros(len(marks)), where=marks > 0)
    return float(np.diff(curve.sensitivity) @ precision)


class FalseFrom(StrEnum):
    """Which scans' false positives a lesion is compared with."""

    NORMAL = "normal"
    """Scans without a lesion only: wAFROC."""
    ALL = "all"
    """All scans: wAFROC1, for data in which every scan has a lesion."""


def wafroc(found: Detections, false_from: FalseFrom = FalseFrom.NORMAL) -> float:
    """Area under the weighted alternative FROC curve, lesions of a scan weighing the same.

    θ = 1/(K₁K₂) Σ over scans k₁, k₂, Σ over k₂'s lesions of ψ(x, y)/L(k₂), where x is the highest false positive's
    score on k₁, y the lesion's score, L(k₂) the number of k₂'s lesions, and ψ is 1 for x < y, ½ for x = y, else 0. A
    scan without a false positive and a lesion without a mark score −∞. So no marks at all give ½.

    Source: Chakraborty and Zhai 2016, "On the meaning of the weighted alternative free-response operating
    characteristic figure of merit", Med Phys 43:2548, equation for θ with equal weights.

    Args:
        found: the detections.
        false_from: which scans k₁ are.

    Raises:
        MeasureError: there is no scan with lesions, or none to take false positives from.
    """
    _require_lesions(found)
    if false_from is FalseFrom.NORMAL and (found.lesions > 0).all():
        raise MeasureError(
            "every scan has a lesion, so wAFROC has no normal scan to compare with.", "Take FalseFrom.ALL (wAFROC1)."
        )
    return float(wafroc_of_weights(found, np.ones((1, found.scans)), false_from)[0])


def wafroc_of_weights(found: Detections, weights: Floats, false_from: FalseFrom = FalseFrom.NORMAL) -> Floats:
    """The area of `wafroc` when scan s counts weights[draw, s] times.

    Args:
        found: the detections.
        weights: [draws, scans].
        false_from: which scans false positives are taken from.

    Returns:
        [draws]; NaN where no scan with a lesion, or none to take false positives from, was drawn.
    """
    highest = np.full(found.scans, -np.inf)
    np.maximum.at(highest, found.scan[~found.is_hit], found.score[~found.is_hit])
    rivals = np.flatnonzero(found.lesions == 0) if false_from is FalseFrom.NORMAL else np.arange(found.scans)
    rivals = rivals[np.argsort(highest[rivals], kind="stable")]
    missed = found.lesions - np.bincount(found.scan[found.is_hit], minlength=found.scans)
    scan = np.concatenate([found.scan[found.is_hit], np.repeat(np.arange(found.scans), missed)])
    score = np.concatenate([found.score[found.is_hit], np.full(int(missed.sum()), -np.inf)])
    lower, upper = (np.searchsorted(highest[rivals], score, side=side) for side in ("left", "right"))
    diseased = found.lesions > 0
    values = np.full(len(weights), math.nan)
    for draw, weight in enumerate(weights):
        below = np.append(0.0, np.cumsum(weight[rivals]))
        if below[-1] > 0 and weight[diseased].sum() > 0:
            wins = weight[scan] / found.lesions[scan] @ (below[lower] + below[upper])
            values[draw] = wins / 2 / below[-1] / weight[diseased].sum()
    return values


def weighted_curves(found: Detections, weights: ArrayLike) -> Iterator[FrocCurve]:
    """The curve for each row of weights [draws, scans]: how many times each scan counts."""
    by_score = _Sorted(found)
    for weight in np.asarray(weights).astype(np.intp):
        yield by_score.curve(weight)


def resampled_curves(found: Detections, samples: int, seed: int, group: ArrayLike | None = None) -> Iterator[FrocCurve]:
    """The curve on each of `samples` draws of scans with replacement, as many as there are.

    Args:
        found: the detections.
        samples: how many draws.
        seed: of the draws.
        group: [scans] what is drawn instead: scans with the same value (one patient's) come together. None draws
            scans, as LUNA16 does.
    """
    label = np.arange(found.scans) if group is None else np.unique(np.asarray(group), return_inverse=True)[1]
    groups = int(label.max()) + 1 if len(label) else 0
    rng = np.random.default_rng(seed)
    by_score = _Sorted(found)
    for _ in range(samples):
        drawn = np.bincount(rng.integers(groups, size=groups), minlength=groups)
        yield by_score.curve(drawn[label])


def bootstrap_sensitivities(
    curves: Iterator[FrocCurve], rates: ArrayLike = RATES, reading: Reading = Reading.INTERPOLATED
) -> Floats:
    """[samples, rates] sensitivities of resampled curves; NaN in the rows of a draw without a lesion."""
    return np.array([sensitivity_at(curve, rates, reading) for curve in curves])


def interval(values: ArrayLike, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Lower and upper bounds along the first axis, as LUNA16's script takes them: the sorted values at ⌊Pn⌋.

    P is (1 − confidence)/2 and 1 − P. Draws with NaN (without a lesion) are left out.

    Args:
        values: [samples] or [samples, m].
        confidence: share of the draws between the bounds.

    Returns:
        Two arrays [m] (or of no axis); NaN where no draw is left.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=0)  # NaN goes last
    known = np.isfinite(ordered).sum(axis=0)
    tail = (1 - confidence) / 2
    bounds = []
    for share in (tail, 1 - tail):
        at = np.clip(np.floor(share * known).astype(np.intp), 0, np.maximum(known - 1, 0))
        bounds.append(np.take_along_axis(ordered, at[None], axis=0)[0] if len(ordered) else np.full(at.shape, math.nan))
    return bounds[0], bounds[1]


def _require_lesions(found: Detections) -> None:
    if not found.lesions.sum():
        raise MeasureError(
            "there is no lesion on these scans, so a sensitivity has no meaning.", "Check that truth and scans match."
        )
