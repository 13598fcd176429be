"""A slim U-Net for pieces of a CT: hilum's own network of three axes."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt

from hilum.models.slim_unet import SlimUNet


class SlimUNet3D(SlimUNet):
    """`slim_unet` in three dimensions, for pieces of a CT with or without a second image that says where to look.

    Cubes of `fold` voxels a side become channels; all else is as there.
    """

    class Config(SlimUNet.Config):
        """What the network is made of."""

        widths: Annotated[tuple[PositiveInt, ...], Field(min_length=2)] = (16, 32, 64, 96)
        """Channels of each stage, finest first; between two stages the image is halved along each axis."""
        blocks: Annotated[tuple[NonNegativeInt, ...], Field(min_length=2)] = (1, 1, 2, 1)
        """Residual blocks of each stage of the encoder. The decoder has one a stage, and one convolution where the
        encoder has no block; only the finest stage can be without."""

    config: Config
    axes = 3
