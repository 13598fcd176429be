"""One way to say on stderr which inputs failed."""

import sys
from collections.abc import Iterable
from pathlib import Path

from hilum.cli.exit_code import ExitCode
from hilum.core import Failure

SHOWN = 20


def say_failures(failures: Iterable[Failure], *, listed_in: Path | None = None, debug: bool = False) -> ExitCode:
    """A line each with what to do; past 20 only how many more there are, where a file lists them all.

    Args:
        failures: inputs that failed.
        listed_in: a file that has all of them.
        debug: with the traceback of each that has one.

    Returns:
        What the command ends with.
    """
    all_of_them = list(failures)
    shown = all_of_them if listed_in is None else all_of_them[:SHOWN]
    for failure in shown:
        _say(failure, debug=debug)
    if more := len(all_of_them) - len(shown):
        print(f"hilum: and {more} more; {listed_in} lists all.", file=sys.stderr)
    return ExitCode.SOME_FAILED if all_of_them else ExitCode.DONE


def say_traces(failures: Iterable[Failure]) -> None:
    """Only the tracebacks, where JSON has the rest."""
    for failure in failures:
        if failure.trace:
            print("".join(failure.trace.format()), end="", file=sys.stderr)


def _say(failure: Failure, *, debug: bool) -> None:
    # Errors about a file begin with its name; a case's key is said here.
    subject = "" if failure.error.startswith(failure.input) else f"{failure.input}: "
    print(f"hilum: {subject}{failure.error} {failure.remedy}".rstrip(), file=sys.stderr)
    if debug:
        say_traces([failure])
