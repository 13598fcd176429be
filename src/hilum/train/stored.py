"""A model on disk: weights.safetensors and config.json, each whole or absent (`card.md` comes at the end)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from hilum import __version__
from hilum.core import ConfigError
from hilum.io.atomic import atomic_file
from hilum.io.inputs import open_input
from hilum.io.json_file import write_json
from hilum.models.network import Network
from hilum.train.config import TrainConfig

WEIGHTS, CONFIG, CARD = "weights.safetensors", "config.json", "card.md"
SCHEMA = "hilum.model/1"


def write_model(folder: Path, network: Network, config: TrainConfig, found: Mapping[str, Any]) -> None:
    """Write weights and configuration.

    Args:
        folder: made when it isn't there.
        network: of any device; bfloat16 is not changed.
        config: the complete run.
        found: what else a user of the weights needs, such as the threshold and where it was chosen.

    Raises:
        OutputError: the place can't be written to.
    """
    from safetensors.torch import save_file

    kept = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with atomic_file(folder / WEIGHTS) as temporary:
        save_file(kept, temporary, {"model": config.model.name, "model_hash": config.model.hash})
    write_json(
        folder / CONFIG,
        {"schema": SCHEMA, "version": __version__, "hash": config.hash, **found, "config": config.plain()},
    )


def load_weights(network: Network, path: Path) -> None:
    """Fill a network with stored weights.

    Args:
        network: of the same architecture.
        path: a `weights.safetensors`, or the model's folder.

    Raises:
        InputError: there is no such file.
        ConfigError: it holds weights of another architecture, or none.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    file = path / WEIGHTS if path.is_dir() else path
    with open_input(file) as stream:
        content = stream.read()
    try:
        weights = load(content)
    except SafetensorError as error:
        raise ConfigError(f"{file} holds no weights: {str(error).splitlines()[0]}.") from error
    require_same_architecture(network, weights, str(file))
    network.load_state_dict(weights)


def require_same_architecture(network: Network, weights: Mapping[str, Tensor], where: str) -> None:
    """Check names and shapes of weights.

    Raises:
        ConfigError: they are of another architecture; the first difference is named.
    """
    own = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    theirs = {name: tuple(value.shape) for name, value in weights.items()}
    if own == theirs:
        return
    name = next(one for one in (*own, *theirs) if own.get(one) != theirs.get(one))
    raise ConfigError(
        f"{where} is of another architecture: {name} is {theirs.get(name, 'absent')}, here {own.get(name, 'absent')}.",
        "Take the model and options that it was trained with (config.json beside it).",
    )
