"""Cases to figures: means and pools, empties apart, groups add up, recommendations follow."""

import math

import numpy as np
import pytest
from sklearn.metrics import f1_score

from hilum.core.evaluation import Group, Threshold
from hilum.core.figures import Figure
from hilum.evaluate.case_lesions import TrueNodule
from hilum.evaluate.cases import JudgeRule, judge_case
from hilum.evaluate.curves import curves, examples
from hilum.evaluate.recommend import recommendations
from tests.evaluate.judged import disc, judged, pair

EMPTY = np.zeros((64, 64), bool)


def some_pairs():
    truths = [disc(radius=3), disc(radius=7), disc(radius=9), EMPTY]
    preds = [EMPTY, disc(radius=6), disc(centre=(34, 32), radius=9), disc(radius=2)]
    return [pair(p, t, key=f"k{n}", patient=f"p{n}") for n, (p, t) in enumerate(zip(preds, truths, strict=True))]


def test_n_is_0_where_nothing_is_defined_and_nothing_is_defined_where_n_is_0():
    blank = np.zeros((64, 64))
    nothing = judged([pair(blank, disc(), "a", "p"), pair(blank, disc(), "b", "q")])
    assert math.isnan(nothing.figures["precision_pooled"].value)
    one_class = judged([pair(disc(), disc(), "a", "p")], JudgeRule({1: "lung", 2: "covid"}))
    for figures in (nothing.figures, *(group.figures for group in one_class.by_class)):
        for figure in figures.values():
            assert math.isnan(figure.value) == (figure.n == 0), figure


def test_without_draws_there_are_values_and_no_interval():
    probability = np.where(disc(), np.float32(0.9), np.float32(0.05))
    pairs = [pair(probability >= 0.5, disc(), name, name, probability=probability) for name in "abc"]
    found = judged(pairs, samples=0)
    assert found.froc["1"].value == found.figures["lesion_average_precision"].value == 1
    assert all(math.isnan(one.low) for one in (*found.figures.values(), *found.froc.values()))


def test_means_leave_empty_truth_out_and_pools_take_all_pixels():
    pairs = some_pairs()
    found = judged(pairs)
    dice = [f1_score((one.truth > 0).ravel(), (one.pred > 0).ravel()) for one in pairs[:3]]
    assert found.figures["dice_mean"].value == pytest.approx(np.mean(dice))
    assert found.figures["dice_mean"].n == 3
    truth = np.concatenate([one.truth.ravel() > 0 for one in pairs])
    pred = np.concatenate([one.pred.ravel() > 0 for one in pairs])
    assert found.figures["dice_pooled"].value == pytest.approx(f1_score(truth, pred))
    assert (found.n_cases, found.n_empty_truth) == (4, 1)
    assert found.figures["empty_false_positive_rate"].value == 1
    assert found.figures["empty_false_positive_rate"].n == 1


def test_intervals_hold_the_value_and_shrink_to_it_when_all_cases_are_alike():
    found = judged(some_pairs())
    for name in ("dice_mean", "dice_pooled", "lesion_sensitivity"):
        figure = found.figures[name]
        assert figure.low <= figure.value <= figure.high
    alike = judged([pair(disc(radius=5), disc(), key=str(n), patient=str(n)) for n in range(5)]).figures["dice_mean"]
    assert alike.low == pytest.approx(alike.value) == pytest.approx(alike.high)
    perfect = judged([pair(disc(), disc(), key=str(n), patient=str(n)) for n in range(5)]).figures["dice_mean"]
    assert (perfect.low, perfect.high) == pytest.approx((0.025**0.2, 1))  # five of five is no certainty


def test_one_patient_has_no_interval():
    figure = judged([pair(disc(), disc(), key=str(n)) for n in range(5)]).figures["dice_mean"]
    assert math.isnan(figure.low)


def test_sizes_add_up_to_all_lesions():
    found = judged(some_pairs())
    lesions = [group.figures["lesion_sensitivity"] for group in found.by_size]
    assert sum(one.n for one in lesions) == found.figures["lesion_sensitivity"].n == 3
    assert [group.name for group in found.by_size] == ["< 8 mm", "8–15 mm", "≥ 15 mm"]
    assert [one.value for one in lesions] == [0, 1, 1]
    false = sum(group.figures["false_positives_per_image"].value for group in found.by_size)
    assert false == pytest.approx(found.figures["false_positives_per_image"].value)


