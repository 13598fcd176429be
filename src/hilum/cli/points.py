"""Places that are typed: a point of a CT, a pixel of a picture."""

import math

from hilum.core import InputError


def point_of(words: str) -> tuple[float, float, float]:
    """The point that "x,y,z" means.

    Raises:
        InputError: it is no such words.
    """
    x, y, z = _numbers(words, 3, "Write it like --point -52.3,61,-178.5 (x,y,z in LPS mm).")
    return x, y, z


def pixel_of(words: str) -> tuple[float, float]:
    """The place that "row,column" means.

    Raises:
        InputError: it is no such words.
    """
    row, column = _numbers(words, 2, "Write it like --point-px 64,71 (row,column, from 0).")
    return row, column


def _numbers(words: str, count: int, remedy: str) -> list[float]:
    try:
        found = [float(one) for one in words.split(",")]
    except ValueError as error:
        raise InputError(f"{words!r} is no point.", remedy) from error
    if len(found) != count or not all(math.isfinite(one) for one in found):
        raise InputError(f"{words!r} is no point: {count} finite numbers were expected.", remedy)
    return found
