"""Makes one case of a data set over time: the current picture, an earlier one, registered, and what changed between.

The truth of the warp is known, so the error that registration leaves is measured and stored with each case.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import map_coordinates

from hilum.core import InputError
from hilum.core.changes import ChangeKind
from hilum.core.geometry import Floats
from hilum.core.radiograph import PixelMm
from hilum.datasets.insertion import BankNodule, Gain, Insertion, Patch, inserted_info, place_for, shadow_patch
from hilum.datasets.over_time import Change, Labels, Shadow, as_before, labelled, with_inserted
from hilum.datasets.over_time_plan import CasePlan, Planned, PlannedInsertion
from hilum.datasets.over_time_survey import SHAPES_MM, Lesion
from hilum.datasets.over_time_view import EarlierView, labels_before, places_before, seen_before
from hilum.datasets.prepared import PRIOR, UNION, CaseSource
from hilum.datasets.stored_changes import SCHEMA
from hilum.datasets.xray_sample import Picture, XraySample
from hilum.followup.misfit import body_of
from hilum.followup.xray_registration import XrayRegistration, register_xray
from hilum.io import read_radiograph, write_json, write_png
from hilum.io.atomic import atomic_folder
from hilum.io.json_file import to_json
from hilum.measure import disc_diameter_mm
from hilum.workflows.output import sha256_of

CASES, LABELS, PRIOR_LABELS = "cases", "lesions.png", "prior_lesions.png"
COUNTED = ("change", "is_synthetic")
"""Of each lesion, in a case's record, so that nobody has to open all cases to count them."""
_STEP_PX = 4
"""Every so many pixels, along rows and columns, the error of registration is looked at."""


@dataclass(frozen=True, eq=False)
class OverTimeJob:
    """What one case is made of.

    Attributes:
        key: of the case.
        case: the published picture.
        lesions: its, as surveyed.
        plan: what becomes of them, and what is inserted.
        view: how the earlier picture is taken.
        gain: what a mm of an inserted nodule adds to brightness.
    """

    key: str
    case: CaseSource
    lesions: Sequence[Lesion]
    plan: CasePlan
    view: EarlierView
    gain: Gain

    @property
    def hash(self) -> str:
        """SHA-256 of all that decides the case, but the picture."""
        inserted = [(one.change, [_of_shape(*each) for each in one.alternatives]) for one in self.plan.inserted]
        lesions = [(one.corner, one.fit, int(one.shadow.extent.sum())) for one in self.lesions]
        content = (self.key, lesions, self.plan.real, inserted, self.view, self.gain)
        return hashlib.sha256(to_json(content).encode()).hexdigest()


def _of_shape(nodule: BankNodule, insertion: Insertion) -> tuple[object, ...]:
    return nodule.patient, nodule.id, float(nodule.thickness_mm.sum()), replace(insertion, nodule=0)


def over_time_case(job: OverTimeJob, out: Path) -> list[dict[str, object]]:
    """All files of a case, as one folder that is whole or absent; its record, alone in a list.

    Raises:
        HilumError: the picture can't be read, has no millimetres, or can't be registered.
    """
    if job.case.image is None or job.case.pixel_mm is None:
        raise InputError(f"{job.case.key} has no picture, or no pixel size.", "Prepare the pairs again.")
    published = np.asarray(read_radiograph(job.case.image).array / 255.0, np.float32)
    made = _made(job, published, job.case.pixel_mm)
    folder, changes = f"{CASES}/{job.key}", _changes_file(made)
    with atomic_folder(out / folder, replace=True) as place:
        _write(made, place)
        write_json(place / "changes.json", changes)
    record: dict[str, object] = {
        "key": job.key,
        "patient": job.case.patient,
        "image": f"{folder}/current.png",
        "pixel_mm": job.case.pixel_mm,
        "sha256": sha256_of(out / folder / "current.png"),
        "masks": {UNION: f"{folder}/mask.png", PRIOR: f"{folder}/prior_mask.png"},
        "prior": _prior(job, made, folder),
        "changes": f"{folder}/changes.json",
        "odd": job.case.odd,
        "lesions": [{name: one[name] for name in COUNTED} for one in changes["lesions"]],
    }
    return [record]


def _prior(job: OverTimeJob, made: "_Made", folder: str) -> dict[str, object]:
    return {
        "image": f"{folder}/prior.png",
        "earlier": f"{folder}/earlier.png",
        "earlier_mask": f"{folder}/earlier_mask.png",
        "registration": _registration(made),
        "view": job.view.figures(),
    }


