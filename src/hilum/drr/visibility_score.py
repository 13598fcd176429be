"""Scores from 0 to 1 by which shadows are ordered; `hilum.drr.visibility` states the rules. It needs no library."""

import math
from collections.abc import Sequence

_HALF_SEEN_MM = 9.0
_HIDDEN_COUNTS = 0.5


def visibility(cnr: float, diameter_mm: float, overlap: Sequence[float] = ()) -> float:
    """How well a shadow can be seen, 0 to 1, by the formula of `hilum.drr.visibility`; NaN when `cnr` is.

    Args:
        cnr: own contrast to noise, or the seen one where there is no CT.
        diameter_mm: of the disc with the silhouette's area, in the patient's plane.
        overlap: shares of the silhouette that organs cover; empty when no organ is known.
    """
    return contrast_score(cnr) * size_score(diameter_mm) * (1 - _HIDDEN_COUNTS * max(overlap, default=0.0))


def contrast_score(cnr: float) -> float:
    """C / (c + 1) of a contrast to noise, 0 when it is not positive; NaN when it is."""
    stands_out = max(cnr, 0.0) if not math.isnan(cnr) else math.nan
    return stands_out / (stands_out + 1)


def size_score(diameter_mm: float) -> float:
    """d² / (d² + 9²) of a diameter in mm; NaN when it is."""
    return diameter_mm**2 / (diameter_mm**2 + _HALF_SEEN_MM**2)
