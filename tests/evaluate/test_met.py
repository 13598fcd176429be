"""One lesion with what meets it: the whole image's figures when nothing else is there, and no other's ever."""

import math

import numpy as np
import pytest

from hilum.evaluate.case_lesions import TrueNodule
from hilum.evaluate.cases import JudgeRule, judge_case
from hilum.evaluate.met import Predicted
from hilum.metrics.lesions import components
from hilum.metrics.overlap import confusion, dice, iou, precision, recall, volume_error_percent
from hilum.metrics.surface import hausdorff_mm, surface_dice, surface_distances
from tests.evaluate.judged import disc, judged, pair


def ball(shape, centre, radius):
    apart = [(axis - at) ** 2 for axis, at in zip(np.indices(shape), centre, strict=True)]
    return sum(apart) <= radius**2


@pytest.mark.parametrize(
    ("lesion", "near", "far", "spacing"),
    [
        (disc(radius=6), disc(centre=(34, 35), radius=5), disc(centre=(5, 60), radius=2), (0.7, 0.9)),
        (disc(centre=(1, 1)), disc(centre=(0, 4)), disc(centre=(60, 60), radius=3), (1.0, 1.0)),
        (
            ball((16, 24, 24), (8, 8, 8), 4),
            ball((16, 24, 24), (8, 10, 9), 5),
            ball((16, 24, 24), (3, 20, 20), 2),
            (2, 1, 1),
        ),
    ],
)
def test_alone_it_has_the_figures_of_the_whole_image_and_a_false_alarm_changes_nothing(lesion, near, far, spacing):
    """The window is cut around both, also at the image's edge: distances are those that the whole arrays have."""
    distances = surface_distances(near, lesion, spacing)
    counts = confusion(near, lesion)
    expected = {
        "dice": dice(counts),
        "iou": iou(counts),
        "precision": precision(counts),
        "recall": recall(counts),
        "volume_error_percent": volume_error_percent(counts),
        "hd95_mm": hausdorff_mm(distances, 95),
        "nsd_1mm": surface_dice(distances, 1),
    }
    assert Predicted(components(near), spacing, (1.0,)).met_by(lesion) == pytest.approx(expected)
    assert Predicted(components(near | far), spacing, (1.0,)).met_by(lesion) == pytest.approx(expected)


def test_a_missed_lesion_has_no_distance_and_a_size_error_of_all_of_it():
    found = Predicted(components(disc(centre=(8, 8), radius=3)), (1.0, 1.0)).met_by(disc(centre=(40, 40)))
    known = {name: value for name, value in found.items() if not math.isnan(value)}
    assert known == {"dice": 0, "iou": 0, "recall": 0, "nsd_2mm": 0, "volume_error_percent": -100}


def test_by_size_says_how_far_off_a_lesion_is_whatever_false_alarm_there_is():
    large, far = disc(centre=(40, 40), radius=9), disc(centre=(3, 3), radius=1)
    found = judged([pair(np.roll(large, 2, axis=1) | far, large)], JudgeRule(nsd_mm=(0.5,)))
    group = next(one for one in found.by_size if one.name == "≥ 15 mm").figures
    alone = judge_case(pair(np.roll(large, 2, axis=1), large), JudgeRule(nsd_mm=(0.5,))).row.values
    assert group["lesion_hd95_mm"].value == alone["hd95_mm"]
    assert group["lesion_hd95_mm"].value < found.figures["hd95_mm"].value / 5
    assert group["lesion_nsd_2mm"].value == 1
    assert group["lesion_nsd_0.5mm"].value == pytest.approx(alone["nsd_0.5mm"])
    assert group["lesion_volume_error_percent"].value == 0
    assert "nsd_0.5mm" in found.figures


def test_a_missed_lesion_is_not_in_the_mean_distance_but_in_the_surface_dice():
    found = judged([pair(disc(centre=(44, 44)), disc(centre=(44, 44)) | disc(centre=(12, 12)))])
    group = next(one for one in found.by_size if one.figures["lesion_sensitivity"].n).figures
    assert (group["lesion_hd95_mm"].value, group["lesion_hd95_mm"].n) == (0, 1)
    assert (group["lesion_nsd_2mm"].value, group["lesion_nsd_2mm"].n) == (0.5, 2)


def test_each_reader_is_a_truth_of_his_own():
    """Three readers with discs of 5, 6 and 7: reader 2's mask is predicted, so figures are perfect by him alone."""
    drawn = [disc(radius=radius) for radius in (5, 6, 7)]
    alone = TrueNodule("2", disc(centre=(9, 9), radius=3), 1, drawn=[disc(centre=(9, 9), radius=3)])
    nodules = (TrueNodule("1", drawn[1], 3, 9.0, drawn=drawn), alone)
    found = judged([pair(drawn[1], drawn[1], nodules=nodules)])
    by_name = {group.name: group.figures for group in found.by_reader}
    assert list(by_name) == ["reader 1", "reader 2", "reader 3"]
    assert [by_name[name]["lesion_dice"].n for name in by_name] == [1, 1, 1]  # one reader alone doesn't count
    assert by_name["reader 2"]["lesion_dice"].value == by_name["reader 2"]["lesion_nsd_2mm"].value == 1
    small, large = by_name["reader 1"], by_name["reader 3"]
    assert small["lesion_recall"].value == large["lesion_precision"].value == 1
    assert small["lesion_precision"].value == pytest.approx(drawn[0].sum() / drawn[1].sum())
    assert large["lesion_hd95_mm"].value == pytest.approx(
        hausdorff_mm(surface_distances(drawn[1], drawn[2], (1.0, 1.0)), 95)
    )
    assert found.figures["reader_dice"].value == pytest.approx(
        np.mean([one["lesion_dice"].value for one in by_name.values()])
    )
    assert judged([pair(disc(), disc())]).by_reader == ()
