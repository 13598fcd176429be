"""Arrays of an `.npz` that somebody else has written."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.core import InputError, UnreadableError


def read_arrays(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Those of the arrays that are there; no objects, which could hold anything.

    Raises:
        InputError: there is no such file, or it may not be read.
        UnreadableError: it is no `.npz`, or damaged.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            if not isinstance(stored, np.lib.npyio.NpzFile):
                raise UnreadableError(f"{path} holds one array, not several.", "Give the .npz with the crops.")
            return {name: stored[name] for name in names if name in stored}
    except OSError as error:
        raise InputError(
            f"{path} can't be read: {error.strerror or error}.", "Name the .npz with the crops."
        ) from error
    except (ValueError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile, MemoryError) as error:
        raise UnreadableError(f"{path} is no .npz, or damaged.", "Name the .npz with the crops.") from error
