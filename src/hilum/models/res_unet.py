"""A residual U-Net that folds pixels into channels: hilum's own network for X-rays."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle, pixel_unshuffle

from hilum.models.blocks import Norm, expect, initialise, normalisation
from hilum.models.network import Network, cropped, padded, require_inputs
from hilum.models.output import Segmentation

_MIDDLE, _SPREAD = 0.5, 0.25  # as in the plain U-Net


class ResUNet(Network):
    """Residual blocks (He 2016) down and up, skips by concatenation, nearest neighbours on the way up.

    Squares of `fold` × `fold` pixels become channels before the first convolution, and logits are unfolded in the same
    way (Shi 2016): full resolution in and out, a `fold`² of the work in between.
    """

    class Config(Network.Config):
        """What the network is made of."""

        widths: Annotated[tuple[PositiveInt, ...], Field(min_length=2)] = (32, 64, 96, 128, 160)
        """Channels of each stage, finest first; between two stages the image is halved."""
        blocks: Annotated[tuple[PositiveInt, ...], Field(min_length=2)] = (1, 1, 2, 2, 2)
        """Residual blocks of each stage of the encoder; the decoder has one a stage."""
        fold: Literal[1, 2, 4] = 4
        """Side of the squares that become channels."""
        norm: Norm = "batch"
        """Normalisation."""
        inputs: Literal[1, 2] = 1
        """2: a second image (the prior) is a second channel; 1: it is not looked at."""
        start_probability: Annotated[float, Field(gt=0, lt=1)] = 0.007
        """Probability of foreground that an untrained network gives."""

        @model_validator(mode="after")
        def _one_count_a_stage(self) -> Self:
            if len(self.widths) != len(self.blocks):
                raise ValueError(f"{len(self.widths)} widths and {len(self.blocks)} counts of blocks")
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

    def forward(self, xray: Tensor, prior: Tensor | None = None) -> Segmentation:
        """Logits [B, 1, H, W] of an X-ray [B, 1, H, W], 0 to 1, dense is bright.

        With `inputs` 2, `prior` [B, 1, H, W] is a second channel, and the X-ray itself when it is None.
        """
        require_inputs(xray, prior)
        both = (xray,) if self.config.inputs == 1 else (xray, xray if prior is None else prior)
        features = self.encoder((padded(torch.cat(both, 1), self.stride) - _MIDDLE) / _SPREAD)
        below = features[-1]
        for block, skip in reversed(list(zip(self.decoder, features[:-1], strict=True))):
            below = block(torch.cat((interpolate(below, scale_factor=2, mode="nearest"), skip), 1))
        return Segmentation(cropped(pixel_shuffle(self.head(below), self.config.fold), xray))

    def parts(self) -> Mapping[str, nn.Module]:
        """encoder, decoder and head."""
        return {"encoder": self.encoder, "decoder": self.decoder, "head": self.head}

    def encoder_stages(self) -> Sequence[nn.Module]:
        """The encoder's stages, finest first."""
        return list(self.encoder.stages)


class ResEncoder(nn.Module):
    """The way down: features of every stage, finest first."""

    def __init__(self, config: ResUNet.Config) -> None:
        super().__init__()
        self.fold = config.fold
        self.stem = nn.Conv2d(config.inputs * config.fold**2, config.widths[0], 3, padding=1, bias=False)
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


def _blocks(channels: Sequence[int], count: int, norm: Norm) -> nn.Sequential:
    first, width = channels
    rest = [ResBlock((width, width), norm) for _ in range(count - 1)]
    return nn.Sequential(ResBlock((first, width), norm), *rest)


class ResBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut, ReLU after the sum; the shortcut is 1×1 where the width changes."""

    def __init__(self, channels: tuple[int, int], norm: Norm = "batch") -> None:
        super().__init__()
        first, width = channels
        self.conv1 = nn.Conv2d(first, width, 3, padding=1, bias=False)
        self.norm1 = normalisation(norm, width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = normalisation(norm, width)
        self.shortcut = nn.Identity() if first == width else nn.Conv2d(first, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, width, H, W] of [B, first, H, W]."""
        inner = self.norm1(self.conv1(x)).relu_()
        return (self.norm2(self.conv2(inner)) + self.shortcut(x)).relu_()  # type: ignore[no-any-return]
