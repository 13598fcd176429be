"""Batches that the tests of losses share: outputs of a network that has everything, and truths."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hilum.models.output import Segmentation

EVERY: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "bce": ("bce", {}),
    "bce, weight 7": ("bce", {"pos_weight": 7}),
    "bce, weight by batch": ("bce", {"pos_weight": {"factor": 1, "cap": 20}}),
    "dice": ("dice", {}),
    "dice over each sample": ("dice", {"over": "sample"}),
    "bce_dice": ("bce_dice", {"bce_weight": 0.7, "dice_weight": 0.3}),
    "focal": ("focal", {}),
    "focal without alpha": ("focal", {"alpha": None, "gamma": 1.5}),
    "adaptive_focal": ("adaptive_focal", {}),
    "tversky": ("tversky", {}),
    "focal_tversky": ("focal_tversky", {}),
    "focal_tversky, 3/4": ("focal_tversky", {"gamma": 0.75}),
    "medical": ("medical", {}),
    "squared_error": ("squared_error", {}),
    "boundary": ("boundary", {}),
    "presence": ("presence", {}),
    "presence, sharp": ("presence", {"sharpness": 4.0, "pos_weight": 3.0}),
    "attention": ("attention", {"compare": {"bce_weight": 0.5, "dice_weight": 0.5}}),
    "combined": ("combined", {"terms": [{"name": "bce_dice"}, {"name": "attention", "weight": 0.5}]}),
    "deep_supervision": ("deep_supervision", {}),
    "deep_supervision, area": ("deep_supervision", {"coarser": 0.3, "pooling": "area"}),
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def output(shape: tuple[int, ...] = (3, 1, 8, 12), seed: int = 0, scale: float = 2.0) -> Segmentation:
    """Random float64 logits with attention at a quarter of the size and two coarser stages."""
    rng = generator(seed)

    def draw(step: int) -> Tensor:
        size = (-(-length // step) for length in shape[2:])
        return torch.randn(*shape[:2], *size, generator=rng, dtype=torch.float64) * scale

    return Segmentation(draw(1), attention=draw(4), deep=(draw(2), draw(4)))


def truth(shape: tuple[int, ...] = (3, 1, 8, 12), seed: int = 1, share: float = 0.3) -> Tensor:
    return (torch.rand(shape, generator=generator(seed), dtype=torch.float64) < share).double()


def mapped(given: Segmentation, function: Any) -> Segmentation:
    """The same to all logits of an output."""
    assert given.attention is not None
    return Segmentation(function(given.logits), function(given.attention), tuple(function(deep) for deep in given.deep))


def tensors(given: Segmentation) -> list[Tensor]:
    assert given.attention is not None
    return [given.logits, given.attention, *given.deep]
