"""Makes or continues a data set of chest X-rays by classes, whatever its source: jobs, journal, index, a picture.

Every film of the source is accounted for: it is a case, or left out for a reason, or failed.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from hilum.core import Failure, Failures, HilumError, InputError, OutputError
from hilum.datasets.class_source import UNKNOWN
from hilum.datasets.class_split import SPLITS, FilmFacts, sort_films
from hilum.datasets.data_kind import XRAY_CLASSES
from hilum.datasets.film_hash import BITS, NEAR_BITS, Twins, twins
from hilum.datasets.prepared import DATASET, SCHEMA
from hilum.datasets.stored_folds import StoredFolds
from hilum.datasets.stored_split import StoredSplit
from hilum.io.json_file import plain, read_json, write_json
from hilum.workflows.class_case import FOLDER
from hilum.workflows.class_sheet import SHEET, write_sheet
from hilum.workflows.journal import Journal, finished_note, journalled, was_finished
from hilum.workflows.output import Run
from hilum.workflows.patch_set import Job, Record, Running
from hilum.workflows.pool import in_processes
from hilum.workflows.prepare import FAILED, Prepared
from hilum.workflows.track import Track

UNSAID = "no label"


J = TypeVar("J", bound=Job)


@dataclass(frozen=True)
class Arranged:
    """Who is in which split.

    Attributes:
        patient_of: of each case that is used, by key.
        split: of these patients.
        folds: of the same; None without any.
    """

    patient_of: Mapping[str, str]
    split: StoredSplit
    folds: StoredFolds | None = None


@dataclass(frozen=True)
class Refused:
    """What could not even become a job.

    Attributes:
        failure: what is wrong with it.
        film: its picture's place in the source; "" where it is no film, such as a mask without one.
        split: of that film, where the source's layout tells.
        label: likewise.
    """

    failure: Failure
    film: str = ""
    split: str = ""
    label: str = ""


def _untold(job: Job) -> tuple[str, str]:
    del job
    return "", ""


@dataclass(frozen=True, eq=False)
class ClassSet(Generic[J]):
    """A data set of chest X-rays by classes that is to be made.

    Attributes:
        run: what determines it.
        jobs: its films.
        make: the case of one, written below a folder; its record.
        arrange: the splits, of the records that are used and the unit that each belongs to.
        classes: that may be declared, by number.
        about: further entries of the index.
        optional: classes that are declared only where some film has them.
        keeps_split: whether the source's own split is kept, so that films shared by its parts are leaks.
        refused: what could not even become a job.
        told: split and label of a film as the source's layout tells them; "" where it doesn't.
        notes: what a person should know of the whole set.
    """

    run: Run
    jobs: Sequence[J]
    make: Callable[[J, Path], Mapping[str, object]]
    arrange: Callable[[Sequence[Record], Mapping[str, str]], Arranged]
    classes: Mapping[int, str]
    about: Mapping[str, object]
    optional: frozenset[int] = frozenset()
    keeps_split: bool = False
    refused: Sequence[Refused] = ()
    told: Callable[[J], tuple[str, str]] = _untold
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PreparedClasses(Prepared):
    """What a run left, with its counts.

    Attributes:
        counts: images, labels and classes by split, as they stand in the index.
        names: of the declared classes.
    """

    counts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)


def make_classes(wanted: ClassSet[J], out: Path, running: Running, track: Track) -> PreparedClasses:
    """Make the data set, or go on where an earlier run stopped.

    Raises:
        InputError: no film could be used, or a declared class has no pixel in training.
        OutputError: `out` holds something else, or can't be written.
        TooManyFailuresError: more films failed than allowed; what is done is kept for the next run.
    """
    if was_finished(out, wanted.run) and not running.force:
        index = read_json(out / DATASET)
        return replace(_prepared(out, index, finished_note(out, wanted.run)), was_done=True)
    failures = Failures(running.max_failures)
    with journalled(out, wanted.run, force=running.force) as journal:
        try:
            for failure in (one.failure for one in wanted.refused):
                failures.add(failure.input, InputError(failure.error, failure.remedy))
            _work(wanted, out, running, journal, failures, track)
        finally:
            failed = tuple(sorted(failures, key=lambda one: one.input))
            write_json(out / FAILED, failed)
        index = plain(_index(wanted, journal.entries(), failed))
        _require_classes(index)
        _sweep(index, out)
        write_sheet(index, out, out / SHEET)
        write_json(out / DATASET, index)
        journal.finish(wanted.run)
    return _prepared(out, index, journal.note)


def _prepared(out: Path, index: Record, note: str) -> PreparedClasses:
    return PreparedClasses(
        folder=out,
        cases=len(index["cases"]),
        failures=tuple(Failure(**one) for one in index["failures"]),
        left_out=tuple(key for keys in index["left_out"].values() for key in keys),
        was_done=False,
        note="; ".join(one for one in (*index["notes"], note) if one),
        counts=index["counts"],
        names={int(number): name for number, name in index["labels"].items()},
    )


def _work(wanted: ClassSet[J], out: Path, running: Running, journal: Journal, failures: Failures, track: Track) -> None:
    """Every film that has no complete entry yet; the bar counts the others too."""
    done = {key for key, record in journal.entries().items() if all((out / name).is_file() for name in record["files"])}
    pending = [job for job in wanted.jobs if job.key not in done]
    attempt = partial(_attempt, make=wanted.make, out=out)
    with closing(in_processes(attempt, pending, running.workers)) as results:
        for job in track(wanted.jobs, "Films"):
            if job.key in done:
                continue
            key, outcome = next(results)
            if isinstance(outcome, HilumError):
                failures.add(key, outcome)
            else:
                journal.add(key, outcome)


def _attempt(job: J, make: Callable[[J, Path], Mapping[str, object]], out: Path) -> tuple[str, Record | HilumError]:
    try:
        return job.key, plain(make(job, out))
    except OutputError:
        raise  # a full disk is no fault of this film's, and the next one would meet it too
    except HilumError as error:
        return job.key, error


def _index(wanted: ClassSet[J], entries: Mapping[str, Record], failed: Sequence[Failure]) -> Record:
    """`dataset.json`: nothing in it tells when, where or by how many processes it was made."""
    every = [entries[key] for key in sorted(entries)]
    if not every:
        why = f"; {failed[0].input}: {failed[0].error}" if failed else "."
        raise InputError(f"no film could be used{why}", "Check the folder's layout.")
    content, perceptual = ({one["key"]: one["film"][name] for one in every} for name in ("content", "perceptual"))
    pairs = twins(content, perceptual)
    found = sort_films([_facts(one, keeps_split=wanted.keeps_split) for one in every], pairs)
    used = [one for one in every if one["key"] in found.unit_of]
    arranged = wanted.arrange(used, found.unit_of)
    cases = [{**one, "patient": arranged.patient_of[one["key"]]} for one in used]
    names = _declared(wanted, cases)
    return {
        "schema": SCHEMA,
        "kind": XRAY_CLASSES,
        **wanted.about,
        "options": wanted.run.options,
        "labels": names,
        "unknown_label": UNKNOWN,
        "licences": sorted({one["film"]["licence"] for one in cases}),
        "notes": [*wanted.notes, *_undeclared(wanted, names), *_shared(pairs, found.left_out)],
        "odd": _together(cases),
        "accounted": _accounted(wanted, entries, len(cases), found.left_out),
        "counts": _counts(cases, arranged.split, names),
        "twins": {"bits": BITS, "near_bits": NEAR_BITS, "pairs": [_pair(one, entries) for one in pairs]},
        "cases": cases,
        "splits": arranged.split.record(),
        "folds": None if arranged.folds is None else arranged.folds.record(),
        "left_out": found.left_out,
        "failures": failed,
    }


def _facts(record: Record, *, keeps_split: bool) -> FilmFacts:
    film = record["film"]
    label = film["image_label"] or ""
    split = film["source_split"] if keeps_split else ""
    return FilmFacts(record["key"], split, label, film["is_outlined"], record["patient"])


def _pair(one: Twins, entries: Mapping[str, Record]) -> dict[str, object]:
    splits = [entries[key]["film"]["source_split"] or None for key in (one.first, one.second)]
    return {"keys": [one.first, one.second], "exact": one.is_exact, "bits": max(0, one.bits), "source_splits": splits}


def _declared(wanted: ClassSet[J], cases: Sequence[Record]) -> dict[int, str]:
    there = {int(number) for case in cases for number in case["film"]["class_pixels"]}
    return {number: name for number, name in wanted.classes.items() if number in there or number not in wanted.optional}


def _undeclared(wanted: ClassSet[J], names: Mapping[int, str]) -> list[str]:
    return [
        f"class {number} ({name}) is not declared: no film has an outline of it"
        for number, name in wanted.classes.items()
        if number not in names
    ]


def _shared(pairs: Sequence[Twins], left_out: Mapping[str, Sequence[str]]) -> list[str]:
    if not pairs:
        return []
    exact, gone = sum(one.is_exact for one in pairs), sum(map(len, left_out.values()))
    return [f"pairs of films that are the same: {exact}, nearly the same: {len(pairs) - exact}; films left out: {gone}"]


def _together(cases: Sequence[Record]) -> list[str]:
    """What is odd about films, each remark once."""
    counts = Counter(remark for case in cases for remark in case["odd"])
    return [f"{remark} ({count} of {len(cases)} films)" for remark, count in sorted(counts.items())]


def _accounted(
    wanted: ClassSet[J], entries: Mapping[str, Record], cases: int, left_out: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Every film: films = cases + left_out + failed_films; what else failed is no film, such as a mask without one."""
    refused = {one.film: (one.split, one.label) for one in wanted.refused if one.film}
    lost = [*refused.values(), *(wanted.told(job) for job in wanted.jobs if job.key not in entries)]
    return {
        "films": len(wanted.jobs) + len(refused),
        "cases": cases,
        "left_out": sum(map(len, left_out.values())),
        "failed_films": len(lost),
        "failed_others": sum(not one.film for one in wanted.refused),
        "failed_by_split": _by_split(lost),
    }


