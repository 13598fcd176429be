"""Trivial rivals: predictions that know nothing of a nodule, and that every result has to beat (`definitions.md`).

What they learn (a map, a threshold) they learn from cases that are not reported.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.core import MeasureError
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.core.radiograph import Pixels

Shape = tuple[int, ...]

MAP_SHAPE = (256, 256)
"""Rows and columns of the average map; images of other sizes are read at the same share of their height and width."""

BLOB_SIGMAS_MM = (2.1, 3.2, 4.6)
"""Widths: discs of radius σ√2 (Lindeberg 1998), 6 to 13 mm across."""

BLOB_PIXEL_MM = 0.7
"""Of a picture that doesn't say: that of the published pairs."""

FALSE_BLOBS = 2.0
"""Mean number of false spots on a training image at which the detector's threshold is set."""

BLOBS_AN_IMAGE = 60
"""More candidates than this on one image are no detector's output."""

_MAP_LEVELS = 200
_LIKELY = 0.3
"""Share of the map's peak from which a place is one where a spot may be a nodule: the lungs, roughly."""
_AROUND_MM = 14.0
"""Sigma of the surroundings by whose mean and deviation the picture is normalised."""
_LEAST_DEVIATION = 0.1
"""Of the whole picture's deviation: the least to divide by, so that noise in flat air is no spot."""
_SMOOTH = 8.0
"""Sigma in the map's pixels: some hundred lesions make a ragged average, an easier rival (at 4, Dice .017 for .021)."""


def all_background(shape: Shape) -> Selection:
    """Nothing, anywhere: Dice 0 on every case that has a lesion, and no false positive."""
    return np.zeros(shape, dtype=bool)


def all_foreground(shape: Shape) -> Selection:
    """Everything, everywhere: any overlap finds every lesion, with one false positive on an image without."""
    return np.ones(shape, dtype=bool)


def copied_prior(prior: Selection) -> Selection:
    """The prior's mask as the prediction: what anything that sees a prior has to beat."""
    return prior.copy()


@dataclass(frozen=True, eq=False)
class PriorMap:
    """How often each place is a lesion in training.

    Attributes:
        frequency: [row, column] of `MAP_SHAPE`, 0 to 1, smoothed.
        threshold: places at least this frequent are predicted.
    """

    frequency: Floats
    threshold: float

    def predict(self, shape: Shape) -> Selection:
        """The same places on every image, [y, x]."""
        rows, columns = _places(shape)
        return np.asarray(self.frequency[np.ix_(rows, columns)] >= self.threshold)

    def is_likely(self, shape: Shape) -> Selection:
        """Where lesions occur at all, [y, x]: at least `_LIKELY` times as often as where they are most frequent."""
        rows, columns = _places(shape)
        return np.asarray(self.frequency[np.ix_(rows, columns)] >= _LIKELY * self.frequency.max())


def prior_map(truths: Iterable[Selection]) -> PriorMap:
    """The average of the training masks, smoothed, cut where the mean Dice on the same training masks is highest.

    Args:
        truths: training masks [y, x], of any sizes.

    Raises:
        MeasureError: none has a pixel.
    """
    from scipy.ndimage import gaussian_filter

    small = np.array([_small(truth) for truth in truths], dtype=bool)
    small = small[small.any(axis=(1, 2))] if len(small) else small
    if not len(small):
        raise MeasureError("an average map needs training masks with lesions; there is none.")
    frequency = gaussian_filter(small.mean(axis=0), _SMOOTH)
    levels = np.unique(np.quantile(frequency[frequency > 0], np.linspace(0, 1, _MAP_LEVELS)))
    dice = [_mean_dice(frequency >= level, small) for level in levels]
    return PriorMap(np.asarray(frequency), float(levels[int(np.argmax(dice))]))


def _mean_dice(pred: Selection, truths: NDArray[np.bool_]) -> float:
    common = truths[:, pred].sum(axis=1)
    return float((2 * common / (pred.sum() + truths.sum(axis=(1, 2)))).mean())


def _small(truth: Selection) -> Selection:
    """A mask at the map's resolution by the nearest pixel."""
    rows, columns = (_nearest(size, length) for size, length in zip(MAP_SHAPE, truth.shape, strict=True))
    return truth[np.ix_(rows, columns)]


def _places(shape: Shape) -> list[NDArray[np.intp]]:
    return [_nearest(length, size) for length, size in zip(shape, MAP_SHAPE, strict=True)]


def _nearest(wanted: int, given: int) -> NDArray[np.intp]:
    """For each of `wanted` places along an axis the index of the pixel of `given` that lies there."""
    return ((np.arange(wanted) + 0.5) * given / wanted).astype(np.intp)


