"""Intervals: coverage, the grouping by patient, and a plain loop over resamples."""

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hilum.core import Figure, InputError, MeasureError
from hilum.evaluate.bootstrap import Resamples, is_share, mean_figures, pooled_figure, require_draws, resample_patients
from hilum.metrics.overlap import Counts, Ratio, dice, pooled, share


def patients(number, cases_each=1):
    return [f"patient {n}" for n in range(number) for _ in range(cases_each)]


def test_as_many_patients_are_drawn_as_there_are_and_their_cases_come_along():
    names = ["b", "a", "b", "c", "a", "b"]
    resamples = resample_patients(names, np.random.default_rng(1), 500)
    for name in "abc":
        own = resamples.weights[:, [n == name for n in names]]
        assert (own == own[:, :1]).all()
    firsts = resamples.weights[:, [names.index(name) for name in "abc"]]
    assert (firsts.sum(axis=1) == 3).all()
    assert_allclose(firsts.mean(axis=0), 1, atol=0.15)


def test_the_same_generator_gives_the_same_figures_and_another_seed_others():
    values = {"dice": np.random.default_rng(0).random(20)}

    def drawn(seed):
        return mean_figures(values, resample_patients(patients(20), np.random.default_rng(seed)))

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_all_at_once_is_a_loop_over_resamples():
    rng = np.random.default_rng(2)
    counts = [Counts(*(int(n) for n in rng.integers(0, 50, 4))) for _ in range(12)]
    values = np.where(rng.random(12) < 0.3, math.nan, rng.random(12))
    resamples = resample_patients(patients(6, 2), rng, 200)
    means, dices = [], []
    for weights in resamples.weights.astype(int):
        means.append(np.nanmean(np.repeat(values, weights)))
        dices.append(dice(pooled(np.repeat(np.array(counts, dtype=object), weights))))
    mean = mean_figures({"x": values}, resamples)["x"]
    assert (mean.low, mean.high) == pytest.approx(np.percentile(means, [2.5, 97.5]))
    pool = pooled_figure("dice_pooled", np.array([c.array() for c in counts]), Ratio.DICE.of_sums, resamples)
    assert (pool.low, pool.high) == pytest.approx(np.percentile(dices, [2.5, 97.5]))
    assert pool.value == pytest.approx(dice(pooled(counts)))


def test_the_interval_is_scipys():
    from scipy.stats import bootstrap

    values = np.random.default_rng(3).gamma(2, size=80)
    ours = mean_figures({"x": values}, resample_patients(patients(80), np.random.default_rng(4), 20_000))["x"]
    theirs = bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(5))
    assert (ours.low, ours.high) == pytest.approx(theirs.confidence_interval, rel=0.01)


def test_nineteen_of_twenty_intervals_hold_the_truth():
    rng = np.random.default_rng(6)
    resamples = resample_patients(patients(60), rng)
    samples = {str(n): rng.normal(0.5, 0.2, 60) for n in range(400)}
    held = [one.low <= 0.5 <= one.high for one in mean_figures(samples, resamples).values()]
    # Four standard errors of a share of 400, and the percentile interval's known small shortfall.
    assert np.mean(held) == pytest.approx(0.95, abs=0.045)


def test_copies_of_a_patients_images_are_no_new_evidence():
    """30 patients with 10 equal images each know as much as 30 patients; 300 patients would know more."""
    values = np.random.default_rng(7).random(30)

    def width(names, column):
        figure = mean_figures({"x": column}, resample_patients(names, np.random.default_rng(8)))["x"]
        return figure.high - figure.low

    once = width(patients(30), values)
    assert width(patients(30, 10), np.repeat(values, 10)) == pytest.approx(once)
    assert width(patients(300), np.repeat(values, 10)) < 0.5 * once


def test_undefined_cases_are_left_out_and_counted():
    values = {"all": np.arange(5.0), "some": np.array([1, math.nan, 3, math.nan, 5]), "none": np.full(5, math.nan)}
    figures = mean_figures(values, resample_patients(patients(5), np.random.default_rng(0)))
    assert {name: one.n for name, one in figures.items()} == {"all": 5, "some": 3, "none": 0}
    assert figures["some"].value == 3
    assert all(math.isnan(number) for number in (figures["none"].value, figures["none"].low, figures["none"].high))


@pytest.mark.parametrize(
    ("names", "values"),
    [(patients(1, 4), np.arange(4.0)), (["a", "a", "b"], np.array([1.0, 2.0, math.nan]))],
)
def test_one_patient_has_a_mean_but_no_interval(names, values):
    figure = mean_figures({"x": values}, resample_patients(names, np.random.default_rng(0)))["x"]
    assert figure.value == pytest.approx(np.nanmean(values))
    assert math.isnan(figure.low)
    assert math.isnan(figure.high)


