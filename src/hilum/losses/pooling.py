"""Truth and weights at the size of a coarser output, so that every coarse cell stands for the pixels that it covers."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import (
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
    avg_pool2d,
    avg_pool3d,
    max_pool2d,
    max_pool3d,
    pad,
)

from hilum.core import GeometryError
from hilum.losses.pixels import expanded, visible

Pooling = Literal["max", "area"]
_AVERAGE: dict[int, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    2: (avg_pool2d, adaptive_avg_pool2d),
    3: (avg_pool3d, adaptive_avg_pool3d),
}
_LARGEST: dict[int, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    2: (max_pool2d, adaptive_max_pool2d),
    3: (max_pool3d, adaptive_max_pool3d),
}


def pooled(target: Tensor, weight: Tensor | None, size: torch.Size, how: Pooling) -> tuple[Tensor, Tensor]:
    """Truth and weights [B, C, h, w] of a target [B, C, H, W], or one dimension more.

    Args:
        target: 0 to 1.
        weight: broadcastable to the target; None for 1.
        size: the spatial size (h, w) or (d, h, w), not larger than the target's.
        how: area: the mean of each cell's pixels by weight. max: its largest pixel that has a weight, so that a nodule
            smaller than a cell is not lost.

    Returns:
        The truth; and each cell's mean weight, so that a cell that is half ignored counts half.

    Raises:
        GeometryError: the size has other dimensions than the target, or is larger.
    """
    fine = target.shape[2:]
    if len(size) != len(fine) or any(few > many for few, many in zip(size, fine, strict=True)):
        raise GeometryError(f"truth of size {list(fine)} can't be pooled to {list(size)}.")
    precise = target.to(torch.promote_types(target.dtype, torch.float32))
    weights = expanded(precise.new_ones(()) if weight is None else weight.to(precise), target.shape)
    truth = visible(precise, weights)
    coarse_weights = _cells(weights, size, largest=False)
    if how == "max":
        return _cells(truth, size, largest=True), coarse_weights
    tiny = torch.finfo(precise.dtype).tiny
    return _cells(truth * weights, size, largest=False) / coarse_weights.clamp(min=tiny), coarse_weights


def _cells(image: Tensor, size: torch.Size, *, largest: bool) -> Tensor:
    """Mean or maximum of each cell.

    A network that halves n times pads below and on the right, so its cell y starts at pixel y·2ⁿ even where the size
    is no multiple of 2ⁿ: pixels that the image doesn't have are 0 then. Sizes that no halving gives divide the image
    evenly.
    """
    exact, even = (_LARGEST if largest else _AVERAGE)[len(size)]
    steps = [_power_of_two(many, few) for many, few in zip(image.shape[2:], size, strict=True)]
    if None in steps:
        return even(image, tuple(size))
    known = [step or 1 for step in steps]
    missing = [few * step - many for few, step, many in zip(size, known, image.shape[2:], strict=True)]
    borders = [amount for below in reversed(missing) for amount in (0, below)]
    return exact(pad(image, borders), tuple(known))


def _power_of_two(many: int, few: int) -> int | None:
    """The power of two by which `many` pixels make `few` cells, the last one perhaps not full; None for none."""
    step = 1
    while -(-many // step) > few:
        step *= 2
    return step if -(-many // step) == few else None
