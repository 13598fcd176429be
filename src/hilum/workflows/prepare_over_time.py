"""Published pairs to pairs over time (`hilum prepare over-time`): an earlier picture of each, and what changed since.

Two passes: first every picture's lesions are measured, and for each split (and variant) it is drawn what becomes of
them; then each case is made on its own, in as many processes as wished. A run that was killed goes on where it was, and
ends with the same `dataset.json`, byte for byte, as one that wasn't. What is drawn depends on all pictures that can be
read: when one can be read again, cases that were made by another draw are made anew.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from hilum.config import merged
from hilum.core import Failure, Failures, HilumError, InputError, OutputError
from hilum.core.changes import ChangeKind
from hilum.datasets.insertion import BankNodule, NoduleBank
from hilum.datasets.nodule_bank import build_bank, reads_by_patient
from hilum.datasets.over_time_config import OverTimeConfig
from hilum.datasets.over_time_plan import CasePlan, is_changeable, plan, wanted_counts
from hilum.datasets.over_time_survey import SHAPES_MM, Survey, survey
from hilum.datasets.over_time_view import draw_view
from hilum.datasets.prepared import DATASET, SCHEMA, UNION, read_prepared
from hilum.datasets.prepared import Prepared as PreparedSet
from hilum.datasets.stored_split import lidc_split
from hilum.io.installed import lidc_database_path
from hilum.io.json_file import plain, read_json, write_json
from hilum.workflows.journal import Journal, finished_note, journalled, was_finished
from hilum.workflows.output import Run, sha256_of
from hilum.workflows.over_time_case import OverTimeJob, case_files, over_time_case
from hilum.workflows.over_time_sheet import SHEET, write_sheet
from hilum.workflows.pool import in_processes
from hilum.workflows.prepare import FAILED, Prepared, require_apart
from hilum.workflows.track import Track, silently

KIND = "xray-over-time"
_PAIRS = "drr-pairs"
_SPLITS = ("train", "validation")


@dataclass(frozen=True)
class OverTimeOptions:
    """What `prepare_over_time` may be told.

    Attributes:
        config: what decides the cases' content.
        variants: how often each training picture gets an earlier one; validation pictures get one.
        seed: of all that is drawn.
        workers: processes at a time; the result doesn't depend on it.
        max_failures: pictures that may fail, in however many variants; one more stops the run, which can go on later.
        force: replace what another run left in the folder.

    Raises:
        InputError: a number that can't be.
    """

    config: OverTimeConfig = field(default_factory=OverTimeConfig)
    variants: int = 3
    seed: int = 0
    workers: int = 1
    max_failures: int = 5
    force: bool = False

    def __post_init__(self) -> None:
        if min(self.variants, self.workers) < 1 or min(self.seed, self.max_failures) < 0:
            raise InputError(
                "at least one variant and one worker, and a seed and a number of failures from 0 are needed, got "
                f"{self.variants}, {self.workers}, {self.seed} and {self.max_failures}."
            )


def over_time_config(settings: Sequence[str]) -> OverTimeConfig:
    """The usual configuration, changed by settings such as "pose.rotate_deg=0"; the value is read as YAML.

    Raises:
        ConfigError: it is no setting, or there is none of this name, or a value that can't be.
    """
    from hilum.workflows.train_config import as_fields

    fields = OverTimeConfig().plain()
    for setting in settings:
        fields = merged(fields, as_fields(setting))
    return OverTimeConfig.of(fields)


def prepare_over_time(
    pairs: Path, out: Path, options: OverTimeOptions | None = None, track: Track = silently
) -> Prepared:
    """Make or continue a data set of pairs over time.

    Args:
        pairs: a prepared data set of published pairs (`prepare_drr_pairs`).
        out: the data set's folder.
        options: see there.
        track: shows how far it is.

    Raises:
        InputError: the pairs are another kind of data set, or hold patients who may not be learnt from.
        MissingError: LIDC's outlines are not installed.
        OutputError: `out` holds something else, or can't be written.
        TooManyFailuresError: more pictures failed than allowed; what is done is kept for the next run.
        TrainError: there are too few training patients to know what a nodule adds to brightness.
    """
    options = options or OverTimeOptions()
    require_apart(pairs, out)
    data = _published(pairs)
    run = _run(data, options)
    if was_finished(out, run) and not options.force:
        return replace(_as_left(out), note=finished_note(out, run))
    failures = Failures(options.max_failures)
    with journalled(out, run, force=options.force) as journal:
        drawn = _drawn(data, options, failures, track)
        _work(drawn.jobs, out, options, journal, failures, track)
        failed = tuple(sorted(failures, key=lambda one: one.input))
        index = _index(data, options, drawn, _made(drawn.jobs, journal, out), failed)
        write_json(out / FAILED, failed)
        write_sheet(index["cases"], out, out / SHEET)
        write_json(out / DATASET, index)
        journal.finish(run)
    return Prepared(out, len(index["cases"]), failed, (), False, journal.note)


def _published(pairs: Path) -> PreparedSet:
    data = read_prepared(pairs)
    source = read_json(data.index).get("source") or {}
    if data.kind != _PAIRS or source.get("kind") != "published pairs":
        raise InputError(
            f"{data.index} is {data.kind} of {source.get('kind', 'unknown sources')}; published pairs were expected.",
            "Make them with hilum prepare drr-pairs; lesions are changed by LIDC's outlines on those pictures.",
        )
    lidc_split(record["patient"] for record in data.records)  # refuses held-out patients
    return data


def _run(data: PreparedSet, options: OverTimeOptions) -> Run:
    inputs = {DATASET: sha256_of(data.index), lidc_database_path().name: sha256_of(lidc_database_path())}
    return Run("prepare over-time", inputs, _settings(options))


def _settings(options: OverTimeOptions) -> dict[str, Any]:
    return {**options.config.plain(), "variants": options.variants, "seed": options.seed}


def _as_left(out: Path) -> Prepared:
    index = read_json(out / DATASET)
    return Prepared(out, len(index["cases"]), tuple(Failure(**one) for one in index["failures"]), (), was_done=True)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What is to be made.

    Attributes:
        jobs: of all cases.
        wanted: lesions of each kind, by split.
        changeable: real lesions that can be changed, and all real ones, by split.
    """

    jobs: Sequence[OverTimeJob]
    wanted: Mapping[str, Mapping[ChangeKind, int]]
    changeable: Mapping[str, tuple[int, int]]


