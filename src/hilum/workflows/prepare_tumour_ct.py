"""Tumour CTs to a data set of CT pieces (`hilum prepare tumour-ct`)."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from hilum.core import InputError, Mask, Nodule, Volume
from hilum.datasets.boxes import boxed
from hilum.datasets.patch_places import PieceRule
from hilum.datasets.patch_source import BOX, LABELS
from hilum.datasets.splits import is_lidc_patient
from hilum.datasets.stored_split import split_of_any
from hilum.io import read_mask, read_volume
from hilum.io.dicom.series import Series, find_series
from hilum.io.dicom.volume import volume_of
from hilum.io.json_file import plain
from hilum.ops import to_lps_axes
from hilum.workflows.ct_pieces import MarkedCt, MarkedNodule, ct_cases
from hilum.workflows.drr_nodules import subjects_of_mask
from hilum.workflows.output import Run
from hilum.workflows.patch_case import safe
from hilum.workflows.patch_set import PatchSet, Running, make_patches
from hilum.workflows.prepare import Prepared, require_apart
from hilum.workflows.slice_negatives import boxes_of
from hilum.workflows.track import Track, silently
from hilum.workflows.tumour_sources import TumourJob, box_files, tumour_source

UNKNOWN_LICENCE = "as the source says"


@dataclass(frozen=True)
class TumourOptions:
    """What `prepare_tumour_ct` may be told.

    Attributes:
        label: number of the tumour in masks; None takes the only one, or the one that is called so.
        licence: of the CTs and their marks, for cards; None takes what the source says.
        rule: which pieces are taken.
        running: how the work is done.
    """

    label: int | None = None
    licence: str | None = None
    rule: PieceRule = field(default_factory=PieceRule)
    running: Running = field(default_factory=Running)


def prepare_tumour_ct(src: Path, out: Path, options: TumourOptions | None = None, track: Track = silently) -> Prepared:
    """Make or continue a data set of tumour CTs.

    Args:
        src: a folder (`hilum.workflows.tumour_sources.tumour_source`).
        out: the data set's folder.
        options: see there.
        track: shows how far it is.

    Raises:
        InputError: there is nothing to make pieces of, or nobody says which label is the tumour.
        UnreadableError: the source's index is damaged.
        UnsupportedError: the source has no CTs.
        OutputError: `out` holds something else, or can't be written.
        TooManyFailuresError: more CTs failed than allowed; what is done is kept for the next run.
    """
    options = options or TumourOptions()
    source = tumour_source(src, options.label)
    require_apart(src, out)
    licence = options.licence or source.licence or UNKNOWN_LICENCE
    settings = {**plain(options.rule), "label": source.jobs[0].label, "licence": licence}
    wanted = PatchSet(
        run=Run("prepare tumour-ct", {"cts": source.hash}, settings),
        jobs=source.jobs,
        make=partial(_cases, rule=options.rule),
        split=split_of_any,
        about={"source": {"kind": source.kind, "hash": source.hash}, "licences": [licence]},
        failures=source.failures,
    )
    return make_patches(wanted, out, options.running, track)


def _cases(job: TumourJob, out: Path, rule: PieceRule) -> list[dict[str, object]]:
    marked = [_with_mask(job, job.mask)] if job.mask else _with_boxes(job)
    return [case for one in marked for case in ct_cases(one, rule, out)]


def _with_mask(job: TumourJob, path: Path) -> MarkedCt:
    ct = read_volume(job.path)
    labels = read_mask(path, ct.geometry).select(job.label)
    if not labels.any():
        raise InputError(f"{path} has no voxel of label {job.label}.", "Leave the CT out, or choose another --label.")
    ct, mask = to_lps_axes(ct), to_lps_axes(Mask.of(labels, ct.geometry))
    nodules = [
        MarkedNodule(subject.nodule, subject.nodule.diameters_mm.equivalent_mm, LABELS, subject.mask)
        for subject in subjects_of_mask(mask, ct.geometry)
        if subject.nodule.diameters_mm is not None
    ]
    return MarkedCt(job.key, job.key, job.key, ct, nodules, LABELS)


def _with_boxes(job: TumourJob) -> Iterator[MarkedCt]:
    """The folder's CT series that have boxes; others, such as further reconstructions, have none."""
    found = [one for one in find_series(job.path) if one.modality == "CT" and not one.is_localizer]
    for number, series in enumerate(found):
        boxes = boxes_of(series, box_files(job.annotations)) if job.annotations else {}
        if any(boxes.values()):
            ct = volume_of(series)
            nodules = [
                MarkedNodule(Nodule(f"{n:02}", centre_lps_mm=one.centre_lps_mm), one.diameter_mm, BOX, one.mask)
                for n, one in enumerate(boxed(boxes, ct.geometry), start=1)
            ]
            key = job.key if len(found) == 1 else f"{job.key}_s{number + 1}"
            yield _of_series(key, series, ct, nodules)


def _of_series(key: str, series: Series, ct: Volume, nodules: list[MarkedNodule]) -> MarkedCt:
    if not series.patient:
        raise InputError(f"the series {series.uid} doesn't say whose it is.", "Give its DICOM a Patient ID.")
    if is_lidc_patient(series.patient):
        raise InputError(f"{series.patient} is LIDC-IDRI's.", "hilum prepare lidc takes its CTs.")
    upright = [replace(one, mask=to_lps_axes(one.mask) if one.mask else None) for one in nodules]
    return MarkedCt(key, safe(series.patient), series.uid, to_lps_axes(ct), upright, BOX)
