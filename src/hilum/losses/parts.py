"""A loss and what it is made of, so that a curve can show each part."""

from collections.abc import Mapping
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
