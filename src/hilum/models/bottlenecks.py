"""ENet's bottlenecks (Paszke 2016, section 3): narrow, convolve, widen, beside a branch that does next to nothing."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, pad

from hilum.models.unpooling import unpooled

Activation = Literal["prelu", "relu", "mish"]
_NARROWER = 4
"""Inner channels are a quarter of those that come in."""


def activation(kind: Activation) -> nn.Module:
    """PReLU with one slope for all channels (He 2015), ReLU, or Mish (Misra 2019)."""
    if kind == "prelu":
        return nn.PReLU()
    return nn.ReLU(inplace=True) if kind == "relu" else nn.Mish()


@dataclass(frozen=True)
class Middle:
    """The convolution in the middle of a bottleneck: 3×3, dilated or not, or 5×1 and 1×5."""

    dilation: int = 1
    asymmetric: bool = False


def unit(conv: nn.Module, channels: int, kind: Activation) -> nn.Sequential:
    """A convolution to so many channels, batch norm, activation."""
    return nn.Sequential(conv, nn.BatchNorm2d(channels), activation(kind))


def _pointwise(channels: tuple[int, int], kind: Activation) -> nn.Sequential:
    return unit(nn.Conv2d(*channels, 1, bias=False), channels[1], kind)


def _middle(width: int, middle: Middle, kind: Activation) -> nn.Sequential:
    if middle.asymmetric:
        down = unit(nn.Conv2d(width, width, (5, 1), padding=(2, 0), bias=False), width, kind)
        return down.extend(unit(nn.Conv2d(width, width, (1, 5), padding=(0, 2), bias=False), width, kind))
    step = middle.dilation
    return unit(nn.Conv2d(width, width, 3, padding=step, dilation=step, bias=False), width, kind)


class Initial(nn.Module):
    """A 3×3 convolution of stride 2 beside 2×2 max pooling, then batch norm and activation (figure 2a)."""

    def __init__(self, channels: tuple[int, int], kind: Activation) -> None:
        super().__init__()
        into, out = channels
        self.conv = nn.Conv2d(into, out - into, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out)
        self.act = activation(kind)

    def forward(self, image: Tensor) -> Tensor:
        """Features [B, out, H/2, W/2] of an image [B, into, H, W]."""
        both = torch.cat((self.conv(image), max_pool2d(image, 2)), 1)
        return self.act(self.norm(both))  # type: ignore[no-any-return]


class Regular(nn.Module):
    """1×1, the middle, 1×1, attention if there is one, dropout; added to what came in (figure 2b)."""

    def __init__(
        self, width: int, middle: Middle, kind: Activation, dropout: float, attention: nn.Module | None = None
    ) -> None:
        super().__init__()
        inner = max(width // _NARROWER, 1)
        self.narrow = _pointwise((width, inner), kind)
        self.middle = _middle(inner, middle, kind)
        self.widen = _pointwise((inner, width), kind)
        if attention is not None:
            self.widen.append(attention)
        self.dropout = nn.Dropout2d(dropout)
        self.act = activation(kind)

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, width, H, W] of features of the same shape."""
        inner = self.dropout(self.widen(self.middle(self.narrow(x))))
        return self.act(inner + x)  # type: ignore[no-any-return]


class Down(nn.Module):
    """2×2 of stride 2, 3×3, 1×1, dropout; added to the max-pooled features, with zeros for the new channels."""

    def __init__(self, channels: tuple[int, int], kind: Activation, dropout: float) -> None:
        super().__init__()
        into, out = channels
        inner = max(into // _NARROWER, 1)
        self.more = out - into
        self.narrow = unit(nn.Conv2d(into, inner, 2, stride=2, bias=False), inner, kind)
        self.middle = _middle(inner, Middle(), kind)
        self.widen = _pointwise((inner, out), kind)
        self.dropout = nn.Dropout2d(dropout)
        self.act = activation(kind)

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, out, H/2, W/2] of features [B, into, H, W]."""
        inner = self.dropout(self.widen(self.middle(self.narrow(x))))
        return self.act(inner + pad(max_pool2d(x, 2), (0, 0, 0, 0, 0, self.more)))  # type: ignore[no-any-return]


class Up(nn.Module):
    """1×1, 2×2 transposed, 1×1, dropout; added to the features that a 1×1 narrowed and that were max-unpooled."""

    def __init__(self, channels: tuple[int, int], kind: Activation, dropout: float) -> None:
        super().__init__()
        into, out = channels
        inner = max(into // _NARROWER, 1)
        self.straight = nn.Sequential(nn.Conv2d(into, out, 1, bias=False), nn.BatchNorm2d(out))
        self.narrow = _pointwise((into, inner), kind)
        self.enlarge = unit(nn.ConvTranspose2d(inner, inner, 2, stride=2, bias=False), inner, kind)
        self.widen = _pointwise((inner, out), kind)
        self.dropout = nn.Dropout2d(dropout)
        self.act = activation(kind)

    def forward(self, x: Tensor, pooled: Tensor) -> Tensor:
        """Features [B, out, 2H, 2W] of features [B, into, H, W].

        Args:
            x: what to enlarge.
            pooled: the encoder's features [B, out, 2H, 2W] before the pooling of this size; its maxima say where to.
        """
        inner = self.dropout(self.widen(self.enlarge(self.narrow(x))))
        return self.act(inner + unpooled(self.straight(x), pooled))  # type: ignore[no-any-return]
