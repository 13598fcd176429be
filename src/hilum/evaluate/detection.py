"""Free-response figures of scored marks: a detector's own, or components of a probability map with their highest one.

Components are taken from a low floor, whatever the threshold of the masks, so that these figures don't hang on it.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hilum.core.evaluation import CaseMarks
from hilum.core.figures import Figure
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.evaluate.bootstrap import Resamples, sampled_figure
from hilum.evaluate.case_lesions import Lesion, LesionResult
from hilum.metrics.froc import (
    RATES,
    Detections,
    FalseFrom,
    precision_area,
    sensitivity_at,
    wafroc_of_weights,
    weighted_curves,
)
from hilum.metrics.lesions import Matches


def detections(cases: Sequence[LesionResult]) -> Detections:
    """The marks of all cases, matched with the truth's components."""
    return Detections.of([(case.candidates, case.candidate_scores) for case in cases])


def has_marks(cases: Sequence[LesionResult]) -> bool:
    """Whether free-response figures mean something: every case's marks have scores, and some have a lesion."""
    return all(case.is_scored for case in cases) and any(case.lesions for case in cases)


def marks_of_cases(cases: Sequence[LesionResult]) -> dict[str, CaseMarks]:
    """What these figures are made of, by case, so that models can be compared by them; empty without scores."""
    if not has_marks(cases):
        return {}
    kept = {}
    for case in cases:
        found = Detections.of([(case.candidates, case.candidate_scores)])
        hits, false = found.score[found.is_hit], found.score[~found.is_hit]
        if found.lesions[0] or len(false):
            missed = int(found.lesions[0]) - len(hits)
            kept[case.row.key] = CaseMarks(tuple(hits.tolist()), missed, tuple(false.tolist()))
    return kept


def froc_points(cases: Sequence[LesionResult], draw: Resamples, rates: Sequence[float] = RATES) -> Mapping[str, Figure]:
    """Sensitivities at mean numbers of false positives an image, by that number; empty without scores.

    Args:
        cases: judged.
        draw: of patients.
        rates: LUNA16's, or as many as a curve with its band needs.
    """
    cases, draw = _scored(cases, draw)
    if not has_marks(cases):
        return {}
    return _at_rates(detections(cases), cases, draw, rates)


def froc_of_part(
    cases: Sequence[LesionResult],
    draw: Resamples,
    is_in: Callable[[Lesion], bool],
    rates: Sequence[float] = RATES,
) -> Mapping[str, Figure]:
    """The same over some lesions alone: false marks are those of all images, and a mark on another lesion is neither.

    So the curves of all parts have one scale, and their mean, weighted by lesions, is the curve of all.

    Args:
        cases: judged; their lesions stand in the order in which candidates were matched, as against points.
        draw: of patients.
        is_in: which lesions.
        rates: as in `froc_points`.
    """
    cases, draw = _scored(cases, draw)
    if not has_marks(cases):
        return {}
    chosen = [np.array([is_in(one) for one in case.lesions], dtype=bool) for case in cases]
    parts = [
        (Matches(one.candidates.found_by[some], one.candidates.is_false, one.candidates.marks[:, some]), scores)
        for one, some, scores in zip(cases, chosen, (case.candidate_scores for case in cases), strict=True)
    ]
    return _at_rates(Detections.of(parts), cases, draw, rates) if any(some.any() for some in chosen) else {}


def _at_rates(
    found: Detections, cases: Sequence[LesionResult], draw: Resamples, rates: Sequence[float]
) -> dict[str, Figure]:
    value = sensitivity_at(next(weighted_curves(found, _once(cases))), rates)
    samples = np.array([sensitivity_at(curve, rates) for curve in weighted_curves(found, draw.weights)])
    samples = samples.reshape(-1, len(rates))  # without draws, too
    return {
        f"{rate:g}": sampled_figure(
            f"froc_{rate:g}",
            float(value[k]),
            samples[:, k],
            draw,
            found.lesions > 0,
            int(found.lesions.sum()),
            is_share=True,
        )
        for k, rate in enumerate(rates)
    }


def detection_figures(cases: Sequence[LesionResult], draw: Resamples) -> list[Figure]:
    """Average precision over lesions, and wAFROC, or wAFROC1 when every case has a lesion; none without scores."""
    cases, draw = _scored(cases, draw)
    if not has_marks(cases):
        return []
    found = detections(cases)
    has_lesion = found.lesions > 0
    areas = [
        np.array([_area(found, weight) for weight in weights], dtype=np.float64)
        for weights in (_once(cases), draw.weights)
    ]
    false_from, name = (FalseFrom.ALL, "wafroc1") if has_lesion.all() else (FalseFrom.NORMAL, "wafroc")
    merits = [wafroc_of_weights(found, weights, false_from) for weights in (_once(cases), draw.weights)]
    everyone: Selection = np.ones(len(cases), dtype=bool)
    return [
        sampled_figure(
            "lesion_average_precision",
            float(areas[0][0]),
            areas[1],
            draw,
            has_lesion,
            int(found.lesions.sum()),
            is_share=True,
        ),
        sampled_figure(name, float(merits[0][0]), merits[1], draw, everyone, len(cases), is_share=True),
    ]


def _scored(cases: Sequence[LesionResult], draw: Resamples) -> tuple[list[LesionResult], Resamples]:
    """The cases whose marks have scores: a mask among probability maps is in none of these figures."""
    has_scores = np.array([case.is_scored for case in cases], dtype=bool)
    return [case for case in cases if case.is_scored], draw.of(has_scores)


def _once(cases: Sequence[LesionResult]) -> Floats:
    """Every case one time."""
    return np.ones((1, len(cases)))


def _area(found: Detections, weight: Floats) -> float:
    lesions = float(weight @ found.lesions)
    if not lesions:
        return math.nan
    return precision_area(next(weighted_curves(found, weight[None])), lesions, float(weight.sum()))
