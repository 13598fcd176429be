"""From how much of a finding on it a film is believed to have it; below that, none is marked: chosen on validation.

The likeliest class of each pixel leaves a few pixels of a finding on nearly every film, so "any pixel of it" says
little about a film as a whole.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hilum.core.geometry import Floats
from hilum.core.mask import Labels
from hilum.evaluate.gate import MOST_SHUT_OUT
from hilum.measure import LungRoles, percent_of_lungs

FEWEST = 5
"""Validation films on which a finding is rightly marked, below which nothing says where it begins."""


@dataclass(frozen=True)
class Limit:
    """From when one finding is believed.

    Attributes:
        percent: of both lungs; 0 where any pixel counts.
        shut_out: share of validation films with the finding, marked by at least a pixel, on which it isn't any more.
        kept_out: share of those without it, but so marked, on which it isn't any more.
    """

    percent: float
    shut_out: float = math.nan
    kept_out: float = math.nan

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Self:
        """As it stands in a model's configuration."""
        return cls(**{name: math.nan if value is None else float(value) for name, value in record.items()})


def choose_limit(percents: Floats, has: NDArray[np.bool_]) -> Limit:
    """The limit that keeps out the most, of those that shut out at most `MOST_SHUT_OUT` of the rightly marked films.

    The same share that a hybrid's gate may shut out. Of the limits that do the same to these films it is the middle
    one, as far from the last film it keeps out as from the first that it lets through. Any pixel counts where there is
    nothing to keep out, and where fewer films than `FEWEST` are rightly marked.

    Args:
        percents: [films] of both lungs, as predicted.
        has: [films] whether the film has the finding.
    """
    right, wrong = np.sort(percents[has & (percents > 0)]), percents[~has & (percents > 0)]
    if len(right) < FEWEST:
        return Limit(0.0)
    highest = right[int(MOST_SHUT_OUT * len(right))]
    below = wrong[wrong < highest]
    percent = float(below.max() + highest) / 2 if len(below) else 0.0
    return Limit(percent, float((right < percent).mean()), float((wrong < percent).mean()) if len(wrong) else math.nan)


def believed(
    planes: NDArray[np.floating], limits: Mapping[int, Limit], roles: LungRoles
) -> tuple[Labels, dict[int, float]]:
    """The likeliest class of each pixel, of findings those of which there is enough; and how much of others there was.

    A pixel of a finding of which there is too little gets the likeliest of the other classes. Where that makes another
    finding too little of, this goes, too.

    Args:
        planes: [C, y, x] probability of each class, background first.
        limits: from when each finding is believed.
        roles: which classes are lung.

    Returns:
        [y, x] classes, and percent of both lungs by the number of each finding that was taken away.
    """
    kept = np.array(planes)
    gone: dict[int, float] = {}
    while True:
        classes = kept.argmax(axis=0).astype(np.uint8)
        percents = {number: percent_of_lungs(classes, number, roles) for number in limits}
        few = {number: percent for number, percent in percents.items() if 0 < percent < limits[number].percent}
        if not few:
            return classes, gone
        gone |= few
        kept[list(few)] = -1
