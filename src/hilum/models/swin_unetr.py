"""Swin-UNETR in two dimensions (Hatamizadeh 2022): MONAI's, as one of this house's networks."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import pad

from hilum.core import MissingError
from hilum.models.blocks import expect
from hilum.models.network import Network, StackedConfig, cropped, normalised
from hilum.models.output import Segmentation

_LEAST = 64
"""Least rows and columns: at 32 the coarsest features are one pixel, which can't be normalised by their own spread."""


class SwinUNETR(Network):
    """A transformer with shifted windows (Liu 2021) down, residual convolutions up, skips of every stage.

    Windows are laid out for the size that comes in, so an exported network takes that size only.
    """

    class Config(StackedConfig):
        """What the network is made of."""

        features: Annotated[int, Field(ge=12, multiple_of=12)] = 24
        """Channels at a half of the image's rows and columns, doubled at each of four stages; the first one's three
        heads and the decoder's groups ask for a multiple of 12."""
        depths: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (2, 2, 2, 2)
        """Transformer blocks of each stage."""
        window: PositiveInt = 7
        """Side of the windows that attention looks at; every second block's are shifted by half of it."""
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
        """Probability that a number of the transformer's layers is dropped in training."""
        start_probability: Annotated[float, Field(gt=0, lt=1)] = 0.01
        """Probability of foreground that an untrained network gives."""

    config: Config
    stride = 32
    any_size_in_a_graph = False

    def __init__(self, config: Config) -> None:
        from monai.networks.nets.swin_unetr import SwinUNETR as Whole

        super().__init__(config)
        options = {"depths": config.depths, "window_size": config.window, "drop_rate": config.dropout}
        with torch.device("cpu"):  # MONAI reads numbers of a tensor, and one of the device "meta" has none
            whole = Whole(config.inputs, 1, feature_size=config.features, spatial_dims=2, **options)
        self.encoder = whole.swinViT
        self.bridges = nn.ModuleList((whole.encoder1, whole.encoder2, whole.encoder3, whole.encoder4, whole.encoder10))
        ups = (whole.decoder5, whole.decoder4, whole.decoder3, whole.decoder2, whole.decoder1)
        self.decoder = nn.ModuleList(ups)
        self.head: nn.Conv2d = whole.out.conv.conv
        expect(self.head, config.start_probability)

    def forward(self, xray: Tensor, prior: Tensor | None = None) -> Segmentation:
        """Logits [B, 1, H, W] of a picture [B, 1, H, W], 0 to 1, dense is bright.

        With `inputs` 2, `prior` [B, 1, H, W] is a second channel, and the picture itself when it is None; with 3 it is
        [B, 2, H, W].

        Raises:
            GeometryError: shapes that don't belong together.
            MissingError: einops, which MONAI's transformer needs, is not installed.
        """
        image = _at_least(normalised(xray, prior, self.config.inputs, self.stride))
        # The order of MONAI's own forward: the fourth of the five stages goes to the decoder as it is.
        *finer, fourth, last = self._encoded(image)
        skips = [bridge(one) for bridge, one in zip(self.bridges[:4], (image, *finer), strict=True)]
        below = self.bridges[4](last)
        for up, skip in zip(self.decoder, (fourth, *reversed(skips)), strict=True):
            below = up(below, skip)
        return Segmentation(cropped(self.head(below), xray))

    def _encoded(self, image: Tensor) -> Sequence[Tensor]:
        from monai.utils.module import OptionalImportError

        try:
            return self.encoder(image)  # type: ignore[no-any-return]
        except OptionalImportError as error:
            raise MissingError("swin_unetr needs the package einops.", "pip install einops") from error

    def parts(self) -> Mapping[str, nn.Module]:
        """The encoder (a transformer), bridges (convolutions of its stages), decoder and head."""
        return {"encoder": self.encoder, "bridges": self.bridges, "decoder": self.decoder, "head": self.head}

    def encoder_stages(self) -> Sequence[nn.Module]:
        """The transformer's four stages, finest first."""
        return [getattr(self.encoder, f"layers{stage}")[0] for stage in (1, 2, 3, 4)]


def _at_least(image: Tensor) -> Tensor:
    """An image with its last row and column repeated until there are `_LEAST` of both."""
    below, right = (max(_LEAST - size, 0) for size in image.shape[-2:])
    return pad(image, (0, right, 0, below), mode="replicate") if below or right else image