def test_readers_and_visibility_come_in_their_order():
    nodules = tuple(
        TrueNodule(str(n), disc(), readers, 9.0, seen) for n, (readers, seen) in enumerate([(4, 0.1), (1, 0.9)])
    )
    found = judged([pair(disc(), disc(), nodules=nodules)])
    assert [group.name for group in found.by_readers] == ["1 reader", "4 readers"]
    assert [group.name for group in found.by_visibility] == ["visibility below 1/3", "visibility from 2/3"]


def test_a_class_without_pixels_is_undefined_and_an_alarm():
    found = judged([pair(disc(), disc())], JudgeRule({1: "lung", 2: "covid"}))
    covid = found.by_class[1]
    assert math.isnan(covid.figures["dice_pooled"].value)
    assert math.isnan(covid.figures["iou_pooled"].value)
    assert [alarm.evidence for alarm in found.alarms if alarm.name == "class_without_pixels"] == [("covid",)]


def test_every_figure_that_the_contract_names_is_there():
    names = "dice_mean dice_pooled iou_mean iou_pooled precision_pooled recall_pooled lesion_sensitivity"
    names += " false_positives_per_image empty_false_positive_rate hd95_mm nsd_2mm ece"
    assert set(names.split()) <= judged([pair(disc(), disc(), spacing_mm=None)]).figures.keys()


def test_the_best_threshold_is_where_a_loop_finds_it():
    truth = disc()
    probability = np.where(disc(radius=8), 0.4, 0.05) + np.where(truth, 0.3, 0.0)
    result = judge_case(pair(probability >= 0.5, truth, probability=probability.astype(np.float32)), JudgeRule())
    scan = curves([result]).scan
    loop = [f1_score(truth.ravel(), (probability.astype(np.float32) >= t).ravel()) for t in scan.thresholds]
    np.testing.assert_allclose(scan.dice_mean, loop, atol=0.01)
    assert 0.4 < scan.best <= 0.7


def test_examples_show_each_case_once():
    found = judged(some_pairs())
    shown = examples(found.cases)
    keys = [row.key for rows in shown.values() for row in rows]
    assert len(keys) == len(set(keys))
    assert shown["false alarm on an empty truth"][0].key == "k3"
    assert "k0" not in [row.key for row in shown["best"]]


def test_losing_to_a_rival_is_said_first():
    found = judged(some_pairs())
    rival = Group("average prior map", {"dice_mean": Figure("dice_mean", 0.99, 0.9, 1, 3)})
    losing = type(found)(**{**vars(found), "rivals": (rival,)})
    assert any("average prior map (0.990)" in said for said in recommendations(losing))
    assert not any("beat" in said for said in recommendations(found))


def test_a_better_threshold_is_only_offered_from_validation():
    for split, words in (("validation", "--threshold-from"), ("test", "no split to choose on")):
        found = judged(some_pairs(), split=split, threshold=Threshold(0.5, "stated"))
        assert any(words in said for said in recommendations(found, (0.3, 0.99)))


def test_images_are_told_apart_for_each_class():
    lung, covid = disc(radius=12), disc(radius=4)
    both = lung.astype(np.uint8) + covid
    pairs = [pair(both, both, key="a", patient="a"), pair(lung, both, key="b", patient="b")]
    pairs.append(pair(both, lung, key="c", patient="c"))
    found = judged(pairs, JudgeRule({1: "lung", 2: "covid"})).by_class[1].figures
    assert (found["image_sensitivity"].value, found["image_sensitivity"].n) == (0.5, 2)
    assert (found["image_specificity"].value, found["image_specificity"].n) == (0.0, 1)
    assert (found["empty_false_positive_rate"].value, found["empty_false_positive_rate"].n) == (1.0, 1)
    assert (found["dice_pooled"].n, found["dice_mean"].n) == (2, 2)


def test_without_millimetres_there_is_one_unknown_size():
    found = judged([pair(disc(), disc(), spacing_mm=None)])
    assert [group.name for group in found.by_size] == ["unknown size"]


