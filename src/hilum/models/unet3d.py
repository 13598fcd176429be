"""Source B's U-Net for pieces of a CT: residual stages of several convolutions, strides instead of pooling."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import interpolate

from hilum.models.blocks import LAYERS, Norm, conv_unit, expect, initialise, normalisation
from hilum.models.network import Network, StackedConfig, cropped, normalised
from hilum.models.output import Segmentation

_AXES = 3


class UNet3D(Network):
    """Residual stages (Kerfoot 2019, after Çiçek 2016) down by strided convolutions, transposed ones up, skips.

    Source B's is MONAI's with 32 to 512 channels, 3 convolutions a stage and dropout .3: the defaults here. Its first
    stage halves the picture already (`stem` stride2).
    """

    class Config(StackedConfig):
        """What the network is made of."""

        widths: Annotated[tuple[PositiveInt, ...], Field(min_length=2)] = (32, 64, 128, 256, 512)
        """Channels of each stage, finest first; between two stages the image is halved along each axis."""
        units: PositiveInt = 3
        """Convolutions of each stage of the encoder, beside a shortcut. The decoder's stages have one."""
        stem: Literal["full", "stride2"] = "stride2"
        """full: the first stage works on every voxel. stride2: on half of them along each axis, and the logits are
        interpolated."""
        norm: Norm = "group"
        """Normalisation; group and instance don't depend on the batch, which is small here. MONAI's is instance, which
        needs more than one voxel at the coarsest stage."""
        deep_supervision: bool = False
        """Whether the coarser stages of the decoder give logits too."""
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
        """Probability that a channel of a stage of the encoder is dropped in training."""
        start_probability: Annotated[float, Field(gt=0, lt=1)] = 0.01
        """Probability of foreground that an untrained network gives."""

    config: Config
    axes = _AXES

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        widths, steps = config.widths, [2 if config.stem == "stride2" else 1, *(2 for _ in config.widths[1:])]
        self.stride, self._factor = 2 ** (len(widths) - 1) * steps[0], steps[0]
        ins = (config.inputs, *widths[:-1])
        self.encoder = nn.ModuleList(
            ResStage(pair, config, step) for *pair, step in zip(ins, widths, steps, strict=True)
        )
        self.decoder = nn.ModuleList(UpStage((coarse, fine), config.norm) for fine, coarse in pairwise(widths))
        self.head = nn.Conv3d(widths[0], 1, 1)
        coarser = widths[1:-1] if config.deep_supervision else ()
        self.deep_heads = nn.ModuleList(nn.Conv3d(width, 1, 1) for width in coarser)
        initialise(self)
        start(self.head, self.deep_heads, config.start_probability)

    def forward(self, xray: Tensor, prior: Tensor | None = None) -> Segmentation:
        """Logits [B, 1, D, H, W] of a piece [B, 1, D, H, W], 0 to 1, dense is bright.

        With `inputs` 2, `prior` [B, 1, D, H, W] is a second channel, and the piece itself when it is None; with 3 it is
        [B, 2, D, H, W].
        """
        below = normalised(xray, prior, self.config.inputs, self.stride, self.axes)
        features: list[Tensor] = []
        for stage in self.encoder:
            below = stage(below)
            features.append(below)
        decoded: list[Tensor] = []
        for up, skip in reversed(list(zip(self.decoder, features[:-1], strict=True))):
            below = up(below, skip)
            decoded.insert(0, below)
        logits = enlarged(self.head(decoded[0]), self._factor)
        return Segmentation(cropped(logits, xray), deep=deep_logits(self.deep_heads, decoded, xray, self._factor))

    def parts(self) -> Mapping[str, nn.Module]:
        """encoder, decoder, head and, with deep supervision, deep_heads."""
        parts = {"encoder": self.encoder, "decoder": self.decoder, "head": self.head}
        return {**parts, "deep_heads": self.deep_heads} if len(self.deep_heads) else parts

    def encoder_stages(self) -> Sequence[nn.Module]:
        """The encoder's stages, finest first."""
        return list(self.encoder)


class ResStage(nn.Module):
    """Convolution units, the first of them strided, beside a shortcut of one convolution (He 2016)."""

    def __init__(self, channels: Sequence[int], config: UNet3D.Config, stride: int) -> None:
        super().__init__()
        first, width = channels
        ins = (first, *(width for _ in range(config.units - 1)))
        self.units = nn.Sequential(
            *(
                conv_unit((into, width), config.norm, stride=1 if number else stride, axes=_AXES)
                for number, into in enumerate(ins)
            )
        )
        self.dropout = nn.Dropout3d(config.dropout)
        kernel = 3 if stride > 1 else 1  # with a stride, one of kernel 1 would skip seven voxels of eight
        self.shortcut = nn.Conv3d(first, width, kernel, stride=stride, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, width, D / stride, …] of [B, first, D, …]."""
        seen: Tensor = self.dropout(self.units(x)) + self.shortcut(x)
        return seen


class UpStage(nn.Module):
    """A transposed convolution, the encoder's features of that size, and one convolution beside the identity."""

    def __init__(self, channels: tuple[int, int], norm: Norm) -> None:
        super().__init__()
        coarse, fine = channels
        self.up = nn.ConvTranspose3d(coarse, fine, 2, stride=2, bias=norm == "none")
        self.norm = normalisation(norm, fine, _AXES)
        self.join = conv_unit((2 * fine, fine), norm, axes=_AXES)
        self.unit = conv_unit((fine, fine), norm, axes=_AXES)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        """Features [B, fine, D, …] of coarser ones and of the encoder's of that size."""
        joined = self.join(torch.cat((self.norm(self.up(below)).relu(), skip), 1))
        decoded: Tensor = joined + self.unit(joined)
        return decoded


def start(head: nn.Conv3d, deep_heads: nn.ModuleList, probability: float) -> None:
    """Let all layers of logits start near this probability."""
    for layer in (head, *deep_heads):
        assert isinstance(layer, nn.Conv3d)  # noqa: S101 for the type checker
        expect(layer, probability)


def enlarged(image: Tensor, factor: int) -> Tensor:
    """An image [B, C, D, H, W] so many times as large, interpolated."""
    mode = LAYERS[_AXES].smooth
    return interpolate(image, scale_factor=factor, mode=mode, align_corners=False) if factor > 1 else image


def deep_logits(heads: nn.ModuleList, decoded: Sequence[Tensor], like: Tensor, factor: int) -> tuple[Tensor, ...]:
    """Logits of the decoder's coarser stages, cropped to what lies on the unpadded picture.

    Args:
        heads: one for each of those stages; none without deep supervision.
        decoded: features of all stages, finest first.
        like: [B, 1, D, H, W] the picture.
        factor: the finest stage's stride.
    """
    coarser = zip(heads, decoded[1:], strict=False)
    return tuple(cropped(head(one), like, factor * 2**level) for level, (head, one) in enumerate(coarser, start=1))
