"""The lesions of one case: connected components of its truth, and the nodules that readers outlined."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hilum.core import MeasureError
from hilum.core.evaluation import CaseRow
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.evaluate.candidates import candidate_peaks, covered_only
from hilum.evaluate.lung_field import LungField, Place
from hilum.evaluate.met import NSD_MM, Predicted, boxes_of
from hilum.metrics.lesions import Components, Matches, MatchRule, components, match_components, match_marks


@dataclass(frozen=True, eq=False)
class TrueNodule:
    """A nodule that readers outlined, on the case's pixels.

    Attributes:
        id: within its case.
        silhouette: [y, x] or [z, y, x].
        readers: how many outlined it.
        size_mm: equivalent diameter; NaN when nobody knows.
        visibility: 0 to 1; NaN when nobody knows.
        drawn: each reader's own mask, of the silhouette's shape; empty when only the consensus is known.
    """

    id: str
    silhouette: Selection
    readers: int
    size_mm: float = math.nan
    visibility: float = math.nan
    drawn: Sequence[Selection] = ()


@dataclass(frozen=True)
class Lesion:
    """What became of one lesion, or one nodule.

    Attributes:
        size_mm: equivalent diameter; NaN without millimetres.
        is_found: whether the prediction hit it.
        covered: share of its pixels that were predicted.
        dice: with all predicted components that meet it; 0 when none does.
        place: centre as shares of the image's height and width, (row, column).
        readers: of a nodule; 0 for a component of the truth.
        visibility: of a nodule; NaN when nobody knows.
        reader_dice: of a nodule, the mean Dice with each single reader's mask; NaN without these masks.
        subtlety: of point truth, 1 (hardly to be seen) to 5 (obvious); NaN when nobody says.
        met: every figure of it with what meets it (`Predicted.met_by`); empty of a point.
        by_reader: of a nodule, the same with each single reader's mask as the truth; empty without these masks.
    """

    size_mm: float
    is_found: bool
    covered: float
    dice: float
    place: Place
    readers: int = 0
    visibility: float = math.nan
    reader_dice: float = math.nan
    subtlety: float = math.nan
    met: Mapping[str, float] = field(default_factory=dict)  # plain dicts: lesions travel between processes
    by_reader: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Marks:
    """Points that a detector set on one image, each with how sure it is.

    Attributes:
        points: [n, 2 or 3] index along each axis of the image, fractions of a pixel allowed.
        scores: [n] larger is surer.
        sizes_mm: [n] diameters; NaN where the detector doesn't say.

    Raises:
        MeasureError: the numbers differ, or one of places and scores is not finite.
    """

    points: Floats
    scores: Floats
    sizes_mm: Floats

    def __post_init__(self) -> None:
        if self.points.ndim != 2 or not len(self.points) == len(self.scores) == len(self.sizes_mm):
            raise MeasureError("every mark has a place, a score and a size; the numbers differ.")
        if not (np.isfinite(self.points).all() and np.isfinite(self.scores).all()):
            raise MeasureError("places and scores of marks are finite numbers; some are not.")

    def is_inside(self, shape: Sequence[int]) -> Selection:
        """[n] whether each mark's pixel lies on an image of this shape."""
        nearest = np.rint(self.points)
        return np.asarray(((nearest >= 0) & (nearest < np.array(shape))).all(axis=1))

    def at_least(self, score: float) -> "Marks":
        """The marks with at least this score."""
        kept = self.scores >= score
        return Marks(self.points[kept], self.scores[kept], self.sizes_mm[kept])


