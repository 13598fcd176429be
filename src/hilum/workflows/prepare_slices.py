"""CT crops of nodules to a data set of slices (`hilum prepare slices`)."""

import csv
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from hilum.core import Failure, Failures, HilumError, InputError, OutputError, UnreadableError
from hilum.datasets.prepared import DATASET, SCHEMA, SLICES
from hilum.datasets.slice_file import LEVEL, NoduleStack, nodule_stacks
from hilum.datasets.splits import Role, is_lidc_patient, role
from hilum.datasets.stored_split import StoredSplit, lidc_split
from hilum.io.json_file import plain, read_json, write_json
from hilum.workflows.arrays_file import read_arrays
from hilum.workflows.journal import Journal, finished_note, journalled, was_finished
from hilum.workflows.output import Run, sha256_of
from hilum.workflows.pool import in_processes
from hilum.workflows.prepare import FAILED, Prepared, require_apart
from hilum.workflows.slice_case import SliceSteps, stack_cases
from hilum.workflows.slice_negatives import NegativesFrom, NegativeSource, negative_cases, negative_source
from hilum.workflows.slice_sheet import SHEET, write_sheet
from hilum.workflows.track import Track, silently

SPACING = "scan_spacing.csv"
LIDC_LICENCE = "LIDC-IDRI: CC BY 3.0"
_NO_SIZE = "nobody knows which pixel size"
_SAME = 1e-3
"""Relative difference up to which two pixel sizes are one, written with fewer digits."""

Record: TypeAlias = list[dict[str, Any]]


@dataclass(frozen=True)
class SliceOptions:
    """What `prepare_slices` may be told.

    Attributes:
        spacing: CSV with each patient's pixel size; None takes `scan_spacing.csv` beside the crops.
        negatives: a tumour CT, crops of which show no nodule; None for none.
        workers: processes at a time; the result doesn't depend on it.
        max_failures: nodules that may fail; one more stops the run, which can go on later.
        force: replace what another run left in the folder.
    """

    spacing: Path | None = None
    negatives: NegativesFrom | None = None
    workers: int = 1
    max_failures: int = 20
    force: bool = False

    def __post_init__(self) -> None:
        if self.workers < 1 or self.max_failures < 0:
            raise InputError(
                f"at least one worker and 0 or more failures are needed, got {self.workers} and {self.max_failures}."
            )


@dataclass(frozen=True, eq=False)
class _Sources:
    """What is to be made.

    Attributes:
        stacks: nodules of patients who may be learnt from, with their steps in mm.
        left_out: keys of slices that are in no split, by the reason.
        crop_px: side of a crop.
        negatives: None for none.
        hashes: SHA-256 of what was read.
    """

    stacks: Sequence[tuple[NoduleStack, SliceSteps]]
    left_out: Mapping[str, Sequence[str]]
    crop_px: tuple[int, int]
    negatives: NegativeSource | None
    hashes: Mapping[str, str] = field(default_factory=dict)


def prepare_slices(src: Path, out: Path, options: SliceOptions | None = None, track: Track = silently) -> Prepared:
    """Make or continue a data set of CT slices.

    Args:
        src: the crops, an `.npz` (`hilum.datasets.slice_file`).
        out: the data set's folder.
        options: see there.
        track: shows how far it is.

    Raises:
        InputError: there is no such file or table, no slice comes out, or the negatives' folders don't fit.
        UnreadableError: the file is another one, or damaged.
        OutputError: `out` holds something else, or can't be written.
        TooManyFailuresError: more nodules failed than allowed; what is done is kept for the next run.
    """
    options = options or SliceOptions()
    sources = _sources(src, options)
    run = Run(f"prepare {SLICES}", sources.hashes, _settings(sources))
    if was_finished(out, run) and not options.force:
        return replace(_as_left(out), note=finished_note(out, run))
    if options.negatives is not None:
        require_apart(options.negatives.folder, out)
    failures = Failures(options.max_failures)
    with journalled(out, run, force=options.force) as journal:
        _work(sources, out, options, journal, failures, track)
        failed = tuple(sorted(failures, key=lambda one: one.input))
        index = _index(sources, journal.entries(), failed)
        write_json(out / FAILED, failed)
        write_sheet(index["cases"], out, out / SHEET)
        write_json(out / DATASET, index)
        journal.finish(run)
    return Prepared(out, len(index["cases"]), failed, _keys(sources.left_out), False, journal.note)


def _settings(sources: _Sources) -> dict[str, Any]:
    wanted = None if sources.negatives is None else plain(sources.negatives.rule)
    return {"consensus": LEVEL, "negatives": wanted}


