"""Advice as lines that a clinician reads."""

from collections.abc import Iterator

from hilum.core import Advice, Alternative, Due, StudyAdvice
from hilum.followup.guidelines import RULESETS, RuleSet, ruleset
from hilum.followup.guidelines.words import NAMES, UNITS
from hilum.workflows.guideline import DISCLAIMER, Compared, TableAdvice

_SINCE = {"study": "from this study", "first": "from the first study", "prior": "from the earlier study"}


def advice_lines(advice: StudyAdvice) -> Iterator[str]:
    """One study's advice: of its only nodule, or of the study and each nodule."""
    rules = ruleset(advice.study.ruleset)
    yield f"{rules.title}, {rules.version} ({rules.name})"
    if len(advice.nodules) > 1:
        decides = f", by nodule {advice.study.nodule}" if advice.study.nodule else ""
        yield f"Study: {category_said(advice.study)}{decides}"
    for one in advice.nodules if advice.study in advice.nodules else (advice.study, *advice.nodules):
        yield ""
        yield from _one(one)
    if advice.left_out:
        yield f"\nNot counted as nodules: {', '.join(advice.left_out)}"
    yield f"\n{rules.citation}\n{DISCLAIMER}"


def category_said(advice: Advice) -> str:
    """The category with its modifiers."""
    return " ".join([advice.category or "no answer", *advice.modifiers])


def due_said(due: Due | None) -> str:
    """When, in months and as dates."""
    if due is None:
        return "no date"
    first, last = due.earliest_months, due.latest_months
    months = months_said(first, last)
    if due.earliest is None or due.latest is None:
        return f"{months} {_SINCE[due.since]}"
    dates = str(due.earliest) if due.earliest == due.latest else f"{due.earliest} to {due.latest}"
    return f"{dates} ({months} {_SINCE[due.since]})"


def months_said(first: int, last: int) -> str:
    """A stretch of months."""
    return f"{first} months" if first == last else f"{first}-{last} months"


def _one(advice: Advice) -> Iterator[str]:
    yield f"{f'Nodule {advice.nodule}' if advice.nodule else 'Study'}: {category_said(advice)}"
    if advice.management:
        yield f"  what       {advice.management}"
        yield f"  due        {due_said(advice.due)}"
    yield f"  why        {advice.because}{f'; {advice.cite}' if advice.cite else ''}"
    for missing in advice.missing:
        taken = f"taken as {missing.assumed}" if missing.assumed else "left open"
        yield f"  not given  {NAMES[missing.fact]}, {taken}; {'; '.join(map(_if, missing.could))}"
    for other in advice.would_change:
        yield f"  otherwise  {NAMES[other.fact]} {_if(other)}"
    for off in advice.withheld:
        yield f"  off        {off}"
    for note in advice.notes:
        yield f"  note       {note}"


def _if(other: Alternative) -> str:
    return f"{other.value}: {other.category or 'no answer'}"


def compared_lines(compared: Compared) -> Iterator[str]:
    """Every rule set's answer, a line each, and whether they agree."""
    width = max(map(len, compared.steps))
    for one in compared.advice:
        advice = one.study
        yield f"{advice.ruleset:<{width}}  {category_said(advice)}: {advice.management or advice.because}"
        yield f"{'':<{width}}  next: {compared.steps[advice.ruleset]}"
    if compared.agree:
        yield "\nThey agree, as far as they answer."
    else:
        yield "\nThey disagree. Each is meant for other patients (hilum guideline --list)."
    yield DISCLAIMER


def table_lines(found: TableAdvice) -> Iterator[str]:
    """A line a study."""
    for key, advice in found.studies.items():
        yield f"{key:<12} {category_said(advice.study):<10} {advice.study.because}"
    yield DISCLAIMER


def list_lines() -> Iterator[str]:
    """All rule sets, and which of their rows are off."""
    for rules in map(ruleset, RULESETS):
        yield f"{rules.name:<20} {rules.title}, {rules.version}: {len(rules.rows)} rows, {len(rules.off)} off"
        yield f"{'':<20} for {rules.meant_for}; {rules.citation}"
        for row in rules.off:
            yield f"{'':<20} off: {row.id}: {row.why_off}"
    yield "\nhilum guideline NAME --list shows every row."


def ruleset_lines(rules: RuleSet) -> Iterator[str]:
    """Every row of a rule set."""
    yield f"{rules.title}, {rules.version} ({rules.name}), for {rules.meant_for}"
    yield rules.citation
    for note in rules.notes:
        yield f"  {note}"
    for row in rules.rows:
        yield f"\n{row.id}{'' if row.confirmed else f' (OFF: {row.why_off})'}"
        for when in row.when:
            yield f"  when   {_conditions(when.model_dump(mode='json', exclude_none=True))}"
        due = f"; {months_said(*row.due.months)} {_SINCE[row.due.since]}" if row.due else ""
        yield f"  then   {row.category}: {row.management}{due}"
        yield f"  cite   {row.cite}"


_SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def _conditions(when: dict[str, object]) -> str:
    return ", ".join(f"{NAMES[name]} {_condition(value)}" for name, value in when.items())


def _condition(value: object) -> str:
    if isinstance(value, dict):
        if set(value) <= set(UNITS):
            return " or ".join(f"{_condition(bound)} {UNITS[unit]}" for unit, bound in value.items())
        return " and ".join(f"{_SIGNS[end]} {number:g}" for end, number in value.items())
    if isinstance(value, list):
        return " or ".join(map(str, value))
    return "yes" if value is True else "no" if value is False else str(value)
