"""The free-response part of an evaluation's page: the curve, and its points as a table."""

from hilum.core.evaluation import Evaluation
from hilum.report.evaluation_tables import FROC
from hilum.report.figures import with_interval
from hilum.report.froc import fraction
from hilum.report.page import Picture, Section, Table


def free_response_section(
    found: Evaluation, curve: Picture | None, words: str, parts: Picture | None = None
) -> Section | None:
    """Lesions found at every number of false positives an image; None where marks have no scores.

    Args:
        found: the evaluation.
        curve: its picture.
        words: what a mark is, and when it hits.
        parts: picture of the curves of parts of the lesions; None where they are not apart.
    """
    if curve is None or not found.froc:
        return None
    pictures = [curve, *([parts] if parts else [])]
    said = f"What other thresholds on the marks would give, on this split. {words}"
    return Section(
        "Free response: lesions found against false marks", [said], pictures, [_points(found), *_parts(found)]
    )


def _points(found: Evaluation) -> Table:
    rows = [[fraction(float(rate)), with_interval(figure)] for rate, figure in found.froc.items()]
    lesions = next(iter(found.froc.values())).n
    caption = (
        f"Sensitivity over {lesions} lesions at mean numbers of false marks an image, on the straight line between the "
        "curve's points and level beyond its last (LUNA16's reading). Intervals: bootstrap over patients."
    )
    return Table(("false marks an image", "lesions found (95 % interval)"), rows, caption)


def _parts(found: Evaluation) -> list[Table]:
    """The same apart by subtlety and by size."""
    tables = []
    for groups, words in ((found.by_subtlety, "subtlety"), (found.by_size, "size")):
        ranked = [group for group in groups if any(name.startswith(FROC) for name in group.figures)]
        if not ranked:
            continue
        rows = [
            [group.name, str(group.figures[f"{FROC}1"].n)]
            + [with_interval(group.figures[f"{FROC}{rate}"]) for rate in found.froc]
            for group in ranked
        ]
        caption = f"By {words}, at numbers of false marks of all images; a mark on another lesion is neither."
        tables.append(Table(("", "n", *(fraction(float(rate)) for rate in found.froc)), rows, caption, is_narrow=True))
    return tables
