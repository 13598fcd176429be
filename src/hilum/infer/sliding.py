"""A network on an image larger than it may see at a time: boxes one after another, blended by Gaussian weights."""

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import product
from math import prod

import torch
from torch import Tensor

_SIGMA = 0.125
"""Of the weights, as a share of a box's side (Isensee 2021, as in MONAI)."""
_LEAST = 1e-3
"""Weight along an axis at the ends of a box, where no other may lie: never 0."""


def slid(
    network: Callable[[Tensor], Tensor], images: Tensor, sides: Sequence[int], overlap: float, batch: int = 1
) -> Tensor:
    """What a network says of an image [1, C, …], box after box: a mean by weights that fall off from a box's middle.

    Besides the answer nothing of the images' size is held: boxes lie on a grid, so the sum of their weights is a
    product of one sum for each axis.

    Args:
        network: answers of boxes, of their size; with any number of channels.
        images: one image; no smaller than a box along any axis.
        sides: of a box, along each axis.
        overlap: share of a box's side by which neighbours overlap, at least 0 and below 1.
        batch: boxes at a time.
    """
    starts = [list(_starts(size, side, overlap)) for size, side in zip(images.shape[2:], sides, strict=True)]
    falls = [_fall(side) for side in sides]
    weight = _outer(falls)
    total = torch.zeros(0)
    places = [
        (slice(None), slice(None), *(slice(start, start + side) for start, side in zip(corner, sides, strict=True)))
        for corner in product(*starts)
    ]
    for first in range(0, len(places), batch):
        some = places[first : first + batch]
        answers = network(torch.cat([images[place] for place in some])).to(images.device) * weight
        if not total.numel():
            total = answers.new_zeros((1, answers.shape[1], *images.shape[2:]))
        for place, answer in zip(some, answers, strict=True):
            total[place] += answer
    sums = [_summed(own, fall, size) for own, fall, size in zip(starts, falls, images.shape[2:], strict=True)]
    for axis, one in enumerate(sums, start=2):
        total /= one.reshape(-1, *(1 for _ in range(axis + 1, total.ndim)))
    return total


def boxes(sizes: Sequence[int], sides: Sequence[int], overlap: float) -> int:
    """How many boxes `slid` looks at."""
    return prod(len(list(_starts(size, side, overlap))) for size, side in zip(sizes, sides, strict=True))


def _starts(size: int, side: int, overlap: float) -> Iterator[int]:
    """Where boxes begin along an axis; the last one ends where the image does."""
    step = max(1, int(side * (1 - overlap)))
    yield from range(0, size - side, step)
    yield size - side


def _fall(side: int) -> Tensor:
    """[side] the weights along an axis, 1 in the middle."""
    place = torch.arange(side) - (side - 1) / 2
    return torch.exp(-0.5 * (place / (_SIGMA * side)) ** 2).clamp(min=_LEAST)


def _outer(falls: Sequence[Tensor]) -> Tensor:
    return reduce(lambda one, other: one[..., None] * other, falls)


def _summed(starts: Sequence[int], fall: Tensor, size: int) -> Tensor:
    """[size] the sum of all boxes' weights along an axis."""
    found = torch.zeros(size)
    for start in starts:
        found[start : start + len(fall)] += fall
    return found
