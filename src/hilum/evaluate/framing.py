"""Which part of a case is worth a closer look."""

from collections.abc import Sequence

import numpy as np

from hilum.core.mask import Selection
from hilum.ops import largest_part
from hilum.report.examples import Frame

_LEAST_HALF = 40
"""Half the side of the enlarged part, in pixels, at least."""
_APART = 1 / 3
"""Lesions that span more than this share of the picture are not shown together."""


def frame_of(truth: Selection, pred: Selection, marks: Sequence[tuple[float, float, float]] = ()) -> Frame:
    """The part of a picture around the truth, else the prediction, else the first mark; the whole without any.

    Where lesions lie far apart it is the largest one's.

    Args:
        truth: [y, x].
        pred: [y, x].
        marks: (row, column, score), the surest first.
    """
    look = truth if truth.any() else pred
    if not look.any():
        if marks:
            return Frame(marks[0][0], marks[0][1], float(_LEAST_HALF))
        return Frame(truth.shape[0] / 2, truth.shape[1] / 2, max(truth.shape) / 2)
    low, high = _ends(look)
    if (high - low).max() > _APART * max(truth.shape):
        low, high = _ends(largest_part(look))
    row, column = (low + high) / 2
    return Frame(float(row), float(column), max(_LEAST_HALF, 0.9 * float((high - low).max())))


def _ends(selection: Selection) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], ...]:
    found = np.argwhere(selection)
    return found.min(axis=0), found.max(axis=0)
