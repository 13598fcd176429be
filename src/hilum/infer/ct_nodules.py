"""From a whole CT to its nodules: lungs, candidates in them, each outlined and doubted by a second model, measured.

The second model segments what it is pointed at, and has learnt from look-alikes to mark nothing there. What it leaves
unmarked is no nodule; of the rest its surest voxel counts as much as the detector's score (false-positive reduction).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from hilum.core import InputError, Mask, Nodule, Quantity, Volume
from hilum.datasets.ct_lungs import find_lungs, inside
from hilum.infer.candidates import Candidate
from hilum.infer.prompted import AT_THE_END, measured
from hilum.infer.prompted_volume import Part, Place, part_at, thick
from hilum.infer.volumes import PatchPredictor
from hilum.measure import is_thick, solid_share, texture_of
from hilum.ops import to_lps_axes

Finder: TypeAlias = Callable[[Volume, Mask], Sequence[Candidate]]
"""Candidates of a CT, axes along the patient's, in its lungs."""
_MOST = 255
"""Nodules that a mask of 8 bits can tell apart."""
SOLID_SHARE = "solid_share"


@dataclass(frozen=True)
class CtRule:
    """What is called a nodule.

    Attributes:
        score: the least one of a nodule; both models' together. Of the shipped ones .5 was chosen on validation's scans
            with inserted nodules; there a CT has one false mark at it (`benchmarks/2026-11-22-ct.md`).
        least: candidates of a lower detector's score aren't looked at again.
        same: two candidates whose outlines share more than this part of the smaller one are one.
        in_lungs: share of a nodule's voxels that lie in the lungs, with what is dense in them.
    """

    score: float = 0.5
    least: float = 0.02
    same: float = 0.5
    in_lungs: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.score <= 1:
            raise InputError(f"a score is above 0 and at most 1, got {self.score}.")


