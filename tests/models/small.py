"""Networks that are quick: each in the catalogue with options that make it narrow."""

from importlib.util import find_spec
from typing import Any

import pytest
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
    "segnet": {"widths": [4, 8, 12], "convolutions": [2, 1, 2], "inputs": 2},
    "swin_unetr": {"features": 12, "depths": [1, 1, 1, 2], "window": 4, "inputs": 2},
    "slim_unet": {"widths": [4, 8, 12], "blocks": [0, 1, 1], "inputs": 2},
    "unet3d": {"widths": [4, 8, 12], "units": 2, "deep_supervision": True, "dropout": 0.0, "inputs": 2},
    "attention_unet3d": {"widths": [4, 8, 12], "deep_supervision": True, "gate_finest": True, "inputs": 2},
    "slim_unet3d": {"widths": [4, 8, 12], "blocks": [0, 1, 1], "inputs": 2},
    "retina3d": {"widths": [4, 8, 12], "blocks": [0, 1, 1], "channels": 16, "convolutions": 1, "inputs": 2},
    "enet": {"widths": [8, 12, 16], "skips": True, "cbam": True, "cbam_reduction": 4, "inputs": 2},
}
_WITHOUT = pytest.mark.skipif(find_spec("einops") is None, reason="MONAI's Swin transformer needs einops")
NAMES = [
    pytest.param(name, marks=_WITHOUT) if name == "swin_unetr" else name
    for name in MODELS
    if MODELS[name].axes == 2 and not MODELS[name].gives_classes
]
"""Every network of two axes that marks lesions; one that can't run here is skipped, with the reason."""
VOLUMES = [name for name in MODELS if MODELS[name].axes == 3 and not MODELS[name].finds_boxes]
"""Those of three that give logits of voxels."""


def narrow(name: str, seed: int = 0, **options: Any) -> Network:
    """A narrow network of this name, the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build_model(name, {**NARROW.get(name, {}), **options})


def size_of(name: str, *yx: int) -> tuple[int, ...]:
    """The size of a picture [y, x] for this network; one of three axes gets a depth, too."""
    return yx if MODELS[name].axes == 2 else (yx[0] // 4 + 1, *yx)


def picture(*size: int, seed: int = 0) -> torch.Tensor:
    """An image of random numbers from 0 to 1."""
    return torch.rand(*size, generator=torch.Generator().manual_seed(seed))
