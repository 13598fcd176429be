"""The source project's improved model; each of its steps can be taken back to the original one."""

from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from hilum.models.attended import AttendedResNet, adaptation
from hilum.models.attention import AttentionKind
from hilum.models.decoders import ProgressiveDecoder, TransposedDecoder


class Improved(AttendedResNet):
    """ResNet-50, deep and multi-scale attention on a second image, f1·(1 + α·f2), transposed convolutions up.

    With attention ("shallow",) of 32 channels, resized bilinearly, and the progressive decoder it is `Original`. Which
    of the encoder's stages learn is the training's business: the source trains the last two.
    """

    class Config(AttendedResNet.Config):
        """What the improved model is made of."""

        attention: tuple[AttentionKind, ...] = ("deep", "multiscale")
        """Kinds of attention whose logits add up; [] for none, and then no second image is looked at. shallow: 7×7,
        5×5, 3×3. deep: seven layers with residuals. multiscale: at a quarter, a half and full size."""
        attention_channels: Annotated[int, Field(ge=4)] = 64
        """Channels of the attention's first layers."""
        attention_resize: Literal["bilinear", "area"] = "area"
        """How the attention comes to the features' size. bilinear looks at 2×2 of its 32×32 pixels, area at all."""
        decoder: Literal["progressive", "transposed"] = "transposed"
        """transposed: five learned enlargements. progressive: the original's adaptation and head."""
        decoder_channels: Annotated[int, Field(ge=32)] = 256
        """Channels after the first transposed convolution; each further one halves them."""
        adapted: Annotated[int, Field(ge=16)] = 128
        """Channels of the adaptation before a progressive decoder."""

    config: Config

    def _adaptation(self, channels: int) -> tuple[nn.Module, int]:
        if self.config.decoder == "transposed":
            return super()._adaptation(channels)
        return adaptation(channels, self.config.adapted), self.config.adapted

    def _decoder(self, channels: int) -> ProgressiveDecoder | TransposedDecoder:
        if self.config.decoder == "transposed":
            return TransposedDecoder(channels, self.config.decoder_channels)
        return ProgressiveDecoder(channels)
