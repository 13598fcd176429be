"""Evaluations of several models on the same cases, compared pair by pair; "no difference" is said with its power."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from hilum.core import InputError
from hilum.core.evaluation import Alarm, CaseRow, Evaluation
from hilum.core.figures import Figure
from hilum.core.geometry import Floats
from hilum.evaluate.bootstrap import RESAMPLES, Resamples, pooled_figure, resample_patients
from hilum.evaluate.statistics import (
    ALPHA,
    PERMUTATIONS,
    POWER,
    PairedComparison,
    compare_paired,
    paired_differences,
    with_holm,
)
from hilum.metrics.overlap import Ratio
from hilum.report.comparison import CASE_WORDS

LOWER_IS_BETTER = frozenset(
    {"hd_mm", "hd95_mm", "assd_mm", "robust_distance_mm", "false_positives", "false_positive_on_empty", "ece", "ace"}
)

PAIRED = (
    "dice",
    "iou",
    "precision",
    "recall",
    "lesion_sensitivity",
    "false_positives",
    "false_positive_on_empty",
    "hd95_mm",
    "assd_mm",
    "nsd_2mm",
    "roc_auc",
    "average_precision",
    "ece",
)
"""Figures of a case that are compared; sizes and counts of pixels are not among them."""

POOLED: Mapping[str, Ratio] = {"dice_pooled": Ratio.DICE, "iou_pooled": Ratio.IOU}
_COUNTS = ("tp", "fp", "fn", "tn")


@dataclass(frozen=True)
class Versus:
    """Two models and one figure.

    Attributes:
        figure: of a case, such as "dice".
        first: name of the first model.
        second: name of the second; differences are second minus first.
        paired: what can be said; p values are Holm's over all pairs of models.
        higher_is_better: which way is good.
        pairs: how many pairs of models Holm corrects for.
    """

    figure: str
    first: str
    second: str
    paired: PairedComparison
    higher_is_better: bool
    pairs: int = 1

    @property
    def is_seen(self) -> bool:
        """Whether the permutation test sees a difference after Holm's correction."""
        return self.paired.permutation_p < ALPHA

    @property
    def _p(self) -> str:
        """The p value; "≤" where only the number of permutations keeps it from being smaller."""
        p, floor = self.paired.permutation_p, self.pairs / (PERMUTATIONS + 1)
        is_drawn = 2**self.paired.patients > PERMUTATIONS
        if is_drawn and p <= floor * (1 + 1e-9):
            return f"p ≤ {math.ceil(floor * 10_000) / 10_000:.4f}"
        return f"p {p:.4f}"

    @property
    def verdict(self) -> str:
        """One sentence, with the power of what was not seen."""
        difference = self.paired.difference
        words, unit = CASE_WORDS.get(self.figure, (self.figure, ""))
        words = words[0].upper() + words[1:]
        if math.isnan(difference.value):
            return f"{words}: no case has it for both {self.first} and {self.second}."
        paired = self.paired
        if not self.is_seen:
            seen = f"{words}: no difference seen between {self.first} and {self.second} "
            seen += f"({_signed(difference.value)}{unit}, p {paired.permutation_p:.3f})"
            if math.isnan(paired.detectable):
                return f"{seen}; its spread over {paired.patients} patients is none or unknown, and so is the power."
            return (
                f"{seen}; with {paired.patients} patients a true one of {paired.detectable:.3f}{unit} would be seen "
                f"{POWER:.0%} of the time, a smaller one may be there."
            )
        better = self.second if (difference.value > 0) == self.higher_is_better else self.first
        return (
            f"{words}: {better} is better; {self.second} − {self.first} = {_signed(difference.value)}{unit} "
            f"({_signed(difference.low)} to {_signed(difference.high)}), {self._p}."
        )


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


@dataclass(frozen=True)
class PooledVersus:
    """The difference of a figure of all pixels together; it has an interval and no test."""

    first: str
    second: str
    difference: Figure


@dataclass(frozen=True, eq=False)
class EvaluationsCompared:
    """All pairs of models.

    Attributes:
        models: the evaluations by name, in the order given.
        cases: how many all of them have.
        patients: whose they are.
        versus: every figure and pair; by figure first.
        pooled: differences of pooled figures.
        alarms: what makes the comparison doubtful.
    """

    models: Mapping[str, Evaluation]
    cases: int
    patients: int
    versus: tuple[Versus, ...]
    pooled: tuple[PooledVersus, ...]
    alarms: tuple[Alarm, ...]


