"""Attention that a second image gives to the features of the first: where to look, as logits that can be taught."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate

from hilum.models.blocks import conv_unit, expect, initialise

AttentionKind = Literal["shallow", "deep", "multiscale"]
_MIDDLE, _SPREAD = 0.5, 0.25  # an X-ray of 0 to 1 has about this mean and standard deviation
_SCALES = (4, 2, 1)


class ShallowAttention(nn.Sequential):
    """Three convolutions of 7×7, 5×5 and 3×3 pixels; the channels halve."""

    def __init__(self, hidden: int = 32, dropout: float = 0.1) -> None:
        super().__init__(
            conv_unit((1, hidden), kernel=7),
            nn.Dropout2d(dropout),
            conv_unit((hidden, hidden // 2), kernel=5),
            nn.Dropout2d(dropout),
        )
        self.append(_logits(self, nn.Conv2d(hidden // 2, 1, 3, padding=1)))


class DeepAttention(nn.Module):
    """Seven layers: 3×3, 5×5 and 7×7 one after the other, seen together, then four that refine.

    Every layer that keeps the number of channels adds its input to its output.
    """

    def __init__(self, hidden: int = 64, dropout: float = 0.1) -> None:
        super().__init__()
        self.kernel3 = conv_unit((1, hidden), kernel=3)
        self.kernel5 = conv_unit((hidden, hidden), kernel=5)
        self.kernel7 = conv_unit((hidden, hidden), kernel=7)
        self.fuse = conv_unit((3 * hidden, hidden), kernel=1)
        self.refine1 = conv_unit((hidden, hidden))
        self.refine2 = conv_unit((hidden, hidden // 2))
        self.refine3 = conv_unit((hidden // 2, hidden // 4))
        self.refine4 = _logits(self, nn.Conv2d(hidden // 4, 1, 1))
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, image: Tensor) -> Tensor:
        """Logits [B, 1, H, W] of a normalised image [B, 1, H, W]."""
        small = self.kernel3(image)
        middle = self.kernel5(small) + small
        large = self.kernel7(middle) + middle
        fused = self.dropout(self.fuse(torch.cat((small, middle, large), 1)))
        refined = self.dropout(self.refine1(fused) + fused)
        logits: Tensor = self.refine4(self.refine3(self.dropout(self.refine2(refined))))
        return logits


class MultiScaleAttention(nn.Module):
    """The image at a quarter, a half and its full size, two convolutions each, interpolated back and fused."""

    def __init__(self, hidden: int = 64, dropout: float = 0.1) -> None:
        super().__init__()
        half = hidden // 2
        self.branches = nn.ModuleList(nn.Sequential(conv_unit((1, half)), conv_unit((half, hidden))) for _ in _SCALES)
        self.fuse = nn.Sequential(
            conv_unit((len(_SCALES) * hidden, hidden), kernel=1),
            nn.Dropout2d(dropout),
            conv_unit((hidden, half)),
        )
        self.fuse.append(_logits(self, nn.Conv2d(half, 1, 1)))

    def forward(self, image: Tensor) -> Tensor:
        """Logits [B, 1, H, W] of a normalised image [B, 1, H, W]; H and W are multiples of 4."""
        size = image.shape[-2:]
        seen = [
            interpolate(branch(avg_pool2d(image, scale)), size, mode="bilinear", align_corners=False)
            for scale, branch in zip(_SCALES, self.branches, strict=True)
        ]
        logits: Tensor = self.fuse(torch.cat(seen, 1))
        return logits


def _logits(before: nn.Module, last: nn.Conv2d) -> nn.Conv2d:
    """The layer that gives logits, near one half everywhere, after initialising those before it."""
    initialise(before)
    expect(last, 0.5)
    return last


ATTENTIONS: Mapping[AttentionKind, type[ShallowAttention | DeepAttention | MultiScaleAttention]] = {
    "shallow": ShallowAttention,
    "deep": DeepAttention,
    "multiscale": MultiScaleAttention,
}


class Attention(nn.Module):
    """One kind of attention, or several whose logits add up."""

    def __init__(self, kinds: Sequence[AttentionKind], hidden: int, dropout: float) -> None:
        super().__init__()
        self.kinds = nn.ModuleDict({kind: ATTENTIONS[kind](hidden, dropout) for kind in kinds})

    def forward(self, image: Tensor) -> Tensor:
        """Logits [B, 1, H, W] of an image [B, 1, H, W], 0 to 1."""
        normal = (image - _MIDDLE) / _SPREAD
        return torch.stack([one(normal) for one in self.kinds.values()]).sum(0)


class Fusion(nn.Module):
    """f1·(1 + α·f2): attention raises features where it is high, by a strength that is learned."""

    def __init__(self, alpha: float, resize: Literal["bilinear", "area"]) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor(alpha))
        self.resize = resize

    def forward(self, features: Tensor, attention: Tensor) -> Tensor:
        """Features [B, C, h, w] under attention [B, 1, H, W], 0 to 1, which is brought to their size."""
        aligned = False if self.resize == "bilinear" else None
        small = interpolate(attention, features.shape[-2:], mode=self.resize, align_corners=aligned)
        return features * (1 + self.alpha * small)


class NoduleRow(nn.Module):
    """What a pretrained classifier calls a nodule, place by place, added to the features.

    The classifier's row for Nodule is a 1×1 convolution that never learns (its weights are buffers). Its answer, −1
    to 1, is spread over the features by a 1×1 convolution that does learn and starts at zero. Without a row it is 0.
    """

    row: Tensor
    bias: Tensor

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.register_buffer("row", torch.zeros(1, channels, 1, 1))
        self.register_buffer("bias", torch.zeros(1))
        self.spread = nn.Conv2d(1, features, 1, bias=False)
        nn.init.zeros_(self.spread.weight)

    def forward(self, deepest: Tensor) -> Tensor:
        """What to add to the features [B, features, h, w], from the encoder's last ones [B, channels, h, w]."""
        answer: Tensor = self.spread(torch.tanh(conv2d(deepest, self.row, self.bias) / 2))  # = 2·sigmoid − 1
        return answer

    def set_row(self, row: Tensor, bias: Tensor) -> None:
        """Take a classifier's row [1, channels] and its bias [1]."""
        with torch.no_grad():
            self.row.copy_(row[:, :, None, None])
            self.bias.copy_(bias)
