"""From a probability map to lesions with a place, a size and a score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.core import Nodule
from hilum.core.mask import Selection
from hilum.core.radiograph import PixelMm
from hilum.measure import disc_diameter_mm
from hilum.ops import label_parts


@dataclass(frozen=True)
class LesionRule:
    """How lesions are read off a probability map.

    Attributes:
        threshold: pixels with at least this probability make the mask.
        lowest: lesions are listed from this score on; so a free-response curve can be drawn.
        apart_mm: two peaks nearer than this are one lesion.
    """

    threshold: float
    lowest: float = 0.02
    apart_mm: float = 6.0


def lesions(probability: NDArray[np.float32], step_mm: PixelMm, rule: LesionRule, *, knows_mm: bool) -> list[Nodule]:
    """One nodule a peak of the map, the most likely first; its score is the peak's probability.

    A peak is the highest pixel within `apart_mm`. Lesions of the mask that hold several peaks are one nodule, at their
    centroid, with the area's equivalent diameter; peaks below the threshold have a place and a score only.

    Args:
        probability: [y, x], 0 to 1.
        step_mm: row and column step, known or assumed.
        rule: see there.
        knows_mm: whether sizes in millimetres may be given.
    """
    from scipy import ndimage

    labels = label_parts(probability >= rule.threshold)
    numbers = range(1, int(labels.max()) + 1)
    found = [_marked(labels == number, probability, step_mm if knows_mm else None) for number in numbers]
    near = tuple(2 * max(1, round(rule.apart_mm / step)) + 1 for step in step_mm)
    below = _peaks(probability, near) & (probability >= rule.lowest)
    below &= ~ndimage.binary_dilation(labels > 0, np.ones(near, dtype=bool))
    found += [Nodule("", centre_px=(float(y), float(x)), score=float(probability[y, x])) for y, x in np.argwhere(below)]
    ranked = sorted(found, key=lambda nodule: -(nodule.score or 0))
    return [_named(nodule, str(number)) for number, nodule in enumerate(ranked, start=1)]


def _peaks(probability: NDArray[np.float32], near: tuple[int, ...]) -> Selection:
    """The highest pixel of each neighbourhood; the first of several that are equal."""
    from scipy import ndimage

    highest = ndimage.maximum_filter(probability, near) == probability
    numbers, places = np.unique(label_parts(highest), return_index=True)
    first = np.zeros(probability.shape, dtype=bool)
    first.flat[places[numbers > 0]] = True
    return first


def _marked(lesion: Selection, probability: NDArray[np.float32], step_mm: PixelMm | None) -> Nodule:
    row, column = np.argwhere(lesion).mean(axis=0)
    size = {}
    if step_mm is not None:
        size["equivalent_diameter_mm"] = disc_diameter_mm(int(lesion.sum()) * step_mm[0] * step_mm[1])
    score = float(probability[lesion].max())
    return Nodule("", centre_px=(float(row), float(column)), score=score, characteristics=size)


def _named(nodule: Nodule, name: str) -> Nodule:
    return Nodule(name, centre_px=nodule.centre_px, score=nodule.score, characteristics=nodule.characteristics)
