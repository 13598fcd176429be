"""AdamW with a rate for each part of the network."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from hilum.core import ConfigError
from hilum.train.config import OptimiserConfig

PEAK = "peak_lr"
"""Key of a group's rate before the schedule's factor."""


def adamw(parts: Mapping[str, nn.Module], config: OptimiserConfig) -> torch.optim.AdamW:
    """One optimiser; each part has a group of weights, and one of norms and biases, which don't decay.

    Raises:
        ConfigError: a rate is given for a part that there isn't.
    """
    require_parts(config.lr_of, parts, "optimiser.lr_of")
    groups: list[dict[str, Any]] = []
    taken: set[int] = set()  # a part may lie within another: the first one named has its parameters
    for name, part in parts.items():
        lr = config.lr_of.get(name, config.lr)
        own = [one for one in part.parameters() if id(one) not in taken]
        taken |= {id(one) for one in own}
        for decays in (True, False):
            chosen = [one for one in own if (one.ndim > 1) is decays]
            decay = config.weight_decay if decays else 0.0
            groups.append({"params": chosen, "lr": lr, PEAK: lr, "weight_decay": decay, "part": name})
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=config.lr, betas=config.betas)


def require_parts(names: Iterable[str], parts: Mapping[str, nn.Module], where: str) -> None:
    """Check that the network has these parts.

    Raises:
        ConfigError: one is missing.
    """
    if unknown := [name for name in names if name not in parts]:
        raise ConfigError(
            f"{where}: the network has no part {unknown[0]!r}.", f"It has {', '.join(parts)}; or say all."
        )
