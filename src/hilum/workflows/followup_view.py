"""A follow-up in words and pictures, for its page."""

import math
from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np

from hilum.core import Advice, Figure, Mask, Nodule
from hilum.core.geometry import Triple
from hilum.followup.ct_tracks import Fate, MatchDecision, Matching, NoduleKey, Track
from hilum.followup.growth import has_grown
from hilum.report.ct_nodules import TEXTURES
from hilum.report.followup import FollowupView, PairGrowth, StudyLine
from hilum.report.growth import Appointment, Curve, Glance
from hilum.workflows.followup_glance import glance, side_for
from hilum.workflows.followup_growth import volume_at
from hilum.workflows.followup_match import Matched, name_of
from hilum.workflows.followup_nodules import CtStudy
from hilum.workflows.followup_record import FollowedUp, TrackGrowth

_NONE = "–"


def view_of(done: FollowedUp, provenance: Sequence[tuple[str, str]]) -> FollowupView:
    """All that the page shows; pictures are cut from the CTs here."""
    found, names = done.found, done.names()
    tracks = found.matching.tracks
    return FollowupView(
        title=f"Follow-up of {done.patient}" if done.patient else "Follow-up",
        lead=_lead(done),
        warnings=done.warnings,
        studies=[StudyLine(_study(one, number)) for number, one in enumerate(found.studies, start=1)],
        dates=[(one.ct.day, f"study {number}") for number, one in enumerate(found.studies, start=1)],
        due=list(_due(done)),
        registrations=[_registration(found, *pair) for pair in sorted(found.maps)],
        nodules=[(names[one.uid], _fate(found.matching, one), *_sizes(found, one)) for one in tracks],
        curves=[_curve(found, one, names[one.uid]) for one in tracks if len(one.nodules) > 1],
        glances=[(names[one.uid], _glances(found, one)) for one in tracks],
        changes=[_change(found, one, names) for one in done.growths],
        decisions=[
            (names[one.tracking_uid], *_ids(found, one), _decided(one), one.reason) for one in found.matching.decisions
        ],
        advice=[one.study for one in done.advice],
        by_nodule=[each for one in done.advice for each in sorted(one.nodules, key=_by_name)],
        not_compared=done.not_compared,
        provenance=provenance,
    )


def _lead(done: FollowedUp) -> str:
    found = done.found
    first, last = found.studies[0].ct.day, found.studies[-1].ct.day
    fates = [one.fate for one in found.matching.decisions if one.study == name_of(found.studies[-1])]
    counts = ", ".join(f"{fates.count(fate)} {fate}" for fate in Fate if fates.count(fate))
    grown = len({one.uid for one in done.growths if has_grown(one.growth)})
    words = f"; {grown} grew with a probability of 95 % or more" if done.growths else ""
    return (
        f"{len(found.studies)} CTs from {first} to {last} ({(last - first).days} days). Nodules at the last date: "
        f"{counts or 'none'}{words}."
    )


def _study(study: CtStudy, number: int) -> tuple[str, ...]:
    z, y, x = study.volume.geometry.spacing_zyx_mm
    how = "given" if study.is_given else "found"
    remarks = "; ".join((*study.ct.notes, *study.notes)) or _NONE
    slices = f"{len(study.volume.array)} of {z:g} mm, pixels {y:.2g} × {x:.2g} mm"
    return str(number), str(study.ct.day), study.ct.path.name, slices, f"{len(study.nodules)} {how}", remarks


def _due(done: FollowedUp) -> Iterator[Appointment]:
    for one in done.advice:
        due = one.study.due
        if due is not None and due.earliest is not None:
            yield Appointment(one.study.ruleset, due.earliest, due.latest or due.earliest)


def _registration(found: Matched, first: int, second: int) -> tuple[str, ...]:
    one = found.maps[first, second]
    figures = one.misfit
    remarks = "; ".join((*one.doubts, *one.notes)) or _NONE
    verdict = "fits" if one.converged else "doubted"
    return (
        f"study {first + 1}",
        f"study {second + 1}",
        verdict,
        f"{figures.dice:.3f}",
        f"{figures.apart_p95_mm:.1f} mm",
        remarks,
    )


def _fate(matching: Matching, track: Track) -> str:
    """What became of it at the last date that says something."""
    told = [one for one in matching.decisions if one.tracking_uid == track.uid]
    return str(told[-1].fate) if told else _NONE


