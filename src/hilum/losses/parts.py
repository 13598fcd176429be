"""A loss and what it is made of, so that a curve can show each part."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Loss:
    """What one batch costs.

    Attributes:
        total: scalar, with gradient.
        parts: scalars by name ("dice", "bce", "attention"), unweighted, without gradient.
    """

    total: Tensor
    parts: Mapping[str, Tensor] = field(default_factory=dict)


def single(name: str, value: Tensor) -> Loss:
    """A loss that is its only part."""
    return Loss(value, {name: value.detach()})


def weighted_sum(terms: Iterable[tuple[float, Loss]]) -> Loss:
    """Σ weight × total, with the parts of all; a name that comes again is numbered ("dice", "dice_2").

    Args:
        terms: at least one pair of weight and loss.
    """
    totals: list[Tensor] = []
    parts: dict[str, Tensor] = {}
    for weight, loss in terms:
        totals.append(weight * loss.total)
        for name, value in loss.parts.items():
            parts[_distinct(name, parts)] = value
    return Loss(sum(totals[1:], start=totals[0]), parts)


def _distinct(name: str, taken: Mapping[str, Tensor]) -> str:
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate
