"""Grad-CAM (Selvaraju 2017, equations 1 and 2) of a network that marks pixels.

The target is the mean logit of a set of pixels (Seg-Grad-CAM, Vinogradova 2020, which sums them: the map differs by
a factor). A channel weighs as much as the target's gradient with respect to it, averaged over all cells; the
map is the weighted sum of the channels where that is positive, in logits. Nothing here knows what the picture shows.

MONAI's `GradCAM` explains one class of [B, C] scores, leaves its hooks in the network and turns its maps upside down;
the tests compare with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hilum.core import ConfigError, GeometryError
from hilum.core.mask import Selection
from hilum.explain.layers import require_layer
from hilum.models.network import Network


@dataclass(frozen=True, eq=False)
class Shown:
    """What a network is shown.

    Attributes:
        image: [1, 1, H, W], as the network takes it.
        prior: [1, 1 or 2, H, W] beside it; None where there is nothing.
    """

    image: Tensor
    prior: Tensor | None = None

    def __post_init__(self) -> None:
        if self.image.ndim != 4 or self.image.shape[:2] != (1, 1):
            raise GeometryError(f"one picture at a time is explained, [1, 1, H, W], not {list(self.image.shape)}.")

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.image.shape[2], self.image.shape[3]


@dataclass(frozen=True, eq=False)
class LayerMap:
    """A map on a layer's own cells.

    Attributes:
        values: [h, w] float32, in logits, not negative.
        size: rows and columns of the picture.
        stride: the picture is padded to multiples of it, below and on the right (`models.network.padded`).
    """

    values: NDArray[np.float32]
    size: tuple[int, int]
    stride: int = 1

    @property
    def padded(self) -> tuple[int, int]:
        """Rows and columns that the cells cover together."""
        return -(-self.size[0] // self.stride) * self.stride, -(-self.size[1] // self.stride) * self.stride

    @property
    def cell_px(self) -> tuple[float, float]:
        """Rows and columns of the picture that one cell stands for."""
        return self.padded[0] / self.values.shape[0], self.padded[1] / self.values.shape[1]

    @property
    def varies(self) -> bool:
        """Whether the values are numbers, and not all the same."""
        return bool(np.isfinite(self.values).all()) and float(np.ptp(self.values)) > 0

    def on_picture(self) -> NDArray[np.float32]:
        """[H, W] scaled to 1 as the highest value, linear between the cells' middles; 0 everywhere stays 0."""
        cells = torch.from_numpy(to_highest(self.values))[None, None]
        raised = torch.nn.functional.interpolate(cells, size=self.padded, mode="bilinear", align_corners=False)
        return to_highest(raised[0, 0, : self.size[0], : self.size[1]].numpy())


def to_highest(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same with 1 as the highest value; 0 everywhere stays 0."""
    highest = float(values.max())
    return values / highest if highest > 0 else np.zeros_like(values)


def grad_cam(network: Network, shown: Shown, layer: str, target: Selection) -> LayerMap:
    """Where a layer's features speak for a target.

    Args:
        network: in evaluation mode.
        shown: the picture.
        layer: name of a module that gives features [1, C, h, w].
        target: [H, W] the pixels whose mean logit is explained; at least one.

    Raises:
        ConfigError: there is no such layer, it gives no such features, or the logits don't depend on it.
        GeometryError: the target is empty, or not on the picture's pixels.
    """
    if target.shape != shown.size or not target.any():
        raise GeometryError(f"the target {target.shape} is empty, or not on the picture's pixels {shown.size}.")
    with torch.enable_grad(), _features_of(require_layer(network, layer)) as caught:
        logits = network(shown.image, shown.prior).logits
        score = logits[0, 0][torch.from_numpy(target).to(logits.device)].mean()
        features = _only_map(caught, layer)
        (gradient,) = torch.autograd.grad(score, features, allow_unused=True)
    if gradient is None:
        raise ConfigError(f"what the network marks doesn't depend on its layer {layer!r}.", "Choose another one.")
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    values = (weights * features).sum(dim=1)[0].relu().detach().float().cpu().numpy()
    return LayerMap(values, shown.size, network.stride)


@contextmanager
def _features_of(layer: nn.Module) -> Iterator[list[object]]:
    """What a layer gives while the block lasts; its hook goes with the block."""
    caught: list[object] = []

    def keep(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and not output.requires_grad:
            output.requires_grad_()
        caught.append(output)

    handle = layer.register_forward_hook(keep)
    try:
        yield caught
    finally:
        handle.remove()


def _only_map(caught: list[object], layer: str) -> Tensor:
    found = caught[0] if len(caught) == 1 else None
    if not isinstance(found, Tensor) or found.ndim != 4:
        raise ConfigError(
            f"the layer {layer!r} gives no features [1, C, h, w], or is used {len(caught)} times.",
            "Choose one stage of the encoder.",
        )
    return found
