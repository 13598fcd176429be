"""Comparisons: SciPy, simulation, closed testing by brute force, and cases worked by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hilum.core import MeasureError
from hilum.evaluate.statistics import (
    PERMUTATIONS,
    attained_alpha,
    cohens_d,
    compare_paired,
    holm,
    minimal_detectable_difference,
    paired_differences,
    permutation_floor,
    permutation_p,
    power_of_paired_t,
    share_improved,
    wilcoxon_p,
    with_holm,
)


def of(values, patients=None):
    """Differences given as they are."""
    values = np.array(values, dtype=float)
    return paired_differences(np.zeros(len(values)), values, patients or [str(n) for n in range(len(values))])


def rng(seed=0):
    return np.random.default_rng(seed)


def test_pairs_with_an_undefined_side_are_dropped_and_counted():
    nan = math.nan
    pairs = paired_differences(np.array([1, nan, 2, nan]), np.array([4, 1, nan, nan]), ["a", "b", "c", "d"])
    assert_allclose(pairs.cases, [3])
    assert (pairs.dropped, pairs.only_first_undefined, pairs.only_second_undefined) == (3, 1, 1)
    assert_allclose(pairs.by_patient, [3])


def test_a_patients_cases_are_averaged():
    pairs = of([1, 3, 10, -2], ["b", "b", "a", "c"])
    assert_allclose(sorted(pairs.by_patient), [-2, 2, 10])


def test_wilcoxon_is_scipys_and_exact_on_a_small_case():
    from scipy.stats import wilcoxon

    values = rng(1).normal(0.3, 1, 40)
    assert wilcoxon_p(of(values)) == pytest.approx(wilcoxon(values).pvalue)
    # All five rise: of the 2⁵ signs, only this and its opposite are as extreme.
    assert wilcoxon_p(of([1, 2, 3, 4, 5])) == pytest.approx(2 / 32)


def test_images_of_one_patient_are_not_independent():
    """Five patients that rise give 2/32, however many images each has."""
    many = of(np.repeat([1.0, 2, 3, 4, 5], 10), [str(n) for n in np.repeat(range(5), 10)])
    assert wilcoxon_p(many) == pytest.approx(2 / 32)
    assert permutation_p(many, rng()) == pytest.approx(2 / 32)


def test_the_exact_permutation_is_scipys():
    from scipy.stats import permutation_test

    values = rng(2).normal(0.5, 1, 9)
    theirs = permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert permutation_p(of(values), rng()) == pytest.approx(theirs.pvalue)


def test_drawn_permutations_come_near_the_exact_ones_and_are_never_impossible():
    values = rng(3).normal(0.4, 1, 12)
    exact = permutation_p(of(values), rng(), number=2**12)
    assert permutation_p(of(values), rng(), number=4095) == pytest.approx(exact, abs=0.03)
    assert permutation_p(of(np.ones(200)), rng(), number=999) == 1 / 1000


@pytest.mark.parametrize("test", [wilcoxon_p, lambda pairs: permutation_p(pairs, rng(), 500)])
def test_without_an_effect_p_values_are_even(test):
    """At most α of them below α, and not far fewer: 300 data sets, three standard errors."""
    values = rng(4).standard_t(4, (300, 20))
    p_values = np.array([test(of(row)) for row in values])
    for alpha in (0.05, 0.2):
        assert np.mean(p_values <= alpha) == pytest.approx(alpha, abs=3 * math.sqrt(alpha * (1 - alpha) / 300))


@settings(max_examples=20)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=7))
def test_the_other_direction_has_the_same_p_and_the_opposite_effect(values):
    there, back = of(values), of([-value for value in values])
    assert wilcoxon_p(there) == pytest.approx(wilcoxon_p(back))
    assert permutation_p(there, rng()) == pytest.approx(permutation_p(back, rng()))
    assert cohens_d(there) == pytest.approx(-cohens_d(back), nan_ok=True)
    assert share_improved(there) == share_improved(back, higher_is_better=False)
    assert 0 < wilcoxon_p(there) <= 1
    assert 0 < permutation_p(there, rng()) <= 1


def test_no_difference_at_all_is_p_1():
    assert wilcoxon_p(of([0, 0, 0])) == permutation_p(of([0, 0, 0]), rng()) == 1
    assert share_improved(of([0, 0, 0])) == 0


def test_cohens_d_is_t_over_root_n():
    from scipy.stats import ttest_1samp

    values = rng(5).normal(0.2, 1, 30)
    assert cohens_d(of(values)) == pytest.approx(ttest_1samp(values, 0).statistic / math.sqrt(30))
    assert math.isnan(cohens_d(of([1, 1, 1])))
    assert math.isnan(cohens_d(of([1])))


def test_rounding_is_no_spread():
    """.1 more in each of four patients, which subtraction gives as four neighbouring numbers."""
    first = np.array([0.1, 0.2, 0.3, 0.7])
    pairs = paired_differences(first, first + 0.1, list("abcd"))
    assert len(set(pairs.by_patient)) > 1
    found = compare_paired("dice_mean", pairs, rng())
    assert math.isnan(found.cohens_d)
    assert math.isnan(found.detectable)
    small = paired_differences(1e-9 * first, np.array([1e-9, 2e-9, 4e-9, 7e-9]), list("abcd"))
    assert math.isfinite(cohens_d(small))  # small numbers are not rounding


def test_the_share_improved_counts_only_what_is_better():
    assert share_improved(of([1, 0, -1, 2])) == 0.5
    assert share_improved(of([1, 0, -1, 2]), higher_is_better=False) == 0.25


# --- several comparisons ---


def test_holms_steps_by_hand():
    """.005 × 4, .01 × 3, .03 × 2, then .04 × 1, which may not fall below the step before."""
    assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert_allclose(holm([0.9, 0.8]), [1, 1])
    assert_allclose(holm([0.01, math.nan, 0.04]), [0.02, math.nan, 0.04])
    assert len(holm([])) == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_closed_testing_with_bonferroni(p_values):
    """A hypothesis is as sure as the least sure Bonferroni test of any set that it is in (Marcus 1976)."""
    numbers = range(len(p_values))
    sets = [one for size in numbers for one in itertools.combinations(numbers, size + 1)]
    closed = [max(min(1, len(one) * min(p_values[k] for k in one)) for one in sets if n in one) for n in numbers]
    assert_allclose(holm(p_values), closed)


def test_comparisons_are_adjusted_together():
    pairs = [of(rng(seed).normal(0.5, 1, 30)) for seed in range(3)]
    single = [compare_paired("dice_mean", one, rng()) for one in pairs]
    adjusted = with_holm(single)
    assert_allclose([one.wilcoxon_p for one in adjusted], holm([one.wilcoxon_p for one in single]))
    assert_allclose([one.permutation_p for one in adjusted], holm([one.permutation_p for one in single]))
    assert [one.difference for one in adjusted] == [one.difference for one in single]


# --- power ---


def test_power_is_that_of_the_published_table():
    """Cohen 1988 and every power program: d = .5 needs 34 pairs for 80 %, d = .2 needs 199, d = .8 needs 15."""
    for d, pairs in ((0.5, 34), (0.2, 199), (0.8, 15)):
        assert power_of_paired_t(d, 1, pairs) >= 0.8 > power_of_paired_t(d, 1, pairs - 1)


@pytest.mark.parametrize(("patients", "difference"), [(2, 5.0), (3, 1.0), (6, 1.6), (15, 0.8), (34, 0.5), (199, 0.2)])
def test_power_is_that_of_a_normal_mean_over_every_possible_spread(patients, difference):
    """No noncentral t: the mean is normal, the measured spread² a χ²/(n − 1) of its own, and t their quotient."""
    from scipy.stats import chi2, norm, t

    df = patients - 1
    shares = (np.arange(200_000) + 0.5) / 200_000  # midpoints of equally likely slices of the spread
    bound = t.ppf(0.975, df) * np.sqrt(chi2.ppf(shares, df) / df)
    shift = difference * math.sqrt(patients)
    by_hand = np.mean(norm.sf(bound - shift) + norm.cdf(-bound - shift))
    assert power_of_paired_t(difference, 1, patients) == pytest.approx(by_hand, abs=2e-5)


@pytest.mark.parametrize(("patients", "alpha"), [(7, 0.05), (9, 0.05), (12, 0.05), (9, 0.05 / 3)])
def test_what_is_stated_is_what_the_permutation_test_sees(patients, alpha):
    """Few patients' p values are coarse: seven have none between 3/64 and 4/64, so that the test's size is .047."""
    difference = minimal_detectable_difference(1, patients, attained_alpha(patients, alpha))
    values = rng(12).normal(difference, 1, (4000, patients))
    signs = np.array(list(itertools.product((-1, 1), repeat=patients)))
    p_values = np.mean(np.abs(values @ signs.T) >= np.abs(values.sum(axis=1))[:, None] - 1e-9, axis=1)
    seen = np.mean(p_values < alpha)
    assert seen == pytest.approx(0.8, abs=0.035)


def test_no_p_is_below_its_floor_and_some_are_on_it():
    for patients in (1, 2, 5, 8, 13, 14, 40):
        as_clear_as_can_be = permutation_p(of(np.ones(patients)), rng())
        floor = permutation_floor(patients)
        assert as_clear_as_can_be >= floor
        if patients not in (14,):  # a few of the draws are all of one sign there
            assert as_clear_as_can_be == pytest.approx(floor)
    assert permutation_floor(40) == 1 / (PERMUTATIONS + 1)
    assert math.isnan(permutation_floor(0))


@pytest.mark.parametrize(("patients", "alpha", "steps"), [(5, 0.05, 0), (6, 0.05, 1), (7, 0.05, 3), (6, 2 / 64, 0)])
def test_the_size_of_a_coarse_test_is_the_last_step_below_alpha(patients, alpha, steps):
    assert attained_alpha(patients, alpha) == pytest.approx(steps * 2 / 2**patients)
    assert math.isnan(minimal_detectable_difference(1, patients, attained_alpha(patients, alpha))) == (steps == 0)


@pytest.mark.parametrize(("patients", "spread"), [(5, 0.1), (30, 2.0), (109, 0.15)])
def test_the_detectable_difference_is_detected_four_times_in_five(patients, spread):
    from scipy.stats import ttest_1samp

    difference = minimal_detectable_difference(spread, patients)
    values = rng(6).normal(difference, spread, (8000, patients))
    detected = np.mean(ttest_1samp(values, 0, axis=1).pvalue < 0.05)
    assert detected == pytest.approx(0.8, abs=4 * math.sqrt(0.16 / 8000))


def test_of_three_pairs_the_stated_difference_is_seen_four_times_in_five_after_holm():
    """In the worst case: the other two pairs don't differ."""
    from scipy.stats import ttest_1samp

    one = compare_paired("dice_mean", of(rng(10).normal(0, 0.2, 40)), rng())
    stated = with_holm([one, one, one])[0].detectable
    assert with_holm([one])[0].detectable == one.detectable < stated
    values = rng(11).normal(0, one.spread, (4000, 3, 40))
    values[:, 0] += stated
    p_values = ttest_1samp(values, 0, axis=2).pvalue
    assert np.mean([holm(row)[0] < 0.05 for row in p_values]) >= 0.78


