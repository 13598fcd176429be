"""What of a prediction is ranked in free-response figures, and which found lesions were only covered."""

from collections.abc import Sequence
from dataclasses import replace

from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.metrics.lesions import Components, Matches, intersections
from hilum.ops import PeakRule, Peaks, peaks

CANDIDATES = PeakRule()
"""Peaks of a probability map that are marks, whatever the threshold of the mask."""

TIMES_LARGER, SEVERAL = 10, 3
"""A component that is larger than its lesions together by this factor, or meets so many, has covered and not found."""


def candidate_peaks(pred: Selection, probability: Floats, spacing_mm: Sequence[float] | None) -> Peaks:
    """The local peaks of a probability map; down to the mask's threshold where that is lower than `CANDIDATES`'.

    A component of pixels above some level would be one mark however much it covers, and a map of noise above that level
    one mark that hits every lesion.

    Args:
        pred: [y, x] or [z, y, x], the map at its threshold.
        probability: the same shape, 0 to 1.
        spacing_mm: step along each axis; None when nobody knows.
    """
    lowest = min(CANDIDATES.lowest, float(probability[pred].min(initial=1)))
    return peaks(probability, spacing_mm, replace(CANDIDATES, lowest=lowest))


def covered_only(predicted: Components, true: Components, matches: Matches) -> int:
    """How many lesions were found by components alone that cover much more, or several lesions at once.

    Args:
        predicted: components of the prediction.
        true: of the truth.
        matches: the former with the latter.
    """
    if not matches.is_found.any():
        return 0
    meets = intersections(predicted, true) > 0
    covers = (predicted.sizes > TIMES_LARGER * (meets @ true.sizes)) | (meets.sum(axis=1) >= SEVERAL)
    return int((matches.is_found & ~(matches.marks & ~covers[:, None]).any(axis=0)).sum())
