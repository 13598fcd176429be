"""Opening what a person named, and saying plainly when that isn't possible."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hilum.core import InputError, UnreadableError, UnsupportedError


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


def _refused(path: Path, error: OSError) -> InputError:
    if isinstance(error, PermissionError):
        return InputError(f"{path} may not be read.", "Ask for read permission, or copy it to a place of your own.")
    if isinstance(error, IsADirectoryError):
        return InputError(f"{path} is a folder; a file was expected.", "Name a file inside it.")
    return UnreadableError(f"{path} could not be read: {error.strerror or error}.", "Copy it again from its source.")
