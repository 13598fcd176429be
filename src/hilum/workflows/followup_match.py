"""Nodules of all dates brought together: matched through the registrations, and looked for where one has none."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hilum.core import InputError, Nodule
from hilum.core.geometry import Triple
from hilum.followup.ct_matching import match_nodules
from hilum.followup.ct_registration import CtRegistration
from hilum.followup.ct_tracks import DatedNodules, Fate, MatchDecision, Matching, NoduleKey, Override
from hilum.workflows.followup_nodules import CtStudy, looked_again
from hilum.workflows.predict_ct import CtReader

_NEAR_MM = 5.0
"""How far from its expected place the middle of a nodule that is looked for again may lie, beside the map's error."""


@dataclass(frozen=True, eq=False)
class Matched:
    """All CTs with their nodules, and which of these are one.

    Attributes:
        studies: the earliest first; some with nodules that were only seen when they were looked for.
        maps: registrations by numbers of the earlier and the later study.
        matching: tracks and decisions.
        seen_again: nodules that were found because another date has one there.
    """

    studies: tuple[CtStudy, ...]
    maps: Mapping[tuple[int, int], CtRegistration]
    matching: Matching
    seen_again: frozenset[NoduleKey]

    def number(self, study: str) -> int:
        """Of a study, by its name."""
        return next(number for number, one in enumerate(self.studies) if name_of(one) == study)

    def nodule(self, key: NoduleKey) -> Nodule:
        """By study and id."""
        return self.studies[self.number(key.study)].nodule(key.nodule)

    def names(self) -> dict[str, str]:
        """A short name of each track by its UID: A to Z, then AA and so on."""
        return {track.uid: _letters(at) for at, track in enumerate(self.matching.tracks)}


def name_of(study: CtStudy) -> str:
    """What a study is called where nodules are matched: the series' UID, else the hash of its files."""
    return study.ct.uid or study.ct.hash[:32]


def matched(
    studies: Sequence[CtStudy],
    maps: Mapping[tuple[int, int], CtRegistration],
    overrides: Sequence[Override],
    reader: CtReader,
    refused: Collection[NoduleKey] = (),
) -> Matched:
    """Match the nodules; where a CT has none at another one's place, and its nodules weren't given, look again.

    Args:
        studies: the earliest first.
        maps: of all neighbours.
        overrides: what a person has decided.
        reader: outlines what is looked for again.
        refused: what a person says is no nodule: left out, with what was only looked for because of it.

    Raises:
        InputError: a refused nodule isn't there.
    """
    found, again = list(studies), set[NoduleKey]()
    for decision in _match(found, maps, ()).decisions:
        where = _where(decision, found, maps)
        if where is None:
            continue
        number, point, within = where
        seen = None if found[number].is_given else looked_again(found[number], point, within, reader)
        if seen is not None:
            found[number] = seen
            again.add(NoduleKey(name_of(seen), seen.nodules[-1].id))
    if refused:  # only now, so that ids don't depend on it
        _require_there(refused, found)
        left_out = {*refused, *_because_of(refused, _match(found, maps, ()), again)}
        found = [_without(one, left_out) for one in found]
        again -= left_out
    return Matched(tuple(found), maps, _match(found, maps, overrides), frozenset(again))


def _require_there(refused: Collection[NoduleKey], studies: Sequence[CtStudy]) -> None:
    for number, study in enumerate(studies, start=1):
        there = [one.id for one in study.nodules]
        for key in refused:
            if key.study == name_of(study) and key.nodule not in there:
                raise InputError(
                    f"a correction names nodule {key.nodule} of study {number}, which is not there.",
                    f"The study's nodules are: {', '.join(there) or 'none'}.",
                )


def _because_of(refused: Collection[NoduleKey], matching: Matching, again: Collection[NoduleKey]) -> set[NoduleKey]:
    """What was looked for again where all that was seen without looking again is no nodule."""
    found = set[NoduleKey]()
    for track in matching.tracks:
        keys = {NoduleKey(study, nodule) for study, nodule in track.nodules.items()}
        first = keys - set(again)
        if first and first <= set(refused):
            found |= keys & set(again)
    return found


def _without(study: CtStudy, left_out: Collection[NoduleKey]) -> CtStudy:
    kept = tuple(one for one in study.nodules if NoduleKey(name_of(study), one.id) not in left_out)
    return replace(study, nodules=kept)


def _match(
    studies: Sequence[CtStudy], maps: Mapping[tuple[int, int], CtRegistration], overrides: Sequence[Override]
) -> Matching:
    dates = [DatedNodules(name_of(one), one.nodules) for one in studies]
    return match_nodules(dates, maps, overrides=overrides)


def _where(
    decision: MatchDecision, studies: Sequence[CtStudy], maps: Mapping[tuple[int, int], CtRegistration]
) -> tuple[int, Triple, float] | None:
    """In which study, and where, a nodule without a partner is to be looked for again."""
    names = [name_of(one) for one in studies]
    later = names.index(decision.study)
    if decision.fate is Fate.GONE and decision.prior is not None:
        earlier = names.index(decision.prior.study)
        if (earlier, later) not in maps:
            return None
        centre = _centre(studies[earlier].nodule(decision.prior.nodule))
        there = maps[earlier, later].to_current_mm(centre[None])[0]
        return later, _point(there), _NEAR_MM + float(maps[earlier, later].error_mm(centre[None])[0])
    if decision.fate is Fate.NEW and decision.current is not None and (later - 1, later) in maps:
        centre = _centre(studies[later].nodule(decision.current.nodule))
        there = maps[later - 1, later].to_prior_mm(centre[None])[0]
        if np.isnan(there).any():
            return None
        return later - 1, _point(there), _NEAR_MM + float(maps[later - 1, later].error_mm(there[None])[0])
    return None


def _centre(nodule: Nodule) -> np.ndarray:
    return np.array(nodule.centre_lps_mm, dtype=np.float64)


def _point(place: np.ndarray) -> Triple:
    x, y, z = place.tolist()
    return x, y, z


def _letters(number: int) -> str:
    name = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name
