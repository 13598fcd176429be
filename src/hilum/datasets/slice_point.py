"""Where a nodule is, as a network of CT slices is told it: a picture beside the slice, bright at the point."""

import numpy as np
from numpy.typing import NDArray

from hilum.core.mask import Selection
from hilum.core.radiograph import PixelMm
from hilum.datasets.xray_sample import Picture

SIGMA_MM = 4.0
"""Of the bright spot: about as exactly as somebody points."""
_BESIDE_MM = 1.5
"""Standard deviation by which a drawn point misses the place that was meant, along rows and columns."""
_ELSEWHERE_MM = 10.0
"""The same where there is no nodule to be meant: a point anywhere about the middle."""


def point_map(shape_yx: tuple[int, int], point_px: tuple[float, float] | None, step_mm: PixelMm) -> Picture:
    """[y, x] 0 to 1: a Gaussian of 1 at the point; 0 everywhere where nobody says a point.

    Args:
        shape_yx: of the slice.
        point_px: (row, column), between pixels or outside the slice as it may be.
        step_mm: row and column step.
    """
    if point_px is None:
        return np.zeros(shape_yx, dtype=np.float32)
    falls = [
        np.exp(-0.5 * ((np.arange(size) - at) * step / SIGMA_MM) ** 2)
        for size, at, step in zip(shape_yx, point_px, step_mm, strict=True)
    ]
    spot: Picture = np.outer(*falls).astype(np.float32)
    return spot


def drawn_point(truth: Selection, pixel_mm: float, rng: np.random.Generator) -> tuple[float, float]:
    """Where somebody might point who means this nodule: from its centre to any of its pixels, and a little beside.

    Args:
        truth: [y, x] the nodule; where it is empty, the point lies anywhere about the middle.
        pixel_mm: side of a pixel.
        rng: where the randomness comes from; as many draws whatever the truth.
    """
    share, pixel, beside = rng.random(), rng.random(), rng.standard_normal(2)
    places = np.argwhere(truth)
    if not len(places):
        middle = (np.array(truth.shape) - 1) / 2
        return _pair(middle + beside * _ELSEWHERE_MM / pixel_mm)
    centre, meant = places.mean(axis=0), places[int(pixel * len(places))]
    return _pair(centre + share * (meant - centre) + beside * _BESIDE_MM / pixel_mm)


def box_centre(selected: Selection) -> tuple[float, float]:
    """(row, column) of the middle of the box around a nodule on all its slices.

    Args:
        selected: [z, y, x], with a pixel at least.
    """
    places = np.argwhere(selected)[:, 1:]
    return _pair((places.min(axis=0) + places.max(axis=0)) / 2)


def _pair(place: NDArray[np.float64]) -> tuple[float, float]:
    return float(place[0]), float(place[1])
