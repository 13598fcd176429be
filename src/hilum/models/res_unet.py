"""A residual U-Net that folds pixels into channels: hilum's own network for X-rays."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle, pixel_unshuffle

from hilum.models.attention import Fusion
from hilum.models.blocks import LAYERS, Norm, conv_unit, expect, initialise, normalisation
from hilum.models.network import Network, StackedConfig, cropped, padded, second_images
from hilum.models.output import Segmentation

_MIDDLE, _SPREAD = 0.5, 0.25  # as in the plain U-Net
_ALPHA = 0.3
"""Strength of the attention to start with, as in the sources; it is learned."""


class ResUNet(Network):
    """Residual blocks (He 2016) down and up, skips by concatenation, nearest neighbours on the way up.

    Squares of `fold` × `fold` pixels become channels before the first convolution, and logits are unfolded in the same
    way (Shi 2016): full resolution in and out, a `fold`² of the work in between.
    """

    class Config(StackedConfig):
        """What the network is made of."""

        widths: Annotated[tuple[PositiveInt, ...], Field(min_length=2)] = (32, 64, 96, 128, 160)
        """Channels of each stage, finest first; between two stages the image is halved."""
        blocks: Annotated[tuple[PositiveInt, ...], Field(min_length=2)] = (1, 1, 2, 2, 2)
        """Residual blocks of each stage of the encoder; the decoder has one a stage."""
        fold: Literal[1, 2, 4] = 4
        """Side of the squares that become channels."""
        norm: Norm = "batch"
        """Normalisation."""
        fusion: Literal["concatenate", "attention"] = "concatenate"
        """How the prior is taken in. concatenate: as further channels. attention: a smaller encoder sees it alone and
        says where to look; features f1 of every stage become f1·(1 + α·f2)."""
        start_probability: Annotated[float, Field(gt=0, lt=1)] = 0.007
        """Probability of foreground that an untrained network gives."""

        @model_validator(mode="after")
        def _one_count_a_stage(self) -> Self:
            if len(self.widths) != len(self.blocks):
                raise ValueError(f"{len(self.widths)} widths and {len(self.blocks)} counts of blocks")
            return self

        @model_validator(mode="after")
        def _attention_sees_something(self) -> Self:
            if self.fusion == "attention" and self.inputs == 1:
                raise ValueError("fusion attention needs a prior; set inputs to 2 or 3, or fusion to concatenate")
            return self

    config: Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.stride = config.fold * 2 ** (len(config.widths) - 1)
        self.encoder = ResEncoder(config)
        pairs = zip(config.widths[:-1], config.widths[1:], strict=True)
        self.decoder = nn.ModuleList(ResBlock((fine + coarse, fine), config.norm) for fine, coarse in pairs)
        self.head = nn.Conv2d(config.widths[0], config.fold**2, 1)
        initialise(self)
        expect(self.head, config.start_probability)
        self.attention = StageAttention(config) if config.fusion == "attention" else None

    def forward(self, xray: Tensor, prior: Tensor | None = None) -> Segmentation:
        """Logits [B, 1, H, W] of an X-ray [B, 1, H, W], 0 to 1, dense is bright.

        With `inputs` 2, `prior` [B, 1, H, W] is looked at, too, and the X-ray itself when it is None; with 3 it is
        [B, 2, H, W]. With attention its logits [B, 1, H / fold, W / fold] are the mean over all stages.
        """
        second = second_images(xray, prior, self.config.inputs)
        if self.attention is None:
            both = xray if second is None else torch.cat((xray, second), 1)
            return self._decoded(self.encoder(self._normal(both)), xray)
        assert second is not None  # noqa: S101 for the type checker
        features, logits = self.attention(self.encoder(self._normal(xray)), self._normal(second))
        return replace(self._decoded(features, xray), attention=cropped(logits, xray, self.config.fold))

    def _normal(self, image: Tensor) -> Tensor:
        return (padded(image, self.stride) - _MIDDLE) / _SPREAD

    def _decoded(self, features: Sequence[Tensor], xray: Tensor) -> Segmentation:
        below = features[-1]
        for block, skip in reversed(list(zip(self.decoder, features[:-1], strict=True))):
            below = block(torch.cat((interpolate(below, scale_factor=2, mode="nearest"), skip), 1))
        return Segmentation(cropped(pixel_shuffle(self.head(below), self.config.fold), xray))

    def parts(self) -> Mapping[str, nn.Module]:
        """encoder, decoder, head and, where the prior is taken in by it, attention."""
        parts = {"encoder": self.encoder, "decoder": self.decoder, "head": self.head}
        return parts if self.attention is None else {**parts, "attention": self.attention}

    def encoder_stages(self) -> Sequence[nn.Module]:
        """The encoder's stages, finest first."""
        return list(self.encoder.stages)


