"""One case against point truth: of each lesion only centre and size are known, as on JSRT's films.

No pixel is known to be lesion, so there is no overlap, no surface and no calibration: what can be said is which lesions
a mark hit, and which marks hit none.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hilum.core import GeometryError, MeasureError
from hilum.core.evaluation import CaseRow
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.evaluate.candidates import candidate_peaks
from hilum.evaluate.case_lesions import Lesion, LesionResult, Marks, lesion_values, marks_of
from hilum.evaluate.lung_field import LungField, Place
from hilum.metrics.lesions import Assignment, Matches, match_points, reach_of


@dataclass(frozen=True)
class PointLesion:
    """A lesion of which a point is known.

    Attributes:
        centre: (row, column) in the image's pixels.
        size_mm: diameter.
        subtlety: 1 (hardly to be seen) to 5 (obvious); NaN when nobody says.
    """

    centre: tuple[float, float]
    size_mm: float
    subtlety: float = math.nan


@dataclass(frozen=True, eq=False)
class PointTruth:
    """What is known of one image.

    Attributes:
        lesions: none on an image without.
        shape: rows and columns of the image.
        pixel_mm: row and column step.
        lungs: where the lungs lie; None when nobody drew them.
    """

    lesions: Sequence[PointLesion]
    shape: tuple[int, int]
    pixel_mm: tuple[float, float]
    lungs: LungField | None = None


@dataclass(frozen=True)
class PointRule:
    """When a mark hits a lesion: strictly closer to its centre than its radius, or than one tolerance for all.

    Attributes:
        tolerance_mm: takes the place of the radius; None for the radius.
        assignment: what counts when several marks hit.
    """

    tolerance_mm: float | None = None
    assignment: Assignment = Assignment.MANY_TO_ONE

    def __post_init__(self) -> None:
        if self.tolerance_mm is not None and not 0 < self.tolerance_mm < math.inf:
            raise MeasureError(f"a tolerance is a positive number of mm, got {self.tolerance_mm}.")

    def __str__(self) -> str:
        near = "the lesion's radius" if self.tolerance_mm is None else f"{self.tolerance_mm:g} mm"
        return f"a mark's centre closer to the lesion's than {near}, {self.assignment}"


@dataclass(frozen=True, eq=False)
class PointPrediction:
    """What was predicted on one image.

    Attributes:
        marks: those that count as predictions.
        candidates: all, for curves; of a mask, the same.
        is_scored: whether the marks' scores say anything.
        is_constant: whether the prediction is one value everywhere.
    """

    marks: Marks
    candidates: Marks
    is_scored: bool
    is_constant: bool = False


def prediction_of_pixels(pred: Selection, probability: Floats | None, pixel_mm: Sequence[float]) -> PointPrediction:
    """The connected components of a mask as marks at their centroids, and for curves the peaks of its probabilities.

    Args:
        pred: [y, x].
        probability: the same shape, 0 to 1; None for a mask.
        pixel_mm: row and column step.
    """
    marks = marks_of(pred, probability, pixel_mm)
    if probability is None:
        return PointPrediction(marks, marks, is_scored=False, is_constant=bool(pred.min() == pred.max()))
    tops = candidate_peaks(pred, probability, pixel_mm)
    candidates = Marks(tops.places.astype(np.float64), tops.heights, np.full(len(tops.heights), math.nan))
    is_constant = bool(probability.min() == probability.max())
    return PointPrediction(marks, candidates, is_scored=True, is_constant=is_constant)


def judge_points(
    key: str, patient: str, truth: PointTruth, said: PointPrediction, rule: PointRule | None = None
) -> LesionResult:
    """Which lesions of a case were hit.

    Args:
        key: the case.
        patient: whose it is.
        truth: what is known.
        said: what was predicted.
        rule: when a mark hits.

    Raises:
        GeometryError: a mark lies outside the image.
    """
    rule = rule or PointRule()
    if not said.candidates.is_inside(truth.shape).all():
        raise GeometryError(
            f"a mark lies outside the image of {truth.shape[0]} × {truth.shape[1]} pixels.",
            "Places are (row, column) in the image's own pixels, from 0.",
        )
    matches, candidates = (_matched(marks, truth, rule) for marks in (said.marks, said.candidates))
    values = lesion_values(matches)
    alarm = float(values["false_positives"] > 0) if not truth.lesions else math.nan
    return LesionResult(
        row=CaseRow(key, patient, {**values, "marks": float(len(said.marks.scores)), "false_positive_on_empty": alarm}),
        lesions=_lesions(truth, matches),
        false_mm=tuple(said.marks.sizes_mm[matches.is_false].tolist()),
        false_places=tuple(_place(point, truth) for point in said.marks.points[matches.is_false]),
        matches=matches,
        candidates=candidates,
        candidate_scores=said.candidates.scores,
        is_scored=said.is_scored,
        is_constant=said.is_constant,
        lungs=truth.lungs,
    )


def _matched(marks: Marks, truth: PointTruth, rule: PointRule) -> Matches:
    step = np.array(truth.pixel_mm)
    centres = np.array([one.centre for one in truth.lesions], dtype=np.float64).reshape(-1, 2)
    reach = reach_of([one.size_mm for one in truth.lesions], rule.tolerance_mm)
    return match_points(marks.points * step, centres * step, reach, rule.assignment)


def _place(centre: Sequence[float] | Floats, truth: PointTruth) -> Place:
    rows, columns = truth.shape
    return float((centre[0] + 0.5) / rows), float((centre[1] + 0.5) / columns)


def _lesions(truth: PointTruth, matches: Matches) -> tuple[Lesion, ...]:
    return tuple(
        Lesion(
            size_mm=one.size_mm,
            is_found=bool(found),
            covered=math.nan,
            dice=math.nan,
            place=_place(one.centre, truth),
            subtlety=one.subtlety,
        )
        for one, found in zip(truth.lesions, matches.is_found, strict=True)
    )
