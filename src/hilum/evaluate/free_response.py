"""Two models' free-response figures compared: the same patients drawn for both, and marks exchanged patient by patient.

A FROC, an average precision over lesions and wAFROC are of all marks together, not means over cases, so no case has a
value that could be subtracted. The bootstrap draws patients, and both models' figures are taken of the same draw. Under
the hypothesis of no difference a patient's marks could as well be the other model's: the permutation test exchanges
them. Scores of two models have no common scale, so before that each is replaced by how many of its own model's false
marks score as high (as ranks are in tests of paired ROC curves: Venkatraman and Begg 1996, Biometrika 83:835); no
figure of a model changes by that.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from hilum.core.evaluation import Alarm, CaseMarks, CaseRow, Evaluation
from hilum.core.geometry import Floats
from hilum.evaluate.bootstrap import Resamples, resample_patients, sampled_figure
from hilum.evaluate.statistics import (
    PERMUTATIONS,
    PairedComparison,
    attained_alpha,
    is_exact,
    minimal_detectable_difference,
    permutation_floor,
    with_holm,
)
from hilum.evaluate.versus import Versus
from hilum.metrics.froc import (
    RATES,
    Detections,
    FalseFrom,
    competition_performance,
    precision_area,
    sensitivity_at,
    wafroc_of_weights,
    weighted_curves,
)

RATE_NAMES = tuple(f"froc_{rate:g}" for rate in RATES)
"""Sensitivities at LUNA16's rates of false marks an image."""

_BETWEEN = 0.4
"""Hits between two false marks are kept in order within this part of the gap of one."""

_ROUNDING = 1e-12

_AT_ONCE = 1_000
"""Exchanges of one block, for the memory's sake."""

_FREE_RESPONSE = frozenset({"lesion_average_precision", "wafroc", "wafroc1"})


@dataclass(frozen=True, eq=False)
class TwoModels:
    """Two models' marks on the same cases.

    Attributes:
        found: all of them, the second model's case k numbered n + k; scores on the scale of false marks.
        patients: [n] whose each case is.
    """

    found: Detections
    patients: Sequence[str]

    @classmethod
    def of(
        cls, rows: Sequence[CaseRow], first: Mapping[str, CaseMarks], second: Mapping[str, CaseMarks]
    ) -> "TwoModels":
        """Of the cases that both have.

        Args:
            rows: these cases.
            first: marks of one model by key; a key that is missing has neither lesion nor mark.
            second: those of the other.
        """
        parts = [on_false_scale(detections_of(_in_order(marks, rows))) for marks in (first, second)]
        found = Detections(
            np.concatenate([part.scan + k * len(rows) for k, part in enumerate(parts)]),
            np.concatenate([part.score for part in parts]),
            np.concatenate([part.is_hit for part in parts]),
            np.concatenate([part.lesions for part in parts]),
        )
        return cls(found, [row.patient for row in rows])


def _in_order(marks: Mapping[str, CaseMarks], rows: Sequence[CaseRow]) -> list[CaseMarks]:
    return [marks.get(row.key, CaseMarks()) for row in rows]


def detections_of(cases: Sequence[CaseMarks]) -> Detections:
    """The marks of some cases as one list."""
    scores = [np.array([*one.hits, *one.false], dtype=np.float64) for one in cases]
    is_hit = [np.repeat([True, False], [len(one.hits), len(one.false)]) for one in cases]
    return Detections(
        np.repeat(np.arange(len(cases)), [len(one) for one in scores]).astype(np.intp),
        np.concatenate(scores or [np.zeros(0)]),
        np.concatenate(is_hit or [np.zeros(0, dtype=bool)]),
        np.array([len(one.hits) + one.missed for one in cases], dtype=np.intp),
    )


def on_false_scale(found: Detections) -> Detections:
    """The same marks, scored by how many false ones score as high: the order, and what is tied, stays.

    A false mark has minus the mean of how many are above it and how many are at least as high; a hit the same, and hits
    between the same two false marks keep their order within that gap.
    """
    false = np.sort(found.score[~found.is_hit])
    above = len(false) - np.searchsorted(false, found.score, side="right")
    reaching = len(false) - np.searchsorted(false, found.score, side="left")
    score = -(above + reaching) / 2
    free = found.is_hit & (above == reaching)
    _, order = np.unique(found.score[free], return_inverse=True)
    score[free] += _BETWEEN * (order + 1) / (order.max(initial=0) + 2)
    return replace(found, score=np.asarray(score, dtype=np.float64))


def compare_free_response(
    both: TwoModels, rng: np.random.Generator, samples: int, number: int = PERMUTATIONS
) -> tuple[PairedComparison, ...]:
    """WAFROC (wAFROC1 where every case has a lesion), average precision, sensitivities at the rates, and their mean.

    There are no values of single cases, so Wilcoxon's test, Cohen's d and the share improved are NaN. The detectable
    difference is of the bootstrap's own standard error.

    Args:
        both: the marks.
        rng: of bootstrap and permutation.
        samples: bootstrap draws.
        number: permutations.
    """
    draw = resample_patients(both.patients, rng, samples)
    ones, zeros = np.ones((1, len(both.patients))), np.zeros_like(draw.weights)
    there = _values(both.found, np.concatenate([0 * ones, ones], axis=1))
    here = _values(both.found, np.concatenate([ones, 0 * ones], axis=1))
    drawn = _values(both.found, np.concatenate([zeros, draw.weights], axis=1))
    drawn = drawn - _values(both.found, np.concatenate([draw.weights, zeros], axis=1))
    observed = (there - here)[0]
    p = _permutation_p(both, observed, draw, rng, number)
    return tuple(
        _comparison(name, float(observed[k]), drawn[:, k], float(p[k]), draw) for k, name in enumerate(_names(both))
    )


