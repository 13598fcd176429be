"""Sizes of pictures as they are typed: 512x512."""

import re

from hilum.core import InputError


def size_yx(text: str) -> tuple[int, int]:
    """Rows and columns of "HxW".

    Raises:
        InputError: it is none.
    """
    found = re.fullmatch(r"\s*(\d{1,6})\s*[x×X]\s*(\d{1,6})\s*", text)
    if found is None:
        raise InputError(f"a size is HEIGHTxWIDTH in pixels, such as 512x512, got {text!r}.")
    return int(found[1]), int(found[2])
