"""Which pixels two masks share, and every figure that is one sum of pixels over another.

All figures are functions of `Counts`, so that a case, a pooled split and a bootstrap resample use one definition.
Undefined is NaN: nothing is added to a denominator to avoid it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from hilum.core import GeometryError, InputError
from hilum.core.geometry import Floats
from hilum.core.mask import Labels, Selection


@dataclass(frozen=True)
class Counts:
    """How many pixels are what; add counts to pool them.

    Attributes:
        tp: in the prediction and in the truth.
        fp: in the prediction only.
        fn: in the truth only.
        tn: in neither.
    """

    tp: int
    fp: int
    fn: int
    tn: int

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    def array(self) -> Floats:
        """[4]: tp, fp, fn, tn, for `Ratio.of_sums`."""
        return np.array(astuple(self), dtype=np.float64)


def pooled(counts: Iterable[Counts]) -> Counts:
    """All pixels of a split taken together."""
    return sum(counts, start=Counts(0, 0, 0, 0))


class Ratio(Enum):
    """The definitions: how often tp, fp, fn, tn are counted above and below the line (Taha and Hanbury 2015, 3.1.2)."""

    DICE = ((2, 0, 0, 0), (2, 1, 1, 0))
    IOU = ((1, 0, 0, 0), (1, 1, 1, 0))
    PRECISION = ((1, 0, 0, 0), (1, 1, 0, 0))
    RECALL = ((1, 0, 0, 0), (1, 0, 1, 0))
    SPECIFICITY = ((0, 0, 0, 1), (0, 1, 0, 1))
    NPV = ((0, 0, 0, 1), (0, 0, 1, 1))

    def of_sums(self, sums: Floats) -> Floats:
        """The figure of many counts at once, as a bootstrap needs it.

        Args:
            sums: [..., 4] tp, fp, fn, tn.

        Returns:
            [...], NaN where there is nothing below the line.
        """
        over, under = (np.asarray(sums @ np.array(part, dtype=np.float64)) for part in self.value)
        return share(over, under)

    def __call__(self, counts: Counts, if_undefined: float = math.nan) -> float:
        """The figure of one case or one pool; `if_undefined` when there is nothing below the line."""
        value = float(self.of_sums(counts.array()))
        return if_undefined if math.isnan(value) else value


def confusion(pred: Selection, truth: Selection) -> Counts:
    """Counts the pixels of two masks of one shape, 2D or 3D.

    Raises:
        GeometryError: the shapes differ.
        InputError: one is not boolean; a probability or a label map has to be made a selection first.
    """
    require_pair(pred, truth)
    tp = int(np.count_nonzero(pred & truth))
    fp = int(np.count_nonzero(pred)) - tp
    fn = int(np.count_nonzero(truth)) - tp
    return Counts(tp, fp, fn, truth.size - tp - fp - fn)


def class_counts(pred: Labels, truth: Labels, labels: Sequence[int]) -> dict[int, Counts]:
    """Counts of each class of two label maps, each class against all others.

    A class that neither map has gives counts whose Dice, IoU, precision and recall are NaN.

    Args:
        pred: unsigned integers of any shape.
        truth: the same shape.
        labels: the declared classes. Background, 0, is counted only when it is among them.

    Raises:
        GeometryError: the shapes differ.
        InputError: a map holds a label that was not declared.
    """
    for name, labelled in (("prediction", pred), ("truth", truth)):
        unknown = undeclared(labelled, labels)
        if unknown:
            raise InputError(
                f"the {name} has labels {unknown}; declared are {sorted(labels)}.",
                "Declare them, or map them to declared ones.",
            )
    return {label: confusion(pred == label, truth == label) for label in labels}


def undeclared(labelled: Labels, labels: Sequence[int]) -> list[int]:
    """The labels in a map that are neither background (0) nor declared, ascending."""
    present: NDArray[np.intp] = np.flatnonzero(np.bincount(labelled.ravel().astype(np.intp)))
    return sorted({int(label) for label in present} - {0, *labels})


def dice(counts: Counts, *, if_both_empty: float = math.nan) -> float:
    """2 tp / (2 tp + fp + fn) (Dice 1945): 1 is equal, 0 is apart."""
    return Ratio.DICE(counts, if_both_empty)


def iou(counts: Counts, *, if_both_empty: float = math.nan) -> float:
    """The share tp / (tp + fp + fn) (Jaccard 1912); Dice / (2 − Dice), so never above Dice."""
    return Ratio.IOU(counts, if_both_empty)


def precision(counts: Counts) -> float:
    """The share tp / (tp + fp), also called positive predictive value; NaN when nothing was predicted."""
    return Ratio.PRECISION(counts)


def recall(counts: Counts) -> float:
    """The share tp / (tp + fn), also called sensitivity; NaN when the truth is empty."""
    return Ratio.RECALL(counts)


def specificity(counts: Counts) -> float:
    """The share tn / (tn + fp); NaN when the truth fills the image. Grows with the image's background."""
    return Ratio.SPECIFICITY(counts)


def negative_predictive_value(counts: Counts) -> float:
    """The share tn / (tn + fn); NaN when the prediction fills the image. Grows with the image's background."""
    return Ratio.NPV(counts)


sensitivity = recall
positive_predictive_value = precision


def volume_error_mm3(counts: Counts, voxel_mm3: float) -> float:
    """Predicted minus true volume in mm³, negative when too small.

    With a pixel's mm² in place of `voxel_mm3` it is the area's error in mm².
    """
    return (counts.fp - counts.fn) * voxel_mm3


def volume_error_percent(counts: Counts) -> float:
    """Predicted minus true volume in per cent of the true one; NaN when the truth is empty."""
    true = counts.tp + counts.fn
    return 100 * (counts.fp - counts.fn) / true if true else math.nan


def require_pair(pred: Selection, truth: Selection) -> None:
    """Two masks that can be compared at all.

    Raises:
        GeometryError: the shapes differ.
        InputError: one is not boolean.
    """
    if pred.shape != truth.shape:
        raise GeometryError(
            f"the prediction has shape {pred.shape}, the truth {truth.shape}.",
            "Resample it first: hilum.ops.resample_to(mask, geometry)",
        )
    for name, mask in (("prediction", pred), ("truth", truth)):
        if mask.dtype != np.bool_:
            raise InputError(
                f"the {name} is {mask.dtype}, a boolean mask was expected.", "Compare with a threshold or a label."
            )


def share(part: Floats, whole: Floats) -> Floats:
    """Part over whole, elementwise; NaN where there is no whole.

    Ratios of pixels, areas under curves, bins of calibration and the means of resamples divide here.
    """
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(part), math.nan), where=whole > 0))
