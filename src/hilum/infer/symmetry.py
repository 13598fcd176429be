"""Images seen in all the ways that change nothing: a square's turns and mirror images, a volume's mirror images."""

from collections.abc import Callable
from itertools import chain, combinations

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


def mirror_images(network: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """The mean [B, C, …] of what a network says of images [B, C', …] and of all their mirror images, each turned back.

    Of two axes these are four, of three eight. A mirror image and its way back are the same exact exchange of voxels.

    Args:
        network: probabilities of images, of their size.
        images: to look at.
    """
    axes = range(2, images.ndim)
    views = list(chain.from_iterable(combinations(axes, count) for count in range(len(axes) + 1)))
    total = torch.zeros(())
    for pair in zip(views[::2], views[1::2], strict=True):  # two at a time: see `PatchPredictor`
        answers = network(torch.cat([images.flip(view) for view in pair])).chunk(2)
        for answer, view in zip(answers, pair, strict=True):
            total = total + answer.flip(view)
    return total / len(views)
