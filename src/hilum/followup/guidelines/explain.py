"""Advice from what the look-up found: the reason, what is missing, and what would change the answer."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from hilum.core import Advice, Alternative, Due, MissingFact
from hilum.followup.guidelines.compared import (
    WORDS,
    Facts,
    Open,
    Sized,
    Value,
    compared,
    history_by_size,
    probes,
)
from hilum.followup.guidelines.facts import NoduleFacts, StudyFacts
from hilum.followup.guidelines.lookup import Found, found_by, holds, possible
from hilum.followup.guidelines.rules import Row, RuleSet, When
from hilum.followup.guidelines.words import KINDS, NAMES, said, stretch_said, value_said

_HEAD = ("texture", "count", "size", "solid_size", "history", "risk")
"""Facts that say what kind of nodule it is, when no row describes it."""


def explained(rules: RuleSet, nodule: NoduleFacts | None, study: StudyFacts, facts: Facts) -> Advice:
    """The advice that the rows give.

    Args:
        rules: the rule set.
        nodule: that it is about; None for the study.
        study: its study.
        facts: as the rule set compares them.
    """
    for one in rules.excluding:
        if holds(one.when, facts) is True:
            return no_answer(rules, nodule, f"not for this patient: {one.says} (meant for {rules.meant_for})")
    told = _Told(rules, nodule, study, facts)
    found = found_by(rules, facts)
    off = tuple(dict.fromkeys(_off(one.row) for one in found if one.row and not one.row.confirmed))
    missing = (*_left_open(rules, facts, found), *told.assumed())
    base = replace(
        no_answer(rules, nodule, ""),
        used=_used(rules, study, facts, found),
        missing=missing,
        would_change=tuple(told.would_change()),
        withheld=off,
        notes=tuple(told.notes()),
    )
    return _answered(rules, base, study, facts, found)


def no_answer(rules: RuleSet, nodule: NoduleFacts | None, because: str, parts: Sequence[Advice] = ()) -> Advice:
    """Advice without a category, which says why; it keeps what is missing and withheld in its parts."""
    return Advice(
        rules.name,
        rules.version,
        rules.citation,
        nodule.id if nodule else None,
        None,
        None,
        because,
        missing=tuple(dict.fromkeys(one for part in parts for one in part.missing)),
        withheld=tuple(dict.fromkeys(one for part in parts for one in part.withheld)),
    )


def due_date(start: date, months: int) -> date:
    """The same day of the month so many months later; the month's last day where it has no such day."""
    from calendar import monthrange

    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def _answered(rules: RuleSet, base: Advice, study: StudyFacts, facts: Facts, found: Sequence[Found]) -> Advice:
    categories, managements = {one.category for one in found}, {one.management for one in found}
    first = found[0]
    if categories == {None}:
        return replace(base, because=_why_not(base))
    if len(categories) > 1:
        open_facts = " and ".join(NAMES[name] for name in _supposed(found))
        between = categories_said(rules, categories)
        return replace(base, because=f"it hangs on what nobody said ({open_facts}): {between}")
    dues = {_due(one.row, study, facts) for one in found if one.row}
    words = ", ".join(base.used.values())
    rows = tuple(dict.fromkeys(one.row.id for one in found if one.row))
    return replace(
        base,
        category=first.category,
        management=first.management if len(managements) == 1 else " / ".join(sorted(filter(None, managements))),
        modifiers=tuple(one.name for one in rules.modifiers if holds(one.when, facts) is True),
        due=dues.pop() if len(dues) == 1 and first.category not in {up.to for up in rules.upgrades} else None,
        because=f"{words} (row {', '.join(rows)})",
        rows=rows,
        cite="; ".join(dict.fromkeys(one.cite for one in found)),
    )


def categories_said(rules: RuleSet, categories: Iterable[str | None]) -> str:
    """Several possible answers in words, the mildest first."""
    told = sorted((one for one in categories if one is not None), key=rules.rank)
    return " or ".join([*told, *(["no answer"] if None in set(categories) else [])])


