"""What every network is: inputs of any size in, named logits out, and parts that training can take by name."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from hilum.config import FrozenConfig
from hilum.core import GeometryError
from hilum.models.output import Output

FROM_SCRATCH = "random numbers (from scratch)"
_MIDDLE, _SPREAD = 0.5, 0.25  # a picture of 0 to 1 has about this mean and standard deviation


class Network(nn.Module, ABC):
    """A segmentation network for pictures of one channel: X-rays, slices of a CT, or pieces of a CT.

    Inputs are [B, 1, H, W], 0 to 1, dense is bright, of any H and W: a network normalises and pads inside. A prior is
    [B, 1 or 2, H, W]: an earlier picture, and where the network takes them the lesions that are known of it, 0 or 1.
    Of a network of three axes, all of this is [B, …, D, H, W].

    Attributes:
        axes: of its pictures: 2 or 3.
        weights_origin: where the weights came from before training, for the model card.
        stride: sizes are padded inside to multiples of it; a graph that takes pictures of any size pads
            before (`hilum.infer.graph`), so that nothing in it depends on whether a size is one.
        finds_boxes: whether it gives boxes (`hilum.models.output.Detection`), and no logits of pixels.
        gives_classes: whether it gives one of several classes (`hilum.models.output.Classes`), and no lesions.
        any_size_in_a_graph: whether what is computed is written alike for all sizes, so that one graph takes them all.
    """

    class Config(FrozenConfig):
        """Everything that the network's shape depends on."""

        @property
        def prior_channels(self) -> tuple[int, ...]:
            """How many images a prior may have; 0 where the network can do without."""
            return (0,)

    axes: int = 2
    weights_origin: str = FROM_SCRATCH
    stride: int = 1
    finds_boxes: bool = False
    gives_classes: bool = False
    any_size_in_a_graph: bool = True

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config

    @property
    def memory_format(self) -> torch.memory_format:
        """The order of numbers in memory that its convolutions compute fastest in: channels last."""
        return memory_format_of(self.axes)

    @abstractmethod
    def forward(self, xray: Tensor, prior: Tensor | None = None) -> Output:
        """Logits of a picture [B, 1, H, W] or [B, 1, D, H, W], of its size, and of a prior where one is taken.

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


def memory_format_of(axes: int) -> torch.memory_format:
    """Channels last, of pictures of 2 or 3 axes."""
    return torch.channels_last if axes == 2 else torch.channels_last_3d


def require_inputs(xray: Tensor, prior: Tensor | None = None, channels: int = 1, axes: int = 2) -> None:
    """Check that the inputs are [B, 1, H, W] and [B, channels, H, W], of one size; [B, …, D, H, W] with three axes.

    Raises:
        GeometryError: they are not.
    """
    if xray.ndim != 2 + axes or xray.shape[1] != 1 or 0 in xray.shape:
        wanted_shape = "[B, 1, H, W]" if axes == 2 else "[B, 1, D, H, W]"
        raise GeometryError(f"a network takes pictures of shape {wanted_shape}, not {list(xray.shape)}.")
    wanted = [xray.shape[0], channels, *xray.shape[2:]]
    if prior is not None and list(prior.shape) != wanted:
        raise GeometryError(
            f"the second image's shape {list(prior.shape)} is not {wanted}, beside a picture's {list(xray.shape)}.",
            "Resample it first; a network of 3 inputs takes an earlier picture and its lesions, one of 2 the picture.",
        )


def second_images(xray: Tensor, prior: Tensor | None, inputs: int, axes: int = 2) -> Tensor | None:
    """What a network of so many inputs sees beside the picture, [B, inputs - 1, H, W]; None where it has one input.

    Without a prior the picture is its own, as in the sources' published code.

    Raises:
        GeometryError: shapes that don't belong together, or known lesions are needed and nothing is given.
    """
    if inputs == 1:
        require_inputs(xray, axes=axes)
        return None
    require_inputs(xray, prior, inputs - 1, axes)
    if prior is None and inputs > 2:
        raise GeometryError(
            f"a network of {inputs} inputs takes a prior of shape [B, {inputs - 1}, H, W], and there is none.",
            "Give an earlier picture and its known lesions.",
        )
    return xray if prior is None else prior


def normalised(xray: Tensor, prior: Tensor | None, inputs: int, stride: int, axes: int = 2) -> Tensor:
    """What a network of channels side by side computes with: [B, inputs, H, W], padded, about −2 to 2.

    Raises:
        GeometryError: shapes that don't belong together, or known lesions are needed and nothing is given.
    """
    second = second_images(xray, prior, inputs, axes)
    both = xray if second is None else torch.cat((xray, second), 1)
    return (padded(both, stride) - _MIDDLE) / _SPREAD


def padded(image: Tensor, stride: int) -> Tensor:
    """An image [B, C, H, W] or [B, C, D, H, W] with its last planes repeated until sizes are multiples of `stride`.

    Padding is only at the end of each axis, so that pixel (y, x) of a stage of stride s stays at (s·y, s·x).
    """
    missing = [(-size) % stride for size in image.shape[2:]]
    if not any(missing):
        return image
    return pad(image, [amount for end in reversed(missing) for amount in (0, end)], mode="replicate")


def cropped(logits: Tensor, like: Tensor, stride: int = 1) -> Tensor:
    """What of the logits [B, C, h, w] of a stage of this stride lies on the unpadded image `like` [B, C, H, W].

    With three axes the same, [B, C, d, h, w] and [B, C, D, H, W].
    """
    kept = [slice(-(-size // stride)) for size in like.shape[2:]]
    return logits[(..., *kept)]  # type: ignore[index]  # the stubs don't know an ellipsis before unpacked slices
