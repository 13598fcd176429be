"""Parts of a network: taken out, put back, frozen, and given learning rates of their own."""

from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor, nn

from hilum.core import ConfigError, UnsupportedError
from hilum.models.network import Network

_SHOWN = 3


def part_of(model: Network, name: str) -> nn.Module:
    """The part of this name.

    Raises:
        ConfigError: the network has none.
    """
    parts = model.parts()
    if name not in parts:
        raise ConfigError(f"{type(model).__name__} has no part {name!r}.", f"It has: {', '.join(parts)}.")
    return parts[name]


def load_part(model: Network, name: str, state: Mapping[str, Tensor]) -> None:
    """Put a part's state dict back, as `part_of(model, name).state_dict()` gave it.

    Raises:
        ConfigError: the network has no such part.
        UnsupportedError: the state is another architecture's; says which keys or shapes differ. Nothing is changed.
    """
    part = part_of(model, name)
    require_fit(part.state_dict(), state, f"{type(model).__name__}'s {name}")
    part.load_state_dict(dict(state))


def require_fit(own: Mapping[str, Tensor], given: Mapping[str, Tensor], what: str) -> None:
    """Check that a state dict has the keys and shapes of another.

    Args:
        own: what is expected.
        given: what came.
        what: whose weights are expected, for the error's message.

    Raises:
        UnsupportedError: keys are missing or unknown, or shapes differ.
    """
    shapes = [
        f"{key} {list(given[key].shape)} for {list(own[key].shape)}"
        for key in own
        if key in given and given[key].shape != own[key].shape
    ]
    faults = {
        "missing": [key for key in own if key not in given],
        "unknown": [key for key in given if key not in own],
        "of another shape": shapes,
    }
    if any(faults.values()):
        said = "; ".join(f"{len(keys)} {fault}: {_some(keys)}" for fault, keys in faults.items() if keys)
        raise UnsupportedError(
            f"the weights don't fit {what}: {said}.",
            "They are of another architecture: build the network with the options that they were trained with.",
        )


def train_only(model: Network, names: Collection[str], encoder_stages: int | None = None) -> None:
    """Let these parts learn and freeze all others, by `requires_grad`.

    Args:
        model: the network.
        names: of parts; all of `model.parts()` for everything.
        encoder_stages: of the encoder, only its last so many stages learn; None for all of it, with its stem.

    Raises:
        ConfigError: no such part, or the encoder has fewer stages.
    """
    chosen = [part_of(model, name) for name in names]
    stages = model.encoder_stages()
    if encoder_stages is not None and not 0 <= encoder_stages <= len(stages):
        raise ConfigError(
            f"{encoder_stages} encoder stages can't be trained: {type(model).__name__} has {len(stages)}."
        )
    model.requires_grad_(False)
    for part in chosen:
        part.requires_grad_(True)
    if "encoder" in names and encoder_stages is not None:
        part_of(model, "encoder").requires_grad_(False)
        for stage in stages[len(stages) - encoder_stages :]:
            stage.requires_grad_(True)


def rest_frozen(model: Network) -> None:
    """Put everything whose parameters are all frozen into evaluation mode.

    Else batch norms of frozen parts go on following the batches, and their dropout goes on dropping. To be called after
    every `model.train()`.
    """
    for module in model.modules():
        own = list(module.parameters())
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()


def parameter_groups(model: Network, rate: float, rates: Mapping[str, float] | None = None) -> list[dict[str, Any]]:
    """The parameters in groups for an optimiser, one a part, frozen ones included.

    Args:
        model: the network.
        rate: the learning rate of parts that `rates` doesn't name.
        rates: learning rates by part.

    Raises:
        ConfigError: a rate is for a part that the network doesn't have.
    """
    given = dict(rates or {})
    for name in given:
        part_of(model, name)
    groups = ((name, list(part.parameters())) for name, part in model.parts().items())
    return [{"name": name, "params": own, "lr": given.get(name, rate)} for name, own in groups if own]


def _some(keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + more
