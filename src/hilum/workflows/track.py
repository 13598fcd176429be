"""How a long workflow says how far it is, without knowing who is watching."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Track(Protocol):
    """Hands the items through one by one; a shell may show a bar while it does."""

    def __call__(self, items: Sequence[T], label: str) -> Iterable[T]:
        """The same items; `label` says what is being done with them."""


def silently(items: Sequence[T], label: str) -> Iterable[T]:
    """Shows nothing."""
    del label
    return items
