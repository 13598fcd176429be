"""LIDC-IDRI's CTs with their readers' outlines to a data set of CT pieces (`hilum prepare lidc`)."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from hilum.core import Failures, InputError, MissingError, Volume
from hilum.core.geometry import Floats
from hilum.datasets.patch_places import Known, Marked, PieceRule
from hilum.datasets.patch_source import READERS, by_readers
from hilum.datasets.scan_match import require_same_scan
from hilum.datasets.splits import is_demonstration
from hilum.datasets.stored_split import lidc_split
from hilum.drr.figures import Subject
from hilum.io import read_volume
from hilum.io.inputs import files_in, read_start, require_path
from hilum.io.installed import lidc_database_path
from hilum.io.json_file import plain
from hilum.io.lidc import MarkKind, Read, is_lidc_xml, read_lidc_xml
from hilum.ops import OutlineRule, require_level, to_lps_axes
from hilum.workflows.ct_pieces import MarkedCt, MarkedNodule, ct_cases
from hilum.workflows.drr_nodules import subjects_of_read
from hilum.workflows.output import Run, sha256_of
from hilum.workflows.pair_case import truth_of
from hilum.workflows.pair_sources import Job, Sources, find_sources
from hilum.workflows.patch_set import PatchSet, Running, make_patches
from hilum.workflows.prepare import Prepared, require_apart
from hilum.workflows.prepare_cubes import LIDC_LICENCE
from hilum.workflows.track import Track, silently

_LEFT = "what its readers outlined and don't agree on is left out"
_SERIES = re.compile(rb"<SeriesInstanceUid>\s*([0-9.]+)\s*<", re.IGNORECASE)
_HEAD = 4096
"""Bytes in which LIDC's XML names its series."""


@dataclass(frozen=True)
class LidcOptions:
    """What `prepare_lidc` may be told.

    Attributes:
        xml: folder with LIDC's XML, wherever it lies below it; None looks beside the slices, then into the database.
        consensus: share of a nodule's readers who need to have a voxel.
        outline_rule: what pixels under the readers' lines are.
        rule: which pieces are taken.
        running: how the work is done.

    Raises:
        InputError: the share is none.
    """

    xml: Path | None = None
    consensus: float = 0.5
    outline_rule: OutlineRule = OutlineRule.INSIDE
    rule: PieceRule = field(default_factory=PieceRule)
    running: Running = field(default_factory=Running)

    def __post_init__(self) -> None:
        require_level(self.consensus)


def prepare_lidc(src: Path, out: Path, options: LidcOptions | None = None, track: Track = silently) -> Prepared:
    """Make or continue a data set of LIDC-IDRI's CTs.

    Args:
        src: a folder with CTs of LIDC patients (`hilum.workflows.pair_sources.find_sources`).
        out: the data set's folder.
        options: see there.
        track: shows how far it is.

    Raises:
        InputError: there is no CT of anybody who may be learnt from.
        OutputError: `out` holds something else, or can't be written.
        TooManyFailuresError: more CTs failed than allowed; what is done is kept for the next run.
    """
    options = options or LidcOptions()
    failures = Failures(options.running.max_failures)
    require_apart(src, out)
    sources = find_sources(src, failures)
    jobs = _learnable(sources, src)
    settings = {
        **plain(options.rule),
        "consensus": options.consensus,
        "outline_rule": str(options.outline_rule),
        "hard_negatives": "what readers called no nodule, then dense blobs",
    }
    wanted = PatchSet(
        run=Run("prepare lidc", _hashes(sources, options), settings),
        jobs=jobs,
        make=partial(_cases, options=options),
        split=lidc_split,
        about={"source": {"kind": "lidc", "hash": sources.hash}, "licences": [LIDC_LICENCE]},
        left_out=_left_out(sources),
        failures=(*failures, *sources.without_ct),
    )
    return make_patches(wanted, out, options.running, track)


def _learnable(sources: Sources, src: Path) -> tuple[Job, ...]:
    if sources.are_pairs:
        raise InputError(f"{src} holds published pairs of X-rays, and CTs were expected.", "Name the CTs' folder.")
    jobs = tuple(job for job in sources.jobs if not is_demonstration(job.patient))
    if not jobs:
        listed = (
            "; ".join(f"{reason}: {len(keys)}" for reason, keys in _left_out(sources).items()) or "none can be read"
        )
        raise InputError(f"no CT of {src} can be learnt from ({listed}).", "Take CTs of other patients.")
    return jobs


