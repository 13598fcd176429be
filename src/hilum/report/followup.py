"""A follow-up as a page: what was compared, which nodules are one, how they changed, and what rule sets say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, inf, isnan

from hilum.core import Advice
from hilum.core.growth import DoublingTime, Growth, GrowthQuantity
from hilum.report.growth import Appointment, Curve, Glance, growth_curves, side_by_side, timeline
from hilum.report.page import Page, Picture, Section, Table

_NONE = "–"
_TIMELINE = "Studies, and when each rule set wants the next one."
_CURVES = (
    "Volume of each nodule that was measured twice, with its interval as a band; each line of the scale is a doubling. "
    "Dotted: a doubling in 400 days from its first date. Most of a band's width is an error that all dates share: the "
    "table's intervals of the change are narrower."
)
_SIDE = (
    "Each nodule at each date, on the axial slice through its middle, in one window and at one scale; the patient's "
    "right is on the left. Where it was not found the other dates' place is shown."
)
_CHANGES = (
    "Change of volume from the first of both dates to the second, with its 95 % interval; doubling time likewise, "
    "which has no upper end where no growth fits the measurements, too; the probability that it grew at all, and by "
    "25 % or more; the smallest growth that could have been told from none; and from which day on a doubling in 400 "
    "days would be told from none four times in five."
)
_ADVICE = "Each rule set by its own rounding and words. It doesn't replace a clinician's judgement."


@dataclass(frozen=True)
class StudyLine:
    """One CT in the table of studies.

    Attributes:
        words: its cells: number, date, file, slices, nodules, remarks.
    """

    words: tuple[str, ...]


@dataclass(frozen=True)
class PairGrowth:
    """A nodule at two dates.

    Attributes:
        nodule: its name over all dates.
        first: day of the earlier study.
        second: that of the later one.
        growth: what was measured.
    """

    nodule: str
    first: date
    second: date
    growth: Growth


@dataclass(frozen=True, eq=False)
class FollowupView:
    """What a follow-up's page shows.

    Attributes:
        title: whose.
        lead: the outcome in a sentence or two.
        warnings: what limits it, one sentence each.
        studies: one line each.
        dates: for the line of time, with a word each.
        due: likewise.
        registrations: rows of the table: from, to, verdict, overlap, both ways' disagreement, remarks.
        nodules: rows: nodule, what became of it, then its size at each date.
        curves: volumes over time.
        glances: pictures by nodule.
        changes: nodules at two dates.
        decisions: rows: nodule, its earlier and later study and id, decision, reason.
        advice: of the latest study by each rule set.
        by_nodule: of its nodules, likewise.
        not_compared: one sentence each.
        provenance: name and value.
    """

    title: str
    lead: str
    warnings: Sequence[str]
    studies: Sequence[StudyLine]
    dates: Sequence[tuple[date, str]]
    due: Sequence[Appointment]
    registrations: Sequence[Sequence[str]]
    nodules: Sequence[Sequence[str]]
    curves: Sequence[Curve]
    glances: Sequence[tuple[str, Sequence[Glance]]]
    changes: Sequence[PairGrowth]
    decisions: Sequence[Sequence[str]]
    advice: Sequence[Advice]
    by_nodule: Sequence[Advice]
    not_compared: Sequence[str]
    provenance: Sequence[tuple[str, str]]


def followup_page(view: FollowupView) -> Page:
    """The page; it becomes HTML by `hilum.report.page`, PDF by `hilum.report.pdf`."""
    sections = [
        _when(view),
        _nodules(view),
        _growth(view),
        _advice(view),
        _how(view),
    ]
    return Page(view.title, view.lead, [one for one in sections if one is not None], view.provenance)


def _when(view: FollowupView) -> Section:
    columns = ("study", "date", "file", "slices", "nodules", "remarks")
    return Section(
        "Studies",
        tuple(view.warnings),
        [Picture(timeline(view.dates, view.due), _TIMELINE)],
        [Table(columns, [one.words for one in view.studies])],
    )


def _nodules(view: FollowupView) -> Section:
    if not view.nodules:
        return Section("Nodules", ["No nodule was found or given at any date."])
    dates = [f"{when}" for when, _ in view.dates]
    pictures = [Picture(side_by_side(some), _SIDE) for some in _some(view.glances)]
    return Section("Nodules", (), pictures, [Table(("nodule", "what became of it", *dates), view.nodules)])


def _some(rows: Sequence[tuple[str, Sequence[Glance]]], most: int = 4) -> list[Sequence[tuple[str, Sequence[Glance]]]]:
    """As many rows as fit a page."""
    return [rows[first : first + most] for first in range(0, len(rows), most)]


def _growth(view: FollowupView) -> Section | None:
    if not view.changes:
        return None
    columns = ("nodule", "from", "to", "volume", "doubling time", "grew", "grew by 25 %", "least told", "400 days told")
    rows = [_change(one) for one in view.changes]
    notes = [f"Nodule {one.nodule}: {note}." for one in view.changes for note in one.growth.notes]
    return Section(
        "Growth", tuple(notes), [Picture(growth_curves(view.curves), _CURVES)], [Table(columns, rows, _CHANGES)]
    )


def _change(one: PairGrowth) -> tuple[str, ...]:
    growth = one.growth
    volume = growth.change(GrowthQuantity.VOLUME)
    percent = _NONE if volume is None else _signed(volume.percent.value, volume.percent.low, volume.percent.high)
    return (
        one.nodule,
        str(one.first),
        str(one.second),
        percent,
        doubling_words(growth.doubling),
        _share(growth.probability_of_growth),
        _share(growth.probability_of_quarter),
        _NONE if isnan(growth.least_detectable_percent) else f"{growth.least_detectable_percent:.0f} %",
        _NONE if isnan(growth.told_after_days) else str(one.first + timedelta(days=ceil(growth.told_after_days))),
    )


def doubling_words(time: DoublingTime) -> str:
    """A doubling time with its interval, which may have no upper end, or lie in shrinkage."""
    if isnan(time.shortest_days) and isnan(time.days):
        return _NONE
    middle = "not growing" if time.days == inf else f"{time.days:.0f} days"
    if isnan(time.shortest_days):
        return middle
    if time.shortest_days == inf:
        return f"{middle} (no growth fits)"
    if time.can_be_none:
        return f"{middle} (from {time.shortest_days:.0f} days to none)"
    return f"{middle} ({time.shortest_days:.0f} to {time.longest_days:.0f})"


def _signed(value: float, low: float, high: float) -> str:
    if isnan(value):
        return _NONE
    interval = "" if isnan(low) else f" ({low:+.0f} to {high:+.0f})"
    return f"{value:+.0f} %{interval}"


def _share(value: float) -> str:
    return _NONE if isnan(value) else f"{100 * value:.0f} %"


def _advice(view: FollowupView) -> Section:
    notes = dict.fromkeys(f"{one.ruleset}: {note}" for one in (*view.advice, *view.by_nodule) for note in one.notes)
    tables = [_advised("decided by", view.advice), _advised("nodule", view.by_nodule, "Each nodule by each rule set")]
    return Section("What guidelines say", (_ADVICE, *notes), (), [one for one in tables if one.rows])


def _advised(about: str, advice: Sequence[Advice], folded: str = "") -> Table:
    rows = [
        (
            f"{one.ruleset} {one.version}",
            one.nodule or _NONE,
            " ".join([one.category or "no answer", *one.modifiers]),
            one.management or _NONE,
            one.because,
        )
        for one in advice
    ]
    return Table(("rule set", about, "category", "management", "because"), rows, folded=folded)


def _how(view: FollowupView) -> Section:
    tables = [
        Table(
            ("nodule", "earlier", "later", "decision", "because"),
            view.decisions,
            folded="Which nodules are one, and why",
        ),
        Table(
            ("from", "to", "verdict", "overlap of lungs", "both ways apart, 95 %", "remarks"),
            view.registrations,
            folded="How well the CTs lie over each other",
        ),
    ]
    return Section("How it was compared", tuple(view.not_compared), (), [one for one in tables if one.rows])
