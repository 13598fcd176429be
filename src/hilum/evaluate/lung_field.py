"""The lung field of a chest X-ray, as far as places of lesions are named by it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.core import InputError
from hilum.core.mask import Selection

Place = tuple[float, float]
"""A centre as shares of the picture's height and width, (row, column)."""

_HEIGHTS = ("upper", "middle", "lower")
ZONES = tuple(f"{side} {height} zone" for side in ("right", "left") for height in _HEIGHTS)
"""Of the patient, whose right stands on the picture's left."""


@dataclass(frozen=True)
class LungField:
    """Where both lungs begin and end, as shares of the picture's height and width.

    Attributes:
        middle: column between the outermost ones; what lies left of it is the patient's right.
        right: first row of the right lung, and the end of its last one.
        left: the same of the left lung.
    """

    middle: float
    right: tuple[float, float]
    left: tuple[float, float]

    def zone(self, place: Place) -> str:
        """The third, by height, of the lung on whose side a place lies; beyond its ends the nearest one."""
        row, column = place
        is_right = column < self.middle
        top, bottom = self.right if is_right else self.left
        third = int(np.clip(3 * (row - top) / (bottom - top), 0, 2))
        return ZONES[third if is_right else third + len(_HEIGHTS)]


def lung_field(mask: Selection) -> LungField:
    """Where the lungs of a mask begin and end.

    Args:
        mask: [y, x] both lungs, head up, the patient's right on the left.

    Raises:
        InputError: it is no picture, or has no lung on one side.
    """
    if mask.ndim != 2 or not mask.any():
        raise InputError("zones are of a picture's lungs, and the mask of the lungs is empty or no picture.")
    rows, columns = np.nonzero(mask)
    middle = (columns.min() + columns.max() + 1) / 2
    is_right = columns + 0.5 < middle
    if is_right.all() or not is_right.any():
        raise InputError("the mask of the lungs has nothing on one side.", "It should have both.")
    (right, left), height = (rows[is_right], rows[~is_right]), mask.shape[0]
    return LungField(float(middle / mask.shape[1]), _ends(right, height), _ends(left, height))


def _ends(rows: NDArray[np.intp], height: int) -> tuple[float, float]:
    return float(rows.min() / height), float((rows.max() + 1) / height)
