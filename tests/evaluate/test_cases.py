"""One case: figures against scikit-learn, emptiness as NaN, what lesions and nodules become."""

import math

import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score, roc_auc_score

from hilum.core import GeometryError, InputError
from hilum.evaluate.case_lesions import TrueNodule
from hilum.evaluate.cases import JudgeRule, judge_case
from tests.evaluate.judged import disc, pair

RNG = np.random.default_rng(7)


def test_overlaps_are_scikit_learns():
    pred, truth = RNG.random((2, 30, 40)) > 0.6
    values = judge_case(pair(pred, truth), JudgeRule()).row.values
    oracles = {"dice": f1_score, "iou": jaccard_score, "precision": precision_score, "recall": recall_score}
    for name, oracle in oracles.items():
        assert values[name] == pytest.approx(oracle(truth.ravel(), pred.ravel()))


def test_probabilities_rank_as_scikit_learn_says():
    truth = RNG.random((30, 40)) > 0.8
    probability = np.rint((RNG.random(truth.shape) * 0.5 + truth * 0.3) * 65535).astype(np.float32) / np.float32(65535)
    result = judge_case(pair(probability >= 0.5, truth, probability=probability), JudgeRule())
    assert result.row.values["roc_auc"] == pytest.approx(roc_auc_score(truth.ravel(), probability.ravel()), abs=1e-6)
    thresholds = np.arange(1, 100) / 100
    for k in (0, 29, 49, 98):
        tp = int((truth & (probability >= thresholds[k])).sum())
        assert abs(result.scores.scan[k][0] - tp) <= 1  # a stored level may lie within rounding of the threshold
        assert result.scores.scan[k].sum() == truth.size


def test_the_truth_itself_is_perfect():
    values = judge_case(pair(disc(), disc()), JudgeRule()).row.values
    assert (values["dice"], values["iou"], values["hd95_mm"], values["nsd_2mm"]) == (1, 1, 0, 1)
    assert (values["lesions"], values["lesions_found"], values["false_positives"]) == (1, 1, 0)


@pytest.mark.parametrize("pred", [np.zeros((64, 64), bool), disc()])
def test_an_empty_truth_has_no_dice_and_no_distance_but_may_have_a_false_alarm(pred):
    values = judge_case(pair(pred, np.zeros((64, 64), bool)), JudgeRule()).row.values
    assert all(math.isnan(values[name]) for name in ("dice", "iou", "recall", "hd95_mm", "nsd_2mm"))
    assert values["false_positive_on_empty"] == pred.any()


def test_a_missed_lesion_has_dice_0_and_no_distance():
    values = judge_case(pair(np.zeros((64, 64), bool), disc()), JudgeRule()).row.values
    assert values["dice"] == 0
    assert values["nsd_2mm"] == 0
    assert math.isnan(values["hd95_mm"])


def test_without_spacing_there_are_no_millimetres():
    result = judge_case(pair(disc(), disc(), spacing_mm=None), JudgeRule())
    assert all(math.isnan(result.row.values[name]) for name in ("hd95_mm", "nsd_2mm", "area_error_mm2"))
    assert math.isnan(result.lesions[0].size_mm)


def test_twice_the_spacing_is_twice_the_distance():
    once, twice = (
        judge_case(pair(disc(radius=4), disc(), spacing_mm=(step, step)), JudgeRule()).row.values["hd_mm"]
        for step in (1.0, 2.0)
    )
    assert twice == pytest.approx(2 * once)
    assert once > 0


def test_a_nodule_is_found_by_any_pixel_of_its_silhouette_and_keeps_what_is_known():
    near, far = disc(centre=(20, 20)), disc(centre=(50, 50))
    nodules = (TrueNodule("1", near, 4, 9.0, 0.7), TrueNodule("2", far, 1))
    result = judge_case(pair(disc(centre=(20, 25), radius=3), near | far, nodules=nodules), JudgeRule())
    assert [one.is_found for one in result.nodules] == [True, False]
    assert [one.readers for one in result.nodules] == [4, 1]
    assert 0 < result.nodules[0].covered < 1
    assert [round(64 * share) for share in result.lesions[1].place] == [50, 50] or result.lesions[1].place[0] > 0.7


def test_volumes_work_too():
    truth = np.zeros((12, 20, 20), bool)
    truth[4:8, 5:12, 5:12] = True
    pred = np.roll(truth, 1, 2)
    values = judge_case(pair(pred, truth, spacing_mm=(2.5, 0.7, 0.7)), JudgeRule()).row.values
    assert values["hd_mm"] == pytest.approx(0.7)
    assert values["volume_error_mm3"] == 0


def test_each_class_is_judged_and_an_absent_one_is_undefined():
    truth = np.zeros((20, 20), np.uint8)
    truth[2:6, 2:6], truth[10:14, 10:14] = 1, 2
    values = judge_case(pair(truth, truth), JudgeRule({1: "lung", 2: "covid", 3: "other"})).row.values
    assert values["dice_lung"] == values["dice_covid"] == 1
    assert math.isnan(values["dice_other"])


def test_undeclared_labels_and_other_shapes_are_refused():
    with pytest.raises(InputError, match="labels"):
        judge_case(pair(7 * disc(), disc()), JudgeRule())
    with pytest.raises(GeometryError):
        pair(disc((32, 32)), disc())


def test_a_lesion_that_only_something_large_meets_is_covered_and_not_found():
    small, other = disc(centre=(20, 20), radius=3), disc(centre=(50, 50), radius=3)

    def covered(pred):
        return judge_case(pair(pred, small | other), JudgeRule()).row.values["lesions_covered_only"]

    assert covered(disc(centre=(20, 20), radius=9)) == 0  # nine times as large
    assert covered(disc(centre=(20, 20), radius=11)) == 1
    assert covered(np.ones((64, 64), bool)) == 2
    assert covered(np.zeros((64, 64), bool)) == 0
    three = np.zeros((9, 20), bool)
    three[4, [2, 5, 8]] = True
    row = np.zeros_like(three)
    row[4, 2:9] = True
    assert judge_case(pair(row, three), JudgeRule()).row.values["lesions_covered_only"] == 3


def test_truth_at_the_border_and_constants_are_noticed():
    truth = disc(centre=(0, 10))
    assert judge_case(pair(truth, truth), JudgeRule()).touches_border
    assert not judge_case(pair(truth, disc()), JudgeRule()).touches_border
    assert judge_case(pair(np.zeros((64, 64)), disc()), JudgeRule()).is_constant
