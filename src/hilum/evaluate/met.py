"""One lesion with what meets it: every predicted component that shares a pixel with it, and no other.

The whole case's distances are those of its worst false alarm; these are of the lesion. All is counted in a window
around the lesion and what meets it, one step wider than both, so surfaces are those of the whole image.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hilum.core.mask import Selection
from hilum.metrics.lesions import Components
from hilum.metrics.overlap import Ratio, confusion, volume_error_percent
from hilum.metrics.surface import hausdorff_mm, surface_dice, surface_distances

Box = tuple[slice, ...]

NSD_MM = (2.0,)
"""Tolerances of the normalised surface Dice, `nsd_2mm`, in every evaluation."""


def nsd_name(tolerance_mm: float) -> str:
    """The figure's name: `nsd_2mm`, `nsd_0.5mm`."""
    return f"nsd_{tolerance_mm:g}mm"


def is_nsd(name: str) -> bool:
    """Whether a figure of a case is a surface Dice, of any class together."""
    return name.startswith("nsd_") and name.endswith("mm")


@dataclass(frozen=True, eq=False)
class Predicted:
    """A prediction's components, to be asked what meets a lesion.

    Attributes:
        parts: of the prediction.
        spacing_mm: step along each axis; None when nobody knows, and distances are NaN.
        nsd_mm: tolerances of the surface Dice; None leaves all distances out.
    """

    parts: Components
    spacing_mm: Sequence[float] | None = None
    nsd_mm: Sequence[float] | None = NSD_MM

    @cached_property
    def _boxes(self) -> list[Box]:
        return boxes_of(self.parts)

    def met_by(self, mask: Selection, box: Box | None = None) -> dict[str, float]:
        """Figures of a lesion with what meets it.

        A missed lesion has Dice, IoU, recall and surface Dice 0, a size error of −100 %, and neither precision nor
        distance.

        Args:
            mask: the lesion, not empty, of the prediction's shape; of the box's shape where a box is given.
            box: where the lesion lies.

        Returns:
            dice, iou, precision, recall, volume_error_percent (of an area in 2D), hd95_mm and surface Dice by name.
        """
        if box is None:
            box = tuple(slice(int(at.min()), int(at.max()) + 1) for at in np.nonzero(mask))
            mask = mask[box]
        met = np.unique(self.parts.labels[box][mask])
        met = met[met > 0]
        window = _around([box, *(self._boxes[number - 1] for number in met)], self.parts.labels.shape)
        truth = np.zeros([axis.stop - axis.start for axis in window], dtype=bool)
        inside = (slice(at.start - to.start, at.stop - to.start) for at, to in zip(box, window, strict=True))
        truth[tuple(inside)] = mask
        return self._figures(np.isin(self.parts.labels[window], met), truth)

    def _figures(self, pred: Selection, truth: Selection) -> dict[str, float]:
        counts = confusion(pred, truth)
        ratios = {"dice": Ratio.DICE, "iou": Ratio.IOU, "precision": Ratio.PRECISION, "recall": Ratio.RECALL}
        found = {name: ratio(counts) for name, ratio in ratios.items()}
        found["volume_error_percent"] = volume_error_percent(counts)
        return found if self.nsd_mm is None else found | self._distances(pred, truth, self.nsd_mm)

    def _distances(self, pred: Selection, truth: Selection, nsd_mm: Sequence[float]) -> dict[str, float]:
        if self.spacing_mm is None:
            return dict.fromkeys(["hd95_mm", *map(nsd_name, nsd_mm)], math.nan)
        distances = surface_distances(pred, truth, self.spacing_mm)
        found = {"hd95_mm": hausdorff_mm(distances, 95)}
        return found | {nsd_name(one): surface_dice(distances, one) for one in nsd_mm}


def boxes_of(parts: Components) -> list[Box]:
    """The bounding box of each component."""
    from scipy import ndimage

    return list(ndimage.find_objects(parts.labels))


def _around(boxes: Sequence[Box], shape: Sequence[int]) -> Box:
    """The smallest box around some, one step wider where the image goes on."""
    return tuple(
        slice(max(min(one.start for one in axis) - 1, 0), min(max(one.stop for one in axis) + 1, length))
        for axis, length in zip(zip(*boxes, strict=True), shape, strict=True)
    )
