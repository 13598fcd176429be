"""What is left of a map of probabilities: a threshold, holes closed, and small parts kept unless told otherwise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.core import InputError
from hilum.core.mask import Selection
from hilum.ops import label_parts, part_sizes
from hilum.ops.morphology import grown, shrunk


@dataclass(frozen=True)
class PostRule:
    """How a mask is made of probabilities. Sizes are in mm and mm³, so that they mean the same on any voxels.

    Attributes:
        threshold: from which probability a voxel is in.
        least_mm3: parts of a smaller volume are left out; 0 keeps all. A nodule of 3 mm has 14 mm³.
        closing_mm: gaps and holes of up to twice this width are filled: dilation and erosion by a ball of this radius.
        floor: what closing fills has at least this probability.
    """

    threshold: float
    least_mm3: float = 0.0
    closing_mm: float = 0.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1 or not 0 <= self.floor <= 1 or min(self.least_mm3, self.closing_mm) < 0:
            raise InputError(f"there is no such rule: {self}.", "Probabilities are 0 to 1, sizes at least 0.")


SOURCE_B = PostRule(threshold=0.6, least_mm3=20.0, closing_mm=2.0, floor=0.4)
"""Source B's, as if its voxels had 1 mm: .6, 20 voxels, closing twice, .4. It deletes nodules of 3 mm; and B leaves out
small parts before it closes gaps, which deletes what is in pieces, too."""


def post_processed(probability: NDArray[np.float32], step_mm: Sequence[float], rule: PostRule) -> Selection:
    """The mask [z, y, x] or [y, x] that a rule makes of probabilities.

    Args:
        probability: 0 to 1.
        step_mm: along each axis.
        rule: see there.
    """
    mask: Selection = probability >= rule.threshold
    if rule.closing_mm:
        closed = shrunk(grown(mask, rule.closing_mm, step_mm), rule.closing_mm, step_mm)
        mask = mask | (closed & (probability >= rule.floor))
    if not rule.least_mm3:
        return mask
    labels = label_parts(mask)
    volumes = part_sizes(labels) * math.prod(step_mm)
    is_kept = np.concatenate(([False], volumes >= rule.least_mm3))
    return np.asarray(is_kept[labels])
