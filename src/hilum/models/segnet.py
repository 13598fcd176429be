"""SegNet: a decoder that unpools to where the encoder's maxima were (Badrinarayanan 2017)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from hilum.models.blocks import Norm, expect, initialise, normalisation
from hilum.models.network import Network, StackedConfig, cropped, normalised
from hilum.models.output import Segmentation
from hilum.models.unpooling import unpooled


class SegNet(Network):
    """3×3 convolutions and max pooling down; the mirror of it up, after max-unpooling; no skips.

    The defaults are the size that source E names: 9,374,593 parameters with `bias`. The paper's, VGG-16's thirteen
    convolutions, are `widths` (64, 128, 256, 512, 512) and `convolutions` (2, 2, 3, 3, 3).
    """

    class Config(StackedConfig):
        """What the network is made of."""

        widths: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (64, 128, 256, 512)
        """Channels of each stage, finest first; after each of them the image is halved."""
        convolutions: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (2, 2, 2, 2)
        """3×3 convolutions of each stage, as many in the encoder as in the decoder."""
        norm: Norm = "batch"
        """Normalisation."""
        bias: bool = False
        """Whether convolutions have a bias before the normalisation, which takes it away again; source E's have."""
        start_probability: Annotated[float, Field(gt=0, lt=1)] = 0.01
        """Probability of foreground that an untrained network gives."""

        @model_validator(mode="after")
        def _one_count_a_stage(self) -> Self:
            if len(self.widths) != len(self.convolutions):
                raise ValueError(f"{len(self.widths)} widths and {len(self.convolutions)} counts of convolutions")
            return self

    config: Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.stride = 2 ** len(config.widths)
        finer = (config.inputs, *config.widths[:-1])
        stages = list(zip(finer, config.widths, config.convolutions, strict=True))
        self.encoder = nn.ModuleList(_stage([into] + [width] * count, config) for into, width, count in stages)
        # The last convolution of all is the head, which gives logits.
        last = config.convolutions[0]
        outs = [[config.widths[0]] * last, *([width] * count + [into] for into, width, count in stages[1:])]
        self.decoder = nn.ModuleList(_stage(channels, config) for channels in outs)
        self.head = nn.Conv2d(config.widths[0], 1, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        initialise(self)
        expect(self.head, config.start_probability)

    def forward(self, xray: Tensor, prior: Tensor | None = None) -> Segmentation:
        """Logits [B, 1, H, W] of a picture [B, 1, H, W], 0 to 1, dense is bright.

        With `inputs` 2, `prior` [B, 1, H, W] is a second channel, and the picture itself when it is None; with 3 it is
        [B, 2, H, W].
        """
        below = normalised(xray, prior, self.config.inputs, self.stride)
        features: list[Tensor] = []
        for stage in self.encoder:
            features.append(stage(below))
            below = self.pool(features[-1])
        for stage, pooled in reversed(list(zip(self.decoder, features, strict=True))):
            below = stage(unpooled(below, pooled))
        return Segmentation(cropped(self.head(below), xray))

    def parts(self) -> Mapping[str, nn.Module]:
        """encoder, decoder and head."""
        return {"encoder": self.encoder, "decoder": self.decoder, "head": self.head}

    def encoder_stages(self) -> Sequence[nn.Module]:
        """The encoder's stages, finest first."""
        return list(self.encoder)


def _stage(channels: Sequence[int], config: SegNet.Config) -> nn.Sequential:
    """3×3 convolutions from each of these widths to the next, with normalisation and ReLU."""
    layers = nn.Sequential()
    for into, out in pairwise(channels):
        bias = config.bias or config.norm == "none"
        layers.append(nn.Conv2d(into, out, 3, padding=1, bias=bias))
        layers.append(normalisation(config.norm, out))
        layers.append(nn.ReLU(inplace=True))
    return layers
