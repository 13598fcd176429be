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
from hilum.core.mask import Selection
from hilum.evaluate.bootstrap import RESAMPLES, Resamples, pooled_figure, resample_patients
from hilum.evaluate.cases import FOREGROUND, OVERLAPS, SURFACES
from hilum.evaluate.changes_compared import compare_changes
from hilum.evaluate.evaluation import mean_over_classes
from hilum.evaluate.free_response import compare_marks
from hilum.evaluate.statistics import compare_paired, paired_differences, with_holm
from hilum.evaluate.versus import Missed, PooledVersus, Versus
from hilum.metrics.overlap import Ratio

MAGNITUDES: Mapping[str, str] = {
    f"absolute_{name}": name for name in ("area_error_mm2", "volume_error_mm3", "volume_error_percent")
}
"""Errors that have a sign, and are compared by their size."""

LOWER_IS_BETTER = frozenset(
    {
        *("hd_mm", "hd95_mm", "assd_mm", "robust_distance_mm"),
        *("false_positives", "false_positive_on_empty", "ece", "ace", "brier"),
        *MAGNITUDES,
    }
)

_IMAGE_SENSITIVITY = "image_sensitivity"

_OVERLAPS_AND_SURFACES = ("dice", "iou", "precision", "recall", *SURFACES)

PAIRED_BY_CLASS = (*_OVERLAPS_AND_SURFACES, *MAGNITUDES, _IMAGE_SENSITIVITY, "false_positive_on_empty")
"""Figures of a case that are compared for each class, too."""

PAIRED = (
    *_OVERLAPS_AND_SURFACES,
    *MAGNITUDES,
    "lesion_sensitivity",
    "false_positives",
    "false_positive_on_empty",
    "roc_auc",
    "average_precision",
    "ece",
    "ace",
    "brier",
)
"""Figures of a case that are compared; sizes and counts of pixels are not among them."""

LEAVE_OUT_MISSES = frozenset({*SURFACES, "precision"})
"""Figures that are undefined where a model predicts nothing: a model that misses the hard cases gains by it."""

POOLED: Mapping[str, Ratio] = {f"{name}_pooled": ratio for name, ratio in OVERLAPS.items()}
_COUNTS = ("tp", "fp", "fn", "tn")

Rows = Mapping[str, Sequence[CaseRow]]


@dataclass(frozen=True, eq=False)
class EvaluationsCompared:
    """All pairs of models.

    Attributes:
        models: the evaluations by name, in the order given.
        cases: how many all of them have.
        patients: whose they are.
        versus: every figure and pair; by figure first, those of all classes together before those of each.
        pooled: differences of pooled figures.
        alarms: what makes the comparison doubtful.
        classes: names of the declared classes; empty when there is one.
        by_change: figures and pairs of the lesions of each kind of change since an earlier picture.
    """

    models: Mapping[str, Evaluation]
    cases: int
    patients: int
    versus: tuple[Versus, ...]
    pooled: tuple[PooledVersus, ...]
    alarms: tuple[Alarm, ...]
    classes: tuple[str, ...] = ()
    by_change: tuple[Versus, ...] = ()


