"""What a guideline says about a nodule, and why. Decision support: it shows its reasons, and never decides alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class Due:
    """When the next step is due.

    Attributes:
        earliest_months: after `since`, when it may be done.
        latest_months: by when it should be.
        since: what months are counted from: this study, the first with the nodule, or the earlier one compared with.
        earliest: as a date; None where `since` isn't known as one.
        latest: as a date.
    """

    earliest_months: int
    latest_months: int
    since: Literal["study", "first", "prior"]
    earliest: date | None = None
    latest: date | None = None


@dataclass(frozen=True)
class Alternative:
    """What the answer would be, were one fact another.

    Attributes:
        fact: its name.
        value: what it would be, in words.
        category: that would come out; None for no answer.
        management: that would come out.
    """

    fact: str
    value: str
    category: str | None
    management: str | None


@dataclass(frozen=True)
class MissingFact:
    """An input that nobody gave.

    Attributes:
        fact: its name.
        assumed: what it was taken to be, in words; None when nothing was assumed and the answer is left open.
        could: answers that it could lead to.
    """

    fact: str
    assumed: str | None
    could: tuple[Alternative, ...]


@dataclass(frozen=True)
class Advice:
    """What one rule set says about one nodule, or about a whole study.

    Attributes:
        ruleset: name of the rule set.
        version: of it.
        citation: where it was published.
        nodule: id of the nodule that it is about; None for a study without one.
        category: in the rule set's own words; None when it gives no answer, and `because` says why.
        management: what the rule set recommends.
        modifiers: added to the category, such as S of Lung-RADS.
        due: the next step; None when there is none, or when it has no date.
        because: the reason, in one sentence.
        rows: ids of the rows that fired; more than one where a missing input leaves several open.
        cite: where these rows stand in the publication.
        used: facts that the rows looked at, as they were compared, in words.
        missing: inputs that nobody gave and that could change the answer.
        would_change: given inputs, and from which value on the answer would be another.
        withheld: rows that would have answered, but are switched off as unconfirmed; never relied on.
        notes: further things a reader has to know.
    """

    ruleset: str
    version: str
    citation: str
    nodule: str | None
    category: str | None
    management: str | None
    because: str
    modifiers: tuple[str, ...] = ()
    due: Due | None = None
    rows: tuple[str, ...] = ()
    cite: str = ""
    used: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[MissingFact, ...] = ()
    would_change: tuple[Alternative, ...] = ()
    withheld: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "used", MappingProxyType(dict(self.used)))


@dataclass(frozen=True)
class StudyAdvice:
    """What one rule set says about a study: its most serious nodule decides.

    Attributes:
        study: the answer for the study.
        nodules: the answer for each nodule that counts, in the order given.
        left_out: ids of nodules that the rule set doesn't count.
    """

    study: Advice
    nodules: tuple[Advice, ...]
    left_out: tuple[str, ...] = ()
