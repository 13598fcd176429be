"""What a rule set is: rows of conditions and answers, each with its place in the publication; strictly checked."""

import operator
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar

from pydantic import BeforeValidator, Field, field_validator, model_validator

from hilum.config import Frozen, FrozenConfig, FrozenDict
from hilum.followup.guidelines.facts import (
    Count,
    CystChange,
    Form,
    History,
    Modality,
    PriorCategory,
    Risk,
    SolidHistory,
    Texture,
)

Unit: TypeAlias = Literal["mm", "mm3"]
SeenHistory: TypeAlias = History | Literal["crossed"]
"""`crossed`: it didn't grow by the rule set's definition, but its size lies in a higher category than before."""

_TESTS: Mapping[str, Callable[[float, float], bool]] = {
    "ge": operator.ge,
    "gt": operator.gt,
    "le": operator.le,
    "lt": operator.lt,
}

T = TypeVar("T")
Words: TypeAlias = Annotated[tuple[T, ...], BeforeValidator(lambda given: [given] if isinstance(given, str) else given)]
Text: TypeAlias = Annotated[str, Field(min_length=1)]


class Bound(FrozenConfig):
    """Where a number has to lie; each end says whether it belongs to it."""

    ge: float | None = None
    """At least."""
    gt: float | None = None
    """More than."""
    le: float | None = None
    """At most."""
    lt: float | None = None
    """Less than."""

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if not self.ends:
            raise ValueError("a bound needs at least one of ge, gt, le, lt")
        if (self.ge is not None and self.gt is not None) or (self.le is not None and self.lt is not None):
            raise ValueError("a bound has one lower and one upper end")
        return self

    @cached_property
    def ends(self) -> tuple[tuple[str, float], ...]:
        """The ends that there are, by name."""
        return tuple((name, end) for name in _TESTS if (end := getattr(self, name)) is not None)

    def holds(self, value: float) -> bool:
        """Whether a number lies within."""
        return all(_TESTS[name](value, end) for name, end in self.ends)


class SizeBound(FrozenConfig):
    """Where a size has to lie; null for a unit means that the row doesn't speak of sizes measured so."""

    mm: Bound | None = None
    """Of the diameter."""
    mm3: Bound | None = None
    """Of the volume."""


class When(FrozenConfig):
    """Conditions, all of which have to hold."""

    count: Words[Count] | None = None
    texture: Words[Texture] | None = None
    size: SizeBound | None = None
    solid_size: SizeBound | None = None
    history: Words[SeenHistory] | None = None
    solid_history: Words[SolidHistory] | None = None
    form: Words[Form] | None = None
    cyst_change: Words[CystChange] | None = None
    prior_category: Words[PriorCategory] | None = None
    suspicious_features: bool | None = None
    proven_benign: bool | None = None
    agreement: Bound | None = None
    brock_percent: Bound | None = None
    doubling_days: Bound | None = None
    months_since_prior: Bound | None = None
    months_since_first: Bound | None = None
    risk: Words[Risk] | None = None
    age_years: Bound | None = None
    known_cancer: bool | None = None
    immunosuppressed: bool | None = None
    screening: bool | None = None
    volumetry: bool | None = None
    modality: Words[Modality] | None = None
    slice_mm: Bound | None = None
    prior_exam_pending: bool | None = None
    lungs_not_evaluable: bool | None = None
    infection_suspected: bool | None = None
    other_finding: bool | None = None
    new_lesion: bool | None = None
    sum_from_baseline_percent: Bound | None = None
    sum_from_nadir_percent: Bound | None = None
    sum_from_nadir_mm: Bound | None = None

    @model_validator(mode="after")
    def _any(self) -> Self:
        if not self.conditions:
            raise ValueError("at least one condition is needed")
        return self

    @cached_property
    def conditions(self) -> Mapping[str, Any]:
        """Those that there are, by the name of the fact."""
        return {name: found for name in type(self).model_fields if (found := getattr(self, name)) is not None}


Alternatives: TypeAlias = Annotated[
    tuple[When, ...],
    BeforeValidator(lambda given: [given] if isinstance(given, Mapping) else given),
    Field(min_length=1),
]


class DueRule(FrozenConfig):
    """When the next step is due."""

    months: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]
    """From, and to."""
    since: Literal["study", "first", "prior"] = "study"
    """Whether months are counted from this study, the first one, or the earlier one that sizes are compared with."""


class Row(FrozenConfig):
    """One row: the first whose conditions hold answers."""

    id: Text
    """Unique in its rule set."""
    when: Alternatives
    """Conditions; of several groups one has to hold."""
    category: Text
    """One of the rule set's categories."""
    management: Text
    """What is recommended."""
    due: DueRule | None = None
    """When; null when there is no next step, or none with a date."""
    cite: Text
    """Where it stands in the publication."""
    confirmed: bool = True
    """False switches it off: it withholds the answer rather than give one, since a later row would be wrong here."""
    why_off: str = ""
    """Why it is off."""

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if self.confirmed == bool(self.why_off):
            raise ValueError(f"row {self.id}: why_off belongs to a row that is not confirmed, and to no other")
        return self


class SizeRule(FrozenConfig):
    """How sizes are compared."""

    units: tuple[Unit, ...]
    """mm and mm3 where the rule set has both: the volume then decides when it was measured by volumetry, else the
    diameter."""
    diameter: Literal["mean", "long"] = "mean"
    """Mean of long and short axis, or the longest."""
    mm_decimals: Annotated[int, Field(ge=0)] | None = None
    """To which diameters are rounded, halves up, before they are compared; null doesn't round."""
    mm3_decimals: Annotated[int, Field(ge=0)] | None = None
    """The same of volumes."""


