"""Losses of classes: PyTorch's cross entropy as the oracle, Dice by hand, and what nobody knows has no influence."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from hilum.core import ConfigError, GeometryError
from hilum.losses.catalogue import build_loss
from hilum.models.output import Classes

WEIGHTS = [0.1, 3.0, 10.0, 3.0]


def batch(seed=0, classes=4):
    drawn = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, classes, 5, 6, generator=drawn)
    return logits, torch.randint(classes, (2, 1, 5, 6), generator=drawn).float()


def loss(**options):
    return build_loss("cross_entropy_dice", options)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_cross_entropy_is_pytorchs(weights):
    logits, target = batch()
    found = loss(class_weights=weights).of(Classes(logits), target, None, None)
    wanted = cross_entropy(logits, target[:, 0].long(), weight=None if weights is None else torch.tensor(weights))
    assert found.parts["cross_entropy"].item() == pytest.approx(wanted.item(), rel=1e-5)


def test_inverse_frequency_makes_classes_count_alike():
    """Of one pixel of class 1 among 29 of the background both cost the same in sum."""
    target = torch.zeros(1, 1, 5, 6)
    target[0, 0, 2, 3] = 1
    logits = torch.zeros(1, 2, 5, 6, requires_grad=True)
    loss(class_weights={"cap": 1000}, dice_weight=0).of(Classes(logits), target, None, None).total.backward()
    slopes = logits.grad[0, 1]
    assert slopes[2, 3].item() == pytest.approx(-(slopes.sum() - slopes[2, 3]).item(), rel=1e-5)


def test_dice_by_hand_and_absent_classes_left_out():
    """Certain answers: class 1 half found, class 2 not there at all, class 3 found."""
    target, said = torch.tensor([1, 1, 3, 0.0]), torch.tensor([1, 0, 3, 0])
    logits = 50 * torch.nn.functional.one_hot(said, 4).T.reshape(1, 4, 1, 4).float()
    found = loss(smooth=1e-6).of(Classes(logits), target.reshape(1, 1, 1, 4), None, None)
    assert found.parts["dice"].item() == pytest.approx((1 / 3 + 0) / 2, abs=1e-4)


def test_a_pixel_that_nobody_knows_has_no_influence():
    logits, target = batch()
    weight = torch.ones_like(target)
    weight[:, :, 2:] = 0
    other, strange = logits.clone(), target.clone()
    other[:, :, 2:] += 3
    strange[:, :, 2:] = 9
    one = loss(class_weights={"cap": 5}).of(Classes(logits), target, weight, None).total
    assert loss(class_weights={"cap": 5}).of(Classes(other), strange, weight, None).total.item() == pytest.approx(
        one.item()
    )


def test_films_without_a_label_cost_nothing_and_the_others_as_pytorch_has_it():
    labels = torch.randn(3, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)
    known = torch.tensor([2, -1, 0])
    found = loss().of(Classes(None, labels), torch.zeros(3, 1, 2, 2), None, known)
    assert found.total.item() == pytest.approx(cross_entropy(labels[[0, 2]], known[[0, 2]]).item())
    nobody = loss().of(Classes(None, labels), torch.zeros(3, 1, 2, 2), None, torch.full((3,), -1))
    nobody.total.backward()
    assert nobody.total.item() == 0
    assert labels.grad.abs().sum() == 0


def test_what_does_not_fit_is_told():
    logits, target = batch()
    with pytest.raises(ConfigError, match="has class 7, and the network 4"):
        loss().of(Classes(logits), target + 4, None, None)
    with pytest.raises(ConfigError, match="has 3 numbers, and the network 4"):
        loss(class_weights=[1, 1, 1]).of(Classes(logits), target, None, None)
    with pytest.raises(GeometryError, match="don't belong"):
        loss().of(Classes(logits), target[..., :3], None, None)
