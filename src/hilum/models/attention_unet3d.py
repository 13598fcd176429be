"""Attention U-Net (Oktay 2018) for pieces of a CT: coarser features say which of the encoder's are let through."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import interpolate

from hilum.models.blocks import LAYERS, Norm, conv_unit, double_conv, initialise, normalisation
from hilum.models.network import Network, StackedConfig, cropped, normalised
from hilum.models.output import Segmentation
from hilum.models.unet3d import deep_logits, start

_AXES = 3


class AttentionUNet3D(Network):
    """Two convolutions a stage, max pooling down, interpolation up, and a gate on each skip.

    Source B's has 32 to 256 channels. As in Oktay's, the finest skip has no gate: it sees too little to be asked.
    """

    class Config(StackedConfig):
        """What the network is made of."""

        widths: Annotated[tuple[PositiveInt, ...], Field(min_length=2)] = (32, 64, 128, 256)
        """Channels of each stage, finest first; between two stages the image is halved along each axis."""
        gate_finest: bool = False
        """Whether the finest skip has a gate, too."""
        norm: Norm = "batch"
        """Normalisation."""
        deep_supervision: bool = False
        """Whether the coarser stages of the decoder give logits too."""
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
        """Probability that a channel of the coarsest stage is dropped in training."""
        start_probability: Annotated[float, Field(gt=0, lt=1)] = 0.01
        """Probability of foreground that an untrained network gives."""

    config: Config
    axes = _AXES

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.stride = 2 ** (len(config.widths) - 1)
        self.encoder = GatedEncoder(config)
        self.decoder = nn.ModuleList(
            GatedUp((coarse, fine), config.norm, gated=level > 0 or config.gate_finest)
            for level, (fine, coarse) in enumerate(pairwise(config.widths))
        )
        self.head = nn.Conv3d(config.widths[0], 1, 1)
        coarser = config.widths[1:-1] if config.deep_supervision else ()
        self.deep_heads = nn.ModuleList(nn.Conv3d(width, 1, 1) for width in coarser)
        initialise(self)
        start(self.head, self.deep_heads, config.start_probability)

    def forward(self, xray: Tensor, prior: Tensor | None = None) -> Segmentation:
        """Logits [B, 1, D, H, W] of a piece [B, 1, D, H, W], 0 to 1, dense is bright.

        With `inputs` 2, `prior` [B, 1, D, H, W] is a second channel, and the piece itself when it is None; with 3 it is
        [B, 2, D, H, W].
        """
        features = self.encoder(normalised(xray, prior, self.config.inputs, self.stride, self.axes))
        below = features[-1]
        decoded: list[Tensor] = []
        for up, skip in reversed(list(zip(self.decoder, features[:-1], strict=True))):
            below = up(below, skip)
            decoded.insert(0, below)
        logits = cropped(self.head(below), xray)
        return Segmentation(logits, deep=deep_logits(self.deep_heads, decoded, xray, 1))

    def parts(self) -> Mapping[str, nn.Module]:
        """encoder, decoder (with its gates), head and, with deep supervision, deep_heads."""
        parts = {"encoder": self.encoder, "decoder": self.decoder, "head": self.head}
        return {**parts, "deep_heads": self.deep_heads} if len(self.deep_heads) else parts

    def encoder_stages(self) -> Sequence[nn.Module]:
        """The encoder's stages, finest first."""
        return list(self.encoder.stages)


class GatedEncoder(nn.Module):
    """The way down: features of every stage, finest first."""

    def __init__(self, config: AttentionUNet3D.Config) -> None:
        super().__init__()
        ins = (config.inputs, *config.widths[:-1])
        self.stages = nn.ModuleList(
            double_conv(pair, config.norm, _AXES) for pair in zip(ins, config.widths, strict=True)
        )
        self.pool = nn.MaxPool3d(2)
        self.dropout = nn.Dropout3d(config.dropout)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of an image [B, inputs, D, H, W] whose size is a multiple of the stride."""
        features = [self.stages[0](image)]
        for stage in self.stages[1:]:
            features.append(stage(self.pool(features[-1])))
        return [*features[:-1], self.dropout(features[-1])]


class GatedUp(nn.Module):
    """Coarser features are enlarged and narrowed, the encoder's pass their gate, and both are convolved together."""

    def __init__(self, channels: tuple[int, int], norm: Norm, *, gated: bool) -> None:
        super().__init__()
        coarse, fine = channels
        self.gate = Gate((fine, coarse), norm) if gated else None
        self.narrow = conv_unit((coarse, fine), norm, axes=_AXES)
        self.stage = double_conv((2 * fine, fine), norm, _AXES)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        """Features [B, fine, D, H, W] of coarser ones [B, coarse, D / 2, H / 2, W / 2] and of the encoder's."""
        passed = skip if self.gate is None else self.gate(skip, below)
        raised = interpolate(below, scale_factor=2, mode=LAYERS[_AXES].smooth, align_corners=False)
        decoded: Tensor = self.stage(torch.cat((self.narrow(raised), passed), 1))
        return decoded


class Gate(nn.Module):
    """Additive attention (Oktay 2018, equations 1 and 2): x·σ(ψ(ReLU(Wx·x + Wg·g))), computed at the size of g.

    Wx is a strided convolution to half of the features, ψ one to a single channel, interpolated back to the size of x;
    what passes is convolved (kernel 1) and normalised, as in the paper's code.
    """

    def __init__(self, channels: tuple[int, int], norm: Norm) -> None:
        super().__init__()
        fine, coarse = channels
        inner = max(fine // 2, 1)
        self.of_skip = nn.Conv3d(fine, inner, 2, stride=2, bias=False)
        self.of_below = nn.Conv3d(coarse, inner, 1)
        self.psi = nn.Conv3d(inner, 1, 1)
        self.out = nn.Sequential(nn.Conv3d(fine, fine, 1, bias=norm == "none"), normalisation(norm, fine, _AXES))

    def forward(self, skip: Tensor, below: Tensor) -> Tensor:
        """What of the encoder's features [B, fine, D, H, W] passes; `below` [B, coarse, D / 2, H / 2, W / 2]."""
        passed: Tensor = self.out(skip * self.coefficients(skip, below))
        return passed

    def coefficients(self, skip: Tensor, below: Tensor) -> Tensor:
        """[B, 1, D, H, W] 0 to 1: how much of each place passes."""
        seen = self.psi((self.of_skip(skip) + self.of_below(below)).relu()).sigmoid()
        return interpolate(seen, scale_factor=2, mode=LAYERS[_AXES].smooth, align_corners=False)
