"""Models against each other: differences are those of the tables, twins don't differ, and doubts are raised."""

from dataclasses import replace

import numpy as np
import pytest

from hilum.core import InputError
from hilum.core.evaluation import Alarm
from hilum.evaluate.comparison import compare_evaluations
from tests.evaluate.judged import disc, judged, pair


def model(radius, n=8):
    return judged([pair(disc(radius=radius), disc(radius=5 + k % 3), key=f"k{k}", patient=f"p{k}") for k in range(n)])


def test_differences_are_second_minus_first():
    small, exact = model(3), model(6)
    found = compare_evaluations({"small": small, "exact": exact}, samples=100)
    versus = next(one for one in found.versus if one.figure == "dice")
    means = [np.mean([row.values["dice"] for row in one.cases]) for one in (small, exact)]
    assert versus.paired.difference.value == pytest.approx(means[1] - means[0])
    assert versus.is_seen
    assert versus.verdict.startswith("Dice: exact is better")
    pooled = next(one for one in found.pooled if one.difference.name == "dice_pooled").difference
    assert pooled.value == pytest.approx(exact.figures["dice_pooled"].value - small.figures["dice_pooled"].value)
    assert pooled.low <= pooled.value <= pooled.high


def test_a_smaller_distance_is_better():
    found = compare_evaluations({"small": model(3), "exact": model(6)}, samples=50)
    versus = next(one for one in found.versus if one.figure == "hd95_mm")
    assert versus.paired.difference.value < 0
    assert versus.verdict.startswith("95 % Hausdorff distance: exact is better")
    assert " mm (" in versus.verdict
    assert versus.paired.share_improved > 0.5


def test_a_power_that_nobody_knows_is_no_number():
    found = compare_evaluations({"a": model(6), "b": model(6)}, samples=50)
    assert not any("nan" in versus.verdict for versus in found.versus)
    assert any("so is the power" in versus.verdict for versus in found.versus)


def test_more_models_are_corrected_for():
    few = compare_evaluations({"a": model(3, 4), "b": model(6, 4)}, samples=50).versus[0].paired
    many = compare_evaluations({"a": model(3, 4), "b": model(6, 4), "c": model(6, 4)}, samples=50).versus[0].paired
    assert few.permutation_p < many.permutation_p


def test_cases_that_one_model_lacks_raise_an_alarm():
    full, part = model(3), model(6, 5)
    found = compare_evaluations({"full": full, "part": part}, samples=50)
    assert found.cases == 5
    raised = [alarm for alarm in found.alarms if not alarm.is_note]
    assert [(alarm.name, alarm.evidence) for alarm in raised] == [("cases_left_out", ("full: 3",))]


def test_a_models_own_alarms_are_carried_with_its_name():
    doubtful = replace(model(6), alarms=(Alarm("threshold_on_reported", "The figures flatter.", ("p1",)),))
    found = compare_evaluations({"a": model(3, 8), "b": doubtful}, samples=50)
    carried = next(alarm for alarm in found.alarms if alarm.name == "threshold_on_reported")
    assert (carried.says, carried.evidence) == ("b: The figures flatter.", ("b: p1",))
    assert not carried.is_note


def test_another_truth_is_refused():
    with pytest.raises(InputError, match="truth"):
        compare_evaluations({"a": model(3), "b": replace(model(6), truth="consensus")})
    with pytest.raises(InputError, match="two"):
        compare_evaluations({"a": model(3)})


@pytest.mark.parametrize(("models", "least"), [(2, "0.0001"), (3, "0.0003")])
def test_p_is_never_said_to_be_smaller_than_the_draws_can_show(models, least):
    named = {f"m{radius}": model(radius, 20) for radius in (2, 3, 4)[:models]}
    versus = next(one for one in compare_evaluations(named, samples=50).versus if one.figure == "dice")
    assert f"p ≤ {least}." in versus.verdict
    few = compare_evaluations({"a": model(2, 8), "b": model(3, 8)}, samples=50).versus[0]
    assert "p 0.0078." in few.verdict  # all signs of 8 patients were tried
