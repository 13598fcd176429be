"""What the two formats with a text header, MetaImage and NRRD, have in common."""

from pathlib import Path

from hilum.core import UnreadableError, UnsupportedError
from hilum.core.geometry import Shape3, Triple

MAX_HEADER_BYTES = 1 << 20
"""Real headers have some hundred bytes; one of a segmentation with many names, some ten thousand."""


def decoded(text: bytes) -> str:
    """UTF-8, as hilum and modern tools write; Latin-1, which takes any byte, for what is none."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def whole(text: str, what: str, path: Path) -> int:
    """One whole number of a header.

    Raises:
        UnreadableError: it is none.
    """
    try:
        return int(text)
    except ValueError as error:
        raise damaged(path, f"{what} should be a whole number, it is {text[:40]!r}") from error


def triple(text: str, what: str, path: Path) -> Triple:
    """Three numbers, apart by blanks or commas.

    Raises:
        UnreadableError: they are not three, or not numbers.
    """
    words = text.replace(",", " ").split()
    try:
        x, y, z = (float(word) for word in words)
    except ValueError as error:
        raise damaged(path, f"{what} should be three numbers, it is {text[:60]!r}") from error
    return x, y, z


def sizes_zyx(text: str, what: str, path: Path) -> Shape3:
    """Three sizes as (z, y, x) from a header's "x y z".

    Raises:
        UnreadableError: they are not three positive whole numbers.
    """
    words = text.split()
    numbers = [whole(word, what, path) for word in words]
    if len(numbers) != 3 or min(numbers) < 1:
        raise damaged(path, f"{what} should be three positive whole numbers, it is {text[:60]!r}")
    return numbers[2], numbers[1], numbers[0]


def data_file(header: Path, name: str) -> Path:
    """The file with the voxels, which has to lie beside its header or below.

    A header from elsewhere must not make hilum read any other file of the machine.

    Raises:
        UnsupportedError: it is named by an absolute path or lies outside the header's folder.
        UnreadableError: it is not there.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts or "\0" in name:
        raise UnsupportedError(
            f"{header} names its voxels by a path outside its folder: {name[:80]!r}.",
            "Put that file beside the header, and give its bare name there.",
        )
    path = header.parent / name
    try:
        found = path.is_file()
    except OSError:  # a name that no file system takes
        found = False
    if not found:
        raise UnreadableError(
            f"{header} is a header only; its voxels, {name[:80]}, are missing.", f"Put {name[:80]} beside it."
        )
    return path


def damaged(path: Path, what: str) -> UnreadableError:
    """The error for a header that can't be understood."""
    return UnreadableError(f"{path} has a damaged header: {what}.", "Export or copy it again.")
