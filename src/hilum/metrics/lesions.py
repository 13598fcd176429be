"""Lesions found and missed: which predicted component or point belongs to which true one.

Two questions are kept apart. A *criterion* says whether a prediction and a true lesion meet at all; an *assignment*
says what counts when several meet. Published figures differ mostly by these two, so a figure names both.

A lesion's size is its equivalent diameter in mm. On a radiograph without millimetres there is none.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilum.core import GeometryError, MeasureError
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.ops import Connectivity, label_parts

Counts = NDArray[np.intp]


class Criterion(StrEnum):
    """When a predicted and a true component meet."""

    OVERLAP = "any overlap"
    """At least one pixel in common."""
    IOU = "intersection over union"
    """Intersection over union of the two components at least a threshold."""
    PREDICTED_CENTROID = "predicted centroid in truth"
    """The pixel nearest to the prediction's centroid is in the true lesion."""
    TRUE_CENTROID = "true centroid in prediction"
    """The pixel nearest to the true lesion's centroid is in the prediction."""


class Assignment(StrEnum):
    """What counts when predictions and lesions meet more than once."""

    MANY_TO_ONE = "many to one"
    """A lesion is found when any prediction meets it; a prediction is false when it meets none. LUNA16's way."""
    GREEDY = "greedy one to one"
    """Best pair first, each prediction and each lesion once; further predictions on a lesion are false."""
    OPTIMAL = "optimal one to one"
    """As many pairs as possible, and of these the ones with the highest sum of worths."""


@dataclass(frozen=True)
class MatchRule:
    """How predictions are matched with lesions; the default is what `lesion_sensitivity` in a report means.

    Attributes:
        criterion: when two components meet.
        assignment: what counts when several do.
        least_iou: for `Criterion.IOU`, the threshold, above 0 and up to 1.
    """

    criterion: Criterion = Criterion.OVERLAP
    assignment: Assignment = Assignment.MANY_TO_ONE
    least_iou: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.least_iou <= 1:
            raise MeasureError(f"an intersection over union to reach is above 0 and at most 1, got {self.least_iou}.")

    def __str__(self) -> str:
        least = f" ≥ {self.least_iou:g}" if self.criterion is Criterion.IOU else ""
        return f"{self.criterion}{least}, {self.assignment}"


@dataclass(frozen=True, eq=False)
class Components:
    """The connected parts of a mask.

    Attributes:
        labels: [y, x] or [z, y, x]; 0 is background, parts are 1 … count.
        sizes: [count] pixels of each.
        centroids: [count, 2 or 3] mean index of each.
    """

    labels: NDArray[np.int32]
    sizes: Counts
    centroids: Floats

    @property
    def count(self) -> int:
        """How many parts there are."""
        return len(self.sizes)

    def diameters_mm(self, spacing_mm: Sequence[float]) -> Floats:
        """[count] equivalent diameters: of the disc (2D) or ball (3D) of equal area or volume.

        Args:
            spacing_mm: step along each axis of the mask.

        Raises:
            GeometryError: the steps are not one positive number for each axis.
        """
        axes = self.labels.ndim
        if len(spacing_mm) != axes or min(spacing_mm) <= 0:
            raise GeometryError(f"a {axes}D mask has {axes} positive steps, got {tuple(spacing_mm)} mm.")
        content = self.sizes * math.prod(spacing_mm)
        return np.asarray(2 * np.sqrt(content / math.pi) if axes == 2 else np.cbrt(6 * content / math.pi))


@dataclass(frozen=True, eq=False)
class Matches:
    """What became of each prediction and each lesion of one image.

    Attributes:
        found_by: [lesions] the prediction worth most on each lesion (IoU, closeness), counted from 0; −1 where missed.
        is_false: [predictions] whether each is a false positive.
        marks: [predictions, lesions] which predictions count for which lesion: all that meet it under many to one,
            `found_by` alone under one to one.
    """

    found_by: Counts
    is_false: Selection
    marks: Selection

    @property
    def is_found(self) -> Selection:
        """[lesions] whether each was found."""
        return self.found_by >= 0


def components(mask: Selection, connectivity: Connectivity = Connectivity.CORNERS) -> Components:
    """The connected parts of a mask [y, x] or [z, y, x].

    Raises:
        GeometryError: the mask is neither 2D nor 3D.
    """
    return components_of(label_parts(mask, connectivity))


def components_of(labels: NDArray[np.int32]) -> Components:
    """Parts that are numbered already, from 1 without gaps: [y, x] or [z, y, x], 0 is background."""
    parts = int(labels.max(initial=0))
    sizes, sums = np.zeros(parts, dtype=np.intp), np.zeros((parts, 3))
    for z, plane in enumerate(labels if labels.ndim == 3 else labels[None]):  # all indices at once: many times its size
        rows, columns = np.nonzero(plane)
        owner = plane[rows, columns] - 1
        here = np.bincount(owner, minlength=parts)
        sizes += here
        means = [np.bincount(owner, weights=index, minlength=parts) for index in (rows, columns)]
        sums += np.stack([z * here, *means], axis=1)
    return Components(labels, sizes, sums[:, -labels.ndim :] / np.maximum(sizes, 1)[:, None])


