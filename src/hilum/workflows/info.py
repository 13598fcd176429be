"""What files and folders are, and what is odd about them."""

from collections.abc import Sequence
from pathlib import Path

from hilum.core import Failures, HilumError, InputError
from hilum.io.describe import describe
from hilum.io.description import Description
from hilum.workflows.track import Track, silently


def inspect(paths: Sequence[Path], track: Track = silently) -> tuple[list[Description], Failures]:
    """Describe everything at the paths; what can't be read is recorded and doesn't cost the rest.

    Args:
        paths: files and folders.
        track: shows how far it is.

    Returns:
        What was found, in the order of the paths, and what failed.

    Raises:
        HilumError: there is one path, and nothing at it to look at: it doesn't exist, may not be
            read, or is an empty folder.
    """
    found: list[Description] = []
    failures = Failures()
    for path in track(paths, "looking"):
        try:
            found += describe(path, failures)
        except HilumError as error:
            if len(paths) == 1 and type(error) is InputError:  # its kinds say what is wrong with what is there
                raise
            failures.add(str(path), error)
    return found, failures