def _ids(found: Matched, one: MatchDecision) -> tuple[str, str]:
    """Study and id, as corrections ask for them, of the earlier nodule and of the later."""
    earlier, later = (_id(found, key) for key in (one.prior, one.current))
    return earlier, later


def _id(found: Matched, key: NoduleKey | None) -> str:
    if key is None:
        return _NONE
    again = " (looked for again)" if key in found.seen_again else ""
    return f"study {found.number(key.study) + 1}, id {key.nodule}{again}"


def _decided(one: MatchDecision) -> str:
    return f"{one.fate}, doubtful" if one.doubtful else str(one.fate)


def _sizes(found: Matched, track: Track) -> Iterator[str]:
    for study in found.studies:
        nodule = _nodule(found, study, track)
        yield _NONE if nodule is None else _size(nodule, study)


def _size(nodule: Nodule, study: CtStudy) -> str:
    lengths = nodule.diameters_mm
    length = "" if lengths is None else f"{lengths.mean_mm:.1f} mm"
    volume = "" if study.is_thick else _volume_words(volume_at(study, nodule))
    texture = "" if nodule.texture is None else TEXTURES.get(nodule.texture, "")
    return ", ".join(one for one in (length, volume, texture) if one)


def _volume_words(figure: Figure) -> str:
    if math.isnan(figure.value):
        return ""
    interval = "" if math.isnan(figure.low) else f" ({figure.low:.0f}–{figure.high:.0f})"
    return f"{figure.value:.0f}{interval} mm³"


def _nodule(found: Matched, study: CtStudy, track: Track) -> Nodule | None:
    name = name_of(study)
    return found.nodule(NoduleKey(name, track.nodules[name])) if name in track.nodules else None


def _curve(found: Matched, track: Track, name: str) -> Curve:
    there = [(study, nodule) for study in found.studies if (nodule := _nodule(found, study, track)) is not None]
    days: list[date] = [study.ct.day for study, _ in there]
    return Curve(name, days, [volume_at(study, nodule) for study, nodule in there])


def _change(found: Matched, one: TrackGrowth, names: dict[str, str]) -> PairGrowth:
    days = [found.studies[found.number(key.study)].ct.day for key in (one.prior, one.current)]
    return PairGrowth(names[one.uid], days[0], days[1], one.growth)


def _glances(found: Matched, track: Track) -> list[Glance]:
    """The nodule at each date; where it isn't, the place where it would be."""
    nodules = [_nodule(found, study, track) for study in found.studies]
    lengths = [one.diameters_mm.long_axis_mm for one in nodules if one is not None and one.diameters_mm is not None]
    side = side_for(lengths)
    shown = []
    for number, (study, nodule) in enumerate(zip(found.studies, nodules, strict=True)):
        if nodule is not None and nodule.centre_lps_mm is not None:
            mask = Mask.of(study.mask(nodule.id), study.volume.geometry)
            words = f"{study.ct.day}\n{_size(nodule, study)}"
            shown.append(glance(study.volume, nodule.centre_lps_mm, side, words, mask))
            continue
        place = _expected(found, track, number)
        is_seen = place is not None and bool(study.volume.geometry.contains(place))
        if place is None or not is_seen:
            shown.append(Glance(f"{study.ct.day}\nnot covered"))
        else:
            shown.append(glance(study.volume, place, side, f"{study.ct.day}\nnot found at its place"))
    return shown


def _expected(found: Matched, track: Track, number: int) -> Triple | None:
    """Where a nodule would lie on a study, from the nearest one that has it, step by step."""
    known = [found.number(study) for study in track.nodules]
    start = min(known, key=lambda one: abs(one - number))
    nodule = _nodule(found, found.studies[start], track)
    if nodule is None or nodule.centre_lps_mm is None:
        return None
    place = np.array(nodule.centre_lps_mm, dtype=np.float64)[None]
    step = 1 if number > start else -1
    for at in range(start, number, step):
        pair = (at, at + 1) if step > 0 else (at - 1, at)
        place = found.maps[pair].to_current_mm(place) if step > 0 else found.maps[pair].to_prior_mm(place)
    if np.isnan(place).any():
        return None
    x, y, z = place[0].tolist()
    return x, y, z


def _by_name(advice: Advice) -> tuple[int, str]:
    """A to Z, then AA and so on."""
    return len(advice.nodule or ""), advice.nodule or ""
