"""LUNA16's official rule: against a plain twin that follows it literally, and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core import MeasureError
from hilum.metrics.froc import (
    RATES,
    bootstrap_sensitivities,
    competition_performance,
    froc_curve,
    interval,
    resampled_curves,
    sensitivity_at,
)
from hilum.metrics.luna16 import MARKS_A_SCAN, Places, judge
from tests.metrics import plain_luna16 as plain


def places(rows) -> Places:
    """Rows of (scan, x, y, z, value)."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return Places(table[:, 0].astype(np.intp), table[:, 1:4], table[:, 4])


def by_scan(rows):
    found = {}
    for scan, *rest in rows:
        found.setdefault(scan, []).append(tuple(rest))
    return found


def hits(judged):
    return sorted(judged.found.score[judged.found.is_hit].tolist())


def false(judged):
    return sorted(judged.found.score[~judged.found.is_hit].tolist())


def crowd(seed, scans=40, marks=900, findings=60):
    """Small coordinates and few probabilities, so that marks share nodules, radii and scores."""
    rng = np.random.default_rng(seed)

    def rows(count, values):
        where = np.sort(rng.integers(scans, size=count)) if seed % 2 else rng.integers(scans, size=count)
        return [(int(s), *map(float, rng.integers(-6, 7, 3)), float(v)) for s, v in zip(where, values, strict=True)]

    nodules = rows(findings, rng.choice([4.0, 5.0, 6.0, 10.0], findings))
    excluded = rows(findings * 2, rng.choice([-1.0, 4.0, 7.0], findings * 2))
    return rows(marks, rng.integers(1, 30, marks) / 30), nodules, excluded


@pytest.mark.parametrize("seed", range(8))
def test_every_entry_is_the_plain_rules(seed):
    scans = 3 if seed == 7 else 40  # few scans: the limit of 100 marks bites, with ties at the bound
    marks, nodules, excluded = crowd(seed, scans)
    judged = judge(places(marks), places(nodules), places(excluded), scans)
    found, ignored = plain.entries(range(scans), by_scan(marks), by_scan(nodules), by_scan(excluded))
    assert judged.ignored == ignored
    ours = zip(judged.found.scan.tolist(), judged.found.is_hit.tolist(), judged.found.score.tolist(), strict=True)
    assert sorted(ours) == sorted(entry for entry in found if entry[2] is not None)
    assert judged.counts["fn"] == sum(entry[2] is None for entry in found)
    assert np.isneginf(judged.score).sum() == judged.counts["fn"]
    assert (judged.over_limit > 0) == (scans == 3)
    sensitivity = sensitivity_at(froc_curve(judged.found))
    np.testing.assert_allclose(sensitivity, plain.sensitivities(found, scans), atol=1e-12)


def test_the_bootstrap_is_the_plain_one_on_the_same_draws():
    marks, nodules, excluded = crowd(1, scans=12, marks=200, findings=9)
    judged = judge(places(marks), places(nodules), places(excluded), 12)
    found, _ = plain.entries(range(12), by_scan(marks), by_scan(nodules), by_scan(excluded))
    rng = np.random.default_rng(5)
    draws = [rng.integers(12, size=12).tolist() for _ in range(60)]
    ours = bootstrap_sensitivities(resampled_curves(judged.found, 60, seed=5))
    np.testing.assert_allclose(ours, plain.bootstrap(found, range(12), draws), atol=1e-12)


def test_bounds_are_the_sorted_values_that_the_script_takes():
    values = np.random.default_rng(0).random((1000, 3))
    low, high = interval(values)
    ordered = np.sort(values, axis=0)
    assert low.tolist() == ordered[25].tolist()
    assert high.tolist() == ordered[975].tolist()
    missing = np.where(np.arange(1000)[:, None] < 200, np.nan, values)
    assert interval(missing)[0].tolist() == np.sort(values[200:], axis=0)[20].tolist()
    assert np.isnan(interval(np.full((5, 3), np.nan))[0]).all()


def test_annotations_as_predictions_reach_one():
    _, nodules, excluded = crowd(3)
    apart = [(s, x * 100, y * 100, z * 100, d) for s, x, y, z, d in nodules]
    marks = [(s, x, y, z, 1.0) for s, x, y, z, _ in apart]
    judged = judge(places(marks), places(apart), places(excluded), 40)
    assert judged.counts["fn"] == judged.counts["fp"] == 0
    assert competition_performance(sensitivity_at(froc_curve(judged.found))) == 1
    drawn = bootstrap_sensitivities(resampled_curves(judged.found, 50, seed=0))
    assert (drawn == 1).all()


NODULE = (0, 0, 0, 0, 10.0)


@pytest.mark.parametrize(("x", "is_hit"), [(5.0, False), (np.nextafter(5.0, 0), True), (-5.0, False), (0.0, True)])
def test_the_radius_itself_is_outside(x, is_hit):
    judged = judge(places([(0, x, 0, 0, 0.5)]), places([NODULE]), Places.none(), 1)
    assert judged.counts == {"tp": int(is_hit), "fp": int(not is_hit), "fn": int(not is_hit), "ignored": 0}


