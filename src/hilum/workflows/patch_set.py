"""Makes or continues a data set of CT pieces, whatever they are made of: jobs, journal, index, a picture to check."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from hilum.core import Failure, Failures, HilumError, InputError, OutputError
from hilum.datasets.data_kind import CT_PATCHES
from hilum.datasets.prepared import DATASET, SCHEMA
from hilum.datasets.stored_split import StoredSplit
from hilum.io.json_file import plain, read_json, write_json
from hilum.workflows.journal import Journal, finished_note, journalled, was_finished
from hilum.workflows.output import Run
from hilum.workflows.patch_sheet import SHEET, write_sheet
from hilum.workflows.pool import in_processes
from hilum.workflows.prepare import FAILED, Prepared
from hilum.workflows.track import Track

Record: TypeAlias = dict[str, Any]

UNMARKED = "nothing is marked on it"
"""Why a job leaves no piece that is no failure."""


class Job(Protocol):
    """What a data set is made of, one by one."""

    @property
    def key(self) -> str:
        """Unique, and safe as a file name."""


J = TypeVar("J", bound=Job)


@dataclass(frozen=True)
class Running:
    """How the work is done; the result doesn't depend on it.

    Attributes:
        workers: processes at a time.
        max_failures: jobs that may fail; one more stops the run, which can go on later.
        force: replace what another run left in the folder.
    """

    workers: int = 1
    max_failures: int = 20
    force: bool = False

    def __post_init__(self) -> None:
        if self.workers < 1 or self.max_failures < 0:
            raise InputError(
                f"at least one worker and 0 or more failures are needed, got {self.workers} and {self.max_failures}."
            )


@dataclass(frozen=True, eq=False)
class PatchSet(Generic[J]):
    """A data set of CT pieces that is to be made.

    Attributes:
        run: what determines it.
        jobs: what it is made of.
        make: the cases of one job, written below a folder; their records.
        split: of the patients that it then has.
        about: further entries of the index: source, licences, and so on.
        label: what the jobs are, for a bar.
        left_out: keys of what is in no split, by the reason.
        failures: what could not even become a job.
        notes: what a person should know of the whole set; printed, and kept in the index.
    """

    run: Run
    jobs: Sequence[J]
    make: Callable[[J, Path], Sequence[Mapping[str, object]]]
    split: Callable[[Iterable[str]], StoredSplit]
    about: Mapping[str, object]
    label: str = "CTs"
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    failures: Sequence[Failure] = ()
    notes: tuple[str, ...] = ()


def make_patches(wanted: PatchSet[J], out: Path, running: Running, track: Track) -> Prepared:
    """Make the data set, or go on where an earlier run stopped.

    Raises:
        InputError: no piece shows a nodule.
        OutputError: `out` holds something else, or can't be written.
        TooManyFailuresError: more jobs failed than allowed; what is done is kept for the next run.
    """
    if was_finished(out, wanted.run) and not running.force:
        return _as_left(wanted, out)
    failures = Failures(running.max_failures)
    with journalled(out, wanted.run, force=running.force) as journal:
        _work(wanted, out, running, journal, failures, track)
        failed = tuple(sorted((*failures, *wanted.failures), key=lambda one: one.input))
        write_json(out / FAILED, failed)
        index = _index(wanted, journal.entries(), failed)
        write_sheet(index["cases"], out, out / SHEET)
        write_json(out / DATASET, index)
        journal.finish(wanted.run)
    return _prepared(wanted, out, index, failed, journal.note)


def _as_left(wanted: PatchSet[J], out: Path) -> Prepared:
    index = read_json(out / DATASET)
    failed = tuple(Failure(**one) for one in index["failures"])
    return replace(_prepared(wanted, out, index, failed, finished_note(out, wanted.run)), was_done=True)


def _prepared(wanted: PatchSet[J], out: Path, index: Record, failed: tuple[Failure, ...], note: str) -> Prepared:
    left_out = tuple(key for keys in index["left_out"].values() for key in keys)
    empty = (f"no patient falls into the split {name}" for name in ("train", "validation") if not index["splits"][name])
    odd = (remark for remark in index["odd"] if not remark.startswith(wanted.notes))
    notes = "; ".join(one for one in (*wanted.notes, *odd, *empty, note) if one)
    return Prepared(out, len(index["cases"]), failed, left_out, False, notes)


def _work(wanted: PatchSet[J], out: Path, running: Running, journal: Journal, failures: Failures, track: Track) -> None:
    """Every job that has no complete entry yet; the bar counts the others too."""
    done = {key for key, records in journal.entries().items() if _is_whole(records, out)}
    pending = [job for job in wanted.jobs if job.key not in done]
    attempt = partial(_attempt, make=wanted.make, out=out)
    with closing(in_processes(attempt, pending, running.workers, ordered=False)) as results:
        for job in track(wanted.jobs, wanted.label):
            if job.key in done:
                continue
            key, outcome = next(results)
            if isinstance(outcome, HilumError):
                failures.add(key, outcome)
            else:
                journal.add(key, outcome)


def _is_whole(records: Sequence[Record], out: Path) -> bool:
    return all((out / name).is_file() for case in records for name in case["files"])


def _attempt(
    job: J, make: Callable[[J, Path], Sequence[Mapping[str, object]]], out: Path
) -> tuple[str, list[Record] | HilumError]:
    try:
        return job.key, list(plain(make(job, out)))
    except OutputError:
        raise  # a full disk is no fault of this job's, and the next one would meet it too
    except HilumError as error:
        return job.key, error


def _index(wanted: PatchSet[J], entries: Mapping[str, Sequence[Record]], failed: Sequence[Failure]) -> Record:
    """`dataset.json`: nothing in it tells when, where or by how many processes it was made."""
    cases = [case for key in sorted(entries) for case in entries[key]]
    unmarked = sorted(key for key, records in entries.items() if not records)
    if not any(case["patch"]["nodule"] for case in cases):
        why = f"; {failed[0].input}: {failed[0].error}" if failed else "."
        raise InputError(f"no piece with a nodule came out{why}", "Check the CTs and what marks their nodules.")
    return {
        "schema": SCHEMA,
        "kind": CT_PATCHES,
        **wanted.about,
        "options": wanted.run.options,
        "truths": sorted({case["patch"]["truth"] for case in cases}),
        "notes": wanted.notes,
        "odd": _together(cases),
        "cases": cases,
        "splits": wanted.split({case["patient"] for case in cases}).record(),
        "left_out": {**wanted.left_out, **({UNMARKED: unmarked} if unmarked else {})},
        "failures": failed,
    }


def _together(cases: Sequence[Record]) -> list[str]:
    """What is odd about pieces, each remark once."""
    counts = Counter(remark for case in cases for remark in case["odd"])
    return [f"{remark} ({count} of {len(cases)} pieces)" for remark, count in sorted(counts.items())]