class _Told:
    """One nodule's facts, and what the rows say were one of them another."""

    def __init__(self, rules: RuleSet, nodule: NoduleFacts | None, study: StudyFacts, facts: Facts) -> None:
        self.rules, self.nodule, self.study, self.facts = rules, nodule, study, facts
        self.now = {one.answer[:2] for one in found_by(rules, facts)}
        self.asked = {name for when in rules.whens() for name in when.conditions}

    def assumed(self) -> Iterator[MissingFact]:
        """Facts that were assumed, where another value would change the answer."""
        for name in (name for name in self.rules.assumed if name in self.asked and not self._given(name)):
            value = self.facts[name]
            could = tuple(self._words(name)) if name in WORDS or isinstance(value, bool) else ()
            if could and not isinstance(value, Open):
                yield MissingFact(name, value_said(name, value), could)

    def would_change(self) -> Iterator[Alternative]:
        """Facts that were given, and from which value on the answer would be another."""
        for name in (name for name in When.model_fields if name in self.asked and self._given(name)):
            value = self.facts[name]
            if name in WORDS or isinstance(value, bool):
                yield from self._words(name)
            elif isinstance(value, Sized | float | int):
                yield from self._nearest(name, value)

    def notes(self) -> Iterator[str]:
        """What is assumed of the patient, and where measurements contradict each other."""
        for one in self.rules.excluding:
            if any(isinstance(self.facts[name], Open) for name in one.when.conditions):
                yield f"assumed: {one.assumed}"
        for letter in self.rules.modifiers:
            if holds(letter.when, self.facts) is True:
                yield f"{letter.name}: {letter.says}"
        if self.nodule is not None:
            if "size" in self.asked and isinstance(self.facts["size"], Open):
                kind = "longest diameter" if self.rules.size.diameter == "long" else "mean diameter"
                units = [kind if unit == "mm" else "volume" for unit in self.rules.size.units]
                yield f"{self.rules.name} compares the {' or the '.join(units)}, which nobody gave"
            yield from self._contradictions(self.nodule)

    def _contradictions(self, nodule: NoduleFacts) -> Iterator[str]:
        other = self.study.model_copy(update={"volumetry": not self.study.volumetry})
        size, second = self.facts["size"], compared(self.rules, nodule, other, None)["size"]
        if isinstance(size, Sized) and isinstance(second, Sized) and size.unit != second.unit:
            answers = self._answers({"size": second})
            if answers != self.now:
                would = categories_said(self.rules, {one for one, _ in answers})
                by, decides = KINDS[second.unit], KINDS[size.unit]
                yield f"by the {by}, {value_said('size', second)}, it would be {would}; here the {decides} decides"
        by_size = history_by_size(self.rules, nodule, self.study)
        if nodule.history and isinstance(by_size, str) and by_size != nodule.history:
            yield f"given as {nodule.history}, but the sizes of both studies say {by_size}"

    def _given(self, name: str) -> bool:
        value = self.facts[name]
        if isinstance(value, Open) or value == "none":  # without a nodule nothing else is given
            return False
        if name == "months_since_first":
            return self.study.months_known is not None
        if name == "solid_history":
            return self.facts["texture"] == "part-solid" and self.facts["history"] != "baseline"
        raw = getattr(self.nodule, name, None) if name in NoduleFacts.model_fields else getattr(self.study, name, None)
        return raw is not None or name not in self.rules.assumed or value != self.rules.assumed[name]

    def _answers(self, changed: dict[str, Value]) -> set[tuple[str | None, str | None]]:
        facts = dict(self.facts) | changed
        history = changed.get("history")
        if isinstance(history, str) and history not in ("baseline", "new") and self.study.months_known is None:
            facts["months_since_first"] = Open(probes(self.rules, "months_since_first") or (0.0,))
        return {one.answer[:2] for one in found_by(self.rules, facts)}

    def _words(self, name: str) -> Iterator[Alternative]:
        now = self.facts[name]
        every: tuple[Value, ...] = WORDS.get(name, (True, False))
        for option in (one for one in every if one not in (now, "none", "crossed")):
            answers = self._answers({name: option})
            if answers != self.now:
                yield self._alternative(name, value_said(name, option), answers)

    def _nearest(self, name: str, value: Sized | float) -> Iterator[Alternative]:
        """The first switch above and the first below that matter."""
        unit = value.unit if isinstance(value, Sized) else None
        here = value.value if isinstance(value, Sized) else value
        every = probes(self.rules, name, unit)
        for ahead in ([one for one in every if one > here], [one for one in reversed(every) if one < here]):
            for probe in ahead:
                answers = self._answers({name: Sized(unit, probe, probe) if unit else probe})
                if answers != self.now:
                    yield self._alternative(name, _from(self.rules, name, unit, probe, up=probe > here), answers)
                    break

    def _alternative(self, name: str, value: str, answers: set[tuple[str | None, str | None]]) -> Alternative:
        return _alternative(self.rules, name, value, answers)


