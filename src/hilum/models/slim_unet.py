"""A slim U-Net: hilum's own network for CT slices, for less than 700 M multiply-accumulates at 512 × 512."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn.functional import interpolate

from hilum.models.blocks import LAYERS, Norm, conv_unit, expect, folded, initialise, normalisation, unfolded
from hilum.models.network import Network, StackedConfig, cropped, normalised
from hilum.models.output import Segmentation
from hilum.models.res_unet import ResBlock


class SlimUNet(Network):
    """Residual blocks where the picture is small, one convolution where it is large, skips by addition.

    Squares of `fold` × `fold` pixels become channels (Shi 2016). Coarser features are narrowed before they are enlarged
    and added to the encoder's (Chaurasia 2017), so that no convolution of the decoder sees twice the channels. All
    convolutions are 3×3 or 1×1 ones of all channels: depthwise ones have fewer multiply-accumulates and take longer.
    """

    class Config(StackedConfig):
        """What the network is made of."""

        widths: Annotated[tuple[PositiveInt, ...], Field(min_length=2)] = (8, 16, 32, 64, 96)
        """Channels of each stage, finest first; between two stages the image is halved."""
        blocks: Annotated[tuple[NonNegativeInt, ...], Field(min_length=2)] = (0, 1, 2, 2, 2)
        """Residual blocks of each stage of the encoder. The decoder has one a stage, and one convolution where the
        encoder has no block; only the finest stage can be without."""
        fold: Literal[1, 2, 4] = 2
        """Side of the squares that become channels."""
        norm: Norm = "batch"
        """Normalisation."""
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
        """Probability that a channel of the coarsest stage is dropped in training."""
        start_probability: Annotated[float, Field(gt=0, lt=1)] = 0.01
        """Probability of foreground that an untrained network gives."""

        @model_validator(mode="after")
        def _one_count_a_stage(self) -> Self:
            if len(self.widths) != len(self.blocks):
                raise ValueError(f"{len(self.widths)} widths and {len(self.blocks)} counts of blocks")
            if 0 in self.blocks[1:]:
                raise ValueError(f"blocks {self.blocks}: only the finest stage can be without one")
            return self

    config: Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.stride = config.fold * 2 ** (len(config.widths) - 1)
        self.encoder = SlimEncoder(config, self.axes)
        self.decoder = SlimDecoder(config, self.axes)
        self.head = LAYERS[self.axes].conv(config.widths[0], config.fold**self.axes, 1)
        initialise(self)
        expect(self.head, config.start_probability)

    def forward(self, xray: Tensor, prior: Tensor | None = None) -> Segmentation:
        """Logits [B, 1, H, W] of a picture [B, 1, H, W], 0 to 1, dense is bright.

        With `inputs` 2, `prior` [B, 1, H, W] is a second channel, and the picture itself when it is None; with 3 it is
        [B, 2, H, W].
        """
        image = normalised(xray, prior, self.config.inputs, self.stride, self.axes)
        logits = self.head(self.decoder(self.encoder(image)))
        return Segmentation(cropped(unfolded(logits, self.config.fold), xray))

    def parts(self) -> Mapping[str, nn.Module]:
        """encoder, decoder and head."""
        return {"encoder": self.encoder, "decoder": self.decoder, "head": self.head}

    def encoder_stages(self) -> Sequence[nn.Module]:
        """The encoder's stages, finest first."""
        return list(self.encoder.stages)


class SlimEncoder(nn.Module):
    """The way down: features of every stage, finest first."""

    def __init__(self, config: SlimUNet.Config, axes: int = 2) -> None:
        super().__init__()
        self.fold, layers, norm = config.fold, LAYERS[axes], config.norm
        stem = conv_unit((config.inputs * config.fold**axes, config.widths[0]), norm, axes=axes)
        finest = nn.Sequential(stem, *_blocks((config.widths[0],) * 2, config.blocks[0], norm, axes))
        pairs = zip(pairwise(config.widths), config.blocks[1:], strict=True)
        coarser = (nn.Sequential(layers.pool(2), *_blocks(pair, count, norm, axes)) for pair, count in pairs)
        self.stages = nn.ModuleList((finest, *coarser))
        self.dropout = layers.dropout(config.dropout)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of an image [B, inputs, H, W] whose size is a multiple of the stride."""
        features = [folded(image, self.fold)]
        for stage in self.stages:
            features.append(stage(features[-1]))
        return [*features[1:-1], self.dropout(features[-1])]


class SlimDecoder(nn.Module):
    """The way up: coarser features are narrowed, enlarged, added to the encoder's, and convolved."""

    def __init__(self, config: SlimUNet.Config, axes: int = 2) -> None:
        super().__init__()
        pairs, norm = list(pairwise(config.widths)), config.norm
        self.narrow = nn.ModuleList(
            nn.Sequential(LAYERS[axes].conv(coarse, fine, 1, bias=norm == "none"), normalisation(norm, fine, axes))
            for fine, coarse in pairs
        )
        self.stages = nn.ModuleList(
            ResBlock((fine, fine), norm, axes) if count else conv_unit((fine, fine), norm, axes=axes)
            for (fine, _), count in zip(pairs, config.blocks[:-1], strict=True)
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Features [B, C, h, w] of the finest stage."""
        below = features[-1]
        for narrow, stage, skip in reversed(list(zip(self.narrow, self.stages, features[:-1], strict=True))):
            below = stage(interpolate(narrow(below), scale_factor=2, mode="nearest") + skip)
        return below


def _blocks(channels: tuple[int, int], count: int, norm: Norm, axes: int) -> list[nn.Module]:
    first, width = channels
    return [ResBlock((width if step else first, width), norm, axes) for step in range(count)]
