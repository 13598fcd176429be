"""Boxes of a volume: anchors, codes, which of several boxes of one nodule stays, and boxes drawn as a map.

A box is (z0, y0, x0, z1, y1, x1) in voxels, measured at edges: voxel i reaches from i to i + 1. These are MONAI's boxes
(`monai.data.box_utils`, "standard mode") with the axes in the arrays' order.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from hilum.core.geometry import Shape3

_WEIGHTS = (1.0,) * 6
"""Of a code's six numbers: a step of one anchor's side, or one e-folding of a side, counts 1."""


@lru_cache(maxsize=32)
def anchors_of(size: Shape3, strides: tuple[int, ...], sides: tuple[tuple[float, ...], ...]) -> Tensor:
    """[N, 6] cubes that a detector starts from: of each level those of all its places, at a place all its sides.

    MONAI's, whose half sides are rounded to whole voxels; the middle of an anchor is the middle of its cell.

    Args:
        size: of the volume, multiples of all strides.
        strides: voxels from place to place, of each level.
        sides: of the cubes of each level in voxels, as many as of any other.
    """
    from monai.apps.detection.utils.anchor_utils import AnchorGeneratorWithAnchorShape

    # Not under inference mode, since training may ask for the same anchors later, and needs them on the way back.
    with torch.inference_mode(False), torch.device("cpu"):
        levels = []
        for stride, own in zip(strides, sides, strict=True):
            generator = AnchorGeneratorWithAnchorShape((1.0,), [(side,) * 3 for side in own])
            image, cells = torch.zeros(()).expand(1, 1, *size), [length // stride for length in size]
            levels.append(generator(image, [torch.zeros(()).expand(1, 1, *cells)])[0])
        return torch.cat(levels)


def encoded(boxes: Tensor, anchors: Tensor) -> Tensor:
    """[n, 6] what turns each anchor into the box beside it: shift in sides, logarithm of the ratio (Girshick 2014)."""
    codes: Tensor = _coder().encode_single(boxes, anchors)
    return codes


def decoded(codes: Tensor, anchors: Tensor) -> Tensor:
    """[n, 6] the way back from `encoded`; no side grows to more than 62 times the anchor's."""
    boxes: Tensor = _coder().decode_single(codes, anchors)
    return boxes


@lru_cache(maxsize=1)
def _coder():  # type: ignore[no-untyped-def]  # of MONAI, which has no types
    from monai.apps.detection.utils.box_coder import BoxCoder

    return BoxCoder(_WEIGHTS)


def suppressed(boxes: Tensor, scores: Tensor, iou: float, most: int) -> Tensor:
    """Indices of the boxes that stay, highest score first; of equal scores the earlier box.

    A box goes when it shares more than `iou` (intersection over union) with one that stays and has a higher score, or
    when its middle lies within that one's radius: a small box in the middle of a large one shares next to nothing
    with it, and is the same nodule.

    Args:
        boxes: [n, 6].
        scores: [n].
        iou: share that two nodules may have.
        most: how many stay at most.
    """
    from monai.data.box_utils import box_iou

    if not len(boxes):
        return torch.zeros(0, dtype=torch.long, device=boxes.device)
    order = scores.argsort(descending=True, stable=True)
    ranked = boxes[order]
    # All pairs at once: MONAI's own suppression compares box after box, and takes seconds for a hundred that stay.
    shared: Tensor = box_iou(ranked, ranked)
    near = torch.cdist(middles(ranked), middles(ranked)) < diameters(ranked)[:, None] / 2
    rivals = ((shared > iou) | near).cpu()
    is_free, stays = torch.ones(len(ranked), dtype=torch.bool), list[int]()
    for number in range(len(ranked)):
        if is_free[number] and len(stays) < most:
            stays.append(number)
            is_free &= ~rivals[number]
    return order[stays]


def middles(boxes: Tensor) -> Tensor:
    """[n, 3] the boxes' middles (z, y, x), in voxels from edge to edge."""
    return (boxes[:, :3] + boxes[:, 3:]) / 2


def diameters(boxes: Tensor) -> Tensor:
    """[n] diameter in voxels of the ball with the volume of the ellipsoid in each box."""
    return (boxes[:, 3:] - boxes[:, :3]).clamp(min=0).prod(1).pow(1 / 3)


def drawn(boxes: Tensor, scores: Tensor, size: Sequence[int]) -> Tensor:
    """[z, y, x] of this size: each box's score in the ellipsoid that fits into it, the highest of several; else 0.

    A box that holds no voxel's middle is drawn as the voxel at its own.
    """
    canvas = torch.zeros(tuple(size), dtype=scores.dtype)
    for box, score in zip(boxes.tolist(), scores.tolist(), strict=True):
        place, inside = _ellipsoid(box, size)
        block = canvas[place]
        block[inside] = block[inside].clamp(min=score)
    return canvas.to(scores.device)


def _ellipsoid(box: Sequence[float], size: Sequence[int]) -> tuple[tuple[slice, ...], Tensor]:
    """Which block of a volume an ellipsoid lies in, and which of the block's voxels are its own."""
    place, inside = [], torch.zeros(())
    for low, high, length in zip(box[:3], box[3:], size, strict=True):
        middle, half = (low + high) / 2, max((high - low) / 2, 1e-6)
        at = min(max(math.floor(middle), 0), length - 1)
        first, stop = min(max(math.floor(low), 0), at), max(min(math.ceil(high), length), at + 1)
        place.append(slice(first, stop))
        offsets = (torch.arange(first, stop) + 0.5 - middle) / half
        offsets[at - first] = torch.where(torch.tensor(half < 0.5), 0.0, offsets[at - first])
        inside = inside[..., None] + offsets.square()
    return tuple(place), inside <= 1
