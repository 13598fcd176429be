"""Whether a probability of .3 is right three times in ten: reliability, ECE, ACE, Brier, temperature.

Counted inside a region around truth and prediction. A nodule is a thousandth of a chest X-ray: over the whole image,
the background that nobody doubts makes every model look calibrated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hilum.core import GeometryError, InputError, MeasureError
from hilum.core.evaluation import Temperature
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.metrics.overlap import require_pair, share
from hilum.metrics.probability import STORED_LEVELS, Scores, require_probabilities, require_scores

REGION_MM = 10.0
"""How far the region reaches from truth ∪ prediction.

About a nodule's diameter: enough to hold a model's unsure rim and its near misses, and a region in which the nodule is
still a tenth, so that neither class drowns (a disk of 8 mm in one of 28 mm is 8 %, one of 15 mm in 35 mm is 18 %)."""
REGION_PX = 14.0
"""The same on the published X-rays' .7 mm pixels, for images without millimetres."""

_COLDEST, _HOTTEST = 1e-3, 1e3


def calibration_region(
    pred: Selection, truth: Selection, spacing: Sequence[float], radius: float = REGION_MM
) -> Selection:
    """Pixels within a radius of truth ∪ prediction; none where both are empty.

    Args:
        pred: [z, y, x] or [y, x]; what the model calls positive at its threshold.
        truth: the same shape.
        spacing: step along each axis in mm; ones where there are no millimetres, with `REGION_PX` as the radius.
        radius: in the unit of `spacing`.

    Raises:
        GeometryError: the shapes differ, or the spacing doesn't fit them.
        InputError: a mask is not boolean.
    """
    from scipy.ndimage import distance_transform_edt

    require_pair(pred, truth)
    if len(spacing) != pred.ndim or not all(step > 0 for step in spacing):
        raise GeometryError(f"a region of {pred.ndim} axes needs a positive spacing for each, got {tuple(spacing)}.")
    either = pred | truth
    region = np.zeros_like(either)
    found = np.argwhere(either)
    if len(found):
        margin = np.ceil(radius / np.asarray(spacing)).astype(int)
        low, high = np.maximum(found.min(axis=0) - margin, 0), found.max(axis=0) + margin + 1
        box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        region[box] = distance_transform_edt(~either[box], sampling=spacing) <= radius
    return region


@dataclass(frozen=True, eq=False)
class Reliability:
    """Sums of a reliability diagram's bins; add those of several cases to pool them.

    Attributes:
        edges: [bins + 1] from 0 to 1; a bin holds probabilities above its lower edge up to its upper one, the first
            one also 0.
        count: [bins] pixels.
        probability_sum: [bins].
        positives: [bins] pixels that are in the truth.
    """

    edges: Floats
    count: Floats
    probability_sum: Floats
    positives: Floats

    def __add__(self, other: "Reliability") -> "Reliability":
        """Pools two cases.

        Raises:
            GeometryError: the bins differ, as equal-mass bins of different cases do.
        """
        if not np.array_equal(self.edges, other.edges):
            raise GeometryError("bins with different edges can't be added.", "Give both the same edges.")
        return Reliability(
            self.edges,
            self.count + other.count,
            self.probability_sum + other.probability_sum,
            self.positives + other.positives,
        )

    @property
    def mean_probability(self) -> Floats:
        """[bins], the diagram's x; NaN in an empty bin."""
        return share(self.probability_sum, self.count)

    @property
    def observed(self) -> Floats:
        """[bins], the share that is in the truth, the diagram's y; NaN in an empty bin."""
        return share(self.positives, self.count)

    @property
    def error(self) -> float:
        """Mean gap between probability and observation, weighted by pixels; NaN without pixels."""
        return float(calibration_error_of_sums(self.count, self.probability_sum, self.positives))


def calibration_error_of_sums(count: Floats, probability_sum: Floats, positives: Floats) -> Floats:
    """Σ |Σp − positives| / Σ count over the bins (Guo 2017, eq. 3, bins multiplied out), for many diagrams at once.

    Args:
        count: [..., bins].
        probability_sum: [..., bins].
        positives: [..., bins].

    Returns:
        [...], NaN where there are no pixels.
    """
    gaps = np.asarray(np.abs(probability_sum - positives).sum(axis=-1))
    return share(gaps, np.asarray(count.sum(axis=-1)))


def equal_width_edges(bins: int = 15) -> Floats:
    """Bins of one width (Guo 2017, who takes 15): the mean gap is then the expected calibration error, ECE."""
    return np.linspace(0, 1, bins + 1)


def equal_mass_edges(probability: Scores, bins: int = 15) -> Floats:
    """Bins of one number of pixels: the mean gap is then the adaptive calibration error, ACE (Nixon 2019, section 3.3).

    Equal probabilities stay together, so that the order of pixels doesn't matter; where many are equal there are fewer
    bins, of unequal mass, and each weighs as much as it holds.

    Raises:
        InputError: there are no probabilities.
    """
    if not probability.size:
        raise InputError("bins of equal mass need pixels; there are none.", "Use equal_width_edges.")
    ordered = np.sort(probability, axis=None).astype(np.float64)
    last = np.ceil(np.arange(1, bins) * ordered.size / bins).astype(int) - 1
    return np.unique(np.concatenate([[0.0], ordered[last], [1.0]]))