def compare_evaluations(
    models: Mapping[str, Evaluation], seed: int = 0, samples: int = RESAMPLES
) -> EvaluationsCompared:
    """Compare models on the cases that all of them have.

    Args:
        models: at least two evaluations by name.
        seed: of bootstrap and permutation.
        samples: bootstrap draws.

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
    classes = _classes(rows)
    wanted = [(figure, "") for figure in PAIRED] + [(figure, one) for one in classes for figure in PAIRED_BY_CLASS]
    versus = [one for what in wanted if _is_known(rows, *what) for one in _versus(*what, pairs, rows, (seed, samples))]
    by_marks, uncompared = compare_marks(models, next(iter(rows.values())), seed, samples)
    draw = resample_patients(patients, np.random.default_rng(seed), samples)
    by_change, unpaired = compare_changes(models, seed, samples)
    doubts = (*_alarms(tables, keys), *_other_rules(models), *_unchecked(models), *_missed_alarm(rows), *uncompared)
    alarms = (*doubts, *unpaired, *_carried(models))
    pooled = _pooled(pairs, rows, classes, draw) if _all_have(rows, "tp") else ()
    everything = (*versus, *by_marks)
    return EvaluationsCompared(
        models, len(keys), len(set(patients)), everything, pooled, alarms, classes, by_change=by_change
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


def _classes(rows: Rows) -> tuple[str, ...]:
    """Classes that every model has figures of; a single class has no name in the tables."""
    first = next(iter(rows.values()))[0].values
    if f"{FOREGROUND}dice" not in first:
        return ()
    names = [name.removeprefix("dice_") for name in first if name.startswith("dice_")]
    return tuple(name for name in names if _all_have(rows, f"dice_{name}"))


def _column(figure: str, of_class: str) -> str:
    return f"{figure}_{of_class}" if of_class else figure


def _all_have(rows: Rows, figure: str) -> bool:
    return all(figure in some[0].values for some in rows.values())


def _values(rows: Sequence[CaseRow], name: str) -> Floats:
    return np.array([row.values.get(name, math.nan) for row in rows], dtype=np.float64)


def _is_known(rows: Rows, figure: str, of_class: str) -> bool:
    name = "tp" if figure == _IMAGE_SENSITIVITY else MAGNITUDES.get(figure, figure)
    return _all_have(rows, _column(name, of_class))


def _figure_of(rows: Sequence[CaseRow], figure: str, of_class: str) -> Floats:
    """[cases] of a figure, some of which follow from columns of the table."""
    if figure == _IMAGE_SENSITIVITY:
        tp, fp, fn, _ = _counts(rows, [of_class]).T
        return np.where(tp + fn > 0, tp + fp > 0, math.nan)
    values = _values(rows, _column(MAGNITUDES.get(figure, figure), of_class))
    return np.asarray(np.abs(values)) if figure in MAGNITUDES else values


def _versus(
    figure: str, of_class: str, pairs: Sequence[tuple[str, str]], rows: Rows, draws: tuple[int, int]
) -> list[Versus]:
    """One figure for every pair of models, with Holm's correction over the pairs."""
    higher, (seed, samples) = figure not in LOWER_IS_BETTER, draws
    compared, missed = [], []
    for first, second in pairs:
        both = rows[first], rows[second]
        patients = [row.patient for row in rows[first]]
        differences = paired_differences(*_paired_values(figure, of_class, both), patients)
        rng = np.random.default_rng(seed)
        compared.append(compare_paired(figure, differences, rng, higher_is_better=higher, samples=samples))
        missed.append(_missed(of_class, both) if figure in LEAVE_OUT_MISSES else None)
    return [
        Versus(figure, *pair, paired, higher, left, of_class)
        for pair, paired, left in zip(pairs, with_holm(compared), missed, strict=True)
    ]


def _paired_values(
    figure: str, of_class: str, both: tuple[Sequence[CaseRow], Sequence[CaseRow]]
) -> tuple[Floats, Floats]:
    """[cases] of each model; the mean over classes is of the classes for which both are defined."""
    first, second = both
    is_of_each = figure in LEAVE_OUT_MISSES or figure in MAGNITUDES
    classes = () if of_class or not is_of_each else _classes({"first": first, "second": second})
    if not classes:
        return _figure_of(first, figure, of_class), _figure_of(second, figure, of_class)
    ours, theirs = (np.stack([_figure_of(some, figure, one) for one in classes]) for some in both)
    is_known = ~(np.isnan(ours) | np.isnan(theirs))
    known = is_known.sum(axis=0)
    # Without a class in common a case is dropped; a model that has none at all is the one it is undefined for.
    alone = [
        np.where(np.isnan(other).all(axis=0) & ~np.isnan(own).all(axis=0), 0.0, math.nan)
        for own, other in ((ours, theirs), (theirs, ours))
    ]
    means = [
        np.divide(np.where(is_known, some, 0).sum(axis=0), known, out=instead, where=known > 0)
        for some, instead in zip((ours, theirs), alone, strict=True)
    ]
    return means[0], means[1]


