"""Calibration: scikit-learn's diagram, plain loops, and models whose calibration is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist

from hilum.core import GeometryError, InputError, MeasureError
from hilum.metrics.calibration import (
    adaptive_calibration_error,
    brier,
    calibration_error_of_sums,
    calibration_region,
    equal_mass_edges,
    equal_width_edges,
    expected_calibration_error,
    fit_temperature,
    logits,
    reliability,
    tempered,
)
from tests.metrics.masks import mask_pairs, spacings


def draws(seed, size=20_000, sharpness=1.0):
    """Probabilities and what came true; those shown are `sharpness` times as sure as they should be."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-1, 1.5, size)
    truth = rng.random(size) < 1 / (1 + np.exp(-logit))
    return 1 / (1 + np.exp(-sharpness * logit)), truth


some = st.integers(1, 80).flatmap(
    lambda size: st.tuples(
        hnp.arrays(np.float64, size, elements=st.floats(0, 1) | st.sampled_from([0.0, 0.2, 1.0])),
        hnp.arrays(np.bool_, size),
    )
)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_the_diagram_is_scikit_learns(strategy):
    from sklearn.calibration import calibration_curve

    probability, truth = draws(1, 1500)
    if strategy == "uniform":
        edges = equal_width_edges(15)
    else:
        edges = np.quantile(probability, np.linspace(0, 1, 16))
        edges[0], edges[-1] = 0, 1
    ours = reliability(probability, truth, edges)
    observed, mean = calibration_curve(truth, probability, n_bins=15, strategy=strategy)
    filled = ours.count > 0
    assert_allclose(ours.observed[filled], observed)
    assert_allclose(ours.mean_probability[filled], mean)


@given(some)
def test_ece_is_a_plain_loop_over_bins(pair):
    probability, truth = pair
    edges, total = equal_width_edges(10), 0.0
    for k in range(10):
        inside = (probability > edges[k]) & (probability <= edges[k + 1]) | ((k == 0) & (probability == 0))
        if inside.any():
            total += inside.mean() * abs(probability[inside].mean() - truth[inside].mean())
    assert expected_calibration_error(probability, truth, bins=10) == pytest.approx(total)


@pytest.mark.parametrize("bins", [1, 7, 15])
def test_without_ties_ace_is_the_mean_over_equal_parts_of_the_order(bins):
    probability, truth = draws(2, 15 * 7 * 4)
    order = np.argsort(probability)
    parts = np.split(order, bins)
    plain = np.mean([abs(probability[part].mean() - truth[part].mean()) for part in parts])
    assert adaptive_calibration_error(probability, truth, bins) == pytest.approx(plain)


@given(some, st.randoms(use_true_random=False))
def test_the_order_of_pixels_doesn_t_matter(pair, random):
    order = list(range(len(pair[0])))
    random.shuffle(order)
    for error in (expected_calibration_error, adaptive_calibration_error, brier):
        assert error(pair[0][order], pair[1][order]) == pytest.approx(error(*pair))


@given(some)
def test_bounds_and_one_bin(pair):
    probability, truth = pair
    one_bin = abs(probability.mean() - truth.mean())
    for error in (expected_calibration_error, adaptive_calibration_error):
        # More bins can only show more: within a bin, gaps cancel.
        assert one_bin - 1e-12 <= error(probability, truth) <= 1
    assert 0 <= brier(probability, truth) <= 1


@given(some)
def test_every_pixel_is_in_one_bin_of_equal_mass(pair):
    edges = equal_mass_edges(pair[0], 5)
    diagram = reliability(*pair, edges)
    assert diagram.count.sum() == len(pair[0])
    assert diagram.positives.sum() == pair[1].sum()
    if len(np.unique(pair[0])) == len(pair[0]):
        assert np.ptp(diagram.count[diagram.count > 0]) <= 1


def test_a_calibrated_model_is_found_calibrated_and_a_sure_one_not():
    for error in (expected_calibration_error, adaptive_calibration_error):
        assert error(*draws(3)) < 0.015
        assert error(*draws(3, sharpness=3)) > 0.05


def test_background_drowns_what_the_region_shows():
    """The reason for the region: the same errors, among 99 times as many pixels of certain background."""
    probability, truth = draws(4, sharpness=3)
    background = np.zeros(99 * len(truth))
    drowned = expected_calibration_error(np.append(probability, background), np.append(truth, background > 0))
    assert drowned < 0.002 < 0.05 < expected_calibration_error(probability, truth)


def test_cases_add_up_to_the_pool():
    cases, edges = [draws(seed, 500) for seed in range(3)], equal_width_edges()
    single = [reliability(*case, edges) for case in cases]
    pool = reliability(*(np.concatenate(part) for part in zip(*cases, strict=True)), edges)
    assert sum(single[1:], start=single[0]).error == pytest.approx(pool.error)
    sums = [np.stack([getattr(one, name) for one in single]) for name in ("count", "probability_sum", "positives")]
    assert_allclose(calibration_error_of_sums(*sums), [one.error for one in single])
    with pytest.raises(GeometryError, match="edges"):
        pool + reliability(*cases[0], equal_width_edges(3))


