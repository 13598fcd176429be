"""JSON files: what programs read. Undefined numbers become null, and nothing is half-written."""

import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import date, datetime, time
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from hilum.core import OutputError, UnreadableError
from hilum.io.atomic import atomic_file
from hilum.io.inputs import open_input


def write_json(path: Path, content: object) -> None:
    """Write `content` as UTF-8 JSON, keys in the order given, atomically.

    Dataclasses become objects, numpy arrays lists, paths and dates text, sets sorted lists; NaN and infinity, which
    JSON doesn't have (RFC 8259, section 6), become null.

    Raises:
        OutputError: something in it has no JSON form, or the place can't be written to.
    """
    with atomic_file(path) as temporary:
        temporary.write_text(to_json(content) + "\n", encoding="utf-8")


def to_json(content: object) -> str:
    """The text that `write_json` writes, without the last line's end; raises OutputError like it."""
    return json.dumps(plain(content), ensure_ascii=False, indent=2, allow_nan=False)


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        InputError: the file doesn't exist or may not be read.
        UnreadableError: it is not JSON; the message says where it breaks.
    """
    with open_input(path) as stream:
        content = stream.read()
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UnreadableError(
            f"{path} is not JSON: it is not UTF-8 text.", "Check that this is the right file."
        ) from error
    except json.JSONDecodeError as error:
        raise UnreadableError(
            f"{path} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}.",
            "Mend it, or write it anew.",
        ) from error
    except RecursionError as error:
        raise UnreadableError(f"{path} is nested too deeply for JSON that hilum writes or reads.", "") from error


def plain(content: object) -> Any:
    """The same in None, bool, int, float, str, list and dict only; without dataclass fields marked `{"json": False}`.

    Raises:
        OutputError: something in it has no JSON form.
    """
    if content is None or (isinstance(content, bool | str) and not isinstance(content, Enum)):
        return content
    if isinstance(content, Enum):
        return plain(content.value)
    if isinstance(content, int):
        return int(content)
    if isinstance(content, float):
        return float(content) if math.isfinite(content) else None
    if isinstance(content, np.generic | np.ndarray):
        return plain(content.tolist())
    if isinstance(content, PurePath | datetime | date | time):
        return str(content) if isinstance(content, PurePath) else content.isoformat()
    return _plain_many(content)


def _plain_many(content: object) -> Any:
    if dataclasses.is_dataclass(content) and not isinstance(content, type):
        fields = (field.name for field in dataclasses.fields(content) if field.metadata.get("json", True))
        return {name: plain(getattr(content, name)) for name in fields}
    if isinstance(content, Mapping):
        return {_key(key): plain(value) for key, value in content.items()}
    if isinstance(content, set | frozenset):
        return [plain(item) for item in sorted(content, key=str)]
    if isinstance(content, list | tuple) or hasattr(content, "__iter__"):
        return [plain(item) for item in content]
    raise OutputError(f"a {type(content).__name__} has no JSON form.", "Give its fields instead.")


def _key(key: object) -> str:
    name = plain(key)
    return name if isinstance(name, str) else json.dumps(name)