def test_the_best_mark_inside_scores_and_the_others_are_used_up():
    marks = [(0, 0, 0, 0, 0.2), (0, 1, 0, 0, 0.9), (0, 0, 2, 0, 0.4), (0, 50, 0, 0, 0.3)]
    judged = judge(places(marks), places([NODULE]), Places.none(), 1)
    assert hits(judged) == [0.9]
    assert false(judged) == [0.3]
    assert judged.doubles == 2


def test_a_mark_inside_two_nodules_finds_both():
    judged = judge(places([(0, 2, 0, 0, 0.7)]), places([NODULE, (0, 4, 0, 0, 10.0)]), Places.none(), 1)
    assert hits(judged) == [0.7, 0.7]
    assert false(judged) == []


def test_a_nodule_listed_twice_counts_twice():
    judged = judge(places([(0, 2, 0, 0, 0.7)]), places([NODULE, NODULE]), Places.none(), 1)
    assert judged.counts["tp"] == judged.found.lesions[0] == 2


def test_a_mark_listed_twice_is_one_hit_or_two_false_marks():
    beside = [(0, 60, 0, 0, 0.3)] * 2
    judged = judge(places([(0, 0, 0, 0, 0.5)] * 2 + beside), places([NODULE]), Places.none(), 1)
    assert hits(judged) == [0.5]
    assert false(judged) == [0.3, 0.3]


def test_excluded_findings_swallow_marks_but_not_those_inside_a_nodule():
    excluded = places([(0, 0, 0, 0, 10.0), (0, 30, 0, 0, -1.0)])
    marks = [(0, 1, 0, 0, 0.9), (0, 34.9, 0, 0, 0.8), (0, 35.0, 0, 0, 0.7)]
    judged = judge(places(marks), places([NODULE]), excluded, 1)
    assert hits(judged) == [0.9]
    assert judged.ignored == 1
    assert false(judged) == [0.7]  # -1 stands for 10 mm, and the radius is outside


def test_marks_of_another_scan_find_nothing():
    judged = judge(places([(1, 0, 0, 0, 0.9)]), places([NODULE]), Places.none(), 3)
    assert judged.counts == {"tp": 0, "fp": 1, "fn": 1, "ignored": 0}
    assert judged.found.scans == 3


@pytest.mark.parametrize(
    ("probabilities", "left"),
    [
        (np.arange(100), 100),
        (np.arange(101), 100),
        (np.r_[np.zeros(51), np.arange(1, 51)], 50),  # the 101st ties with 50 others: all go
        (np.zeros(101), 0),
        (np.zeros(100), 100),
    ],
)
def test_the_limit_takes_marks_strictly_above_the_101st(probabilities, left):
    marks = [(0, 100 + n, 0, 0, p) for n, p in enumerate(probabilities)]
    judged = judge(places(marks), places([NODULE]), Places.none(), 2)
    assert judged.counts["fp"] == left
    assert judged.over_limit == len(probabilities) - left
    if len(probabilities) > MARKS_A_SCAN:
        assert all(p > sorted(probabilities)[-101] for p in false(judged))


def test_without_any_mark_every_sensitivity_is_0():
    judged = judge(Places.none(), places([NODULE]), Places.none(), 5)
    assert sensitivity_at(froc_curve(judged.found)).tolist() == [0.0] * 7


def test_seven_sensitivities_by_hand():
    """8 scans, 4 nodules. Falling scores: hit, false, hit, false, false, then two ties: one hit, one false."""
    nodules = [(n, 0, 0, 0, 10.0) for n in range(4)]
    marks = [(0, 0, 0, 0, 0.9), (1, 0, 0, 0, 0.7), (2, 0, 0, 0, 0.4)]
    marks += [(scan, 90, 0, 0, p) for scan, p in ((5, 0.8), (5, 0.6), (6, 0.5), (7, 0.4))]
    curve = froc_curve(judge(places(marks), places(nodules), Places.none(), 8).found)
    assert curve.false_positives.tolist() == [0, 0, 1 / 8, 1 / 8, 2 / 8, 3 / 8, 4 / 8]
    assert curve.sensitivity.tolist() == [0, 0.25, 0.25, 0.5, 0.5, 0.5, 0.75]
    values = sensitivity_at(curve, RATES)
    assert values.tolist() == [0.5, 0.5, 0.75, 0.75, 0.75, 0.75, 0.75]
    assert competition_performance(values) == pytest.approx(4.75 / 7)
    assert sensitivity_at(curve, [7 / 16]).tolist() == [0.625]  # halfway between 3/8 and 4/8


@given(st.randoms(use_true_random=False))
def test_order_of_rows_changes_nothing(random):
    marks, nodules, excluded = crowd(2, scans=2, marks=230, findings=6)
    one = judge(places(marks), places(nodules), places(excluded), 2)
    random.shuffle(marks)
    random.shuffle(nodules)
    random.shuffle(excluded)
    other = judge(places(marks), places(nodules), places(excluded), 2)
    assert one.counts == other.counts
    assert hits(one) == hits(other)
    assert false(one) == false(other)


def test_places_refuse_nonsense():
    with pytest.raises(MeasureError, match="finite"):
        places([(0, 0, 0, np.nan, 1)])
    with pytest.raises(MeasureError, match="as many points"):
        Places(np.zeros(2, np.intp), np.zeros((1, 3)), np.zeros(2))
    with pytest.raises(MeasureError, match="numbered from 0 to 0"):
        judge(places([(1, 0, 0, 0, 1)]), places([NODULE]), Places.none(), 1)