def case_files(record: Mapping[str, Any], folder: Path) -> list[Path]:
    """All files that a case's record names, with those that its `changes.json` does.

    Args:
        record: the case's.
        folder: of the data set.
    """
    prior = record["prior"]
    names = [record["image"], *record["masks"].values(), prior["image"], prior["earlier"], prior["earlier_mask"]]
    changes = folder / record["changes"]
    return [folder / name for name in names] + [changes, *(changes.parent / name for name in (LABELS, PRIOR_LABELS))]


@dataclass(frozen=True, eq=False)
class _Made:
    """All pictures of a case; brightness 0 to 1 in steps of 1 / 255.

    Attributes:
        changes: its lesions at both dates.
        plans: of each, what was planned.
        current: the current picture.
        labels: lesions on it.
        earlier: the earlier picture.
        earlier_labels: lesions on it.
        registration: of the two.
        places: (row, column) of the current picture that each pixel of the earlier one shows.
        pixel_mm: row and column step.
    """

    changes: Sequence[Change]
    plans: Sequence[Planned]
    current: Picture
    labels: Labels
    earlier: Picture
    earlier_labels: Labels
    registration: XrayRegistration
    places: tuple[Picture, Picture]
    pixel_mm: PixelMm


def _made(job: OverTimeJob, published: Picture, pixel_mm: PixelMm) -> _Made:
    shape, side_mm = (published.shape[0], published.shape[1]), float(np.sqrt(pixel_mm[0] * pixel_mm[1]))
    real = [_of_real(lesion, planned) for lesion, planned in zip(job.lesions, job.plan.real, strict=True)]
    inserted = _inserted(job, published, real, side_mm)
    changes = [*real, *(change for change, _ in inserted)]
    current = _stepped(with_inserted(published, changes))
    places = places_before(job.view, shape, side_mm)
    earlier = _stepped(seen_before(as_before(published, changes), job.view, places, side_mm))
    return _Made(
        changes=changes,
        plans=[*job.plan.real, *(planned for _, planned in inserted)],
        current=current,
        labels=labelled(changes, shape, before=False),
        earlier=earlier,
        earlier_labels=labels_before(labelled(changes, shape, before=True), places),
        registration=register_xray(earlier, current, side_mm),
        places=places,
        pixel_mm=pixel_mm,
    )


def _stepped(picture: Picture) -> Picture:
    """As 8 bits keep it."""
    return np.asarray(np.rint(picture * 255) / 255, dtype=np.float32)


def _of_real(lesion: Lesion, planned: Planned) -> Change:
    """A lesion that is on the published picture, which stays as it is: what changes is the earlier one."""
    before = {
        ChangeKind.UNCHANGED: lesion.shadow,
        ChangeKind.GROWN: lesion.shadow.scaled(1 / planned.factor),
        ChangeKind.SHRUNK: lesion.shadow.scaled(planned.factor),
        ChangeKind.NEW: Shadow.nothing(lesion.shadow.extent.shape),
    }[planned.kind]
    return Change(planned.kind, lesion.corner, lesion.fit.per_mm, lesion.shadow, before, False, lesion.visibility)


def _inserted(
    job: OverTimeJob, published: Picture, real: Sequence[Change], pixel_mm: float
) -> list[tuple[Change, Planned]]:
    """What was inserted, apart from real lesions and each other at either date; what fits nowhere is left out."""
    taken = np.zeros(published.shape, dtype=bool)
    for change in real:
        taken[change.window] |= change.largest
    found: list[tuple[Change, Planned]] = []
    for one in job.plan.inserted:
        weight = np.ones(published.shape, np.float32)
        sample = XraySample(job.key, job.case.patient, published, taken, weight, pixel_mm)
        fitting = _insertion(one, sample, job.gain)
        if fitting is not None:
            taken[fitting.window] |= fitting.largest
            found.append((fitting, one.change))
    return found


def _insertion(one: PlannedInsertion, sample: XraySample, gain: Gain) -> Change | None:
    for nodule, insertion in one.alternatives:
        patch = shadow_patch(nodule, insertion, SHAPES_MM, sample.pixel_mm)
        place = place_for(sample, insertion, patch, gain)
        if place is None:
            continue
        small = _smaller(patch, one.change.factor)
        larger, smaller = (Shadow(size.thickness_mm, size.extent) for size in (patch, small))
        none = Shadow.nothing(patch.extent.shape)
        now, before = {
            ChangeKind.UNCHANGED: (larger, larger),
            ChangeKind.GROWN: (larger, smaller),
            ChangeKind.SHRUNK: (smaller, larger),
            ChangeKind.GONE: (none, larger),
            ChangeKind.NEW: (larger, none),
        }[one.change.kind]
        shown = small if one.change.kind is ChangeKind.SHRUNK else patch
        seen = inserted_info(sample, place.corner, shown, np.float32(place.per_mm) * shown.thickness_mm).visibility
        return Change(one.change.kind, place.corner, place.per_mm, now, before, True, seen)
    return None


