"""Where a network is computed."""

import torch

from hilum.core import ConfigError


def resolved_device(device: str) -> str:
    """The device that "auto" means here.

    Raises:
        ConfigError: CUDA is asked for, and there is none.
    """
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise ConfigError("the device cuda is asked for, and there is none here.", "Take --device cpu.")
    return ("cuda" if has_cuda else "cpu") if device == "auto" else device


def computes_in_bf16(device: str) -> bool:
    """Whether "cpu" or "cuda" multiplies in bfloat16 by itself here; elsewhere that is slower than 32 bits."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_amx_tile_supported())