def intersections(predicted: Components, truth: Components) -> Counts:
    """[predictions, lesions] pixels that each pair of components has in common.

    Raises:
        GeometryError: the two masks differ in shape.
    """
    if predicted.labels.shape != truth.labels.shape:
        raise GeometryError(
            f"a prediction of shape {predicted.labels.shape} can't be matched with a truth of {truth.labels.shape}.",
            "Resample it first: hilum.ops.resample_to(prediction, truth.geometry)",
        )
    both = (predicted.labels > 0) & (truth.labels > 0)
    pair = (predicted.labels[both] - 1).astype(np.intp) * truth.count + truth.labels[both] - 1
    common = np.bincount(pair, minlength=predicted.count * truth.count)
    return common.reshape(predicted.count, truth.count)


def match_components(predicted: Components, truth: Components, rule: MatchRule | None = None) -> Matches:
    """Match the components of a prediction with those of the truth; the worth of a pair is its IoU.

    Raises:
        GeometryError: the two masks differ in shape.
    """
    rule = rule or MatchRule()
    common = intersections(predicted, truth)
    iou = common / np.maximum(predicted.sizes[:, None] + truth.sizes[None] - common, 1)
    if rule.criterion is Criterion.OVERLAP:
        meets = common > 0
    elif rule.criterion is Criterion.IOU:
        meets = iou >= rule.least_iou
    elif rule.criterion is Criterion.PREDICTED_CENTROID:
        meets = _label_at(truth, predicted.centroids)[:, None] == np.arange(1, truth.count + 1)
    else:
        meets = _label_at(predicted, truth.centroids)[None] == np.arange(1, predicted.count + 1)[:, None]
    return assign(meets, iou, rule.assignment)


def _label_at(target: Components, points: Floats) -> NDArray[np.int32]:
    nearest = np.rint(points).astype(np.intp)
    return np.asarray(target.labels[tuple(nearest.T)])


def assign(meets: Selection, worth: Floats, assignment: Assignment) -> Matches:
    """Which prediction stands for which lesion.

    Args:
        meets: [predictions, lesions] whether each pair meets.
        worth: [predictions, lesions], larger is better, 0 to 1: an IoU, a closeness, a score.
        assignment: what counts when several meet. Of equal worths the first prediction, then the first lesion, wins.
    """
    if assignment is Assignment.MANY_TO_ONE:
        found_by = np.full(meets.shape[1], -1, dtype=np.intp)
        if len(meets):
            best = np.where(meets, worth, -np.inf).argmax(axis=0)
            found_by = np.where(meets.any(axis=0), best, -1)
        return Matches(found_by, np.asarray(~meets.any(axis=1)), meets)
    pairs = _greedy(meets, worth) if assignment is Assignment.GREEDY else _optimal(meets, worth)
    found_by, marks = np.full(meets.shape[1], -1, dtype=np.intp), np.zeros(meets.shape, dtype=bool)
    for prediction, lesion in pairs:
        found_by[lesion], marks[prediction, lesion] = prediction, True
    return Matches(found_by, np.asarray(~marks.any(axis=1)), marks)


def _greedy(meets: Selection, worth: Floats) -> list[tuple[int, int]]:
    candidates = sorted((-worth[p, t], int(p), int(t)) for p, t in np.argwhere(meets))
    taken: list[tuple[int, int]] = []
    for _, prediction, lesion in candidates:
        if all(prediction != p and lesion != t for p, t in taken):
            taken.append((prediction, lesion))
    return taken


