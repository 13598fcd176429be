"""What a report draws of judged cases: curves, and which cases stand for the rest."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hilum.core.evaluation import CaseRow
from hilum.evaluate.calibration import pooled_belief
from hilum.evaluate.case_lesions import LesionResult
from hilum.evaluate.cases import CaseResult
from hilum.evaluate.scores import ThresholdScan, pooled_scores, threshold_scan
from hilum.metrics.calibration import Reliability
from hilum.metrics.probability import PrecisionRecall, Roc, precision_recall_curve, roc_curve


@dataclass(frozen=True, eq=False)
class Curves:
    """Everything that a probability map gives beyond its mask.

    Attributes:
        roc: of all pixels together.
        precision_recall: of all pixels together.
        reliability: of the pixels around truth and prediction, at the temperature if there is one.
        reliability_before: of the same pixels as stored; None without a temperature.
        scan: Dice at other thresholds; None without a lesion.
    """

    roc: Roc
    precision_recall: PrecisionRecall
    reliability: Reliability
    reliability_before: Reliability | None
    scan: ThresholdScan | None


def curves(cases: Sequence[CaseResult]) -> Curves | None:
    """The curves of those that are probability maps; None where all are masks, which have one point only."""
    scores = [case.scores for case in cases if case.scores is not None]
    if not scores:
        return None
    counts = pooled_scores(scores)
    before = [case.calibration.before for case in scores if case.calibration.before is not None]
    return Curves(
        roc=roc_curve(counts),
        precision_recall=precision_recall_curve(counts),
        reliability=pooled_belief([case.calibration.after for case in scores]),
        reliability_before=pooled_belief(before) if before else None,
        scan=threshold_scan(scores),
    )


def point_examples(cases: Sequence[LesionResult], each: int = 2) -> dict[str, tuple[LesionResult, ...]]:
    """Cases for the eye where nothing is known but points: hardest finds, easiest misses, most false marks."""

    def how_easy(case: LesionResult) -> tuple[float, float]:
        hardest = min(case.lesions, key=lambda one: one.size_mm)
        return (0.0 if math.isnan(hardest.subtlety) else hardest.subtlety, hardest.size_mm)

    complete = sorted((case for case in cases if case.lesions and case.matches.is_found.all()), key=how_easy)
    missed = sorted((case for case in cases if not case.matches.is_found.all()), key=how_easy, reverse=True)
    false = [case for case in cases if not case.lesions and case.false_mm]
    false.sort(key=lambda case: -len(case.false_mm))
    chosen = {"found, the hardest": complete, "missed, the easiest": missed, "false alarm on an empty truth": false}
    return {name: tuple(some[:each]) for name, some in chosen.items() if some}


def examples(rows: Sequence[CaseRow], each: int = 2) -> dict[str, tuple[CaseRow, ...]]:
    """Best, median and worst cases by Dice; of equally bad ones those with the largest lesions come first.

    Cases without a lesion have no Dice: of these, the ones with the largest false prediction are shown.
    """
    scored = [row for row in rows if row.values["truth_pixels"] > 0]
    scored.sort(key=lambda row: (row.values["dice"], -row.values["truth_pixels"]))
    middle = max(0, (len(scored) - each) // 2)
    empty = [row for row in rows if row.values["truth_pixels"] == 0 and row.values["predicted_pixels"] > 0]
    empty.sort(key=lambda row: -row.values["predicted_pixels"])
    chosen = {"best": scored[::-1][:each], "median": scored[middle : middle + each], "worst": scored[:each]}
    shown: set[str] = set()
    found = {}
    for name, some in (*chosen.items(), ("false alarm on an empty truth", empty[:each])):
        fresh = tuple(row for row in some if row.key not in shown)
        shown |= {row.key for row in fresh}
        if fresh:
            found[name] = fresh
    return found
