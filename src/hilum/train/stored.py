"""A model on disk: weights.safetensors and config.json, each whole or absent (`card.md` comes at the end)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hilum import __version__
from hilum.io.atomic import atomic_file
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
    write_config(folder, config, found)


def write_config(folder: Path, config: TrainConfig, found: Mapping[str, Any]) -> None:
    """Write the configuration alone, with what else is known by now."""
    head = {"schema": SCHEMA, "version": __version__, "hash": config.hash}
    write_json(folder / CONFIG, {**head, **found, "config": config.plain()})
