"""Max-unpooling without indices: values go back to where the maxima were."""

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

_SQUARE = 4
"""Pixels that 2×2 pooling makes one of."""


def unpooled(values: Tensor, pooled: Tensor) -> Tensor:
    """Values [B, C, h, w] at the places of the maxima of `pooled` [B, C, 2h, 2w], each 2×2 square's first, else zero.

    The same as `MaxUnpool2d` with the indices that `MaxPool2d(2, return_indices=True)` gives of `pooled` (Zeiler 2011;
    Badrinarayanan 2017, section 3), ties included. Nothing but the features themselves has to be handed from encoder to
    decoder, and it can be exported: ONNX has no unpooling of a size that isn't fixed.
    """
    squares = pixel_unshuffle(pooled, 2).reshape(*values.shape[:2], _SQUARE, *values.shape[2:])
    here = squares.argmax(2, keepdim=True) == torch.arange(_SQUARE, device=values.device).view(_SQUARE, 1, 1)
    placed = torch.where(here, values.unsqueeze(2), 0.0)
    return pixel_shuffle(placed.flatten(1, 2), 2)