class ResEncoder(nn.Module):
    """The way down: features of every stage, finest first."""

    def __init__(self, config: ResUNet.Config) -> None:
        super().__init__()
        self.fold = config.fold
        inputs = config.inputs if config.fusion == "concatenate" else 1
        self.stem = nn.Conv2d(inputs * config.fold**2, config.widths[0], 3, padding=1, bias=False)
        ins = (config.widths[0], *config.widths[:-1])
        self.stages = nn.ModuleList(
            _blocks(pair, count, config.norm) for *pair, count in zip(ins, config.widths, config.blocks, strict=True)
        )
        self.pool = nn.MaxPool2d(2)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of an image [B, inputs, H, W] whose size is a multiple of the stride."""
        features = [self.stages[0](self.stem(pixel_unshuffle(image, self.fold)))]
        for stage in self.stages[1:]:
            features.append(stage(self.pool(features[-1])))
        return features


class StageAttention(nn.Module):
    """Where a prior says to look, at each of the encoder's stages: f1·(1 + α·f2), as in the sources' networks.

    There one map, made at full size, is brought to the size of the deepest features (`hilum.models.attention`). Here a
    small encoder with one convolution a stage, a quarter as wide, gives each stage a map and an α of its own.
    """

    def __init__(self, config: ResUNet.Config) -> None:
        super().__init__()
        widths = [max(width // 4, 8) for width in config.widths]
        self.fold = config.fold
        ins = ((config.inputs - 1) * config.fold**2, *widths[:-1])
        self.stages = nn.ModuleList(conv_unit(pair, config.norm) for pair in zip(ins, widths, strict=True))
        self.maps = nn.ModuleList(nn.Conv2d(width, 1, 1) for width in widths)
        self.fusions = nn.ModuleList(Fusion(_ALPHA, "bilinear") for _ in widths)
        self.pool = nn.MaxPool2d(2)
        initialise(self)
        for layer in self.maps:
            assert isinstance(layer, nn.Conv2d)  # noqa: S101 for the type checker
            expect(layer, 0.5)

    def forward(self, features: Sequence[Tensor], prior: Tensor) -> tuple[list[Tensor], Tensor]:
        """Features of every stage under attention, and the mean of the stages' logits at the finest one's size.

        Args:
            features: [B, C, h, w] of the X-ray, finest first.
            prior: [B, 1 or 2, H, W], normalised, H and W multiples of the network's stride.
        """
        below = pixel_unshuffle(prior, self.fold)
        fused: list[Tensor] = []
        logits: list[Tensor] = []
        for stage, to_map, fusion, own in zip(self.stages, self.maps, self.fusions, features, strict=True):
            below = stage(self.pool(below) if logits else below)
            logits.append(to_map(below))
            fused.append(fusion(own, logits[-1].sigmoid()))
        size = logits[0].shape[-2:]
        raised = [interpolate(one, size, mode="bilinear", align_corners=False) for one in logits[1:]]
        return fused, torch.stack([logits[0], *raised]).mean(0)


def _blocks(channels: Sequence[int], count: int, norm: Norm) -> nn.Sequential:
    first, width = channels
    rest = [ResBlock((width, width), norm) for _ in range(count - 1)]
    return nn.Sequential(ResBlock((first, width), norm), *rest)


class ResBlock(nn.Module):
    """Two convolutions of kernel 3 beside a shortcut, ReLU after the sum; one of kernel 1 where widths differ."""

    def __init__(self, channels: tuple[int, int], norm: Norm = "batch", axes: int = 2) -> None:
        super().__init__()
        first, width = channels
        conv = LAYERS[axes].conv
        self.conv1 = conv(first, width, 3, padding=1, bias=norm == "none")
        self.norm1 = normalisation(norm, width, axes)
        self.conv2 = conv(width, width, 3, padding=1, bias=norm == "none")
        self.norm2 = normalisation(norm, width, axes)
        self.shortcut = nn.Identity() if first == width else conv(first, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, width, H, W] of [B, first, H, W], or of three axes."""
        inner = self.norm1(self.conv1(x)).relu_()
        return (self.norm2(self.conv2(inner)) + self.shortcut(x)).relu_()  # type: ignore[no-any-return]