def _missed(of_class: str, both: tuple[Sequence[CaseRow], Sequence[CaseRow]]) -> Missed:
    """Dice is defined where the truth has a lesion, precision where something is predicted."""
    first, second = (_missed_by(rows, of_class) for rows in both)
    present = int((~np.isnan(_values(both[0], _named(both[0], "dice", of_class)))).sum())
    return Missed(int(first.sum()), int(second.sum()), int((first & second).sum()), present)


def _missed_by(rows: Sequence[CaseRow], of_class: str = "") -> Selection:
    """[cases], whether nothing is predicted where the truth has a lesion."""
    dice, precision = (_values(rows, _named(rows, figure, of_class)) for figure in ("dice", "precision"))
    return np.asarray(~np.isnan(dice) & np.isnan(precision))


def _named(rows: Sequence[CaseRow], figure: str, of_class: str) -> str:
    """The figure of one class, or of any class together."""
    if of_class:
        return _column(figure, of_class)
    foreground = f"{FOREGROUND}{figure}"
    return foreground if foreground in rows[0].values else figure


def _pooled(
    pairs: Sequence[tuple[str, str]], rows: Rows, classes: Sequence[str], draw: Resamples
) -> tuple[PooledVersus, ...]:
    """Of all pixels together: mean of the classes, each class, any class; older tables hold no pixels of a class."""
    has_counts = bool(classes) and all(_all_have(rows, _column("tp", one)) for one in classes)
    parts: list[tuple[str, str, Sequence[str]]] = [("", FOREGROUND if classes else "", ("",))]
    if has_counts:
        parts = [("", "", classes), *((one, "", (one,)) for one in classes), *parts]
    return tuple(
        PooledVersus(*pair, _pooled_difference(f"{before}{name}", ratio, [rows[one] for one in pair], of, draw), label)
        for label, before, of in parts
        for name, ratio in POOLED.items()
        for pair in pairs
    )


def _pooled_difference(
    name: str, ratio: Ratio, both: Sequence[Sequence[CaseRow]], classes: Sequence[str], draw: Resamples
) -> Figure:
    counts = np.concatenate([_counts(rows, classes) for rows in both], axis=1)

    def difference(sums: Floats) -> Floats:
        first, second = np.moveaxis(sums.reshape(*sums.shape[:-1], 2, len(classes), 4), -3, 0)
        return np.asarray(mean_over_classes(second, ratio) - mean_over_classes(first, ratio))

    return pooled_figure(name, counts, difference, draw)


def _counts(rows: Sequence[CaseRow], classes: Sequence[str]) -> Floats:
    """[cases, classes × 4] pixels; "" for any class together."""
    return np.stack([_values(rows, _column(part, one)) for one in classes for part in _COUNTS], axis=1)


def _other_rules(models: Mapping[str, Evaluation]) -> list[Alarm]:
    """Lesions found by one rule can't be set against lesions found by another."""
    rules = {name: model.match for name, model in models.items() if model.match}
    if len(set(rules.values())) < 2:
        return []
    says = "The evaluations differ in the rule by which a lesion is found: figures of lesions can't be compared."
    return [Alarm("rules_differ", says, tuple(f"{name}: {rule}" for name, rule in rules.items()))]


def _unchecked(models: Mapping[str, Evaluation]) -> list[Alarm]:
    """Evaluations that don't say by which masks they were judged."""
    unknown = [name for name, model in models.items() if not model.truth_hash]
    if not unknown:
        return []
    says = (
        "These evaluations don't say which true masks they were judged by (made by an older hilum): only the sizes of "
        "the masks could be compared. Evaluate them again to be sure."
    )
    return [Alarm("truth_unchecked", says, tuple(unknown), is_note=True)]


def _missed_alarm(rows: Rows) -> list[Alarm]:
    """Models that predict nothing on different numbers of cases: their distances are of different difficulty."""
    missed = {name: int(_missed_by(some).sum()) for name, some in rows.items()}
    if len(set(missed.values())) < 2:
        return []
    says = (
        "Distances and precision leave out the cases in which a model predicts nothing although there is a lesion, and "
        "the models do so in different numbers: read them with Dice, which counts such a case as 0."
    )
    return [Alarm("misses_differ", says, tuple(f"{name}: {n}" for name, n in missed.items()), is_note=True)]


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
