"""Films judged beyond the overlap of classes: drawn lungs whose areas are known, labels against scikit-learn."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, roc_auc_score
from torchmetrics.functional.classification import multiclass_calibration_error

from hilum.evaluate.bootstrap import resample_patients
from hilum.evaluate.film_labels import FilmSaid
from hilum.evaluate.films import film_figures, judge_film
from hilum.evaluate.gate import Gate, choose_gate, decided
from hilum.measure import LungRoles, involved_percent, lung_sides

ROLES = LungRoles((1, 2), (2,))
LABELS = ("healthy", "covid", "non-covid")


def film(right=0.0, left=0.0, gap=4):
    """Two lungs of 10 × 20 pixels, of which the lowest shares are involved; the right one is on the picture's left."""
    found = np.zeros((24, 20 + gap), dtype=np.uint8)
    for first, share in ((0, right), (10 + gap, left)):
        found[2:22, first : first + 10] = 1
        rows = round(20 * share)
        found[22 - rows : 22, first : first + 10] = 2
    return found


@pytest.mark.parametrize("gap", [4, 1, 0])
def test_the_share_of_each_lung_that_is_involved_is_what_was_drawn(gap):
    """With no gap both lungs are one part, and are told apart at the middle."""
    found = involved_percent(film(0.25, 0.6, gap), ROLES)
    assert found == pytest.approx({"right": 25, "left": 60, "both": 42.5})


def test_lungs_are_told_apart_where_one_has_a_hole_and_specks_lie_about():
    drawn = film() > 0
    drawn[10:12, 2:4] = False
    drawn[0, 23] = True
    right, left = lung_sides(drawn)
    assert (right.sum(), left.sum()) == (196, 201)
    assert not (right & left).any()


@pytest.mark.parametrize(("side", "other", "columns"), [("right", "left", (0, 10)), ("left", "right", (14, 24))])
def test_one_lung_alone_is_not_halved(side, other, columns):
    """The other one has no share, whatever part of the lung is involved."""
    drawn = np.zeros((24, 24), dtype=np.uint8)
    drawn[2:22, slice(*columns)] = 1
    drawn[2:22, columns[0] : columns[0] + 5] = 2
    drawn[12, 22 if side == "right" else 1] = 2  # a speck is no lung
    found = involved_percent(drawn, ROLES)
    assert found[side] == 50
    assert math.isnan(found[other])


def test_one_lung_that_reaches_over_the_middle_is_one_lung():
    drawn = np.zeros((24, 24), dtype=np.uint8)
    drawn[2:22, 4:14] = 1
    right, left = lung_sides(drawn > 0)
    assert (right.sum(), left.sum()) == (200, 0)


def test_a_lung_that_is_cut_in_two_stays_one():
    drawn = film()
    drawn[11:13, :10] = 0
    drawn[2:22, 14:] = 0
    drawn[16:22, 14:] = 2
    assert involved_percent(drawn, ROLES) == pytest.approx({"right": 0, "left": 100, "both": 25})


def test_the_truths_line_parts_the_prediction_too():
    """A lung that the network leaves out doesn't move the other one's share to both sides."""
    truth = film(0.0, 1.0)
    pred = film()
    pred[:, 14:] = 0
    judged = judge_film(pred, truth, (1, 2), ROLES).involved
    assert judged["right"] == (0, 0)
    assert judged["left"][0] == 100
    assert math.isnan(judged["left"][1])


def test_a_film_without_lungs_has_no_share():
    assert all(math.isnan(value) for value in involved_percent(np.zeros((8, 8), dtype=np.uint8), ROLES).values())


