"""What a command's exit code says, and which errors are wrong usage."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from hilum.core import HilumError, UnreadableError


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    FAILED = 1
    "One clear error; nothing half-written is left."
    USAGE = 2
    "No such command or option, or a value that an option can't have."
    SOME_FAILED = 3
    "Done, but for some inputs, each of which is said."


class UsageError(HilumError):
    """An option has a value that can't be."""


@contextmanager
def checked_options() -> Iterator[None]:
    """What goes wrong while options become a request is wrong usage; a file that can't be read is not.

    Raises:
        UsageError: in place of any other error of hilum's.
    """
    try:
        yield
    except UnreadableError:
        raise
    except HilumError as error:
        raise UsageError(error.message, error.remedy) from error
