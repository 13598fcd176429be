"""The source project's model, as its guide describes it (claims and differences: docs/explanation/models.md)."""

from typing import Annotated

from pydantic import Field
from torch import nn

from hilum.models.attended import AttendedResNet, adaptation
from hilum.models.decoders import ProgressiveDecoder


class Original(AttendedResNet):
    """ResNet-50, 128 adapted channels, shallow attention on a second image, f1·(1 + α·f2), progressive head."""

    class Config(AttendedResNet.Config):
        """What the original model is made of."""

        adapted: Annotated[int, Field(ge=16)] = 128
        """Channels that the encoder's 2048 are brought to; the head halves them four times."""
        start_probability: Annotated[float, Field(gt=0, lt=1)] = 0.5
        """Probability of foreground that an untrained network gives."""

    config: Config

    def _adaptation(self, channels: int) -> tuple[nn.Module, int]:
        return adaptation(channels, self.config.adapted), self.config.adapted

    def _decoder(self, channels: int) -> ProgressiveDecoder:
        return ProgressiveDecoder(channels)
