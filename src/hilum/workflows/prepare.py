"""Raw data to a data set: DRR pairs with LIDC's per-nodule truth (`hilum prepare drr-pairs`).

Jobs run in as many processes as wished. Each one's files and journal entry are whole or absent, so a run that was
killed goes on where it was, and ends with the same `dataset.json`, byte for byte, as one that wasn't.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from hilum.core import Failure, Failures, HilumError, InputError, OutputError
from hilum.datasets.prepared import DATASET, SCHEMA
from hilum.datasets.stored_split import lidc_split
from hilum.io.installed import lidc_database_path
from hilum.io.json_file import plain, read_json, write_json
from hilum.workflows.journal import Journal, finished_note, journalled, was_finished
from hilum.workflows.output import Run, sha256_of
from hilum.workflows.pair_case import CaseOptions, case_of_pair, cases_of_ct
from hilum.workflows.pair_sources import Job, Sources, find_sources
from hilum.workflows.pool import in_processes
from hilum.workflows.track import Track, silently

FAILED = "failures.json"
KIND = "drr-pairs"

Record: TypeAlias = list[dict[str, Any]]


@dataclass(frozen=True)
class PrepareOptions:
    """What `prepare_drr_pairs` may be told.

    Attributes:
        case: what decides the cases' content.
        workers: processes at a time; the result doesn't depend on it.
        max_failures: inputs that may fail; one more stops the run, which can go on later.
        force: replace what another run left in the folder.
    """

    case: CaseOptions = field(default_factory=CaseOptions)
    workers: int = 1
    max_failures: int = 20
    force: bool = False

    def __post_init__(self) -> None:
        if self.workers < 1 or self.max_failures < 0:
            raise InputError(
                f"at least one worker and 0 or more failures are needed, got {self.workers} and {self.max_failures}."
            )


@dataclass(frozen=True)
class Prepared:
    """What a run left.

    Attributes:
        folder: the data set's.
        cases: how many it has.
        failures: inputs that failed, and folders whose DICOM is no CT, sorted.
        left_out: keys of held-out patients that were there and are not in it.
        was_done: whether an earlier run had left all of it.
        note: that other code of hilum has made some of it; "" when it hasn't.
    """

    folder: Path
    cases: int
    failures: tuple[Failure, ...]
    left_out: tuple[str, ...]
    was_done: bool
    note: str = ""


def prepare_drr_pairs(src: Path, out: Path, options: PrepareOptions | None = None, track: Track = silently) -> Prepared:
    """Make or continue a data set of DRR pairs.

    Args:
        src: a folder with published pairs, or with CTs of LIDC patients (`hilum.workflows.pair_sources`).
        out: the data set's folder.
        options: see there.
        track: shows how far it is.

    Raises:
        InputError: there is nothing to make pairs of, or no pair came out.
        MissingError: LIDC's outlines are not installed.
        OutputError: `out` holds something else, or can't be written.
        TooManyFailuresError: more inputs failed than allowed; what is done is kept for the next run.
    """
    options = options or PrepareOptions()
    failures = Failures(options.max_failures)
    require_apart(src, out)
    sources = find_sources(src, failures)
    run = _run(sources, options)
    if was_finished(out, run) and not options.force:
        return replace(_as_left(out, sources), note=finished_note(out, run))
    with journalled(out, run, force=options.force) as journal:
        _work(sources, out, options, journal, failures, track)
        failed = tuple(sorted((*failures, *sources.without_ct), key=lambda one: one.input))
        index = _index(sources, options, journal.entries(), failed)
        write_json(out / FAILED, failed)
        _require_cases(index["cases"], src, out, failed)
        write_json(out / DATASET, index)
        journal.finish(run)
    return Prepared(out, len(index["cases"]), failed, sources.left_out, False, journal.note)


def _require_cases(cases: Sequence[object], src: Path, out: Path, failed: Sequence[Failure]) -> None:
    if not cases:
        why = f"{failed[0].input}: {failed[0].error}" if failed else "all patients are held out."
        raise InputError(f"no pair came out of {src}; {why}", f"{out / FAILED} lists every input that failed.")


def require_apart(src: Path, out: Path) -> None:
    """Refuse to write into the folder that is read.

    Raises:
        OutputError: `out` is `src` or lies within it.
    """
    inner, outer = out.resolve(), src.resolve()
    if inner == outer or outer in inner.parents:
        raise OutputError(f"{out} lies within {src}.", "Choose a folder beside it; a second run would read the first.")


def _run(sources: Sources, options: PrepareOptions) -> Run:
    inputs = {"sources": sources.hash, lidc_database_path().name: sha256_of(lidc_database_path())}
    return Run(f"prepare {KIND}", inputs, _settings(sources, options))


def _settings(sources: Sources, options: PrepareOptions) -> dict[str, Any]:
    """The options that decide the result; published pairs are copied, so nothing varies in them."""
    case = asdict(options.case)
    if sources.are_pairs:
        del case["variation"], case["seed"]
    return {"source_is": "published pairs" if sources.are_pairs else "CTs", **plain(case)}


def _as_left(out: Path, sources: Sources) -> Prepared:
    index = read_json(out / DATASET)
    failed = tuple(Failure(**one) for one in index["failures"])
    return Prepared(out, len(index["cases"]), failed, sources.left_out, was_done=True)


def _index(
    sources: Sources, options: PrepareOptions, entries: Mapping[str, Record], failed: Sequence[Failure]
) -> dict[str, Any]:
    """`dataset.json`: nothing in it tells when, where or by how many processes it was made."""
    cases = [case for key in sorted(entries) for case in entries[key]]
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "source": {"kind": "published pairs" if sources.are_pairs else "CTs", "hash": sources.hash},
        "options": _settings(sources, options),
        "cases": cases,
        "splits": lidc_split(case["patient"] for case in cases).record(),
        "left_out": sources.left_out,
        "failures": failed,
    }


def _work(
    sources: Sources, out: Path, options: PrepareOptions, journal: Journal, failures: Failures, track: Track
) -> None:
    """Every job that has no complete entry yet; the bar counts the others too."""
    done = {key for key, record in journal.entries().items() if _is_whole(record, out)}
    pending = [job for job in sources.jobs if job.key not in done]
    make = case_of_pair if sources.are_pairs else cases_of_ct
    attempt = partial(_attempt, make=make, out=out, options=options.case)
    with closing(in_processes(attempt, pending, options.workers, ordered=False)) as results:
        for job in track(sources.jobs, "DRR pairs"):
            if job.key in done:
                continue
            finished, outcome = next(results)
            if isinstance(outcome, HilumError):
                failures.add(finished.key, outcome)
            else:
                journal.add(finished.key, outcome)


def _is_whole(record: Record, out: Path) -> bool:
    return all((out / name).is_file() for case in record for name in case["files"])


Outcome: TypeAlias = "tuple[Job, Record | HilumError]"


def _attempt(job: Job, make: Any, out: Path, options: CaseOptions) -> Outcome:
    try:
        return job, plain(make(job, out, options))
    except OutputError:
        raise  # a full disk is no fault of this job's, and the next one would meet it too
    except HilumError as error:
        return job, error
