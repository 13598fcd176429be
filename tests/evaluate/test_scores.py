"""Scores of many cases together: scikit-learn on all pixels, and scores that are small."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from hilum.core import InputError
from hilum.evaluate.bootstrap import resample_patients
from hilum.evaluate.scores import SCAN, case_scores, pooled_score_figures, threshold_scan
from tests.evaluate.judged import disc


def cases():
    """Twelve images with a lesion of which the scores know something."""
    rng = np.random.default_rng(0)
    truths = [disc((48, 48), tuple(rng.integers(12, 36, 2)), 5) for _ in range(12)]
    odds = [rng.normal(-4, 1.5, truth.shape) + 2 * truth for truth in truths]
    return [(1 / (1 + np.exp(-one)), truth) for one, truth in zip(odds, truths, strict=True)]


def pooled(some):
    scored = [case_scores(probability, truth, probability > 0.5, None) for probability, truth in some]
    draw = resample_patients([str(n) for n in range(len(some))], np.random.default_rng(0), 20)
    return {figure.name: figure for figure in pooled_score_figures(scored, draw)}


@pytest.mark.parametrize("factor", [1, 0.01, 0.0001])
def test_ranking_doesn_t_change_when_all_scores_are_scaled(factor):
    some = cases()
    truth, score = (np.concatenate([one[k].ravel() for one in some]) for k in (1, 0))
    scaled = [(factor * probability, mask) for probability, mask in some]
    found = pooled(scaled)
    area, precision = roc_auc_score(truth, score), average_precision_score(truth, score)
    assert area > 0.8
    assert found["roc_auc_pooled"].value == pytest.approx(area, abs=0.002)
    assert found["average_precision_pooled"].value == pytest.approx(precision, abs=0.002)
    assert found["roc_auc_pooled"].low < area < found["roc_auc_pooled"].high
    one = case_scores(*scaled[0], scaled[0][0] > 0.5, None)
    assert one.values["roc_auc"] == pytest.approx(roc_auc_score(some[0][1].ravel(), some[0][0].ravel()), abs=1e-9)


def test_scores_near_one_are_ranked_too():
    some = cases()
    near_one = pooled([(p / (p + (1 - p) * 1e-5), mask) for p, mask in some])  # all odds × 100,000
    assert near_one["roc_auc_pooled"].value == pytest.approx(pooled(some)["roc_auc_pooled"].value, abs=0.002)


def test_each_threshold_of_the_scan_is_what_comparing_gives():
    truth = disc((40, 40), (20, 20), 8)
    probability = np.random.default_rng(1).choice(np.arange(101) / 100, truth.shape)
    scan = threshold_scan([case_scores(probability, truth, probability >= 0.5, None)])
    for threshold, dice in zip(SCAN, scan.dice_mean, strict=True):
        pred = probability >= threshold
        assert dice == pytest.approx(2 * (pred & truth).sum() / (pred.sum() + truth.sum()))


def test_what_is_no_probability_is_refused():
    with pytest.raises(InputError, match="between 0 and 1"):
        case_scores(np.full((4, 4), 1.5), np.eye(4, dtype=bool), np.eye(4, dtype=bool), None)
