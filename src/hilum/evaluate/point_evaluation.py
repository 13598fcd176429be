"""Cases judged against point truth to an evaluation: what was found, what was not, and how sure the marks were."""

import math
from collections.abc import Callable, Sequence

from hilum.core.evaluation import Alarm, Evaluation, Group
from hilum.core.figures import Figure
from hilum.datasets.jsrt import SUBTLETIES
from hilum.evaluate import alarms
from hilum.evaluate.bootstrap import Resamples
from hilum.evaluate.case_lesions import Lesion, LesionResult
from hilum.evaluate.detection import detection_figures, froc_of_part, froc_points, marks_of_cases
from hilum.evaluate.evaluation import Judged, resamples_of
from hilum.evaluate.lesion_figures import FOUND, band, by_size, found_figures, lesion_figures, mean_of, values_of
from hilum.evaluate.places import by_place, place_rule

UNDEFINED = (
    "dice_mean",
    "dice_pooled",
    "iou_mean",
    "iou_pooled",
    "precision_pooled",
    "recall_pooled",
    "hd95_mm",
    "nsd_2mm",
    "ece",
)
"""Figures that every evaluation has by name and that points can't have: they stay NaN."""


def point_evaluation(cases: Sequence[LesionResult], about: Judged, raised: Sequence[Alarm] = ()) -> Evaluation:
    """All figures of cases judged against points.

    Args:
        cases: in the order in which they are to be listed.
        about: what they are.
        raised: alarms that only the inputs can tell; those that the figures tell are added.
    """
    draw = resamples_of(cases, about.samples, about.seed)
    return Evaluation(
        data=about.data,
        split=about.split,
        split_hash=about.split_hash,
        truth=about.truth,
        threshold=about.threshold,
        figures=point_figures(cases, draw) | {one.name: one for one in detection_figures(cases, draw)},
        by_size=_by_size(cases, draw),
        by_place=by_place(cases, draw, FOUND),
        places=place_rule(cases),
        by_subtlety=_by_subtlety(cases, draw),
        froc=froc_points(cases, draw),
        marks=marks_of_cases(cases),
        cases=tuple(case.row for case in cases),
        alarms=(*raised, *_alarms(cases)),
    )


def point_figures(cases: Sequence[LesionResult], draw: Resamples) -> dict[str, Figure]:
    """Figures at the operating point, by name; overlap, surfaces and calibration are NaN."""
    empty = mean_of("empty_false_positive_rate", values_of(cases, "false_positive_on_empty"), draw)
    known = {figure.name: figure for figure in (*lesion_figures(cases, draw), empty)}
    return known | {name: Figure(name, math.nan) for name in UNDEFINED}


def ranked_point_figures(cases: Sequence[LesionResult], draw: Resamples) -> dict[str, Figure]:
    """Those, and where marks have scores the free-response figures, `froc_0.125` to `froc_8` among them."""
    ranked = (*detection_figures(cases, draw), *froc_points(cases, draw).values())
    return point_figures(cases, draw) | {figure.name: figure for figure in ranked}


def _by_size(cases: Sequence[LesionResult], draw: Resamples) -> tuple[Group, ...]:
    """Lesions by their stated size, with their part of the free-response curve."""
    return tuple(
        Group(group.name, {**group.figures, **_ranked(cases, draw, _is_of(group.name))})
        for group in by_size(cases, draw, FOUND)
    )


def _by_subtlety(cases: Sequence[LesionResult], draw: Resamples) -> tuple[Group, ...]:
    """Lesions from hardly visible to obvious, with their part of the free-response curve."""
    levels = sorted({one.subtlety for case in cases for one in case.lesions if not math.isnan(one.subtlety)})
    return tuple(_of_subtlety(cases, draw, level) for level in levels)


def _of_subtlety(cases: Sequence[LesionResult], draw: Resamples, level: float) -> Group:
    chosen = [[one for one in case.lesions if one.subtlety == level] for case in cases]
    known = {figure.name: figure for figure in found_figures(chosen, draw, FOUND)}
    return Group(subtlety_name(level), known | _ranked(cases, draw, lambda one: one.subtlety == level))


def subtlety_name(level: float) -> str:
    """What a group of lesions of this subtlety is called; "" for none."""
    if math.isnan(level):
        return ""
    words = SUBTLETIES.get(int(level), "")
    return f"subtlety {level:g}{f', {words}' if words else ''}"


def _is_of(name: str) -> Callable[[Lesion], bool]:
    return lambda one: band(one) == name


def _ranked(cases: Sequence[LesionResult], draw: Resamples, is_in: Callable[[Lesion], bool]) -> dict[str, Figure]:
    return {figure.name: figure for figure in froc_of_part(cases, draw, is_in).values()}


def _alarms(cases: Sequence[LesionResult]) -> tuple[Alarm, ...]:
    with_lesion = [case for case in cases if case.lesions]
    constant = [case.row.key for case in with_lesion if case.is_constant]
    return (
        *alarms.constant_predictions(constant, len(with_lesion)),
        *alarms.few_patients(len({case.row.patient for case in cases})),
    )
