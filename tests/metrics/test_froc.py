"""Free-response figures: scikit-learn and pair-by-pair loops as oracles."""

from itertools import product

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from hilum.core import MeasureError
from hilum.metrics.froc import (
    RATES,
    Detections,
    FalseFrom,
    FrocCurve,
    Reading,
    average_precision,
    bootstrap_sensitivities,
    froc_curve,
    resampled_curves,
    sensitivity_at,
    wafroc,
)
from hilum.metrics.lesions import Assignment, MatchRule, assign, components, match_components


def random_detections(seed, scans=30, missed=True):
    rng = np.random.default_rng(seed)
    lesions = rng.integers(0, 4, scans)
    found = np.array([rng.integers(0, n + 1) if missed else n for n in lesions])
    hits, false = np.repeat(np.arange(scans), found), rng.integers(scans, size=50)
    score = rng.integers(0, 12, len(hits) + len(false)) / 4.0
    is_hit = np.repeat([True, False], [len(hits), len(false)])
    score[is_hit] += 1
    return Detections(np.concatenate([hits, false]), score, is_hit, lesions)


@pytest.mark.parametrize("seed", range(5))
def test_every_point_is_a_count_at_its_threshold(seed):
    found = random_detections(seed)
    curve = froc_curve(found)
    for false, sensitivity, threshold in zip(curve.false_positives, curve.sensitivity, curve.threshold, strict=True):
        counts = found.score >= threshold
        assert false == pytest.approx((counts & ~found.is_hit).sum() / 30)
        assert sensitivity == pytest.approx((counts & found.is_hit).sum() / found.lesions.sum())
    assert (np.diff(curve.false_positives) >= 0).all()
    assert (np.diff(curve.sensitivity) >= 0).all()
    assert len(curve.threshold) == 1 + len(np.unique(found.score))


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_is_scikit_learns_times_what_was_found(seed):
    found = random_detections(seed)
    share = found.is_hit.sum() / found.lesions.sum()
    assert average_precision(found) == pytest.approx(average_precision_score(found.is_hit, found.score) * share)


def plain_wafroc(found, false_from):
    """The double sum as it is written."""
    total, pairs = 0.0, 0
    for k1, k2 in product(range(found.scans), repeat=2):
        if found.lesions[k2] == 0 or (false_from is FalseFrom.NORMAL and found.lesions[k1] > 0):
            continue
        pairs += 1
        x = max(found.score[(found.scan == k1) & ~found.is_hit], default=-np.inf)
        y = found.score[(found.scan == k2) & found.is_hit].tolist()
        y += [-np.inf] * (found.lesions[k2] - len(y))
        total += sum(1.0 if x < one else 0.5 if x == one else 0.0 for one in y) / found.lesions[k2]
    return total / pairs


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("false_from", FalseFrom)
def test_wafroc_is_the_double_sum(seed, false_from):
    found = random_detections(seed)
    assert wafroc(found, false_from) == pytest.approx(plain_wafroc(found, false_from))


def test_wafroc_of_one_lesion_a_scan_is_the_roc_area():
    rng = np.random.default_rng(0)
    truth, score = np.repeat([1, 0], [20, 25]), rng.normal(size=45)
    found = Detections(np.arange(45), score, truth.astype(bool), truth)
    assert wafroc(found) == pytest.approx(roc_auc_score(truth, score))


def test_wafroc_ends():
    lesions = np.array([2, 0, 1, 0])
    nothing = np.zeros(0, np.intp)
    silent = Detections(nothing, np.zeros(0), np.zeros(0, bool), lesions)
    assert wafroc(silent) == 0.5
    perfect = Detections(np.array([0, 0, 2]), np.ones(3), np.ones(3, bool), lesions)
    assert wafroc(perfect) == 1.0
    shouting = Detections(np.array([1, 3]), np.ones(2), np.zeros(2, bool), lesions)
    assert wafroc(shouting) == 0.0
    with pytest.raises(MeasureError, match="normal scan"):
        wafroc(Detections(nothing, np.zeros(0), np.zeros(0, bool), np.array([1, 1])))


