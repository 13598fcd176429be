"""What every network is: inputs of any size in, named logits out, and parts that training can take by name."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn.functional import pad

from hilum.config import FrozenConfig
from hilum.core import GeometryError
from hilum.models.output import Segmentation

FROM_SCRATCH = "random numbers (from scratch)"


class Network(nn.Module, ABC):
    """A segmentation network for X-rays.

    Inputs are [B, 1, H, W], 0 to 1, dense is bright, of any H and W: a network normalises and pads inside.

    Attributes:
        weights_origin: where the weights came from before training, for the model card.
    """

    class Config(FrozenConfig):
        """Everything that the network's shape depends on."""

    weights_origin: str = FROM_SCRATCH

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config

    @abstractmethod
    def forward(self, xray: Tensor, prior: Tensor | None = None) -> Segmentation:
        """Logits [B, 1, H, W] of an X-ray [B, 1, H, W] and, where the network takes one, a second image beside it.

        Raises:
            GeometryError: the inputs are not of that shape, or not of one size.
        """

    @abstractmethod
    def parts(self) -> Mapping[str, nn.Module]:
        """All of the network in parts by name, such as "encoder", "attention", "decoder", "head"."""

    @abstractmethod
    def encoder_stages(self) -> Sequence[nn.Module]:
        """The encoder's stages, finest first: `encoder_stages()[-2:]` are the last two."""


def require_inputs(xray: Tensor, prior: Tensor | None = None) -> None:
    """Check that the inputs are [B, 1, H, W] and of one size.

    Raises:
        GeometryError: they are not.
    """
    if xray.ndim != 4 or xray.shape[1] != 1 or 0 in xray.shape:
        raise GeometryError(f"a network takes X-rays of shape [B, 1, H, W], not {list(xray.shape)}.")
    if prior is not None and prior.shape != xray.shape:
        raise GeometryError(
            f"the second image's shape {list(prior.shape)} is not the X-ray's {list(xray.shape)}.", "Resample it first."
        )


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
