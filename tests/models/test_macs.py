"""Multiply-accumulates: by hand, by hooks and by PyTorch's counter."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from hilum.models.catalogue import build_model
from hilum.models.macs import count_macs
from hilum.models.network import Network
from hilum.models.output import Segmentation
from tests.models.small import NAMES, VOLUMES, narrow, size_of


class Three(Network):
    """One convolution of groups, one transposed, one linear layer called twice, one product of attention."""

    def __init__(self) -> None:
        super().__init__(Network.Config())
        self.conv = nn.Conv2d(1, 6, 3, stride=2, padding=1)
        self.grouped = nn.Conv2d(6, 4, (1, 5), padding=(0, 2), groups=2)
        self.up = nn.ConvTranspose2d(4, 1, 2, stride=2)
        self.linear = nn.Linear(1, 1)

    def forward(self, xray: Tensor, prior: Tensor | None = None) -> Segmentation:
        assert prior is None
        up = self.up(self.grouped(self.conv(xray)))
        rows = self.linear(self.linear(up.flatten(2).mT))
        return Segmentation(scaled_dot_product_attention(rows, rows, rows).mT.reshape(xray.shape))

    def parts(self):
        return dict(self.named_children())

    def encoder_stages(self):
        return [self.conv]


def test_each_layer_costs_what_is_counted_by_hand():
    found = count_macs(Three(), (6, 8))
    by_hand = {"conv": 3 * 4 * 6 * 9, "grouped": 3 * 4 * 4 * 3 * 5, "up": 3 * 4 * 4 * 4, "linear": 2 * 48}
    assert {layer.name: layer.macs for layer in found.layers} == by_hand
    learnt = {layer.name: layer.parameters for layer in found.layers}
    assert learnt == {
        "conv": 60,
        "grouped": 64,
        "up": 17,
        "linear": 2,
    }
    assert found.elsewhere == 2 * 48 * 48
    assert found.total == sum(by_hand.values()) + found.elsewhere
    assert found.per_pixel == found.total / 48
    assert [layer.name for layer in found.heaviest(2)] == ["grouped", "conv"]


@pytest.mark.parametrize("name", [*NAMES, *VOLUMES])
def test_hooks_and_the_counter_agree_on_every_network(name):
    network = narrow(name)
    found = count_macs(network, size_of(name, 40, 36))
    assert found.total > 0
    assert (found.elsewhere > 0) == (name == "swin_unetr")  # attention multiplies features with features
    kernels = {key for key, own in network.named_parameters() if own.ndim > 1 and not key.endswith("bias_table")}
    assert kernels == {f"{layer.name}.weight" for layer in found.layers if layer.macs}


def test_twice_the_side_costs_four_times():
    network = build_model("res_unet", {"widths": [4, 8], "blocks": [1, 1]})
    assert count_macs(network, (64, 32)).total == 4 * count_macs(network, (32, 16)).total


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_a_prior_is_counted_where_there_is_one(inputs):
    options = {"widths": [4, 8], "blocks": [1, 1], "fold": 2, "norm": "group", "inputs": inputs}
    macs = {layer.name: layer.macs for layer in count_macs(build_model("res_unet", options), (8, 8)).layers}
    assert macs["encoder.stem"] == 16 * 4 * 9 * 4 * inputs


def test_the_network_is_left_as_it_was():
    network = narrow("unet").train()
    network.encoder.eval()
    before = {key: own.clone() for key, own in network.state_dict().items()}
    count_macs(network, (16, 16))
    assert network.training
    assert network.decoder.training
    assert not any(module.training for module in network.encoder.modules())
    assert not any(module._forward_hooks for module in network.modules())
    after = network.state_dict()
    assert all(torch.equal(own, after[key]) for key, own in before.items())
