"""The networks and losses of machines that have PyTorch alone are the house's."""

import numpy as np
import pytest
import torch
from experiments.gpu_nets import build, loss_of

from hilum.losses.base import Head
from hilum.losses.choice import LossConfig
from hilum.models.catalogue import ModelConfig

NETWORKS = {
    "shipped": ModelConfig(name="res_unet", options={"widths": (4, 6, 8), "blocks": (1, 2, 1)}),
    "fold 1, group norm": ModelConfig(
        name="res_unet", options={"widths": (4, 8), "blocks": (2, 1), "fold": 1, "norm": "group"}
    ),
    "plain": ModelConfig(name="unet", options={"widths": (4, 6, 8), "dropout": 0.3}),
    "plain, folded": ModelConfig(name="unet", options={"widths": (4, 8), "stem": "unshuffle2", "norm": "instance"}),
    "plain, full": ModelConfig(name="unet", options={"widths": (4, 8), "stem": "full"}),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_seed_gives_the_same_network(name):
    torch.manual_seed(3)
    house = NETWORKS[name].build()
    torch.manual_seed(3)
    twin = build(NETWORKS[name].plain())
    theirs, ours = house.state_dict(), twin.state_dict()
    assert list(theirs) == list(ours)
    assert all(theirs[key].equal(ours[key]) for key in theirs)
    image = torch.rand((2, 1, 37, 50), generator=torch.Generator().manual_seed(0))
    house.eval(), twin.eval()
    with torch.inference_mode():
        torch.testing.assert_close(twin(image), house(image).logits, rtol=0, atol=1e-6)


LOSSES = {
    "bce_dice": {"bce": {"pos_weight": 3.0}, "dice": {"over": "batch"}},
    "dice": {"smooth": 5.0},
    "bce": {},
    "tversky": {"over": "batch"},
    "focal_tversky": {"gamma": 0.75},
    "combined": {"terms": [{"name": "bce", "weight": 0.4}, {"name": "tversky", "weight": 2.0}]},
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_and_its_gradient_are_the_houses(name):
    config = LossConfig(name=name, options=LOSSES[name])
    rng = np.random.default_rng(1)
    truth = torch.from_numpy((rng.random((3, 1, 8, 9)) < 0.2).astype(np.float32))
    weight = torch.from_numpy(rng.choice([0.0, 0.6, 1.0], truth.shape).astype(np.float32))
    found = []
    for loss in (
        lambda x: config.build()(Head(x), truth, weight).total,
        lambda x: loss_of(config.plain())(x, truth, weight),
    ):
        logits = torch.from_numpy(np.random.default_rng(2).normal(size=truth.shape)).float().requires_grad_()
        value = loss(logits)
        value.backward()
        found.append((value.detach(), logits.grad))
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-7)


def test_what_has_no_twin_is_said():
    with pytest.raises(SystemExit, match="no twin of the network original"):
        build({"name": "original", "options": {}})
    with pytest.raises(SystemExit, match="no twin of the loss boundary"):
        loss_of({"name": "boundary", "options": {}})
