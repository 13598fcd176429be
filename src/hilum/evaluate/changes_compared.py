"""Two models' lesions compared by what became of them since an earlier picture: the same lesions, by patient."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from hilum.core import Alarm, ChangedLesion, ChangeKind, Evaluation
from hilum.core.geometry import Floats
from hilum.evaluate.changes import DIAMETER_SIZE, DICE, FALSE_GONE, GROUPS, NOTICED, OF_EACH, SENSITIVITY, STILL_THERE
from hilum.evaluate.statistics import PairedComparison, compare_paired, paired_differences, with_holm
from hilum.evaluate.versus import Versus

_PRESENT = tuple(str(kind) for kind in (ChangeKind.UNCHANGED, ChangeKind.GROWN, ChangeKind.SHRUNK, ChangeKind.NEW))

COMPARED: Mapping[str, tuple[str, ...]] = {
    SENSITIVITY: _PRESENT,
    DICE: _PRESENT,
    DIAMETER_SIZE: _PRESENT,
    NOTICED: (str(ChangeKind.GONE),),
    FALSE_GONE: (STILL_THERE,),
}
"""Figures of a lesion that are compared, and of which groups. Each figure is one family for Holm's correction."""

_LOWER_IS_BETTER = (DIAMETER_SIZE, FALSE_GONE)


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
        Versus(figure, first, second, paired, higher, of_change=group)
        for (group, first, second), paired in zip(pairs, with_holm(compared), strict=True)
        if paired.patients
    ]


def _compared(
    figure: str, group: str, first: Sequence[ChangedLesion], second: Sequence[ChangedLesion], draws: tuple[int, int]
) -> PairedComparison:
    chosen = [n for n, one in enumerate(first) if one.kind in GROUPS[group]]
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