def _alternative(rules: RuleSet, name: str, value: str, answers: set[tuple[str | None, str | None]]) -> Alternative:
    category = categories_said(rules, {one for one, _ in answers})
    managements = sorted({one for _, one in answers if one})
    return Alternative(name, value, None if category == "no answer" else category, " / ".join(managements) or None)


def _from(rules: RuleSet, name: str, unit: str | None, probe: float, *, up: bool) -> str:
    """A switch in words, seen from the side of the present value."""
    every = probes(rules, name, unit)  # type: ignore[arg-type]
    beyond = [one for one in every if (one >= probe if up else one <= probe)]
    values: list[Value] = [Sized(unit, one, one) if unit else one for one in beyond]  # type: ignore[arg-type]
    return stretch_said(rules, name, values)


def _left_open(rules: RuleSet, facts: Facts, found: Sequence[Found]) -> Iterator[MissingFact]:
    """Open facts on which the answer hangs, each with what it could lead to."""
    if len({one.answer[:2] for one in found}) == 1:
        return
    for name in _supposed(found):
        by_option = [
            (option, {one.answer[:2] for one in found if one.supposed.get(name, option) == option})
            for option in possible(name, facts)
        ]
        told = [(option, answers) for option, answers in by_option if answers]
        if len({frozenset(answers) for _, answers in told}) > 1 or len(_supposed(found)) == 1:
            yield MissingFact(name, None, tuple(_runs(rules, name, told)))


def _runs(
    rules: RuleSet, name: str, told: Sequence[tuple[Value, set[tuple[str | None, str | None]]]]
) -> Iterator[Alternative]:
    """One alternative a word, or a stretch of numbers with one answer."""
    run: list[Value] = []
    for place, (option, answers) in enumerate(told):
        run.append(option)
        numeric = not isinstance(option, str | bool)
        if numeric and place + 1 < len(told) and told[place + 1][1] == answers:
            continue
        words = stretch_said(rules, name, run) if numeric else value_said(name, option)
        yield _alternative(rules, name, words, answers)
        run = []


def _supposed(found: Sequence[Found]) -> list[str]:
    return list(dict.fromkeys(name for one in found for name in one.supposed))


def _used(rules: RuleSet, study: StudyFacts, facts: Facts, found: Sequence[Found]) -> dict[str, str]:
    """What the rows that answered looked at; without one, what kind of nodule it is."""
    names = {name for one in found if one.matched for name in one.matched.conditions}
    names = names or {name for name in _HEAD if any(name in when.conditions for when in rules.whens())}
    if study.months_known is None:
        names.discard("months_since_first")
    return {
        name: said(rules, name, facts[name])
        for name in sorted(names, key=list(NAMES).index)
        if not isinstance(facts[name], Open) and facts[name] is not False and facts[name] != "nodule"
    }


def _why_not(base: Advice) -> str:
    words = ", ".join(base.used.values())
    if base.withheld:
        return f"{words}: the row that would answer is switched off as unconfirmed ({'; '.join(base.withheld)})"
    return f"no row describes it: {words}" if words else "no row describes it"


def _off(row: Row) -> str:
    return f"{row.id}: {row.why_off}"


def _due(row: Row | None, study: StudyFacts, facts: Facts) -> Due | None:
    if row is None or row.due is None:
        return None
    first = study.first_date or (study.date if facts["history"] in ("baseline", "new") else None)
    start = {"study": study.date, "first": first, "prior": study.prior_date}[row.due.since]
    early, late = row.due.months
    ends = (due_date(start, early), due_date(start, late)) if start else (None, None)
    return Due(early, late, row.due.since, *ends)
