"""Facts as a rule set compares them: rounded by its own rule, growth by its own definition, open where nobody said."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, get_args

from hilum.followup.guidelines.facts import (
    DAYS_A_MONTH,
    Count,
    CystChange,
    Form,
    History,
    Modality,
    NoduleFacts,
    PriorCategory,
    Risk,
    SolidHistory,
    StudyFacts,
    Texture,
    doubling_days,
)
from hilum.followup.guidelines.rules import Bound, RuleSet, SizeBound, Unit, When
from hilum.measure import half_up


@dataclass(frozen=True)
class Sized:
    """A size as it is compared.

    Attributes:
        unit: mm or mm3.
        value: after the rule set's rounding.
        measured: before it.
    """

    unit: Unit
    value: float
    measured: float


@dataclass(frozen=True)
class Open:
    """A fact that nobody gave, with all that it can be."""

    options: tuple["Value", ...]


Value: TypeAlias = str | bool | float | Sized | Open
Facts: TypeAlias = Mapping[str, Value]

WORDS: Mapping[str, tuple[str, ...]] = {
    "count": get_args(Count),
    "texture": get_args(Texture),
    "history": (*get_args(History), "crossed"),
    "solid_history": get_args(SolidHistory),
    "form": get_args(Form),
    "cyst_change": get_args(CystChange),
    "prior_category": get_args(PriorCategory),
    "risk": get_args(Risk),
    "modality": get_args(Modality),
}
"""What facts that are words can be."""

SIZES = ("size", "solid_size")
_FINE = 0.01
"""Step on either side of a switch, where sizes aren't rounded."""


def compared(rules: RuleSet, nodule: NoduleFacts, study: StudyFacts, count: Count | None) -> dict[str, Value]:
    """Every fact of `When`, as this rule set compares it, but for history, which may need a look-up of its own.

    Args:
        rules: the rule set.
        nodule: the nodule.
        study: its study.
        count: how many nodules count; None where that can't be told.
    """
    told = {
        **{name: getattr(nodule, name) for name in NoduleFacts.model_fields if name in When.model_fields},
        **{name: getattr(study, name) for name in StudyFacts.model_fields if name in When.model_fields},
        "count": count,
        "texture": texture_of(rules, nodule),
        "size": _size(rules, study, (nodule.mean_diameter_mm, nodule.long_axis_mm), nodule.volume_mm3),
        "solid_size": _size(
            rules, study, (nodule.solid_mean_diameter_mm, nodule.solid_mean_diameter_mm), nodule.solid_volume_mm3
        ),
        "doubling_days": nodule.doubling_days or _doubling(nodule, study),
        "months_since_prior": _months(rules, study.days_since_prior),
        "months_since_first": _rounded(study.months_known, rules.months_decimals),
        **_sums(study),
    }
    return {name: _or_open(rules, name, told.get(name)) for name in When.model_fields}


def texture_of(rules: RuleSet, nodule: NoduleFacts) -> str | None:
    """The nodule's texture as a word; a rating goes by the rule set's bounds."""
    if nodule.texture is None or isinstance(nodule.texture, str):
        return nodule.texture
    rating = nodule.texture
    return next((word for word, end in rules.texture_below.items() if rating < end), "solid")


def earlier(nodule: NoduleFacts) -> NoduleFacts | None:
    """The nodule with the sizes that it had in the earlier study; None when nobody said."""
    if nodule.prior_mean_diameter_mm is None and nodule.prior_volume_mm3 is None:
        return None
    before: dict[str, object] = {
        "mean_diameter_mm": nodule.prior_mean_diameter_mm,
        "long_axis_mm": nodule.prior_mean_diameter_mm,
        "volume_mm3": nodule.prior_volume_mm3,
        "solid_mean_diameter_mm": nodule.prior_solid_mean_diameter_mm,
        "solid_volume_mm3": nodule.prior_solid_volume_mm3,
        "texture": nodule.texture,
        "form": nodule.form,
    }
    return NoduleFacts.of(before)


def history_by_size(rules: RuleSet, nodule: NoduleFacts, study: StudyFacts) -> Value | None:
    """Stable, smaller or grown, by the rule set's own definition; None without earlier sizes, open where untold."""
    if earlier(nodule) is None:
        return None
    change = _change(rules, nodule.mean_diameter_mm, nodule.prior_mean_diameter_mm, nodule)
    if change is None or rules.growth is None:
        return Open(("stable", "smaller", "growing"))
    if rules.growth.change.holds(-change):
        return "smaller"
    if not rules.growth.change.holds(change):
        return "stable"
    months, within = _months(rules, study.days_since_prior), rules.growth.within_months
    if within is None or (months is not None and months <= within):
        return "growing"
    return Open(("growing", "slowly-growing"))


def solid_history_of(rules: RuleSet, nodule: NoduleFacts, facts: Facts) -> Value:
    """What became of the solid part; open where the nodule grew and nobody said whether that part did."""
    if nodule.solid_history is not None:
        return nodule.solid_history
    now, before = nodule.solid_mean_diameter_mm, nodule.prior_solid_mean_diameter_mm
    if rules.growth and rules.growth.unit == "mm" and now is not None and before is not None:
        change = _difference(rules, now, before)
        return "growing" if rules.growth.change.holds(change) else "stable"
    if facts["texture"] == "part-solid" and facts["history"] in ("growing", "slowly-growing"):
        return Open(WORDS["solid_history"])
    return "stable"