@dataclass(frozen=True, eq=False)
class Blobs:
    """Bright round spots of one image, the surest first.

    Attributes:
        centres: [n, 2] (row, column).
        radii: [n] pixels.
        scores: [n] −σ²∇² of the image at the spot, in standard deviations of its surroundings.
    """

    centres: NDArray[np.intp]
    radii: Floats
    scores: Floats

    def discs(self, shape: Shape, threshold: float) -> Selection:
        """The spots with at least this score as discs, [y, x]."""
        mask = np.zeros(shape, dtype=bool)
        for centre, radius, score in zip(self.centres, self.radii, self.scores, strict=True):
            if score >= threshold:
                _paint(mask, centre, radius)
        return mask


def find_blobs(image: Pixels, pixel_mm: float | None = None, prior: PriorMap | None = None) -> Blobs:
    """Maxima over place and width of the scale-normalised Laplacian of Gaussian (Lindeberg 1998, section 3).

    The image is first brought to the mean and deviation of its surroundings, or ribs and the heart's edge win.

    Args:
        image: [y, x], dense is bright.
        pixel_mm: a pixel's side; None takes `BLOB_PIXEL_MM`.
        prior: leaves out spots where training has hardly a lesion; None looks everywhere.
    """
    from scipy import ndimage

    pixel = pixel_mm or BLOB_PIXEL_MM
    sigmas = np.array(BLOB_SIGMAS_MM) / pixel
    grey = _locally_normalised(image.astype(np.float64), _AROUND_MM / pixel)
    stack = np.stack([-(sigma**2) * ndimage.gaussian_laplace(grey, sigma, truncate=3) for sigma in sigmas])
    is_peak = (stack == ndimage.maximum_filter(stack, size=(3, 5, 5))) & (stack > 0)
    if prior is not None:
        is_peak &= prior.is_likely(image.shape)
    scale, row, column = np.nonzero(is_peak)
    scores = stack[scale, row, column].astype(np.float64)
    order = np.argsort(-scores, kind="stable")[:BLOBS_AN_IMAGE]
    return Blobs(np.stack([row, column], axis=1)[order], sigmas[scale[order]] * math.sqrt(2), scores[order])


def _locally_normalised(grey: Floats, sigma: float) -> NDArray[np.float32]:
    from scipy import ndimage

    deviation = float(grey.std())
    if not deviation:
        return np.zeros(grey.shape, dtype=np.float32)
    grey = (grey - grey.mean()) / deviation
    mean = ndimage.gaussian_filter(grey, sigma)
    spread = np.sqrt(np.maximum(ndimage.gaussian_filter(grey**2, sigma) - mean**2, 0))
    return np.asarray((grey - mean) / np.maximum(spread, _LEAST_DEVIATION), dtype=np.float32)


def _paint(mask: Selection, centre: NDArray[np.intp], radius: float) -> None:
    reach = math.ceil(radius)
    low = np.maximum(centre - reach, 0)
    high = np.minimum(centre + reach + 1, mask.shape)
    rows, columns = np.ogrid[low[0] : high[0], low[1] : high[1]]
    disc = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2
    mask[low[0] : high[0], low[1] : high[1]] |= disc


def blob_threshold(found: Sequence[tuple[Blobs, Selection]], false_an_image: float = FALSE_BLOBS) -> float:
    """The score from which spots are taken: as many lesions as `false_an_image` false spots allow.

    Not the best Dice, which is reached by almost no spot at all.

    Args:
        found: the spots and the truth [y, x] of images that are not reported.
        false_an_image: mean number of spots that meet no lesion; not exceeded.

    Raises:
        MeasureError: none of them has a lesion and a spot.
    """
    if not any(truth.any() and len(blobs.scores) for blobs, truth in found):
        raise MeasureError("a blob detector's threshold needs training images with lesions; there is none.")
    every = np.unique(np.concatenate([blobs.scores for blobs, _ in found]))
    false = np.sort(np.concatenate([blobs.scores[~_meets(blobs, truth)] for blobs, truth in found]))
    rate = (len(false) - np.searchsorted(false, every)) / len(found)
    return float(every[np.flatnonzero(rate <= false_an_image)[0]]) if (rate <= false_an_image).any() else math.inf


def _meets(blobs: Blobs, truth: Selection) -> Selection:
    """[spots] whether the spot's disc has a pixel in common with the truth."""
    found = np.zeros(len(blobs.scores), dtype=bool)
    for n, (centre, radius) in enumerate(zip(blobs.centres, blobs.radii, strict=True)):
        disc = np.zeros(truth.shape, dtype=bool)
        _paint(disc, centre, radius)
        found[n] = bool((disc & truth).any())
    return found