def _drawn(data: PreparedSet, options: OverTimeOptions, failures: Failures, track: Track) -> _Drawn:
    surveys = _surveys(data, options, failures, track)
    bank = build_bank(data.index, SHAPES_MM, max_failures=options.max_failures)
    banks = {"train": bank, "validation": replace(bank, nodules=_shapes(surveys["validation"]))}
    rules, jobs, wanted, changeable = options.config.lesions, [], {}, {}
    for number, split in enumerate(_SPLITS):
        real = [lesion for one in surveys[split] for lesion in one.lesions]
        changeable[split] = sum(is_changeable(lesion, rules) for lesion in real), len(real)
        variants = options.variants if split == "train" else 1
        once = wanted_counts(len(real), changeable[split][0], rules)
        wanted[split] = {kind: count * variants for kind, count in once.items()}
        for variant in range(1, variants + 1):
            rng = np.random.default_rng([options.seed, number, variant])
            plans = plan(surveys[split], banks[split], rules, rng)
            jobs += [
                _job(one, planned, variant, bank, options) for one, planned in zip(surveys[split], plans, strict=True)
            ]
    return _Drawn(sorted(jobs, key=lambda job: job.key), wanted, changeable)


def _shapes(surveys: Sequence[Survey]) -> list[BankNodule]:
    """Shapes of the split's own patients; gain and places stay the training patients'."""
    found = [shape for one in surveys for shape in one.shapes]
    if not found and any(one.lesions for one in surveys):
        raise InputError("no validation patient has a nodule whose shape could be inserted.", "Add patients.")
    return found


def _surveys(data: PreparedSet, options: OverTimeOptions, failures: Failures, track: Track) -> dict[str, list[Survey]]:
    split_of = {patient: split for split in _SPLITS for patient in data.splits[split]}
    cases = [case for case in data.cases(UNION) if case.patient in split_of]
    reads = reads_by_patient()
    found: dict[str, list[Survey]] = {split: [] for split in _SPLITS}
    for case in track(cases, "Lesions"):
        try:
            one = survey(case, reads.get(case.patient, ()), options.config.lesions.growth[1])
        except HilumError as error:
            failures.add(case.key, error)
        else:
            found[split_of[case.patient]].append(one)
    return found


