"""Where a network looked, and whether that depends on what it has learnt."""

import math
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from hilum.core.errors import GeometryError
from hilum.core.prediction import Provenance


@dataclass(frozen=True)
class SanityStep:
    """How much a map still resembles the trained network's, with this part and all before it made random.

    Attributes:
        part: what was made random last.
        rank_correlations: Spearman's with the trained network's map, one a draw; NaN where a map is the same
            everywhere, which has no ranks.
        similarities: SSIM of both maps, each scaled to its highest value, one a draw.
    """

    part: str
    rank_correlations: tuple[float, ...]
    similarities: tuple[float, ...]

    @property
    def rank_correlation(self) -> float:
        """Mean over the draws that have one; NaN when none has."""
        return _mean(self.rank_correlations)

    @property
    def similarity(self) -> float:
        """Mean SSIM over the draws that have one; NaN when none has."""
        return _mean(self.similarities)


@dataclass(frozen=True)
class Sanity:
    """The check by weight randomisation (Adebayo 2018): a map that weights don't change explains no network.

    Attributes:
        steps: from the head to the input; with the last one all weights are random.
        among_random: rank correlations of wholly random networks' maps with each other, one a pair of draws.
        most: the rank correlation that may be left at the end.
        seed: of the random weights.
    """

    steps: tuple[SanityStep, ...]
    among_random: tuple[float, ...]
    most: float
    seed: int

    @property
    def floor(self) -> float:
        """Mean of `among_random`: what the picture and the architecture alone have in common; NaN when undefined."""
        return _mean(self.among_random)

    @property
    def left(self) -> float:
        """The rank correlation when all weights are random."""
        return self.steps[-1].rank_correlation

    @property
    def passes(self) -> bool | None:
        """Whether no more is left than may be; None when it is undefined."""
        return None if math.isnan(self.left) else self.left <= self.most

    @property
    def verdict(self) -> str:
        """The same in words."""
        if self.passes is None:
            return "undecided: with random weights every map is the same everywhere, which has no ranks"
        said = f"with random weights a rank correlation of {self.left:.2f} is left; at most {self.most:g} may be"
        return f"passed: {said}" if self.passes else f"FAILED: {said}. The map shows the picture more than the network"


@dataclass(frozen=True, eq=False)
class Explanation:
    """A map of where the features lay that made a network mark what it did.

    Attributes:
        key: of the study.
        heat: [y, x] on the study's own pixels, float32, 0 to 1, the highest value being 1; 0 everywhere when no feature
            spoke for the target.
        highest: the map's highest value before it was scaled, in logits; see `hilum.explain.gradcam`.
        probability: [y, x] the model's scores.
        marked: [y, x] where they reach the threshold.
        method: "gradcam".
        layer: whose features they are.
        target: what was explained, in words.
        cell_px: rows and columns of the study's pixels that one cell of the layer stands for.
        provenance: what it was made with.
        sanity: the check; None when it wasn't made.
        notes: what a person who uses it should know, one line each.

    Raises:
        GeometryError: the maps are not on the same pixels.
    """

    key: str
    heat: NDArray[np.float32]
    highest: float
    probability: NDArray[np.float32]
    marked: NDArray[np.bool_]
    method: str
    layer: str
    target: str
    cell_px: tuple[float, float]
    provenance: Provenance
    sanity: Sanity | None = None
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.heat.shape == self.probability.shape == self.marked.shape:
            raise GeometryError(
                f"the map's shape {self.heat.shape}, the scores' {self.probability.shape} and the mask's "
                f"{self.marked.shape} are not one."
            )


def _mean(values: tuple[float, ...]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return fmean(known) if known else math.nan
