"""Output whose reader may leave early, such as `head`: what became of the run is still told by its exit code."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast


class Lasting:
    """A text stream that takes everything, also when its reader has left or its disk is full; the rest goes nowhere.

    A command would otherwise end at its next line, with the exit code of the print and not of its work.

    Attributes:
        error: what happened to the stream first; None as long as all was written.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Write, or drop."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._drop(error)
            return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write all, or drop."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what is left, or drop it."""
        try:
            self._stream.flush()
        except OSError as error:
            self._drop(error)

    def __getattr__(self, name: str) -> Any:
        """Whatever else the stream has: isatty, encoding, fileno."""
        return getattr(self._stream, name)

    def _drop(self, error: OSError) -> None:
        self.error = self.error or error
        with suppress(OSError):  # a stream in memory has no number; what the buffer still holds goes nowhere, too
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@contextmanager
def lasting_output() -> Iterator[list[OSError]]:
    """Let stdout and stderr last as long as the command.

    Yields:
        Filled at the end: why stdout could not be written, unless its reader had merely seen enough.
    """
    out, err, lost = sys.stdout, sys.stderr, list[OSError]()
    kept = {name: Lasting(stream) for name, stream in (("stdout", out), ("stderr", err)) if stream is not None}
    try:
        for name, stream in kept.items():
            setattr(sys, name, cast(TextIO, stream))
        yield lost
    finally:
        sys.stdout, sys.stderr = out, err
        for stream in kept.values():
            stream.flush()
        problem = kept["stdout"].error if "stdout" in kept else None
        if problem is not None and not isinstance(problem, BrokenPipeError):
            lost.append(problem)
