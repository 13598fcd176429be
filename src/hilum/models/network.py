"""What every network is: inputs of any size in, named logits out, and parts that training can take by name."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from hilum.config import FrozenConfig
from hilum.core import GeometryError
from hilum.models.output import Segmentation

FROM_SCRATCH = "random numbers (from scratch)"
_MIDDLE, _SPREAD = 0.5, 0.25  # a picture of 0 to 1 has about this mean and standard deviation


class Network(nn.Module, ABC):
    """A segmentation network for pictures of one channel: X-rays, or slices of a CT.

    Inputs are [B, 1, H, W], 0 to 1, dense is bright, of any H and W: a network normalises and pads inside. A prior is
    [B, 1 or 2, H, W]: an earlier picture, and where the network takes them the lesions that are known of it, 0 or 1.

    Attributes:
        weights_origin: where the weights came from before training, for the model card.
        stride: rows and columns are padded inside to multiples of it; a graph that takes pictures of any size pads
            before (`hilum.infer.graph`), so that nothing in it depends on whether a size is one.
        any_size_in_a_graph: whether what is computed is written alike for all sizes, so that one graph takes them all.
    """

    class Config(FrozenConfig):
        """Everything that the network's shape depends on."""

        @property
        def prior_channels(self) -> tuple[int, ...]:
            """How many images a prior may have; 0 where the network can do without."""
            return (0,)

    weights_origin: str = FROM_SCRATCH
    stride: int = 1
    any_size_in_a_graph: bool = True

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config

    @abstractmethod
    def forward(self, xray: Tensor, prior: Tensor | None = None) -> Segmentation:
        """Logits [B, 1, H, W] of a picture [B, 1, H, W] and, where the network takes one, a prior beside it.

        Raises:
            GeometryError: the inputs are not of that shape, or not of one size.
        """

    @abstractmethod
    def parts(self) -> Mapping[str, nn.Module]:
        """All of the network in parts by name, such as "encoder", "attention", "decoder", "head"."""

    @abstractmethod
    def encoder_stages(self) -> Sequence[nn.Module]:
        """The encoder's stages, finest first: `encoder_stages()[-2:]` are the last two."""


class StackedConfig(Network.Config):
    """Of a network that can see further images beside its picture."""

    inputs: Literal[1, 2, 3] = 1
    """2: a second image (the prior) is looked at, too; 3: also its known lesions; 1: nothing of it."""

    @property
    def prior_channels(self) -> tuple[int, ...]:
        """All inputs but the picture."""
        return (self.inputs - 1,)


def require_inputs(xray: Tensor, prior: Tensor | None = None, channels: int = 1) -> None:
    """Check that the inputs are [B, 1, H, W] and [B, channels, H, W], of one size.

    Raises:
        GeometryError: they are not.
    """
    if xray.ndim != 4 or xray.shape[1] != 1 or 0 in xray.shape:
        raise GeometryError(f"a network takes pictures of shape [B, 1, H, W], not {list(xray.shape)}.")
    wanted = [xray.shape[0], channels, *xray.shape[2:]]
    if prior is not None and list(prior.shape) != wanted:
        raise GeometryError(
            f"the second image's shape {list(prior.shape)} is not {wanted}, beside a picture's {list(xray.shape)}.",
            "Resample it first; a network of 3 inputs takes an earlier picture and its lesions, one of 2 the picture.",
        )


def second_images(xray: Tensor, prior: Tensor | None, inputs: int) -> Tensor | None:
    """What a network of so many inputs sees beside the picture, [B, inputs - 1, H, W]; None where it has one input.

    Without a prior the picture is its own, as in the sources' published code.

    Raises:
        GeometryError: shapes that don't belong together, or known lesions are needed and nothing is given.
    """
    if inputs == 1:
        require_inputs(xray)
        return None
    require_inputs(xray, prior, inputs - 1)
    if prior is None and inputs > 2:
        raise GeometryError(
            f"a network of {inputs} inputs takes a prior of shape [B, {inputs - 1}, H, W], and there is none.",
            "Give an earlier picture and its known lesions.",
        )
    return xray if prior is None else prior


def normalised(xray: Tensor, prior: Tensor | None, inputs: int, stride: int) -> Tensor:
    """What a network of channels side by side computes with: [B, inputs, H, W], padded, about −2 to 2.

    Raises:
        GeometryError: shapes that don't belong together, or known lesions are needed and nothing is given.
    """
    second = second_images(xray, prior, inputs)
    both = xray if second is None else torch.cat((xray, second), 1)
    return (padded(both, stride) - _MIDDLE) / _SPREAD


def padded(image: Tensor, stride: int) -> Tensor:
    """An image [B, C, H, W] with its last row and column repeated until H and W are multiples of `stride`.

    Padding is only below and on the right, so that pixel (y, x) of a stage of stride s stays at (s·y, s·x).
    """
    below, right = (-image.shape[-2]) % stride, (-image.shape[-1]) % stride
    return pad(image, (0, right, 0, below), mode="replicate") if below or right else image


def cropped(logits: Tensor, like: Tensor, stride: int = 1) -> Tensor:
    """What of the logits [B, C, h, w] of a stage of this stride lies on the unpadded image `like` [B, C, H, W]."""
    height, width = (-(-size // stride) for size in like.shape[-2:])
    return logits[..., :height, :width]
