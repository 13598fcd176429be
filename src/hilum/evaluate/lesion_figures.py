"""Figures over lesions that were found and missed: pooled over cases, and apart by size or by what else is known."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from hilum.core.evaluation import Group
from hilum.core.figures import Figure
from hilum.core.geometry import Floats
from hilum.datasets.drr_pairs import SIZE_BANDS_MM, size_band
from hilum.evaluate.bootstrap import Resamples, is_share, mean_figures, pooled_figure
from hilum.evaluate.case_lesions import Lesion, LesionResult
from hilum.metrics.overlap import share

UNKNOWN_SIZE = "unknown size"

FOUND: Mapping[str, Callable[[Lesion], float]] = {"lesion_sensitivity": lambda one: one.is_found}
"""What is known of a lesion that is a point."""
OVERLAPPED: Mapping[str, Callable[[Lesion], float]] = {
    **FOUND,
    "lesion_covered": lambda one: one.covered,
    "lesion_dice": lambda one: one.dice,
}
"""What is known of a lesion that has pixels; its other figures with what meets it stand by name in `Lesion.met`."""

MET_BESIDE = ("volume_error_percent", "hd95_mm", "nsd_")
"""Starts of the names in `Lesion.met` that groups of lesions show beside `OVERLAPPED`."""


def values_of(cases: Sequence[LesionResult], name: str) -> Floats:
    """[cases] one figure of each case; NaN where it has none."""
    return np.array([case.row.values.get(name, math.nan) for case in cases], dtype=np.float64)


def mean_of(name: str, values: Floats, draw: Resamples) -> Figure:
    """The mean over the cases that have a value."""
    return mean_figures({name: values}, draw, are_shares=is_share(name))[name]


def share_of_sums(sums: Floats) -> Floats:
    """[..., 2] part and whole to the part's share; NaN of nothing."""
    return share(sums[..., 0], sums[..., 1])


def lesion_figures(cases: Sequence[LesionResult], draw: Resamples) -> list[Figure]:
    """Lesions found of all, and false predictions per image."""
    lesions, found, false = (values_of(cases, name) for name in ("lesions", "lesions_found", "false_positives"))
    table = np.stack([found, lesions], axis=1)
    sensitivity = pooled_figure("lesion_sensitivity", table, share_of_sums, draw, is_share=True)
    return [replace(sensitivity, n=int(lesions.sum())), mean_of("false_positives_per_image", false, draw)]


def found_figures(
    lesions: Sequence[Sequence[Lesion]], draw: Resamples, of_each: Mapping[str, Callable[[Lesion], float]] = OVERLAPPED
) -> list[Figure]:
    """Means over lesions, all weighing the same.

    Args:
        lesions: some lesions of each case.
        draw: of patients.
        of_each: what is averaged, over the lesions that have it.
    """
    return [
        mean_over_lesions(name, [[float(value(one)) for one in some] for some in lesions], draw)
        for name, value in of_each.items()
    ]


def mean_over_lesions(
    name: str, values: Sequence[Sequence[float]], draw: Resamples, *, are_shares: bool | None = None
) -> Figure:
    """The mean over lesions that have a value, of which there are n.

    Args:
        name: of the figure.
        values: of some lesions of each case; NaN where undefined, as a missed lesion's distance.
        draw: of patients.
        are_shares: whether values lie between 0 and 1; None goes by the name, and differences say False.
    """
    known = [[one for one in some if not math.isnan(one)] for some in values]
    table = np.array([[sum(some), len(some)] for some in known], dtype=np.float64).reshape(-1, 2)
    are = is_share(name) if are_shares is None else are_shares
    figure = pooled_figure(name, table, share_of_sums, draw, is_share=are)
    return replace(figure, n=int(table[:, 1].sum()))


def names_met(lesions: Iterable[Iterable[Mapping[str, float]]]) -> list[str]:
    """Names of all figures with what meets a lesion, in their order."""
    return list(dict.fromkeys(name for some in lesions for met in some for name in met))


def with_met(
    lesions: Sequence[Sequence[Lesion]], of_each: Mapping[str, Callable[[Lesion], float]]
) -> Mapping[str, Callable[[Lesion], float]]:
    """What is averaged over lesions, and beside it size error, distance and surface Dice, where these are known."""
    names = [name for name in names_met([one.met for one in some] for some in lesions) if name.startswith(MET_BESIDE)]
    return {**of_each, **{f"lesion_{name}": _met(name) for name in names}}


def _met(name: str) -> Callable[[Lesion], float]:
    return lambda one: one.met.get(name, math.nan)


def by_size(
    cases: Sequence[LesionResult], draw: Resamples, of_each: Mapping[str, Callable[[Lesion], float]] = OVERLAPPED
) -> tuple[Group, ...]:
    """Lesions by their own size, false predictions by theirs."""
    of_each = with_met([case.lesions for case in cases], of_each)
    low, high = SIZE_BANDS_MM
    sizes = [size for case in cases for size in (*case.false_mm, *(lesion.size_mm for lesion in case.lesions))]
    is_unknown = [math.isnan(size) for size in sizes]
    names = [] if sizes and all(is_unknown) else [size_band(0), size_band(low), size_band(high)]
    names += [UNKNOWN_SIZE] if any(is_unknown) else []
    groups = []
    for name in names:
        lesions = [[one for one in case.lesions if band(one) == name] for case in cases]
        false = np.array([sum(_band(size) == name for size in case.false_mm) for case in cases], dtype=np.float64)
        figures = [*found_figures(lesions, draw, of_each), mean_of("false_positives_per_image", false, draw)]
        groups.append(Group(name, {figure.name: figure for figure in figures}))
    return tuple(groups)


def band(one: Lesion) -> str:
    """The name of the group of sizes that a lesion belongs to."""
    return _band(one.size_mm)


def _band(size_mm: float) -> str:
    return UNKNOWN_SIZE if math.isnan(size_mm) else size_band(size_mm)