def test_nearest_reads_a_point_that_is_there():
    curve = FrocCurve(np.array([0, 0.1, 0.1, 0.5, 1.1]), np.array([0, 0.2, 0.3, 0.6, 0.9]), np.arange(5.0)[::-1])
    wanted = [0.04, 0.06, 0.3, 0.31, 0.8, 0.81, 9, 0]
    assert sensitivity_at(curve, wanted, Reading.NEAREST).tolist() == [0, 0.3, 0.3, 0.6, 0.6, 0.9, 0.9, 0]
    for seed in range(5):
        found = froc_curve(random_detections(seed))
        values = sensitivity_at(found, RATES, Reading.NEAREST)
        for rate, value in zip(RATES, values, strict=True):
            apart = np.abs(found.false_positives - rate)
            assert value in found.sensitivity[apart == apart.min()]


def test_beyond_the_last_point_the_curve_is_level():
    found = random_detections(0)
    assert sensitivity_at(froc_curve(found), [1e6])[0] == found.is_hit.sum() / found.lesions.sum()


def test_scans_of_one_patient_are_drawn_together():
    """Two scans of each patient, the second a copy: drawing patients equals drawing the first scans alone."""
    one = random_detections(3)
    twice = Detections(
        np.concatenate([one.scan, one.scan + one.scans]),
        np.tile(one.score, 2),
        np.tile(one.is_hit, 2),
        np.tile(one.lesions, 2),
    )
    patients = np.tile([f"patient {n:02d}" for n in range(one.scans)], 2)
    drawn = bootstrap_sensitivities(resampled_curves(twice, 40, 1, patients))
    np.testing.assert_allclose(drawn, bootstrap_sensitivities(resampled_curves(one, 40, 1)))
    apart = bootstrap_sensitivities(resampled_curves(twice, 40, 1))
    assert np.std(apart[:, 3]) < np.std(drawn[:, 3])  # as if there were twice the patients


def test_the_same_seed_draws_the_same():
    found = random_detections(0)
    one, same, other = (bootstrap_sensitivities(resampled_curves(found, 10, seed)) for seed in (4, 4, 5))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_hit_has_the_score_of_its_surest_mark_not_of_the_largest():
    truth = np.zeros((8, 12), bool)
    truth[1:7, 1:11] = True
    predicted = np.zeros_like(truth)
    predicted[1:7, 1:7] = True
    predicted[2, 9] = True  # small, and sure
    matches = match_components(components(predicted), components(truth))
    found = Detections.of([(matches, [0.6, 0.99])])
    assert found.score.tolist() == [0.99]
    assert found.is_hit.tolist() == [True]
    one_to_one = match_components(components(predicted), components(truth), MatchRule(assignment=Assignment.GREEDY))
    assert Detections.of([(one_to_one, [0.6, 0.99])]).score.tolist() == [0.6, 0.99]


def test_matches_of_images_become_detections():
    meets = np.array([[True, False], [True, False], [False, False]])
    worth = np.array([[0.9, 0.0], [0.5, 0.0], [0.0, 0.0]])
    many = Detections.of([(assign(meets, worth, Assignment.MANY_TO_ONE), [0.1, 0.2, 0.3])])
    assert many.lesions.tolist() == [2]
    assert many.score.tolist() == [0.2, 0.3]
    assert many.is_hit.tolist() == [True, False]
    one = Detections.of([(assign(meets, worth, Assignment.GREEDY), [0.1, 0.2, 0.3])] * 2)
    assert one.score.tolist() == [0.1, 0.2, 0.3] * 2  # the one worth most stands for the lesion, the other is false
    assert one.scan.tolist() == [0, 0, 0, 1, 1, 1]
    assert Detections.of([]).scans == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"score": np.array([np.nan, 1])}, "finite"),
        ({"scan": np.array([0, 2])}, "numbered"),
        ({"lesions": np.array([0, 0])}, "more hits than lesions"),
        ({"score": np.zeros(3)}, "lengths differ"),
    ],
)
def test_detections_refuse_nonsense(change, words):
    sound = {
        "scan": np.array([0, 1]),
        "score": np.zeros(2),
        "is_hit": np.array([True, False]),
        "lesions": np.array([1, 0]),
    }
    Detections(**sound)
    with pytest.raises(MeasureError, match=words):
        Detections(**sound | change)


def test_without_a_lesion_there_is_no_sensitivity():
    empty = Detections(np.zeros(1, np.intp), np.zeros(1), np.zeros(1, bool), np.zeros(2, np.intp))
    for figure in (froc_curve, average_precision, wafroc):
        with pytest.raises(MeasureError, match="no lesion"):
            figure(empty)