def test_errors_of_the_share_are_points_of_percent_and_undefined_ones_are_not_counted():
    empty = np.zeros_like(film())
    pairs = [(film(0.5, 0.0), film(0.25, 0.0)), (film(0.0, 0.5), film(0.5, 0.5)), (empty, film())]
    results = [judge_film(pred, truth, (1, 2), ROLES) for pred, truth in pairs]
    draw = resample_patients(["a", "b", "c"], np.random.default_rng(0), 100)
    found = film_figures(results, {1: "lung", 2: "finding"}, LABELS, draw).involved
    assert found["right_error_percent"].value == pytest.approx((25 + 50) / 2)
    assert found["right_bias_percent"].value == pytest.approx((25 - 50) / 2)
    assert found["right_error_percent"].n == 2


def test_pixels_and_presence():
    rng = np.random.default_rng(3)
    truth, pred = rng.integers(0, 3, (2, 6, 8, 9)).astype(np.uint8)
    truth[:3][truth[:3] == 2] = 0
    scores = rng.random(6)
    results = [
        judge_film(one, other, (1, 2), ROLES, said=FilmSaid({2: score}))
        for one, other, score in zip(pred, truth, scores, strict=True)
    ]
    draw = resample_patients(list("abcdef"), np.random.default_rng(0), 100)
    found = film_figures(results, {1: "lung", 2: "finding"}, LABELS, draw)
    assert np.array_equal(found.pixels, confusion_matrix(truth.ravel(), pred.ravel()))
    assert found.present["finding"]["image_auc"].value == pytest.approx(roc_auc_score([0, 0, 0, 1, 1, 1], scores))
    assert found.present["finding"]["image_specificity"].n == 3
    assert "image_auc" not in found.present["lung"]


def test_labels_without_an_answer_are_counted_apart():
    rng = np.random.default_rng(1)
    probability = rng.dirichlet(np.ones(3), size=12)
    truth = np.arange(12) % 3
    results = [
        judge_film(film(), film(), (1, 2), ROLES, int(label), FilmSaid({}, row, is_unsure=place < 3))
        for place, (label, row) in enumerate(zip(truth, probability, strict=True))
    ]
    draw = resample_patients([str(one) for one in range(12)], np.random.default_rng(0), 100)
    found = film_figures(results, {1: "lung", 2: "finding"}, LABELS, draw)
    answers = probability.argmax(axis=1)
    assert np.array_equal(
        np.array(found.label_counts)[:, :3], confusion_matrix(truth[3:], answers[3:], labels=[0, 1, 2])
    )
    assert [row[3] for row in found.label_counts] == [1, 1, 1]
    assert found.label_figures["label_accuracy"].value == pytest.approx((answers == truth)[3:].mean())
    for number, name in enumerate(LABELS):
        wanted = roc_auc_score(truth == number, probability[:, number])
        assert found.label_figures[f"label_auc_{name}"].value == pytest.approx(wanted)
    error = multiclass_calibration_error(
        torch.from_numpy(probability), torch.from_numpy(truth), num_classes=3, n_bins=15, norm="l1"
    )
    assert found.label_figures["label_ece"].value == pytest.approx(float(error), abs=1e-6)
    assert found.label_figures["label_ece"].low < float(error) < found.label_figures["label_ece"].high


def test_a_gate_shuts_out_no_more_films_with_a_finding_than_it_may():
    rng = np.random.default_rng(0)
    truth = np.array([0] * 40 + [1] * 60)
    healthy = np.clip(np.where(truth == 0, 0.8, 0.2) + 0.2 * rng.standard_normal(100), 0.01, 0.99)
    labels = np.stack([healthy, 0.7 * (1 - healthy), 0.3 * (1 - healthy)], axis=1)
    gate = choose_gate(labels, truth)
    shut = np.array([gate.is_shut(row) for row in labels])
    assert shut[truth == 1].mean() <= 0.05
    assert shut[truth == 0].mean() == pytest.approx(gate.kept_out)
    assert gate.kept_out > 0.5
    given = np.array([not gate.is_unsure(row) for row in labels])
    assert (labels.argmax(axis=1) == truth)[given].mean() >= 0.9


