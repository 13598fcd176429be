"""Which networks there are, how large, and what can be set."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from hilum.models.attended import AttendedResNet
from hilum.models.catalogue import MODELS, model_class, options_of


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


def list_models(names: Sequence[str] = ()) -> list[ModelListing]:
    """The networks of these names, all of them by default.

    Raises:
        ConfigError: there is no network of a name.
    """
    return [_listing(name) for name in names or MODELS]


def _listing(name: str) -> ModelListing:
    cls, config = model_class(name), options_of(name, {})
    with torch.device("meta"):  # shapes alone: nothing is drawn and no memory taken
        network = cls(config)
    fields, values = cls.Config.model_fields, config.plain()
    return ModelListing(
        name=name,
        summary=(inspect.getdoc(cls) or "").split("\n\n", 1)[0].replace("\n", " "),
        parameters=sum(own.numel() for own in network.parameters()),
        parts={part: sum(own.numel() for own in module.parameters()) for part, module in network.parts().items()},
        encoder_stages=len(network.encoder_stages()),
        pretrained=issubclass(cls, AttendedResNet),
        settings=[
            Setting(key, values[key], " ".join((field.description or "").split())) for key, field in fields.items()
        ],
    )
