"""One case of an evaluation, from files to its result; runs in a process of its own."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from hilum.core import Failure, GeometryError, HilumError, InputError, Mask, UnsupportedError
from hilum.core.mask import Labels, Selection
from hilum.core.volume import Voxels
from hilum.datasets.class_source import label_number
from hilum.datasets.prepared import CONSENSUS, CaseSource
from hilum.evaluate.blobs import FALSE_BLOBS, Blobs, find_blobs
from hilum.evaluate.case_lesions import LesionResult, Marks
from hilum.evaluate.cases import CaseResult, JudgeRule, Pair, judge_case
from hilum.evaluate.changes import ChangeRule
from hilum.evaluate.films import FilmResult, judge_film
from hilum.evaluate.lung_field import LungField, lung_field
from hilum.evaluate.points import PointRule
from hilum.evaluate.rivals import (
    BACKGROUND,
    EVERYTHING,
    MAP,
    PriorMap,
    all_background,
    all_foreground,
    copied_prior,
)
from hilum.io import read_mask, read_radiograph, read_volume
from hilum.measure import LungRoles
from hilum.workflows.evaluate_changes import JudgedChanges, judged_changes
from hilum.workflows.evaluate_data import true_nodules
from hilum.workflows.evaluate_films import said_of_film
from hilum.workflows.evaluate_marks import MarksFrom, read_marks
from hilum.workflows.evaluate_predictions import Found, Reading, find_prediction, is_on_grid, on_grid, read_numbers
from hilum.workflows.output import sha256_of

BLOBS, PRIOR = "blob detector (LoG)", "prior's mask copied"


@dataclass(frozen=True, eq=False)
class Rivals:
    """Trivial rivals as far as this data allows them.

    Attributes:
        prior_map: the average of the training masks; None without training cases.
        blob_threshold: score from which spots count; None without training images, and the surest of each image do.
        notes: why one is missing.
    """

    prior_map: PriorMap | None = None
    blob_threshold: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class CaseJob:
    """What all cases share.

    Attributes:
        folder: of the predictions.
        reading: how predictions are to be understood.
        threshold: NaN for masks.
        rule: how a case is judged.
        resample: whether predictions on other grids are brought to the truth's.
        rivals: to be judged beside.
        marks: where the marks of free-response figures come from.
        point_rule: when a mark hits a lesion of point truth.
        counts_by_masks: whether against points masks say what was predicted, beside a detector's own marks.
        roles: of the classes of chest X-rays; None where cases are none.
    """

    folder: Path
    reading: Reading
    threshold: float
    rule: JudgeRule
    resample: bool = False
    rivals: Rivals = field(default_factory=Rivals)
    marks: MarksFrom = MarksFrom.PEAKS
    point_rule: PointRule = field(default_factory=PointRule)
    counts_by_masks: bool = False
    roles: LungRoles | None = None


@dataclass(frozen=True, eq=False)
class CaseOutcome:
    """What became of a case.

    Attributes:
        result: its figures.
        rivals: results of the rivals by name.
        content: SHA-256 of the prediction's file.
        was_resampled: whether it lay on another grid.
        by_truth: its figures by other truths, by their names.
        rivals_by_truth: the rivals' results by these truths.
        changes: its lesions by what became of them since an earlier picture; None where nobody says.
        film: of a chest X-ray by classes what its classes' overlap doesn't say; None of others.
    """

    result: LesionResult
    rivals: Mapping[str, LesionResult]
    content: str
    was_resampled: bool
    by_truth: Mapping[str, CaseResult] = field(default_factory=dict)
    rivals_by_truth: Mapping[str, Mapping[str, LesionResult]] = field(default_factory=dict)
    changes: JudgedChanges | None = None
    film: FilmResult | None = None


Outcome: TypeAlias = CaseOutcome | Failure


def judge_source(case: CaseSource, job: CaseJob) -> Outcome:
    """Judge one case; what goes wrong with its files is a failure, not an end."""
    try:
        return _judge(case, job)
    except HilumError as error:
        return Failure(case.key, error.message, error.remedy)


def _judge(case: CaseSource, job: CaseJob) -> CaseOutcome:
    found = find_prediction(job.folder, case.key)
    truth = read_truth(case, job.rule)
    pred, probability, was_resampled = predicted(found, truth, job)
    spacing = spacing_of(case, truth)
    nodules = true_nodules(case, truth.labels.shape)
    marks = _marks(case, truth, job)
    lungs = None if case.lungs is None else lungs_of(case.lungs, truth.labels.shape)
    pair = Pair(case.key, case.patient, pred, truth.labels, spacing, probability, nodules, marks, lungs)
    main = found.probability or found.mask
    others = {name: replace(pair, truth=other) for name, other in _other_truths(case, truth, job.rule).items()}
    rivals = rival_masks(case, truth.labels.shape, job.rivals)
    return CaseOutcome(
        result=judge_case(pair, job.rule),
        rivals=_judge_rivals(rivals, pair, job),
        content=sha256_of(main) if main else "",
        was_resampled=was_resampled,
        by_truth={
            name: judge_case(replace(other, probability=None, nodules=()), job.rule) for name, other in others.items()
        },
        rivals_by_truth={name: _judge_rivals(rivals, other, job) for name, other in others.items()},
        changes=judged_changes(case, pred > 0, rivals, ChangeRule(case.key, case.patient, spacing, job.rule.match)),
        film=_film(case, pred, truth.labels, job),
    )


def _film(case: CaseSource, pred: Labels, truth: Labels, job: CaseJob) -> FilmResult | None:
    if job.roles is None or case.film is None:
        return None
    label = label_number(case.film.image_label)
    said = said_of_film(job.folder, case.key)
    return judge_film(pred, truth, tuple(job.rule.labels), job.roles, label, said)


def _other_truths(case: CaseSource, truth: Mask, rule: JudgeRule) -> dict[str, Labels]:
    """The readers' consensus, where the truth is their union."""
    if case.consensus is None:
        return {}
    other = _declared(case.consensus, rule).labels
    _require_shape(case.consensus, other.shape, truth.labels.shape)
    return {CONSENSUS: other}


