"""Dice and Tversky: what they reduce to, and how they treat empty images and rare errors."""

import pytest
import torch

from hilum.losses.catalogue import build_loss
from hilum.losses.choice import LossConfig
from hilum.metrics.overlap import confusion, dice
from hilum.models.output import Segmentation
from tests.losses.batches import output, truth


def total(name, given, target, **options):
    return build_loss(name, options)(Segmentation(given), target).total


def test_tversky_of_equal_weights_is_dice():
    given, target = output().logits, truth()
    halves = total("tversky", given, target, fp_weight=0.5, fn_weight=0.5, smooth=0.5)
    torch.testing.assert_close(halves, total("dice", given, target, smooth=1))


def test_of_sure_predictions_dice_is_one_minus_the_figure():
    given, target = output(scale=1e6).logits, truth()
    figures = [
        dice(confusion((logits > 0).numpy(), mask.numpy().astype(bool)))
        for logits, mask in zip(given, target, strict=True)
    ]
    apart = total("dice", given, target, smooth=1e-9, over="sample").item()
    assert apart == pytest.approx(1 - sum(figures) / 3)
    pooled = dice(confusion((given > 0).numpy(), target.numpy().astype(bool)))
    assert total("dice", given, target, smooth=1e-9, over="batch").item() == pytest.approx(1 - pooled)


def test_exponent_1_is_tversky():
    given, target = output().logits, truth()
    torch.testing.assert_close(total("focal_tversky", given, target, gamma=1), total("tversky", given, target))


def test_a_missed_pixel_costs_more_than_a_false_one():
    target = truth(share=0.5)
    sure = target * 40 - 20
    missed, false = sure.clone(), sure.clone()
    missed.view(-1)[target.view(-1).nonzero()[0]] = -20
    false.view(-1)[(1 - target).view(-1).nonzero()[0]] = 20
    assert total("tversky", missed, target) > total("tversky", false, target)
    assert total("tversky", missed, target, fp_weight=0.7, fn_weight=0.3) < total(
        "tversky", false, target, fp_weight=0.7, fn_weight=0.3
    )


@pytest.mark.parametrize("smooth", [0.1, 1.0, 30.0])
def test_in_an_empty_image_as_many_false_pixels_as_epsilon_cost_half(smooth):
    empty = torch.zeros(1, 1, 8, 12, dtype=torch.float64)
    marked = torch.full_like(empty, smooth / empty.numel())
    assert total("dice", marked.logit(), empty, smooth=smooth).item() == pytest.approx(0.5)
    assert total("dice", empty - 800, empty, smooth=smooth) == 0


def test_what_a_sure_wrong_pixel_costs_is_not_rounded_away():
    """In float32 1 − σ(20) is 0, and so would be the slope that a loss of subtractions has."""
    sure = torch.full((1, 1, 4, 4), 20.0, requires_grad=True)
    full = torch.ones(1, 1, 4, 4)
    total("tversky", sure, full).backward()
    precise = torch.full((1, 1, 4, 4), 20.0, dtype=torch.float64, requires_grad=True)
    total("tversky", precise, full).backward()
    assert sure.grad is not None
    torch.testing.assert_close(sure.grad.double(), precise.grad, rtol=1e-4, atol=0)


def test_samples_count_alike_only_when_they_are_counted_apart():
    target = torch.zeros(2, 1, 8, 12, dtype=torch.float64)
    target[0, 0, :6] = 1
    target[1, 0, 0, 0] = 1
    only_large = torch.cat([target[:1] * 1600 - 800, torch.full_like(target[:1], -800)])
    assert total("dice", only_large, target, smooth=1e-9, over="sample").item() == pytest.approx(0.5)
    assert total("dice", only_large, target, smooth=1e-9, over="batch").item() == pytest.approx(1 / 145)


@pytest.mark.parametrize(("name", "options"), [("tversky", {}), ("focal_tversky", {}), ("focal_tversky", {"gamma": 1})])
def test_every_overlap_is_summed_alike_unless_told(name, options):
    """So that runs which differ by their loss differ in nothing else."""
    given, target = output().logits, truth()
    of_all = total(name, given, target, **options)
    assert of_all == total(name, given, target, over="batch", **options)
    assert of_all != total(name, given, target, over="sample", **options)


@pytest.mark.parametrize("name", ["medical", "bce_dice"])
def test_so_are_those_within_sums(name):
    settings = LossConfig(name=name).plain()["options"]
    assert {value["over"] for value in settings.values() if isinstance(value, dict) and "over" in value} == {"batch"}


def test_marking_nothing_pays_only_where_images_are_counted_apart():
    """An image without truth is right then, one of a few pixels nearly so; summed over the batch, all is missed."""
    target = torch.zeros(4, 1, 8, 12, dtype=torch.float64)
    target[1, 0, 0, :3] = 1
    target[2, 0, :2, :5] = 1
    target[3, 0, :6, :10] = 1
    nothing = torch.full_like(target, -800)
    apart = 1 - (1 + 1 / 4 + 1 / 11 + 1 / 61) / 4
    assert total("dice", nothing, target, over="sample").item() == pytest.approx(apart)
    assert total("dice", nothing, target).item() == pytest.approx(1 - 1 / 74)