def _keys(left_out: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    return tuple(key for keys in left_out.values() for key in keys)


def _as_left(out: Path) -> Prepared:
    index = read_json(out / DATASET)
    failed = tuple(Failure(**one) for one in index["failures"])
    return Prepared(out, len(index["cases"]), failed, _keys(index["left_out"]), was_done=True)


def _sources(src: Path, options: SliceOptions) -> _Sources:
    stacks = nodule_stacks(read_arrays(src, ("image", "reader_bits", "key")))
    table = options.spacing or src.with_name(SPACING)
    steps = _steps(table)
    kept: list[tuple[NoduleStack, SliceSteps]] = []
    left_out: dict[str, list[str]] = {}
    for stack in stacks:
        known, of = steps.get(stack.patient), role(stack.patient)
        if known is not None and of in (Role.TRAIN, Role.VALIDATION):
            kept.append((stack, known))
            continue
        reason = _NO_SIZE if of in (Role.TRAIN, Role.VALIDATION) else str(of)
        left_out.setdefault(reason, []).extend(stack.key(z) for z in range(len(stack.slices)))
    if not kept:
        listed = "; ".join(f"{reason}: {len(keys)}" for reason, keys in left_out.items())
        raise InputError(f"no slice of {src} can be learnt from ({listed}).", f"{table} says whose pixel is how large.")
    hashes = {"slices": sha256_of(src), "spacing": sha256_of(table)}
    crop = stacks[0].images.shape[1:]
    negatives = None
    if options.negatives is not None:
        negatives = negative_source(options.negatives, crop)
        hashes |= {"negatives": negatives.hash}
    return _Sources(kept, left_out, (crop[0], crop[1]), negatives, hashes)


def _steps(path: Path) -> dict[str, SliceSteps | None]:
    """Pixel size and distance of slices by patient; None of one whose series have different pixels."""
    wanted = ("patient", "pixel_spacing_mm", "slice_spacing_mm")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = [{name: row[name] for name in wanted} for row in csv.DictReader(stream)]
        found: dict[str, list[SliceSteps]] = {}
        for row in rows:
            steps = SliceSteps(float(row["pixel_spacing_mm"]), float(row["slice_spacing_mm"]))
            found.setdefault(row["patient"], []).append(steps)
    except OSError as error:
        raise InputError(
            f"nobody says how large the crops' pixels are: {path} can't be read ({error.strerror}).",
            "Name a CSV with the columns patient, pixel_spacing_mm and slice_spacing_mm: --spacing.",
        ) from error
    except (KeyError, TypeError, ValueError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableError(f"{path} is no table of pixel sizes: {error}.", f"It has {', '.join(wanted)}.") from error
    return {patient: _one(several) for patient, several in found.items()}


def _one(several: Sequence[SliceSteps]) -> SliceSteps | None:
    """The steps of a patient's series, which the crops don't tell apart; an axis on which they differ is lost."""
    pixel, step = several[0].pixel_mm, several[0].slice_mm
    if any(abs(one.pixel_mm - pixel) > _SAME * pixel for one in several):
        return None
    same = step is not None and all(one.slice_mm is not None and abs(one.slice_mm - step) < _SAME for one in several)
    return SliceSteps(pixel, step if same else None)


def _work(
    sources: _Sources, out: Path, options: SliceOptions, journal: Journal, failures: Failures, track: Track
) -> None:
    """Every nodule that has no complete entry yet; the bar counts the others too."""
    done = {key for key, record in journal.entries().items() if _is_whole(record, out)}
    pending = [job for job in sources.stacks if job[0].name not in done]
    with closing(in_processes(partial(_attempt, out=out), pending, options.workers)) as results:
        for stack, _ in track(sources.stacks, "Nodules"):
            if stack.name in done:
                continue
            outcome = next(results)
            if isinstance(outcome, HilumError):
                failures.add(stack.name, outcome)
            else:
                journal.add(stack.name, outcome)
    if sources.negatives is not None and sources.negatives.name not in done:
        journal.add(sources.negatives.name, plain(negative_cases(sources.negatives, out, track)))


def _is_whole(record: Record, out: Path) -> bool:
    return all((out / name).is_file() for case in record for name in case["files"])


def _attempt(job: tuple[NoduleStack, SliceSteps], out: Path) -> Record | HilumError:
    try:
        return list(plain(stack_cases(*job, out)))
    except OutputError:
        raise  # a full disk is no fault of this job's, and the next one would meet it too
    except HilumError as error:
        return error


def _index(sources: _Sources, entries: Mapping[str, Record], failed: Sequence[Failure]) -> dict[str, Any]:
    """`dataset.json`: nothing in it tells when, where or by how many processes it was made."""
    cases = [case for key in sorted(entries) for case in entries[key]]
    if not any(case["slice"]["reader_count"] for case in cases):
        why = f"; {failed[0].input}: {failed[0].error}" if failed else "."
        raise InputError(f"no slice of a nodule came out{why}", "Check the file of crops.")
    found = sources.negatives
    return {
        "schema": SCHEMA,
        "kind": SLICES,
        "source": {"kind": "crops", "hash": sources.hashes["slices"]},
        "licences": [LIDC_LICENCE, *([] if found is None else [found.licence])],
        "options": {**_settings(sources), "crop_px": sources.crop_px, "spacing": sources.hashes["spacing"]},
        "cases": cases,
        "splits": _split(cases).record(),
        "left_out": sources.left_out,
        "failures": failed,
    }


def _split(cases: Record) -> StoredSplit:
    """LIDC's one rule; whoever is not LIDC's shows no nodule, and is learnt from."""
    patients = {case["patient"] for case in cases}
    others = sorted(patient for patient in patients if not is_lidc_patient(patient))
    lidc = lidc_split(patients - {*others})
    if not others:
        return lidc
    rule = f"{lidc.rule}; {', '.join(others)}, no patient of LIDC-IDRI, shows slices without nodules: training"
    return replace(lidc, rule=rule, train=tuple(sorted((*lidc.train, *others))))
