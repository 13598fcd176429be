"""Intervals by resampling patients (`definitions.md`, "Case, and interval").

Images of one patient are not independent, so whole patients are drawn. A resample is a weight for each case: how often
it was drawn. A mean is then a weighted mean and a pooled figure a function of weighted sums, all resamples at once.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.core import Figure, InputError, MeasureError
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.metrics.overlap import share

RESAMPLES = 1_000
FEWEST = 100
"""Fewer draws make no 95 % interval: its ends are the third from either end of a hundred."""
MOST = 100_000
LEVEL = 0.95
_NUMBERS_AT_ONCE = 2**24
"""Sums of one block of resamples: 128 MiB."""
_NOT_A_SHARE = ("_mm", "_mm2", "_mm3", "_percent", "_per_image")
"""Ends of the names of figures that may exceed 1."""


@dataclass(frozen=True, eq=False)
class Resamples:
    """Patients drawn with replacement, as many as there are, many times over.

    Attributes:
        weights: [resamples, cases], how often each case is in each resample.
        patient: [cases], which patient a case belongs to, counted from 0.
    """

    weights: Floats
    patient: NDArray[np.intp]

    def of(self, chosen: Selection) -> "Resamples":
        """The same draws, of some cases: `chosen` is [cases]."""
        return Resamples(self.weights[:, chosen], self.patient[chosen])


def require_draws(bootstraps: int) -> None:
    """Refuse numbers of draws that make no interval.

    Raises:
        InputError: it is neither 0, for no intervals, nor from `FEWEST` to `MOST`.
    """
    if bootstraps and not FEWEST <= bootstraps <= MOST:
        raise InputError(
            f"bootstraps are {FEWEST} to {MOST}, or 0 for no intervals, got {bootstraps}.", "1000 is customary."
        )


def resample_patients(patients: Sequence[str], rng: np.random.Generator, number: int = RESAMPLES) -> Resamples:
    """Draws patients; every one of a drawn patient's cases comes along.

    Args:
        patients: the patient of each case, at least one.
        rng: where the draw comes from.
        number: how many resamples.

    Raises:
        InputError: there are no cases.
    """
    if not len(patients):
        raise InputError("a bootstrap draws from cases, and there are no cases.")
    names, patient = np.unique(np.asarray(patients), return_inverse=True)
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=number)
    return Resamples(times[:, patient].astype(np.float64), patient)


def is_share(name: str) -> bool:
    """Whether a figure (no difference of figures) lies between 0 and 1; the unit in its name says when it doesn't."""
    return not name.endswith(_NOT_A_SHARE)


def mean_figures(
    values: Mapping[str, Floats], resamples: Resamples, level: float = LEVEL, *, are_shares: bool = False
) -> dict[str, Figure]:
    """The mean of each per-case figure over the cases that have it, with its percentile interval (Efron 1979).

    A NaN is left out of the mean and of n. The interval is NaN when fewer than two patients have a value, since one
    patient drawn again and again shows no spread at all; a resample without any value is left out.

    Args:
        values: by name, [cases] each, in the order of the resamples' cases.
        resamples: from `resample_patients`.
        level: of the interval.
        are_shares: whether values lie between 0 and 1, so that an interval at 0 or 1 has a width, too.

    Raises:
        MeasureError: a value is infinite, or the numbers of cases differ.
    """
    if not values:
        return {}
    table = _table(values, resamples)
    known = ~np.isnan(table)
    filled = np.where(known, table, 0.0)
    sums, numbers = resamples.weights @ filled, resamples.weights @ known.astype(np.float64)
    samples = share(np.asarray(sums), np.asarray(numbers))
    figures = {}
    for column, name in enumerate(values):
        kept = known[:, column]
        value = float(table[kept, column].mean()) if kept.any() else math.nan
        low, high = _interval(samples[:, column], resamples.patient[kept], level, is_share=are_shares)
        figures[name] = Figure(name, value, low, high, int(kept.sum()))
    return figures


