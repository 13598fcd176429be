"""The threshold below which a known lesion is called gone, and what it notices; scikit-learn's area as oracle."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from hilum.evaluate.gone import choose_gone_threshold


def lesions(seed=0, there=100, gone=30):
    rng = np.random.default_rng(seed)
    scores = np.concatenate((rng.beta(4, 1, there), rng.beta(1, 3, gone)))
    is_gone = np.arange(there + gone) >= there
    return scores, is_gone, [f"p{number // 3}" for number in range(there + gone)]


def test_no_more_than_the_share_is_falsely_called_gone_and_no_threshold_calls_more():
    scores, is_gone, patients = lesions()
    found = choose_gone_threshold(scores, is_gone, patients)
    false = scores[~is_gone] < found.value
    assert false.mean() == 0.05 == found.figures["false_gone_rate"].value
    higher = np.nextafter(found.value, 2)
    assert (scores[~is_gone] < higher).mean() > 0.05
    assert found.figures["gone_noticed"].value == (scores[is_gone] < found.value).mean()
    assert (found.gone, found.there) == (30, 100)
    assert found.figures["gone_noticed"].n == 30


def test_the_area_is_scikit_learns_and_lies_in_its_interval():
    scores, is_gone, patients = lesions(1)
    scores = np.round(scores, 1)  # with ties
    area = choose_gone_threshold(scores, is_gone, patients).figures["gone_auc"]
    assert area.value == pytest.approx(roc_auc_score(is_gone, -scores))
    assert area.low < area.value < area.high


def test_intervals_draw_patients():
    scores, is_gone, patients = lesions()
    apart, together = (
        choose_gone_threshold(scores, is_gone, names).figures["gone_noticed"]
        for names in (patients, [name[:2] for name in patients])
    )
    assert together.high - together.low != apart.high - apart.low
    alone = choose_gone_threshold(scores, is_gone, ["one"] * len(scores))
    assert np.isnan(alone.figures["gone_noticed"].low)


def test_few_lesions_that_are_there_leave_no_false_one():
    found = choose_gone_threshold(np.array([0.6, 0.7, 0.1]), np.array([False, False, True]), ["a", "b", "c"])
    assert found.value == 0.6
    assert found.figures["false_gone_rate"].value == 0
    assert found.figures["gone_noticed"].value == found.figures["gone_auc"].value == 1


def test_without_gone_ones_there_is_a_threshold_and_nothing_to_notice():
    found = choose_gone_threshold(np.array([0.6, 0.7]), np.array([False, False]), ["a", "b"])
    assert found.value == 0.6
    assert np.isnan(found.figures["gone_noticed"].value)
    assert np.isnan(found.figures["gone_auc"].value)


def test_without_any_that_is_there_there_is_no_threshold():
    assert choose_gone_threshold(np.array([0.1, 0.2]), np.array([True, True]), ["a", "b"]) is None
