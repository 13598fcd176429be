"""ResNet-50 (He 2016) as an encoder: MONAI's layers under torchvision's names, features of every stride."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, PositiveInt
from torch import Tensor, nn

from hilum.config import FrozenConfig

_EXPANSION = 4  # a bottleneck's last convolution has four times the channels of its first (He 2016, table 1)
_HOUNSFIELD = 1024.0  # torchxrayvision's networks take −1024 to 1024


class ResNetShape(FrozenConfig):
    """How large the encoder is; the defaults are ResNet-50, the only shape that pretrained weights fit."""

    width: PositiveInt = 64
    """Channels after the first convolution; the stages have 4, 8, 16 and 32 times as many."""
    blocks: Annotated[tuple[PositiveInt, ...], Field(min_length=4, max_length=4)] = (3, 4, 6, 3)
    """Bottlenecks in each of the four stages."""

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the features of strides 2, 4, 8, 16 and 32."""
        return (self.width, *(self.width * _EXPANSION * 2**stage for stage in range(4)))


class ResNetEncoder(nn.Module):
    """A ResNet without its classifier; the state dict has torchvision's keys, for one input channel."""

    STRIDE = 32

    def __init__(self, shape: ResNetShape) -> None:
        super().__init__()
        from monai.networks.nets.resnet import ResNet  # two seconds: only where a ResNet is built

        planes = [shape.width * 2**stage for stage in range(4)]
        settings = {"conv1_t_size": 7, "conv1_t_stride": 2, "bias_downsample": False, "feed_forward": False}
        net = ResNet("bottleneck", list(shape.blocks), planes, spatial_dims=2, n_input_channels=1, **settings)
        self.conv1: nn.Module = net.conv1
        self.bn1: nn.Module = net.bn1
        self.relu = nn.ReLU(inplace=True)
        self.maxpool: nn.Module = net.maxpool
        self.layer1: nn.Module = net.layer1
        self.layer2: nn.Module = net.layer2
        self.layer3: nn.Module = net.layer3
        self.layer4: nn.Module = net.layer4

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of strides 2, 4, 8, 16, 32 (64, 256, 512, 1024, 2048 channels) of an image [B, 1, H, W], 0 to 1."""
        features = [self.relu(self.bn1(self.conv1((2 * image - 1) * _HOUNSFIELD)))]
        below = self.maxpool(features[0])
        for stage in self.stages():
            below = stage(below)
            features.append(below)
        return features

    def stages(self) -> Sequence[nn.Module]:
        """The four stages of bottlenecks, finest first."""
        return [self.layer1, self.layer2, self.layer3, self.layer4]
