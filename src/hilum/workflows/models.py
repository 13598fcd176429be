"""Which networks there are, how large, and what can be set; and which trained models come with hilum."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hilum.config import member
from hilum.core import ConfigError
from hilum.datasets.patch_config import PatchDataConfig
from hilum.infer.loaded import CARD, CONFIG, WEIGHTS, model_folder, shipped_models
from hilum.io.json_file import read_json
from hilum.models.attended import AttendedResNet
from hilum.models.catalogue import MODELS
from hilum.models.class_network import ClassUNet
from hilum.train.card_use import pixels_of, shown_of
from hilum.train.config import TrainConfig


@dataclass(frozen=True)
class Setting:
    """One setting of a network.

    Attributes:
        name: as in a configuration's `options`.
        default: its value when nothing is said.
        meaning: what it does.
    """

    name: str
    default: Any
    meaning: str


@dataclass(frozen=True)
class ModelListing:
    """A network in the catalogue, with its defaults.

    Attributes:
        name: as in a configuration.
        summary: one sentence.
        parameters: numbers that are learned.
        parts: what can be trained, frozen or loaded by name, each with its parameters.
        encoder_stages: how many of the encoder's last stages can be chosen at most.
        pretrained: whether torchxrayvision's weights can go into the encoder.
        settings: what can be set.
    """

    name: str
    summary: str
    parameters: int
    parts: dict[str, int]
    encoder_stages: int
    pretrained: bool
    settings: Sequence[Setting]


@dataclass(frozen=True)
class ShippedListing:
    """A trained model that comes with hilum.

    Attributes:
        name: as `hilum predict --model` takes it.
        marks: what it marks, in a few words.
        network: by name.
        bytes: of the weights.
        pixels: that it looks at them on, in a few words.
        pixel_mm: side of these pixels or voxels; None where each scan keeps its own.
        threshold: from which probability a pixel is marked; chosen on validation. None of a model by classes, where the
            likeliest class counts.
        figures: on the validation patients that chose the threshold, by name: value, low, high, n; values alone while
            its run goes on.
        licence: of the data that it learnt from.
        card: where its card lies; None while its run goes on.
        classes: names of what it marks; empty of a model that marks nodules.
    """

    name: str
    marks: str
    network: str
    bytes: int
    pixels: str
    pixel_mm: float | None
    threshold: float | None
    figures: Mapping[str, Mapping[str, float | None]]
    licence: str
    card: Path | None
    classes: Sequence[str] = ()


def list_models(names: Sequence[str] = ()) -> list[ModelListing]:
    """The networks of these names, but for names of shipped models alone; all by default.

    Raises:
        ConfigError: there is neither a network nor a shipped model of a name.
    """
    shipped = shipped_models()
    if unknown := [name for name in names if name not in MODELS and name not in shipped]:
        raise ConfigError(f"there is no model {unknown[0]!r}.", f"There are: {', '.join((*MODELS, *shipped))}.")
    return [_listing(name) for name in names or MODELS if name in MODELS]


def list_shipped(names: Sequence[str] = ()) -> list[ShippedListing]:
    """The shipped models of these names, all of them by default.

    Raises:
        ConfigError: a model's configuration lacks something.
    """
    return [_shipped(name) for name in shipped_models() if name in (names or (name,))]


def _shipped(name: str) -> ShippedListing:
    folder = model_folder(name)
    stored = read_json(folder / CONFIG)
    try:
        data = TrainConfig.of(stored["config"], str(folder / CONFIG)).data
        return ShippedListing(
            name=name,
            marks=shown_of(data),
            network=stored["config"]["model"]["name"],
            bytes=(folder / WEIGHTS).stat().st_size,
            pixels=pixels_of(data),
            pixel_mm=data.voxel_mm if isinstance(data, PatchDataConfig) else data.pixel_mm,
            threshold=None if "classes" in stored else stored["threshold"]["value"],
            figures=_figures(stored),
            licence=stored.get("data", {}).get("licence", "not said"),
            card=folder / CARD if (folder / CARD).is_file() else None,
            classes=tuple(stored.get("classes", {}).get("names", {}).values()),
        )
    except KeyError as error:
        raise ConfigError(f"{folder / CONFIG} doesn't say what the model is: {error} is missing.") from error


def _figures(stored: Mapping[str, Any]) -> Mapping[str, Mapping[str, float | None]]:
    """What a model reached on validation; of one that calls lesions gone, how often that is right, too."""
    figures = stored.get("figures") or {name: {"value": one} for name, one in stored["validation"].items()}
    return {**figures, **stored.get("gone_threshold", {}).get("figures", {})}


def _listing(name: str) -> ModelListing:
    cls = member(MODELS, "model", name)
    config = cls.Config()
    with torch.device("meta"):  # shapes alone: nothing is drawn and no memory taken
        network = cls(config)
    fields, values = cls.Config.model_fields, config.plain()
    return ModelListing(
        name=name,
        summary=(inspect.getdoc(cls) or "").split("\n\n", 1)[0].replace("\n", " "),
        parameters=sum(own.numel() for own in network.parameters()),
        parts={part: sum(own.numel() for own in module.parameters()) for part, module in network.parts().items()},
        encoder_stages=len(network.encoder_stages()),
        pretrained=issubclass(cls, AttendedResNet | ClassUNet),
        settings=[
            Setting(key, values[key], " ".join((field.description or "").split())) for key, field in fields.items()
        ],
    )
