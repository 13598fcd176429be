"""Free-response figures of probability maps: points of the curve, precision over lesions, wAFROC, by patient."""

import numpy as np
import pytest

from hilum.evaluate.cases import JudgeRule, judge_case
from hilum.evaluate.curves import curves
from hilum.evaluate.detection import detections
from hilum.metrics.froc import average_precision, froc_curve, sensitivity_at, wafroc
from tests.evaluate.judged import disc, judged, pair


def scored(n, truth, *marks):
    """A map with a disc for each (centre, probability)."""
    probability = np.zeros((64, 64), np.float32)
    for centre, score in marks:
        probability[disc(centre=centre, radius=4)] = score
    return pair(probability >= 0.5, truth, key=str(n), patient=str(n), probability=probability)


def some():
    lesion = disc(centre=(20, 20), radius=5)
    return [
        scored(0, lesion, ((20, 20), 0.9)),
        scored(1, lesion, ((20, 20), 0.3), ((50, 50), 0.7)),
        scored(2, np.zeros((64, 64), bool), ((50, 20), 0.4)),
        scored(3, np.zeros((64, 64), bool)),
    ]


def test_marks_below_the_masks_threshold_are_on_the_curve():
    found = judged(some())
    assert found.figures["lesion_sensitivity"].value == 0.5
    assert found.froc["8"].value == 1
    assert list(found.froc) == ["0.125", "0.25", "0.5", "1", "2", "4", "8"]


def test_figures_are_those_of_the_marks_and_lie_in_their_intervals():
    pairs = some()
    found, marks = judged(pairs), detections([judge_case(one, JudgeRule()) for one in pairs])
    points = [one.value for one in found.froc.values()]
    assert points == pytest.approx(sensitivity_at(froc_curve(marks)).tolist())
    assert found.figures["lesion_average_precision"].value == pytest.approx(average_precision(marks))
    assert found.figures["wafroc"].value == pytest.approx(wafroc(marks)) == pytest.approx((1 + 0.5) / 2)
    for figure in (*found.froc.values(), found.figures["wafroc"], found.figures["lesion_average_precision"]):
        assert figure.low <= figure.value <= figure.high


@pytest.mark.parametrize("level", ["noise", "constant"])
def test_a_map_that_knows_nothing_finds_nothing_by_covering_everything(level):
    rng = np.random.default_rng(3)
    pairs = []
    for n in range(12):
        truth = disc(centre=tuple(rng.integers(8, 56, 2)), radius=3)
        probability = rng.uniform(0.12, 0.22, (64, 64)) if level == "noise" else np.full((64, 64), 0.5)
        pairs.append(pair(probability >= 0.13, truth, str(n), str(n), probability=probability.astype(np.float32)))
    found = judged(pairs)
    assert found.figures["lesion_sensitivity"].value == 1  # by any overlap
    assert found.froc["1"].value < 0.3
    assert found.figures["lesion_average_precision"].value < 0.2
    alarm = next(one for one in found.alarms if one.name == "lesions_only_covered")
    assert not alarm.is_note
    assert len(alarm.evidence) == 12


def test_a_mask_among_maps_is_in_no_figure_of_scores_and_takes_none_away():
    maps = some()
    mask = pair(disc(), disc(), key="mask", patient="mask")
    alone, mixed = judged(maps), judged([mask, *maps])
    for name in ("lesion_average_precision", "wafroc", "roc_auc_pooled", "ece"):
        assert (mixed.figures[name].value, mixed.figures[name].n) == (alone.figures[name].value, alone.figures[name].n)
    assert mixed.froc["0.5"].value == alone.froc["0.5"].value
    assert mixed.figures["dice_mean"].n == alone.figures["dice_mean"].n + 1
    assert curves([judge_case(one, JudgeRule()) for one in (mask, *maps)]).scan is not None


def test_a_floor_joins_no_two_peaks_and_a_spot_on_it_is_no_hit():
    lesions = disc(centre=(15, 15), radius=4) | disc(centre=(15, 48), radius=4)
    one = scored(0, lesions, ((15, 15), 0.9), ((15, 48), 0.8), ((50, 30), 0.85))
    floored = pair(one.pred, lesions, probability=np.maximum(one.probability, np.float32(0.12)))
    marks = judge_case(floored, JudgeRule())
    assert marks.candidate_scores.tolist() == pytest.approx([0.9, 0.85, 0.8, 0.12])
    assert marks.candidates.is_false.tolist() == [False, True, False, True]


def test_with_a_lesion_everywhere_it_is_wafroc1_and_masks_have_none():
    assert "wafroc1" in judged(some()[:2]).figures
    found = judged([pair(disc(), disc())])
    assert not found.froc
    assert not {"wafroc", "wafroc1", "lesion_average_precision"} & set(found.figures)
