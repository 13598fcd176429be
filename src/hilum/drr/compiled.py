"""Loops compiled by numba on all cores, kept on disk between runs where there is a place for that."""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Loop = TypeVar("Loop", bound=Callable[..., Any])


def compiled(loop: Loop) -> Loop:
    """A loop over `numba.prange`, compiled when it is first called.

    numba keeps what it compiled beside the source or in the user's cache. Where neither can be written (a package
    installed for all, a container with a foreign user), it is compiled anew in each run instead of failing.
    """
    compile_now: Any = numba.njit
    try:
        made: Loop = compile_now(parallel=True, fastmath=True, cache=True)(loop)
    except RuntimeError:
        made = compile_now(parallel=True, fastmath=True)(loop)
    return made
