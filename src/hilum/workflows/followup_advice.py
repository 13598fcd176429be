"""What rule sets say about the latest CT of a follow-up, with the earlier ones known."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

from hilum.core import Nodule, StudyAdvice
from hilum.core.growth import Growth, GrowthQuantity
from hilum.followup.ct_tracks import Fate, NoduleKey, Track
from hilum.followup.growth import has_grown
from hilum.followup.guidelines import NoduleFacts, RuleSet, StudyFacts, advise, ruleset
from hilum.followup.guidelines.facts import PriorCategory, facts_of
from hilum.workflows.followup_match import Matched, name_of
from hilum.workflows.followup_measured import SOLID_MM
from hilum.workflows.followup_record import TrackGrowth

DERIVED = "categories of earlier studies are those that it gives to the earlier CTs, as they were measured here"
_NOT_GROWN = ("stable", "smaller", "not grown")


@dataclass(frozen=True)
class AdviceWanted:
    """Whose advice is asked for.

    Attributes:
        rulesets: by name.
        facts: of the patient and the study, as `StudyFacts` calls them; they go over what the studies say.
        nodule_facts: of nodules of the latest study by id, as `NoduleFacts` calls them; they go over what was measured.

    Raises:
        ConfigError: there is no such rule set.
    """

    rulesets: tuple[str, ...] = ("fleischner-2017", "lung-rads-2022")
    facts: Mapping[str, object] = field(default_factory=dict)
    nodule_facts: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.rulesets:
            ruleset(name)


@dataclass(frozen=True, eq=False)
class _Known:
    """All that advice is made of.

    Attributes:
        found: nodules of all dates.
        growths: by the nodule's earlier and later place.
        names: of tracks, by UID; rule sets call the nodules by them.
        wanted: see there.
    """

    found: Matched
    growths: Mapping[tuple[NoduleKey, NoduleKey], Growth]
    names: Mapping[str, str]
    wanted: AdviceWanted


def advice_on(
    found: Matched, growths: Sequence[TrackGrowth], names: Mapping[str, str], wanted: AdviceWanted
) -> tuple[StudyAdvice, ...]:
    """What each rule set says.

    A nodule's history is left to the rule set, which derives it from both sizes by its own rounding; only what is new
    at a place that an earlier CT shows is called new here. Both sizes are those that growth was told from.

    Args:
        found: nodules of all dates.
        growths: of pairs of dates.
        names: of tracks, by UID.
        wanted: whose advice.

    Raises:
        ConfigError: there is no such rule set, or a fact can't be.
    """
    known = _Known(found, {(one.prior, one.current): one.growth for one in growths}, names, wanted)
    return tuple(_by(ruleset(one), known) for one in wanted.rulesets)


def unlike_growth(
    advice: Sequence[StudyAdvice], growths: Sequence[TrackGrowth], names: Mapping[str, str], latest: str
) -> Iterator[str]:
    """Where a nodule has grown by its volume and a rule set doesn't call it growth: one sentence each.

    Args:
        advice: of the latest study.
        growths: of pairs of dates.
        names: of tracks, by UID.
        latest: what the latest study is called where nodules are matched.
    """
    for one in growths:
        if one.current.study != latest or not has_grown(one.growth):
            continue
        change = one.growth.change(GrowthQuantity.VOLUME)
        words = "" if change is None else f" by {change.percent.value:.0f} %"
        likely = f"a probability of {100 * one.growth.probability_of_growth:.0f} %"
        for study in advice:
            told = next((each for each in study.nodules if each.nodule == names[one.uid]), None)
            history = "" if told is None else told.used.get("history", "")
            if history.startswith(_NOT_GROWN):
                yield (
                    f"Nodule {names[one.uid]} grew{words} with {likely}, and to {study.study.ruleset} it is {history}: "
                    "its own rule of growth asks for more."
                )


def _by(rules: RuleSet, known: _Known) -> StudyAdvice:
    """Of the latest study; of all of them in turn where the rows ask for the earlier study's category."""
    last = len(known.found.studies) - 1
    asks = any("prior_category" in when.conditions for row in rules.rows for when in row.when)
    categories: dict[str, str] = {}
    for at in range(0 if asks else last, last):
        answers = advise(rules, list(_nodules(known, at, categories)), _study(known, at)).nodules
        categories = {one.nodule: one.category for one in answers if one.nodule and one.category}
    said = advise(rules, list(_nodules(known, last, categories)), _study(known, last))
    if not categories:
        return said
    return replace(said, study=replace(said.study, notes=(*said.study.notes, DERIVED)))


