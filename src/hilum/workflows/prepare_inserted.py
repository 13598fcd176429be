"""Real nodules inserted into whole CTs, to a data set of CT pieces (`hilum prepare inserted`)."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hilum.core import InputError
from hilum.datasets.inserted3d import CUBE_SIGMA_MM, CUBE_SLICE_MM
from hilum.datasets.insertion_places import InsertionRule, Side
from hilum.datasets.patch_places import PieceRule
from hilum.datasets.prepared import CaseSource, index_of, read_prepared
from hilum.datasets.stored_split import LIDC_RULE, StoredSplit
from hilum.io import read_json, read_mask, read_volume, write_volume
from hilum.io.json_file import plain
from hilum.io.luna16 import CENTRE, DIAMETER, SERIES
from hilum.io.nodules_file import read_nodules
from hilum.io.text_file import write_text
from hilum.workflows.ct_pieces import ct_cases
from hilum.workflows.inserted_scan import synthetic_scan
from hilum.workflows.inserted_sources import (
    TRAIN,
    VALIDATION,
    CtSource,
    OwnJob,
    ScanJob,
    ct_sources,
    cut_cases,
    dealt,
    own_job,
    scan_jobs,
)
from hilum.workflows.output import Run, sha256_of
from hilum.workflows.patch_case import Piece, write_piece
from hilum.workflows.patch_set import PatchSet, Running, make_patches
from hilum.workflows.prepare import Prepared, require_apart
from hilum.workflows.track import Track, silently

UNKNOWN_LICENCE = "whole CTs: as their source says"
SCANS, ANNOTATIONS, EXCLUDED, SERIESUIDS = "scans", "annotations.csv", "annotations_excluded.csv", "seriesuids.csv"
SYNTHETIC_NOTE = (
    "inserted (synthetic): the scans' nodules are real ones of other patients, put there by computer; figures are of "
    "inserted nodules"
)
_RULE = "nodules: {lidc}. Pieces without one: by the side of the CT that they are of ({sides})"
Job = ScanJob | OwnJob


@dataclass(frozen=True)
class InsertedOptions:
    """What `prepare_inserted` may be told.

    Attributes:
        annotations: nodules that the CTs have of their own; None for none.
        scans: synthetic scans of each CT to learn from.
        validation_scans: synthetic scans of each CT to be judged on; None for as many.
        per_scan: nodules of each.
        train_side: of the patient, where training's nodules and pieces are; one for all CTs, or one for each.
        validation_side: likewise.
        own_pieces: take the nodules' own cubes as well.
        whole: write validation's scans whole.
        licence: of the CTs, for cards.
        rule: which pieces are taken, and the seed of all that is drawn.
        how: places are drawn.
        running: how the work is done.
    """

    annotations: Path | None = None
    scans: int = 10
    validation_scans: int | None = None
    per_scan: int = 6
    train_side: tuple[Side, ...] = (Side.LEFT,)
    validation_side: tuple[Side, ...] = (Side.RIGHT,)
    own_pieces: bool = False
    whole: bool = False
    licence: str | None = None
    rule: PieceRule = field(default_factory=PieceRule)
    how: InsertionRule = field(default_factory=InsertionRule)
    running: Running = field(default_factory=Running)

    def __post_init__(self) -> None:
        if min(self.scans, self.judged_scans) < 0 or self.per_scan < 1:
            raise InputError(
                f"{self.scans} and {self.judged_scans} scans of {self.per_scan} nodules can't be.", "Ask for more."
            )

    @property
    def judged_scans(self) -> int:
        """Synthetic scans of each CT to be judged on."""
        return self.scans if self.validation_scans is None else self.validation_scans

    def piece_rule(self, job: ScanJob) -> PieceRule:
        """Pieces without a nodule are taken of the CT as it is, as many as all its scans should have."""
        count = 0 if job.nodules else {TRAIN: self.scans, VALIDATION: self.judged_scans}[job.split]
        return replace(self.rule, random=self.rule.random * count, hard=self.rule.hard * count)


def prepare_inserted(
    cts: Sequence[Path], out: Path, nodules: Path, options: InsertedOptions | None = None, track: Track = silently
) -> Prepared:
    """Make or continue a data set of nodules inserted into whole CTs.

    Args:
        cts: DICOM folders, NIfTI or MHD.
        out: the data set's folder.
        nodules: a data set of `prepare_cubes`.
        options: see there.
        track: shows how far it is.

    Raises:
        InputError: a CT or the nodules are missing, or are of somebody who may not be learnt from.
        UnreadableError: a table or the cubes' index is damaged.
        OutputError: `out` holds something else, or can't be written.
        TooManyFailuresError: more scans failed than allowed; what is done is kept for the next run.
    """
    options = options or InsertedOptions()
    sources = ct_sources(cts, options.annotations, options.train_side, options.validation_side)
    cubes = read_prepared(nodules)
    for path in (*cts, cubes.index.parent):
        if path.is_dir():
            require_apart(path, out)
    cases = {split: cut_cases(cubes, split) for split in (TRAIN, VALIDATION)}
    jobs = _jobs(sources, cases, options)
    index = read_json(cubes.index)
    wanted = PatchSet(
        run=_run(sources, cubes.index, options),
        jobs=jobs,
        make=partial(_cases, options=options),
        split=partial(_split, sources=sources, cases=cases),
        about={
            "source": {
                "kind": "inserted",
                "hash": sha256_of(cubes.index),
                "cts": {one.name: one.hash for one in sources},
            },
            "licences": [*index.get("licences", ()), options.licence or UNKNOWN_LICENCE],
            "sides": {one.name: {split: str(side) for split, side in one.sides} for one in sources},
            "cubes_look": {"sigma_mm": CUBE_SIGMA_MM, "slice_mm": CUBE_SLICE_MM},
        },
        label="Scans",
        notes=(SYNTHETIC_NOTE, *(_said(one) for one in sources)),
    )
    found = make_patches(wanted, out, options.running, track)
    if options.whole:
        _write_tables(out, sources)
    return found


def _run(sources: Sequence[CtSource], cubes: Path, options: InsertedOptions) -> Run:
    inputs = {"nodules": sha256_of(cubes), **{f"ct {one.name}": one.hash for one in sources}}
    if options.annotations is not None:
        inputs["annotations"] = sha256_of(options.annotations)
    sides = {one.name: {split: str(side) for split, side in one.sides} for one in sources}
    settings: dict[str, Any] = {
        **plain(options.rule),
        **{f"insertion_{name}": value for name, value in plain(options.how).items()},
        "scans": options.scans,
        "validation_scans": options.judged_scans,
        "per_scan": options.per_scan,
        "sides": sides,
        "own_pieces": options.own_pieces,
        "whole": options.whole,
        "licence": options.licence,
    }
    return Run("prepare inserted", inputs, settings)


def _jobs(sources: Sequence[CtSource], cases: dict[str, list[CaseSource]], options: InsertedOptions) -> list[Job]:
    """Scans CT by CT, because a CT that was read is kept."""
    jobs: list[Job] = []
    counts = {TRAIN: options.scans, VALIDATION: options.judged_scans}
    decks = {
        split: dealt(cases[split], np.random.default_rng((options.rule.seed, number)))
        for number, split in enumerate((TRAIN, VALIDATION))
    }
    for ct in sources:
        for split in (TRAIN, VALIDATION):
            jobs += scan_jobs(ct, split, counts[split], decks[split], options.per_scan)
    if not jobs:
        raise InputError("no scan is to be made.", "Give --scans, and a side to insert nodules on.")
    return [*jobs, *(own_job(one) for split in cases for one in cases[split] if options.own_pieces)]


def _said(ct: CtSource) -> str:
    learnt, judged = ct.side(TRAIN), ct.side(VALIDATION)
    if Side.NONE in (learnt, judged):
        return f"{ct.name}: learnt from {learnt}, judged on {judged}"
    if ct.is_apart:
        return f"{ct.name}: learnt from the {learnt} lung, judged on the {judged} one of the same patient"
    return (
        f"{ct.name}: learnt from {learnt}, judged on {judged}, so judged in lung that is learnt from: false positives "
        "are flattered"
    )


def _split(patients: Iterable[str], sources: Sequence[CtSource], cases: dict[str, list[CaseSource]]) -> StoredSplit:
    """Nodules' patients as the cubes have them, CTs' sides by what they are for."""
    there = set(patients)
    names = {
        split: tuple(sorted(there & {*(one.patient for one in cases[split]), *(one.patient(split) for one in sources)}))
        for split in (TRAIN, VALIDATION)
    }
    sides = "; ".join(f"{one.name} {one.side(TRAIN)} and {one.side(VALIDATION)}" for one in sources)
    return StoredSplit(_RULE.format(lidc=LIDC_RULE, sides=sides), names[TRAIN], names[VALIDATION])


def _cases(job: Job, out: Path, options: InsertedOptions) -> list[dict[str, object]]:
    if isinstance(job, OwnJob):
        return [_own(job, out)]
    rule = options.piece_rule(job)
    scan = synthetic_scan(job, rule, options.how)
    records = ct_cases(scan.marked, rule, out, scan.lungs)
    about = {"ct": job.ct.name, "side": str(job.ct.side(job.split)), "between_lungs_x_mm": round(scan.x_mm, 3)}
    is_whole = options.whole and job.split == VALIDATION and bool(job.nodules)
    for record in records:
        record["scan"] = {**about, "is_whole": is_whole}
    if is_whole and records:
        name = f"{SCANS}/{job.key}.nii.gz"
        (out / SCANS).mkdir(parents=True, exist_ok=True)
        write_volume(scan.ct, out / name)
        files = records[0]["files"]
        records[0]["files"] = {**(files if isinstance(files, dict) else {}), name: sha256_of(out / name)}
    return records


def _own(job: OwnJob, out: Path) -> dict[str, object]:
    """A cube as it is, with its own truth."""
    case = job.case
    if case.image is None or case.patch is None or case.nodules is None:
        raise InputError(f"{case.key} is no measured piece of a CT.", "Prepare the cubes again.")
    stored = read_nodules(case.nodules)
    piece = Piece(
        job.key, case.patient, read_volume(case.image), read_mask(case.truth), case.patch, stored.nodules[0], case.odd
    )
    return write_piece(piece, out)


def _write_tables(out: Path, sources: Sequence[CtSource]) -> None:
    """LUNA16's tables of the whole scans: what was inserted, and what the CTs have of their own."""
    cases = [case for case in read_json(index_of(out))["cases"] if (case.get("scan") or {}).get("is_whole")]
    scans = {case["patch"]["series"]: case["scan"] for case in cases}
    known = {one.name: one.known for one in sources}
    found = [
        (case["patch"]["series"], *case["patch"]["centre_lps_mm"], case["patch"]["diameter_mm"])
        for case in cases
        if case["patch"]["nodule"]
    ]
    excluded = [
        (series, *mark.centre_lps_mm, 2 * mark.radius_mm if mark.is_nodule else -1.0)
        for series, scan in scans.items()
        for mark in known[scan["ct"]]
    ]
    head = (SERIES, *CENTRE, DIAMETER)
    write_text(out / SCANS / ANNOTATIONS, _table(head, found))
    write_text(out / SCANS / EXCLUDED, _table(head, excluded))
    sides = [(series, scan["side"], scan["between_lungs_x_mm"]) for series, scan in scans.items()]
    write_text(out / SCANS / "sides.csv", _table((SERIES, "side", "between_lungs_x_mm"), sides))
    write_text(out / SCANS / SERIESUIDS, "".join(f"{series}\n" for series in scans))


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return stream.getvalue()
