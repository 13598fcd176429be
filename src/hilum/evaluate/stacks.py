"""Slices together by nodule: figures of each nodule's stack beside those of its slices."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hilum.core.evaluation import Group
from hilum.evaluate.bootstrap import resample_patients
from hilum.evaluate.cases import CaseResult
from hilum.evaluate.lesion_figures import mean_of, values_of
from hilum.metrics.overlap import Counts, Ratio, volume_error_percent


@dataclass(frozen=True)
class StackOf:
    """The nodule that a case is a slice of.

    Attributes:
        nodule: unique in the data set.
        reader_count: how many readers outlined it.
    """

    nodule: str
    reader_count: int


def by_stack(cases: Sequence[CaseResult], stacks: Mapping[str, StackOf], samples: int, seed: int) -> tuple[Group, ...]:
    """Figures of slices and of nodules, for all nodules and apart by reader count.

    A nodule's Dice is that of all its slices' pixels together, so that slices count by what is on them, and marks on
    a slice where its consensus ends count, too. `slice_dice` is the mean over slices with truth, as `dice_mean` is.

    Args:
        cases: judged.
        stacks: by the case's key; cases of no nodule are left out.
        samples: bootstrap draws of patients.
        seed: of the draws.
    """
    known = [case for case in cases if case.row.key in stacks]
    if not known:
        return ()
    counts = sorted({stacks[case.row.key].reader_count for case in known}, reverse=True)
    parts = [("all", known)]
    if len(counts) > 1:
        parts += [(f"n = {n}", [one for one in known if stacks[one.row.key].reader_count == n]) for n in counts]
    return tuple(_group(name, part, stacks, samples, seed) for name, part in parts)


def _group(name: str, cases: Sequence[CaseResult], stacks: Mapping[str, StackOf], samples: int, seed: int) -> Group:
    of_nodule: dict[str, list[CaseResult]] = {}
    for case in cases:
        of_nodule.setdefault(stacks[case.row.key].nodule, []).append(case)
    patients = [some[0].row.patient for some in of_nodule.values()]
    draw = resample_patients(patients, np.random.default_rng(seed), samples)
    slices = resample_patients([case.row.patient for case in cases], np.random.default_rng(seed), samples)
    together = [_summed(some) for some in of_nodule.values()]
    dice = np.array([float(Ratio.DICE.of_sums(one.array())) if one.tp + one.fn else math.nan for one in together])
    error = np.array([volume_error_percent(one) for one in together])
    figures = (
        mean_of("nodule_dice", dice, draw),
        mean_of("nodule_volume_error_percent", error, draw),
        mean_of("slice_dice", values_of(cases, "dice"), slices),
    )
    return Group(name, {figure.name: figure for figure in figures})


def _summed(cases: Sequence[CaseResult]) -> Counts:
    """Pixels of all slices; they are of one size, so their sums are those of the nodule's voxels."""
    return sum((case.counts for case in cases), Counts(0, 0, 0, 0))
