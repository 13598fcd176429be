"""From how much of a finding on it a film is believed to have it; below that, none is marked: chosen on validation.

The likeliest class of each pixel leaves a few pixels of a finding on nearly every film, so "any pixel of it" says
little about a film as a whole. Each finding's limit is the share of both lungs that tells films with it from films
without it best, by sensitivity + specificity - 1 (Youden 1950, Cancer 3:32).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hilum.core.geometry import Floats
from hilum.core.mask import Labels
from hilum.evaluate.gate import without
from hilum.measure import LungRoles

FEWEST = 5
"""Validation films with a finding, and without it, below which nothing says where it begins: any pixel counts."""


def percent_of(classes: Labels, finding: int, roles: LungRoles) -> float:
    """Percent of both lungs that a finding covers, with those of its pixels that lie outside of them; 0 of nothing.

    Args:
        classes: [y, x] one class a pixel.
        finding: its number.
        roles: which classes are lung.
    """
    own = classes == finding
    room = int((roles.field(classes) | own).sum())
    return 100 * int(own.sum()) / room if room else 0.0


def choose_least(percents: Floats, has: NDArray[np.bool_]) -> float:
    """The percentage from which a finding is believed; 0 where any pixel of it counts.

    Of several that tell films apart equally well, the lowest, midway between two films' percentages.

    Args:
        percents: [films] of both lungs, as predicted.
        has: [films] whether the film has the finding.
    """
    if min(has.sum(), (~has).sum()) < FEWEST:
        return 0.0
    seen = np.unique(percents[percents > 0])
    levels = [0.0, *((seen[1:] + seen[:-1]) / 2).tolist()]
    told = [_told_apart(percents, has, level) for level in levels]
    return float(levels[int(np.argmax(told))])


def believed(
    planes: NDArray[np.floating], least: Mapping[int, float], roles: LungRoles
) -> tuple[NDArray[np.float32], dict[int, float]]:
    """Probabilities [C, y, x] without the findings of which there is too little, and how many percent these had.

    Args:
        planes: [C, y, x] probability of each class, background first.
        least: percent of both lungs from which each finding is believed.
        roles: which classes are lung.
    """
    kept = np.array(planes, dtype=np.float32)
    classes = kept.argmax(axis=0).astype(np.uint8)
    percents = {number: percent_of(classes, number, roles) for number in least}
    gone = {number: percent for number, percent in percents.items() if 0 < percent < least[number]}
    return (without(kept, list(gone)) if gone else kept), gone


def _told_apart(percents: Floats, has: NDArray[np.bool_], level: float) -> float:
    said = (percents > 0) & (percents >= level)
    return float(said[has].mean() - said[~has].mean())
