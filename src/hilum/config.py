"""Configurations: frozen, complete, strict, and hashed. Each stands beside the class that it configures."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar, cast, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer, Tag, ValidationError, model_validator
from pydantic.fields import FieldInfo

from hilum.core import ConfigError

ERRORS_SHOWN = 5

T = TypeVar("T")
V = TypeVar("V")


class FrozenDict(Mapping[str, V]):
    """A mapping that can't change, nor what is in it: lists become tuples, mappings are frozen, too."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, V] | None = None) -> None:
        self._items = {key: _frozen(value) for key, value in (items or {}).items()}

    def __getitem__(self, key: str) -> V:
        return cast(V, self._items[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return FrozenDict(value)
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _thawed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _thawed(inner) for key, inner in value.items()}
    return type(value)(map(_thawed, value)) if type(value) in (list, tuple) else value


Frozen = (AfterValidator(FrozenDict), PlainSerializer(_thawed))
"""What a field that is a mapping is annotated with: `Annotated[Mapping[str, float], *Frozen]`."""


class FrozenConfig(BaseModel):
    """A configuration that can't change, takes no unknown key, and says what each field is in the field's docstring.

    Raises:
        ConfigError: a key is unknown, or a value can't be; each is named by its whole path.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**_thawed(fields))
        except ValidationError as error:
            raise _clear(error, type(self), "") from error

    # Without this mark pydantic would call __init__ for a nested configuration, and its errors would lose their path.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def of(cls, fields: Mapping[str, Any], where: str = "") -> Self:
        """A configuration of plain fields, as a file or the command line gives them.

        Args:
            fields: by name; nested configurations are mappings.
            where: what to call the source in an error's message, such as a file's name.

        Raises:
            ConfigError: a key is unknown, or a value can't be; the first five are named.
        """
        try:
            return cls.model_validate(_thawed(fields))
        except ValidationError as error:
            raise _clear(error, cls, where) from error

    def plain(self) -> dict[str, Any]:
        """All fields as JSON has them."""
        return self.model_dump(mode="json")

    @property
    def hash(self) -> str:
        """SHA-256 of all fields."""
        return hashlib.sha256(json.dumps(self.plain(), sort_keys=True).encode()).hexdigest()


class Choice(FrozenConfig):
    """One of a family by name, with every option; options that were left out are filled with their defaults."""

    kind: ClassVar[str]
    """What the family's members are called in errors."""

    name: str
    """A name in the family."""
    options: Annotated[Mapping[str, Any], *Frozen] = FrozenDict()
    """Its own settings by name."""

    @classmethod
    def family(cls) -> Mapping[str, Any]:
        """Classes by name; each has a `Config` that is a `FrozenConfig`."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _complete(self) -> Self:
        chosen = member(self.family(), self.kind, self.name).Config.of(self.options, f"{self.kind} {self.name}")
        # A frozen model's field is set past the guard: what is stored and hashed has to be the complete options.
        object.__setattr__(self, "options", FrozenDict(chosen.plain()))
        return self


def member(family: Mapping[str, T], kind: str, name: str) -> T:
    """The member of this name.

    Raises:
        ConfigError: there is none.
    """
    try:
        return family[name]
    except KeyError:
        raise ConfigError(f"there is no {kind} {name!r}.", f"There are: {', '.join(family)}.") from None


def built(family: Mapping[str, type[T]], kind: str, name: str, options: Mapping[str, Any] | None = None) -> T:
    """The member of this name, with these options; defaults for those left out.

    Args:
        family: classes by name; each has a `Config` and is made of one.
        kind: what its members are called in errors.
        name: in the family.
        options: fields of the member's `Config`.

    Raises:
        ConfigError: no such member, no such setting, or a value that can't be.
    """
    chosen: Any = member(family, kind, name)
    made: T = chosen(chosen.Config.of(options or {}, f"{kind} {name}"))
    return made


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


def merged(fields: Mapping[str, Any], changes: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """`fields` with `changes` on top; nested mappings are merged, everything else replaced.

    Args:
        fields: as they were.
        changes: that go over them.
        where: what to call `fields` in an error's message, such as "trainer".

    Raises:
        ConfigError: a single value, or nothing, would take the place of a mapping and all that it says.
    """
    result = dict(fields)
    for key, value in changes.items():
        old, path = result.get(key), f"{where}.{key}".strip(".")
        if isinstance(old, Mapping) and not isinstance(value, Mapping):
            inner = next(iter(old), "NAME")
            raise ConfigError(
                f"{path} is a group of settings, and no {value!r} can stand for it.",
                f"Set those that it has, such as {path}.{inner}, or leave it out.",
            )
        result[key] = merged(old, value, path) if isinstance(old, Mapping) else value
    return result


def _clear(error: ValidationError, cls: type[BaseModel], where: str) -> ConfigError:
    """The first five things that are wrong, each with what would be right."""
    problems = error.errors(include_url=False)
    said = [_one(dict(problem), cls) for problem in problems[:ERRORS_SHOWN]]
    more = len(problems) - len(said)
    words = "; ".join(message for message, _ in said) + (f"; and {more} more" if more else "")
    remedies = dict.fromkeys(remedy for _, remedy in said if remedy)
    words = words.removeprefix(f"{cls.__qualname__}: ") if where else words  # the source says whose it is
    return ConfigError(f"{where}: {words}." if where else f"{words}.", " ".join(remedies))


def _one(problem: Mapping[str, Any], cls: type[BaseModel]) -> tuple[str, str]:
    """What is wrong, and what would be right."""
    name, here, field = _place(cls, problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"there is no setting {name!r}", f"{here.__qualname__} has: {', '.join(here.model_fields)}."
    if problem["type"] == "union_tag_invalid":
        there = ", ".join(_kinds(field))
        return f"{name}: there is no kind {problem['ctx']['tag']!r}", f"There are: {there}."
    said = problem["msg"].removeprefix("Value error, ").rstrip(".")
    meaning = " ".join((field.description or "").split()) if field else ""
    got = "" if problem["type"] in {"missing", "value_error"} else f"; got {problem['input']!r}"
    return f"{name or here.__qualname__}: {said}{got}", f"{name}: {meaning}" if meaning else ""


def _place(cls: type[BaseModel], path: tuple[int | str, ...]) -> tuple[str, type[BaseModel], FieldInfo | None]:
    """A setting's name, the innermost configuration on the way to it, and the last of its fields.

    Places in tuples don't count, and which kind of configuration a field has is no part of the name.
    """
    here, field, inner, names = cls, None, cls, []
    kinds: Mapping[str, type[BaseModel] | None] = {}
    for part in path:
        if part in kinds:
            inner, kinds = kinds[str(part)] or inner, {}
            continue
        names.append(str(part))
        found = inner.model_fields.get(str(part))
        if found is not None:
            here, field, kinds = inner, found, _kinds(found)
            inner = _configuration(found.annotation) or inner
        elif isinstance(part, str):
            here = inner
    return ".".join(names), here, field


def _kinds(field: FieldInfo | None) -> dict[str, type[BaseModel] | None]:
    """The kinds that a field's value may be of, by tag, each with its configuration where it is one."""
    every = [get_args(one) for one in get_args(field.annotation)] if field else []
    return {one.tag: _configuration(args[0]) for args in every for one in args[1:] if isinstance(one, Tag)}


def _configuration(annotation: Any) -> type[BaseModel] | None:
    """The configuration that a field holds, also in a tuple or beside None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _configuration(inner))), None)
