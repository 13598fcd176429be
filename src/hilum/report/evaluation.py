"""An evaluation as a page: summary, training, evaluation, recommendations, technical details."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hilum.core import Failure
from hilum.core.evaluation import Alarm, Evaluation, Group, Threshold
from hilum.core.figures import Figure
from hilum.report.evaluation_tables import evaluation_tables, is_meaningless
from hilum.report.figures import WORDS, count, counted, with_interval
from hilum.report.films import class_summary, film_words
from hilum.report.page import Page, Picture, Section, Table
from hilum.report.scans import in_scans
from hilum.report.yardstick import yardstick_words

BANDS = ((0.8, "excellent"), (0.6, "good"), (0.4, "fair"), (-math.inf, "poor"))
"""The sources' words for a Dice. A label beside the figure: .35 can be more than two readers agree on."""

_HEADLINE = (
    "dice_mean",
    "dice_pooled",
    "iou_mean",
    "iou_pooled",
    "precision_pooled",
    "recall_pooled",
    "lesion_sensitivity",
    "false_positives_per_image",
    "empty_false_positive_rate",
)
_FAILURES_SHOWN = 10

CHECKED = (
    "cases that could not be judged; patients in more than one split, or reported although they are in training; a "
    "threshold chosen on reported patients; the same image, truth or prediction under several keys; IoU above Dice; "
    "classes without a pixel in the truth; truth that touches the image's edge; predictions of one value everywhere"
)
"""What alarms are about, for a page on which none rang."""

_RIVAL_FIGURES: Mapping[str, str] = {
    "dice_mean": "Dice, mean",
    "dice_pooled": "Dice, pooled",
    "lesion_sensitivity": "lesions found",
    "false_positives_per_image": "false positives",
}


_RANKED = ("lesion_average_precision", "wafroc", "wafroc1")
"""Where a rival's marks have scores."""


@dataclass(frozen=True, eq=False)
class EvaluationReport:
    """What the page says beyond the evaluation itself.

    Attributes:
        title: what was judged.
        training: name and value of what is known of the training; empty when nothing is.
        recommendations: sentences.
        curves: pictures of the whole split.
        free_response: curve and points of scored marks; None where marks have no scores.
        films: chest X-rays by classes beyond each class's overlap; None of others.
        changes: figures by what became of lesions since an earlier picture; None where nobody says.
        changed: pictures of such lesions, of each kind of change.
        hit_words: when a lesion is found.
        examples: pictures of single cases.
        failures: cases that could not be judged.
        notes: what else a reader should know.
        provenance: name and value of what made it.
    """

    title: str
    training: Sequence[tuple[str, str]] = ()
    recommendations: Sequence[str] = ()
    curves: Sequence[Picture] = ()
    free_response: Section | None = None
    films: Section | None = None
    changes: Section | None = None
    changed: Sequence[Picture] = ()
    hit_words: str = ""
    examples: Sequence[Picture] = ()
    failures: Sequence[Failure] = ()
    notes: Sequence[str] = ()
    provenance: Sequence[tuple[str, str]] = field(default_factory=tuple)


def band(value: float) -> str:
    """The sources' word for a Dice: excellent from .8, good from .6, fair from .4, else poor."""
    return "–" if math.isnan(value) else next(word for least, word in BANDS if value >= least)


def evaluation_page(found: Evaluation, report: EvaluationReport) -> Page:
    """The page."""
    words: Callable[[Section], Section] = in_scans if found.is_of_volumes else _as_it_is
    parts = [
        Section("Evaluation", tables=evaluation_tables(found)),
        *([report.films] if report.films is not None else []),
        *([report.changes] if report.changes is not None else []),
        *([report.free_response] if report.free_response is not None else []),
        *([Section("Curves and distributions", pictures=report.curves)] if report.curves else []),
    ]
    sections = [
        words(_summary(found)),
        *alarm_sections(found.alarms),
        training_section(report.training),
        *map(words, parts),
        *([Section("Lesions of each kind of change", pictures=report.changed)] if report.changed else []),
        *([Section(_examples_title(found), pictures=report.examples)] if report.examples else []),
        words(Section("Recommendations", paragraphs=report.recommendations)),
        _details(found, report),
    ]
    return Page(report.title, _lead(found), sections, report.provenance)


