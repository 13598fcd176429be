"""Pictures of what was found: the free-response curve, and cases of which only points are known."""

from collections.abc import Callable, Sequence

import numpy as np

from hilum.core.evaluation import Evaluation, Group
from hilum.core.geometry import Floats
from hilum.datasets.prepared import CaseSource
from hilum.evaluate.case_lesions import Lesion, LesionResult, Marks
from hilum.evaluate.curves import point_examples
from hilum.evaluate.detection import froc_of_part, froc_points
from hilum.evaluate.evaluation import resamples_of
from hilum.evaluate.framing import frame_of
from hilum.evaluate.lesion_figures import band
from hilum.evaluate.point_evaluation import subtlety_name
from hilum.io import read_radiograph
from hilum.metrics.froc import RATES
from hilum.report.examples import Example, example_picture
from hilum.report.froc import FrocPicture, froc_parts_picture, froc_picture
from hilum.report.page import Picture
from hilum.workflows.evaluate_case import CaseJob
from hilum.workflows.evaluate_data import TruthSource
from hilum.workflows.evaluate_points import discs, point_truth, predicted_points
from hilum.workflows.track import Track

_MARKS_SHOWN = 40
_CURVE = np.geomspace(min(RATES), max(RATES), 49).tolist()


def free_response_picture(
    found: Evaluation, results: Sequence[LesionResult], bootstrap: tuple[int, int]
) -> Picture | None:
    """The curve with its band; None where marks have no scores.

    Args:
        found: the evaluation.
        results: its cases.
        bootstrap: draws of patients and their seed.
    """
    if not found.froc:
        return None
    curve = list(froc_points(results, resamples_of(results, *bootstrap), _CURVE).values())
    low, high = (np.array([getattr(one, end) for one in curve]) for end in ("low", "high"))
    has_band = bool(np.isfinite(low).all())
    unit = "scan" if found.is_of_volumes else "image"
    shown = FrocPicture(
        np.array(_CURVE),
        np.array([one.value for one in curve]),
        low if has_band else None,
        high if has_band else None,
        {float(rate): one.value for rate, one in found.froc.items()},
        f"{curve[0].n} lesions on {found.n_cases} {unit}s",
        "all lesions",
        "a scan" if found.is_of_volumes else "an image",
    )
    return Picture(froc_picture(shown), "Free-response curve (FROC) with its 95 % interval at each place.")


def free_response_parts_picture(found: Evaluation, results: Sequence[LesionResult]) -> Picture | None:
    """The curves of lesions apart by subtlety and by size; None where there are no points or no scores."""
    if not (found.froc and found.is_of_points):
        return None
    once = resamples_of(results, 0, 0)
    ways: dict[str, tuple[Sequence[Group], Callable[[Lesion], str]]] = {
        "by subtlety": (found.by_subtlety, lambda one: subtlety_name(one.subtlety)),
        "by size": (found.by_size, band),
    }
    panels: dict[str, dict[str, Floats]] = {}
    for title, (groups, way) in ways.items():
        curves = {group.name: froc_of_part(results, once, _named(way, group.name), _CURVE) for group in groups}
        drawn = {
            f"{name}: {next(iter(one.values())).n} lesions": np.array([point.value for point in one.values()])
            for name, one in curves.items()
            if one
        }
        panels |= {title: drawn} if drawn else {}
    if not panels:
        return None
    return Picture(
        froc_parts_picture(np.array(_CURVE), panels, RATES),
        "Free-response curves of parts of the lesions, at false marks of all images.",
    )


def _named(way: Callable[[Lesion], str], name: str) -> Callable[[Lesion], bool]:
    return lambda one: way(one) == name


def point_example_pictures(
    results: Sequence[LesionResult], source: TruthSource, job: CaseJob, track: Track
) -> dict[str, Picture]:
    """Telling cases, by name."""
    by_key = {case.key: case for case in source.cases}
    chosen = [
        (kind, number, one) for kind, some in point_examples(results).items() for number, one in enumerate(some, 1)
    ]
    pictures = {}
    for kind, number, one in track(chosen, "drawing"):
        shown = _example(by_key[one.row.key], one, kind, job)
        words = "Blue: the stated size around the stated centre; yellow: marks; right: the part in the frame."
        pictures[f"case-{kind.split()[0].strip(',')}-{number}"] = Picture(
            example_picture(shown), f"{shown.title}. {words}"
        )
    return pictures


def _example(case: CaseSource, judged: LesionResult, kind: str, job: CaseJob) -> Example:
    truth = point_truth(case)
    said, _, _ = predicted_points(case, truth, job)
    image = None if case.image is None else read_radiograph(case.image).array
    true, nothing, marks = discs(truth), np.zeros(truth.shape, dtype=bool), _surest(said.marks)
    title = f"{kind}: {case.key}{_about(judged)}"
    return Example(title, image, true, nothing, frame_of(true, nothing, marks), marks)


def _about(judged: LesionResult) -> str:
    sizes = [f"{one.size_mm:g} mm, subtlety {one.subtlety:g}" for one in judged.lesions]
    false = int(judged.matches.is_false.sum())
    return "".join(f", {one}" for one in sizes) + f", {false} false mark{'s' if false != 1 else ''}"


def _surest(marks: Marks) -> list[tuple[float, float, float]]:
    order = np.argsort(-marks.scores, kind="stable")[:_MARKS_SHOWN]
    return [
        (float(row), float(column), float(marks.scores[n]))
        for n, (row, column) in zip(order, marks.points[order], strict=True)
    ]
