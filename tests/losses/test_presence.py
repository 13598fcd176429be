"""Whether a picture shows anything: the smooth maximum between its limits, and what a picture costs."""

import math

import pytest
import torch
from torch.nn.functional import softplus

from hilum.losses.base import Head
from hilum.losses.catalogue import build_loss
from hilum.losses.presence import smooth_maximum

ROW = torch.tensor([-1.0, 0.5, 2.0], dtype=torch.float64)
ALL = torch.ones(3, dtype=torch.bool)


def test_the_smooth_maximum_on_paper():
    shares = [math.exp(2 * one) for one in ROW.tolist()]
    expected = sum(share * one for share, one in zip(shares, ROW.tolist(), strict=True)) / sum(shares)
    assert smooth_maximum(ROW, ALL, 2.0).item() == pytest.approx(expected)


def test_it_lies_between_the_mean_and_the_maximum_and_reaches_both():
    assert smooth_maximum(ROW, ALL, 1e-9).item() == pytest.approx(ROW.mean().item())
    assert smooth_maximum(ROW, ALL, 1e4).item() == pytest.approx(2.0)
    between = [smooth_maximum(ROW, ALL, sharpness).item() for sharpness in (0.1, 1.0, 3.0)]
    assert ROW.mean().item() < between[0] < between[1] < between[2] < 2.0


def test_what_is_not_seen_has_no_share_however_high():
    seen = torch.tensor([True, True, False])
    values = torch.tensor([-1.0, 0.5, torch.inf], dtype=torch.float64)
    assert smooth_maximum(values, seen, 1e4).item() == pytest.approx(0.5)


def pictures(*pixels):
    """[B, 1, 1, N] logits."""
    return torch.tensor(pixels, dtype=torch.float64)[:, None, None]


def test_each_picture_costs_the_cross_entropy_of_its_highest_logit():
    logits, truth = pictures([-3, 4], [-3, 4]), pictures([0, 1], [0, 0])
    cost = build_loss("presence", {"sharpness": 1e3})(Head(logits), truth).total
    expected = (softplus(torch.tensor(-4.0)) + softplus(torch.tensor(4.0))) / 2
    assert cost.item() == pytest.approx(expected.item())


def test_a_small_lesion_counts_as_much_as_a_large_one():
    logits = pictures([5, 5, 5, 5], [5, -9, -9, -9])
    truth = (logits > 0).double()
    loss = build_loss("presence", {"sharpness": 1e3})
    costs = [loss(Head(logits[one : one + 1]), truth[one : one + 1]).total.item() for one in (0, 1)]
    assert costs[0] == pytest.approx(costs[1])


def test_pictures_that_show_something_count_by_their_weight():
    logits, truth = pictures([1, 1], [1, 1]), pictures([1, 0], [0, 0])
    plain, more = (build_loss("presence", {"pos_weight": weight})(Head(logits), truth).total for weight in (1.0, 5.0))
    assert (more - plain).item() == pytest.approx(4 * softplus(torch.tensor(-1.0)).item() / 2)


def test_a_picture_that_is_nowhere_looked_at_is_left_out_and_has_no_slope():
    logits, truth = pictures([1, 2], [3, 4]).requires_grad_(), pictures([1, 0], [1, 1])
    weight = torch.tensor([1.0, 0.0])[:, None, None, None]
    loss = build_loss("presence")
    cost = loss(Head(logits), truth, weight).total
    assert cost.item() == pytest.approx(loss(Head(logits[:1]), truth[:1]).total.item())
    cost.backward()
    assert logits.grad[0].ne(0).any()
    assert logits.grad[1].eq(0).all()


def test_truth_under_pixels_of_weight_0_is_not_seen():
    logits, weight = pictures([1, 1]), torch.tensor([1.0, 0.0])
    costs = [build_loss("presence")(Head(logits), pictures(truth), weight).total.item() for truth in ([0, 1], [0, 0])]
    assert costs[0] == costs[1]
