"""Weights against imbalance: what BCE and focal losses make of batches with few, no or only positive pixels."""

import pytest
import torch

from hilum.losses.bce import BatchWeight
from hilum.losses.catalogue import build_loss
from hilum.losses.pixels import Pixels
from hilum.models.output import Segmentation
from tests.losses.batches import output, truth


def batch_weight(positives: int, of: int, **options: float) -> float:
    target = torch.zeros(1, 1, 1, of)
    target[..., :positives] = 1
    return BatchWeight(**options).find(Pixels.of(torch.zeros_like(target), target)).item()


def test_source_as_weight_sits_at_its_cap_on_nodule_masks():
    assert batch_weight(22, 10_000, factor=100, cap=1000) == 1000
    assert batch_weight(900, 10_000, factor=100, cap=1000) == 1000
    assert batch_weight(1000, 10_000, factor=100, cap=1000) == 900


def test_the_sane_weight_follows_the_batch():
    assert batch_weight(1, 11) == 10
    assert batch_weight(1, 100) == 20
    assert batch_weight(0, 100) == 20
    assert batch_weight(1, 100, cap=50) == 50
    assert batch_weight(75, 100) == pytest.approx(1 / 3)
    assert batch_weight(100, 100) == pytest.approx(1 / 20)


def test_balanced_bce_weighs_both_kinds_alike():
    """Of a network that doesn't know, the slopes of all positive pixels together cancel those of all negative ones."""
    target = truth(share=0.2)
    logits = torch.zeros_like(target, requires_grad=True)
    build_loss("bce", {"pos_weight": {}})(Segmentation(logits), target).total.backward()
    assert logits.grad is not None
    assert logits.grad.sum().item() == pytest.approx(0, abs=1e-12)


def test_adaptive_focal_weighs_both_kinds_alike():
    target = truth(share=0.2)
    logits = torch.zeros_like(target, requires_grad=True)
    build_loss("adaptive_focal")(Segmentation(logits), target).total.backward()
    assert logits.grad is not None
    assert logits.grad.sum().item() == pytest.approx(0, abs=1e-12)


def test_adaptive_focal_is_focal_with_the_share_of_negatives():
    given, target = output(), truth()
    share = 1 - target.mean().item()
    focal = build_loss("focal", {"alpha": share, "gamma": 2})(given, target).total
    torch.testing.assert_close(build_loss("adaptive_focal")(given, target).total, focal)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_adaptive_focal_learns_from_batches_of_one_kind(value):
    logits = torch.zeros(1, 1, 4, 4, requires_grad=True)
    build_loss("adaptive_focal")(Segmentation(logits), torch.full((1, 1, 4, 4), value)).total.backward()
    assert logits.grad is not None
    assert logits.grad.abs().min() > 0


def test_the_harder_gamma_the_less_an_easy_pixel_counts():
    easy = Segmentation(truth() * 6 - 3)
    losses = [build_loss("focal", {"alpha": None, "gamma": gamma})(easy, truth()).total for gamma in (0, 1, 2, 5)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > 100 * losses[-1]