def _names(both: TwoModels) -> tuple[str, ...]:
    merit = "wafroc1" if (both.found.lesions > 0).all() else "wafroc"
    return (merit, "lesion_average_precision", "cpm", *RATE_NAMES)


def _values(found: Detections, weights: Floats) -> Floats:
    """[draws, figures] in the order of `_names`."""
    false_from = FalseFrom.ALL if (found.lesions > 0).all() else FalseFrom.NORMAL
    merit = wafroc_of_weights(found, weights, false_from)
    rows = []
    for weight, curve in zip(weights, weighted_curves(found, weights), strict=True):
        lesions = float(weight @ found.lesions)
        area = precision_area(curve, lesions, float(weight.sum())) if lesions else math.nan
        at_rates = sensitivity_at(curve, RATES)
        rows.append([area, competition_performance(at_rates), *at_rates])
    return np.column_stack([merit, np.array(rows).reshape(len(weights), 2 + len(RATES))])


def _permutation_p(both: TwoModels, observed: Floats, draw: Resamples, rng: np.random.Generator, number: int) -> Floats:
    """[figures] two-sided p: all exchanges of patients where there are few, else drawn ones and the observed."""
    patients = int(draw.patient.max()) + 1
    exact = is_exact(patients, number)
    if exact:
        swapped = np.arange(2**patients)[:, None] >> np.arange(patients) & 1
    else:
        swapped = rng.integers(0, 2, (number, patients))
    as_large = np.zeros(len(observed))
    for block in np.array_split(swapped, -(-len(swapped) // _AT_ONCE)):
        swap = block[:, draw.patient].astype(np.float64)
        there = _values(both.found, np.concatenate([swap, 1 - swap], axis=1))
        differences = there - _values(both.found, np.concatenate([1 - swap, swap], axis=1))
        as_large += (np.abs(differences) >= np.abs(observed) - _ROUNDING).sum(axis=0)
    p = as_large / len(swapped) if exact else (as_large + 1) / (number + 1)
    return np.where(np.isnan(observed), math.nan, p)


def _comparison(name: str, observed: float, drawn: Floats, p: float, draw: Resamples) -> PairedComparison:
    everyone = np.ones(len(draw.patient), dtype=np.bool_)
    patients = int(draw.patient.max()) + 1
    known = drawn[~np.isnan(drawn)]
    # A mean over n patients that has this standard error would be of values that spread √n times as much.
    spread = float(known.std()) * math.sqrt(patients) if len(known) > 1 else math.nan
    return PairedComparison(
        difference=sampled_figure(name, observed, drawn, draw, everyone, len(everyone)),
        patients=patients,
        dropped=0,
        only_first_undefined=0,
        only_second_undefined=0,
        wilcoxon_p=math.nan,
        permutation_p=p,
        permutation_floor=permutation_floor(patients),
        cohens_d=math.nan,
        share_improved=math.nan,
        spread=spread,
        detectable=minimal_detectable_difference(spread, patients, attained_alpha(patients)),
    )


def compare_marks(
    models: Mapping[str, Evaluation], rows: Sequence[CaseRow], seed: int, samples: int
) -> tuple[list[Versus], list[Alarm]]:
    """Every free-response figure for every pair of models, with Holm's correction over the pairs; or why not.

    Args:
        models: by name.
        rows: the cases that all of them have.
        seed: of bootstrap and permutation.
        samples: bootstrap draws.
    """
    uncompared = _uncompared(models, rows)
    if uncompared or not any(model.marks for model in models.values()):
        return [], uncompared
    pairs = list(combinations(models, 2))
    found = [
        compare_free_response(
            TwoModels.of(rows, models[first].marks, models[second].marks), np.random.default_rng(seed), samples
        )
        for first, second in pairs
    ]
    return [
        Versus(paired.difference.name, *pair, paired, higher_is_better=True, is_of_marks=True)
        for of_figure in zip(*found, strict=True)
        for pair, paired in zip(pairs, with_holm(of_figure), strict=True)
    ], []


def _uncompared(models: Mapping[str, Evaluation], rows: Sequence[CaseRow]) -> list[Alarm]:
    """Why free-response figures are not compared, where some model has them."""
    without = [name for name, model in models.items() if not model.marks]
    scored = [name for name, model in models.items() if model.marks or _FREE_RESPONSE & set(model.figures)]
    if not scored:
        return []
    if without:
        says = (
            "FROC, average precision over lesions and wAFROC are not compared: these evaluations have no scored marks "
            "(masks have no scores, and older evaluations left no marks.csv)."
        )
        return [Alarm("marks_not_compared", says, tuple(without), is_note=True)]
    lesions = {tuple(len(one.hits) + one.missed for one in _in_order(model.marks, rows)) for model in models.values()}
    if len(lesions) > 1 or not any(map(sum, lesions)):
        says = (
            "FROC, average precision over lesions and wAFROC are not compared: the cases that all models have hold no "
            "lesion, or not the same number by each evaluation."
        )
        return [Alarm("marks_not_compared", says, tuple(models), is_note=True)]
    return []
