"""Overlap figures: laws that they keep, and what scikit-learn, MONAI, SimpleITK and surface-distance say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hilum.core import GeometryError, InputError
from hilum.metrics import overlap
from hilum.metrics.overlap import Counts, Ratio, class_counts, confusion, dice, iou, pooled
from tests.metrics.masks import degenerate_pairs, mask_pairs, random_pairs

PAIRS = [*random_pairs(1, (17, 13), 8), *random_pairs(2, (5, 7, 6), 8), *degenerate_pairs((6, 7)).values()]
counts = st.builds(Counts, *(st.integers(0, 50) for _ in range(4)))
SCORES = {
    "f1_score": overlap.dice,
    "jaccard_score": overlap.iou,
    "precision_score": overlap.precision,
    "recall_score": overlap.recall,
}


@pytest.mark.parametrize("name", SCORES)
def test_figures_are_scikit_learns(name):
    import sklearn.metrics

    for pred, truth in PAIRS:
        theirs = getattr(sklearn.metrics, name)(truth.ravel(), pred.ravel(), zero_division=0)
        assert SCORES[name](confusion(pred, truth)) == pytest.approx(theirs, nan_ok=True)


def test_of_the_background_they_are_specificity_and_negative_predictive_value():
    from sklearn.metrics import precision_score, recall_score

    for pred, truth in PAIRS:
        ours, labels = confusion(pred, truth), (truth.ravel(), pred.ravel())
        recall = recall_score(*labels, pos_label=False, zero_division=math.nan)
        precision = precision_score(*labels, pos_label=False, zero_division=math.nan)
        assert overlap.specificity(ours) == pytest.approx(recall, nan_ok=True)
        assert overlap.negative_predictive_value(ours) == pytest.approx(precision, nan_ok=True)


def test_counts_are_scikit_learns():
    from sklearn.metrics import confusion_matrix

    for pred, truth in PAIRS:
        tn, fp, fn, tp = confusion_matrix(truth.ravel(), pred.ravel(), labels=[False, True]).ravel()
        assert confusion(pred, truth) == Counts(tp, fp, fn, tn)


def test_dice_and_iou_are_monais():
    import torch
    from monai.metrics import compute_dice, compute_iou

    for pred, truth in PAIRS:
        theirs = [torch.as_tensor(mask[None, None].astype(np.float32)) for mask in (pred, truth)]
        assert dice(confusion(pred, truth)) == pytest.approx(float(compute_dice(*theirs)))
        assert iou(confusion(pred, truth)) == pytest.approx(float(compute_iou(*theirs)))


def test_overlap_is_simpleitks():
    import SimpleITK as sitk

    for pred, truth in PAIRS:
        measure = sitk.LabelOverlapMeasuresImageFilter()
        measure.Execute(*(sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in (pred, truth)))
        ours = confusion(pred, truth)
        assert dice(ours) == pytest.approx(measure.GetDiceCoefficient())
        assert iou(ours) == pytest.approx(measure.GetJaccardCoefficient())
        assert 1 - overlap.recall(ours) == pytest.approx(measure.GetFalseNegativeError())


def test_dice_is_surface_distances():
    from surface_distance import compute_dice_coefficient

    for pred, truth in PAIRS:
        assert dice(confusion(pred, truth)) == pytest.approx(compute_dice_coefficient(truth, pred))


def test_classes_are_scikit_learns():
    from sklearn.metrics import jaccard_score

    rng = np.random.default_rng(3)
    pred, truth = rng.choice([0, 1, 2, 7], size=(2, 9, 10, 11)).astype(np.uint8)
    ours = class_counts(pred, truth, [1, 2, 7])
    theirs = jaccard_score(truth.ravel(), pred.ravel(), labels=[1, 2, 7], average=None)
    assert_allclose([iou(one) for one in ours.values()], theirs)


def test_a_class_that_nobody_has_is_undefined():
    labels = np.ones((3, 3), dtype=np.uint8)
    assert math.isnan(dice(class_counts(labels, labels, [1, 2])[2]))


@pytest.mark.parametrize("which", ["prediction", "truth"])
def test_a_label_that_nobody_declared_is_refused(which):
    declared, other = np.ones((3, 3), dtype=np.uint8), np.full((3, 3), 9, dtype=np.uint8)
    pair = (other, declared) if which == "prediction" else (declared, other)
    with pytest.raises(InputError, match=rf"the {which} has labels \[9\]"):
        class_counts(*pair, [1])


@given(mask_pairs())
def test_the_counts_add_up(pair):
    ours = confusion(*pair)
    assert ours.tp + ours.fp == pair[0].sum()
    assert ours.tp + ours.fn == pair[1].sum()
    assert ours.array().sum() == pair[0].size


@given(mask_pairs())
def test_dice_and_iou_are_symmetric_and_precision_is_the_others_recall(pair):
    there, back = confusion(*pair), confusion(*pair[::-1])
    for figure in (dice, iou):
        assert figure(there) == pytest.approx(figure(back), nan_ok=True)
    assert overlap.precision(there) == pytest.approx(overlap.recall(back), nan_ok=True)


@given(mask_pairs())
def test_padding_changes_nothing_but_the_background(pair):
    padded = confusion(*(np.pad(mask, 3) for mask in pair))
    assert padded == Counts(*confusion(*pair).array()[:3], tn=padded.tn)


@given(mask_pairs(axes=3), st.permutations(range(3)), st.integers(0, 2))
def test_the_order_of_the_axes_and_their_direction_don_t_matter(pair, axes, flipped):
    turned = (np.flip(mask.transpose(axes), flipped) for mask in pair)
    assert confusion(*turned) == confusion(*pair)


@given(counts)
def test_figures_are_shares_and_dice_is_never_below_iou(one):
    for ratio in Ratio:
        assert math.isnan(ratio(one)) or 0 <= ratio(one) <= 1
    if one.tp + one.fp + one.fn:
        assert dice(one) >= iou(one)
        assert iou(one) == pytest.approx(dice(one) / (2 - dice(one)))


@given(counts)
def test_one_more_hit_never_lowers_and_one_more_error_never_raises_overlap(one):
    if one.tp + one.fp + one.fn:
        for figure in (dice, iou):
            assert figure(one + Counts(1, 0, 0, 0)) >= figure(one)
            assert figure(one + Counts(0, 1, 0, 0)) <= figure(one)
            assert figure(one + Counts(0, 0, 1, 0)) <= figure(one)


@given(st.lists(counts, min_size=1, max_size=6))
def test_many_counts_at_once_are_the_single_ones(many):
    sums = np.array([one.array() for one in many])
    for ratio in Ratio:
        assert_allclose(ratio.of_sums(sums), [ratio(one) for one in many])
        assert_allclose(ratio.of_sums(sums.sum(axis=0)), ratio(pooled(many)))


def test_emptiness_is_the_callers_word():
    nothing = Counts(0, 0, 0, 9)
    assert math.isnan(dice(nothing))
    assert math.isnan(iou(nothing))
    assert dice(nothing, if_both_empty=1) == iou(nothing, if_both_empty=1) == 1
    assert dice(Counts(0, 3, 0, 6), if_both_empty=1) == 0
    assert math.isnan(overlap.precision(Counts(0, 0, 3, 6)))
    assert math.isnan(overlap.recall(Counts(0, 3, 0, 6)))
    assert math.isnan(overlap.specificity(Counts(4, 0, 5, 0)))
    assert math.isnan(overlap.negative_predictive_value(Counts(4, 5, 0, 0)))
    assert math.isnan(overlap.volume_error_percent(Counts(0, 3, 0, 6)))


def test_volume_error_has_its_sign_and_its_unit():
    too_large = Counts(tp=10, fp=5, fn=0, tn=100)
    assert overlap.volume_error_mm3(too_large, voxel_mm3=0.5) == 2.5
    assert overlap.volume_error_percent(too_large) == 50
    assert overlap.volume_error_percent(Counts(tp=5, fp=0, fn=5, tn=0)) == -50


def test_pooling_pixels_is_not_the_mean_of_cases():
    cases = [Counts(100, 0, 0, 0), Counts(0, 1, 1, 0)]
    assert np.mean([dice(one) for one in cases]) == 0.5
    assert dice(pooled(cases)) == pytest.approx(200 / 202)


def test_pairs_that_can_t_be_compared_are_refused():
    mask = np.zeros((3, 3), dtype=bool)
    with pytest.raises(GeometryError, match="resample"):
        confusion(mask, mask[:2])
    with pytest.raises(InputError, match="truth is uint8"):
        confusion(mask, mask.astype(np.uint8))
