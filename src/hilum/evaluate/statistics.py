"""Is one model better than another on the same cases, by how much, and what could not have been seen.

Two models are compared on the cases where both have a value. Patients, not images, are the independent units: cases of
one patient are averaged (Wilcoxon, Cohen's d, detectable difference) or change sign together (permutation).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from hilum.core import Figure, MeasureError
from hilum.core.geometry import Floats
from hilum.evaluate.bootstrap import RESAMPLES, mean_figures, resample_patients

ALPHA = 0.05
POWER = 0.8
PERMUTATIONS = 10_000
_ROUNDING = 1e-12
"""Differences that spread by no more than this share of the values themselves are one number, rounded."""


@dataclass(frozen=True, eq=False)
class Differences:
    """Second minus first model, case by case.

    Attributes:
        cases: [n], where both have a value.
        patient: [n], counted from 0 without gaps.
        dropped: cases where one model's figure, or both, is undefined.
        only_first_undefined: those of them where the second model has a value.
        only_second_undefined: those where the first has.
        scale: the largest magnitude of a value that was subtracted, which rounding goes by.
    """

    cases: Floats
    patient: NDArray[np.intp]
    dropped: int
    only_first_undefined: int
    only_second_undefined: int
    scale: float

    @cached_property
    def by_patient(self) -> Floats:
        """[patients], the mean of each patient's cases."""
        if not len(self.cases):
            return np.empty(0)
        return np.asarray(self.patient_sums / np.bincount(self.patient))

    @cached_property
    def patient_sums(self) -> Floats:
        """[patients], the sum of each patient's cases."""
        return np.bincount(self.patient, weights=self.cases).astype(np.float64)


def paired_differences(first: Floats, second: Floats, patients: Sequence[str]) -> Differences:
    """Second minus first where both are defined; the other cases are dropped and counted.

    Args:
        first: [cases] of one model, NaN where undefined.
        second: [cases] of the other, in the same order.
        patients: [cases].

    Raises:
        MeasureError: the numbers of cases differ, or a value is infinite.
    """
    if not len(first) == len(second) == len(patients):
        raise MeasureError(
            f"pairs were expected, got {len(first)} and {len(second)} values of {len(patients)} cases.",
            "Compare the cases that both models have.",
        )
    if np.isinf(first).any() or np.isinf(second).any():
        raise MeasureError("a value is infinite.", "What is undefined is NaN, and is counted.")
    no_first, no_second = np.isnan(first), np.isnan(second)
    kept = ~(no_first | no_second)
    _, patient = np.unique(np.asarray(patients)[kept], return_inverse=True)
    scale = float(np.abs(np.stack([first, second])[:, kept]).max(initial=0))
    return Differences(
        cases=np.asarray(second - first)[kept],
        patient=patient,
        dropped=int((~kept).sum()),
        only_first_undefined=int((no_first & ~no_second).sum()),
        only_second_undefined=int((no_second & ~no_first).sum()),
        scale=scale,
    )


def wilcoxon_p(differences: Differences) -> float:
    """Two-sided p of the signed-rank test over patients (Wilcoxon 1945; zeros ranked, then left out: Pratt 1959).

    1 when no patient differs, NaN without patients.
    """
    from scipy.stats import wilcoxon

    if not differences.by_patient.any():
        return 1.0 if len(differences.by_patient) else math.nan
    return float(wilcoxon(differences.by_patient, zero_method="pratt").pvalue)


def permutation_p(differences: Differences, rng: np.random.Generator, number: int = PERMUTATIONS) -> float:
    """Two-sided p of the mean difference when each patient's sign is a coin's (Fisher 1935, chapter III).

    All 2^patients signs when there are at most `number` of them; otherwise `number` draws, and the observed one
    counted among them, so that p is never 0 (Phipson and Smyth 2010). NaN without patients.
    """
    sums = differences.patient_sums
    if not len(sums):
        return math.nan
    exact = is_exact(len(sums), number)
    if exact:
        signs = 2 * (np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums)) & 1) - 1
    else:
        signs = 2 * rng.integers(0, 2, (number, len(sums)), dtype=np.int8) - 1
    # Sums of the same numbers in another order may differ in their last digits.
    reached = abs(sums.sum()) - 1e-12 * np.abs(sums).sum()
    as_large = int((np.abs(signs @ sums) >= reached).sum())
    return as_large / len(signs) if exact else (as_large + 1) / (number + 1)