def test_what_is_detectable_shrinks_with_patients_and_grows_with_spread_and_strictness():
    sizes = [minimal_detectable_difference(1, patients) for patients in (2, 3, 10, 100, 1000)]
    assert (np.diff(sizes) < 0).all()
    assert minimal_detectable_difference(3, 20) == pytest.approx(3 * minimal_detectable_difference(1, 20))
    assert minimal_detectable_difference(1, 20, alpha=0.01) > minimal_detectable_difference(1, 20)
    assert minimal_detectable_difference(1, 20, power=0.95) > minimal_detectable_difference(1, 20)
    assert math.isnan(minimal_detectable_difference(0, 20))  # no spread, so nothing to go by
    # Without spread in the limit of many: (1.96 + .84) / √n.
    assert minimal_detectable_difference(1, 10_000) == pytest.approx(2.8016 / 100, rel=1e-3)


# --- all together ---


def test_a_comparison_holds_all_of_it():
    first = rng(7).uniform(0.2, 0.8, 50)
    second = first + rng(8).normal(0.1, 0.1, 50)
    second[3] = math.nan
    names = [str(n // 2) for n in range(50)]
    found = compare_paired("dice_mean", paired_differences(first, second, names), rng(9))
    assert found.difference.name == "dice_mean"
    assert found.difference.low < 0.1 < found.difference.high
    assert (found.difference.n, found.patients, found.dropped) == (49, 25, 1)
    assert max(found.wilcoxon_p, found.permutation_p) < 0.01
    assert found.cohens_d > 0.5
    assert found.share_improved > 0.7
    assert 0 < found.detectable < 0.1


def test_smaller_may_be_better():
    found = compare_paired("hd95_mm", of([-1, -2, -3]), rng(), higher_is_better=False)
    assert found.share_improved == 1
    assert found.difference.value == -2


def test_nothing_to_compare_is_undefined():
    nothing = paired_differences(np.array([1.0, math.nan]), np.array([math.nan, 2.0]), ["a", "b"])
    found = compare_paired("dice_mean", nothing, rng())
    assert (found.difference.n, found.patients, found.dropped) == (0, 0, 2)
    values = (found.difference.value, found.wilcoxon_p, found.permutation_p, found.cohens_d)
    assert all(math.isnan(value) for value in (*values, found.share_improved, found.detectable))


def test_what_is_not_paired_is_refused():
    with pytest.raises(MeasureError, match="pairs"):
        paired_differences(np.zeros(3), np.zeros(4), ["a"] * 3)
    with pytest.raises(MeasureError, match="infinite"):
        paired_differences(np.array([math.inf]), np.zeros(1), ["a"])
