"""Temperatures of several classes: what all logits are divided by, so that a softmax says how often it is right.

Logits are only known up to a shift, so their place is taken by logarithms of probabilities.
"""

import math

import numpy as np
from numpy.typing import NDArray

from hilum.core import InputError
from hilum.core.geometry import Floats

_LEAST = 1e-6
"""Probability that counts as none: half a step of what is stored, and no infinite logarithm."""
_RANGE = (0.05, 20.0)


def tempered_softmax(probability: NDArray[np.floating], temperature: float, axis: int = -1) -> Floats:
    """Probabilities as a softmax of logits divided by a temperature gives them (Guo 2017, equation 9).

    Args:
        probability: sums to 1 along `axis`.
        temperature: above 1 makes them less sure; 1 leaves them.
        axis: of the classes.
    """
    logs = np.log(np.maximum(probability, _LEAST).astype(np.float64)) / temperature
    raised = np.exp(logs - logs.max(axis=axis, keepdims=True))
    return np.asarray(raised / raised.sum(axis=axis, keepdims=True))


def fit_softmax_temperature(probability: NDArray[np.floating], truth: NDArray[np.integer]) -> float:
    """The temperature that makes the truth most likely; from .05 to 20.

    Args:
        probability: [n, classes].
        truth: [n] the true class of each.

    Returns:
        NaN where there is nothing, or one class alone, to fit it on: every temperature near 0 would do then.

    Raises:
        InputError: the numbers don't belong together.
    """
    from scipy.optimize import minimize_scalar

    if probability.ndim != 2 or truth.shape != (len(probability),):
        raise InputError(f"probabilities {probability.shape} and classes {truth.shape} don't belong together.")
    if len(np.unique(truth)) < 2:
        return math.nan
    rows = np.arange(len(truth))

    def cost(log_temperature: float) -> float:
        likely = tempered_softmax(probability, math.exp(log_temperature))[rows, truth]
        return float(-np.log(np.maximum(likely, np.finfo(float).tiny)).mean())

    low, high = (math.log(end) for end in _RANGE)
    return math.exp(float(minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-4}).x))
