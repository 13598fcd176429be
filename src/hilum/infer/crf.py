"""A conditional random field after the network: neighbours that look alike should be marked alike.

The mean-field inference of a dense CRF (Krähenbühl and Koltun 2011) with two labels, its two kernels (a Gaussian of
the distance, and one of distance and brightness) cut off at a radius, as a convolutional CRF does (Teichmann and
Cipolla 2018). Each kernel's messages are means over its neighbours, so a weight is what unanimous neighbours are worth
in logits. numpy only: no library for it is kept up (pydensecrf is not, MONAI's needs its C++ extension).
"""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from hilum.config import FrozenConfig

Plane = NDArray[np.float32]
_SUREST = 1e-6
"""Probabilities are cut this far from 0 and 1, where their logits end."""
_TINY = np.finfo(np.float64).tiny


class CrfConfig(FrozenConfig):
    """How strongly, and how far, neighbours are heard."""

    iterations: PositiveInt = 5
    """Of the mean field."""
    radius_px: PositiveInt = 7
    """Neighbours within this distance along each axis are heard."""
    smooth_weight: NonNegativeFloat = 1.0
    """Logits that unanimous neighbours are worth, by distance alone."""
    smooth_px: PositiveFloat = 1.0
    """Standard deviation of the distance for them."""
    alike_weight: NonNegativeFloat = 2.0
    """The same of neighbours that are as bright."""
    alike_px: PositiveFloat = 4.0
    """Standard deviation of the distance for them."""
    alike_level: PositiveFloat = 0.06
    """Standard deviation of the brightness for them, of the full range."""


def refined(probability: Plane, image: Plane, config: CrfConfig | None = None) -> Plane:
    """What the field makes of a probability [y, x], 0 to 1.

    Args:
        probability: of the network.
        image: [y, x] of the same shape, 0 to 1, that it looked at.
        config: see there.
    """
    config = config or CrfConfig()
    pairs = list(_pairs(image.astype(np.float64), config))
    if not pairs:  # a picture of one pixel
        return probability
    sure = np.clip(probability.astype(np.float64), _SUREST, 1 - _SUREST)
    own, opinion = np.log(sure) - np.log1p(-sure), 2 * sure - 1
    norms = [_heard(pairs, kernel, np.ones_like(own)) for kernel in (0, 1)]
    for _ in range(config.iterations):
        near, alike = (_heard(pairs, kernel, opinion) / np.maximum(norms[kernel], _TINY) for kernel in (0, 1))
        opinion = np.tanh((own + config.smooth_weight * near + config.alike_weight * alike) / 2)
    return np.asarray((opinion + 1) / 2, dtype=np.float32)


class _Pair(NamedTuple):
    """Pixels that are a step apart: where those are that hear, where their neighbours, and how loud in both kernels."""

    here: tuple[slice, slice]
    there: tuple[slice, slice]
    weights: tuple[NDArray[np.float64], NDArray[np.float64]]


def _pairs(image: NDArray[np.float64], config: CrfConfig) -> Iterator[_Pair]:
    """Every step within the radius, once for each direction."""
    reach = range(-config.radius_px, config.radius_px + 1)
    for step in product(reach, reach):
        if step == (0, 0) or any(abs(one) >= size for one, size in zip(step, image.shape, strict=True)):
            continue
        (top, row), (left, column) = (
            (slice(max(0, -one), min(size, size - one)), slice(max(0, one), min(size, size + one)))
            for one, size in zip(step, image.shape, strict=True)
        )
        here, there = (top, left), (row, column)
        far2 = float(step[0] ** 2 + step[1] ** 2)
        other = image[here] - image[there]
        near = np.full(other.shape, np.exp(-far2 / (2 * config.smooth_px**2)))
        alike = np.exp(-far2 / (2 * config.alike_px**2) - other**2 / (2 * config.alike_level**2))
        yield _Pair(here, there, (near, alike))


def _heard(pairs: list[_Pair], kernel: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each pixel the sum of its neighbours' values, as loud as the kernel says."""
    result = np.zeros_like(values)
    for pair in pairs:
        result[pair.here] += pair.weights[kernel] * values[pair.there]
    return result
