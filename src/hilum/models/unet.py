"""A plain U-Net (Ronneberger 2015) in two dimensions, with stems that make large X-rays cheap."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from hilum.models.blocks import Norm, conv_unit, double_conv, expect, initialise
from hilum.models.network import Network, StackedConfig, cropped, normalised
from hilum.models.output import Segmentation

Stem = Literal["full", "stride2", "unshuffle2", "unshuffle4"]
_STEM_STRIDE: dict[Stem, int] = {"full": 1, "stride2": 2, "unshuffle2": 2, "unshuffle4": 4}


class UNet(Network):
    """Two 3×3 convolutions a stage, max pooling down, transposed convolutions up, skips by concatenation.

    Source E's U-Net, 7,781,761 parameters, is `widths` (64, 128, 256, 512), `stem` full, `up` bilinear, `norm` none.
    """

    class Config(StackedConfig):
        """What a U-Net is made of."""

        widths: Annotated[tuple[PositiveInt, ...], Field(min_length=2)] = (24, 48, 80, 120, 160)
        """Channels of each stage, finest first; between two stages the image is halved."""
        stem: Stem = "stride2"
        """full: the first stage works on every pixel. stride2: on half the rows and columns, by a strided convolution;
        the logits are interpolated. unshuffle2, unshuffle4: squares of 2×2 or 4×4 pixels become channels, and logits
        are unfolded in the same way."""
        norm: Norm = "batch"
        """Normalisation; instance and group don't depend on the batch, batch is the fastest on a CPU. none: biases
        instead."""
        up: Literal["transposed", "bilinear"] = "transposed"
        """How the decoder doubles rows and columns. transposed: a 2×2 convolution, to the next stage's width. bilinear:
        interpolation, with all of the coarser stage's channels."""
        deep_supervision: bool = False
        """Whether the coarser stages of the decoder give logits too."""
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
        """Probability that a channel of the coarsest stage is dropped in training."""
        start_probability: Annotated[float, Field(gt=0, lt=1)] = 0.01
        """Probability of foreground that an untrained network gives."""

    config: Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        factor = _STEM_STRIDE[config.stem]
        self.stride = factor * 2 ** (len(config.widths) - 1)
        self.encoder = UNetEncoder(config)
        self.decoder = UNetDecoder(config)
        self.head = nn.Sequential()
        folded = factor**2 if config.stem.startswith("unshuffle") else 1
        self.head.append(nn.Conv2d(config.widths[0], folded, 1))
        if folded > 1:
            self.head.append(nn.PixelShuffle(factor))
        elif factor > 1:
            self.head.append(nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False))
        coarser = config.widths[1:-1] if config.deep_supervision else ()
        self.deep_heads = nn.ModuleList(nn.Conv2d(width, 1, 1) for width in coarser)
        initialise(self)
        for layer in (self.head[0], *self.deep_heads):
            assert isinstance(layer, nn.Conv2d)  # noqa: S101 for the type checker
            expect(layer, config.start_probability)

    def forward(self, xray: Tensor, prior: Tensor | None = None) -> Segmentation:
        """Logits [B, 1, H, W] of an X-ray [B, 1, H, W], 0 to 1, dense is bright.

        With `inputs` 2, `prior` [B, 1, H, W] is a second channel, and the X-ray itself when it is None; with 3 it is
        [B, 2, H, W].
        """
        image = normalised(xray, prior, self.config.inputs, self.stride)
        stages = self.decoder(self.encoder(image))
        logits = cropped(self.head(stages[0]), xray)
        factor = _STEM_STRIDE[self.config.stem]
        deep = tuple(
            cropped(head(stage), xray, factor * 2**level)
            for level, (head, stage) in enumerate(zip(self.deep_heads, stages[1:], strict=False), start=1)
        )
        return Segmentation(logits, deep=deep)

    def parts(self) -> Mapping[str, nn.Module]:
        """encoder, decoder, head and, with deep supervision, deep_heads."""
        parts = {"encoder": self.encoder, "decoder": self.decoder, "head": self.head}
        return {**parts, "deep_heads": self.deep_heads} if len(self.deep_heads) else parts

    def encoder_stages(self) -> Sequence[nn.Module]:
        """The encoder's stages, finest first."""
        return list(self.encoder.stages)


class UNetEncoder(nn.Module):
    """The way down: features of every stage, finest first."""

    def __init__(self, config: UNet.Config) -> None:
        super().__init__()
        first = config.widths[0]
        factor = _STEM_STRIDE[config.stem]
        channels: int = config.inputs
        self.stem: nn.Module = nn.Identity()
        if config.stem == "stride2":
            self.stem, channels = conv_unit((channels, first), config.norm, stride=2), first
        elif factor > 1:
            self.stem, channels = nn.PixelUnshuffle(factor), channels * factor**2
        ins = (channels, *config.widths[:-1])
        self.stages = nn.ModuleList(double_conv(pair, config.norm) for pair in zip(ins, config.widths, strict=True))
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout2d(config.dropout)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of an image [B, inputs, H, W] whose size is a multiple of the stride."""
        features = [self.stages[0](self.stem(image))]
        for stage in self.stages[1:]:
            features.append(stage(self.pool(features[-1])))
        return [*features[:-1], self.dropout(features[-1])]


def _doubled() -> nn.Upsample:
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)


class UNetDecoder(nn.Module):
    """The way up: each stage takes the coarser one and the encoder's features of its own size."""

    def __init__(self, config: UNet.Config) -> None:
        super().__init__()
        pairs = list(zip(config.widths[1:], config.widths[:-1], strict=True))
        transposed = config.up == "transposed"
        self.ups = nn.ModuleList(nn.ConvTranspose2d(*pair, 2, stride=2) if transposed else _doubled() for pair in pairs)
        ins = [2 * fine if transposed else coarse + fine for coarse, fine in pairs]
        wholes = zip(ins, config.widths[:-1], strict=True)
        self.stages = nn.ModuleList(double_conv(whole, config.norm) for whole in wholes)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Decoded features of every stage but the coarsest, finest first."""
        decoded: list[Tensor] = []
        below = features[-1]
        for up, stage, skip in reversed(list(zip(self.ups, self.stages, features[:-1], strict=True))):
            below = stage(torch.cat((up(below), skip), 1))
            decoded.append(below)
        return decoded[::-1]