def _by_split(told: Sequence[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """How many films of each split have which label; films whose split nobody tells are left out."""
    found: dict[str, Counter[str]] = {split: Counter() for split in SPLITS if any(one == split for one, _ in told)}
    for split, label in told:
        if split in found:
            found[split][label or UNSAID] += 1
    return {split: dict(sorted(labels.items())) for split, labels in found.items()}


def _counts(cases: Sequence[Record], split: StoredSplit, names: Mapping[int, str]) -> dict[str, dict[str, Any]]:
    """Of each split, and of all: films, patients, image labels, films and pixels of each class."""
    of = {"train": split.train, "validation": split.validation, "test": split.test}
    found = {}
    for name in (*SPLITS, "all"):
        patients = set(of.get(name, ()))
        own = [case for case in cases if name == "all" or case["patient"] in patients]
        labels = Counter(case["film"]["image_label"] or UNSAID for case in own)
        pixels = {number: [int(case["film"]["class_pixels"].get(str(number), 0)) for case in own] for number in names}
        found[name] = {
            "films": len(own),
            "patients": len({case["patient"] for case in own}),
            "image_labels": dict(sorted(labels.items())),
            "films_with_class": {names[number]: sum(one > 0 for one in each) for number, each in pixels.items()},
            "pixels_of_class": {names[number]: sum(each) for number, each in pixels.items()},
            "films_with_unknown_pixels": sum(case["film"]["unknown_pixels"] > 0 for case in own),
        }
    return found


def _require_classes(index: Record) -> None:
    """Stop when there is training, and a declared class has no pixel there."""
    train = index["counts"]["train"]
    missing = [name for name, count in train["films_with_class"].items() if not count]
    if train["films"] and missing:
        raise InputError(
            f"the class {missing[0]!r} has no pixel in any of the {train['films']} training films: a network could "
            "only seem to learn it.",
            "Check its masks, split otherwise, or prepare the data set without that class.",
        )


def _sweep(index: Record, out: Path) -> None:
    """Films that are left out keep no files."""
    for keys in index["left_out"].values():
        for key in keys:
            shutil.rmtree(out / FOLDER / key, ignore_errors=True)
