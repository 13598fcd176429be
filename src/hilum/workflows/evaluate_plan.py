"""Everything that an evaluation settles before its first case is judged."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from hilum.core import AmbiguousError, HilumError, InputError
from hilum.datasets.prepared import CaseSource
from hilum.evaluate.bootstrap import require_draws
from hilum.evaluate.cases import JudgeRule
from hilum.evaluate.met import NSD_MM
from hilum.evaluate.points import PointRule
from hilum.metrics.lesions import MatchRule
from hilum.workflows.evaluate_data import TruthSource, TruthWanted, folder_hash, truth_source
from hilum.workflows.evaluate_marks import MarksFrom, settled_marks
from hilum.workflows.evaluate_predictions import As, Reading, find_prediction, read_numbers, require_folder
from hilum.workflows.evaluate_temperature import Applied, applied_temperature, calibration_rule
from hilum.workflows.evaluate_threshold import Chosen, chosen_threshold, predicted_threshold
from hilum.workflows.evaluate_truth import TruthSeen, beside_hash, see_truths, truth_hash, undeclared_labels
from hilum.workflows.output import Run
from hilum.workflows.pool import in_processes


@dataclass(frozen=True)
class EvaluateOptions:
    """How predictions are judged.

    Attributes:
        threshold: pixels with at least this probability are in; None when it is not stated.
        threshold_from: folder of an evaluation, mostly on validation, whose best threshold is taken.
        temperature_from: folder of an evaluation on validation, whose fitted temperature is applied.
        kind: what the predictions' numbers are.
        classes: declared labels; empty takes the data set's, or those of the truth.
        resample: bring predictions on other grids to the truth's.
        match: when a prediction hits a lesion; against points its assignment alone counts.
        tolerance_mm: against points, how far a mark may be off; None for the lesion's radius.
        marks: where the marks of free-response figures come from.
        nsd_mm: tolerances of the surface Dice; that at 2 mm is always there.
        bootstraps: draws of patients, 100 or more; 0 for no intervals.
        seed: of the draws.
        workers: processes at a time; the result doesn't depend on it.
    """

    threshold: float | None = None
    threshold_from: Path | None = None
    temperature_from: Path | None = None
    kind: As = As.AUTO
    classes: Mapping[int, str] | None = None
    resample: bool = False
    match: MatchRule = field(default_factory=MatchRule)
    tolerance_mm: float | None = None
    marks: MarksFrom = MarksFrom.AUTO
    nsd_mm: tuple[float, ...] = NSD_MM
    bootstraps: int = 1000
    seed: int = 0
    workers: int = 1

    def __post_init__(self) -> None:
        if self.threshold is not None and self.threshold_from is not None:
            raise InputError("a threshold is stated or taken from an evaluation, not both.", "Leave one out.")
        if not self.nsd_mm or not all(0 < one < math.inf for one in self.nsd_mm):
            raise InputError(
                f"tolerances of the surface Dice are positive mm, got {self.nsd_mm}.", "Write --nsd-mm 1,2."
            )
        require_draws(self.bootstraps)
        if self.seed < 0 or self.workers < 1:
            raise InputError(f"a seed is from 0 and workers from 1; got {self.seed} and {self.workers}.")


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything settled before the first case is judged.

    Attributes:
        folder: of the predictions.
        source: the truth.
        chosen: the threshold.
        applied: the temperature.
        rule: how cases are judged.
        options: as they were asked for.
        seen: the true masks, looked at once.
        marks: where all cases' marks come from; settled, not `AUTO`.
        has_masks: whether any case has a mask.
    """

    folder: Path
    source: TruthSource
    chosen: Chosen
    applied: Applied
    rule: JudgeRule
    options: EvaluateOptions
    seen: tuple[TruthSeen, ...]
    marks: MarksFrom
    has_masks: bool

    @property
    def counts_by_masks(self) -> bool:
        """Whether against points masks say what was predicted, and a detector's own marks make the curve only."""
        return self.has_masks and math.isnan(self.chosen.threshold.value)

    @property
    def reading(self) -> Reading:
        """How predictions are to be understood."""
        has_threshold = not math.isnan(self.chosen.threshold.value)
        return Reading(self.options.kind, tuple(self.rule.labels), has_threshold)

    @property
    def point_rule(self) -> PointRule:
        """When a mark hits a lesion of point truth."""
        return PointRule(self.options.tolerance_mm, self.options.match.assignment)

    @property
    def hit_words(self) -> str:
        """When a lesion is found, in words."""
        return str(self.point_rule if self.source.is_points else self.rule.match)


