"""Small pieces that several networks are made of."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

Norm = Literal["batch", "instance", "group", "none"]
_GROUPS = 8


@dataclass(frozen=True)
class Layers:
    """PyTorch's layers for images of so many axes.

    Attributes:
        conv: convolution.
        transposed: convolution.
        batch: normalisation over the batch.
        instance: normalisation of each image by itself.
        pool: the maximum of each cell.
        dropout: of whole channels.
        smooth: the mode of interpolation that is linear along each axis.
    """

    conv: type[nn.Conv2d | nn.Conv3d]
    transposed: type[nn.ConvTranspose2d | nn.ConvTranspose3d]
    batch: type[nn.BatchNorm2d | nn.BatchNorm3d]
    instance: type[nn.InstanceNorm2d | nn.InstanceNorm3d]
    pool: type[nn.MaxPool2d | nn.MaxPool3d]
    dropout: type[nn.Dropout2d | nn.Dropout3d]
    smooth: Literal["bilinear", "trilinear"]


LAYERS: Mapping[int, Layers] = {
    2: Layers(nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.InstanceNorm2d, nn.MaxPool2d, nn.Dropout2d, "bilinear"),
    3: Layers(
        nn.Conv3d, nn.ConvTranspose3d, nn.BatchNorm3d, nn.InstanceNorm3d, nn.MaxPool3d, nn.Dropout3d, "trilinear"
    ),
}
"""By the images' axes."""
Convolution: TypeAlias = nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d
CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def normalisation(kind: Norm, channels: int, axes: int = 2) -> nn.Module:
    """A normalisation with learned scale and shift; eight groups, or fewer where eight don't divide the channels.

    none is none: the convolution before it needs a bias.
    """
    if kind == "batch":
        return LAYERS[axes].batch(channels)
    if kind == "instance":
        return LAYERS[axes].instance(channels, affine=True)
    if kind == "none":
        return nn.Identity()
    return nn.GroupNorm(math.gcd(_GROUPS, channels), channels)


def conv_unit(
    channels: tuple[int, int], norm: Norm = "batch", kernel: int = 3, stride: int = 1, axes: int = 2
) -> nn.Sequential:
    """Convolution (channels in, out), normalisation, ReLU; the size is kept at stride 1.

    A bias only where nothing normalises: a normalisation would take it away again.
    """
    conv = LAYERS[axes].conv(*channels, kernel, stride=stride, padding=kernel // 2, bias=norm == "none")
    return nn.Sequential(conv, normalisation(norm, channels[1], axes), nn.ReLU(inplace=True))


def double_conv(channels: tuple[int, int], norm: Norm = "batch", axes: int = 2) -> nn.Sequential:
    """Two convolution units of kernel 3, as at each stage of a U-Net."""
    return nn.Sequential(conv_unit(channels, norm, axes=axes), conv_unit((channels[1], channels[1]), norm, axes=axes))


def folded(image: Tensor, side: int) -> Tensor:
    """[B, C·side^axes, …] of an image [B, C, …] of 2 or 3 axes: cells of so many pixels a side become channels."""
    if image.ndim == 4:
        return pixel_unshuffle(image, side)
    batch, channels, *sizes = image.shape
    cells = [part for size in sizes for part in (size // side, side)]
    split = image.reshape(batch, channels, *cells)
    return split.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(batch, -1, *cells[::2])


def unfolded(image: Tensor, side: int) -> Tensor:
    """The way back from `folded`."""
    if image.ndim == 4:
        return pixel_shuffle(image, side)
    batch, channels, *sizes = image.shape
    split = image.reshape(batch, channels // side**3, side, side, side, *sizes)
    return split.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(batch, -1, *(size * side for size in sizes))


def evened(image: Tensor, side: int) -> Tensor:
    """An image [B, C, y, x] averaged over a square of `side` pixels about each of its pixels.

    Inside no pattern of that period is left; at the image's rim its last pixels stand for those beyond. `unfolded` lays
    out channels whose biases differ, and where two classes are nearly as likely that shows as a checkerboard (Aitken
    2017, arXiv 1707.02937). Pixels on the rim of an even square count by half on either side.
    """
    rim = side // 2
    wide = nn.functional.pad(image, (rim, rim, rim, rim), mode="replicate")
    return nn.functional.avg_pool2d(nn.functional.avg_pool2d(wide, side, stride=1), 2 - side % 2, stride=1)


def initialise(module: nn.Module) -> None:
    """Kaiming's normal numbers (He 2015) for every convolution, zero for its bias."""
    for layer in module.modules():
        if isinstance(layer, CONVOLUTIONS):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def expect(head: Convolution, probability: float) -> None:
    """Let a layer of logits start near this probability everywhere (Lin 2017, focal loss, section 4.1).

    Nodules are a few thousandths of the pixels; a start at one half spends the first steps on the background alone.
    """
    if head.bias is None:
        raise ValueError("a layer without bias can't start at a probability")
    nn.init.normal_(head.weight, std=0.01)
    nn.init.constant_(head.bias, math.log(probability / (1 - probability)))
