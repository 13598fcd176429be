"""The free-response part of an evaluation's page: the curve, and its points as a table."""

from hilum.core.evaluation import Evaluation
from hilum.report.figures import with_interval
from hilum.report.froc import fraction
from hilum.report.page import Picture, Section, Table


def free_response_section(found: Evaluation, curve: Picture | None, words: str) -> Section | None:
    """Lesions found at every number of false positives an image; None where marks have no scores.

    Args:
        found: the evaluation.
        curve: its picture.
        words: what a mark is, and when it hits.
    """
    if curve is None or not found.froc:
        return None
    said = f"What other thresholds on the marks would give, on this split. {words}"
    return Section("Free response: lesions found against false marks", [said], [curve], [_points(found)])


def _points(found: Evaluation) -> Table:
    rows = [[fraction(float(rate)), with_interval(figure)] for rate, figure in found.froc.items()]
    lesions = next(iter(found.froc.values())).n
    caption = (
        f"Sensitivity over {lesions} lesions at mean numbers of false marks an image, on the straight line between the "
        "curve's points and level beyond its last (LUNA16's reading). Intervals: bootstrap over patients."
    )
    return Table(("false marks an image", "lesions found (95 % interval)"), rows, caption)
