"""From a probability map to lesions with a place, a size and a score."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hilum.core import Nodule
from hilum.core.mask import Selection
from hilum.core.radiograph import PixelMm
from hilum.measure import disc_diameter_mm
from hilum.ops import PeakRule, label_parts, peaks


@dataclass(frozen=True)
class LesionRule:
    """How lesions are read off a probability map.

    Attributes:
        threshold: pixels with at least this probability make the mask.
        peaks: which peaks below it are listed, too, so that a free-response curve can be drawn.
    """

    threshold: float
    peaks: PeakRule = field(default_factory=PeakRule)


def lesions(probability: NDArray[np.float32], step_mm: PixelMm, rule: LesionRule, *, knows_mm: bool) -> list[Nodule]:
    """One nodule a peak of the map, the most likely first; its score is the peak's probability.

    Lesions of the mask that hold several peaks are one nodule, at their centroid, with the area's equivalent diameter;
    peaks below the threshold, and not next to such a lesion, have a place and a score only.

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
    box = tuple(2 * reach + 1 for reach in rule.peaks.reach(step_mm, probability.shape))
    beside = ndimage.maximum_filter(labels > 0, box, mode="constant")  # one axis after the other, however large
    tops = peaks(probability, step_mm, rule.peaks)
    found += [
        Nodule("", centre_px=(float(y), float(x)), score=float(height))
        for (y, x), height in zip(tops.places, tops.heights, strict=True)
        if not beside[y, x]
    ]
    ranked = sorted(found, key=lambda nodule: -(nodule.score or 0))
    return [_named(nodule, str(number)) for number, nodule in enumerate(ranked, start=1)]


def _marked(lesion: Selection, probability: NDArray[np.float32], step_mm: PixelMm | None) -> Nodule:
    row, column = np.argwhere(lesion).mean(axis=0)
    size = {}
    if step_mm is not None:
        size["equivalent_diameter_mm"] = disc_diameter_mm(int(lesion.sum()) * step_mm[0] * step_mm[1])
    score = float(probability[lesion].max())
    return Nodule("", centre_px=(float(row), float(column)), score=score, characteristics=size)


def _named(nodule: Nodule, name: str) -> Nodule:
    return Nodule(name, centre_px=nodule.centre_px, score=nodule.score, characteristics=nodule.characteristics)