def _as_it_is(section: Section) -> Section:
    return section


def _examples_title(found: Evaluation) -> str:
    return "Found, missed and false" if found.is_of_points else "Best, median and worst cases"


def _lead(found: Evaluation) -> str:
    patients = counted(len({row.patient for row in found.cases}), "patient")
    empty = "" if found.films is not None else f"; {found.n_empty_truth} of them without a lesion"
    return (
        f"{cases_words(found)} of {patients}, {found.data}, split “{found.split}”, truth “{found.truth}”{empty}. "
        f"{_threshold_words(found)}{_temperature_words(found)}"
    )


def cases_words(found: Evaluation) -> str:
    """How many cases were judged, of how many that were asked for: "436 cases", "40 of 436 cases judged"."""
    if found.n_failed:
        return f"{found.n_cases} of {found.n_asked} cases judged"
    return counted(found.n_cases, "case")


def _threshold_words(found: Evaluation) -> str:
    if math.isnan(found.threshold.value):
        if found.threshold.chosen_on != Threshold().chosen_on:
            return f"{found.threshold.chosen_on.capitalize()}."
        return "Predictions are masks, so there is no threshold."
    return f"Threshold {found.threshold.value:g}, chosen on: {found.threshold.chosen_on}."


def _temperature_words(found: Evaluation) -> str:
    one = found.temperature
    return "" if one is None else f" Temperature {one.value:.3g}, fitted on {one.fitted_on}."


def _summary(found: Evaluation) -> Section:
    said = [_said_first(found)]
    if found.n_failed:
        said.insert(0, f"{cases_words(found)}: the figures are of these only, and no judgement on all of them.")
    if found.films is not None:
        return Section("Summary", said, tables=[class_summary(found, found.films), _rival_table(found)])
    if found.by_class:
        said.append("Figures are means over classes; each class, and all together (foreground), stand below.")
    if found.yardstick is not None:
        said.append(yardstick_words(found.yardstick))
    rows = [
        [WORDS[name], with_interval(figure), count(figure), band(figure.value) if name.startswith("dice") else ""]
        for name in _HEADLINE
        if (figure := found.figures.get(name)) is not None and not is_meaningless(found, figure)
    ]
    heads = ("", "value (95 % interval)", "n", *(() if found.is_of_points else ("band",)))
    headline = Table(heads, [row[: len(heads)] for row in rows], "Intervals: bootstrap over patients.")
    return Section("Summary", said, tables=[headline, _rival_table(found), *_rivals_by_truth(found)])


def _said_first(found: Evaluation) -> str:
    if found.films is not None:
        return film_words(found.films)
    return _point_words(found) if found.is_of_points else _dice_words(found)


def _dice_words(found: Evaluation) -> str:
    dice = found.figures["dice_mean"]
    cases = counted(dice.n, "case")
    said = f"Mean Dice {with_interval(dice)} over {cases} with a lesion; the sources' band: {band(dice.value)}."
    for other in found.by_truth:
        beside = other.figures["dice_mean"]
        said += f" By the truth “{other.name}” it is {with_interval(beside)} over {counted(beside.n, 'case')}."
    return said


def _point_words(found: Evaluation) -> str:
    sensitivity, false = (found.figures[name] for name in ("lesion_sensitivity", "false_positives_per_image"))
    return (
        f"Lesions found: {with_interval(sensitivity)} of {sensitivity.n}; false positives per image: "
        f"{with_interval(false)}. The truth is points: nobody says which pixels are lesion, so there is no Dice, no "
        "distance between surfaces and no calibration."
    )


