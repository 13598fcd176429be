"""Text and bytes, whole or absent."""

from pathlib import Path

from hilum.io.atomic import atomic_file


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text.

    Raises:
        OutputError: the file could not be written.
    """
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes.

    Raises:
        OutputError: the file could not be written.
    """
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)
