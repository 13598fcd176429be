"""A complete configuration out of a recipe, a file, and what was said on the command line, in this order."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from hilum.config import merged, read_config
from hilum.core import ConfigError
from hilum.datasets.data_kind import kind_of
from hilum.infer.loaded import SCHEMA
from hilum.recipes.catalogue import recipe
from hilum.train.config import TrainConfig
from hilum.train.data_config import changed_kind

_KINDS = {"model": "name", "loss": "name", "data": "kind", "augment": "kind"}
"""Fields of several kinds, each with settings of its own, and the setting that tells which."""
_TOLD = {"data": kind_of, "augment": changed_kind}
"""How it is told where the setting may be left out."""
_OPTIONAL = tuple(name for name, field in TrainConfig.model_fields.items() if field.default is None)
"""Fields that may be null."""


def resolved_config(
    name: str, file: Path | None = None, settings: Sequence[str] = (), changes: Mapping[str, Any] | None = None
) -> TrainConfig:
    """The recipe, changed by a file's fields, by settings, and by `changes`, the later over the earlier.

    Args:
        name: of the recipe.
        file: YAML or JSON with any of the fields, such as the `config.yaml` that a run leaves, or its model's
            `config.json`.
        settings: such as "optimiser.lr=1e-4" or "loss.name=focal"; the value is read as YAML.
        changes: nested fields.

    Raises:
        ConfigError: no such recipe, file or field, or a value that can't be.
    """
    fields = recipe(name).plain()
    for changed in (_fields_of(file) if file else {}, *map(as_fields, settings), changes or {}):
        fields = _changed(fields, changed)
    return TrainConfig.of(fields, str(file) if file else "")


def _fields_of(file: Path) -> dict[str, Any]:
    fields = read_config(file)
    return dict(fields["config"]) if fields.get("schema") == SCHEMA else fields


def as_fields(setting: str) -> dict[str, Any]:
    """The nested fields that "optimiser.lr=1e-4" means.

    Raises:
        ConfigError: it is no such words.
    """
    path, equals, words = setting.partition("=")
    names = path.strip().split(".")
    if not equals or not all(names):
        raise ConfigError(f"{setting!r} is no setting.", "Write it like optimiser.lr=1e-4.")
    try:
        value = yaml.safe_load(words)
    except yaml.YAMLError as error:
        raise ConfigError(f"{setting!r}: {words!r} is not YAML.", "Write it like loss.name=focal.") from error
    for name in reversed(names):
        value = {name: value}
    return dict(value)


def as_yaml(config: TrainConfig) -> str:
    """All fields, as a file that `resolved_config` reads."""
    return str(yaml.safe_dump(config.plain(), sort_keys=False, allow_unicode=True))


def _changed(fields: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`changes` over `fields`; another model, loss or kind of data begins with its own options, not the former one's.

    A group that a run may be without, such as `pretext`, can be taken away with null.
    """
    kept = dict(fields)
    for name in _OPTIONAL:
        if name in changes and changes[name] is None:
            kept[name] = None
    for name, tells in _KINDS.items():
        new, old = changes.get(name), kept.get(name)
        if isinstance(new, Mapping) and isinstance(old, Mapping):
            former = _TOLD[name](old) if name in _TOLD else old[tells]
            if new.get(tells, former) != former:
                kept[name] = {}
    return merged(kept, changes)