@dataclass(frozen=True, eq=False)
class LesionResult:
    """One case, judged by what was found and what was not: all that needs no pixel of the truth.

    Attributes:
        row: its figures.
        lesions: connected components of the truth (of several classes, those of each), or points.
        false_mm: sizes of the false predictions; NaN where unknown.
        false_places: their centres, as those of lesions.
        matches: predictions with lesions.
        candidates: for curves: peaks of the probability map, or a detector's marks, with lesions; of a mask, `matches`.
        candidate_scores: one for each candidate: the peak's probability, the mark's own, or 1.
        is_scored: whether these scores say anything: False for a mask.
        is_constant: whether the prediction is one value everywhere.
        lungs: where the lungs lie; None when nobody drew them.
    """

    row: CaseRow
    lesions: tuple[Lesion, ...]
    false_mm: tuple[float, ...]
    false_places: tuple[Place, ...]
    matches: Matches
    candidates: Matches
    candidate_scores: Floats
    is_scored: bool
    is_constant: bool
    lungs: LungField | None

    @property
    def found(self) -> int:
        """How many lesions were found."""
        return int(self.matches.is_found.sum())


@dataclass(frozen=True, eq=False)
class CaseLesions:
    """The lesions of one class, or of all classes.

    Attributes:
        matches: predicted with true components.
        candidates: peaks of the probability map, with true components; of a mask, `matches`.
        scores: one for each candidate: the peak's probability, or 1.
        lesions: true components.
        false_mm: sizes of the false predictions; NaN without millimetres.
        false_places: their centres.
        covered_only: how many lesions were found by a component alone that covers much more, or several at once.
    """

    matches: Matches
    candidates: Matches
    scores: Floats
    lesions: tuple[Lesion, ...]
    false_mm: tuple[float, ...]
    false_places: tuple[Place, ...]
    covered_only: int


def case_lesions(
    pred: Selection,
    truth: Selection,
    probability: Floats | None,
    spacing_mm: Sequence[float] | None,
    match: MatchRule,
    nsd_mm: Sequence[float] | None = NSD_MM,
) -> CaseLesions:
    """What became of every connected component of a true mask.

    Args:
        pred: [y, x] or [z, y, x].
        truth: the same shape.
        probability: the same shape, 0 to 1; None for a mask.
        spacing_mm: step along each axis; None when nobody knows.
        match: when a lesion is found.
        nsd_mm: tolerances of the surface Dice; None leaves distances between surfaces out.
    """
    predicted, true = components(pred), components(truth)
    matches = candidates = match_components(predicted, true, match)
    scores = np.ones(predicted.count)
    if probability is not None:
        marks = candidate_peaks(pred, probability, spacing_mm)
        candidates, scores = match_marks(marks.places, [true], match.assignment), marks.heights
    return CaseLesions(
        matches,
        candidates,
        scores,
        _lesions(Predicted(predicted, spacing_mm, nsd_mm), true, matches),
        tuple(_diameters(predicted, spacing_mm)[matches.is_false].tolist()),
        _places(predicted, matches.is_false),
        covered_only(predicted, true, matches),
    )


def of_all_classes(parts: Sequence[CaseLesions]) -> CaseLesions:
    """The lesions and predictions of several classes in one list each."""
    return CaseLesions(
        _joined([part.matches for part in parts]),
        _joined([part.candidates for part in parts]),
        np.concatenate([part.scores for part in parts]),
        tuple(lesion for part in parts for lesion in part.lesions),
        tuple(size for part in parts for size in part.false_mm),
        tuple(place for part in parts for place in part.false_places),
        sum(part.covered_only for part in parts),
    )


def _joined(parts: Sequence[Matches]) -> Matches:
    shapes = np.array([part.marks.shape for part in parts])
    marks = np.zeros(shapes.sum(axis=0), dtype=bool)
    starts = shapes.cumsum(axis=0) - shapes
    for part, (row, column), (rows, columns) in zip(parts, starts, shapes, strict=True):
        marks[row : row + rows, column : column + columns] = part.marks
    found_by = [np.where(part.is_found, part.found_by + row, -1) for part, (row, _) in zip(parts, starts, strict=True)]
    return Matches(np.concatenate(found_by), np.concatenate([part.is_false for part in parts]), marks)