def probes(rules: RuleSet, name: str, unit: Unit | None = None) -> tuple[float, ...]:
    """One number from each stretch between a numeric fact's switches, and the switches themselves, ascending.

    Args:
        rules: the rule set.
        name: of the fact.
        unit: of a size.
    """
    step = _step(rules, name, unit)
    ends = {end for bound in _of_unit(rules, name, unit) for _, end in bound.ends}
    near = {round(end + side * step, 6) for end in ends for side in (-1, 0, 1)}
    signed = name.startswith("sum_")
    return tuple(sorted(value for value in near if signed or value > 0 or (value == 0 and name not in SIZES)))


def switches(rules: RuleSet, name: str, unit: Unit | None = None) -> tuple[float, ...]:
    """Where a numeric fact's rows begin and end, ascending."""
    return tuple(sorted({end for bound in _of_unit(rules, name, unit) for _, end in bound.ends}))


def _of_unit(rules: RuleSet, name: str, unit: Unit | None) -> tuple[Bound, ...]:
    found = [getattr(one, unit or "mm") if isinstance(one, SizeBound) else one for one in rules.bounds.get(name, ())]
    return tuple(one for one in found if isinstance(one, Bound))


def _step(rules: RuleSet, name: str, unit: Unit | None) -> float:
    decimals = {"mm": rules.size.mm_decimals, "mm3": rules.size.mm3_decimals}.get(unit or "")
    if name.startswith("months"):
        decimals = rules.months_decimals
    return _FINE if decimals is None else 10.0**-decimals


def _or_open(rules: RuleSet, name: str, value: Value | None) -> Value:
    """The value; else what is assumed; else all that it could be."""
    if value is not None:
        return value
    if name in rules.assumed:
        return rules.assumed[name]
    return Open(options(rules, name))


def options(rules: RuleSet, name: str) -> tuple[Value, ...]:
    """All that a fact can be, as far as the rule set can tell it apart."""
    if name in WORDS:
        return tuple(word for word in WORDS[name] if not (name == "count" and word == "none"))
    if name in SIZES:
        unit = rules.size.units[0]
        return tuple(Sized(unit, value, value) for value in probes(rules, name, unit))
    return probes(rules, name) or (True, False)


def _size(rules: RuleSet, study: StudyFacts, lengths: tuple[float | None, ...], volume: float | None) -> Sized | None:
    """The size that decides: the volume where volumetry measured it, else the diameter, else what there is."""
    length = lengths[rules.size.diameter == "long"]
    known: dict[Unit, Sized] = {}
    if length is not None and "mm" in rules.size.units:
        known["mm"] = Sized("mm", _rounded(length, rules.size.mm_decimals) or 0.0, length)
    if volume is not None and "mm3" in rules.size.units:
        known["mm3"] = Sized("mm3", _rounded(volume, rules.size.mm3_decimals) or 0.0, volume)
    first: tuple[Unit, Unit] = ("mm3", "mm") if study.volumetry else ("mm", "mm3")
    return next((known[unit] for unit in first if unit in known), None)


def _rounded(value: float | None, decimals: int | None) -> float | None:
    return value if value is None or decimals is None else half_up(value, decimals)


def _months(rules: RuleSet, days: float | None) -> float | None:
    return None if days is None else _rounded(days / DAYS_A_MONTH, rules.months_decimals)


def _change(rules: RuleSet, now: float | None, before: float | None, nodule: NoduleFacts) -> float | None:
    if rules.growth is None:
        return None
    if rules.growth.unit == "mm":
        return None if now is None or before is None else _difference(rules, now, before)
    larger, smaller = nodule.volume_mm3, nodule.prior_volume_mm3
    return None if larger is None or smaller is None else _percent(larger - smaller, smaller)


def _difference(rules: RuleSet, now: float, before: float) -> float:
    """Between two rounded lengths; binary numbers can't say 1.5, so the difference is rounded off, too."""
    rounded = [_rounded(one, rules.size.mm_decimals) or 0.0 for one in (now, before)]
    return round(rounded[0] - rounded[1], 6)


def _doubling(nodule: NoduleFacts, study: StudyFacts) -> float | None:
    now, before, days = nodule.volume_mm3, nodule.prior_volume_mm3, study.days_since_prior
    return None if now is None or before is None or days is None else doubling_days(before, now, days)


def _sums(study: StudyFacts) -> dict[str, float | None]:
    """Change of the sum of target lesions, in percent of baseline and nadir, and in mm; RECIST 1.1."""
    now, baseline, nadir = study.sum_mm, study.baseline_sum_mm, study.nadir_sum_mm
    from_nadir = None if now is None or nadir is None else round(now - nadir, 6)
    return {
        "sum_from_baseline_percent": None if now is None or baseline is None else _percent(now - baseline, baseline),
        "sum_from_nadir_mm": from_nadir,
        "sum_from_nadir_percent": None if from_nadir is None or nadir is None else _percent(from_nadir, nadir),
    }


def _percent(change: float, whole: float) -> float:
    """Rounded off where binary numbers can't say it; infinite from nothing."""
    if not whole:
        return math.inf if change else 0.0
    return round(100 * change / whole, 6)