def _job(one: Survey, planned: CasePlan, variant: int, bank: NoduleBank, options: OverTimeOptions) -> OverTimeJob:
    key = one.case.key if variant == 1 else f"{one.case.key}_v{variant}"
    of_key = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    view = draw_view(np.random.default_rng([options.seed, of_key]), options.config.pose, options.config.tone)
    return OverTimeJob(key, one.case, one.lesions, planned, view, bank.gain)


Record: TypeAlias = list[dict[str, Any]]


def _work(
    jobs: Sequence[OverTimeJob],
    out: Path,
    options: OverTimeOptions,
    journal: Journal,
    failures: Failures,
    track: Track,
) -> None:
    """Every job that has no complete entry yet; the bar counts the others too."""
    done = _made(jobs, journal, out)
    pending = [job for job in jobs if job.key not in done]
    # In order, so that of a picture whose variants fail for different reasons always the same one is told.
    with closing(in_processes(partial(_attempt, out=out), pending, options.workers)) as results:
        for job in track(jobs, "Pairs over time"):
            if job.key in done:
                continue
            outcome = next(results)
            if not isinstance(outcome, HilumError):
                journal.add(job.key, {"job": job.hash, "cases": outcome})
            elif all(one.input != job.case.key for one in failures):
                failures.add(job.case.key, outcome)


def _made(jobs: Sequence[OverTimeJob], journal: Journal, out: Path) -> dict[str, Record]:
    """Records of the jobs that are done: by this very plan, with all files there."""
    entries, found = journal.entries(), {}
    for job in jobs:
        entry = entries.get(job.key)
        if isinstance(entry, Mapping) and entry["job"] == job.hash and _is_whole(entry["cases"], out):
            found[job.key] = entry["cases"]
    return found


def _is_whole(record: Record, out: Path) -> bool:
    return all(path.is_file() for case in record for path in case_files(case, out))


def _attempt(job: OverTimeJob, out: Path) -> Record | HilumError:
    try:
        return list(plain(over_time_case(job, out)))
    except OutputError:
        raise  # a full disk is no fault of this job's, and the next one would meet it too
    except HilumError as error:
        return error


def _index(
    data: PreparedSet,
    options: OverTimeOptions,
    drawn: _Drawn,
    entries: Mapping[str, Record],
    failed: Sequence[Failure],
) -> dict[str, Any]:
    """`dataset.json`: nothing in it tells when, where or by how many processes it was made."""
    cases = [case for key in sorted(entries) for case in entries[key]]
    if not cases:
        why = f"; {failed[0].input}: {failed[0].error}" if failed else "."
        raise InputError(f"no pair over time came out of {data.index}{why}", "Check the pairs' splits and pictures.")
    reached = {split: _reached(cases, data.splits[split]) for split in _SPLITS}
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "source": {"kind": "published pairs", "hash": sha256_of(data.index)},
        "options": {
            **_settings(options),
            "wanted": drawn.wanted,
            "reached": {split: one["kinds"] for split, one in reached.items()},
            "inserted": {split: one["inserted"] for split, one in reached.items()},
            "real": {
                split: {"lesions": every, "changeable": able} for split, (able, every) in drawn.changeable.items()
            },
        },
        "cases": cases,
        "splits": lidc_split(case["patient"] for case in cases).record(),
        "failures": failed,
    }


def _reached(cases: Sequence[Mapping[str, Any]], patients: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many lesions of each kind there are, and how many of them were inserted."""
    lesions = [one for case in cases if case["patient"] in set(patients) for one in case["lesions"]]
    kinds = Counter(one["change"] for one in lesions)
    inserted = Counter(one["change"] for one in lesions if one["is_synthetic"])
    return {
        "kinds": {kind.value: kinds[kind.value] for kind in ChangeKind},
        "inserted": {kind.value: inserted[kind.value] for kind in ChangeKind},
    }
