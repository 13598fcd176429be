"""A picture seen in all eight ways that a square has: turned by quarters, mirrored or not."""

from collections.abc import Callable

import torch
from torch import Tensor


def eight_ways(network: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """The mean [B, C, S, S] of what a network says of square images [B, C', S, S] in all eight ways, each turned back.

    For views that have no up and down; what it says then turns and mirrors with the image exactly.

    Args:
        network: probabilities of images, both square.
        images: to look at.
    """
    total = torch.zeros(())
    for is_mirrored in (False, True):
        for quarters in range(4):
            seen = torch.rot90(images.flip(-1) if is_mirrored else images, quarters, (-2, -1))
            back = torch.rot90(network(seen), -quarters, (-2, -1))
            total = total + (back.flip(-1) if is_mirrored else back)
    return total / 8