def pooled_figure(
    name: str,
    sums: Floats,
    figure: Callable[[Floats], Floats],
    resamples: Resamples,
    level: float = LEVEL,
    *,
    is_share: bool = False,
) -> Figure:
    """A figure of sums over all cases, summed again for every resample.

    Args:
        name: of the figure.
        sums: [cases, k], what each case adds: `Counts.array()`, the bins of a `Reliability`, levels of `ScoreCounts`.
        figure: [..., k] sums to [...] values, such as `Ratio.DICE.of_sums`.
        resamples: from `resample_patients`.
        level: of the interval.
        is_share: whether the figure lies between 0 and 1, so that an interval at 0 or 1 has a width, too.

    Raises:
        MeasureError: a sum is not finite, or the numbers of cases differ.
    """
    if len(sums) != len(resamples.patient) or not np.isfinite(sums).all():
        raise MeasureError(
            f"{name}: finite sums of {len(resamples.patient)} cases were expected, got {len(sums)}.",
            "Of which some may be NaN: a case without pixels adds zeros.",
        )
    blocks = math.ceil(len(resamples.weights) * sums.shape[1] / _NUMBERS_AT_ONCE)
    samples = np.concatenate([figure(block @ sums) for block in np.array_split(resamples.weights, max(blocks, 1))])
    value = float(figure(sums.sum(axis=0)))
    has_it = ~np.isnan(figure(sums)) if is_share and value in (0, 1) else np.ones(len(sums), dtype=bool)
    low, high = _interval(samples, resamples.patient[has_it], level, is_share=is_share)
    return Figure(name, value, low, high, 0 if math.isnan(value) else len(sums))


def sampled_figure(
    name: str, value: float, samples: Floats, resamples: Resamples, has_it: Selection, n: int, *, is_share: bool = False
) -> Figure:
    """A figure that was worked out for every resample elsewhere, since it is no function of sums.

    Args:
        name: of the figure.
        value: of all cases.
        samples: [resamples], NaN where undefined.
        resamples: from `resample_patients`.
        has_it: [cases] which cases the figure is of; of one patient alone there is no interval.
        n: how many cases or lesions it is of.
        is_share: whether the figure lies between 0 and 1, so that an interval at 0 or 1 has a width, too.
    """
    low, high = _interval(samples, resamples.patient[has_it], LEVEL, is_share=is_share)
    return Figure(name, value, low, high, 0 if math.isnan(value) else n)


def _table(values: Mapping[str, Floats], resamples: Resamples) -> Floats:
    """[cases, figures]."""
    for name, column in values.items():
        if np.shape(column) != resamples.patient.shape:
            raise MeasureError(
                f"{name} has {np.shape(column)} values, the resamples are of {len(resamples.patient)} cases."
            )
        if np.isinf(column).any():
            raise MeasureError(f"{name} is infinite in some case.", "What is undefined is NaN, and is counted.")
    return np.stack([np.asarray(column, dtype=np.float64) for column in values.values()], axis=1)


def _interval(samples: Floats, patient: NDArray[np.intp], level: float, *, is_share: bool) -> tuple[float, float]:
    """The percentile interval of one figure's resamples; `patient` are those of the cases that have a value.

    Patients who all have the share 1, or 0, show no spread however often they are drawn. Then the interval is
    Clopper's and Pearson's (1934) of n patients of n, or of 0. It holds for any mean of values from 0 to 1: of those
    with one mean, values that are 0 or 1 only are most often all alike.
    """
    defined, patients = samples[~np.isnan(samples)], len(np.unique(patient))
    if patients < 2 or not len(defined):
        return math.nan, math.nan
    tail = (1 - level) / 2
    low, high = (float(end) for end in np.percentile(defined, [100 * tail, 100 - 100 * tail]))
    if is_share and defined.min() == defined.max():
        low = tail ** (1 / patients) if low == 1 else low
        high = 1 - tail ** (1 / patients) if high == 0 else high
    return low, high