def _smaller(patch: Patch, factor: float) -> Patch:
    """A patch as it is when it has shrunk, in the same window."""
    small = Shadow(patch.thickness_mm, patch.silhouette).scaled(1 / factor)
    extent = Shadow(patch.thickness_mm, patch.extent).scaled(1 / factor).extent
    return replace(
        patch,
        thickness_mm=small.thickness_mm,
        silhouette=small.extent,
        extent=extent,
        size_mm=patch.size_mm / factor,
    )


def _write(made: _Made, place: Path) -> None:
    prior_labels = np.asarray(made.registration.moved(made.earlier_labels, nearest=True), np.uint8)
    prior = np.asarray(made.registration.moved(made.earlier))
    current = np.rint(made.current * 255).astype(np.uint8)
    write_png(current, place / "current.png")
    write_png(np.rint(made.earlier * 255).astype(np.uint8), place / "earlier.png")
    write_png(np.rint(prior * 255).astype(np.uint8), place / "prior.png")
    write_png(made.labels > 0, place / "mask.png")
    write_png(prior_labels > 0, place / "prior_mask.png")
    write_png(made.earlier_labels > 0, place / "earlier_mask.png")
    write_png(made.labels, place / LABELS)
    write_png(prior_labels, place / PRIOR_LABELS)


def _changes_file(made: _Made) -> dict[str, Any]:
    lesions = [
        _lesion(number, change, planned, made)
        for number, (change, planned) in enumerate(zip(made.changes, made.plans, strict=True), 1)
    ]
    return {"schema": SCHEMA, "labels": LABELS, "prior_labels": PRIOR_LABELS, "lesions": lesions}


def _lesion(number: int, change: Change, planned: Planned, made: _Made) -> dict[str, object]:
    pixel_mm2 = made.pixel_mm[0] * made.pixel_mm[1]
    now, before = (
        disc_diameter_mm(int(one.extent.sum()) * pixel_mm2) if one.extent.any() else None
        for one in (change.now, change.before)
    )
    centre = _centre(change)
    return {
        "id": number,
        "change": change.kind,
        "centre_px": centre,
        "size_mm": now,
        "prior_size_mm": before,
        "factor": planned.factor,
        "can_change": planned.can_change,
        "is_synthetic": change.is_synthetic,
        "visibility": change.visibility,
        "brightness_per_mm": change.per_mm,
        "residual_mm": float(_residual_mm(made, np.array([centre]))[0]),
    }


def _centre(change: Change) -> tuple[float, float]:
    """Mean (row, column) of its pixels now, or before where it is gone."""
    extent = change.before.extent if change.kind is ChangeKind.GONE else change.now.extent
    row, column = np.argwhere(extent).mean(axis=0) + change.corner
    return float(row), float(column)


def _registration(made: _Made) -> dict[str, object]:
    found = made.registration
    rows, columns = (np.arange(_STEP_PX // 2, size, _STEP_PX) for size in made.current.shape)
    points = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).astype(np.float64)
    body = body_of(np.asarray(made.current[np.ix_(rows, columns)], np.float64))
    left, before = (_residual_mm(made, points, registered=one)[body] for one in (True, False))
    left, before = left[np.isfinite(left)], before[np.isfinite(before)]
    return {
        "converged": found.converged,
        "notes": found.notes,
        "misfit": found.misfit.figures(),
        "residual_mm": {
            "mean": float(left.mean()) if left.size else None,
            "p95": float(np.percentile(left, 95)) if left.size else None,
            "mean_unregistered": float(before.mean()) if before.size else None,
        },
    }


def _residual_mm(made: _Made, points_px: Floats, *, registered: bool = True) -> Floats:
    """[...] how far from a place of the current picture lies what is shown there of the earlier one.

    NaN where the earlier picture doesn't reach.
    """
    there = made.registration.places_px(points_px) if registered else points_px
    index = np.moveaxis(there, -1, 0)
    truly = np.stack([map_coordinates(one, index, order=1, mode="nearest") for one in made.places], axis=-1)
    away_mm = np.linalg.norm((truly - points_px) * made.pixel_mm, axis=-1)
    last = np.array(made.earlier.shape) - 1
    within = ((there >= 0) & (there <= last)).all(axis=-1)
    return np.asarray(np.where(within, away_mm, np.nan))
