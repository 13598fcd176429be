"""Output whose reader may leave early, such as `head`: what became of the run is still told by its exit code."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


@contextmanager
def while_read(stream: TextIO) -> Iterator[None]:
    """Write to a stream until its reader has seen enough; the rest goes nowhere."""
    try:
        yield
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
