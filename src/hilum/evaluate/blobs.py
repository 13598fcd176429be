"""The trivial rival for detection: bright round spots by the Laplacian of Gaussian, in pictures and in volumes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.core import MeasureError
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.core.radiograph import Pixels
from hilum.core.volume import Voxels
from hilum.evaluate.rivals import PriorMap, Shape

BLOB_SIGMAS_MM = (2.1, 3.2, 4.6)
"""Widths: discs of radius σ√2, balls of σ√3 (Lindeberg 1998), 6 to 13 and 7 to 16 mm across."""

BLOB_PIXEL_MM = 0.7
"""Of a picture that doesn't say: that of the published pairs."""

FALSE_BLOBS = 2.0
"""Mean number of false spots on a training image at which the detector's threshold is set."""

BLOBS_AN_IMAGE = 60
"""More candidates than this on one image are no detector's output."""

_COARSE_MM = {2: BLOB_PIXEL_MM, 3: 2.0}
"""Finer pixels are averaged in whole blocks up to this step, by axes: the narrowest width still has a step or more."""
_HU = (-1000, 400)
"""What a volume is clipped to: bone and metal would be the only spots."""
_AROUND_MM = 14.0
"""Sigma of the surroundings by whose mean and deviation the picture is normalised."""
_LEAST_DEVIATION = 0.1
"""Of the whole picture's deviation: the least to divide by, so that noise in flat air is no spot."""


@dataclass(frozen=True, eq=False)
class Blobs:
    """Bright round spots of one image, the surest first.

    Attributes:
        centres: [n, 2 or 3] index along each axis.
        radii: [n] pixels along the last axis.
        scores: [n] −σ²∇² of the image at the spot, in standard deviations of its surroundings.
        aspect: step along each axis over that along the last.
    """

    centres: NDArray[np.intp]
    radii: Floats
    scores: Floats
    aspect: tuple[float, ...]

    def discs(self, shape: Shape, threshold: float) -> Selection:
        """The spots with at least this score as discs [y, x], or balls [z, y, x]."""
        mask = np.zeros(shape, dtype=bool)
        for (window, disc), score in zip(self._each(shape), self.scores, strict=True):
            if score >= threshold:
                mask[window] |= disc
        return mask

    def meets(self, truth: Selection) -> Selection:
        """[n] whether each spot's disc, or ball, has a pixel in common with the truth."""
        met = [bool((disc & truth[window]).any()) for window, disc in self._each(truth.shape)]
        return np.array(met, dtype=bool)

    def surest(self, number: int) -> "Blobs":
        """The spots with the highest scores."""
        return Blobs(self.centres[:number], self.radii[:number], self.scores[:number], self.aspect)

    def _each(self, shape: Shape) -> Iterator[tuple[tuple[slice, ...], Selection]]:
        for centre, radius in zip(self.centres, self.radii, strict=True):
            yield _disc(shape, centre, radius, self.aspect)


