"""What is profiled or exported: a network from scratch, a trained one, or one that was exported."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from hilum.core import ConfigError, MissingError
from hilum.infer.exported import EXPORT, Graph, read_graph
from hilum.infer.graph import second_channels
from hilum.infer.loaded import CONFIG, LoadedNetwork, PriorWanted, load_network, prior_wanted, shipped_models
from hilum.io.json_file import read_json
from hilum.models.catalogue import MODELS, ModelConfig
from hilum.models.network import Network


@dataclass(frozen=True, eq=False)
class Subject:
    """A network under a name.

    Attributes:
        name: of the network, the shipped model or the run.
        place: as it was asked for.
        origin: "from scratch", "trained" or "exported".
        network: in evaluation mode; of an exported one, its shape alone.
        channels: of second images that are an input; 0 without.
        graph: of an exported one.
        loaded: of a trained one.
        config: `config.json` of a trained or exported one.
    """

    name: str
    place: str
    origin: str
    network: Network
    channels: int
    graph: Graph | None = None
    loaded: LoadedNetwork | None = None
    config: Mapping[str, Any] = field(default_factory=dict)


def subject_of(model: str) -> Subject:
    """A network by its name in the catalogue, a shipped model's name, or the folder of a trained or exported one.

    Raises:
        MissingError: there is none.
        InputError: a file in the folder is damaged.
        ConfigError: a file in it is of another kind, or it is a network for pieces of a CT.
    """
    subject = _subject_of(model)
    if subject.network.axes != 2:
        raise ConfigError(
            f"{subject.name} is a network for pieces of a CT, and only those for pictures are profiled and exported.",
            "hilum models lists its parameters.",
        )
    return subject


def _subject_of(model: str) -> Subject:
    if model in MODELS:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(0)
            network = ModelConfig(name=model).build().eval()
        return Subject(model, model, "from scratch", network, second_channels(network, PriorWanted()))
    if (Path(model) / EXPORT).is_file():
        return _exported(model)
    if Path(model).is_dir() and model not in shipped_models() and not _has_model(Path(model)):
        raise MissingError(f"the folder {model} holds no model.", "Give one that hilum train or hilum export has made.")
    if not Path(model).is_dir() and model not in shipped_models():
        raise MissingError(
            f"there is no model {model!r}.",
            f"Networks: {', '.join(MODELS)}; trained: {', '.join(shipped_models())}; or give a model's folder.",
        )
    loaded = load_network(model)
    channels = second_channels(loaded.network, PriorWanted() if loaded.is_pretext else prior_wanted(model))
    return Subject(loaded.name, model, "trained", loaded.network, channels, loaded=loaded, config=loaded.config)


def _has_model(folder: Path) -> bool:
    return (folder / CONFIG).is_file() or (folder / "model" / CONFIG).is_file()


def _exported(model: str) -> Subject:
    graph, config = read_graph(Path(model)), read_json(Path(model) / CONFIG)
    try:
        chosen = ModelConfig.of(config["config"]["model"], model)
    except (KeyError, TypeError) as error:
        raise MissingError(f"{Path(model) / CONFIG} names no network.", "Export the model again.") from error
    with torch.device("meta"):
        network = chosen.build().eval()
    return Subject(Path(model).resolve().name, model, "exported", network, graph.channels, graph=graph, config=config)
