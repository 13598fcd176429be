"""Who is due, or overdue, for the next study: over all follow-ups below some folders (`hilum due`)."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from hilum.core import Failures, InputError, UnreadableError
from hilum.followup.growth import FOUND
from hilum.io.inputs import require_path
from hilum.io.json_file import read_json
from hilum.io.text_file import write_text
from hilum.workflows.followup_folder import FOLLOWUP, SCHEMA

DUE = "due.csv"


class Standing(StrEnum):
    """How a date stands to today."""

    OVERDUE = "overdue"
    """The last day has passed."""
    GROWN = "grew, no date"
    """A nodule has grown, and the rule set gives no date: nobody has said when, and somebody must look."""
    ACT = "act, no date"
    """The rule set asks for something to be done, and gives no date: work-up, tissue sampling, referral."""
    NOW = "due"
    """Between its first and its last day."""
    UNTOLD = "no answer"
    """The rule set gave no answer; its reason is in `because`, and it is no reassurance."""
    LATER = "later"
    """Its first day hasn't come."""
    DONE = "nothing to do"
    """The rule set asks for nothing, or for nothing but the next round of screening."""


_URGENCY = {one: at for at, one in enumerate(Standing)}
_QUIET = (
    "none",
    "negative",
    "discharge",
    "consider-discharge",
    "complete-response",
    "partial-response",
    "stable-disease",
    "may-be-target",
    "not-measurable",
)
"""Categories that ask for nothing."""
_NOTHING = "No "
"""How management begins that asks for nothing, of categories that are mere numbers."""


@dataclass(frozen=True)
class DueRow:
    """What one rule set says is next for one patient.

    Attributes:
        patient: as the studies say; the folder's whole path where they don't.
        named: whether the studies say who it is. Who isn't named is told apart by his CTs.
        synthetic: whether a study says that a computer made it.
        standing: how the date stands to today.
        days_over: since the last day; negative before it, None without a date.
        due_from: first day.
        due_by: last day.
        last_study: day of the latest study.
        ruleset: whose advice it is, with its version.
        category: in the rule set's words.
        management: likewise.
        because: the reason.
        source: the follow-up's file.
    """

    patient: str
    named: bool
    synthetic: bool
    standing: Standing
    days_over: int | None
    due_from: date | None
    due_by: date | None
    last_study: date
    ruleset: str
    category: str
    management: str
    because: str
    source: Path


@dataclass(frozen=True)
class DueList:
    """All of them.

    Attributes:
        rows: most urgent first.
        failures: follow-ups that could not be read.
        superseded: follow-ups of patients of whom there is a later one.
    """

    rows: tuple[DueRow, ...]
    failures: Failures
    superseded: tuple[Path, ...]

    def count(self, standing: Standing) -> int:
        """Of patients with at least one row of this standing."""
        return len({row.patient for row in self.rows if row.standing is standing})


def run_due(folders: Sequence[Path], out: Path, today: date, rulesets: Sequence[str] = ()) -> DueList:
    """List who is due, and write it as `due.csv`.

    Args:
        folders: with follow-ups anywhere below.
        out: the table, or a folder for it.
        today: the day that dates are compared with.
        rulesets: whose advice counts; empty for all.

    Raises:
        InputError: a folder is missing, no follow-up is below any, or none has advice of these rule sets.
        OutputError: the table can't be written.
    """
    failures = Failures()
    told = list(_read(folders, failures))
    if not told and not failures:
        raise InputError(
            f"there is no {FOLLOWUP} below {', '.join(map(str, folders))}.",
            "Make some: hilum followup PRIOR CURRENT OUT",
        )
    latest = _latest(told)
    rows = [row for one in latest for row in _rows(one, today) if not rulesets or _name(row.ruleset) in rulesets]
    if latest and not rows and rulesets:
        raise InputError(f"no follow-up has advice of {', '.join(rulesets)}.", "hilum guideline lists rule sets.")
    rows.sort(key=lambda row: (_URGENCY[row.standing], row.due_by or date.max, row.patient, row.ruleset))
    kept = {one.path for one in latest}
    found = DueList(tuple(rows), failures, tuple(one.path for one in told if one.path not in kept))
    write_text(out / DUE if out.suffix != ".csv" else out, _table(found.rows))
    return found


