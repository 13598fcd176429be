"""How each nodule of a follow-up changed between its dates, measured on both CTs at once."""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from hilum.core import Figure, MeasureError, Nodule
from hilum.core.growth import Growth
from hilum.followup.ct_tracks import NoduleKey, Track
from hilum.followup.growth import AtDate, HowSure, growth
from hilum.followup.volume_change import VolumeChange, volume_change
from hilum.followup.volume_error import Method, ScanFacts, comparability, volume_error, volume_interval
from hilum.infer.ct_nodules import SOLID_SHARE
from hilum.measure import diameters, equivalent_diameter_mm, is_part_solid
from hilum.measure.partial_volume import Edge
from hilum.workflows.followup_match import Matched
from hilum.workflows.followup_nodules import CtStudy
from hilum.workflows.followup_record import TrackGrowth

SOFTWARE = "hilum"
"""Measures all volumes, whoever has outlined the nodules."""


def growths_of(found: Matched, not_compared: list[str], names: dict[str, str]) -> tuple[TrackGrowth, ...]:
    """Of neighbouring dates of each nodule, and of its first and last one where there are more.

    Args:
        found: nodules of all dates.
        not_compared: takes a sentence for each pair that can't be compared.
        names: short ones, of tracks.
    """
    measured = []
    for track in found.matching.tracks:
        for prior, current in _pairs(track):
            try:
                measured.append(TrackGrowth(track.uid, prior, current, _growth(found, prior, current)))
            except MeasureError as error:
                days = [found.studies[found.number(one.study)].ct.day for one in (prior, current)]
                not_compared.append(f"Nodule {names[track.uid]}, {days[0]} and {days[1]}: {error.message}")
    return tuple(measured)


def volume_at(study: CtStudy, nodule: Nodule) -> Figure:
    """A nodule's volume with its interval; NaN where slices are too thick for one."""
    if nodule.volume_mm3 is None:
        return Figure("volume_mm3", math.nan)
    spread = volume_error().single.get(Method.ALONE)
    if spread is None:
        return Figure("volume_mm3", nodule.volume_mm3)
    facts = scan_facts(study)
    diameter = equivalent_diameter_mm(nodule.volume_mm3)
    return volume_interval(
        nodule.volume_mm3, spread, comparability(facts, facts).subject(diameter, facts.slice_mm, nodule.texture)
    )


def scan_facts(study: CtStudy) -> ScanFacts:
    """How a study was made, as far as anybody knows."""
    made = study.ct.made
    return ScanFacts(study.slice_mm, made.kernel, made.scanner, made.contrast, SOFTWARE, study.outlined_by)


def _pairs(track: Track) -> Iterator[tuple[NoduleKey, NoduleKey]]:
    keys = [NoduleKey(study, nodule) for study, nodule in track.nodules.items()]  # in the order of dates
    steps = list(pairwise(keys))
    yield from steps
    if len(steps) > 1:  # the whole time, beside each step of it
        yield keys[0], keys[-1]


def _growth(found: Matched, prior: NoduleKey, current: NoduleKey) -> Growth:
    before, after = (found.studies[found.number(one.study)] for one in (prior, current))
    if doubt := _other_extent(found, prior, current):
        raise MeasureError(doubt)
    sure = comparability(scan_facts(before), scan_facts(after))
    if sure.refusal:
        raise MeasureError(f"{sure.refusal}.")
    change = volume_change(before.volume, before.mask(prior.nodule), after.volume, after.mask(current.nodule))
    method = Method.PAIRED if change.is_paired else Method.ALONE
    volumes = change.volumes_mm3
    dates = [
        _at_date(study, study.nodule(key.nodule), edge, volume)
        for study, key, edge, volume in (
            (before, prior, change.prior, volumes[0]),
            (after, current, change.current, volumes[1]),
        )
    ]
    days = (after.ct.day - before.ct.day).days
    told = growth(dates[0], dates[1], float(days), HowSure(method, sure))
    return replace(told, notes=(*told.notes, *_notes(change)))


def _other_extent(found: Matched, prior: NoduleKey, current: NoduleKey) -> str:
    """Why both are not the same tissue; empty where they are, as far as matching knows."""
    own = found.matching.of(prior)
    first, last = found.number(prior.study), found.number(current.study)
    for other in found.matching.tracks:
        seen = [found.number(study) for study in other.nodules]
        if other.split_from == own.uid and first < min(seen) <= last:
            return "it fell apart between them, and one part is not compared with the whole."
        if other.merged_into == own.uid and first <= max(seen) < last:
            return "another nodule joined it between them, and the whole is not compared with one part."
    return ""


def _at_date(study: CtStudy, nodule: Nodule, edge: Edge, volume_mm3: float) -> AtDate:
    lengths = diameters(edge.inside, edge.block.geometry)  # of what the volume is of, as errors were fitted on
    has_part = nodule.texture is not None and is_part_solid(nodule.texture)
    solid = nodule.characteristics.get(SOLID_SHARE, math.nan) if has_part else math.nan
    return AtDate(
        volume_mm3=volume_mm3,
        mean_diameter_mm=lengths.mean_mm,
        long_axis_mm=lengths.long_axis_mm,
        mass_mg=edge.mass_mg,
        solid_volume_mm3=solid * volume_mm3,
        slice_mm=scan_facts(study).slice_mm,
        texture=nodule.texture,
    )


_DENSER = 0.15
"""A change of contrast to the lung by more than this share is said."""


def _notes(change: VolumeChange) -> Iterator[str]:
    yield from change.notes
    denser = change.contrast_ratio - 1
    if abs(denser) > _DENSER:
        yield f"it became {'denser' if denser > 0 else 'less dense'} ({denser:+.0%} of its contrast to the lung)"
