"""Trivial rivals: predictions that know nothing of a nodule, and that every result has to beat (`definitions.md`).

What they learn (a map, a threshold) they learn from cases that are not reported.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.core import MeasureError
from hilum.core.geometry import Floats
from hilum.core.mask import Selection

Shape = tuple[int, ...]

BACKGROUND, EVERYTHING, MAP = "all background", "all foreground", "average prior map"
"""What reports and cards call them."""

MAP_SHAPES = {2: (256, 256), 3: (48, 64, 64)}
"""Of the average map, by axes; images of other sizes are read at the same share of their own grid."""

_MAP_LEVELS = 200
_LIKELY = 0.3
"""Share of the map's peak from which a place is one where a spot may be a nodule: the lungs, roughly."""
_SMOOTH = {2: 8.0, 3: 2.0}
"""Sigma in the map's pixels: some hundred lesions make a ragged average, an easier rival (in 2D at 4, Dice .017 for
.021); the same share of the grid's width in 3D."""


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
        frequency: of `MAP_SHAPES`, 0 to 1, smoothed.
        threshold: places at least this frequent are predicted.
    """

    frequency: Floats
    threshold: float

    def predict(self, shape: Shape) -> Selection:
        """The same places on every image, [y, x] or [z, y, x]."""
        return np.asarray((self.frequency >= self.threshold)[self._places(shape)])

    def is_likely(self, shape: Shape) -> Selection:
        """Where lesions occur at all: at least `_LIKELY` times as often as where they are most frequent."""
        return np.asarray((self.frequency >= _LIKELY * self.frequency.max())[self._places(shape)])

    def _places(self, shape: Shape) -> tuple[NDArray[np.intp], ...]:
        """Which place of the map each pixel of an image lies at.

        Raises:
            MeasureError: the map is of pictures and this is a volume, or the other way round.
        """
        if len(shape) != self.frequency.ndim:
            raise MeasureError(f"an average map of {self.frequency.ndim} axes is none of an image of {len(shape)}.")
        return np.ix_(*(_nearest(length, size) for length, size in zip(shape, self.frequency.shape, strict=True)))


def prior_map(truths: Iterable[Selection]) -> PriorMap:
    """The average of the training masks, smoothed, cut where the mean Dice on the same training masks is highest.

    Args:
        truths: training masks, [y, x] or [z, y, x], of any sizes.

    Raises:
        MeasureError: none has a pixel.
    """
    return map_of([small_truth(truth) for truth in truths])


def small_truth(truth: Selection) -> Selection:
    """A mask at the map's resolution: the nearest pixel of a picture; of a volume, where any voxel of it is."""
    wanted = MAP_SHAPES[truth.ndim]
    if truth.ndim == 2:
        return truth[np.ix_(*(_nearest(size, length) for size, length in zip(wanted, truth.shape, strict=True)))]
    small = np.zeros(wanted, dtype=bool)
    places = zip(np.nonzero(truth), wanted, truth.shape, strict=True)
    small[tuple(_nearest(length, size)[index] for index, size, length in places)] = True
    return small


def map_of(small: Sequence[Selection]) -> PriorMap:
    """The average of training masks that were brought to the map's resolution.

    Args:
        small: from `small_truth`.

    Raises:
        MeasureError: none has a pixel, or some are pictures and some volumes.
    """
    from scipy.ndimage import gaussian_filter

    small = [truth for truth in small if truth.any()]
    if not small:
        raise MeasureError("an average map needs training masks with lesions; there is none.")
    if len({truth.ndim for truth in small}) > 1:
        raise MeasureError("an average map is of pictures or of volumes; the training masks are both.")
    frequency = gaussian_filter(np.mean(small, axis=0), _SMOOTH[small[0].ndim])
    levels = np.unique(np.quantile(frequency[frequency > 0], np.linspace(0, 1, _MAP_LEVELS)))
    dice = np.mean([_dice_at(levels, frequency, truth) for truth in small], axis=0)
    return PriorMap(np.asarray(frequency), float(levels[int(np.argmax(dice))]))


def _dice_at(levels: Floats, frequency: Floats, truth: Selection) -> Floats:
    """[levels] Dice of what is at least so frequent; sorted once, no mask is made for each level."""
    every = np.sort(frequency, axis=None)
    common = int(truth.sum()) - np.searchsorted(np.sort(frequency[truth]), levels)
    return np.asarray(2 * common / (len(every) - np.searchsorted(every, levels) + int(truth.sum())))


def _nearest(wanted: int, given: int) -> NDArray[np.intp]:
    """For each of `wanted` places along an axis the index of the pixel of `given` that lies there."""
    return ((np.arange(wanted) + 0.5) * given / wanted).astype(np.intp)