@given(st.lists(st.floats(-10, 10) | st.just(math.nan), min_size=1, max_size=12))
def test_the_interval_lies_within_the_values(values):
    values = np.array(values)
    figure = mean_figures({"x": values}, resample_patients(patients(len(values)), np.random.default_rng(0), 50))["x"]
    if not math.isnan(figure.low):
        assert np.nanmin(values) - 1e-9 <= figure.low <= figure.high <= np.nanmax(values) + 1e-9


def test_many_levels_are_summed_in_blocks_with_the_same_result(monkeypatch):
    rng = np.random.default_rng(9)
    sums, resamples = rng.random((8, 40)), resample_patients(patients(8), rng, 64)

    def share(total):
        return total[..., 0] / total.sum(axis=-1)

    whole = pooled_figure("x", sums, share, resamples)
    monkeypatch.setattr("hilum.evaluate.bootstrap._NUMBERS_AT_ONCE", 100)
    assert pooled_figure("x", sums, share, resamples) == whole


@pytest.mark.parametrize("n", [2, 16, 87])
def test_shares_of_1_or_0_in_all_patients_have_clopper_and_pearsons_interval(n):
    from scipy.stats import binomtest

    draw = resample_patients(patients(n, 2), np.random.default_rng(0), 100)
    values = {"all": np.ones(2 * n), "none": np.zeros(2 * n), "half": np.full(2 * n, 0.5)}
    figures = mean_figures(values, draw, are_shares=True)
    for name, hits in (("all", n), ("none", 0)):
        theirs = binomtest(hits, n).proportion_ci(0.95, "exact")
        assert (figures[name].low, figures[name].high) == pytest.approx((theirs.low, theirs.high))
    assert figures["half"].low == figures["half"].high == 0.5
    assert mean_figures(values, draw)["none"].high == 0  # such as a difference of two models


def test_patients_without_the_figure_are_none_of_those_that_all_have_it():
    table = np.array([[3, 3], [1, 1], [0, 0], [0, 0], [2, 2]])
    draw = resample_patients(patients(5), np.random.default_rng(0), 100)
    figure = pooled_figure("x", table, lambda s: share(s[..., 0], s[..., 1]), draw, is_share=True)
    assert figure.low == pytest.approx(0.025 ** (1 / 3))
    nothing = pooled_figure("x", np.zeros((5, 2)), lambda s: share(s[..., 0], s[..., 1]), draw, is_share=True)
    assert (nothing.n, math.isnan(nothing.value)) == (0, True)


def test_a_figure_with_a_unit_is_no_share():
    shares = ("dice_mean", "lesion_sensitivity", "nsd_2mm", "froc_0.5")
    others = ("hd95_mm", "area_error_mm2", "volume_error_percent", "false_positives_per_image")
    assert [is_share(name) for name in (*shares, *others)] == [True] * 4 + [False] * 4


@pytest.mark.parametrize("number", [-1, 1, 99, 100_001])
def test_numbers_of_draws_that_make_no_interval_are_refused(number):
    with pytest.raises(InputError, match="bootstraps"):
        require_draws(number)
    for fine in (0, 100, 100_000):
        require_draws(fine)


def test_what_can_t_be_averaged_is_refused():
    resamples = resample_patients(patients(3), np.random.default_rng(0))
    with pytest.raises(MeasureError, match="infinite"):
        mean_figures({"hd95_mm": np.array([1.0, math.inf, 2.0])}, resamples)
    with pytest.raises(MeasureError, match="3 cases"):
        mean_figures({"x": np.arange(4.0)}, resamples)
    with pytest.raises(MeasureError, match="adds zeros"):
        pooled_figure("x", np.full((3, 4), math.nan), Ratio.DICE.of_sums, resamples)
    with pytest.raises(InputError, match="no cases"):
        resample_patients([], np.random.default_rng(0))
    assert mean_figures({}, resamples) == {}
    assert isinstance(resamples, Resamples)


def test_a_figure_refuses_an_interval_that_is_the_wrong_way_round():
    with pytest.raises(MeasureError, match="above"):
        Figure("dice", 0.5, 0.6, 0.4, 3)
    with pytest.raises(MeasureError, match="negative"):
        Figure("dice", 0.5, n=-1)


def test_a_thousand_resamples_of_thirty_figures_take_about_a_second():
    rng = np.random.default_rng(10)
    values = {str(n): rng.random(109) for n in range(30)}
    start = time.perf_counter()
    mean_figures(values, resample_patients(patients(109), rng, 1000))
    assert time.perf_counter() - start < 3
