"""What several readers have in common."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.core import InputError
from hilum.core.mask import Selection

_ROUNDING = 1e-9
"""A share such as .1 has no exact binary form: .1 · 30 readers is more than 3, and 3 of 30 are a tenth all the same."""


def consensus(votes: NDArray[Any], readers: int, level: float = 0.5) -> Selection:
    """Where at least `level` of the readers agree; ties are in.

    Consensus c of n readers: a pixel is in when at least c·n of those who outlined this nodule have it, and one at
    least does, so that level 0 is what any of them has (`definitions.md`, "Readers and consensus").

    Args:
        votes: how many readers have each pixel.
        readers: how many outlined the nodule.
        level: share of them, 0 to 1.

    Raises:
        InputError: the level is not from 0 to 1.
    """
    require_level(level)
    return np.asarray(votes >= max(level * readers - _ROUNDING, 1))


def require_level(level: float) -> None:
    """Refuse what is no share.

    Raises:
        InputError: the level is not from 0 to 1.
    """
    if not 0 <= level <= 1:
        raise InputError(
            f"a consensus level is a share of the readers from 0 to 1, got {level:g}.",
            "Give .5 for what half of them have, 0 for what any has.",
        )
