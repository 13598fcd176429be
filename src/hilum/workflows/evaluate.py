"""Predictions against a truth: every figure with its interval, rivals, alarms, and a report (`hilum evaluate`)."""

import math
from functools import partial
from pathlib import Path

from hilum.core import HilumError
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.datasets.prepared import CaseSource
from hilum.evaluate.blobs import blob_threshold
from hilum.evaluate.cases import JudgeRule
from hilum.evaluate.rivals import PriorMap, map_of, small_truth
from hilum.workflows.evaluate_case import CaseJob, Outcome, Rivals, blobs_of, judge_source, read_truth
from hilum.workflows.evaluate_data import TruthSource, TruthWanted
from hilum.workflows.evaluate_files import EvaluateRun, left, write_evaluation
from hilum.workflows.evaluate_found import found_in
from hilum.workflows.evaluate_labels import gives_labels_alone, labels_found, with_all_labels, write_labels
from hilum.workflows.evaluate_plan import EvaluateOptions, Plan, planned, require_threshold, run_of
from hilum.workflows.evaluate_points import judge_point_source
from hilum.workflows.output import is_done, output_folder
from hilum.workflows.pool import in_processes
from hilum.workflows.track import Track, silently

BLOB_CASES = {2: 60, 3: 12}
"""Training images, by axes, that the blob detector's threshold is chosen on: every n-th of those with a lesion."""
SUREST = "the blob detector takes the two surest spots of each image"


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
    plan = planned(predictions, wanted, options or EvaluateOptions())
    run = run_of(plan)
    if is_done(out, run) and not force:
        return left(out)
    if gives_labels_alone(plan):
        with output_folder(out, run, force=force) as folder:
            found, made_of = labels_found(plan)
            write_labels(folder, found, made_of)
        return EvaluateRun(out, found, made_of.failures, was_done=False)
    require_threshold(plan)
    with output_folder(out, run, force=force) as folder:
        outcomes, rivals = _outcomes(plan, track)
        found, made_of = found_in(plan, outcomes, rivals)
        found = with_all_labels(found, plan)
        write_evaluation(folder, found, made_of, track)
    return EvaluateRun(out, found, made_of.failures, was_done=False)


def _outcomes(plan: Plan, track: Track) -> tuple[list[Outcome], Rivals]:
    rivals = _learn_rivals(plan.source, plan.rule, plan.options.workers)
    job = CaseJob(
        folder=plan.folder,
        reading=plan.reading,
        threshold=plan.chosen.threshold.value,
        rule=plan.rule,
        resample=plan.options.resample,
        rivals=rivals,
        marks=plan.marks,
        point_rule=plan.point_rule,
        counts_by_masks=plan.counts_by_masks,
        roles=plan.source.roles if plan.source.is_by_class else None,
    )
    judge = judge_point_source if plan.source.is_points else judge_source
    results = in_processes(partial(judge, job=job), plan.source.cases, plan.options.workers)
    return [next(results) for _ in track(plan.source.cases, "judging")], rivals


def _learn_rivals(source: TruthSource, rule: JudgeRule, workers: int) -> Rivals:
    """The average map and the blobs' threshold, from training cases only."""
    if not source.training or source.is_points:
        return Rivals(notes=(_nothing_learnt(source),))
    try:
        small = list(in_processes(partial(_small, rule=rule), source.training, workers))
        found = map_of(small)
        seen = [case for case, truth in zip(source.training, small, strict=True) if case.image and truth.any()]
        chosen = seen[:: max(1, math.ceil(len(seen) / BLOB_CASES[small[0].ndim]))]
        spots = list(in_processes(partial(_spots, rule=rule, prior=found), chosen, workers))
        level = blob_threshold([one for one in spots if one is not None]) if any(spots) else None
    except HilumError as error:
        return Rivals(notes=(f"the average map is missing ({error.message.rstrip('.')}), and {SUREST}",))
    return Rivals(found, level, () if level is not None else (f"there are no training images here, so {SUREST}",))


def _nothing_learnt(source: TruthSource) -> str:
    why = "the truth is points" if source.is_points else "there are no training cases here"
    has_images = any(case.image for case in source.cases)
    return f"{why}, so the average map is missing, and {SUREST if has_images else 'so is the blob detector'}"


def _small(case: CaseSource, rule: JudgeRule) -> Selection:
    return small_truth(read_truth(case, rule).labels > 0)


def _spots(case: CaseSource, rule: JudgeRule, prior: PriorMap) -> tuple[Floats, Selection] | None:
    """Scores of a training image's spots, and which of them meet a lesion; None where it isn't on the truth's grid."""
    truth = read_truth(case, rule).labels > 0
    blobs = blobs_of(case, truth.shape, prior)
    return None if blobs is None else (blobs.scores, blobs.meets(truth))