def planned(predictions: Path, wanted: TruthWanted, options: EvaluateOptions) -> Plan:
    """Settle what is judged, against what, and how.

    Raises:
        InputError: there is no such folder, truth or threshold.
    """
    require_folder(predictions)
    source = truth_source(wanted)
    _require_fitting(source, options)
    chosen = chosen_threshold(options.threshold, options.threshold_from)
    if math.isnan(chosen.threshold.value) and options.kind is not As.MASKS:
        chosen = predicted_threshold(predictions)
    applied = applied_temperature(options.temperature_from)
    seen = see_truths(source.cases, options.workers, are_points=source.is_points)
    has_pixels = any(is_there(predictions, case.key) for case in source.cases)
    marks = settled_marks(predictions, source.cases, options.marks, has_pixels=has_pixels)
    has_masks = any(_has_mask(predictions, case.key) for case in source.cases)
    rule = replace(_rule(source, options, seen), calibration=calibration_rule(source, applied))
    return Plan(predictions, source, chosen, applied, rule, options, seen, marks, has_masks)


def _require_fitting(source: TruthSource, options: EvaluateOptions) -> None:
    """Refuse options that would have no effect on this truth.

    Raises:
        InputError: there is one.
    """
    if not source.is_points:
        if options.tolerance_mm is not None:
            raise InputError(
                f"--tolerance-mm is for points, and the truth {source.truth!r} is masks.",
                "Say when a prediction meets a lesion: --match.",
            )
        return
    if options.match.criterion is not MatchRule().criterion:
        raise InputError(
            "--match says when two masks meet, and the truth is points.",
            "Say how far a mark may be off: --tolerance-mm.",
        )
    if options.temperature_from is not None:
        raise InputError("a temperature is for figures of pixels, and points have none.", "Leave it out.")
    if len(options.classes or {}) > 1:
        raise InputError("points have no classes, and several are declared.", "Leave --classes out.")


def is_there(folder: Path, key: str) -> bool:
    """Whether a case has a mask or map, or several."""
    try:
        return bool(find_prediction(folder, key))
    except AmbiguousError:  # listed when the case is judged
        return True
    except InputError:
        return False


def _has_mask(folder: Path, key: str) -> bool:
    try:
        return find_prediction(folder, key).mask is not None
    except InputError:
        return False


def run_of(plan: Plan) -> Run:
    """What `run.json` says: the same inputs and options give the same results."""
    options = plan.options
    inputs = {"predictions": folder_hash(plan.folder), "truth": plan.source.hash, "true masks": truth_hash(plan.seen)}
    inputs["masks beside"] = beside_hash(plan.source.cases)
    return Run(
        "evaluate",
        inputs,
        {
            "data": plan.source.data,
            "split": plan.source.split,
            "truth": plan.source.truth,
            "threshold": plan.chosen.threshold.value,
            "chosen_on": plan.chosen.threshold.chosen_on,
            "temperature": plan.applied.value,
            "as": options.kind,
            "classes": dict(plan.rule.labels),
            "resample": options.resample,
            "match": plan.hit_words,
            "marks": plan.marks,
            "nsd_mm": plan.rule.nsd_mm,
            "yardstick": plan.source.yardstick,
            "least_readers": plan.source.least_readers,
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
    return JudgeRule(declared, match=options.match, nsd_mm=options.nsd_mm)


def require_threshold(plan: Plan) -> None:
    """A threshold for probabilities is never a silent one.

    Raises:
        InputError: some predictions are probabilities, and there is no threshold.
    """
    are_marks = plan.source.is_points and plan.marks is MarksFrom.NODULES
    if are_marks or not math.isnan(plan.chosen.threshold.value):
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
