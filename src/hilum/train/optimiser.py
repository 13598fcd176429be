"""AdamW with a rate for each part of the network."""

from typing import Any

import torch

from hilum.models.network import Network
from hilum.models.parts import parameter_groups
from hilum.train.config import OptimiserConfig

PEAK = "peak_lr"
"""Key of a group's rate before the schedule's factor."""


def adamw(network: Network, config: OptimiserConfig) -> torch.optim.AdamW:
    """One optimiser; each part has a group of weights, and one of norms, biases and single numbers, which don't decay.

    Raises:
        ConfigError: a rate is given for a part that there isn't.
    """
    groups: list[dict[str, Any]] = []
    for part in parameter_groups(network, config.lr, config.lr_of):
        for decays in (True, False):
            own = [one for one in part["params"] if (one.ndim > 1) is decays]
            decay = config.weight_decay if decays else 0.0
            groups.append({**part, "params": own, PEAK: part["lr"], "weight_decay": decay})
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=config.lr, betas=config.betas)