def find_blobs(
    image: Pixels | Voxels, step_mm: float | Sequence[float] | None = None, prior: PriorMap | None = None
) -> Blobs:
    """Maxima over place and width of the scale-normalised Laplacian of Gaussian (Lindeberg 1998, section 3).

    The image is first brought to the mean and deviation of its surroundings, or ribs and the heart's edge win.

    Args:
        image: [y, x], dense is bright; or [z, y, x] in HU.
        step_mm: a pixel's side, or the step along each axis; None takes `BLOB_PIXEL_MM`.
        prior: leaves out spots where training has hardly a lesion; None looks everywhere.
    """
    from scipy import ndimage

    step = np.broadcast_to(np.asarray(step_mm or BLOB_PIXEL_MM, dtype=np.float64), image.ndim)
    blocks = np.maximum(np.floor(_COARSE_MM[image.ndim] / step + 1e-9), 1).astype(np.intp)
    coarse = step * blocks
    shown = _in_blocks(image if image.ndim == 2 else np.clip(image, *_HU), blocks)
    grey = _locally_normalised(shown, _AROUND_MM / coarse)
    stack = np.stack([_laplacian(grey, sigma / coarse) for sigma in BLOB_SIGMAS_MM])
    is_peak = (stack == ndimage.maximum_filter(stack, size=(3, *(5,) * image.ndim))) & (stack > 0)
    width, *place = np.nonzero(is_peak)
    scores = stack[is_peak].astype(np.float64)
    centres = np.minimum(np.stack(place, axis=1) * blocks + blocks // 2, np.array(image.shape) - 1)
    if prior is not None:
        likely = prior.is_likely(image.shape)[tuple(centres.T)]
        width, scores, centres = width[likely], scores[likely], centres[likely]
    order = np.argsort(-scores, kind="stable")[:BLOBS_AN_IMAGE]
    radii = np.array(BLOB_SIGMAS_MM)[width[order]] * math.sqrt(image.ndim) / step[-1]
    return Blobs(centres[order], radii, scores[order], tuple((step / step[-1]).tolist()))


def _in_blocks(image: Pixels | Voxels, blocks: NDArray[np.intp]) -> Floats:
    """Means of whole blocks; a rest at the far end is left out."""
    if (blocks == 1).all():
        return image.astype(np.float64)
    counts = np.maximum(np.array(image.shape) // blocks, 1)
    size = np.minimum(blocks, image.shape)
    kept = image[tuple(slice(count * one) for count, one in zip(counts, size, strict=True))]
    parts = kept.reshape([number for both in zip(counts, size, strict=True) for number in both])
    return np.asarray(parts.mean(axis=tuple(range(1, 2 * image.ndim, 2)), dtype=np.float64))


def _laplacian(grey: NDArray[np.float32], sigmas: Floats) -> NDArray[np.float32]:
    """−σ²∇², of one σ in mm, whatever the steps."""
    from scipy import ndimage

    total = np.zeros_like(grey)
    for axis, sigma in enumerate(sigmas):
        order = [2 if one == axis else 0 for one in range(grey.ndim)]
        total -= sigma**2 * ndimage.gaussian_filter(grey, sigmas, order=order, truncate=3)
    return total


def _locally_normalised(grey: Floats, sigmas: Floats) -> NDArray[np.float32]:
    from scipy import ndimage

    deviation = float(grey.std())
    if not deviation:
        return np.zeros(grey.shape, dtype=np.float32)
    grey = (grey - grey.mean()) / deviation
    mean = ndimage.gaussian_filter(grey, sigmas)
    spread = np.sqrt(np.maximum(ndimage.gaussian_filter(grey**2, sigmas) - mean**2, 0))
    return np.asarray((grey - mean) / np.maximum(spread, _LEAST_DEVIATION), dtype=np.float32)


def _disc(
    shape: Shape, centre: NDArray[np.intp], radius: float, aspect: Sequence[float]
) -> tuple[tuple[slice, ...], Selection]:
    """The part of an image that a disc or ball lies in, and its pixels there."""
    reach = np.ceil(radius / np.array(aspect)).astype(np.intp)
    low, high = np.maximum(centre - reach, 0), np.minimum(centre + reach + 1, shape)
    window = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    axes = np.ogrid[window]
    apart = sum(((axis - at) * one) ** 2 for axis, at, one in zip(axes, centre, aspect, strict=True))
    return window, np.asarray(apart <= radius**2)


def blob_threshold(found: Sequence[tuple[Floats, Selection]], false_an_image: float = FALSE_BLOBS) -> float:
    """The score from which spots are taken: as many lesions as `false_an_image` false spots allow.

    Not the best Dice, which is reached by almost no spot at all.

    Args:
        found: of images with a lesion that are not reported, the spots' scores and whether each meets a lesion.
        false_an_image: mean number of spots that meet no lesion; not exceeded.

    Raises:
        MeasureError: none of them has a spot.
    """
    if not any(len(scores) for scores, _ in found):
        raise MeasureError("a blob detector's threshold needs training images with lesions; there is none.")
    every = np.unique(np.concatenate([scores for scores, _ in found]))
    false = np.sort(np.concatenate([scores[~is_hit] for scores, is_hit in found]))
    rate = (len(false) - np.searchsorted(false, every)) / len(found)
    return float(every[np.flatnonzero(rate <= false_an_image)[0]]) if (rate <= false_an_image).any() else math.inf