def is_exact(patients: int, number: int = PERMUTATIONS) -> bool:
    """Whether the permutation test tries all signs, not a draw of them."""
    return patients <= math.log2(number)


def permutation_floor(patients: int, number: int = PERMUTATIONS) -> float:
    """The smallest p that `permutation_p` can give, whatever the difference; NaN without patients.

    Of all 2^n signs the observed ones and their opposite are as extreme: 2/2^n. Of `number` drawn ones none may be,
    and the observed one counts among them: 1/(number + 1) (Phipson and Smyth 2010).
    """
    if patients < 1:
        return math.nan
    return 2.0 ** (1 - patients) if is_exact(patients, number) else 1 / (number + 1)


def attained_alpha(patients: int, alpha: float = ALPHA, number: int = PERMUTATIONS) -> float:
    """How often `permutation_p` is below `alpha` without an effect: its p values are steps of the floor.

    0 when few patients can't show anything at all: five have no p below 2/32.
    """
    floor = permutation_floor(patients, number)
    return floor * (math.ceil(alpha / floor * (1 - _ROUNDING)) - 1) if patients else math.nan


def cohens_d(differences: Differences) -> float:
    """Mean over standard deviation of the patients' differences (d_z; Cohen 1988, section 2.3.5; Lakens 2013, eq. 6).

    NaN for fewer than two patients, or when all differ by the same.
    """
    spread = spread_of(differences)
    return float(differences.by_patient.mean()) / spread if spread > 0 else math.nan


def spread_of(differences: Differences) -> float:
    """Standard deviation of the patients' differences; NaN for fewer than two.

    0 when they differ by no more than rounding does: .3 − .2 and .8 − .7 are not the same number.
    """
    by_patient = differences.by_patient
    if len(by_patient) < 2:
        return math.nan
    spread = float(by_patient.std(ddof=1))
    return spread if spread > _ROUNDING * differences.scale else 0.0


def share_improved(differences: Differences, *, higher_is_better: bool = True) -> float:
    """Share of cases in which the second model is strictly better; NaN without cases."""
    if not len(differences.cases):
        return math.nan
    return float(np.mean(differences.cases > 0 if higher_is_better else differences.cases < 0))


def holm(p_values: Sequence[float]) -> Floats:
    """P values adjusted for several comparisons (Holm 1979): step-down Bonferroni, no assumption on dependence.

    Args:
        p_values: one for each comparison; NaN for one that couldn't be made, which is not counted and stays NaN.

    Returns:
        [comparisons], in the same order; compare them with α as they are.
    """
    given = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(given.shape, math.nan)
    known = np.flatnonzero(~np.isnan(given))
    order = known[np.argsort(given[known])]
    stepped = given[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1) if len(order) else stepped
    return adjusted


def power_of_paired_t(difference: float, spread: float, patients: int, alpha: float = ALPHA) -> float:
    """Chance that a two-sided paired t test sees a true mean difference (noncentral t; Cohen 1988, section 2.3.5).

    Args:
        difference: the true mean of the patients' differences.
        spread: their standard deviation, positive, in the same unit.
        patients: how many, at least two.
        alpha: of the test.
    """
    from scipy.stats import nct, t

    critical = float(t.ppf(1 - alpha / 2, patients - 1))
    shift = abs(difference) / spread * math.sqrt(patients)
    # The second term is the chance to find it on the wrong side, as the mirror image's: nct.cdf is NaN far out.
    return float(nct.sf(critical, patients - 1, shift) + nct.sf(critical, patients - 1, -shift))


def minimal_detectable_difference(spread: float, patients: int, alpha: float = ALPHA, power: float = POWER) -> float:
    """The smallest true mean difference that a paired t test of this size finds with the given power.

    "No difference was seen" is to be read as "none above this". NaN for fewer than two patients, or when these differ
    by the same: no spread says nothing of what could be seen. NaN for an alpha of 0: such a test never sees anything.

    Args:
        spread: standard deviation of the patients' differences.
        patients: how many.
        alpha: of the two-sided test.
        power: chance to find it.
    """
    if patients < 2 or not spread > 0 or not alpha > 0:
        return math.nan
    return spread * _detectable_in_spreads(patients, alpha, power)


