"""A network's layers by name."""

from collections.abc import Iterator

from torch import nn

from hilum.core import ConfigError
from hilum.models.network import Network

_DEEP = 3
"""Names of so many parts are listed, such as encoder.stages.4."""


def default_layer(network: Network) -> str:
    """The encoder's last stage: the richest features that still have a place (Selvaraju 2017, section 3)."""
    last = network.encoder_stages()[-1]
    names: dict[nn.Module, str] = {module: name for name, module in network.named_modules()}
    return names[last]


def require_layer(network: Network, name: str) -> nn.Module:
    """The layer of this name.

    Raises:
        ConfigError: there is none; says which there are.
    """
    found: nn.Module | None = dict(network.named_modules()).get(name) if name else None
    if found is None:
        raise ConfigError(f"the network has no layer {name!r}.", f"It has: {', '.join(layer_names(network))}.")
    return found


def layer_names(network: Network) -> tuple[str, ...]:
    """The encoder's stages first, finest first, then whatever else has weights, not too deep down."""
    names = {module: name for name, module in network.named_modules()}
    stages = [names[stage] for stage in network.encoder_stages()]
    return tuple(dict.fromkeys((*stages, *_others(network))))


def _others(network: Network) -> Iterator[str]:
    for name, module in network.named_modules():
        is_called = not isinstance(module, nn.ModuleList | nn.ModuleDict)
        if name and name.count(".") < _DEEP and is_called and any(True for _ in module.parameters()):
            yield name