def lesion_values(matches: Matches) -> dict[str, float]:
    """A case's lesions in numbers: all, found, the share, and false predictions."""
    lesions, found = len(matches.found_by), int(matches.is_found.sum())
    return {
        "lesions": float(lesions),
        "lesions_found": float(found),
        "lesion_sensitivity": found / lesions if lesions else math.nan,
        "false_positives": float(matches.is_false.sum()),
    }


def mean_of_known(values: Sequence[float]) -> float:
    """The mean of the values that are not NaN; NaN when there is none."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _diameters(parts: Components, spacing_mm: Sequence[float] | None) -> Floats:
    return np.full(parts.count, math.nan) if spacing_mm is None else parts.diameters_mm(spacing_mm)


def _places(parts: Components, chosen: Selection) -> tuple[Place, ...]:
    """Centres of some components; in 3D those in the axial slices."""
    shares = (parts.centroids[chosen] + 0.5)[:, -2:] / np.array(parts.labels.shape)[-2:]
    return tuple((float(row), float(column)) for row, column in shares)


def _lesions(predicted: Predicted, true: Components, matches: Matches) -> tuple[Lesion, ...]:
    sizes = _diameters(true, predicted.spacing_mm)
    places = _places(true, np.ones(true.count, dtype=np.bool_))
    met = [predicted.met_by(true.labels[box] == n, box) for n, box in enumerate(boxes_of(true), 1)]
    return tuple(
        Lesion(float(size), bool(found), one["recall"], one["dice"], place, met=one)
        for size, found, one, place in zip(sizes, matches.is_found, met, places, strict=True)
    )


def marks_of(pred: Selection, probability: Floats | None, spacing_mm: Sequence[float] | None) -> Marks:
    """The connected components of a prediction as marks: centroid, highest probability (1 of a mask), diameter.

    Args:
        pred: [y, x] or [z, y, x].
        probability: the same shape; None for a mask.
        spacing_mm: step along each axis; None when nobody knows.
    """
    parts = components(pred)
    return Marks(parts.centroids, _candidate_scores(parts, probability), _diameters(parts, spacing_mm))


def judge_nodules(
    nodules: Sequence[TrueNodule],
    pred: Selection,
    spacing_mm: Sequence[float] | None = None,
    nsd_mm: Sequence[float] | None = NSD_MM,
) -> tuple[Lesion, ...]:
    """What became of the readers' nodules that have a silhouette.

    Args:
        nodules: of the case.
        pred: of the silhouettes' shape.
        spacing_mm: step along each axis; None when nobody knows.
        nsd_mm: tolerances of the surface Dice; None leaves distances between surfaces out.
    """
    seen = [one for one in nodules if one.silhouette.any()]
    predicted = Predicted(components(pred), spacing_mm, nsd_mm) if seen else None
    return () if predicted is None else tuple(_nodule(one, predicted) for one in seen)


def _nodule(nodule: TrueNodule, predicted: Predicted) -> Lesion:
    """A nodule is found when any pixel of its silhouette was predicted: the rule of lesions, asked of one nodule."""
    here = np.argwhere(nodule.silhouette)
    row, column = (here.mean(axis=0) + 0.5)[-2:] / np.array(nodule.silhouette.shape)[-2:]
    met = predicted.met_by(nodule.silhouette)
    by_reader = tuple(predicted.met_by(mask) if mask.any() else {} for mask in nodule.drawn)
    return Lesion(
        nodule.size_mm,
        met["recall"] > 0,
        met["recall"],
        met["dice"],
        (float(row), float(column)),
        nodule.readers,
        nodule.visibility,
        mean_of_known([one["dice"] for one in by_reader if one]),
        met=met,
        by_reader=by_reader,
    )


def _candidate_scores(predicted: Components, probability: Floats | None) -> Floats:
    if probability is None or not predicted.count:
        return np.ones(predicted.count)
    from scipy import ndimage

    return np.asarray(ndimage.maximum(probability, predicted.labels, np.arange(1, predicted.count + 1)), dtype=float)
