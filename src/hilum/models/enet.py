"""ENet (Paszke 2016): a network of bottlenecks, most of them at an eighth of the image; skips and CBAM if asked."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from hilum.models.blocks import expect
from hilum.models.bottlenecks import Activation, Down, Initial, Middle, Regular, Up, unit
from hilum.models.cbam import CBAM
from hilum.models.network import Network, StackedConfig, cropped, normalised
from hilum.models.output import Segmentation

_EARLY = 0.1
"""Dropout of the first stage, of that everywhere else: .01 of .1 in the paper (section 4)."""
_CROSS = Middle(asymmetric=True)
_SERIES = (Middle(), Middle(2), _CROSS, Middle(4), Middle(), Middle(8), _CROSS, Middle(16))
"""Bottlenecks 2.1 to 2.8; 3.1 to 3.8 are the same (table 1)."""


class ENet(Network):
    """A stem and 23 bottlenecks; pooled twice more after the stem, max-unpooled on the way up.

    348,853 parameters: source E's 348,852 and a bias of the last layer, which lets training start at
    `start_probability`. The paper leaves out the skips: `skips` adds them as in a U-Net, `cbam` attention (Woo 2018).
    """

    class Config(StackedConfig):
        """What the network is made of."""

        widths: tuple[PositiveInt, PositiveInt, PositiveInt] = (16, 64, 128)
        """Channels at a half, a quarter and an eighth of the image's rows and columns."""
        activation: Activation = "prelu"
        """Of the encoder; prelu has one learned slope a layer."""
        decoder_activation: Activation = "relu"
        """Of the decoder; relu as in the authors' code."""
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
        """Probability that a channel of a bottleneck is dropped in training, in the first stage a tenth of it."""
        skips: bool = False
        """Whether the stem's and the first stage's features are put beside the decoder's of their size, and a 1×1
        convolution makes one of both."""
        cbam: bool = False
        """Whether each of the sixteen bottlenecks at an eighth weighs its channels and places before the sum."""
        cbam_reduction: PositiveInt = 8
        """What the attention to channels divides their number by; 8 makes the difference that source E names."""
        start_probability: Annotated[float, Field(gt=0, lt=1)] = 0.01
        """Probability of foreground that an untrained network gives."""

        @model_validator(mode="after")
        def _wider_and_wider(self) -> Self:
            if not self.inputs < self.widths[0] <= self.widths[1] <= self.widths[2]:
                raise ValueError(f"widths {self.widths} have to be above inputs ({self.inputs}), and never fall")
            return self

    config: Config
    stride = 8

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.encoder = ENetEncoder(config)
        self.decoder = ENetDecoder(config)
        self.head = nn.ConvTranspose2d(config.widths[0], 1, 3, stride=2, padding=1, output_padding=1)
        # PyTorch's own first numbers: with Kaiming's by outputs, features would grow in each of the 23 bottlenecks.
        expect(self.head, config.start_probability)

    def forward(self, xray: Tensor, prior: Tensor | None = None) -> Segmentation:
        """Logits [B, 1, H, W] of a picture [B, 1, H, W], 0 to 1, dense is bright.

        With `inputs` 2, `prior` [B, 1, H, W] is a second channel, and the picture itself when it is None; with 3 it is
        [B, 2, H, W].
        """
        image = normalised(xray, prior, self.config.inputs, self.stride)
        return Segmentation(cropped(self.head(self.decoder(self.encoder(image))), xray))

    def parts(self) -> Mapping[str, nn.Module]:
        """encoder, decoder and head."""
        return {"encoder": self.encoder, "decoder": self.decoder, "head": self.head}

    def encoder_stages(self) -> Sequence[nn.Module]:
        """The stem, the bottlenecks at a quarter and those at an eighth."""
        return list(self.encoder.stages)


class ENetEncoder(nn.Module):
    """The way down: features at a half, a quarter and an eighth."""

    def __init__(self, config: ENet.Config) -> None:
        super().__init__()
        kind, first, (half, quarter, eighth) = config.activation, config.dropout * _EARLY, config.widths
        stem = nn.Sequential(Initial((config.inputs, half), kind))
        early = nn.Sequential(Down((half, quarter), kind, first))
        early.extend(Regular(quarter, Middle(), kind, first) for _ in range(4))
        late = nn.Sequential(Down((quarter, eighth), kind, config.dropout))
        for middle in (*_SERIES, *_SERIES):
            attention = CBAM(eighth, config.cbam_reduction) if config.cbam else None
            late.append(Regular(eighth, middle, kind, config.dropout, attention))
        self.stages = nn.ModuleList((stem, early, late))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of an image [B, inputs, H, W], H and W multiples of 8, finest first."""
        features = [image]
        for stage in self.stages:
            features.append(stage(features[-1]))
        return features[1:]


class ENetDecoder(nn.Module):
    """The way up, to a half: two upsampling bottlenecks with two and one regular ones after them."""

    def __init__(self, config: ENet.Config) -> None:
        super().__init__()
        kind, (half, quarter, eighth) = config.decoder_activation, config.widths
        pairs, counts = ((eighth, quarter), (quarter, half)), (2, 1)
        self.ups = nn.ModuleList(Up(pair, kind, config.dropout) for pair in pairs)
        self.joins = nn.ModuleList(_joins(config))
        self.stages = nn.ModuleList(
            nn.Sequential(*(Regular(width, Middle(), kind, config.dropout) for _ in range(count)))
            for (_, width), count in zip(pairs, counts, strict=True)
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Features [B, C, H/2, W/2] of the encoder's."""
        *finer, x = features
        for step, pooled in enumerate(reversed(finer)):
            x = self.ups[step](x, pooled)
            if self.joins:
                x = self.joins[step](torch.cat((x, pooled), 1))
            x = self.stages[step](x)
        return x


def _joins(config: ENet.Config) -> Iterator[nn.Module]:
    """What makes one of the decoder's and the encoder's features, coarsest first; nothing without skips."""
    if config.skips:
        for width in config.widths[1::-1]:
            conv = nn.Conv2d(2 * width, width, 1, bias=False)
            yield unit(conv, width, config.decoder_activation)