def lungs_of(path: Path, shape: tuple[int, ...]) -> LungField | None:
    """Where the lungs of a picture lie; None of a volume.

    Raises:
        InputError: the mask can't be read, is of another picture, or has no lung on one side.
    """
    if len(shape) != 2:
        return None
    mask = read_mask(path).labels > 0
    _require_shape(path, mask.shape, shape)
    return lung_field(mask)


def _require_shape(path: Path, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if found != wanted:
        here, there = (" × ".join(str(n) for n in shape) for shape in (found, wanted))
        raise GeometryError(f"{path.name} has {here} pixels, the truth {there}.", "Prepare the data set again.")


def _marks(case: CaseSource, truth: Mask, job: CaseJob) -> Marks | None:
    """The detector's own; None where the map's peaks stand for them."""
    if job.marks is not MarksFrom.NODULES:
        return None
    return read_marks(job.folder, case.key, truth.labels.ndim, truth.geometry)


def read_truth(case: CaseSource, rule: JudgeRule) -> Mask:
    """The true mask with declared labels.

    Raises:
        InputError: it can't be read, or has a label that nobody declared.
    """
    return _declared(case.truth, rule)


def _declared(path: Path, rule: JudgeRule) -> Mask:
    from hilum.workflows.evaluate_predictions import as_declared

    mask = read_mask(path)
    return Mask(as_declared(mask.labels, path, tuple(rule.labels)), mask.geometry, mask.pixel_mm)


def spacing_of(case: CaseSource, truth: Mask) -> tuple[float, ...] | None:
    """Steps along the truth's axes in mm; None when nobody knows."""
    if truth.geometry is not None:
        return truth.geometry.spacing_zyx_mm
    return case.pixel_mm or truth.pixel_mm


def predicted(found: Found, truth: Mask, job: CaseJob) -> tuple[Labels, Voxels | None, bool]:
    """Labels, probabilities (None for a mask), and whether they were resampled.

    Raises:
        HilumError: the files can't be used, or a threshold is missing.
    """
    has_threshold = not np.isnan(job.threshold)
    main = found.probability if found.probability and (has_threshold or not found.mask) else found.mask
    if main is None:
        raise InputError("there is no prediction.", "")
    numbers = read_numbers(main, job.reading)
    array, moved = on_grid(numbers, truth, main, resample=job.resample), not is_on_grid(numbers, truth)
    if not numbers.is_probability:
        return array, None, moved
    if not has_threshold:
        raise InputError(
            f"{main.name} holds probabilities, and nobody said from which one on a pixel is in.",
            "Give --threshold-from with an evaluation on validation, or state one with --threshold.",
        )
    if len(job.rule.labels) > 1:
        raise UnsupportedError(
            f"{main.name} holds one probability, and {len(job.rule.labels)} classes are declared.", "Give label maps."
        )
    label = next(iter(job.rule.labels))
    return ((array >= job.threshold) * np.uint8(label)).astype(np.uint8), array, moved


def predicted_mask(case: CaseSource, job: CaseJob) -> Selection:
    """Which pixels were predicted, of whatever class.

    Raises:
        HilumError: the files can't be used, or a threshold is missing.
    """
    labels, _, _ = predicted(find_prediction(job.folder, case.key), read_truth(case, job.rule), job)
    return labels > 0


def _judge_rivals(rivals: Mapping[str, Selection], pair: Pair, job: CaseJob) -> dict[str, CaseResult]:
    """Each rival by the same figures, but for distances between surfaces."""
    rule = JudgeRule({1: "lesion"}, with_surfaces=False, match=job.rule.match)
    truth = (pair.truth > 0).astype(np.uint8)
    return {
        name: judge_case(Pair(pair.key, pair.patient, mask.astype(np.uint8), truth, pair.spacing_mm), rule)
        for name, mask in rivals.items()
        if mask.shape == truth.shape
    }


def rival_masks(case: CaseSource, shape: tuple[int, ...], rivals: Rivals) -> dict[str, Selection]:
    """What each rival predicts, by its name.

    Args:
        case: whose image and earlier mask may be looked at.
        shape: of the truth.
        rivals: what was learnt.

    Raises:
        InputError: the image or the earlier mask can't be read.
    """
    masks = {BACKGROUND: all_background(shape), EVERYTHING: all_foreground(shape)}
    if rivals.prior_map is not None:
        masks[MAP] = rivals.prior_map.predict(shape)
    blobs = None if case.image is None else blobs_of(case, shape, rivals.prior_map)
    if blobs is not None:
        learnt = rivals.blob_threshold
        masks[BLOBS] = blobs.discs(shape, learnt) if learnt is not None else surest_blobs(blobs).discs(shape, -math.inf)
    if case.prior is not None:
        masks[PRIOR] = copied_prior(read_mask(case.prior).labels > 0)
    return masks


def surest_blobs(blobs: Blobs) -> Blobs:
    """As many spots as a learnt threshold would let through falsely: what needs no training."""
    return blobs.surest(round(FALSE_BLOBS))


def blobs_of(case: CaseSource, shape: tuple[int, ...], prior: PriorMap | None = None) -> Blobs | None:
    """The spots of a case's image, where training has lesions at all; None where the image isn't on the truth's grid.

    Args:
        case: with its image.
        shape: of the truth.
        prior: the average of the training masks; None looks everywhere.

    Raises:
        InputError: it has no image, or none that can be read.
    """
    if case.image is None:
        raise InputError(f"{case.key} has no image.", "")
    if len(shape) == 2:
        picture = read_radiograph(case.image)
        array, step = picture.array, case.pixel_mm or picture.pixel_mm
        return find_blobs(array, step, prior) if array.shape == shape else None
    volume = read_volume(case.image)
    return find_blobs(volume.array, volume.geometry.spacing_zyx_mm, prior) if volume.array.shape == shape else None
