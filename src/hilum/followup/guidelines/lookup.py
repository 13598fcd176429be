"""Which row answers. A fact that nobody gave is tried with all that it could be; nothing is guessed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hilum.followup.guidelines.compared import Facts, Open, Sized, Value
from hilum.followup.guidelines.rules import Bound, Row, RuleSet, SizeBound, When


@dataclass(frozen=True)
class Found:
    """One possible answer.

    Attributes:
        row: that answers; None when none does.
        matched: its conditions that hold.
        category: of the row, or what an upgrade made of it; None without a row, or with one that is off.
        management: the same.
        cite: the same.
        supposed: open facts, and what each was supposed to be on the way here.
    """

    row: Row | None
    matched: When | None
    category: str | None
    management: str | None
    cite: str
    supposed: Mapping[str, Value] = field(default_factory=dict)

    @property
    def answer(self) -> tuple[str | None, str | None, str]:
        """What is said."""
        return self.category, self.management, self.row.id if self.row else ""


def found_by(rules: RuleSet, facts: Facts) -> tuple[Found, ...]:
    """All answers that the facts leave open; one when they suffice."""
    return tuple(_walk(rules, rules.rows, dict(facts), {}))


def holds(when: When, facts: Facts) -> bool | str:
    """Whether all conditions hold; the name of an open fact when that is where it hangs."""
    hangs = ""
    for name, condition in when.conditions.items():
        value = facts[name]
        if isinstance(value, Open):
            hangs = hangs or name
        elif not _one_holds(condition, value):
            return False
    return hangs or True


def _walk(
    rules: RuleSet, rows: tuple[Row, ...], facts: dict[str, Value], supposed: dict[str, Value]
) -> Iterator[Found]:
    for place, row in enumerate(rows):
        hanging = ""
        for when in row.when:
            state = holds(when, facts)
            if state is True:
                yield _answered(rules, row, when, facts, supposed)
                return
            hanging = hanging or (state if isinstance(state, str) else "")
        if hanging:
            yield from _branches(rules, rows[place:], facts, supposed, hanging)
            return
    yield Found(None, None, None, None, "", supposed)


def _branches(
    rules: RuleSet, rows: tuple[Row, ...], facts: dict[str, Value], supposed: dict[str, Value], name: str
) -> Iterator[Found]:
    """The rest of the rows with each thing that an open fact can be."""
    for option in possible(name, facts):
        yield from _walk(rules, rows, facts | {name: option}, supposed | {name: option})


def possible(name: str, facts: Facts) -> tuple[Value, ...]:
    """What an open fact can be beside the others: a solid part is never larger than its nodule."""
    value = facts[name]
    every = value.options if isinstance(value, Open) else ()
    whole = facts.get({"solid_size": "size", "size": "solid_size"}.get(name, ""))
    if not isinstance(whole, Sized):
        return every
    side = 1 if name == "solid_size" else -1
    fits = tuple(one for one in every if not isinstance(one, Sized) or _fits(one, whole, side))
    return fits or (whole,)  # smaller than all switches, or larger: as large as the other one


def _fits(size: Sized, whole: Sized, side: int) -> bool:
    return size.unit != whole.unit or (whole.value - size.value) * side >= 0


def _answered(rules: RuleSet, row: Row, matched: When, facts: Facts, supposed: Mapping[str, Value]) -> Found:
    if not row.confirmed:
        return Found(row, matched, None, None, row.cite, supposed)
    for up in rules.upgrades:
        if row.category in up.replaces and holds(up.when, facts) is True:
            return Found(row, matched, up.to, up.management, f"{row.cite}; {up.cite}", supposed)
    return Found(row, matched, row.category, row.management, row.cite, supposed)


def _one_holds(condition: Any, value: Value) -> bool:
    if isinstance(condition, SizeBound):
        bound = getattr(condition, value.unit) if isinstance(value, Sized) else None
        return bound is not None and isinstance(value, Sized) and bound.holds(value.value)
    if isinstance(condition, Bound):
        return isinstance(value, int | float) and condition.holds(value)
    return value in condition if isinstance(condition, tuple) else value is condition