@cache
def _detectable_in_spreads(patients: int, alpha: float, power: float) -> float:
    """The same in standard deviations; every figure of as many patients asks for it again."""
    from scipy.optimize import brentq

    high = 1.0
    while power_of_paired_t(high, 1, patients, alpha) < power:
        high *= 2
    return float(brentq(lambda d: power_of_paired_t(d, 1, patients, alpha) - power, 0, high))


@dataclass(frozen=True)
class PairedComparison:
    """What can be said about two models and one figure.

    Attributes:
        difference: second minus first, mean over cases, interval by bootstrap over patients, n cases.
        patients: how many have a case where both are defined.
        dropped: cases where one is undefined.
        only_first_undefined: those of them where the second has a value: what the first alone missed, of distances.
        only_second_undefined: those where the first has.
        wilcoxon_p: of `wilcoxon_p`.
        permutation_p: of `permutation_p`.
        permutation_floor: the smallest that it could have been; of several comparisons, after Holm's first step.
        cohens_d: of `cohens_d`.
        share_improved: of `share_improved`.
        spread: of `spread_of`.
        detectable: of `minimal_detectable_difference` at this number of patients and their spread, for a test of the
            permutation test's own size; NaN where that can't show anything.
    """

    difference: Figure
    patients: int
    dropped: int
    only_first_undefined: int
    only_second_undefined: int
    wilcoxon_p: float
    permutation_p: float
    permutation_floor: float
    cohens_d: float
    share_improved: float
    spread: float
    detectable: float


def compare_paired(
    name: str,
    differences: Differences,
    rng: np.random.Generator,
    *,
    higher_is_better: bool = True,
    samples: int = RESAMPLES,
) -> PairedComparison:
    """All of the above for one figure.

    Args:
        name: of the figure.
        differences: from `paired_differences`.
        rng: for bootstrap and permutation.
        higher_is_better: False for distances and errors.
        samples: bootstrap draws.
    """
    patients, spread = len(differences.by_patient), spread_of(differences)
    return PairedComparison(
        difference=_mean_difference(name, differences, rng, samples),
        patients=patients,
        dropped=differences.dropped,
        only_first_undefined=differences.only_first_undefined,
        only_second_undefined=differences.only_second_undefined,
        wilcoxon_p=wilcoxon_p(differences),
        permutation_p=permutation_p(differences, rng),
        permutation_floor=permutation_floor(patients),
        cohens_d=cohens_d(differences),
        share_improved=share_improved(differences, higher_is_better=higher_is_better),
        spread=spread,
        detectable=minimal_detectable_difference(spread, patients, attained_alpha(patients)),
    )


def with_holm(comparisons: Sequence[PairedComparison]) -> tuple[PairedComparison, ...]:
    """The same comparisons of several models, both p values of each adjusted by Holm over all of them.

    What is detectable is what a test at α over their number detects: Holm's first step, and its worst case, in which
    no other pair differs. Where others do, a difference of this size is seen more often.
    """
    wilcoxon = holm([one.wilcoxon_p for one in comparisons])
    permutation = holm([one.permutation_p for one in comparisons])
    tests = max(1, int((~np.isnan(permutation)).sum()))
    return tuple(
        replace(
            one,
            wilcoxon_p=float(w),
            permutation_p=float(p),
            permutation_floor=min(1.0, tests * one.permutation_floor) if one.patients else math.nan,
            detectable=minimal_detectable_difference(
                one.spread, one.patients, attained_alpha(one.patients, ALPHA / tests)
            ),
        )
        for one, w, p in zip(comparisons, wilcoxon, permutation, strict=True)
    )


def _mean_difference(name: str, differences: Differences, rng: np.random.Generator, samples: int) -> Figure:
    if not len(differences.cases):
        return Figure(name, math.nan)
    resamples = resample_patients([str(number) for number in differences.patient], rng, samples)
    return mean_figures({name: differences.cases}, resamples)[name]
