"""Point truth: distances in mm, figures against plain loops, and what points can't say."""

import math

import numpy as np
import pytest

from hilum.core import GeometryError, MeasureError
from hilum.core.evaluation import Threshold
from hilum.evaluate.case_lesions import Marks
from hilum.evaluate.cases import JudgeRule
from hilum.evaluate.evaluation import Judged
from hilum.evaluate.point_evaluation import UNDEFINED, point_evaluation
from hilum.evaluate.points import (
    PointLesion,
    PointPrediction,
    PointRule,
    PointTruth,
    judge_points,
    prediction_of_pixels,
)
from hilum.metrics.froc import RATES
from hilum.metrics.lesions import Assignment
from tests.evaluate.judged import disc
from tests.metrics import plain_froc

PIXEL = (0.7, 0.7)
SHAPE = (100, 120)


def marks(*entries):
    """Of (row, column, score)."""
    table = np.array(entries, dtype=float).reshape(-1, 3)
    return Marks(table[:, :2], table[:, 2], np.full(len(table), math.nan))


def said(*entries, from_score=-math.inf):
    every = marks(*entries)
    return PointPrediction(every.at_least(from_score), every, is_scored=True)


def truth(*lesions, pixel_mm=PIXEL):
    """Of (row, column, size in mm) or with a subtlety."""
    return PointTruth([PointLesion((one[0], one[1]), *one[2:]) for one in lesions], SHAPE, pixel_mm)


def judge(known, predicted, rule=None, key="a", patient="p"):
    return judge_points(key, patient, known, predicted, rule)


def about(**more):
    settings = {"data": "made", "split": "test", "split_hash": "", "truth": "points", "threshold": Threshold()}
    return Judged(**settings, rule=JudgeRule(), samples=100, **more)


@pytest.mark.parametrize(("pixel_mm", "along"), [((0.7, 0.7), 0), ((0.7, 0.35), 1), ((2.0, 0.35), 0)])
def test_a_hit_is_strictly_within_the_radius_in_mm(pixel_mm, along):
    """10 mm across: a mark 4.99 mm from the centre hits, one at 5 mm doesn't, whatever the pixels."""
    known = truth((50, 60, 10.0), pixel_mm=pixel_mm)
    for apart, hits in ((4.99, True), (5.0001, False)):
        place = [50.0, 60.0]
        place[along] += apart / pixel_mm[along]
        assert bool(judge(known, said((*place, 1))).found) is hits


def test_a_stated_tolerance_takes_the_place_of_the_radius():
    known = truth((50, 60, 4.0), (20, 20, 60.0))
    far = said((50 + 20 / 0.7, 60, 1), (20 + 28 / 0.7, 20, 0.5))
    assert [one.is_found for one in judge(known, far).lesions] == [False, True]
    assert [one.is_found for one in judge(known, far, PointRule(tolerance_mm=25)).lesions] == [True, False]
    assert "25 mm" in str(PointRule(tolerance_mm=25))
    assert "radius" in str(PointRule())
    for nonsense in (0, -1, math.nan, math.inf):
        with pytest.raises(MeasureError, match="tolerance"):
            PointRule(tolerance_mm=nonsense)


def test_further_marks_on_a_lesion_are_false_only_one_to_one():
    known, twice = truth((50, 60, 20.0)), said((50, 60, 0.9), (52, 60, 0.8))
    assert judge(known, twice).row.values["false_positives"] == 0
    assert judge(known, twice, PointRule(assignment=Assignment.GREEDY)).row.values["false_positives"] == 1


