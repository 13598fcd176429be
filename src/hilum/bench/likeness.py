"""How far two pictures of the same thing are apart."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Likeness:
    """One picture beside another that is taken as right, over the pixels behind the patient.

    Attributes:
        correlation: Pearson's, over all pixels.
        mean_difference: mean of |difference| over the mean of the right picture.
        median_difference: median of |difference| / right, pixel by pixel.
        bias: mean of the difference over the mean of the right picture.
    """

    correlation: float
    mean_difference: float
    median_difference: float
    bias: float


def likeness(image: NDArray[Any], right: NDArray[Any], at_least: float = 0.5) -> Likeness:
    """Compare two pictures of line integrals where the right one is at least some attenuation (no unit)."""
    behind = right >= at_least
    expected, differences = right[behind].astype(np.float64), (image - right)[behind].astype(np.float64)
    return Likeness(
        float(np.corrcoef(image.ravel(), right.ravel())[0, 1]),
        float(np.abs(differences).mean() / expected.mean()),
        float(np.median(np.abs(differences) / expected)),
        float(differences.mean() / expected.mean()),
    )
