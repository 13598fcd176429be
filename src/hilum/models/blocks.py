"""Small pieces that several networks are made of."""

import math
from typing import Literal

from torch import nn

Norm = Literal["batch", "instance", "group", "none"]
_GROUPS = 8


def normalisation(kind: Norm, channels: int) -> nn.Module:
    """A normalisation with learned scale and shift; eight groups, or fewer where eight don't divide the channels.

    none is none: the convolution before it needs a bias.
    """
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    if kind == "none":
        return nn.Identity()
    return nn.GroupNorm(math.gcd(_GROUPS, channels), channels)


def conv_unit(channels: tuple[int, int], norm: Norm = "batch", kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution (channels in, out), normalisation, ReLU; the size is kept at stride 1.

    A bias only where nothing normalises: a normalisation would take it away again.
    """
    conv = nn.Conv2d(*channels, kernel, stride=stride, padding=kernel // 2, bias=norm == "none")
    return nn.Sequential(conv, normalisation(norm, channels[1]), nn.ReLU(inplace=True))


def double_conv(channels: tuple[int, int], norm: Norm = "batch") -> nn.Sequential:
    """Two 3×3 convolution units, as at each stage of a U-Net."""
    return nn.Sequential(conv_unit(channels, norm), conv_unit((channels[1], channels[1]), norm))


def initialise(module: nn.Module) -> None:
    """Kaiming's normal numbers (He 2015) for every convolution, zero for its bias."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def expect(head: nn.Conv2d | nn.ConvTranspose2d, probability: float) -> None:
    """Let a layer of logits start near this probability everywhere (Lin 2017, focal loss, section 4.1).

    Nodules are a few thousandths of the pixels; a start at one half spends the first steps on the background alone.
    """
    if head.bias is None:
        raise ValueError("a layer without bias can't start at a probability")
    nn.init.normal_(head.weight, std=0.01)
    nn.init.constant_(head.bias, math.log(probability / (1 - probability)))