def compare_evaluations(
    models: Mapping[str, Evaluation], seed: int = 0, samples: int = RESAMPLES
) -> EvaluationsCompared:
    """Compare models on the cases that all of them have.

    Args:
        models: at least two evaluations by name.
        seed: of bootstrap and permutation.
        samples: bootstrap draws of pooled differences.

    Raises:
        InputError: fewer than two models, another truth or split, or no case in common.
    """
    _require_alike(models)
    _require_same_masks(models)
    tables = {name: {row.key: row for row in model.cases} for name, model in models.items()}
    keys = sorted(set.intersection(*(set(table) for table in tables.values())))
    if not keys:
        raise InputError("the evaluations have no case in common.", "Compare evaluations of the same cases.")
    rows = {name: [table[key] for key in keys] for name, table in tables.items()}
    patients = [row.patient for row in next(iter(rows.values()))]
    pairs = list(combinations(models, 2))
    versus = [one for figure in PAIRED if _all_have(rows, figure) for one in _versus(figure, pairs, rows, seed)]
    draw = resample_patients(patients, np.random.default_rng(seed), samples)
    pooled = [_pooled(name, pair, rows, draw) for name in POOLED for pair in pairs]
    return EvaluationsCompared(
        models, len(keys), len(set(patients)), tuple(versus), tuple(pooled), (*_alarms(tables, keys), *_carried(models))
    )


def _require_alike(models: Mapping[str, Evaluation]) -> None:
    if len(models) < 2:
        raise InputError(f"a comparison needs at least two evaluations, got {len(models)}.", "Give A=PATH B=PATH.")
    for what in ("truth", "split", "split_hash"):
        there = {getattr(model, what) for model in models.values()}
        if len(there) > 1:
            names = ", ".join(f"{name}: {getattr(model, what) or 'none'}" for name, model in models.items())
            raise InputError(
                f"the evaluations differ in {what} ({names}).", "Evaluate all on the same split and truth."
            )


def _require_same_masks(models: Mapping[str, Evaluation]) -> None:
    """Names may be equal where masks are not; evaluations that don't know their masks' hash are taken at their word."""
    hashes = {name: model.truth_hash for name, model in models.items() if model.truth_hash}
    if len(set(hashes.values())) > 1:
        shown = ", ".join(f"{name}: {found[:8]}" for name, found in hashes.items())
        raise InputError(
            f"the evaluations were judged against different true masks (their hashes: {shown}).",
            "Evaluate all against the same masks.",
        )


def _all_have(rows: Mapping[str, Sequence[CaseRow]], figure: str) -> bool:
    return all(figure in some[0].values for some in rows.values())


def _values(rows: Sequence[CaseRow], name: str) -> Floats:
    return np.array([row.values.get(name, math.nan) for row in rows], dtype=np.float64)


def _versus(
    figure: str, pairs: Sequence[tuple[str, str]], rows: Mapping[str, Sequence[CaseRow]], seed: int
) -> list[Versus]:
    """One figure for every pair of models, with Holm's correction over the pairs."""
    higher = figure not in LOWER_IS_BETTER
    compared = []
    for first, second in pairs:
        patients = [row.patient for row in rows[first]]
        differences = paired_differences(_values(rows[first], figure), _values(rows[second], figure), patients)
        rng = np.random.default_rng(seed)
        compared.append(compare_paired(figure, differences, rng, higher_is_better=higher))
    return [
        Versus(figure, first, second, paired, higher, len(pairs))
        for (first, second), paired in zip(pairs, with_holm(compared), strict=True)
    ]


def _pooled(name: str, pair: tuple[str, str], rows: Mapping[str, Sequence[CaseRow]], draw: Resamples) -> PooledVersus:
    ratio = POOLED[name]
    first, second = (np.stack([_values(rows[model], part) for part in _COUNTS], axis=1) for model in pair)

    def difference(sums: Floats) -> Floats:
        return np.asarray(ratio.of_sums(sums[..., 4:]) - ratio.of_sums(sums[..., :4]))

    if "foreground_dice" in rows[pair[0]][0].values:  # the counts are of any class together
        name = f"foreground_{name}"
    return PooledVersus(*pair, pooled_figure(name, np.concatenate([first, second], axis=1), difference, draw))


def _carried(models: Mapping[str, Evaluation]) -> list[Alarm]:
    """What was doubtful of a model before it was compared stays so."""
    return [
        replace(alarm, says=f"{name}: {alarm.says}", evidence=tuple(f"{name}: {one}" for one in alarm.evidence))
        for name, model in models.items()
        for alarm in model.alarms
    ]


def _alarms(tables: Mapping[str, Mapping[str, CaseRow]], keys: Sequence[str]) -> tuple[Alarm, ...]:
    found = []
    left_out = [f"{name}: {len(table) - len(keys)}" for name, table in tables.items() if len(table) > len(keys)]
    if left_out:
        says = "Cases that not every model has are left out; a model that fails on hard cases gains by it."
        found.append(Alarm("cases_left_out", says, tuple(left_out)))
    sizes = {name: [table[key].values.get("truth_pixels") for key in keys] for name, table in tables.items()}
    reference = next(iter(sizes.values()))
    if other := [name for name, some in sizes.items() if some != reference]:
        found.append(Alarm("truth_differs", "The truth has other sizes in some evaluations.", tuple(other)))
    return tuple(found)
