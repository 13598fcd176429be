"""One case: a prediction against its truth, every figure and every lesion of it.

What is needed to pool, to draw patients again and to draw curves stays with the case as counts, so that no pixel has to
be looked at twice.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hilum.core import GeometryError, MeasureError
from hilum.core.evaluation import CaseRow
from hilum.core.geometry import Floats
from hilum.core.mask import Labels, Selection
from hilum.evaluate.calibration import CalibrationRule
from hilum.evaluate.case_lesions import (
    CaseLesions,
    Lesion,
    LesionResult,
    Marks,
    TrueNodule,
    case_lesions,
    judge_nodules,
    lesion_values,
    mean_of_known,
    of_all_classes,
)
from hilum.evaluate.lung_field import LungField
from hilum.evaluate.met import NSD_MM, nsd_name
from hilum.evaluate.scores import CaseScores, case_scores
from hilum.metrics.lesions import MatchRule, components, match_marks
from hilum.metrics.overlap import (
    Counts,
    Ratio,
    class_counts,
    confusion,
    volume_error_mm3,
    volume_error_percent,
)
from hilum.metrics.surface import (
    average_surface_distance_mm,
    hausdorff_mm,
    robust_surface_distance_mm,
    surface_dice,
    surface_distances,
)

OVERLAPS: Mapping[str, Ratio] = {
    "dice": Ratio.DICE,
    "iou": Ratio.IOU,
    "precision": Ratio.PRECISION,
    "recall": Ratio.RECALL,
    "specificity": Ratio.SPECIFICITY,
    "npv": Ratio.NPV,
}
"""Figures that are a ratio of pixel counts; precision is PPV, recall is sensitivity."""

SURFACES = ("hd_mm", "hd95_mm", "assd_mm", "robust_distance_mm")
"""Distances between surfaces; the surface Dice has its tolerance in its name (`nsd_name`)."""

FOREGROUND = "foreground_"
"""Before the names of figures that take any class together, where several are declared."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A prediction and its truth, on one grid.

    Attributes:
        key: the case.
        patient: whose it is.
        pred: labels [y, x] or [z, y, x]; 0 is background.
        truth: the same shape.
        spacing_mm: step along each axis; None when the image doesn't know millimetres.
        probability: of foreground, the same shape, 0 to 1; None when the prediction is a mask.
        nodules: what is known of the readers' nodules.
        lungs: where the lungs lie; None when nobody drew them.
        marks: a detector's own, with scores, for free-response figures; None takes the prediction's components.
    """

    key: str
    patient: str
    pred: Labels
    truth: Labels
    spacing_mm: Sequence[float] | None = None
    probability: Floats | None = None
    nodules: Sequence[TrueNodule] = ()
    marks: Marks | None = None
    lungs: LungField | None = None

    def __post_init__(self) -> None:
        shapes = {array.shape for array in (self.pred, self.truth, self.probability) if array is not None}
        if len(shapes) > 1:
            raise GeometryError(
                f"the prediction has shape {self.pred.shape}, the truth {self.truth.shape}.",
                "Resample the prediction, or let --resample do it.",
            )


@dataclass(frozen=True)
class JudgeRule:
    """How a case is judged.

    Attributes:
        labels: the declared classes by number.
        with_surfaces: whether distances between surfaces are wanted; the slowest figures.
        nsd_mm: tolerances of the surface Dice; 2 mm is among them, whatever else is asked for.
        match: when a lesion is found.
        calibration: how probabilities are looked at.
    """

    labels: Mapping[int, str] = field(default_factory=lambda: {1: "nodule"})
    with_surfaces: bool = True
    nsd_mm: tuple[float, ...] = NSD_MM
    match: MatchRule = field(default_factory=MatchRule)
    calibration: CalibrationRule = field(default_factory=CalibrationRule)

    def __post_init__(self) -> None:
        if not all(0 < one < math.inf for one in self.nsd_mm):
            raise MeasureError(f"tolerances of a surface Dice are positive numbers of mm, got {self.nsd_mm}.")
        object.__setattr__(self, "nsd_mm", tuple(sorted({*NSD_MM, *self.nsd_mm})))

    @property
    def lesion_nsd_mm(self) -> tuple[float, ...] | None:
        """Tolerances for single lesions; None where no distances are wanted."""
        return self.nsd_mm if self.with_surfaces else None


@dataclass(frozen=True, eq=False)
class CaseResult(LesionResult):
    """One case, judged pixel by pixel.

    Attributes:
        counts: pixels, foreground against background.
        by_class: pixels of each class.
        nodules: the readers' nodules, where they are known.
        scores: pixels by probability; None for a mask.
        touches_border: whether the truth reaches the image's edge.
    """

    counts: Counts
    by_class: Mapping[int, Counts]
    nodules: tuple[Lesion, ...]
    scores: CaseScores | None
    touches_border: bool


def with_pixels(cases: Iterable[LesionResult]) -> list[CaseResult]:
    """The cases that were judged pixel by pixel; none against point truth."""
    return [case for case in cases if isinstance(case, CaseResult)]


def judge_case(pair: Pair, rule: JudgeRule) -> CaseResult:
    """Every figure of one case.

    With two classes or more a figure is the mean over classes, those that it is undefined for left out; each class has
    its own as `dice_lung`, and what any class against background gives is `foreground_dice`. A lesion is then a
    component of one class, found by a prediction of that class.

    Raises:
        GeometryError: prediction and truth differ in shape.
        InputError: a label was not declared.
    """
    by_class = class_counts(pair.pred, pair.truth, list(rule.labels))
    pred, truth = pair.pred > 0, pair.truth > 0
    counts = confusion(pred, truth)
    found = _lesions(pair, rule)
    scores = _scores(pair, rule)
    values = {
        **_sizes(counts),
        **_figures(pair, by_class, counts, rule),
        **lesion_values(found.matches),
        "lesions_covered_only": float(found.covered_only),
        **({} if scores is None else scores.values),
    }
    return CaseResult(
        row=CaseRow(pair.key, pair.patient, values),
        counts=counts,
        by_class=by_class,
        lesions=found.lesions,
        nodules=judge_nodules(pair.nodules, pred, pair.spacing_mm, rule.lesion_nsd_mm),
        false_mm=found.false_mm,
        false_places=found.false_places,
        matches=found.matches,
        candidates=found.candidates,
        candidate_scores=found.scores,
        is_scored=scores is not None or pair.marks is not None,
        scores=scores,
        touches_border=_touches_border(truth),
        is_constant=_is_constant(pair),
        lungs=pair.lungs,
    )


def _scores(pair: Pair, rule: JudgeRule) -> CaseScores | None:
    if pair.probability is None:
        return None
    return case_scores(pair.probability, pair.truth > 0, pair.pred > 0, pair.spacing_mm, rule.calibration)


def _lesions(pair: Pair, rule: JudgeRule) -> CaseLesions:
    """Components of each class; with one class of whatever is not background."""
    if len(rule.labels) > 1:
        parts = [(pair.pred == label, pair.truth == label) for label in rule.labels]
    else:
        parts = [(pair.pred > 0, pair.truth > 0)]
    found = of_all_classes(
        [
            case_lesions(pred, truth, pair.probability, pair.spacing_mm, rule.match, rule.lesion_nsd_mm)
            for pred, truth in parts
        ]
    )
    if pair.marks is None:
        return found
    lesions = [components(truth) for _, truth in parts]
    return replace(
        found, candidates=match_marks(pair.marks.points, lesions, rule.match.assignment), scores=pair.marks.scores
    )


def _figures(pair: Pair, by_class: Mapping[int, Counts], counts: Counts, rule: JudgeRule) -> dict[str, float]:
    """Overlap, size and surface of one class; of several their mean, theirs, and those of the foreground."""
    foreground = _figures_of(pair, pair.pred > 0, pair.truth > 0, counts, rule)
    if len(by_class) < 2:
        return foreground
    own = {
        rule.labels[label]: _figures_of(pair, pair.pred == label, pair.truth == label, one, rule)
        for label, one in by_class.items()
    }
    sizes = {rule.labels[label]: _sizes(one) for label, one in by_class.items()}
    mean = {name: mean_of_known([one[name] for one in own.values()]) for name in foreground}
    return {
        **mean,
        "false_positive_on_empty": foreground["false_positive_on_empty"],
        "classes_in_truth": float(sum(one.tp + one.fn > 0 for one in by_class.values())),
        **{f"{name}_{label}": value for label, one in own.items() for name, value in (one | sizes[label]).items()},
        **{f"{FOREGROUND}{name}": foreground[name] for name in foreground if name != "false_positive_on_empty"},
    }


def _figures_of(pair: Pair, pred: Selection, truth: Selection, counts: Counts, rule: JudgeRule) -> dict[str, float]:
    return {
        **_overlaps(counts),
        **_volumes(counts, pair),
        **(_surfaces(pred, truth, pair.spacing_mm, rule.nsd_mm) if rule.with_surfaces else {}),
    }


def _sizes(counts: Counts) -> dict[str, float]:
    return {
        "truth_pixels": float(counts.tp + counts.fn),
        "predicted_pixels": float(counts.tp + counts.fp),
        "tp": float(counts.tp),
        "fp": float(counts.fp),
        "fn": float(counts.fn),
        "tn": float(counts.tn),
    }


def _overlaps(counts: Counts) -> dict[str, float]:
    """On an empty truth only what the background has is defined; whether anything was predicted there is a figure."""
    is_empty = counts.tp + counts.fn == 0
    found = {name: ratio(counts) for name, ratio in OVERLAPS.items()}
    if is_empty:
        found |= dict.fromkeys(("dice", "iou", "precision", "recall"), math.nan)
    return {**found, "false_positive_on_empty": float(counts.fp > 0) if is_empty else math.nan}


def _volumes(counts: Counts, pair: Pair) -> dict[str, float]:
    content = math.nan if pair.spacing_mm is None else math.prod(pair.spacing_mm)
    name = "area_error_mm2" if pair.truth.ndim == 2 else "volume_error_mm3"
    return {name: volume_error_mm3(counts, content), "volume_error_percent": volume_error_percent(counts)}


def _surfaces(
    pred: Selection, truth: Selection, spacing_mm: Sequence[float] | None, nsd_mm: Sequence[float]
) -> dict[str, float]:
    """Distances where the truth has a surface; without millimetres, and without a truth, there are none."""
    if spacing_mm is None or not truth.any():
        return dict.fromkeys([*SURFACES, *map(nsd_name, nsd_mm)], math.nan)
    distances = surface_distances(pred, truth, spacing_mm)
    return {
        "hd_mm": hausdorff_mm(distances),
        "hd95_mm": hausdorff_mm(distances, 95),
        "assd_mm": average_surface_distance_mm(distances),
        "robust_distance_mm": robust_surface_distance_mm(distances),
        **{nsd_name(one): surface_dice(distances, one) for one in nsd_mm},
    }


def _touches_border(truth: Selection) -> bool:
    """Whether a pixel lies on the image's edge: what is beyond it was cut off, or the mask is shifted."""
    return any(bool(np.take(truth, (0, -1), axis=axis).any()) for axis in range(truth.ndim))


def _is_constant(pair: Pair) -> bool:
    array = pair.pred if pair.probability is None else pair.probability
    return bool(array.min() == array.max())