def _rival_table(found: Evaluation) -> Table:
    foreground = {name: found.figures.get(f"foreground_{name}", one) for name, one in found.figures.items()}
    everyone = [Group("this, any class" if found.by_class else "this", foreground), *found.rivals]
    names = {name: head for name, head in _RIVAL_FIGURES.items() if not is_meaningless(found, found.figures[name])}
    if found.films is not None:  # areas, whose parts are no lesions
        names = {name: head for name, head in names.items() if name.startswith("dice")}
    names |= {name: WORDS[name] for name in _RANKED if any(name in rival.figures for rival in found.rivals)}
    rows = [
        [group.name, *(with_interval(group.figures.get(name, Figure(name, math.nan))) for name in names)]
        for group in everyone
    ]
    caption = (
        "Trivial rivals on the same cases; false positives are per image. What they learn (a map, a threshold) comes "
        "from the training split."
    )
    if found.films is not None:
        caption = "Trivial rivals on the same films: Dice of all classes together against background."
    return Table(("", *names.values()), rows, caption)


def _rivals_by_truth(found: Evaluation) -> list[Table]:
    """The same by every other truth that is reported."""
    tables = []
    for truth in found.by_truth:
        rivals = found.rivals_by_truth.get(truth.name, ())
        rows = [
            [group.name, *(with_interval(group.figures[name]) for name in _RIVAL_FIGURES)]
            for group in (Group("this", truth.figures), *rivals)
        ]
        if rivals:
            caption = f"The same rivals by the truth “{truth.name}”; what they learnt is of the truth above."
            tables.append(Table(("", *_RIVAL_FIGURES.values()), rows, caption))
    return tables


def alarm_sections(alarms: Sequence[Alarm], checked: str = CHECKED) -> list[Section]:
    """Alarms and notes with their evidence; what was looked at, when nothing rang."""
    raised = [alarm for alarm in alarms if not alarm.is_note]
    noted = [alarm for alarm in alarms if alarm.is_note]
    said = f"{len(raised)} alarm{'s' if len(raised) != 1 else ''}: what a reviewer would ask about."
    if not raised:
        said = f"No alarms. Looked for, as far as the data tells: {checked}."
    listed = [f"Alarm, {one.name}: {one.says} Evidence: {_evidence(one)}." for one in raised]
    listed += [f"Worth knowing, {one.name}: {one.says} Evidence: {_evidence(one)}." for one in noted]
    return [Section("Alarms", (said, *listed))]


def _evidence(alarm: Alarm, most: int = 4) -> str:
    more = f" and {len(alarm.evidence) - most} more" if len(alarm.evidence) > most else ""
    return "; ".join(alarm.evidence[:most]) + more


def training_section(training: Sequence[tuple[str, str]]) -> Section:
    """What is known of how the predictions were made."""
    if not training:
        return Section(
            "Training", ("Nothing is known about how these predictions were made; their folder doesn't say.",)
        )
    return Section("Training", tables=[Table(("", "value"), [list(row) for row in training])])


def _details(found: Evaluation, report: EvaluationReport) -> Section:
    judged = (
        "A lesion is a stated point with its size; predictions are marks, or connected components (corners touch) at "
        "their centroids."
        if found.is_of_points
        else "Dice and IoU are means over cases with a lesion; cases without one are counted apart by their false "
        "alarms. “Pooled” sums pixels over the split. A lesion is a connected component (corners touch)."
    )
    said = [
        f"{judged} When a prediction hits a lesion: {report.hit_words or 'not stated'}. What hits none is false.",
        *report.notes,
    ]
    return Section("Technical details", [*said, *failure_words(report.failures)])


def failure_words(failures: Sequence[Failure]) -> list[str]:
    """The first of them, and how many there are."""
    if not failures:
        return []
    said = f"{len(failures)} cases could not be judged and are in no figure (all are in failures.json):"
    return [said, *(f"{one.input}: {one.error} {one.remedy}".rstrip() for one in failures[:_FAILURES_SHOWN])]