@dataclass(frozen=True)
class _Told:
    """A follow-up that was read."""

    path: Path
    name: str
    cts: frozenset[str]
    last: date
    has_grown: bool
    is_synthetic: bool
    advice: tuple["_Advised", ...]

    @property
    def patient(self) -> str:
        return self.name or str(self.path.parent)

    def is_of_the_same(self, other: "_Told") -> bool:
        """Whether both are of one patient: of one name, or, where neither has one, with a CT in common."""
        if self.name or other.name:
            return self.name == other.name
        return bool(self.cts & other.cts)


@dataclass(frozen=True)
class _Advised:
    """What one rule set says is next."""

    ruleset: str
    category: str | None
    management: str
    because: str
    first: date | None
    last: date | None

    @classmethod
    def of(cls, words: Mapping[str, Any]) -> "_Advised":
        due = words.get("due") or {}
        first, last = (_day(due.get(name)) for name in ("earliest", "latest"))
        category = words.get("category")
        return cls(
            ruleset=f"{words.get('ruleset')} {words.get('version') or ''}".strip(),
            category=None if category is None else str(category),
            management=str(words.get("management") or ""),
            because=str(words.get("because") or ""),
            first=first,
            last=last or first,
        )

    @property
    def asks(self) -> bool:
        """Whether anything is to be done."""
        return self.category not in _QUIET and not self.management.startswith(_NOTHING)

    def standing(self, today: date, *, has_grown: bool) -> Standing:
        if self.last is None and has_grown:
            return Standing.GROWN
        if self.last is None and self.category is None:
            return Standing.UNTOLD
        if self.last is None:
            return Standing.ACT if self.asks else Standing.DONE
        if today > self.last:
            return Standing.OVERDUE
        return Standing.LATER if self.first is not None and today < self.first else Standing.NOW


def _read(folders: Sequence[Path], failures: Failures) -> Iterator[_Told]:
    paths = {path.resolve() for folder in folders for path in _below(require_path(folder))}
    for path in sorted(paths):
        try:
            yield _told(path)
        except InputError as error:
            failures.add(str(path), error)


def _below(place: Path) -> Iterable[Path]:
    return [place] if place.is_file() else place.rglob(FOLLOWUP)


def _told(path: Path) -> _Told:
    content = read_json(path)
    try:
        if content["schema"] != SCHEMA:
            raise UnreadableError(f"{path} is of {content['schema']!r}, and {SCHEMA!r} was expected.")
        studies = content["studies"]
        return _Told(
            path=path,
            name=str(content.get("patient") or ""),
            cts=frozenset(str(one["sha256"]) for one in studies if one.get("sha256")),
            last=max(date.fromisoformat(one["date"]) for one in studies),
            has_grown=any(_has_grown(pair) for pair in content.get("pairs", ())),
            is_synthetic=any(bool(one.get("synthetic")) for one in studies),
            advice=tuple(_Advised.of(one) for one in content["advice"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableError(f"{path} is no follow-up: {error!r}.", "Make it anew: hilum followup") from error


def _has_grown(pair: Mapping[str, Any]) -> bool:
    return bool(pair.get("has_grown")) or float(pair.get("probability_of_growth") or 0) >= FOUND


def _latest(told: Sequence[_Told]) -> list[_Told]:
    """Of each patient the follow-up with the latest study; of several, the one whose file was read last."""
    kept: list[_Told] = []
    for one in sorted(told, key=lambda each: each.last):
        kept = [other for other in kept if not other.is_of_the_same(one)]
        kept.append(one)
    return kept


def _rows(one: _Told, today: date) -> Iterator[DueRow]:
    for advice in one.advice:
        yield DueRow(
            patient=one.patient,
            named=bool(one.name),
            synthetic=one.is_synthetic,
            standing=advice.standing(today, has_grown=one.has_grown),
            days_over=None if advice.last is None else (today - advice.last).days,
            due_from=advice.first,
            due_by=advice.last,
            last_study=one.last,
            ruleset=advice.ruleset,
            category=advice.category or "",
            management=advice.management,
            because=advice.because,
            source=one.path,
        )


def _day(told: object) -> date | None:
    return None if told is None else date.fromisoformat(str(told))


def _name(ruleset: str) -> str:
    return ruleset.partition(" ")[0]


def _table(rows: Sequence[DueRow]) -> str:
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow([one.name for one in fields(DueRow)])
    table.writerows([_cell(one) for one in astuple(row)] for row in rows)
    return stream.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else value
