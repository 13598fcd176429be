"""CBAM, the convolutional block attention module (Woo 2018): which channels, then which places."""

import torch
from torch import Tensor, nn

_KERNEL = 7
"""Side of the convolution over places; the paper's better one (table 2)."""


class ChannelAttention(nn.Module):
    """A weight from 0 to 1 for each channel: σ(MLP(mean) + MLP(maximum)), equation 2."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(channels // reduction, 1)
        self.shared = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Weights [B, C, 1, 1] of features [B, C, H, W]."""
        mean, highest = x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
        return (self.shared(mean) + self.shared(highest)).sigmoid()  # type: ignore[no-any-return]


class SpatialAttention(nn.Module):
    """A weight from 0 to 1 for each place: σ(7×7 convolution of the channels' mean and maximum), equation 3."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, _KERNEL, padding=_KERNEL // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Weights [B, 1, H, W] of features [B, C, H, W]."""
        both = torch.cat((x.mean(1, keepdim=True), x.amax(1, keepdim=True)), 1)
        return self.conv(both).sigmoid()  # type: ignore[no-any-return]


class CBAM(nn.Module):
    """Features times their channels' weights, times their places' weights, in this order (section 3)."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.channels = ChannelAttention(channels, reduction)
        self.places = SpatialAttention()

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, C, H, W] of the same shape."""
        x = x * self.channels(x)
        return x * self.places(x)  # type: ignore[no-any-return]