def test_brier_is_scikit_learns():
    from sklearn.metrics import brier_score_loss

    probability, truth = draws(5, 300)
    assert brier(probability, truth) == pytest.approx(brier_score_loss(truth, probability))


def test_without_pixels_all_is_undefined():
    for error in (expected_calibration_error, adaptive_calibration_error, brier):
        assert math.isnan(error(np.empty(0), np.empty(0, dtype=bool)))


# --- region ---


@given(st.data(), st.floats(0, 6))
def test_the_region_is_what_lies_within_the_radius(data, radius):
    pred, truth = data.draw(mask_pairs())
    spacing = np.array(data.draw(spacings(pred.ndim)))
    region = calibration_region(pred, truth, spacing, radius)
    core = np.argwhere(pred | truth)
    if len(core):
        everywhere = np.argwhere(np.ones_like(pred))
        nearest = cdist(everywhere * spacing, core * spacing).min(axis=1)
        unsure = np.abs(nearest - radius) < 1e-9
        assert_allclose(region.ravel()[~unsure], (nearest <= radius)[~unsure])
    else:
        assert not region.any()


def test_the_region_grows_with_its_radius_and_holds_both_masks():
    pred, truth = np.zeros((2, 60, 60), dtype=bool)
    pred[10:14, 10:14], truth[40:44, 50:58] = True, True
    small, large = (calibration_region(pred, truth, (0.7, 0.7), radius) for radius in (3, 10))
    assert (small <= large).all()
    assert (small >= (pred | truth)).all()
    assert small.sum() < large.sum()


@pytest.mark.parametrize("spacing", [(1.0,), (1.0, 0.0)])
def test_a_region_needs_a_spacing_for_each_axis(spacing):
    mask = np.ones((3, 3), dtype=bool)
    with pytest.raises(GeometryError, match="spacing"):
        calibration_region(mask, mask, spacing)


# --- temperature ---


def fitted(probability, truth):
    return fit_temperature(logits(probability), truth, split="validation", source="draws")


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_the_sharpness(sharpness):
    probability, truth = draws(6, sharpness=sharpness)
    temperature = fitted(probability, truth)
    assert temperature.value == pytest.approx(sharpness, rel=0.05)
    assert temperature.loss_after <= temperature.loss_before
    assert expected_calibration_error(tempered(probability, temperature.value), truth) < 0.015


def test_the_temperature_is_scipys_minimum_of_scikit_learns_loss():
    from scipy.optimize import minimize_scalar
    from sklearn.metrics import log_loss

    probability, truth = draws(7, 2000, sharpness=2)
    z = np.log(probability / (1 - probability))

    def loss(temperature):
        return log_loss(truth, 1 / (1 + np.exp(-z / temperature)))

    best = minimize_scalar(loss, bounds=(0.1, 10), method="bounded", options={"xatol": 1e-8})
    temperature = fitted(probability, truth)
    assert temperature.value == pytest.approx(best.x, rel=1e-4)
    assert temperature.loss_after == pytest.approx(best.fun)
    assert temperature.loss_before == pytest.approx(loss(1))


def test_the_temperature_says_what_it_was_fitted_on():
    temperature = fitted(*draws(8, 500))
    assert (temperature.fitted_on, temperature.pixels) == ("draws, validation", 500)


@pytest.mark.parametrize("split", ["test", "training", "held out", "all"])
def test_only_validation_may_be_learnt_from(split):
    probability, truth = draws(9, 100)
    with pytest.raises(InputError, match="validation"):
        fit_temperature(logits(probability), truth, split=split, source="draws")


def test_applying_keeps_the_order_and_the_decision():
    probability, truth = draws(10, 1000, sharpness=2)
    applied = tempered(probability, fitted(probability, truth).value)
    assert (np.diff(applied[np.argsort(probability)]) >= 0).all()
    assert ((applied >= 0.5) == (probability >= 0.5)).all()


@pytest.mark.parametrize("backwards", [False, True])
def test_separated_or_backwards_scores_have_no_temperature(backwards):
    probability = np.array([0.1, 0.2, 0.8, 0.9])
    truth = (probability > 0.5) ^ backwards
    with pytest.raises(MeasureError, match="no temperature"):
        fitted(probability, truth)


def test_a_stored_zero_is_less_than_half_a_step_not_impossible():
    ends = logits(np.array([0.0, 0.5, 1.0]), levels=255)
    assert_allclose(ends, [np.log(0.5 / 254.5), 0, -np.log(0.5 / 254.5)], atol=1e-9)


def test_a_weight_stands_for_that_many_pixels():
    probability, truth = draws(11, 400, sharpness=2)
    times = np.random.default_rng(0).integers(1, 5, len(truth))
    once = fit_temperature(logits(probability), truth, split="validation", source="draws", weights=times.astype(float))
    each = fitted(np.repeat(probability, times), np.repeat(truth, times))
    assert (once.value, once.loss_after) == pytest.approx((each.value, each.loss_after))
    assert once.pixels == each.pixels == times.sum()
