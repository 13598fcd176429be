"""Ranking figures: exact against scikit-learn, and laws that they keep."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose

from hilum.core import GeometryError, InputError
from hilum.metrics.probability import (
    ScoreCounts,
    average_precision,
    average_precision_of_sums,
    count_on_levels,
    count_scores,
    precision_recall_curve,
    roc_auc,
    roc_auc_of_sums,
    roc_curve,
)

TIED = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])


@st.composite
def scored(draw, elements=TIED):
    """Scores with many ties, and a truth that may lack a class."""
    size = draw(st.integers(1, 60))
    return draw(hnp.arrays(np.float64, size, elements=elements)), draw(hnp.arrays(np.bool_, size))


def random_scores(seed, shape=(40, 50), ties=False):
    rng = np.random.default_rng(seed)
    score = rng.random(shape, dtype=np.float32)
    truth = rng.random(shape) < 0.3 * score
    return (np.round(score, 1) if ties else score), truth


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_areas_and_curves_are_scikit_learns(seed, ties):
    from sklearn import metrics

    score, truth = random_scores(seed, ties=ties)
    counts, flat = count_scores(score, truth), (truth.ravel(), score.ravel())
    assert roc_auc(counts) == pytest.approx(metrics.roc_auc_score(*flat), abs=1e-12)
    assert average_precision(counts) == pytest.approx(metrics.average_precision_score(*flat), abs=1e-12)
    roc = roc_curve(counts)
    rates = metrics.roc_curve(*flat, drop_intermediate=False)
    for ours, theirs in zip((roc.false_positive_rate, roc.sensitivity, roc.threshold), rates, strict=True):
        assert_allclose(ours, theirs, atol=1e-12)
    curve = precision_recall_curve(counts)
    precision, recall, threshold = metrics.precision_recall_curve(*flat)
    # scikit-learn goes up with the threshold, and adds a point at recall 0.
    assert_allclose(curve.threshold[::-1], threshold)
    assert_allclose(curve.precision[::-1], precision[:-1], atol=1e-12)
    assert_allclose(curve.recall[::-1], recall[:-1], atol=1e-12)


@given(scored())
def test_auc_is_the_share_of_pairs_in_the_right_order(pair):
    score, truth = pair
    positives, negatives = score[truth], score[~truth]
    if len(positives) and len(negatives):
        order = np.sign(positives[:, None] - negatives[None])
        assert roc_auc(count_scores(*pair)) == pytest.approx((order + 1).mean() / 2)


@given(scored())
def test_levels_on_which_the_scores_lie_lose_nothing(pair):
    exact, levels = count_scores(*pair), count_on_levels(*pair, levels=20)
    assert roc_auc(levels) == pytest.approx(roc_auc(exact), nan_ok=True)
    assert average_precision(levels) == pytest.approx(average_precision(exact), nan_ok=True)
    ours, plain = precision_recall_curve(levels), precision_recall_curve(exact)
    for name in ("threshold", "precision", "recall"):
        assert_allclose(getattr(ours, name), getattr(plain, name))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_what_a_16_bit_file_holds_is_counted_without_loss(dtype):
    stored = np.random.default_rng(1).integers(0, 65_536, 4000)
    probability = (stored / 65_535).astype(dtype)
    counts = count_on_levels(probability, np.ones(4000, dtype=bool))
    assert counts.positives.sum() == 4000
    if dtype != np.float16:
        assert_allclose(counts.positives, np.bincount(stored, minlength=65_536))


def test_cases_add_up_to_the_pool():
    cases = [random_scores(seed) for seed in range(4)]
    single = [count_on_levels(*case, levels=1000) for case in cases]
    pool = count_on_levels(*(np.concatenate(part) for part in zip(*cases, strict=True)), levels=1000)
    added = sum(single[1:], start=single[0])
    assert_allclose(added.positives, pool.positives)
    sums = np.array([np.stack([one.positives, one.negatives]) for one in single])
    assert_allclose(roc_auc_of_sums(sums[:, 0], sums[:, 1]), [roc_auc(one) for one in single])
    assert_allclose(average_precision_of_sums(sums[:, 0], sums[:, 1]), [average_precision(one) for one in single])


def test_counts_of_different_scores_don_t_add():
    with pytest.raises(GeometryError, match="same levels"):
        count_scores(*random_scores(1)) + count_scores(*random_scores(2))


@given(scored(st.floats(-5, 5)))
def test_only_the_order_counts(pair):
    plain, stretched = count_scores(*pair), count_scores(pair[0] * 4 + 1, pair[1])
    if len(plain.score) == len(stretched.score):
        assert roc_auc(stretched) == pytest.approx(roc_auc(plain), nan_ok=True)
        assert average_precision(stretched) == pytest.approx(average_precision(plain), nan_ok=True)


@given(scored())
def test_backwards_scores_give_the_other_side_of_one_half(pair):
    assert roc_auc(count_scores(-pair[0], pair[1])) == pytest.approx(1 - roc_auc(count_scores(*pair)), nan_ok=True)


@given(scored())
def test_curves_rise_and_stay_within_bounds(pair):
    counts = count_scores(*pair)
    roc, curve = roc_curve(counts), precision_recall_curve(counts)
    for rates in (roc.false_positive_rate, roc.sensitivity, curve.recall):
        if not np.isnan(rates).any():
            assert (np.diff(rates) >= 0).all()
            assert rates[-1] == 1
    assert ((curve.precision >= 0) & (curve.precision <= 1)).all()
    if pair[1].any() and not pair[1].all():
        area = np.trapezoid(roc.sensitivity, roc.false_positive_rate)
        assert roc_auc(counts) == pytest.approx(area)


def test_a_perfect_and_a_constant_score():
    truth = np.array([False, True, False, True])
    assert roc_auc(count_scores(truth.astype(float), truth)) == 1
    assert average_precision(count_scores(truth.astype(float), truth)) == 1
    constant = count_scores(np.full(4, 0.3), truth)
    assert roc_auc(constant) == 0.5
    assert average_precision(constant) == 0.5


@pytest.mark.parametrize("truth", [np.zeros(5, dtype=bool), np.ones(5, dtype=bool)])
def test_one_class_alone_has_no_ranking(truth):
    counts = count_scores(np.linspace(0, 1, 5), truth)
    assert math.isnan(roc_auc(counts))
    assert math.isnan(average_precision(counts)) == (not truth.any())


def test_nothing_at_all_is_undefined():
    nothing = count_scores(np.empty(0), np.empty(0, dtype=bool))
    assert isinstance(nothing, ScoreCounts)
    assert math.isnan(roc_auc(nothing))
    assert math.isnan(average_precision(nothing))
    assert len(precision_recall_curve(nothing).recall) == 0


@pytest.mark.parametrize(
    ("score", "truth", "error"),
    [
        (np.zeros(3), np.zeros(4, dtype=bool), GeometryError),
        (np.zeros(3), np.zeros(3, dtype=np.uint8), InputError),
        (np.array([0.1, np.nan]), np.zeros(2, dtype=bool), InputError),
        (np.array([0.1, 1.2]), np.zeros(2, dtype=bool), InputError),
        (np.array([0, 1]), np.zeros(2, dtype=bool), InputError),
    ],
)
def test_what_is_no_probability_is_refused(score, truth, error):
    with pytest.raises(error):
        count_on_levels(score, truth)
