"""A progress bar on stderr; nothing when stderr is not a terminal."""

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def bar(items: Sequence[T], label: str) -> Iterable[T]:
    """The items, with a bar that shows how many are done."""
    if not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, description=label, console=Console(stderr=True), transient=True)
