"""Ways back from a ResNet's features of stride 32 to the size of the image."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from hilum.models.blocks import conv_unit, double_conv


def _enlarge(factor: int) -> nn.Upsample:
    return nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False)


class ProgressiveDecoder(nn.Module):
    """Interpolation by 2, 2 and 8 with one convolution each; the channels halve (128, 64, 32, 16, 8). No skips."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = [max(channels // 2**step, 1) for step in range(5)]
        self.out_channels = widths[-1]
        self.layers = nn.Sequential(
            conv_unit((widths[0], widths[1])),
            nn.Dropout2d(0.2),
            _enlarge(2),
            conv_unit((widths[1], widths[2])),
            nn.Dropout2d(0.1),
            _enlarge(2),
            conv_unit((widths[2], widths[3])),
            _enlarge(8),
            conv_unit((widths[3], widths[4])),
        )

    def forward(self, fused: Tensor, skips: Sequence[Tensor]) -> Tensor:  # noqa: ARG002 all decoders are called alike
        """Features [B, out_channels, H, W] of fused ones [B, channels, H/32, W/32]."""
        decoded: Tensor = self.layers(fused)
        return decoded


class TransposedDecoder(nn.Module):
    """Five transposed convolutions with a double convolution each; `hidden` channels after the first, then halved."""

    def __init__(self, channels: int, hidden: int = 256) -> None:
        super().__init__()
        widths = [max(hidden // 2**step, 1) for step in range(6)]
        ins = (channels, *widths[:4])
        self.ups = nn.ModuleList(nn.ConvTranspose2d(*pair, 2, stride=2) for pair in zip(ins, widths[:5], strict=True))
        self.stages = nn.ModuleList(double_conv((width, width)) for width in widths[:5])
        self.last = nn.Sequential(conv_unit((widths[4], widths[5])), nn.Dropout2d(0.1))
        self.out_channels = widths[5]

    def forward(self, fused: Tensor, skips: Sequence[Tensor]) -> Tensor:  # noqa: ARG002 all decoders are called alike
        """Features [B, out_channels, H, W] of fused ones [B, channels, H/32, W/32]."""
        for up, stage in zip(self.ups, self.stages, strict=True):
            fused = stage(up(fused))
        decoded: Tensor = self.last(fused)
        return decoded


class SkipDecoder(nn.Module):
    """A U-Net's way up: a 1×1 convolution, interpolation, the encoder's features of that size, a double convolution."""

    def __init__(self, channels: int, skips: Sequence[int]) -> None:
        super().__init__()
        coarse_first = list(reversed(skips))
        ins = (channels, *coarse_first[:-1])
        self.narrow = nn.ModuleList(conv_unit(pair, kernel=1) for pair in zip(ins, coarse_first, strict=True))
        self.stages = nn.ModuleList(double_conv((2 * width, width)) for width in coarse_first)
        self.out_channels = max(skips[0] // 2, 1)
        self.last = conv_unit((skips[0], self.out_channels))
        self.enlarge = _enlarge(2)

    def forward(self, fused: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """Features [B, out_channels, H, W] of fused ones [B, channels, H/32, W/32] and of skips, finest first."""
        for narrow, stage, skip in zip(self.narrow, self.stages, reversed(skips), strict=True):
            fused = stage(torch.cat((self.enlarge(narrow(fused)), skip), 1))
        decoded: Tensor = self.last(self.enlarge(fused))
        return decoded


class NarrowDecoder(nn.Module):
    """A U-Net's way up with few channels: nearest neighbours, the encoder's features, a double convolution.

    Few as in the U-Nets that are usually built on pretrained encoders: with as many channels as the encoder's it would
    have six times the encoder's work.
    """

    def __init__(self, channels: Sequence[int], widths: Sequence[int]) -> None:
        """Channels of the encoder's features, finest first (stride 2), and of the stages, coarsest first."""
        super().__init__()
        skips = (*reversed(channels[:-1]), 0)
        ins = (channels[-1], *widths[:-1])
        self.stages = nn.ModuleList(
            double_conv((below + skip, width)) for below, skip, width in zip(ins, skips, widths, strict=True)
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Features [B, widths[-1], H, W] of an encoder's, finest first, whose first has stride 2."""
        below = features[-1]
        for stage, skip in zip(self.stages, (*reversed(features[:-1]), None), strict=True):
            below = interpolate(below, scale_factor=2, mode="nearest")
            below = stage(below if skip is None else torch.cat((below, skip), 1))
        return below
