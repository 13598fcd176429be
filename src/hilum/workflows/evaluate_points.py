"""One case of an evaluation against point truth, from files to its result; runs in a process of its own."""

import numpy as np

from hilum.core import Failure, HilumError, InputError, Mask, UnitError
from hilum.core.mask import Selection
from hilum.datasets.prepared import CaseSource, stored_points
from hilum.evaluate.blobs import Blobs
from hilum.evaluate.case_lesions import Marks
from hilum.evaluate.points import (
    PointLesion,
    PointPrediction,
    PointTruth,
    judge_points,
    prediction_of_pixels,
)
from hilum.evaluate.rivals import BACKGROUND
from hilum.io import read_radiograph
from hilum.workflows.evaluate_case import (
    BLOBS,
    CaseJob,
    CaseOutcome,
    Outcome,
    blobs_of,
    lungs_of,
    predicted,
    surest_blobs,
)
from hilum.workflows.evaluate_marks import MarksFrom, marks_file, read_marks
from hilum.workflows.evaluate_predictions import find_prediction
from hilum.workflows.output import sha256_of


def judge_point_source(case: CaseSource, job: CaseJob) -> Outcome:
    """Judge one case; what goes wrong with its files is a failure, not an end."""
    try:
        return _judge(case, job)
    except HilumError as error:
        return Failure(case.key, error.message, error.remedy)


def _judge(case: CaseSource, job: CaseJob) -> CaseOutcome:
    truth = point_truth(case)
    said, content, was_resampled = predicted_points(case, truth, job)
    everyone = {"": said, BACKGROUND: _no_marks(), BLOBS: _blobs(case, truth)}
    results = {
        name: judge_points(case.key, case.patient, truth, one, job.point_rule)
        for name, one in everyone.items()
        if one is not None
    }
    return CaseOutcome(results.pop(""), results, content, was_resampled)


def point_truth(case: CaseSource) -> PointTruth:
    """What is known of a case's lesions.

    Raises:
        InputError: its image or its points can't be read.
        UnitError: nobody knows its millimetres.
    """
    if case.image is None:
        raise InputError(f"{case.key} has no image, so nobody knows where its points are.", "Prepare the data again.")
    if case.pixel_mm is None:
        raise UnitError(f"{case.key} has no pixel size, so nobody knows how far a mark is.", "Prepare the data again.")
    rows, columns = read_radiograph(case.image).array.shape
    lesions = [PointLesion(one.centre_px, one.size_mm, one.subtlety) for one in stored_points(case.truth)]
    lungs = None if case.lungs is None else lungs_of(case.lungs, (rows, columns))
    return PointTruth(lesions, (rows, columns), case.pixel_mm, lungs)


def predicted_points(case: CaseSource, truth: PointTruth, job: CaseJob) -> tuple[PointPrediction, str, bool]:
    """A case's marks, the SHA-256 of their file, and whether it was resampled.

    Raises:
        HilumError: the files can't be used.
    """
    if job.marks is MarksFrom.NODULES:
        marks = read_marks(job.folder, case.key, axes=2)
        kept = _counted(marks, case, truth, job)
        content = sha256_of(marks_file(job.folder, case.key)) if len(marks.scores) else ""
        return PointPrediction(kept, marks, is_scored=True), content, False
    found = find_prediction(job.folder, case.key)
    pred, probability, was_resampled = predicted(found, blank(truth), job)
    main = found.probability or found.mask
    said = prediction_of_pixels(pred > 0, probability, truth.pixel_mm)
    return said, sha256_of(main) if main else "", was_resampled


def _counted(marks: Marks, case: CaseSource, truth: PointTruth, job: CaseJob) -> Marks:
    """Which marks are predictions: from the threshold on; without one what the masks say, else all."""
    if not np.isnan(job.threshold):
        return marks.at_least(job.threshold)
    if not job.counts_by_masks:
        return marks
    pred, _, _ = predicted(find_prediction(job.folder, case.key), blank(truth), job)
    return prediction_of_pixels(pred > 0, None, truth.pixel_mm).marks


def blank(truth: PointTruth) -> Mask:
    """An empty mask on the image's pixels: the grid on which predictions are expected."""
    return Mask(np.zeros(truth.shape, dtype=np.uint8), pixel_mm=truth.pixel_mm)


def discs(truth: PointTruth) -> Selection:
    """[y, x] what the truth says, as it can be shown: a disc of the stated size around each centre."""
    rows, columns = np.ogrid[: truth.shape[0], : truth.shape[1]]
    shown = np.zeros(truth.shape, dtype=bool)
    for one in truth.lesions:
        down, across = ((rows - one.centre[0]) * truth.pixel_mm[0], (columns - one.centre[1]) * truth.pixel_mm[1])
        shown |= np.asarray(down**2 + across**2 <= (one.size_mm / 2) ** 2)
    return shown


def _blobs(case: CaseSource, truth: PointTruth) -> PointPrediction | None:
    """The blob detector, which needs no training to rank its spots: all are marks, the surest of them predictions."""
    blobs = blobs_of(case, truth.shape)
    return (
        None if blobs is None else PointPrediction(_as_marks(surest_blobs(blobs), truth), _as_marks(blobs, truth), True)
    )


def _as_marks(blobs: Blobs, truth: PointTruth) -> Marks:
    return Marks(blobs.centres.astype(np.float64), blobs.scores, 2 * blobs.radii * truth.pixel_mm[-1])


def _no_marks() -> PointPrediction:
    nothing = Marks(np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    return PointPrediction(nothing, nothing, is_scored=False, is_constant=True)
