"""Configurations: frozen, complete, strict, and hashed. Each stands beside the class that it configures."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from hilum.core import ConfigError


class FrozenConfig(BaseModel):
    """A configuration that can't change, takes no unknown key, and says what each field is in the field's docstring."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @classmethod
    def of(cls, fields: Mapping[str, Any], where: str = "") -> Self:
        """A configuration of plain fields, as a file or the command line gives them.

        Args:
            fields: by name; nested configurations are mappings.
            where: what to call the source in an error's message, such as a file's name.

        Raises:
            ConfigError: a key is unknown, or a value can't be; the first one is named.
        """
        try:
            return cls.model_validate(dict(fields))
        except ValidationError as error:
            raise _clear(error, cls, where) from error

    def plain(self) -> dict[str, Any]:
        """All fields as JSON has them."""
        return self.model_dump(mode="json")

    @property
    def hash(self) -> str:
        """SHA-256 of all fields."""
        return hashlib.sha256(json.dumps(self.plain(), sort_keys=True).encode()).hexdigest()


def read_config(path: Path) -> dict[str, Any]:
    """The fields in a YAML or JSON file.

    Raises:
        ConfigError: there is no such file, or it holds no mapping.
    """
    import yaml

    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}.", "Check the path.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {str(error).splitlines()[0]}.") from error
    if not isinstance(fields, dict) or not all(isinstance(key, str) for key in fields):
        raise ConfigError(f"{path} holds no configuration.", "It would have lines such as `epochs: 12`.")
    return fields


def merged(fields: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`fields` with `changes` on top; nested mappings are merged, everything else replaced."""
    result = dict(fields)
    for key, value in changes.items():
        old = result.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = merged(old, value) if both else value  # type: ignore[arg-type]
    return result


def _clear(error: ValidationError, cls: type[BaseModel], where: str) -> ConfigError:
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    of = f"{where}: " if where else ""
    if first["type"] == "extra_forbidden":
        return ConfigError(f"{of}there is no setting {name!r}.", f"{cls.__qualname__} has: {_settings(cls, name)}.")
    return ConfigError(f"{of}{name or cls.__qualname__}: {first['msg']}; got {first['input']!r}.")


def _settings(cls: type[BaseModel], name: str) -> str:
    """The names that would have been right at the place of `name`."""
    here = cls
    for part in name.split(".")[:-1]:
        field = here.model_fields.get(part)
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        here = inner
    return ", ".join(here.model_fields)
