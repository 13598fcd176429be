"""Whether a graph gives what its network gives, and what that is worth on masks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hilum.infer.exported import Batch, Runner
from hilum.infer.graph import SizeYx
from hilum.models.network import Network

TOLERANCE = 1e-3
"""Largest difference of probabilities that is ever taken in float32."""
_ROUNDING, _SHARE = 1e-5, 0.01
"""Other orders of summing give some 1e-6. A network from scratch says nearly the same of every pixel, so a wrong graph
is told by the share of how much its probabilities vary."""


@dataclass(frozen=True)
class Check:
    """A graph beside its network on one batch.

    Attributes:
        batch: pictures.
        size_yx: of them.
        max_difference: largest absolute difference of probabilities.
        mean_difference: over all pixels.
        taken: largest difference that counts as the same: 1 % of how far the network's probabilities are apart.
    """

    batch: int
    size_yx: SizeYx
    max_difference: float
    mean_difference: float
    taken: float

    @property
    def is_same(self) -> bool:
        """Whether the graph gives what the network gives, but for rounding; never with NaN."""
        return self.max_difference <= self.taken


def compared(network: Network, graph: Runner, image: Batch, prior: Batch | None = None) -> Check:
    """Both on one batch [B, 1, H, W]."""
    with torch.inference_mode():
        beside = None if prior is None else torch.from_numpy(prior)
        wanted = network(torch.from_numpy(image), beside).logits.sigmoid().numpy()
    apart = np.abs(graph(image, prior).astype(np.float64) - wanted)
    taken = min(TOLERANCE, _ROUNDING + _SHARE * float(np.ptp(wanted)))
    return Check(image.shape[0], (image.shape[2], image.shape[3]), float(apart.max()), float(apart.mean()), taken)


def worst(checks: Iterable[Check]) -> float:
    """The largest difference of all; NaN is the worst."""
    return float(np.max([check.max_difference for check in checks]))


def fitted(picture: NDArray[np.float32], size_yx: SizeYx) -> NDArray[np.float32]:
    """A picture [..., y, x] cut from its middle to a size; where it is too small, its mirror image goes on."""
    for axis, wanted in ((-2, size_yx[0]), (-1, size_yx[1])):
        places = np.arange(wanted) + (picture.shape[axis] - wanted) // 2
        period = 2 * picture.shape[axis]
        folded = places % period
        picture = np.take(picture, np.minimum(folded, period - 1 - folded), axis=axis)
    return np.ascontiguousarray(picture)


def evenly(count: int, of: Sequence[object]) -> list[int]:
    """Places of at most so many, spread over all."""
    return sorted({int(one) for one in np.linspace(0, len(of) - 1, min(count, len(of)))}) if of else []
