"""Labels of films judged alone, as a page."""

from collections.abc import Sequence
from dataclasses import dataclass

from hilum.core import Failure
from hilum.core.evaluation import Evaluation
from hilum.report.evaluation import alarm_sections, cases_words, failure_words, training_section
from hilum.report.figures import counted, with_interval
from hilum.report.films import label_picture, label_tables
from hilum.report.page import Page, Section

_CHECKED = (
    "films that could not be judged; patients in more than one split, or reported although they are in training; the "
    "same image under several keys; few patients"
)


@dataclass(frozen=True, eq=False)
class LabelReport:
    """What the page says beyond the evaluation itself.

    Attributes:
        title: what was judged.
        training: name and value of what is known of the training; empty when nothing is.
        failures: films that could not be judged.
        notes: what else a reader should know.
        provenance: name and value of what made it.
    """

    title: str
    training: Sequence[tuple[str, str]] = ()
    failures: Sequence[Failure] = ()
    notes: Sequence[str] = ()
    provenance: Sequence[tuple[str, str]] = ()


def label_page(found: Evaluation, report: LabelReport) -> Page:
    """The page.

    Args:
        found: of labels alone.
        report: see there.
    """
    patients = counted(len({row.patient for row in found.cases}), "patient")
    lead = (
        f"{cases_words(found)} of {patients}, {found.data}, split “{found.split}”. Films' labels alone: nothing is "
        "marked on them."
    )
    sections = [
        _summary(found),
        *alarm_sections(found.alarms, _CHECKED),
        training_section(report.training),
        Section("Technical details", [*report.notes, *failure_words(report.failures)]),
    ]
    return Page(report.title, lead, sections, report.provenance)


def _summary(found: Evaluation) -> Section:
    accuracy, unsure = (found.figures[name] for name in ("label_accuracy", "label_unsure"))
    said = (
        f"Right: {with_interval(accuracy)} of the {accuracy.n} labels given; without an answer: "
        f"{with_interval(unsure)} of {counted(unsure.n, 'film')}.",
        "Sensitivity and specificity are of the answers given; areas under the curve, and the calibration error, are "
        "of all films. The calibration error says how far the likeliest label's probability is from how often it is "
        "right; of few films it is too high, since chance alone keeps the two apart.",
    )
    films = found.films
    if films is None:
        return Section("Labels", said)
    return Section("Labels", said, [label_picture(films)], label_tables(films))