def _left_out(sources: Sources) -> dict[str, Sequence[str]]:
    demonstration = [job.key for job in sources.jobs if is_demonstration(job.patient)]
    found = {"held out": sources.left_out, "demonstration": demonstration}
    return {reason: keys for reason, keys in found.items() if keys}


def _hashes(sources: Sources, options: LidcOptions) -> dict[str, str]:
    """Of the CTs, and of all that may say what readers outlined."""
    hashes = {"cts": sources.hash}
    with suppress(MissingError):
        hashes["database"] = sha256_of(lidc_database_path())
    if options.xml is not None:
        lines = (f"{uid} {path.stat().st_size}\n" for uid, path in sorted(xml_by_series(options.xml).items()))
        hashes["xml"] = hashlib.sha256("".join(lines).encode()).hexdigest()
    return hashes


@lru_cache(maxsize=1)
def xml_by_series(folder: Path) -> Mapping[str, Path]:
    """LIDC's XML of CTs below a folder, by the series that it names; looked for once in a process.

    Raises:
        InputError: there is no such folder, or no such file in it.
    """
    found: dict[str, Path] = {}
    for path in files_in(require_path(folder), Failures()):
        head = read_start(path, _HEAD) if path.suffix.lower() == ".xml" else b""
        if is_lidc_xml(head) and (named := _SERIES.search(head)):
            found.setdefault(named[1].decode(), path)
    if not found:
        raise InputError(f"{folder} holds no XML of LIDC that names a CT series.", "Name the unpacked folder.")
    return found


def _cases(job: Job, out: Path, options: LidcOptions) -> list[dict[str, object]]:
    ct = to_lps_axes(read_volume(job.path))
    read = _read(job, ct, options.xml)
    subjects = subjects_of_read(read, ct, options.consensus, options.outline_rule)
    nodules = list(_nodules(subjects))
    left = [subject for subject in subjects if subject.mask is None or not subject.mask.labels.any()]
    small, no_nodule = (_points(read, kind, ct) for kind in (MarkKind.SMALL_NODULE, MarkKind.NON_NODULE))
    doubtful = np.concatenate([small, *_centres(left)]) if left else small
    marks = [Marked((x, y, z), 0.0, is_nodule=False) for x, y, z in doubtful.tolist()]
    marked = MarkedCt(
        key=job.key,
        patient=job.patient,
        series=read.series_uid,
        ct=ct,
        nodules=nodules,
        truth=READERS,
        known=Known(marks, first=no_nodule),
        odd=(_LEFT,) if left else (),
    )
    return ct_cases(marked, options.rule, out)


def _read(job: Job, ct: Volume, xml: Path | None) -> Read:
    """What the readers marked: in the XML of this series, else as `truth_of` finds it."""
    path = xml_by_series(xml).get(job.series_uid) if xml is not None and job.series_uid else None
    if path is None:
        return truth_of(job, ct)
    return require_same_scan(read_lidc_xml(path), ct, job.series_uid)


def _nodules(subjects: Sequence[Subject]) -> Iterator[MarkedNodule]:
    for subject in subjects:
        nodule, mask = subject.nodule, subject.mask
        if mask is not None and mask.labels.any() and nodule.diameters_mm is not None:
            truth = by_readers(nodule.reader_count or 1)
            yield MarkedNodule(nodule, nodule.diameters_mm.equivalent_mm, truth, mask)


def _centres(left: Sequence[Subject]) -> Iterator[Floats]:
    """Of outlines without a consensus: the middle of what any reader has."""
    for subject in left:
        for mask in subject.readers:
            places = np.argwhere(mask.labels)
            if len(places):
                yield mask.require_geometry().to_lps_mm(places).mean(axis=0, keepdims=True)


def _points(read: Read, kind: MarkKind, ct: Volume) -> Floats:
    """[n, 3] in LPS mm: readers' marks of one point each; those beside the CT's slices are passed over."""
    found = [np.empty((0, 3))]
    for mark in read.of_kind(kind):
        outline = mark.outlines[0]
        column, row = outline.points_xy[0].tolist()
        k = round((outline.z_mm - ct.geometry.origin_lps_mm[2]) / ct.geometry.spacing_zyx_mm[0])
        if 0 <= k < len(ct.array):
            found.append(ct.geometry.to_lps_mm([(k, row, column)]))
    return np.concatenate(found)
