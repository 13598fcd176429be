"""What rule sets say about the latest CT of a follow-up, with the earlier ones known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hilum.core import Nodule, StudyAdvice
from hilum.followup.ct_tracks import Fate, NoduleKey, Track
from hilum.followup.guidelines import NoduleFacts, StudyFacts, advise, ruleset
from hilum.followup.guidelines.facts import facts_of
from hilum.measure import is_thick
from hilum.workflows.followup_match import Matched, name_of


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


def advice_on(found: Matched, wanted: AdviceWanted) -> tuple[StudyAdvice, ...]:
    """What each rule set says.

    A nodule's history is left to the rule set, which derives it from both sizes by its own rounding; only what is new
    at a place that an earlier CT shows is called new here.

    Raises:
        ConfigError: there is no such rule set, or a fact can't be.
    """
    latest = found.studies[-1]
    name = name_of(latest)
    new = {one.current for one in found.matching.decisions if one.fate is Fate.NEW and one.study == name}
    nodules = [
        _facts(found, NoduleKey(name, one.id), one, is_new=NoduleKey(name, one.id) in new, more=wanted.nodule_facts)
        for one in latest.nodules
    ]
    study = _study(found, wanted.facts)
    return tuple(advise(ruleset(one), nodules, study) for one in wanted.rulesets)


def _facts(
    found: Matched, key: NoduleKey, nodule: Nodule, *, is_new: bool, more: Mapping[str, Mapping[str, object]]
) -> NoduleFacts:
    known: dict[str, object] = {"history": "new"} if is_new else {}
    prior = _prior(found, key)
    if prior is not None and prior.diameters_mm is not None:
        known["prior_mean_diameter_mm"] = prior.diameters_mm.mean_mm
    if prior is not None and prior.volume_mm3 is not None and nodule.volume_mm3 is not None:
        known["prior_volume_mm3"] = prior.volume_mm3
    return facts_of(nodule, known | dict(more.get(nodule.id, {})))


def _prior(found: Matched, key: NoduleKey) -> Nodule | None:
    """The same nodule on the study just before, with which rule sets compare; None where it isn't there."""
    before = name_of(found.studies[-2])
    track: Track = found.matching.of(key)
    return found.nodule(NoduleKey(before, track.nodules[before])) if before in track.nodules else None


def _study(found: Matched, facts: Mapping[str, object]) -> StudyFacts:
    days = [one.ct.day for one in found.studies]
    are_thin = all(not is_thick(one.volume.geometry) for one in found.studies[-2:])
    told: dict[str, object] = {
        "date": days[-1],
        "prior_date": days[-2],
        "first_date": _first_seen(found),
        "modality": "ct",
        "slice_mm": max(found.studies[-1].volume.geometry.spacing_zyx_mm),
        "volumetry": are_thin,
    }
    return StudyFacts.of(told | {name: value for name, value in facts.items() if value is not None}, "the follow-up")


def _first_seen(found: Matched) -> object:
    """The day of the first study with a nodule that the latest one has, too; that of the latest where none has."""
    latest = name_of(found.studies[-1])
    seen: Sequence[int] = [
        min(found.number(study) for study in track.nodules)
        for track in found.matching.tracks
        if latest in track.nodules
    ]
    return found.studies[min(seen, default=len(found.studies) - 1)].ct.day
