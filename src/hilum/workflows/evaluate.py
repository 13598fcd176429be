"""Predictions against a truth: every figure with its interval, rivals, alarms, and a report (`hilum evaluate`)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from hilum.core import Failure, HilumError, InputError
from hilum.core.evaluation import Alarm, Evaluation, Group, Threshold
from hilum.datasets.prepared import CaseSource
from hilum.evaluate import alarms
from hilum.evaluate.cases import CaseResult, JudgeRule
from hilum.evaluate.evaluation import Judged, basic_figures, evaluation, resamples_of
from hilum.evaluate.rivals import blob_threshold, prior_map
from hilum.evaluate.yardstick import View, YardstickRow, headline
from hilum.workflows.evaluate_case import CaseJob, CaseOutcome, Outcome, Rivals, blobs_of, judge_source, read_truth
from hilum.workflows.evaluate_data import (
    TruthSource,
    TruthWanted,
    content_of,
    folder_hash,
    truth_source,
)
from hilum.workflows.evaluate_files import EvaluateRun, Material, left, write_evaluation
from hilum.workflows.evaluate_predictions import As, Reading, find_prediction, read_numbers, require_folder, stray_files
from hilum.workflows.evaluate_threshold import Chosen, chosen_threshold
from hilum.workflows.evaluate_truth import TruthSeen, see_truths, truth_hash, undeclared_labels
from hilum.workflows.output import Run, is_done, output_folder
from hilum.workflows.pool import in_processes
from hilum.workflows.track import Track, silently

BLOB_CASES = 60
"""Training images that the blob detector's threshold is chosen on: every n-th of those with a lesion."""


@dataclass(frozen=True)
class EvaluateOptions:
    """How predictions are judged.

    Attributes:
        threshold: pixels with at least this probability are in; None when it is not stated.
        threshold_from: folder of an evaluation, mostly on validation, whose best threshold is taken.
        kind: what the predictions' numbers are.
        classes: declared labels; empty takes the data set's, or those of the truth.
        resample: bring predictions on other grids to the truth's.
        bootstraps: draws of patients.
        seed: of the draws.
        workers: processes at a time; the result doesn't depend on it.
    """

    threshold: float | None = None
    threshold_from: Path | None = None
    kind: As = As.AUTO
    classes: Mapping[int, str] | None = None
    resample: bool = False
    bootstraps: int = 1000
    seed: int = 0
    workers: int = 1

    def __post_init__(self) -> None:
        if self.threshold is not None and self.threshold_from is not None:
            raise InputError("a threshold is stated or taken from an evaluation, not both.", "Leave one out.")
        if not 1 <= self.bootstraps <= 100_000 or self.seed < 0 or self.workers < 1:
            raise InputError(
                f"bootstraps are 1 to 100000, a seed is from 0, workers from 1; got {self.bootstraps}, {self.seed} and "
                f"{self.workers}."
            )


@dataclass(frozen=True, eq=False)
class _Plan:
    """Everything settled before the first case is judged."""

    folder: Path
    source: TruthSource
    chosen: Chosen
    rule: JudgeRule
    options: EvaluateOptions
    seen: tuple[TruthSeen, ...]

    @property
    def reading(self) -> Reading:
        has_threshold = not math.isnan(self.chosen.threshold.value)
        return Reading(self.options.kind, tuple(self.rule.labels), has_threshold)


def run_evaluate(
    predictions: Path,
    wanted: TruthWanted,
    out: Path,
    options: EvaluateOptions | None = None,
    *,
    force: bool = False,
    track: Track = silently,
) -> EvaluateRun:
    """Judge a folder of predictions; leaves `evaluation.json`, `cases.csv`, `report.html` and pictures in `out`.

    Args:
        predictions: of hilum (`predictions.json`) or of any other tool.
        wanted: the truth.
        out: folder for the results.
        options: see there.
        force: replace what an earlier run of hilum left there.
        track: shows how far it is.

    Raises:
        InputError: there is no such folder, truth or threshold, or no case can be judged.
        OutputError: `out` holds something else, or can't be written.
    """
    options = options or EvaluateOptions()
    require_folder(predictions)
    source = truth_source(wanted)
    chosen = chosen_threshold(options.threshold, options.threshold_from)
    seen = see_truths(source.cases, options.workers)
    plan = _Plan(predictions, source, chosen, _rule(source, options, seen), options, seen)
    run = _run(plan)
    if is_done(out, run) and not force:
        return left(out)
    _require_threshold(plan)
    with output_folder(out, run, force=force) as folder:
        outcomes, rivals = _outcomes(plan, track)
        found, made_of = _evaluation(plan, outcomes, rivals)
        write_evaluation(folder, found, made_of, track)
    return EvaluateRun(out, found, made_of.failures, was_done=False)


