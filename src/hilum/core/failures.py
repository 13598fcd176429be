"""A failure is a record, with a ceiling."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from traceback import TracebackException

from hilum.core.errors import HilumError, TooManyFailuresError


@dataclass(frozen=True)
class Failure:
    """One input that failed: which, why, and what to do about it.

    Attributes:
        trace: where it happened and what caused it, for `--debug`; not written to JSON. The exception itself would keep
            every array alive that its frames hold.
    """

    input: str
    error: str
    remedy: str
    trace: TracebackException | None = field(default=None, repr=False, compare=False, metadata={"json": False})


class Failures:
    """Collects what failed, so that one broken file doesn't cost the others; stops past a limit.

    Args:
        limit: failures that the run allows; None for any number.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._records: list[Failure] = []

    def add(self, key: str, error: HilumError) -> None:
        """Record that the input `key` failed.

        Raises:
            TooManyFailuresError: this one is past the limit.
        """
        trace = TracebackException.from_exception(error, lookup_lines=False)
        self._records.append(Failure(key, error.message, error.remedy, trace))
        if self._limit is not None and len(self._records) > self._limit:
            raise TooManyFailuresError(
                f"{len(self._records)} inputs failed and {self._limit} are allowed; "
                f"the last was {key}: {error.message}",
                "Mend what failed, or allow more with --max-failures.",
            ) from error

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Failure]:
        return iter(self._records)


class FirstFailure(Failures):
    """Records nothing: the first failure is raised as it is."""

    def add(self, key: str, error: HilumError) -> None:
        """Raise the error.

        Raises:
            HilumError: always, the one that is given.
        """
        del key
        raise error
