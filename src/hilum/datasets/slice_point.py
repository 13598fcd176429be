"""Where a nodule is, as a network is told it: an image beside the slice or the piece of a CT, bright at the point."""

from collections.abc import Sequence
from functools import reduce
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from hilum.core.geometry import Triple
from hilum.core.mask import Selection
from hilum.datasets.xray_sample import Picture

Place = TypeVar("Place", tuple[float, float], Triple)

SIGMA_MM = 4.0
"""Of the bright spot: about as exactly as somebody points."""
_BESIDE_MM = 1.5
"""Standard deviation by which a drawn point misses the place that was meant, along rows and columns."""
_ELSEWHERE_MM = 10.0
"""The same where there is no nodule to be meant: a point anywhere about the middle."""


def point_map(shape: tuple[int, ...], point_px: Sequence[float] | None, step_mm: Sequence[float]) -> Picture:
    """[y, x] or [z, y, x], 0 to 1: a Gaussian of 1 at the point; 0 everywhere where nobody says a point.

    Args:
        shape: of the image, of two axes or three.
        point_px: along the same axes, between pixels or outside the image as it may be.
        step_mm: along each axis.
    """
    if point_px is None:
        return np.zeros(shape, dtype=np.float32)
    falls = [
        np.exp(-0.5 * ((np.arange(size) - at) * step / SIGMA_MM) ** 2)
        for size, at, step in zip(shape, point_px, step_mm, strict=True)
    ]
    spot: Picture = reduce(np.multiply.outer, falls).astype(np.float32)
    return spot


def drawn_point(truth: Selection, step_mm: Place, rng: np.random.Generator, like: Place | None = None) -> Place:
    """Where somebody might point who means this nodule: from its centre to any of its pixels, and a little beside.

    Args:
        truth: [y, x] or [z, y, x] the nodule.
        step_mm: along each axis.
        rng: where the randomness comes from; as many draws whatever the truth.
        like: where something only looks like a nodule, in pixels; it is pointed at where the truth is empty. None: then
            the point lies anywhere about the middle.
    """
    share, pixel, beside = rng.random(), rng.random(), rng.standard_normal(truth.ndim)
    places, steps = np.argwhere(truth), np.array(step_mm)
    if not len(places) and like is not None:
        return cast("Place", tuple((np.array(like) + beside * _BESIDE_MM / steps).tolist()))
    if not len(places):
        middle = (np.array(truth.shape) - 1) / 2
        return cast("Place", tuple((middle + beside * _ELSEWHERE_MM / steps).tolist()))
    centre, meant = places.mean(axis=0), places[int(pixel * len(places))]
    return cast("Place", tuple((centre + share * (meant - centre) + beside * _BESIDE_MM / steps).tolist()))


def box_centre(selected: Selection) -> tuple[float, float]:
    """(row, column) of the middle of the box around a nodule on all its slices.

    Args:
        selected: [z, y, x], with a pixel at least.
    """
    places = np.argwhere(selected)[:, 1:]
    return _pair((places.min(axis=0) + places.max(axis=0)) / 2)


def _pair(place: NDArray[np.float64]) -> tuple[float, float]:
    return float(place[0]), float(place[1])