def _run(plan: _Plan) -> Run:
    options = plan.options
    inputs = {"predictions": folder_hash(plan.folder), "truth": plan.source.hash, "true masks": truth_hash(plan.seen)}
    return Run(
        "evaluate",
        inputs,
        {
            "data": plan.source.data,
            "split": plan.source.split,
            "truth": plan.source.truth,
            "threshold": plan.chosen.threshold.value,
            "chosen_on": plan.chosen.threshold.chosen_on,
            "as": options.kind,
            "classes": dict(plan.rule.labels),
            "resample": options.resample,
            "bootstraps": options.bootstraps,
            "seed": options.seed,
            "patients": [case.patient for case in plan.source.cases] if not plan.source.split_hash else [],
            "pixel_mm": plan.source.cases[0].pixel_mm if not plan.source.split_hash else None,
        },
    )


def _rule(source: TruthSource, options: EvaluateOptions, seen: Sequence[TruthSeen]) -> JudgeRule:
    """The declared classes; those of the truth itself when nobody declared any."""
    declared = dict(options.classes or source.labels or undeclared_labels(seen))
    if 0 in declared:
        raise InputError("0 is background and no class.", "Declare classes from 1.")
    return JudgeRule(declared)


def _require_threshold(plan: _Plan) -> None:
    """A threshold for probabilities is never a silent one.

    Raises:
        InputError: some predictions are probabilities, and there is no threshold.
    """
    if not math.isnan(plan.chosen.threshold.value):
        return
    is_map = partial(_is_probability, folder=plan.folder, reading=plan.reading)
    maps = sum(in_processes(is_map, plan.source.cases, plan.options.workers))
    if maps:
        which = (
            "the predictions" if maps == len(plan.source.cases) else f"{maps} of {len(plan.source.cases)} predictions"
        )
        raise InputError(
            f"{which} are probabilities, and a threshold is not chosen on the split that is reported.",
            "Give --threshold-from with an evaluation on validation, or state one: --threshold 0.5.",
        )


def _is_probability(case: CaseSource, folder: Path, reading: Reading) -> bool:
    try:
        found = find_prediction(folder, case.key)
        main = found.mask or found.probability
        return main is not None and read_numbers(main, reading).is_probability
    except HilumError:  # listed when the case is judged
        return False


def _outcomes(plan: _Plan, track: Track) -> tuple[list[Outcome], Rivals]:
    rivals = _learn_rivals(plan.source, plan.rule, plan.options.workers)
    job = CaseJob(plan.folder, plan.reading, plan.chosen.threshold.value, plan.rule, plan.options.resample, rivals)
    results = in_processes(partial(judge_source, job=job), plan.source.cases, plan.options.workers)
    return [next(results) for _ in track(plan.source.cases, "judging")], rivals


def _learn_rivals(source: TruthSource, rule: JudgeRule, workers: int) -> Rivals:
    """The average map and the blobs' threshold, from training cases only."""
    if not source.training:
        return Rivals(notes=("no training cases here, so the average map and the blob detector are missing",))
    try:
        truths = [read_truth(case, rule).labels > 0 for case in source.training]
        if truths[0].ndim != 2:
            return Rivals(notes=("the average map and the blob detector are for pictures",))
        found = prior_map(truths)
        seen = [n for n, case in enumerate(source.training) if case.image and truths[n].any()]
        chosen = seen[:: max(1, math.ceil(len(seen) / BLOB_CASES))]
        spots = partial(blobs_of, prior=found)
        blobs = list(in_processes(spots, [source.training[n] for n in chosen], workers))
        level = blob_threshold([(blob, truths[n]) for blob, n in zip(blobs, chosen, strict=True)]) if blobs else None
    except HilumError as error:
        return Rivals(notes=(f"the average map and the blob detector are missing: {error.message}",))
    return Rivals(found, level, () if blobs else ("no training images here, so the blob detector is missing",))


