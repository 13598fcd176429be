"""Each alarm rings on what it is for, and stays silent otherwise."""

import pytest

from hilum.core import MeasureError
from hilum.core.evaluation import Group, Threshold
from hilum.core.figures import Figure
from hilum.evaluate import alarms
from hilum.evaluate.alarms import ChosenOn
from tests.evaluate.judged import disc, judged, pair


def test_patients_in_two_splits():
    (raised,) = alarms.patients_shared({"train": ["a", "b"], "validation": ["b", "c"], "test": []})
    assert raised.evidence == ("b: train, validation",)
    assert not alarms.patients_shared({"train": ["a", "a"], "validation": ["b"]})


def test_a_threshold_chosen_on_reported_patients():
    chosen = ChosenOn("validation", "", frozenset({"a", "b"}))
    (raised,) = alarms.threshold_on_reported(Threshold(0.3, "validation"), chosen, ["b", "c"])
    assert raised.evidence == ("b",)
    assert not alarms.threshold_on_reported(Threshold(0.3, "validation"), chosen, ["c"])
    assert not alarms.threshold_on_reported(Threshold(0.3, "stated"), None, ["a"])


def test_nothing_is_chosen_on_held_out_patients_or_on_other_splits_than_validation():
    held_out = ChosenOn("all", "", frozenset({"LIDC-IDRI-0005", "LIDC-IDRI-0006", "JPCLN001"}))
    (raised,) = alarms.chosen_elsewhere("threshold", held_out)
    assert (raised.name, raised.evidence, raised.is_note) == ("threshold_on_held_out", ("LIDC-IDRI-0005",), False)
    for split, split_hash in (("train", "5eed"), ("test", "5eed"), ("all", "5eed"), ("train", "")):
        (raised,) = alarms.chosen_elsewhere("temperature", ChosenOn(split, split_hash, frozenset({"a"})))
        assert (raised.name, raised.is_note) == ("temperature_not_on_validation", False)
    assert not alarms.chosen_elsewhere("threshold", ChosenOn("validation", "5eed", frozenset({"LIDC-IDRI-0006"})))
    assert not alarms.chosen_elsewhere("threshold", ChosenOn("all", "", frozenset({"a"})))  # a plain folder
    assert not alarms.chosen_elsewhere("threshold", None)
    (note,) = alarms.held_out_reported(["LIDC-IDRI-0010", "LIDC-IDRI-0011", "b"])
    assert (note.evidence, note.is_note) == (("LIDC-IDRI-0010",), True)


def test_iou_above_dice_which_no_definition_gives():
    impossible = {"dice_mean": Figure("dice_mean", 0.59), "iou_mean": Figure("iou_mean", 0.79)}
    assert alarms.iou_above_dice(impossible)
    assert alarms.iou_above_dice({}, [Group("covid", impossible)])[0].evidence[0].startswith("covid")
    assert not alarms.iou_above_dice({"dice_mean": Figure("dice_mean", 0.8), "iou_mean": Figure("iou_mean", 0.7)})


def test_duplicates_by_content():
    (raised,) = alarms.duplicates({"a": "1", "b": "2", "c": "1", "d": "", "e": ""}, "image")
    assert (raised.name, raised.evidence) == ("duplicate_images", ("a, c",))
    (raised,) = alarms.duplicates({"a": "1", "b": "2"}, "image", {"x (train)": "2", "y (train)": "3", "z (train)": "3"})
    assert raised.evidence == ("b, x (train)",)


def test_constant_predictions_are_an_alarm_when_all_are():
    (some,), (all_of_them,) = alarms.constant_predictions(["a"], 2), alarms.constant_predictions(["a", "b"], 2)
    assert some.is_note
    assert not all_of_them.is_note
    assert not alarms.constant_predictions([], 2)


def test_the_truth_itself_raises_none():
    found = judged([pair(disc(), disc(), key=str(n), patient=str(n)) for n in range(25)])
    assert found.alarms == ()


def test_truth_at_the_border_is_named():
    edge = disc(centre=(0, 30))
    found = judged([pair(edge, edge, key="cut", patient="p")])
    assert ("cut",) in [alarm.evidence for alarm in found.alarms if alarm.name == "truth_at_border"]


def test_a_threshold_that_takes_every_pixel_is_refused():
    with pytest.raises(MeasureError):
        Threshold(0.0, "stated")


def test_training_patients_and_failed_cases_are_named():
    assert alarms.training_cases_reported(["a", "b"], ["b", "c"])[0].evidence == ("b",)
    assert not alarms.training_cases_reported(["a"], ["c"])
    (raised,) = alarms.cases_failed(["x"], 4)
    assert (raised.evidence, raised.is_note) == (("x",), False)
    assert raised.says.startswith("1 of 4")
    assert not alarms.cases_failed([], 4)


def test_a_mask_over_most_of_everything_rings():
    (alarm,) = alarms.mostly_marked(50, 100)
    assert "50% of all pixels" in alarm.says
    assert not alarm.is_note
    assert not alarms.mostly_marked(49, 100)
    assert not alarms.mostly_marked(0, 0)
