"""Networks that are quick: each in the catalogue with options that make it narrow."""

from typing import Any

import torch

from hilum.models.catalogue import MODELS, build_model
from hilum.models.network import Network

_RESNET = {"resnet": {"width": 4, "blocks": [1, 1, 1, 1]}, "attention_channels": 8}
NARROW: dict[str, dict[str, Any]] = {
    "unet": {"widths": [4, 8, 12], "deep_supervision": True, "inputs": 2},
    "original": {**_RESNET, "adapted": 64},
    "improved": {**_RESNET, "decoder_channels": 128},
    "unet_skip": _RESNET,
    "res_unet": {"widths": [4, 8, 12], "blocks": [1, 1, 1], "inputs": 2},
}
NAMES = list(MODELS)


def narrow(name: str, seed: int = 0, **options: Any) -> Network:
    """A narrow network of this name, the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build_model(name, {**NARROW.get(name, {}), **options})


def picture(*size: int, seed: int = 0) -> torch.Tensor:
    """An image of random numbers from 0 to 1."""
    return torch.rand(*size, generator=torch.Generator().manual_seed(seed))
