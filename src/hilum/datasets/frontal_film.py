"""What can be a frontal chest X-ray at all; whatever can't is refused before anything is made of it."""

import numpy as np

from hilum.core import Radiograph, UnsupportedError
from hilum.core.radiograph import View
from hilum.io.describe_picture import has_few_values

_LEAST_SIDE_PX = 32


def require_frontal(film: Radiograph) -> None:
    """Refuse what can't be a frontal chest.

    Raises:
        UnsupportedError: a lateral or oblique view, a picture without contrast, or too small.
    """
    name, grey = film.source or "the radiograph", film.array
    if film.view in (View.LATERAL, View.OBLIQUE):
        raise UnsupportedError(f"{name} is a {film.view} view; a frontal one (PA, AP) was expected.", "Leave it out.")
    if min(grey.shape) < _LEAST_SIDE_PX:
        size = " × ".join(map(str, grey.shape))
        raise UnsupportedError(f"{name} has {size} pixels, too few for a chest.", "Give the full picture.")
    if not np.isfinite(grey).all() or grey.min() == grey.max():
        raise UnsupportedError(f"{name} is one grey level, or holds numbers that are none.", "Give a chest X-ray.")


def require_greys(film: Radiograph) -> None:
    """Refuse a mask that is taken for a film.

    Raises:
        UnsupportedError: it has hardly any grey values.
    """
    if has_few_values(film.array):
        name, values = film.source or "the radiograph", len(np.unique(film.array))
        raise UnsupportedError(
            f"{name} has {values} grey values, as masks have; films have hundreds.",
            "Give the film, with all its greys.",
        )
