"""Judged cases to an evaluation, and to what its files are made of."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hilum.core import Failure, HilumError, InputError
from hilum.core.evaluation import Alarm, Evaluation, Group, ReaderYardstick, Threshold
from hilum.datasets.splits import is_lidc_patient
from hilum.evaluate import alarms
from hilum.evaluate.bootstrap import Resamples
from hilum.evaluate.calibration import CaseCalibration
from hilum.evaluate.case_lesions import LesionResult
from hilum.evaluate.cases import FOREGROUND, CaseResult, with_pixels
from hilum.evaluate.changes_compared import dice_over_rival
from hilum.evaluate.evaluation import Judged, basic_figures, evaluation, main_figures, resamples_of
from hilum.evaluate.point_evaluation import point_evaluation, ranked_point_figures
from hilum.evaluate.stacks import StackOf, by_stack
from hilum.evaluate.yardstick import View, beside_model
from hilum.workflows.evaluate_case import PRIOR, CaseOutcome, Outcome, Rivals
from hilum.workflows.evaluate_changes import changes_found
from hilum.workflows.evaluate_data import TruthSource, content_of
from hilum.workflows.evaluate_files import Material
from hilum.workflows.evaluate_films import films_found
from hilum.workflows.evaluate_learnt import seen_patients
from hilum.workflows.evaluate_plan import EvaluateOptions, Plan
from hilum.workflows.evaluate_predictions import stray_files
from hilum.workflows.evaluate_temperature import Applied, fitted_temperature
from hilum.workflows.evaluate_threshold import Chosen
from hilum.workflows.evaluate_truth import truth_hash

UNASKED_YARDSTICK = (
    "no human yardstick: all patients are LIDC's, but nobody says what the masks show; "
    "--yardstick silhouette, slice or volume puts its readers beside nodules"
)

EVERY_MARK = "no threshold, every mark counts"
BY_MASKS = "no threshold, components of the masks count"


def found_in(plan: Plan, outcomes: Sequence[Outcome], rivals: Rivals) -> tuple[Evaluation, Material]:
    """All figures; and which cases the report shows.

    Raises:
        InputError: not one case could be judged.
    """
    failures = tuple(one for one in outcomes if isinstance(one, Failure))
    judged = [one for one in outcomes if isinstance(one, CaseOutcome)]
    if not judged:
        raise InputError(
            f"none of {len(outcomes)} cases could be judged; the first: {failures[0].error}", failures[0].remedy
        )
    fitted, notes = fitted_temperature(plan.source, [_calibration(one) for one in judged])
    found = replace(_evaluation(plan, judged, failures), fitted=fitted)
    yardstick, said = _yardstick(plan.source, found)
    found = replace(found, yardstick=yardstick)
    return found, material(plan, judged, failures, (*rivals.notes, *notes, *said))


def _calibration(judged: CaseOutcome) -> CaseCalibration | None:
    result = judged.result
    if not isinstance(result, CaseResult) or result.scores is None:
        return None
    return result.scores.calibration


def _is_mask(result: LesionResult) -> bool:
    """Whether a threshold means nothing to it."""
    return result.scores is None if isinstance(result, CaseResult) else not result.is_scored


def _evaluation(plan: Plan, judged: Sequence[CaseOutcome], failures: Sequence[Failure]) -> Evaluation:
    results = [one.result for one in judged]
    masks = sum(map(_is_mask, results))
    unused = (
        *alarms.threshold_unused(plan.chosen.threshold.value, masks, len(judged)),
        *alarms.temperature_unused(plan.applied.value, masks, len(judged)),
    )
    if masks == len(judged):
        plan = replace(plan, chosen=Chosen(Threshold()), applied=Applied())
    elif plan.source.is_points and math.isnan(plan.chosen.threshold.value):
        plan = replace(plan, chosen=Chosen(Threshold(chosen_on=BY_MASKS if plan.counts_by_masks else EVERY_MARK)))
    failed = alarms.cases_failed([one.input for one in failures], len(judged) + len(failures))
    raised = (*failed, *raised_by_inputs(plan, judged), *unused)
    if plan.source.is_points:
        found = point_evaluation(results, _about(plan), raised)
    else:
        found = evaluation(with_pixels(results), _about(plan), raised)
    found = _with_changes(found, judged, plan.options)
    draw = resamples_of(results, plan.options.bootstraps, plan.options.seed)
    return replace(
        found,
        films=films_found([one.film for one in judged], plan.rule.labels, draw),
        rivals=_rival_groups([one.rivals for one in judged], plan.options),
        by_truth=_truth_groups(judged, plan.options),
        by_stack=_stack_groups(plan, results),
        rivals_by_truth=_rivals_by_truth(judged, plan.options),
        truth_hash=truth_hash(plan.seen),
        match=plan.hit_words,
        n_failed=len(failures),
        temperature=plan.applied.temperature,
    )


def _with_changes(found: Evaluation, judged: Sequence[CaseOutcome], options: EvaluateOptions) -> Evaluation:
    """With figures by what became of lesions since an earlier picture, where the data set says so."""
    draw = resamples_of([one.result for one in judged], options.bootstraps, options.seed)
    changes = changes_found([one.changes for one in judged], draw, PRIOR)
    unjudged = [f"{one.key}: lesion {one.id}, {one.kind}" for one in changes.lesions if not one.is_judged]
    return replace(
        found,
        by_change=changes.groups,
        rivals_by_change=changes.rivals,
        over_prior=(*_dice_over_prior(judged, draw), *changes.over),
        changed=changes.lesions,
        alarms=(*found.alarms, *alarms.changes_unjudged(unjudged)),
    )


def _dice_over_prior(judged: Sequence[CaseOutcome], draw: Resamples) -> tuple[Group, ...]:
    """Dice minus that of the earlier mask copied, over the cases that have one; of several classes any of them."""
    ours = np.array([_dice(one.result) for one in judged])
    theirs = np.array([_dice(one.rivals[PRIOR]) if PRIOR in one.rivals else math.nan for one in judged])
    return () if np.isnan(theirs).all() else (dice_over_rival(ours, theirs, draw),)


def _dice(result: LesionResult) -> float:
    values = result.row.values
    return values.get(f"{FOREGROUND}dice", values.get("dice", math.nan))


def _about(plan: Plan) -> Judged:
    source, options = plan.source, plan.options
    return Judged(
        data=source.data,
        split=source.split,
        split_hash=source.split_hash,
        truth=source.truth,
        threshold=plan.chosen.threshold,
        rule=plan.rule,
        samples=options.bootstraps,
        seed=options.seed,
    )


def material(
    plan: Plan, judged: Sequence[CaseOutcome], failures: tuple[Failure, ...], notes: tuple[str, ...]
) -> Material:
    """What the files are made of."""
    moved = tuple(one.result.row.key for one in judged if one.was_resampled)
    if moved:
        notes += (f"{len(moved)} predictions lay on another grid and were resampled",)
    return Material(
        source=plan.source,
        predictions=plan.folder,
        reading=plan.reading,
        rule=plan.rule,
        results=[one.result for one in judged],
        failures=failures,
        notes=notes,
        resampled=moved,
        bootstrap=(plan.options.bootstraps, plan.options.seed),
        hit_words=plan.hit_words,
        point_rule=plan.point_rule,
        counts_by_masks=plan.counts_by_masks,
        marks=plan.marks,
    )


def raised_by_inputs(plan: Plan, judged: Sequence[CaseOutcome]) -> tuple[Alarm, ...]:
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
        *alarms.seen_cases_reported(seen_patients(plan.folder, source.parts, source.split_hash), reported),
        *alarms.threshold_on_reported(plan.chosen.threshold, plan.chosen.source, reported),
        *alarms.temperature_on_reported(plan.applied.value, plan.applied.source, reported),
        *alarms.chosen_elsewhere("threshold", plan.chosen.source),
        *alarms.chosen_elsewhere("temperature", plan.applied.source),
        *alarms.held_out_reported(reported),
        *_duplicates(plan),
        *alarms.duplicates(predictions, "prediction"),
        *alarms.unasked_predictions(stray),
        *(() if source.knows_patients else alarms.patients_unknown(keys)),
        *(alarms.patients_from_keys(reported) if source.are_patients_from_keys else ()),
    )


def _duplicates(plan: Plan) -> tuple[Alarm, ...]:
    """The same image twice, in other splits too; where there are no images, the same true mask (empty ones aside)."""
    source = plan.source
    if not any(case.image for case in source.cases):
        return alarms.duplicates({one.key: one.content for one in plan.seen if one.labels}, "truth")
    split_of = {patient: split for split, patients in source.patients_of.items() for patient in patients}
    elsewhere = {f"{case.key} ({split_of.get(case.patient, 'no split')})": content_of(case) for case in source.others}
    return alarms.duplicates({case.key: content_of(case) for case in source.cases}, "image", elsewhere)


def _rivals_by_truth(judged: Sequence[CaseOutcome], options: EvaluateOptions) -> dict[str, tuple[Group, ...]]:
    truths = dict.fromkeys(name for one in judged for name in one.rivals_by_truth)
    return {name: _rival_groups([one.rivals_by_truth.get(name, {}) for one in judged], options) for name in truths}


def _rival_groups(judged: Sequence[Mapping[str, LesionResult]], options: EvaluateOptions) -> tuple[Group, ...]:
    names = list(dict.fromkeys(name for rivals in judged for name in rivals))
    groups = []
    for name in names:
        results = [rivals[name] for rivals in judged if name in rivals]
        draw = resamples_of(results, options.bootstraps, options.seed)
        pixels = with_pixels(results)
        groups.append(Group(name, basic_figures(pixels, draw) if pixels else ranked_point_figures(results, draw)))
    return tuple(groups)


def _truth_groups(judged: Sequence[CaseOutcome], options: EvaluateOptions) -> tuple[Group, ...]:
    names = list(dict.fromkeys(name for one in judged for name in one.by_truth))
    groups = []
    for name in names:
        results = [one.by_truth[name] for one in judged if name in one.by_truth]
        groups.append(Group(name, main_figures(results, resamples_of(results, options.bootstraps, options.seed))))
    return tuple(groups)


def _stack_groups(plan: Plan, results: Sequence[LesionResult]) -> tuple[Group, ...]:
    """Nodules as stacks of their slices; none where cases are no slices."""
    stacks = {
        case.key: StackOf(case.slice.nodule, case.slice.reader_count)
        for case in plan.source.cases
        if case.slice is not None and case.slice.nodule
    }
    return by_stack(with_pixels(results), stacks, plan.options.bootstraps, plan.options.seed)


def _yardstick(source: TruthSource, found: Evaluation) -> tuple[ReaderYardstick | None, tuple[str, ...]]:
    """How well LIDC's readers agree on the nodules of the same patients; of several classes nobody knows which are."""
    if found.by_class:
        return None, ()
    if source.yardstick is None:
        could = not source.is_points and all(is_lidc_patient(row.patient) for row in found.cases)
        return None, (UNASKED_YARDSTICK,) if could else ()
    from hilum.workflows.yardstick import patients_yardstick

    is_flat = "area_error_mm2" in found.cases[0].values
    if is_flat == (source.yardstick is View.VOLUME):
        shape = "pictures" if is_flat else "volumes"
        return None, (f"no human yardstick: readers are to be compared by {source.yardstick}, and these are {shape}",)
    try:
        return beside_model(patients_yardstick({row.patient for row in found.cases}).rows, source.yardstick), ()
    except HilumError as error:
        return None, (f"no human yardstick: {error.message}",)
