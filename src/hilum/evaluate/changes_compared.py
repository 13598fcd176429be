"""Two models, or a model and a rival, compared by what became of lesions since an earlier picture: the same lesions."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from hilum.core import Alarm, ChangedLesion, ChangeKind, Evaluation, Group
from hilum.core.changes import (
    COULD_HAVE_CHANGED,
    DIAMETER_SIZE,
    DICE,
    FALSE_GONE,
    NOTICED,
    SENSITIVITY,
    STILL_THERE,
)
from hilum.core.figures import Figure
from hilum.core.geometry import Floats
from hilum.evaluate.bootstrap import Resamples, mean_figures
from hilum.evaluate.changes import GROUPS, OF_EACH, Cases, is_in
from hilum.evaluate.lesion_figures import mean_over_lesions
from hilum.evaluate.no_worse import NEW_MARGIN, NoWorse, no_worse
from hilum.evaluate.statistics import PairedComparison, compare_paired, paired_differences, with_holm
from hilum.evaluate.versus import Versus

_PRESENT = tuple(str(kind) for kind in (ChangeKind.UNCHANGED, ChangeKind.GROWN, ChangeKind.SHRUNK, ChangeKind.NEW))
_SIZED = (*_PRESENT, STILL_THERE, COULD_HAVE_CHANGED)

COMPARED: Mapping[str, tuple[str, ...]] = {
    SENSITIVITY: _PRESENT,
    DICE: _SIZED,
    DIAMETER_SIZE: _SIZED,
    NOTICED: (str(ChangeKind.GONE),),
    FALSE_GONE: (STILL_THERE, COULD_HAVE_CHANGED),
}
"""Figures of a lesion that are compared, and of which groups. Each figure is one family for Holm's correction."""

_LOWER_IS_BETTER = (DIAMETER_SIZE, FALSE_GONE)
_MARGINS: Mapping[tuple[str, str], float] = {(SENSITIVITY, str(ChangeKind.NEW)): NEW_MARGIN}
"""By figure and group: where "no worse" is asked, and how much it may be missed by."""

ALL_CASES = "all cases"
"""The group of the difference that is a mean over cases, of whatever kind."""


def compare_changes(
    models: Mapping[str, Evaluation], seed: int, samples: int
) -> tuple[tuple[Versus, ...], tuple[Alarm, ...]]:
    """Every figure by kind of change for every pair of models, on the lesions that all have; or why not.

    Lesions are paired and patients are the units: they change sign together, and are drawn together. Holm's correction
    is over the kinds and the pairs of models, each figure for itself.

    Args:
        models: evaluations by name.
        seed: of bootstrap and permutation.
        samples: bootstrap draws.
    """
    if not any(model.changed for model in models.values()):
        return (), ()
    tables = {name: {(one.key, one.id, one.kind): one for one in model.changed} for name, model in models.items()}
    common = sorted(set.intersection(*map(set, tables.values())))
    if not common:
        says = "Lesions are not compared by kind of change: not all evaluations have the same, or list them."
        without = [name for name, model in models.items() if not model.changed] or list(models)
        return (), (Alarm("changes_not_compared", says, tuple(without), is_note=True),)
    lesions = {name: [table[one] for one in common] for name, table in tables.items()}
    versus = [one for figure in COMPARED for one in _versus(figure, lesions, seed, samples)]
    left_out = [f"{name}: {len(table) - len(common)}" for name, table in tables.items() if len(table) > len(common)]
    says = "Lesions that not every model was asked for, or not as of the same kind of change, are left out."
    return tuple(versus), (Alarm("changes_left_out", says, tuple(left_out)),) if left_out else ()


def _versus(figure: str, lesions: Mapping[str, Sequence[ChangedLesion]], seed: int, samples: int) -> list[Versus]:
    pairs = [(group, *pair) for group in COMPARED[figure] for pair in combinations(lesions, 2)]
    compared = [_compared(figure, group, lesions[a], lesions[b], (seed, samples)) for group, a, b in pairs]
    higher = figure not in _LOWER_IS_BETTER
    return [
        Versus(figure, first, second, paired, higher, of_change=group, no_worse=_no_worse(figure, group, paired))
        for (group, first, second), paired in zip(pairs, with_holm(compared), strict=True)
        if paired.patients
    ]


def _no_worse(figure: str, group: str, paired: PairedComparison) -> NoWorse | None:
    margin = _MARGINS.get((figure, group))
    return None if margin is None else no_worse(paired.difference, paired.patients, margin)


def _compared(
    figure: str, group: str, first: Sequence[ChangedLesion], second: Sequence[ChangedLesion], draws: tuple[int, int]
) -> PairedComparison:
    chosen = [n for n, one in enumerate(first) if is_in(group, one)]
    seed, samples = draws
    differences = paired_differences(
        _values(figure, [first[n] for n in chosen]),
        _values(figure, [second[n] for n in chosen]),
        [first[n].patient for n in chosen],
    )
    higher = figure not in _LOWER_IS_BETTER
    return compare_paired(figure, differences, np.random.default_rng(seed), higher_is_better=higher, samples=samples)


def _values(figure: str, lesions: Sequence[ChangedLesion]) -> Floats:
    return np.array([OF_EACH[figure](one) for one in lesions] or np.zeros(0), dtype=np.float64)


def over_rival(ours: Cases, theirs: Cases, draw: Resamples) -> tuple[Group, ...]:
    """Predictions minus a rival, lesion by lesion: the figures of `COMPARED` for each group, intervals over patients.

    Args:
        ours: the judged lesions of each case, in the order of the draws' cases.
        theirs: the same lesions, judged by the rival's mask; none of a case that it has nothing for.
        draw: of patients.
    """
    both = [list(zip(some, other, strict=True)) if other else [] for some, other in zip(ours, theirs, strict=True)]
    groups = []
    for group in GROUPS:
        pairs = [[(one, rival) for one, rival in some if is_in(group, one)] for some in both]
        if any(pairs):
            names = [figure for figure, asked in COMPARED.items() if group in asked]
            groups.append(Group(group, {name: _over(name, pairs, draw) for name in names}))
    return tuple(groups)


def _over(name: str, pairs: Sequence[Sequence[tuple[ChangedLesion, ChangedLesion]]], draw: Resamples) -> Figure:
    value = OF_EACH[name]
    return mean_over_lesions(
        name, [[value(one) - value(rival) for one, rival in some] for some in pairs], draw, are_shares=False
    )


def dice_over_rival(ours: Floats, theirs: Floats, draw: Resamples) -> Group:
    """The mean over cases of predictions' Dice minus a rival's, NaN in either left out, under the name `ALL_CASES`.

    Args:
        ours: [cases] in the order of the draws' cases.
        theirs: [cases] of the rival.
        draw: of patients.
    """
    return Group(ALL_CASES, mean_figures({"dice_mean": np.asarray(ours - theirs)}, draw))
