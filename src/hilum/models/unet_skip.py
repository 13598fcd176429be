"""The source project's U-Net variant: skips from every stage of the ResNet."""

from hilum.models.attended import AttendedResNet
from hilum.models.decoders import SkipDecoder


class UNetSkip(AttendedResNet):
    """ResNet-50, shallow attention on a second image, f1·(1 + α·f2), a U-Net's way up with skips of every stride."""

    class Config(AttendedResNet.Config):
        """What the U-Net variant is made of."""

    config: Config

    def _decoder(self, channels: int) -> SkipDecoder:
        return SkipDecoder(channels, self.config.resnet.channels[:-1])
