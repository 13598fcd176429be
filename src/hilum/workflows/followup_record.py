"""`followup.json`: what a follow-up found, for programs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from hilum.core import Advice, Figure, StudyAdvice
from hilum.core.growth import Change, Growth, GrowthQuantity
from hilum.followup.ct_landmarks import LandmarkError
from hilum.followup.ct_tracks import Fate, MatchDecision, NoduleKey, Track
from hilum.followup.growth import ASKED_DAYS, POWER, has_grown
from hilum.io.nodules_file import record
from hilum.workflows.followup_folder import SCHEMA
from hilum.workflows.followup_match import Matched
from hilum.workflows.followup_nodules import CtStudy
from hilum.workflows.guideline import DISCLAIMER


@dataclass(frozen=True)
class TrackGrowth:
    """How a nodule changed between two of its dates.

    Attributes:
        uid: of the nodule over all dates.
        prior: the earlier one.
        current: the later one.
        growth: what was measured.
    """

    uid: str
    prior: NoduleKey
    current: NoduleKey
    growth: Growth


@dataclass(frozen=True)
class FollowedUp:
    """All that a follow-up found.

    Attributes:
        patient: whose; "" when nobody says.
        found: CTs, registrations, nodules and which are one.
        growths: of neighbouring dates, and of the first and last one of more than two.
        advice: by rule set, for the latest study.
        warnings: what limits it, one sentence each.
        not_compared: what wasn't compared, and why.
        corrections: as `Corrections.plain` gives them.
        landmarks: how far off registrations are, by numbers of both studies.
    """

    patient: str
    found: Matched
    growths: tuple[TrackGrowth, ...]
    advice: tuple[StudyAdvice, ...]
    warnings: tuple[str, ...]
    not_compared: tuple[str, ...]
    corrections: dict[str, object]
    landmarks: Mapping[tuple[int, int], LandmarkError] = field(default_factory=dict)

    def names(self) -> dict[str, str]:
        """A short name of each track by its UID."""
        return self.found.names()


def followup_record(done: FollowedUp) -> dict[str, Any]:
    """As it stands in the file."""
    found, names = done.found, done.names()
    return {
        "schema": SCHEMA,
        "disclaimer": DISCLAIMER,
        "patient": done.patient or None,
        "studies": [_study(one, number) for number, one in enumerate(found.studies, start=1)],
        "registration": [_registration(done, pair) for pair in sorted(found.maps)],
        "nodules": [_nodule(found, track, names) for track in found.matching.tracks],
        "pairs": [_pair(done, one, names) for one in done.growths],
        "new": _of_fate(done, Fate.NEW, names),
        "gone": _of_fate(done, Fate.GONE, names),
        "decisions": [_decision(done, one, names) for one in found.matching.decisions],
        "advice": [_advice(one) for one in done.advice],
        "warnings": done.warnings,
        "not_compared": done.not_compared,
        "corrections": done.corrections,
    }


def _study(study: CtStudy, number: int) -> dict[str, Any]:
    return {
        "id": str(number),
        "date": study.ct.day,
        "file": study.ct.path.name,
        "patient": study.ct.patient,
        "series_uid": study.ct.uid,
        "sha256": study.ct.hash,
        "synthetic": study.ct.is_synthetic,
        "spacing_zyx_mm": study.volume.geometry.spacing_zyx_mm,
        "nodules_are": "given" if study.is_given else "found",
        "nodules": [record(one) for one in study.nodules],
        "notes": (*study.ct.notes, *study.notes),
    }


def _registration(done: FollowedUp, pair: tuple[int, int]) -> dict[str, Any]:
    one, landmarks = done.found.maps[pair], done.landmarks.get(pair)
    return {
        "prior": str(pair[0] + 1),
        "current": str(pair[1] + 1),
        "method": "rigid, affine, then demons on both lungs, both ways",
        "converged": one.converged,
        "error_mm": one.misfit.apart_p95_mm,
        **one.misfit.figures(),
        "doubts": one.doubts,
        "landmarks": None if landmarks is None else asdict(landmarks),
    }


def _nodule(found: Matched, track: Track, names: dict[str, str]) -> dict[str, Any]:
    return {
        "name": names[track.uid],
        "tracking_uid": track.uid,
        "seen": {str(found.number(study) + 1): nodule for study, nodule in track.nodules.items()},
        "merged_into": names.get(track.merged_into or ""),
        "split_from": names.get(track.split_from or ""),
    }


def _pair(done: FollowedUp, one: TrackGrowth, names: dict[str, str]) -> dict[str, Any]:
    growth = one.growth
    volume = growth.change(GrowthQuantity.VOLUME)
    return {
        "nodule": names[one.uid],
        "tracking_uid": one.uid,
        "prior_study": str(done.found.number(one.prior.study) + 1),
        "current_study": str(done.found.number(one.current.study) + 1),
        "prior_id": one.prior.nodule,
        "current_id": one.current.nodule,
        "interval_days": growth.interval_days,
        "volume_change_percent": None if volume is None else _figure(volume.percent),
        "doubling_days": {
            "value": growth.doubling.days,
            "low": growth.doubling.shortest_days,
            "high": growth.doubling.longest_days,
            "halving": growth.doubling.halving_days,
            "can_be_none": growth.doubling.can_be_none,
        },
        "doublings_a_year": _figure(growth.doublings_a_year),
        "probability_of_growth": growth.probability_of_growth,
        "has_grown": has_grown(growth),
        "probability_of_25_percent": growth.probability_of_quarter,
        "least_detectable_percent": growth.least_detectable_percent,
        "told_after_days": {"doubling_days": ASKED_DAYS, "power": POWER, "value": growth.told_after_days},
        "changes": [
            {"quantity": change.quantity, "prior": change.prior, "current": change.current, **_both(change)}
            for change in growth.changes
        ],
        "notes": growth.notes,
    }


def _both(change: Change) -> dict[str, object]:
    return {"difference": _figure(change.difference), "percent": _figure(change.percent)}


def _figure(figure: Figure) -> dict[str, float]:
    return {"value": figure.value, "low": figure.low, "high": figure.high}


def _of_fate(done: FollowedUp, fate: Fate, names: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "nodule": names[one.tracking_uid],
            "study": str(done.found.number(one.study) + 1),
            "id": (one.current or one.prior or NoduleKey("", "")).nodule,
            "reason": one.reason,
            "doubtful": one.doubtful,
        }
        for one in done.found.matching.decisions
        if one.fate is fate
    ]


def _decision(done: FollowedUp, one: MatchDecision, names: dict[str, str]) -> dict[str, Any]:
    return {
        "nodule": names[one.tracking_uid],
        "study": str(done.found.number(one.study) + 1),
        "fate": one.fate,
        "prior": _where(done.found, one.prior),
        "current": _where(done.found, one.current),
        "reason": one.reason,
        "distance_mm": None if one.likeness is None else one.likeness.distance_mm,
        "doubtful": one.doubtful,
        "by_hand": one.by_hand,
        "looked_again": one.current in done.found.seen_again or one.prior in done.found.seen_again,
    }


def _where(found: Matched, key: NoduleKey | None) -> dict[str, str] | None:
    return None if key is None else {"study": str(found.number(key.study) + 1), "nodule": key.nodule}


def _advice(one: StudyAdvice) -> dict[str, Any]:
    nodules = [_plain(each) for each in one.nodules]
    return {**_plain(one.study), "nodules": nodules, "left_out": one.left_out}


def _plain(advice: Advice) -> dict[str, Any]:
    return {each.name: getattr(advice, each.name) for each in fields(advice)}
