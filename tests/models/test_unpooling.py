"""Max-unpooling by the features themselves, against PyTorch's with indices."""

import pytest
import torch
from torch import nn

from hilum.models.unpooling import unpooled
from tests.models.small import picture

POOL, UNPOOL = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_it_is_pytorchs_with_indices_ties_included(levels):
    features = (picture(2, 3, 6, 10) * levels).round() - levels // 2
    values = picture(2, 3, 3, 5, seed=1) - 0.5
    torch.testing.assert_close(unpooled(values, features), UNPOOL(values, POOL(features)[1]), rtol=0, atol=0)


def test_what_was_pooled_comes_back_and_the_rest_is_zero():
    features = picture(1, 2, 8, 8)
    pooled = POOL(features)[0]
    back = unpooled(pooled, features)
    assert torch.equal(POOL(back)[0], pooled)
    assert torch.equal(back[back != 0], features[back != 0])
    assert (back != 0).sum() == pooled.numel()


def test_gradients_go_to_the_values_alone():
    features, values = picture(1, 1, 4, 4).requires_grad_(), picture(1, 1, 2, 2, seed=1).requires_grad_()
    weights = picture(1, 1, 4, 4, seed=2)
    (unpooled(values, features) * weights).sum().backward()
    assert features.grad is None
    assert values.grad is not None
    places = POOL(features)[1]
    assert torch.equal(values.grad.flatten(), weights.flatten()[places.flatten()])