class GrowthRule(FrozenConfig):
    """What counts as growth; the same the other way is "smaller"."""

    unit: Literal["mm", "percent"]
    """Of the mean diameter, after rounding, in mm; or of the volume in percent."""
    change: Bound
    """How much larger it has to be."""
    within_months: Annotated[int, Field(ge=1)] | None = None
    """Within which time; over a longer one it may be slow growth instead, and which of both nobody can tell from two
    studies."""


class Excluding(FrozenConfig):
    """For whom, or for what, the rule set isn't."""

    when: When
    """The condition."""
    says: Text
    """What is then said."""
    assumed: Text = "not so"
    """What is taken to be so when nobody said."""


class Modifier(FrozenConfig):
    """A letter added to the category."""

    name: Text
    """The letter."""
    when: When
    """The condition."""
    says: Text
    """What it means."""


class Upgrade(FrozenConfig):
    """A category that takes the place of others."""

    to: Text
    """The category."""
    replaces: tuple[Text, ...]
    """Those that it takes the place of."""
    when: When
    """The condition."""
    management: Text
    """What is then recommended."""
    cite: Text
    """Where it stands in the publication."""


class RuleSet(FrozenConfig):
    """A guideline."""

    name: Text
    """As the command line calls it."""
    title: Text
    """In full."""
    version: Text
    """Of the publication."""
    citation: Text
    """Where it was published."""
    meant_for: Text
    """Whom it is for."""
    kind: Literal["follow-up", "measurability", "response"] = "follow-up"
    """What it answers: what to do about nodules, which lesions can be measured, how targets responded."""
    categories: tuple[Text, ...]
    """From the mildest to the most serious."""
    apart: tuple[Text, ...] = ()
    """Categories that have no place in that order."""
    size: SizeRule
    """How sizes are compared."""
    texture_below: Annotated[Mapping[str, float], *Frozen] = FrozenDict({"ground-glass": 7 / 3, "part-solid": 11 / 3})
    """Readers' ratings from 1 to 5 below which a nodule is ground glass, and else part-solid; the rest is solid."""
    counted: Literal["together", "by-texture", "not"] = "not"
    """How several nodules are counted: all, or the solid and the subsolid ones each for themselves."""
    months_decimals: Annotated[int, Field(ge=0)] | None = 0
    """To which months are rounded before they are compared."""
    growth: GrowthRule | None = None
    """What counts as growth; null when the rule set doesn't say."""
    recategorises: bool = False
    """A nodule that lies in a higher size row than before is judged by its size, grown or not."""
    assumed: Annotated[Mapping[str, str | bool | float], *Frozen] = FrozenDict()
    """What facts are taken to be when nobody said."""
    excluding: tuple[Excluding, ...] = ()
    """For whom it isn't."""
    leaves_out: tuple[Excluding, ...] = (
        Excluding(when=When(agreement=Bound(lt=0.5)), says="fewer than half of the readers call it a nodule"),
    )
    """Findings that don't count as nodules."""
    modifiers: tuple[Modifier, ...] = ()
    """Letters added to a category."""
    upgrades: tuple[Upgrade, ...] = ()
    """Categories that take the place of others."""
    notes: tuple[Text, ...] = ()
    """What a reader has to know."""
    rows: tuple[Row, ...]
    """The first that holds answers."""

    @field_validator("texture_below", mode="before")
    @classmethod
    def _fractions(cls, given: Any) -> Any:
        return {name: float(Fraction(str(end))) for name, end in given.items()} if isinstance(given, Mapping) else given

    @model_validator(mode="after")
    def _sound(self) -> Self:
        ids = [row.id for row in self.rows]
        if twice := sorted({one for one in ids if ids.count(one) > 1}):
            raise ValueError(f"rows have ids of their own, but {twice[0]} stands twice")
        known = {*self.categories, *self.apart}
        named = [*(row.category for row in self.rows), *(one for up in self.upgrades for one in (up.to, *up.replaces))]
        if strange := [one for one in named if one not in known]:
            raise ValueError(f"there is no category {strange[0]!r}")
        if strange := [name for name in self.assumed if name not in When.model_fields]:
            raise ValueError(f"there is no fact {strange[0]!r} to assume")
        for bound in (*self.bounds.get("size", ()), *self.bounds.get("solid_size", ())):
            others = {"mm", "mm3"}.difference(self.size.units)
            if not bound.model_fields_set.issuperset(self.size.units) or any(getattr(bound, one) for one in others):
                raise ValueError(f"each size says what it is in {' and '.join(self.size.units)}, null for not at all")
        return self

    def whens(self) -> Iterator[When]:
        """All conditions."""
        for row in self.rows:
            yield from row.when
        yield from (one.when for one in (*self.excluding, *self.leaves_out))
        yield from (one.when for one in self.modifiers)
        yield from (one.when for one in self.upgrades)

    @cached_property
    def bounds(self) -> Mapping[str, tuple[Any, ...]]:
        """All conditions by the name of their fact."""
        found: dict[str, tuple[Any, ...]] = {}
        for when in self.whens():
            for name, condition in when.conditions.items():
                found[name] = (*found.get(name, ()), condition)
        return found

    def rank(self, category: str) -> int:
        """How serious a category is; those without a place in the order before all others."""
        return self.categories.index(category) if category in self.categories else len(self.categories)

    @property
    def off(self) -> tuple[Row, ...]:
        """Rows that are switched off."""
        return tuple(row for row in self.rows if not row.confirmed)
