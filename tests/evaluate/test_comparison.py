"""Models against each other: differences are those of the tables, twins don't differ, and doubts are raised."""

from dataclasses import replace

import numpy as np
import pytest

from hilum.core import InputError
from hilum.core.evaluation import Alarm
from hilum.evaluate.cases import OVERLAPS, JudgeRule
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


TWO = JudgeRule(labels={1: "halo", 2: "core"})


def two_classes(moved, without=()):
    """Six cases of a disc in a disc, predicted some pixels too far right; the core is missed on some."""
    pairs = []
    for k in range(6):
        truth = disc(radius=9 + k % 3).astype(np.uint8) + disc(radius=4)
        pred = np.roll(truth, moved, axis=1)
        pairs.append(pair(np.where(k in without, pred > 0, pred), truth, key=f"k{k}", patient=f"p{k}"))
    return judged(pairs, TWO)


def one(found, figure, of_class=""):
    return next(versus for versus in found.versus if (versus.figure, versus.of_class) == (figure, of_class))


def test_each_class_is_compared_case_by_case_and_pooled():
    models = {"near": two_classes(1), "far": two_classes(4)}
    found = compare_evaluations(models, samples=50)
    assert found.classes == ("halo", "core")
    for of_class in found.classes:
        means = [np.mean([row.values[f"dice_{of_class}"] for row in model.cases]) for model in models.values()]
        assert one(found, "dice", of_class).paired.difference.value == pytest.approx(means[1] - means[0])
        pooled = {group.name: group.figures["dice_pooled"].value for group in models["far"].by_class}
        pooled_near = {group.name: group.figures["dice_pooled"].value for group in models["near"].by_class}
        there = next(p for p in found.pooled if (p.difference.name, p.of_class) == ("dice_pooled", of_class))
        assert there.difference.value == pytest.approx(pooled[of_class] - pooled_near[of_class])
    for name in ("dice_pooled", "foreground_dice_pooled", "iou_pooled"):
        there = next(p for p in found.pooled if (p.difference.name, p.of_class) == (name, ""))
        expected = models["far"].figures[name].value - models["near"].figures[name].value
        assert there.difference.value == pytest.approx(expected)
        assert there.difference.low <= expected <= there.difference.high
    assert one(found, "dice", "core").verdict.startswith("Dice of core: near is better")


def test_tables_without_pixels_of_each_class_are_compared_by_what_they_have():
    def older(model):
        kept = [
            replace(
                row, values={name: value for name, value in row.values.items() if not name.startswith(("tp_", "fn_"))}
            )
            for row in model.cases
        ]
        return replace(model, cases=tuple(kept))

    found = compare_evaluations({"near": older(two_classes(1)), "far": older(two_classes(4))}, samples=50)
    assert {p.difference.name for p in found.pooled} == {f"foreground_{name}_pooled" for name in OVERLAPS}
    assert one(found, "dice", "core").paired.difference.n == 6


def test_a_mean_distance_over_classes_is_of_the_classes_that_both_have():
    """A model that misses the core is not compared by its halo alone with the other's mean of both."""
    full, part = two_classes(2), two_classes(2, without=range(6))
    found = compare_evaluations({"full": full, "part": part}, samples=50)
    halo = one(found, "hd95_mm", "halo").paired.difference
    assert one(found, "hd95_mm").paired.difference.value == pytest.approx(halo.value)
    missed = one(found, "hd95_mm", "core").missed
    assert (missed.first, missed.second, missed.both, missed.present) == (0, 6, 0, 6)