def test_no_film_is_shut_that_is_hardly_healthy_or_gets_no_label():
    """Validation films that are told apart without an error would let healthy begin at .1."""
    truth = np.array([0] * 10 + [1] * 10)
    labels = np.where(truth[:, None] == 0, [0.98, 0.01, 0.01], [0.05, 0.9, 0.05])
    gate = choose_gate(labels, truth)
    assert (gate.shut_out, gate.kept_out) == (0, 1)
    assert not gate.is_shut(np.array([0.49, 0.255, 0.255]))
    assert gate.is_shut(np.array([0.98, 0.01, 0.01]))
    unsure = Gate(healthy_from=0.5, sure_from=0.8)
    assert not unsure.is_shut(np.array([0.7, 0.2, 0.1]))
    found, why = decided(planes_of(*PIXELS), np.array([0.7, 0.2, 0.1]), unsure, FOUR)
    assert np.array_equal(found, planes_of(*PIXELS))
    assert not why


def test_without_healthy_films_the_gate_stays_open():
    gate = choose_gate(np.array([[0.9, 0.1, 0.0]] * 8), np.ones(8, dtype=int))
    assert not gate.is_shut(np.array([1.0, 0.0, 0.0]))


def planes_of(*rows):
    """[C, 1, pixels] of each pixel's probabilities."""
    return np.array(rows, dtype=np.float32).T[:, None]


FOUR = LungRoles((1, 2, 3), (2, 3), {2: "covid", 3: "non-covid"})
PIXELS = ((0.1, 0.1, 0.6, 0.2), (0.1, 0.5, 0.3, 0.1), (0.9, 0.1, 0.0, 0.0), (0.1, 0.4, 0.25, 0.25))
OPEN = Gate(healthy_from=2.0, sure_from=0.7)


@pytest.mark.parametrize(
    ("chances", "wanted"),
    [
        ((0.1, 0.8, 0.1), [2, 1, 0, 2]),  # covid: what is a finding is COVID-19's
        ((0.1, 0.1, 0.8), [3, 1, 0, 3]),  # non-covid: the same finding is another disease's
        ((0.1, 0.45, 0.45), [2, 1, 0, 1]),  # unsure: pixels decide
        ((0.8, 0.1, 0.1), [2, 1, 0, 1]),  # healthy, but not from where the gate believes it
    ],
)
def test_a_sure_label_says_which_finding_it_is_and_pixels_say_where(chances, wanted):
    """The last pixel is a finding by half, of two kinds that share it: only the label makes it the likeliest class."""
    found, why = decided(planes_of(*PIXELS), np.array(chances), OPEN, FOUR)
    assert found.argmax(axis=0).ravel().tolist() == wanted
    assert found.sum(axis=0) == pytest.approx(1)
    assert bool(why) == (max(chances[1:]) > 0.7)


def test_a_label_decides_nothing_among_classes_that_belong_to_none():
    """Ground glass and consolidation are on films of any label."""
    roles = LungRoles((1, 2, 3), (2, 3))
    found, why = decided(planes_of(*PIXELS), np.array([0.0, 0.0, 1.0]), OPEN, roles)
    assert np.array_equal(found, planes_of(*PIXELS))
    assert not why


def test_without_a_class_of_its_own_a_film_has_none_of_another_label():
    """COVID-QU-Ex without outlines of non-COVID films declares no class for them."""
    roles = LungRoles((1, 2), (2,), {2: "covid"})
    planes = planes_of(*(one[:3] for one in PIXELS))
    found, why = decided(planes / planes.sum(axis=0), np.array([0.0, 0.1, 0.9]), OPEN, roles)
    assert not (found[2] > 0).any()
    assert found.sum(axis=0) == pytest.approx(1)
    assert "no class is known" in why


def test_a_shut_gate_leaves_no_finding_whatever_its_label():
    found, _ = decided(planes_of(*PIXELS), np.array([0.8, 0.1, 0.1]), Gate(healthy_from=0.7, sure_from=0.5), FOUR)
    assert not found[[2, 3]].any()
    assert found.sum(axis=0) == pytest.approx(1)