def _evaluation(plan: _Plan, outcomes: Sequence[Outcome], rivals: Rivals) -> tuple[Evaluation, Material]:
    """All figures; and which cases the report shows.

    Raises:
        InputError: not one case could be judged.
    """
    source, options = plan.source, plan.options
    failures = tuple(one for one in outcomes if isinstance(one, Failure))
    judged = [one for one in outcomes if isinstance(one, CaseOutcome)]
    if not judged:
        raise InputError(
            f"none of {len(outcomes)} cases could be judged; the first: {failures[0].error}", failures[0].remedy
        )
    results = [one.result for one in judged]
    masks = sum(one.result.scores is None for one in judged)
    unused = alarms.threshold_unused(plan.chosen.threshold.value, masks, len(judged))
    if masks == len(judged):
        plan = replace(plan, chosen=Chosen(Threshold()))
    threshold = plan.chosen.threshold
    about = Judged(
        source.data,
        source.split,
        source.split_hash,
        source.truth,
        threshold,
        plan.rule,
        options.bootstraps,
        options.seed,
    )
    failed = alarms.cases_failed([one.input for one in failures], len(outcomes))
    found = evaluation(results, about, (*failed, *_raised(plan, judged), *unused))
    found = replace(
        found, rivals=_rival_groups(judged, options), truth_hash=truth_hash(plan.seen), n_failed=len(failures)
    )
    yardstick, notes = _yardstick(source, found)
    moved = tuple(one.result.row.key for one in judged if one.was_resampled)
    if moved:
        notes += (f"{len(moved)} predictions lay on another grid and were resampled",)
    made_of = Material(
        source=source,
        predictions=plan.folder,
        reading=plan.reading,
        rule=plan.rule,
        results=results,
        failures=failures,
        yardstick=yardstick,
        notes=(*rivals.notes, *notes),
        resampled=moved,
        bootstrap=(options.bootstraps, options.seed),
    )
    return found, made_of


def _raised(plan: _Plan, judged: Sequence[CaseOutcome]) -> tuple[Alarm, ...]:
    """Alarms about the inputs."""
    source = plan.source
    reported = {case.patient for case in source.cases}
    splits = source.patients_of
    keys = [case.key for case in source.cases]
    predictions = {one.result.row.key: one.content for one in judged if not one.result.is_constant}
    stray = stray_files(plan.folder, dict.fromkeys(keys)) if source.split == "all" else []
    return (
        *alarms.patients_shared(splits),
        *alarms.training_cases_reported(splits.get("train", ()), reported),
        *alarms.threshold_on_reported(plan.chosen.threshold, plan.chosen.source, reported),
        *_duplicates(plan),
        *alarms.duplicates(predictions, "prediction"),
        *alarms.unasked_predictions(stray),
        *(() if source.knows_patients else alarms.patients_unknown(keys)),
    )


def _duplicates(plan: _Plan) -> tuple[Alarm, ...]:
    """The same image twice, in other splits too; where there are no images, the same true mask (empty ones aside)."""
    source = plan.source
    if not any(case.image for case in source.cases):
        return alarms.duplicates({one.key: one.content for one in plan.seen if one.labels}, "truth")
    split_of = {patient: split for split, patients in source.patients_of.items() for patient in patients}
    elsewhere = {f"{case.key} ({split_of.get(case.patient, 'no split')})": content_of(case) for case in source.others}
    return alarms.duplicates({case.key: content_of(case) for case in source.cases}, "image", elsewhere)


def _rival_groups(judged: Sequence[CaseOutcome], options: EvaluateOptions) -> tuple[Group, ...]:
    names = list(dict.fromkeys(name for one in judged for name in one.rivals))
    groups = []
    for name in names:
        results: list[CaseResult] = [one.rivals[name] for one in judged if name in one.rivals]
        draw = resamples_of(results, options.bootstraps, options.seed)
        groups.append(Group(name, basic_figures(results, draw)))
    return tuple(groups)


def _yardstick(source: TruthSource, found: Evaluation) -> tuple[YardstickRow | None, tuple[str, ...]]:
    """How well LIDC's readers agree on the same patients, where the truth is theirs."""
    if not source.is_lidc:
        return None, ()
    from hilum.workflows.yardstick import patients_yardstick

    is_flat = "area_error_mm2" in found.cases[0].values
    try:
        rows = patients_yardstick({row.patient for row in found.cases}).rows
        return headline(rows, View.SILHOUETTE if is_flat else View.VOLUME), ()
    except HilumError as error:
        return None, (f"no human yardstick: {error.message}",)
