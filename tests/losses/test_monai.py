"""MONAI's losses as oracle, on two and three dimensions, several channels, and all kinds of truth."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from hilum.losses.catalogue import build_loss
from hilum.losses.deep import DeepSupervision
from hilum.models.output import Segmentation
from tests.losses.batches import output, truth

SHAPES = [(3, 1, 8, 12), (2, 2, 5, 7), (2, 1, 5, 6, 7)]
SHARES = [0.0, 0.2, 1.0]


def monai(name, **options):
    import monai.losses

    return getattr(monai.losses, name)(**options)


def same(name, options, oracle, shape, share):
    given, target = output(shape).logits, truth(shape, share=share)
    ours = build_loss(name, options)(Segmentation(given.float()), target.float()).total
    torch.testing.assert_close(ours, oracle(given.float(), target.float()).float(), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("over", ["sample", "batch"])
def test_dice(shape, share, over):
    for smooth in (1.0, 1e-5):
        oracle = monai("DiceLoss", sigmoid=True, smooth_nr=smooth, smooth_dr=smooth, batch=over == "batch")
        same("dice", {"over": over, "smooth": smooth}, oracle, shape, share)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("over", ["sample", "batch"])
def test_tversky_with_alpha_for_false_positives(shape, share, over):
    oracle = monai("TverskyLoss", sigmoid=True, alpha=0.2, beta=0.9, smooth_nr=1, smooth_dr=1, batch=over == "batch")
    same("tversky", {"fp_weight": 0.2, "fn_weight": 0.9, "over": over}, oracle, shape, share)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("alpha", [None, 0.25, 0.75])
def test_focal(shape, share, alpha):
    for gamma in (0.0, 2.0, 3.5):
        same("focal", {"alpha": alpha, "gamma": gamma}, monai("FocalLoss", alpha=alpha, gamma=gamma), shape, share)


def test_focal_of_a_truth_between_0_and_1():
    given, target = output().logits, torch.rand(3, 1, 8, 12, dtype=torch.float64)
    oracle = monai("FocalLoss", alpha=0.75, gamma=3)
    ours = build_loss("focal", {"alpha": 0.75, "gamma": 3})(Segmentation(given), target).total
    torch.testing.assert_close(ours.float(), oracle(given, target).float())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", SHARES)
def test_boundary(shape, share):
    same("boundary", {}, monai("BoundaryLoss", sigmoid=True), shape, share)


@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[2]])
@pytest.mark.parametrize("share", SHARES)
def test_dice_and_focal_as_source_b_weighs_them(shape, share):
    oracle = monai("DiceFocalLoss", sigmoid=True, lambda_dice=0.6, lambda_focal=0.4, gamma=3, batch=True)
    terms = [
        {"name": "dice", "weight": 0.6, "options": {"smooth": 1e-5}},
        {"name": "focal", "weight": 0.4, "options": {"alpha": None, "gamma": 3}},
    ]
    same("combined", {"terms": terms}, oracle, shape, share)


@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[2]])
@pytest.mark.parametrize("share", SHARES)
def test_dice_and_bce(shape, share):
    oracle = monai("DiceCELoss", sigmoid=True, lambda_dice=0.3, lambda_ce=0.7, smooth_nr=1, smooth_dr=1, batch=True)
    same("bce_dice", {"bce_weight": 0.7, "dice_weight": 0.3}, oracle, shape, share)


@pytest.mark.parametrize("shape", SHAPES)
def test_bce_is_torchs(shape):
    def oracle(logits, target):
        return binary_cross_entropy_with_logits(logits, target, pos_weight=torch.tensor(6.0))

    same("bce", {"pos_weight": 6}, oracle, shape, 0.2)


def test_bce_by_weight_is_torchs_over_the_mean_weight():
    given, target, weight = output(), truth(), torch.rand(3, 1, 8, 12, dtype=torch.float64)
    oracle = binary_cross_entropy_with_logits(given.logits, target, weight) / weight.mean()
    torch.testing.assert_close(build_loss("bce")(given, target, weight).total, oracle)


@pytest.mark.parametrize("shape", [(3, 1, 2, 3), (2, 1, 2, 1, 3)])
def test_deep_supervision_where_both_agree_on_the_truth(shape):
    """MONAI takes every second pixel, which is ours on truths made of blocks; its weights aren't normalised."""
    target = truth(shape)
    for axis in range(2, len(shape)):
        target = target.repeat_interleave(4, axis)
    given = output(tuple(target.shape))
    oracle = monai("DeepSupervisionLoss", loss=monai("DiceLoss", sigmoid=True, smooth_nr=1, smooth_dr=1, batch=True))
    loss = DeepSupervision(DeepSupervision.Config.of({"loss": {"name": "dice"}}))
    expected = oracle([given.logits, *given.deep], target) / (1 + 0.5 + 0.25)
    torch.testing.assert_close(loss(given, target).total.float(), expected.float())
