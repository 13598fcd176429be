"""The networks by name, and how a name and options become one."""

from collections.abc import Mapping
from typing import Any

from hilum.config import Choice, built
from hilum.models.attention_unet3d import AttentionUNet3D
from hilum.models.class_network import ClassSlim, ClassUNet
from hilum.models.deep_attention import Improved
from hilum.models.enet import ENet
from hilum.models.network import Network
from hilum.models.original import Original
from hilum.models.res_unet import ResUNet
from hilum.models.retina3d import RetinaNet3D
from hilum.models.segnet import SegNet
from hilum.models.slim_unet import SlimUNet
from hilum.models.slim_unet3d import SlimUNet3D
from hilum.models.swin_unetr import SwinUNETR
from hilum.models.unet import UNet
from hilum.models.unet3d import UNet3D
from hilum.models.unet_skip import UNetSkip

MODELS: dict[str, type[Network]] = {
    "unet": UNet,
    "original": Original,
    "improved": Improved,
    "unet_skip": UNetSkip,
    "res_unet": ResUNet,
    "segnet": SegNet,
    "enet": ENet,
    "swin_unetr": SwinUNETR,
    "slim_unet": SlimUNet,
    "unet3d": UNet3D,
    "attention_unet3d": AttentionUNet3D,
    "slim_unet3d": SlimUNet3D,
    "retina3d": RetinaNet3D,
    "class_unet": ClassUNet,
    "class_slim": ClassSlim,
}


class ModelConfig(Choice):
    """Which network, with every option; options that were left out are filled with their defaults."""

    kind = "model"

    name: str = "unet"
    """A name in the catalogue; `hilum models` lists them."""

    @classmethod
    def family(cls) -> Mapping[str, type[Network]]:
        """The networks."""
        return MODELS

    @property
    def prior_channels(self) -> tuple[int, ...]:
        """How many images the network can be given beside the X-ray, as it is set."""
        config: Network.Config = MODELS[self.name].Config.of(self.options)
        return config.prior_channels

    @property
    def axes(self) -> int:
        """Of the network's pictures: 2 or 3."""
        return MODELS[self.name].axes

    @property
    def finds_boxes(self) -> bool:
        """Whether the network gives boxes, and no logits of pixels."""
        return MODELS[self.name].finds_boxes

    @property
    def gives_classes(self) -> bool:
        """Whether the network gives pixels or films one of several classes."""
        return MODELS[self.name].gives_classes

    def build(self) -> Network:
        """The network, from scratch; `torch.manual_seed` decides its numbers."""
        return build_model(self.name, self.options)


def build_model(name: str, options: Mapping[str, Any] | None = None) -> Network:
    """The network of this name in `MODELS`, from scratch; `torch.manual_seed` decides its numbers.

    Raises:
        ConfigError: no such network, no such setting, or a value that can't be.
    """
    return built(MODELS, "model", name, options)