def test_false_positives_are_counted_an_image():
    two = disc(centre=(10, 10), radius=3) | disc(centre=(50, 50), radius=3)
    found = judged([pair(two, EMPTY, key="a", patient="a"), pair(disc(), disc(), key="b", patient="b")])
    assert found.figures["false_positives_per_image"].value == 1
    assert found.by_size[0].figures["false_positives_per_image"].value == 1


def test_swapped_classes_are_no_success():
    one, two = disc(centre=(16, 16)), disc(centre=(44, 44))
    truth = one + 2 * two.astype(np.uint8)
    swapped = 2 * one.astype(np.uint8) + two
    pairs = [pair(swapped, truth, key=str(n), patient=str(n)) for n in range(3)]
    found = judged(pairs, JudgeRule({1: "lung", 2: "covid"}))
    for name in ("dice_mean", "dice_pooled", "iou_mean", "iou_pooled", "recall_pooled", "lesion_sensitivity"):
        assert found.figures[name].value == 0
    assert found.figures["hd95_mm"].value > 10
    assert found.figures["foreground_dice_mean"].value == found.figures["foreground_dice_pooled"].value == 1
    assert found.figures["foreground_hd95_mm"].value == 0


def test_the_headline_is_the_mean_over_the_classes_that_are_there():
    lung, covid = disc(radius=12), disc(centre=(8, 8), radius=4)
    both = lung + 2 * covid.astype(np.uint8)
    rule = JudgeRule({1: "lung", 2: "covid", 3: "other"})
    found = judged([pair(lung, both, key="a", patient="a"), pair(lung, lung, key="b", patient="b")], rule)
    assert found.figures["dice_mean"].value == pytest.approx((0.5 + 1) / 2)
    assert found.figures["dice_pooled"].value == pytest.approx(0.5)
    assert [row.values["classes_in_truth"] for row in found.cases] == [2, 1]
    by_name = {group.name: group.figures for group in found.by_class}
    assert (by_name["lung"]["dice_mean"].n, by_name["covid"]["dice_mean"].n, by_name["other"]["dice_mean"].n) == (
        2,
        1,
        0,
    )
    assert by_name["lung"]["hd95_mm"].value == 0
    assert by_name["lung"]["nsd_2mm"].value == 1
    assert by_name["covid"]["area_error_mm2"].value == -covid.sum() / 2


def test_each_lesion_has_the_dice_of_what_meets_it():
    small, large = disc(centre=(12, 12), radius=3), disc(centre=(44, 44), radius=9)
    near, far = disc(centre=(44, 47), radius=9), disc(centre=(12, 44), radius=4)
    nodules = (TrueNodule("1", small, 1, 6.0), TrueNodule("2", large, 4, 18.0))
    found = judged([pair(near | far, small | large, nodules=nodules)])
    expected = f1_score(large.ravel(), near.ravel())
    assert [group.figures["lesion_dice"].value for group in found.by_readers] == pytest.approx([0, expected])
    sizes = {group.name: group.figures["lesion_dice"] for group in found.by_size}
    assert (sizes["< 8 mm"].value, sizes["≥ 15 mm"].value) == pytest.approx((0, expected))
    assert sizes["≥ 15 mm"].n == 1
    assert found.figures["lesion_dice"].value == pytest.approx(expected / 2)


def test_the_prediction_is_compared_with_each_reader_as_readers_are_with_each_other():
    drawn = [disc(radius=radius) for radius in (5, 6, 7)]
    nodules = (TrueNodule("1", drawn[1], 3, 9.0, drawn=drawn), TrueNodule("2", disc(centre=(9, 9)), 1))
    found = judged([pair(disc(centre=(32, 34)), disc(), nodules=nodules)])
    expected = np.mean([f1_score(one.ravel(), disc(centre=(32, 34)).ravel()) for one in drawn])
    assert found.figures["reader_dice"].value == pytest.approx(expected)
    assert found.figures["reader_dice"].n == 1
    assert [group.figures["reader_dice"].n for group in found.by_readers] == [0, 1]
    assert "reader_dice" not in judged([pair(disc(), disc())]).figures
