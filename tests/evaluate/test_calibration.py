"""Probabilities of cases, pooled, and the temperature that undoes what made them too sure."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from hilum.core import HilumError
from hilum.evaluate.bootstrap import resample_patients
from hilum.evaluate.calibration import CalibrationRule, calibration_figures, case_calibration, temperature_of
from hilum.metrics.calibration import REGION_PX, calibration_region, logits, tempered
from tests.evaluate.judged import disc

SHARPNESS = 2.5
SPOT = disc((48, 48), (24, 24), 14)


def cases(number=12, seed=0):
    """Probabilities that are right, made too sure: odds to the power of `SHARPNESS`; stored in 16 bits."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        right = np.where(SPOT, rng.uniform(0.02, 0.9, SPOT.shape), 0.01)
        truth = rng.uniform(size=right.shape) < right
        yield np.rint(65535 * tempered(right, 1 / SHARPNESS)) / 65535, truth


def calibrated(some, rule):
    return [case_calibration(probability, truth, probability >= 0.5, None, rule) for probability, truth in some]


def figures(some, rule):
    found = calibrated(some, rule)
    draw = resample_patients([str(n) for n in range(len(found))], np.random.default_rng(0), 20)
    return {figure.name: figure for figure in calibration_figures(found, draw)}


def test_the_temperature_of_one_half_repairs_the_other():
    kept = calibrated(cases(seed=0), CalibrationRule(keeps_pixels=True))
    fitted = temperature_of(kept, split="validation", source="made")
    assert fitted.value == pytest.approx(SHARPNESS, rel=0.05)
    other = figures(cases(seed=1), CalibrationRule(temperature=fitted.value))
    stored = figures(cases(seed=1), CalibrationRule())
    for name in ("ece", "brier"):
        assert other[f"{name}_before"].value == stored[name].value
        assert other[name].value < other[f"{name}_before"].value
    assert other["ece"].value < 0.01 < 0.04 < stored["ece"].value


def test_counted_pixels_give_the_temperature_of_all_pixels():
    some = list(cases(3))
    fitted = temperature_of(calibrated(some, CalibrationRule(keeps_pixels=True)), split="validation", source="made")
    near = [calibration_region(p >= 0.5, truth, [1.0, 1.0], REGION_PX) for p, truth in some]
    z = np.concatenate([logits(p[region]) for (p, _), region in zip(some, near, strict=True)])
    t = np.concatenate([truth[region] for (_, truth), region in zip(some, near, strict=True)])
    assert fitted.pixels == len(z)
    rest = _logistic(z / fitted.value) - t
    assert np.dot(z, rest) / len(z) == pytest.approx(0, abs=1e-6)


def _logistic(z):
    return 1 / (1 + np.exp(-z))


def test_the_pooled_brier_score_is_scikit_learns_of_all_pixels():
    some = list(cases(4))
    near = [calibration_region(p >= 0.5, truth, [1.0, 1.0], REGION_PX) for p, truth in some]
    probability, truth = (
        np.concatenate([one[k][region] for one, region in zip(some, near, strict=True)]) for k in (0, 1)
    )
    found = figures(some, CalibrationRule())["brier"]
    assert found.value == pytest.approx(brier_score_loss(truth, probability))
    assert found.low <= found.value <= found.high


def test_a_case_without_truth_and_prediction_adds_nothing():
    empty = (np.full(SPOT.shape, 0.01), np.zeros(SPOT.shape, bool))
    some = list(cases(3))
    with_it, without = (figures(chosen, CalibrationRule()) for chosen in ([*some, empty], some))
    assert with_it["brier"].value == pytest.approx(without["brier"].value)
    assert np.isnan(calibrated([empty], CalibrationRule())[0].values["brier"])


def test_nothing_is_fitted_on_cases_whose_pixels_were_not_kept_or_on_another_split():
    refused = ((CalibrationRule(), "validation"), (CalibrationRule(keeps_pixels=True), "test"))
    for rule, split in refused:
        with pytest.raises(HilumError, match=r"no temperature|validation"):
            temperature_of(calibrated(cases(1), rule), split=split, source="made")
