"""CBAM by hand: which channels, then which places."""

import torch
from torch.nn.functional import conv2d

from hilum.models.cbam import CBAM, ChannelAttention, SpatialAttention
from tests.models.small import picture


def test_channels_are_weighed_by_mean_and_maximum_through_one_small_network():
    layer, x = ChannelAttention(4, reduction=2), picture(2, 4, 3, 5)
    first, _, second = layer.shared
    down, up = first.weight[:, :, 0, 0], second.weight[:, :, 0, 0]

    def network(one):
        return up @ torch.relu(down @ one + first.bias) + second.bias

    for k in range(2):
        by_hand = torch.sigmoid(network(x[k].mean((1, 2))) + network(x[k].amax((1, 2))))
        torch.testing.assert_close(layer(x)[k, :, 0, 0], by_hand)


def test_places_are_weighed_by_what_all_channels_have_there():
    layer, x = SpatialAttention(), picture(2, 4, 9, 8)
    both = torch.stack((x.mean(1), x.max(1).values), 1)
    by_hand = torch.sigmoid(conv2d(both, layer.conv.weight, layer.conv.bias, padding=3))
    torch.testing.assert_close(layer(x), by_hand)
    torch.testing.assert_close(layer(x), layer(x[:, [2, 0, 3, 1]]))  # the order of channels is nothing to it


def test_places_are_weighed_after_the_channels():
    layer, x = CBAM(4, reduction=2), picture(1, 4, 9, 8)
    weighed = x * layer.channels(x)
    torch.testing.assert_close(layer(x), weighed * layer.places(weighed))
    with torch.no_grad():
        for own in layer.parameters():
            own.zero_()
    torch.testing.assert_close(layer(x), x / 4)  # σ(0) twice


def test_an_attention_of_128_channels_has_the_numbers_that_source_e_names():
    assert sum(own.numel() for own in CBAM(128, 8).parameters()) == (2 * 128 * 16 + 16 + 128) + (2 * 49 + 1)
