"""Files in, files out. Orientation is converted here, once.

    from hilum.io import read_volume, write_volume

The names below are loaded when they are first used, and heavy libraries when the first file is read. What a path holds
says `hilum.io.describe.describe` (not repeated here: a module and a function of one name would hide each other).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hilum.io.description import Description
    from hilum.io.json_file import read_json, write_json
    from hilum.io.raster import write_png
    from hilum.io.read import read_mask, read_radiograph, read_volume
    from hilum.io.volumes import write_mask, write_volume

_WHERE = {
    "Description": "description",
    "read_json": "json_file",
    "read_mask": "read",
    "read_radiograph": "read",
    "read_volume": "read",
    "write_json": "json_file",
    "write_mask": "volumes",
    "write_png": "raster",
    "write_volume": "volumes",
}

__all__ = [
    "Description",
    "read_json",
    "read_mask",
    "read_radiograph",
    "read_volume",
    "write_json",
    "write_mask",
    "write_png",
    "write_volume",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
