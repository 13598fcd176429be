"""Places of lesions: thirds of the picture, zones of the lungs, and everything counted once."""

import numpy as np
import pytest

from hilum.core import InputError
from hilum.core.evaluation import BY_THIRD, BY_ZONE
from hilum.evaluate.case_lesions import Marks
from hilum.evaluate.cases import JudgeRule, judge_case
from hilum.evaluate.evaluation import resamples_of
from hilum.evaluate.lesion_figures import FOUND
from hilum.evaluate.lung_field import ZONES, lung_field
from hilum.evaluate.places import THIRDS, by_place, place_rule
from hilum.evaluate.points import PointLesion, PointPrediction, PointTruth, judge_points
from tests.evaluate.judged import disc, judged, pair

SHAPE = (60, 60)


def lungs():
    """The patient's right lung from row 10 to 40, the left from 20 to 50."""
    mask = np.zeros(SHAPE, bool)
    mask[10:40, 8:24], mask[20:50, 36:52] = True, True
    return mask


def spots(*centres):
    return np.any([disc(SHAPE, centre, 2) for centre in centres], axis=0)


def figures(cases, name):
    found = by_place(cases, resamples_of(cases, 20, 0))
    return {group.name: group.figures[name] for group in found}


def test_thirds_are_rows_and_columns_of_the_picture():
    truth, pred = spots((5, 5), (30, 55), (55, 30)), spots((5, 5), (5, 55))
    case = judge_case(pair(pred, truth), JudgeRule())
    assert place_rule([case]) == BY_THIRD
    found = figures([case], "lesion_sensitivity")
    assert list(found) == list(THIRDS)
    assert {name: (one.value, one.n) for name, one in found.items() if one.n} == {
        "top left": (1, 1),
        "middle right": (0, 1),
        "bottom centre": (0, 1),
    }
    false = figures([case], "false_positives_per_image")
    assert [name for name, one in false.items() if one.value] == ["top right"]


def test_zones_are_thirds_of_each_lungs_own_height_and_the_patients_right_is_on_the_left():
    field = lung_field(lungs())
    places = {"right upper zone": (12, 15), "right middle zone": (25, 15), "right lower zone": (38, 15)}
    places |= {"left upper zone": (22, 44), "left middle zone": (35, 44), "left lower zone": (48, 44)}
    for name, (row, column) in places.items():
        assert field.zone((row / 60, column / 60)) == name
    assert list(places) == list(ZONES)
    assert (field.zone((0.0, 0.1)), field.zone((0.99, 0.1))) == ("right upper zone", "right lower zone")


def test_one_case_without_lungs_brings_all_to_thirds():
    with_lungs = judge_case(pair(spots((12, 15)), spots((12, 15)), lungs=lung_field(lungs())), JudgeRule())
    without = judge_case(pair(spots((12, 15)), spots((12, 15)), key="b"), JudgeRule())
    assert place_rule([with_lungs]) == BY_ZONE
    assert figures([with_lungs], "lesion_sensitivity")["right upper zone"].n == 1
    assert place_rule([with_lungs, without]) == BY_THIRD


@pytest.mark.parametrize("field", [None, lung_field(lungs())])
def test_places_add_up_to_all_lesions_and_all_false_positives(field):
    rng = np.random.default_rng(0)
    pairs = [
        pair(
            spots(*rng.integers(3, 57, (4, 2))),
            spots(*rng.integers(3, 57, (4, 2))),
            key=str(n),
            patient=str(n),
            lungs=field,
        )
        for n in range(6)
    ]
    found = judged(pairs)
    assert found.places == (BY_THIRD if field is None else BY_ZONE)
    lesions = [group.figures["lesion_sensitivity"] for group in found.by_place]
    false = [group.figures["false_positives_per_image"].value for group in found.by_place]
    whole = found.figures["lesion_sensitivity"]
    assert sum(one.n for one in lesions) == whole.n
    assert sum(one.value * one.n for one in lesions if one.n) == pytest.approx(whole.value * whole.n)
    assert sum(false) == pytest.approx(found.figures["false_positives_per_image"].value)


def test_lesions_of_volumes_are_placed_in_their_slices():
    truth = np.zeros((4, *SHAPE), bool)
    truth[1:3] = disc(SHAPE, (50, 10), 3)
    found = judged([pair(truth, truth, spacing_mm=(2.0, 1.0, 1.0))])
    assert [group.name for group in found.by_place if group.figures["lesion_sensitivity"].n] == ["bottom left"]


def test_without_a_lesion_there_is_no_place():
    empty = np.zeros(SHAPE, bool)
    found = judged([pair(spots((5, 5)), empty)])
    assert (found.places, found.by_place) == ("", ())


@pytest.mark.parametrize("mask", [np.zeros(SHAPE, bool), np.ones((2, 3, 3), bool), np.eye(60, 1, dtype=bool)])
def test_half_a_lung_field_is_refused(mask):
    with pytest.raises(InputError, match="lungs"):
        lung_field(mask)


def test_points_and_marks_are_placed_in_zones_too():
    truth = PointTruth(
        [PointLesion((12.0, 15.0), 10.0), PointLesion((48.0, 44.0), 10.0)], SHAPE, (1.0, 1.0), lung_field(lungs())
    )
    points = np.array([[12.0, 15.0], [22.0, 44.0]])
    said = PointPrediction(*[Marks(points, np.ones(2), np.full(2, np.nan))] * 2, is_scored=True)
    case = judge_points("a", "p", truth, said)
    found = by_place([case], resamples_of([case], 20, 0), FOUND)
    known = {group.name: group.figures for group in found}
    assert [known[name]["lesion_sensitivity"].value for name in ("right upper zone", "left lower zone")] == [1, 0]
    assert [name for name, some in known.items() if some["false_positives_per_image"].value] == ["left upper zone"]
