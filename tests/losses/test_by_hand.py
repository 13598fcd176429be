"""Two by two pixels, one of them a nodule, a network that doesn't know (p = 1/2): every loss on paper."""

import math

import pytest
import torch

from hilum.losses.catalogue import build_loss
from hilum.models.output import Segmentation

LN2 = math.log(2)
TRUTH = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]], dtype=torch.float64)
UNSURE = Segmentation(torch.zeros_like(TRUTH), attention=torch.zeros(1, 1, 1, 1, dtype=torch.float64))
# TP = 1/2, FP = 3/2, FN = 1/2; ε = 1.
FOCAL = (0.25 * 0.25 + 3 * 0.75 * 0.25) / 4 * LN2
TVERSKY = 1 - (0.5 + 1) / (0.5 + 0.3 * 1.5 + 0.7 * 0.5 + 1)
SUM_OF_B = {
    "terms": [
        {"name": "dice", "weight": 0.4},
        {"name": "focal", "weight": 0.3, "options": {"alpha": 0.75, "gamma": 3}},
        {"name": "tversky", "weight": 0.2, "options": {"fp_weight": 0.7, "fn_weight": 0.3}},
        {"name": "boundary", "weight": 0.1},
    ]
}
TVERSKY_OF_B = 1 - (0.5 + 1) / (0.5 + 0.7 * 1.5 + 0.3 * 0.5 + 1)
FOCAL_OF_B = (0.75 + 3 * 0.25) / 8 / 4 * LN2
BOUNDARY = (0 + 1 + 1 + math.sqrt(2)) / 8


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("bce", {}, LN2),
        ("bce", {"pos_weight": 5}, (5 + 3) / 4 * LN2),
        ("bce", {"pos_weight": {}}, (3 + 3) / 4 * LN2),
        ("bce", {"pos_weight": {"factor": 100, "cap": 1000}}, (300 + 3) / 4 * LN2),
        ("bce", {"pos_weight": {"factor": 100, "cap": 50}}, (50 + 3) / 4 * LN2),
        ("dice", {}, 1 - (2 * 0.5 + 1) / (2 + 1 + 1)),
        ("dice", {"smooth": 3}, 1 - (2 * 0.5 + 3) / (2 + 1 + 3)),
        ("bce_dice", {"bce_weight": 0.7, "dice_weight": 0.3}, 0.7 * LN2 + 0.3 * 0.5),
        ("focal", {}, FOCAL),
        ("focal", {"alpha": None, "gamma": 0}, LN2),
        ("adaptive_focal", {}, (0.75 + 3 * 0.25) / 4 * 0.25 * LN2),
        ("tversky", {}, TVERSKY),
        ("focal_tversky", {}, TVERSKY**2),
        ("focal_tversky", {"gamma": 0.75}, TVERSKY ** (1 / (4 / 3))),
        ("medical", {}, 0.4 * TVERSKY + 0.3 * FOCAL + 0.3 * (300 + 3) / 4 * LN2),
        ("boundary", {}, BOUNDARY),
        ("presence", {}, LN2),
        ("presence", {"sharpness": 7, "pos_weight": 3}, 3 * LN2),
        ("attention", {}, LN2),
        ("attention", {"compare": {"bce_weight": 0, "dice_weight": 1}}, 1 - (2 * 0.125 + 1) / (0.5 + 0.25 + 1)),
        ("combined", SUM_OF_B, 0.4 * 0.5 + 0.3 * FOCAL_OF_B + 0.2 * TVERSKY_OF_B + 0.1 * BOUNDARY),
        ("deep_supervision", {"loss": {"name": "bce"}}, LN2),
    ],
)
def test_a_loss_is_what_it_is_on_paper(name, options, expected):
    assert build_loss(name, options)(UNSURE, TRUTH).total.item() == pytest.approx(expected, rel=1e-12)


def test_a_mean_by_weight():
    weight = torch.tensor([[2.0, 1.0], [0.0, 1.0]])
    logits = Segmentation(torch.tensor([[[[0.0, 1.0], [9.0, -1.0]]]], dtype=torch.float64))
    expected = (2 * LN2 + math.log1p(math.e) + math.log1p(1 / math.e)) / 4
    assert build_loss("bce")(logits, TRUTH, weight).total.item() == pytest.approx(expected)


def test_dice_by_weight():
    weight = torch.tensor([[2.0, 1.0], [0.0, 1.0]])
    expected = 1 - (2 * 2 * 0.5 + 1) / (0.5 * 4 + 2 + 1)
    assert build_loss("dice")(UNSURE, TRUTH, weight).total.item() == pytest.approx(expected)
