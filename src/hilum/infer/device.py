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