def random_images(seed, images=25):
    """Marks (row, column, score) and lesions (row, column, size) in pixels, with ties and shared marks."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(images):
        lesions = rng.uniform((5, 5, 5), (95, 115, 60), (rng.integers(0, 4), 3))
        near = [one[:2] + rng.normal(0, 8, 2) for one in lesions if rng.random() < 0.7]
        places = np.concatenate([np.reshape(near, (-1, 2)), rng.uniform((0, 0), (99, 119), (rng.integers(0, 6), 2))])
        places = np.clip(places, 0, (99, 119))
        made.append((np.column_stack([places, rng.integers(1, 9, len(places)) / 8]), lesions))
    return made


@pytest.mark.parametrize("tolerance_mm", [None, 12.0])
@pytest.mark.parametrize("seed", range(4))
def test_figures_are_those_of_plain_loops(seed, tolerance_mm):
    made = random_images(seed)
    rule = PointRule(tolerance_mm)
    cases = [judge(truth(*lesions), said(*found), rule, str(n), str(n)) for n, (found, lesions) in enumerate(made)]
    result = point_evaluation(cases, about())
    plain = [
        (
            [(row * 0.7, column * 0.7, score) for row, column, score in found],
            [(row * 0.7, column * 0.7, tolerance_mm or size / 2) for row, column, size in lesions],
        )
        for found, lesions in made
    ]
    for rate in RATES:
        assert result.froc[f"{rate:g}"].value == pytest.approx(plain_froc.sensitivity_at(plain, rate)), rate
    assert result.figures["lesion_average_precision"].value == pytest.approx(plain_froc.average_precision(plain))
    assert result.figures["wafroc"].value == pytest.approx(plain_froc.wafroc(plain))
    entries, lesions = plain_froc.scored(plain)
    hits = sum(is_hit for _, is_hit in entries)
    assert result.figures["lesion_sensitivity"].value == pytest.approx(hits / lesions)
    assert result.figures["lesion_sensitivity"].n == lesions
    assert result.figures["false_positives_per_image"].value == pytest.approx((len(entries) - hits) / len(made))


def test_what_points_cannot_say_is_nan_and_never_a_number():
    result = point_evaluation([judge(truth((50, 60, 10.0)), said((50, 60, 1)))], about())
    assert result.is_of_points
    assert all(math.isnan(result.figures[name].value) and result.figures[name].n == 0 for name in UNDEFINED)
    assert not [name for name in result.cases[0].values if "dice" in name or "pixels" in name]
    lesion = judge(truth((50, 60, 10.0)), said((50, 60, 1))).lesions[0]
    assert math.isnan(lesion.dice)
    assert math.isnan(lesion.covered)


def test_images_without_a_lesion_have_false_alarms_only():
    cases = [
        judge(truth(), said((5, 5, 0.4)), key="a", patient="a"),
        judge(truth(), said(), key="b", patient="b"),
        judge(truth((50, 60, 10.0)), said((5, 5, 0.2)), key="c", patient="c"),
    ]
    result = point_evaluation(cases, about())
    assert (result.n_cases, result.n_empty_truth) == (3, 2)
    rate = result.figures["empty_false_positive_rate"]
    assert (rate.value, rate.n) == (0.5, 2)


def test_lesions_apart_by_size_and_by_subtlety():
    cases = [
        judge(truth((20, 20, 5.0, 1), (50, 60, 20.0, 5)), said((50, 60, 1)), key="a", patient="a"),
        judge(truth((50, 60, 30.0, 5)), said(), key="b", patient="b"),
        judge(truth((50, 60, 10.0)), said((50, 60, 1), (5, 5, 1)), key="c", patient="c"),
    ]
    result = point_evaluation(cases, about())
    sizes = {one.name: one.figures["lesion_sensitivity"] for one in result.by_size}
    assert {name: (one.value, one.n) for name, one in sizes.items() if one.n} == {
        "< 8 mm": (0, 1),
        "8–15 mm": (1, 1),
        "≥ 15 mm": (0.5, 2),
    }
    subtleties = {one.name: one.figures["lesion_sensitivity"] for one in result.by_subtlety}
    assert {name: (one.value, one.n) for name, one in subtleties.items()} == {
        "subtlety 1, extremely subtle": (0, 1),
        "subtlety 5, obvious": (0.5, 2),
    }


def test_a_threshold_moves_the_operating_point_and_not_the_curve():
    known = truth((50, 60, 10.0))
    every, few = (
        judge(known, said((50, 60, 0.3), (5, 5, 0.8), from_score=score), key="a", patient="a") for score in (0, 0.5)
    )
    assert (every.found, few.found) == (1, 0)
    first, second = (point_evaluation([one], about()).froc for one in (every, few))
    assert [one.value for one in first.values()] == [one.value for one in second.values()]


def test_a_mask_is_its_components_at_their_centroids_and_has_no_curve():
    mask = disc(SHAPE, (50, 60), 6) | disc(SHAPE, (10, 10), 3)
    predicted = prediction_of_pixels(mask, None, PIXEL)
    result = judge(truth((50, 60, 2.0)), predicted)
    assert (result.found, result.row.values["false_positives"]) == (1, 1)
    false = disc(SHAPE, (10, 10), 3).sum() * 0.49
    assert result.false_mm == (pytest.approx(2 * math.sqrt(false / math.pi)),)
    found = point_evaluation([result], about())
    assert not found.froc
    assert "lesion_average_precision" not in found.figures


def test_a_map_has_marks_below_its_threshold_too():
    probability = np.zeros(SHAPE, np.float32)
    probability[disc(SHAPE, (50, 60), 5)] = 0.3
    probability[disc(SHAPE, (10, 10), 5)] = 0.01
    predicted = prediction_of_pixels(probability >= 0.5, probability, PIXEL)
    result = judge(truth((50, 60, 10.0)), predicted)
    assert result.found == 0
    assert result.candidate_scores == pytest.approx([0.3])
    assert point_evaluation([result], about()).froc["0.125"].value == 1


def test_marks_outside_the_image_and_nonsense_are_refused():
    with pytest.raises(GeometryError, match="outside"):
        judge(truth(), said((100, 5, 1)))
    with pytest.raises(MeasureError, match="finite"):
        marks((1, 2, math.nan))
    with pytest.raises(MeasureError, match="numbers differ"):
        Marks(np.zeros((2, 2)), np.zeros(1), np.zeros(2))


def test_a_prediction_of_one_value_is_an_alarm():
    nothing = prediction_of_pixels(np.zeros(SHAPE, bool), None, PIXEL)
    result = point_evaluation([judge(truth((50, 60, 10.0)), nothing)], about())
    assert "constant_predictions" in [one.name for one in result.alarms]
