"""Temperatures of several classes: found again where they are known."""

import math

import numpy as np
import pytest
from scipy.special import softmax

from hilum.metrics.softmax import fit_softmax_temperature, tempered_softmax


def test_a_temperature_is_what_logits_are_divided_by():
    logits = np.random.default_rng(0).normal(size=(20, 4))
    found = tempered_softmax(softmax(logits, axis=1), 2.5)
    assert found == pytest.approx(softmax(logits / 2.5, axis=1))
    assert tempered_softmax(softmax(logits, axis=1).T, 2.5, axis=0) == pytest.approx(found.T)


@pytest.mark.parametrize("true", [0.5, 3.0])
def test_a_known_temperature_is_found_again(true):
    """Truth is drawn from the probabilities at that temperature."""
    rng = np.random.default_rng(1)
    logits = rng.normal(scale=3, size=(20_000, 3))
    truth = (softmax(logits / true, axis=1).cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)
    assert fit_softmax_temperature(softmax(logits, axis=1), truth) == pytest.approx(true, rel=0.05)


def test_one_class_alone_tells_nothing():
    assert math.isnan(fit_softmax_temperature(np.full((5, 2), 0.5), np.zeros(5, dtype=int)))