@dataclass(frozen=True, eq=False)
class CtNodules:
    """What was found in a CT.

    Attributes:
        mask: on its own grid: label 1 is the surest nodule's, 2 the next one's, …
        nodules: measured, surest first; their ids are the labels.
        marks: all that was outlined, surest first, nodules or not: for whoever chooses another score (FROC).
        notes: what a person who uses it should know, one line each.
    """

    mask: Mask
    nodules: tuple[Nodule, ...]
    marks: tuple[Candidate, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Outlined:
    """A candidate with what the second model marks there; the candidate's score is both models'."""

    candidate: Candidate
    part: Part


def nodules_in(volume: Volume, finder: Finder, segmenter: PatchPredictor, rule: CtRule) -> CtNodules:
    """Find and measure the nodules of a CT.

    Args:
        volume: of the chest, in HU, axes in any order.
        finder: the candidates' detector.
        segmenter: outlines what it is pointed at.
        rule: what is called a nodule.

    Raises:
        UnitError: the volume holds no HU.
        InputError: there is no body on it, or no lungs, or voxels that hold no number.
    """
    volume.require(Quantity.HU)
    volume.require_finite()
    axial = to_lps_axes(volume)
    lungs = find_lungs(axial)
    found = [one for one in finder(axial, lungs) if one.score >= rule.least]
    outlined = _distinct(list(_outlined(axial, lungs, found, segmenter, rule)), rule.same)
    nodules = [one for one in outlined if one.candidate.score >= rule.score][:_MOST]
    mask = Mask(
        np.zeros(volume.array.shape, dtype=np.uint8),
        volume.geometry,
        names={label: f"nodule {label}" for label in range(1, len(nodules) + 1)},
    )
    shown = to_lps_axes(mask).labels  # a view: what is written there is written to the CT's own grid
    for label, one in enumerate(nodules, start=1):
        shown[one.part.place][one.part.mask] = label
    notes = [
        f"nodule {label}: {note}" for label, one in enumerate(nodules, start=1) for note in _notes(one.part, axial)
    ]
    return CtNodules(
        mask,
        tuple(
            nodule_of(str(label), one.part, one.candidate.score, axial) for label, one in enumerate(nodules, start=1)
        ),
        tuple(one.candidate for one in outlined),
        (*notes, *thick(axial)),
    )


def _outlined(
    axial: Volume, lungs: Mask, found: Sequence[Candidate], segmenter: PatchPredictor, rule: CtRule
) -> Iterator[_Outlined]:
    """What the second model marks at each candidate, in the lungs; with the geometric mean of both scores."""
    for one in found:
        part = part_at(axial, one.centre_lps_mm, segmenter)
        if part is None or _share_inside(part, lungs) < rule.in_lungs:
            continue
        nodule = measured(Mask.of(part.mask, part.grid), part.score)
        size = one.diameter_mm if nodule.diameters_mm is None else nodule.diameters_mm.equivalent_mm
        centre = one.centre_lps_mm if nodule.centre_lps_mm is None else nodule.centre_lps_mm
        yield _Outlined(
            replace(one, centre_lps_mm=centre, diameter_mm=size, score=math.sqrt(one.score * part.score)), part
        )


def _share_inside(part: Part, lungs: Mask) -> float:
    return float(inside(lungs, part.grid.to_lps_mm(np.argwhere(part.mask))).mean())


def _notes(part: Part, axial: Volume) -> Iterator[str]:
    yield from part.notes
    first, last = part.place[0].start, part.place[0].stop
    size = len(axial.array)
    if size > 1 and ((first == 0 and part.mask[0].any()) or (last == size and part.mask[-1].any())):
        yield AT_THE_END


def _distinct(outlined: Sequence[_Outlined], same: float) -> list[_Outlined]:
    """The surest first; without those whose outline a surer one has, and without voxels that a surer one has."""
    kept: list[_Outlined] = []
    for one in sorted(outlined, key=lambda each: -each.candidate.score):
        if all(_shared(one.part, other.part) <= same for other in kept):
            kept.append(replace(one, part=_without(one.part, [other.part for other in kept])))
    return kept


def _without(part: Part, others: Sequence[Part]) -> Part:
    """A part, less the voxels that it shares with others: no voxel is two nodules' volume."""
    own = part.mask.copy()
    for other in others:
        if (both := _common(part, other)) is not None:
            mine, theirs = both
            own[mine] &= ~other.mask[theirs]
    return part if (own == part.mask).all() else replace(part, mask=own)


def _shared(one: Part, other: Part) -> float:
    """Voxels that two parts have in common, as a share of the smaller one's."""
    both = _common(one, other)
    if both is None:
        return 0.0
    mine, theirs = both
    return float((one.mask[mine] & other.mask[theirs]).sum() / min(one.mask.sum(), other.mask.sum()))


def _common(one: Part, other: Part) -> tuple[Place, Place] | None:
    """Where two blocks overlap, in the voxels of each; None where they don't."""
    spans = [(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one.place, other.place, strict=True)]
    if any(first >= last for first, last in spans):
        return None
    mine, theirs = (
        tuple(slice(first - own.start, last - own.start) for (first, last), own in zip(spans, part.place, strict=True))
        for part in (one, other)
    )
    return (mine[0], mine[1], mine[2]), (theirs[0], theirs[1], theirs[2])


def nodule_of(name: str, part: Part, score: float, axial: Volume) -> Nodule:
    """A part measured on the CT's grid; its texture is an estimate.

    Args:
        name: its id.
        part: with a voxel at least.
        score: how sure it is that this is a nodule.
        axial: the CT in HU, axes along the patient's.
    """
    share = solid_share(axial.array[part.place], part.mask)
    nodule = measured(Mask.of(part.mask, part.grid), score)
    volume = None if is_thick(axial.geometry) else nodule.volume_mm3
    return replace(nodule, id=name, volume_mm3=volume, texture=texture_of(share), characteristics={SOLID_SHARE: share})