def reliability(probability: Scores, truth: Selection, edges: Floats) -> Reliability:
    """Counts a reliability diagram. Pass the pixels of a region: `reliability(p[region], truth[region], edges)`.

    Args:
        probability: of being in the truth, any shape.
        truth: the same shape.
        edges: [bins + 1], ascending from 0 to 1.

    Raises:
        GeometryError: the shapes differ.
        InputError: the truth is not boolean, or a probability is not between 0 and 1.
    """
    require_probabilities(probability, truth)
    flat = probability.ravel().astype(np.float64)
    bins = len(edges) - 1
    which = np.searchsorted(edges[1:-1], flat)
    count = np.bincount(which, minlength=bins).astype(np.float64)
    positives = np.bincount(which[truth.ravel()], minlength=bins).astype(np.float64)
    probability_sum = np.bincount(which, weights=flat, minlength=bins).astype(np.float64)
    return Reliability(edges, count, probability_sum, positives)


def expected_calibration_error(probability: Scores, truth: Selection, bins: int = 15) -> float:
    """ECE of these pixels over bins of one width (Guo 2017); NaN without pixels."""
    return reliability(probability, truth, equal_width_edges(bins)).error


def adaptive_calibration_error(probability: Scores, truth: Selection, bins: int = 15) -> float:
    """ACE of these pixels over bins of one mass (Nixon 2019); NaN without pixels."""
    if not probability.size:
        return math.nan
    return reliability(probability, truth, equal_mass_edges(probability, bins)).error


def brier(probability: Scores, truth: Selection) -> float:
    """Mean squared distance of the probability from what came true (Brier 1950, for two classes); NaN without pixels.

    Raises:
        GeometryError: the shapes differ.
        InputError: the truth is not boolean, or a probability is not between 0 and 1.
    """
    require_probabilities(probability, truth)
    return float(np.mean((probability.astype(np.float64) - truth) ** 2)) if truth.size else math.nan


def tempered(probability: Scores, temperature: float, levels: int = STORED_LEVELS) -> Floats:
    """Probabilities whose logits were divided by a temperature; order and the decision at .5 stay as they are.

    Args:
        probability: any shape.
        temperature: above 0; more than 1 makes a model less sure.
        levels: as in `logits`.
    """
    return _logistic(logits(probability, levels) / temperature)


def logits(probability: Scores, levels: int = STORED_LEVELS) -> Floats:
    """The logit log(p / (1 − p)) of stored probabilities.

    A stored 0 stands for anything below half a step, a stored 1 for anything above 1 less half a step; they are taken
    at that bound, where the logit is finite.

    Args:
        probability: any shape, from 0 to 1.
        levels: steps from 0 to 1 in which it was stored.
    """
    half = 0.5 / levels
    kept = np.clip(probability.astype(np.float64), half, 1 - half)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def fit_temperature(
    logit: Scores, truth: Selection, *, split: str, source: str, weights: Floats | None = None
) -> Temperature:
    """The temperature with the least negative log-likelihood (Guo 2017, section 4.2, for one logit).

    The loss is convex in 1/T, so the zero of its derivative is the only minimum.

    Args:
        logit: any shape; the pixels of the calibration region of all validation cases.
        truth: the same shape.
        split: which split the pixels are from. Only "validation" is taken.
        source: the data set, in words.
        weights: how many pixels each logit stands for, the same shape; None is one each.

    Raises:
        GeometryError: the shapes differ.
        InputError: another split, the truth is not boolean, or a logit is not finite.
        MeasureError: no temperature is the best one, as when the classes are separated without error.
    """
    from scipy.optimize import brentq

    if split != "validation":
        raise InputError(
            f"a temperature is fitted on validation cases, not on {split!r}.", "Fit it there and apply it here."
        )
    require_scores(logit, truth)
    z, t = logit.ravel().astype(np.float64), truth.ravel()
    w = np.ones(len(z)) if weights is None else weights.ravel()
    pixels = int(w.sum())

    def slope(log_beta: float) -> float:
        return float(np.dot(w * z, _logistic(math.exp(log_beta) * z) - t)) / max(pixels, 1)

    coldest, hottest = -math.log(_COLDEST), -math.log(_HOTTEST)
    if not slope(hottest) < 0 < slope(coldest):
        raise MeasureError(
            f"no temperature from {_COLDEST:g} to {_HOTTEST:g} fits these {pixels} pixels best.",
            "The scores separate the classes without error, or don't rise with the truth at all.",
        )
    value = math.exp(-brentq(slope, hottest, coldest, xtol=1e-10))
    return Temperature(value, f"{source}, {split}", pixels, _loss(z, t, w), _loss(z / value, t, w))


def _loss(z: Floats, truth: Selection, weights: Floats) -> float:
    """Mean negative log-likelihood, log(1 + exp(∓z)), without overflow."""
    return float(np.average(np.logaddexp(0, np.where(truth, -z, z)), weights=weights))


def _logistic(z: Floats) -> Floats:
    from scipy.special import expit

    return np.asarray(expit(z))
