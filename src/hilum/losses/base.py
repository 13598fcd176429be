"""What every loss is: a configuration, and a network's output meeting the truth."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from hilum.config import FrozenConfig
from hilum.losses.parts import Loss
from hilum.losses.pixels import Pixels


class Output(Protocol):
    """What a loss reads of a network's output; `hilum.models.output.Segmentation` is one.

    The rooms of models and losses don't know each other, so the shape of what passes between them is said here again.
    """

    @property
    def logits(self) -> Tensor:
        """[B, C, H, W], or [B, C, D, H, W]."""

    @property
    def attention(self) -> Tensor | None:
        """[B, 1, h, w] logits; None for networks that have none."""

    @property
    def deep(self) -> Sequence[Tensor]:
        """Logits of coarser stages, finest first."""


@dataclass(frozen=True, eq=False)
class Head:
    """Logits alone, as an `Output`."""

    logits: Tensor
    attention: Tensor | None = None
    deep: tuple[Tensor, ...] = ()


class SegmentationLoss(ABC):
    """What a batch costs: `loss(output, target, weight)`.

    A loss holds no tensors and no state, so it works on any device and in any process.

    Attributes:
        of_boxes: whether it is of a detector's boxes, and not of logits.
        of_classes: whether it is of several classes, of which each pixel has one (`hilum.losses.classes`).
    """

    of_boxes: bool = False
    of_classes: bool = False

    class Config(FrozenConfig):
        """Everything that the loss depends on."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = self.Config() if config is None else config

    @abstractmethod
    def __call__(self, output: Output, target: Tensor, weight: Tensor | None = None) -> Loss:
        """The loss of a batch.

        Args:
            output: logits, and what else the loss teaches.
            target: [B, C, H, W] or [B, C, D, H, W], 0 to 1, in any type of number.
            weight: ≥ 0, broadcastable to the target; pixels of weight 0 have no influence. None: all pixels count 1.

        Raises:
            GeometryError: shapes that don't belong together.
            ConfigError: the loss teaches what this network doesn't give.
        """


class PixelLoss(SegmentationLoss):
    """A loss of the logits alone. Computed in float32 under autocast too (float64 stays float64)."""

    def __call__(self, output: Output, target: Tensor, weight: Tensor | None = None) -> Loss:
        """As in `SegmentationLoss`."""
        return self.of(Pixels.of(output.logits, target, weight))

    @abstractmethod
    def of(self, pixels: Pixels) -> Loss:
        """The loss of pixels that have been checked and brought to one type."""
