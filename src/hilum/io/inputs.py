"""Opening what a person named, and saying plainly when that isn't possible."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hilum.core import Failures, InputError, UnreadableError, UnsupportedError


def require_path(path: Path) -> Path:
    """The same path, once it is known to exist.

    Raises:
        InputError: there is nothing at this path, or it may not be looked at.
    """
    try:
        found = path.exists()
    except PermissionError as error:
        raise _refused(path, error) from error
    except OSError:  # a name that no file system takes
        found = False
    if not found:
        raise InputError(f"{path} doesn't exist.", "Check the spelling, or give the full path.")
    return path


@contextmanager
def open_input(path: Path) -> Iterator[BinaryIO]:
    """The file, open for reading; what the operating system refuses becomes an InputError.

    A pipe would make us wait, perhaps for ever, and images are read in several places of the file.

    Raises:
        InputError: the file doesn't exist, or may not be read.
        UnsupportedError: it is a pipe, a socket or a device.
        UnreadableError: the device or disk failed while reading.
    """
    require_path(path)
    if not path.is_file() and not path.is_dir():
        raise UnsupportedError(f"{path} is a pipe or device; a file was expected.", "Save its content to a file first.")
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise _refused(path, error) from error


def read_start(path: Path, size: int) -> bytes:
    """The first `size` bytes of a file, fewer when it is shorter; raises like `open_input`."""
    with open_input(path) as stream:
        return stream.read(size)


def files_in(folder: Path, failures: Failures | None = None) -> list[Path]:
    """All files below a folder, sorted; what is hidden (a name that begins with a dot) is left out.

    Linked folders count as if they lay there. A folder is entered once: under its own name if it has one below
    `folder`, so a link to it, or round to itself, adds nothing.

    Args:
        folder: where to look.
        failures: where subfolders that may not be listed, and links that lead nowhere, are recorded by their path;
            without it the first one is raised.

    Raises:
        InputError: the folder, or without `failures` something below it, can't be looked at.
        TooManyFailuresError: more than is allowed can't be.
    """
    found: list[Path] = []
    entered: set[str] = set()
    waiting = [folder]
    while waiting:
        waiting = sorted(link for start in waiting for link in _enter(start, folder, entered, found, failures))
    return sorted(found)


def _enter(start: Path, top: Path, entered: set[str], found: list[Path], failures: Failures | None) -> list[Path]:
    """Add the files below `start` to `found`; returns the linked folders met on the way."""
    links = []

    def tell(place: Path, error: InputError) -> None:
        if failures is None or place == top:
            raise error
        failures.add(str(place), error)

    def refused(error: OSError) -> None:
        place = Path(error.filename)
        words = f"{place} may not be listed: {error.strerror or error}."
        tell(place, InputError(words, "Ask for read permission."))

    for place, folders, names in os.walk(start, onerror=refused):
        here = Path(place)
        if os.path.realpath(here) in entered:
            folders.clear()
            continue
        entered.add(os.path.realpath(here))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links += [here / name for name in folders if (here / name).is_symlink()]
        for path in (here / name for name in names if not name.startswith(".")):
            if path.is_file():
                found.append(path)
            elif path.is_symlink():
                tell(path, UnreadableError(f"{path} is a link that leads nowhere.", "Copy what it should lead to."))
    return links


def _refused(path: Path, error: OSError) -> InputError:
    if isinstance(error, PermissionError):
        return InputError(f"{path} may not be read.", "Ask for read permission, or copy it to a place of your own.")
    if isinstance(error, IsADirectoryError):
        return InputError(f"{path} is a folder; a file was expected.", "Name a file inside it.")
    return UnreadableError(f"{path} could not be read: {error.strerror or error}.", "Copy it again from its source.")