def _optimal(meets: Selection, worth: Floats) -> list[tuple[int, int]]:
    from scipy.optimize import linear_sum_assignment

    # One pair more outweighs any sum of worths, each of which is at most 1.
    gain = np.where(meets, worth + min(meets.shape) + 1, 0.0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return [(int(p), int(t)) for p, t in zip(rows, columns, strict=True) if meets[p, t]]


def squared_distances(points_mm: ArrayLike, centres_mm: ArrayLike) -> Floats:
    """[points, centres] squared distances in mm²; points and centres are [n, 2] or [n, 3] in mm."""
    points, centres = np.asarray(points_mm, dtype=np.float64), np.asarray(centres_mm, dtype=np.float64)
    return np.asarray(((points[:, None] - centres[None]) ** 2).sum(axis=2))


def match_points(
    points_mm: ArrayLike, centres_mm: ArrayLike, reach_mm: ArrayLike, assignment: Assignment = Assignment.MANY_TO_ONE
) -> Matches:
    """Match predicted points with lesions of which only centre and size are known, as on JSRT's films.

    A point hits when it is strictly closer than the lesion's reach, as in LUNA16; closer ones are worth more.

    Args:
        points_mm: [predictions, 2 or 3].
        centres_mm: [lesions, 2 or 3], in the same frame.
        reach_mm: [lesions] or one number; `reach_of` gives it.
        assignment: what counts when several points hit.

    Raises:
        MeasureError: a reach is not positive.
    """
    reach = np.asarray(reach_mm, dtype=np.float64)
    if not (reach > 0).all():
        raise MeasureError(f"a reach is a positive number of millimetres, got {np.atleast_1d(reach).tolist()[:5]}.")
    apart = squared_distances(points_mm, centres_mm)
    return assign(apart < reach**2, np.asarray(1 / (1 + apart)), assignment)


def match_marks(
    points: ArrayLike, classes: Sequence[Components], assignment: Assignment = Assignment.MANY_TO_ONE
) -> Matches:
    """Match a detector's marks with the components of true masks: a mark hits the lesion on which its pixel lies.

    Args:
        points: [predictions, 2 or 3] index along each axis of the masks; the nearest pixel counts.
        classes: the lesions of one mask, or of several; a mark may hit lesions of any.
        assignment: what counts when several marks lie on a lesion; those nearer to its centroid are worth more.

    Raises:
        GeometryError: a point lies outside the masks.
    """
    where = np.asarray(points, dtype=np.float64)
    for lesions in classes:
        nearest = np.rint(where)
        if not ((nearest >= 0) & (nearest < lesions.labels.shape)).all():
            raise GeometryError(f"a mark lies outside the mask of shape {lesions.labels.shape}.", "Are its axes right?")
    meets = [_label_at(one, where)[:, None] == np.arange(1, one.count + 1) for one in classes]
    worth = [1 / (1 + squared_distances(where, one.centroids)) for one in classes]
    return assign(np.concatenate(meets, axis=1), np.concatenate(worth, axis=1), assignment)


def reach_of(diameters_mm: ArrayLike, tolerance_mm: float | None = None) -> Floats:
    """[lesions] how far from each centre a point still hits: the radius, or one stated tolerance for all.

    Args:
        diameters_mm: [lesions].
        tolerance_mm: takes the place of the radius; None for the radius.
    """
    diameters = np.asarray(diameters_mm, dtype=np.float64)
    return diameters / 2 if tolerance_mm is None else np.full(diameters.shape, float(tolerance_mm))


@dataclass(frozen=True)
class LesionCounts:
    """Counts over images; they add up.

    Attributes:
        found: lesions that a prediction hit.
        missed: lesions that none hit.
        false: predictions that hit none.
        images: how many images were counted.
    """

    found: int = 0
    missed: int = 0
    false: int = 0
    images: int = 0

    def __add__(self, other: "LesionCounts") -> "LesionCounts":
        """The counts of both."""
        return LesionCounts(
            self.found + other.found,
            self.missed + other.missed,
            self.false + other.false,
            self.images + other.images,
        )

    @property
    def lesion_sensitivity(self) -> float:
        """Found lesions as a share of all; NaN when there is none."""
        lesions = self.found + self.missed
        return self.found / lesions if lesions else math.nan

    @property
    def false_positives_per_image(self) -> float:
        """Mean number of false predictions an image; NaN without images."""
        return self.false / self.images if self.images else math.nan


def count(matches: Matches) -> LesionCounts:
    """One image's counts."""
    found = int(matches.is_found.sum())
    return LesionCounts(found, len(matches.found_by) - found, int(matches.is_false.sum()), 1)


def total(counts: Iterable[LesionCounts]) -> LesionCounts:
    """Counts of several images together."""
    return sum(counts, LesionCounts())


def count_by_size(
    matches: Matches, true_mm: ArrayLike, predicted_mm: ArrayLike, bounds_mm: Sequence[float]
) -> tuple[LesionCounts, ...]:
    """One image's counts apart by size: lesions by their own, false predictions by theirs.

    Args:
        matches: of the image.
        true_mm: [lesions] diameters.
        predicted_mm: [predictions] diameters.
        bounds_mm: ascending; a size at a bound belongs to the band above. n bounds make n + 1 bands.
    """
    true_band = np.digitize(np.asarray(true_mm, dtype=np.float64), bounds_mm)
    false_band = np.digitize(np.asarray(predicted_mm, dtype=np.float64), bounds_mm)
    return tuple(
        LesionCounts(
            int((matches.is_found & (true_band == band)).sum()),
            int((~matches.is_found & (true_band == band)).sum()),
            int((matches.is_false & (false_band == band)).sum()),
            1,
        )
        for band in range(len(bounds_mm) + 1)
    )