def test_a_distance_says_what_each_model_missed():
    """Of six cases one has no lesion; the first model misses two of five, the second one of these and two more."""
    empty = np.zeros((64, 64), bool)
    truths = [disc(radius=5)] * 5 + [empty]

    def with_misses(missing, radius):
        preds = [empty if k in (*missing, 5) else disc(radius=radius) for k in range(6)]
        return judged([pair(preds[k], truths[k], key=f"k{k}", patient=f"p{k}") for k in range(6)])

    found = compare_evaluations({"a": with_misses((0, 1), 4), "b": with_misses((1, 2, 3), 6)}, samples=50)
    distance = one(found, "hd95_mm")
    missed, paired = distance.missed, distance.paired
    assert (missed.first, missed.second, missed.both, missed.present) == (2, 3, 1, 5)
    assert (paired.difference.n, paired.dropped) == (1, 5)
    assert (paired.only_first_undefined, paired.only_second_undefined) == (1, 2)
    assert distance.verdict.endswith("a predicts nothing in 2 of 5 with a lesion, b in 3 (both in 1).")
    assert one(found, "dice").missed is None
    assert one(found, "dice").paired.difference.n == 5  # a miss has a Dice: 0
    (note,) = [alarm for alarm in found.alarms if alarm.name == "misses_differ"]
    assert note.is_note
    assert note.evidence == ("a: 2", "b: 3")


def test_masks_that_nobody_knows_are_compared_by_size_and_said_to_be():
    known, unknown = replace(model(3), truth_hash="f00d"), model(6)
    found = compare_evaluations({"new": known, "old": unknown}, samples=50)
    (note,) = [alarm for alarm in found.alarms if alarm.name == "truth_unchecked"]
    assert note.evidence == ("old",)
    assert note.is_note
    sure = compare_evaluations({"new": known, "old": replace(unknown, truth_hash="f00d")}, samples=50)
    assert "truth_unchecked" not in {alarm.name for alarm in sure.alarms}


def test_five_patients_are_not_said_to_have_a_power_that_they_lack():
    """Their smallest p is 2/32: no difference would be seen, however large."""
    found = one(compare_evaluations({"a": model(2, 5), "b": model(6, 5)}, samples=50), "dice")
    assert found.paired.permutation_p == pytest.approx(2 / 32)
    assert np.isnan(found.paired.detectable)
    assert found.verdict.endswith("with 5 patients none could be: whatever the difference, p is at least 0.062.")
    of_three = compare_evaluations({f"m{r}": model(r, 6) for r in (2, 3, 4)}, samples=50)
    assert "none could be" in one(of_three, "dice").verdict  # 3 × 2/64
    assert "is better" in one(compare_evaluations({"a": model(2, 6), "b": model(3, 6)}, samples=50), "dice").verdict


def test_every_pooled_ratio_is_compared():
    small, exact = model(3), model(6)
    found = compare_evaluations({"small": small, "exact": exact}, samples=50)
    expected = {f"{name}_pooled" for name in OVERLAPS}
    assert {pooled.difference.name for pooled in found.pooled} == expected
    for pooled in found.pooled:
        name = pooled.difference.name
        assert pooled.difference.value == pytest.approx(exact.figures[name].value - small.figures[name].value)


def test_errors_with_a_sign_are_compared_by_their_size():
    """One model is too small, the other too large by as little: neither sign is better."""
    small, large = model(4), model(8)
    found = one(compare_evaluations({"small": small, "large": large}, samples=50), "absolute_area_error_mm2")
    sizes = [np.mean([abs(row.values["area_error_mm2"]) for row in each.cases]) for each in (small, large)]
    assert found.paired.difference.value == pytest.approx(sizes[1] - sizes[0])
    assert not found.higher_is_better
    signed = [np.mean([row.values["area_error_mm2"] for row in each.cases]) for each in (small, large)]
    assert signed[0] < 0 < signed[1]


def test_brier_is_compared_and_lower_is_better():
    def sure(of):
        truth = disc()
        probability = np.where(truth, of, 1 - of).astype(np.float32)
        return judged([pair(truth, truth, f"k{n}", f"p{n}", probability=probability) for n in range(8)])

    found = one(compare_evaluations({"unsure": sure(0.6), "sure": sure(0.9)}, samples=50), "brier")
    assert found.paired.difference.value == pytest.approx(0.1**2 - 0.4**2, abs=1e-4)
    assert not found.higher_is_better


def test_images_in_which_a_class_is_seen_are_compared():
    full, part = two_classes(2), two_classes(2, without=(0, 1))
    found = one(compare_evaluations({"full": full, "part": part}, samples=50), "image_sensitivity", "core")
    assert found.paired.difference.value == pytest.approx(-2 / 6)