def _nodules(known: _Known, at: int, categories: Mapping[str, str]) -> Iterator[NoduleFacts]:
    found = known.found
    study = name_of(found.studies[at])
    new = {one.current for one in found.matching.decisions if one.fate is Fate.NEW and one.study == study}
    is_last = at == len(found.studies) - 1
    for nodule in found.studies[at].nodules:
        key = NoduleKey(study, nodule.id)
        track = found.matching.of(key)
        name = known.names[track.uid]
        facts: dict[str, object] = {"id": name, "first_date": found.studies[_first(found, track)].ct.day}
        if key in new:
            facts["history"] = "new"
        if categories.get(name) in get_args(PriorCategory):
            facts["prior_category"] = categories[name]
        prior = _before(found, track, at)
        growth = None if prior is None else known.growths.get((prior, key))
        if prior is not None and growth is not None:
            facts |= _sizes(growth) | {"prior_date": found.studies[found.number(prior.study)].ct.day}
        facts |= _solid(nodule, None if prior is None or growth is None else found.nodule(prior))
        yield facts_of(nodule, facts | dict(known.wanted.nodule_facts.get(nodule.id, {}) if is_last else {}))


def _first(found: Matched, track: Track) -> int:
    """The first study that shows it, or what it fell off."""
    whole = next((one for one in found.matching.tracks if one.uid == track.split_from), track)
    return min(found.number(study) for one in (track, whole) for study in one.nodules)


def _before(found: Matched, track: Track, at: int) -> NoduleKey | None:
    """Where it was last seen before a study."""
    seen = [(found.number(study), NoduleKey(study, nodule)) for study, nodule in track.nodules.items()]
    earlier = [one for one in seen if one[0] < at]
    return max(earlier)[1] if earlier else None


def _solid(nodule: Nodule, prior: Nodule | None) -> dict[str, object]:
    """Of a part-solid nodule, as far as it was measured."""
    part, lengths = nodule.characteristics.get(SOLID_MM), nodule.diameters_mm
    if part is None or lengths is None:
        return {}
    before = None if prior is None else prior.characteristics.get(SOLID_MM)
    return {"solid_mean_diameter_mm": min(part, lengths.mean_mm), "prior_solid_mean_diameter_mm": before}


def _sizes(growth: Growth) -> dict[str, object]:
    """Now and before, as growth was told from; where that was refused, rule sets aren't told of a change either."""
    sizes: dict[str, object] = {}
    for quantity, name in ((GrowthQuantity.VOLUME, "volume_mm3"), (GrowthQuantity.MEAN_DIAMETER, "mean_diameter_mm")):
        change = growth.change(quantity)
        if change is not None and change.prior > 0 and change.current > 0:
            sizes |= {name: change.current, f"prior_{name}": change.prior}
    longest = growth.change(GrowthQuantity.LONG_AXIS)
    if longest is not None:
        sizes["long_axis_mm"] = longest.current
    if 0 < growth.doubling.days < float("inf"):
        sizes["doubling_days"] = growth.doubling.days
    return sizes


def _study(known: _Known, at: int) -> StudyFacts:
    studies = known.found.studies
    told: dict[str, object] = {
        "date": studies[at].ct.day,
        "prior_date": studies[at - 1].ct.day if at else None,
        "modality": "ct",
        "slice_mm": studies[at].slice_mm,
        "volumetry": not any(one.is_thick for one in studies[max(at - 1, 0) : at + 1]),
    }
    facts = {name: value for name, value in known.wanted.facts.items() if value is not None}
    return StudyFacts.of(told | facts, "the follow-up")
