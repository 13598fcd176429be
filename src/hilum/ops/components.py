"""The connected parts of a mask, 2D or 3D."""

from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilum.core import GeometryError
from hilum.core.mask import Selection

Labels: TypeAlias = NDArray[np.int32]


class Connectivity(StrEnum):
    """Which neighbours make two pixels one part."""

    FACES = "faces"
    """Those that share an edge (4 in 2D) or a face (6 in 3D)."""
    CORNERS = "corners"
    """Those that touch at all: 8 in 2D, 26 in 3D. What a lesion is, wherever nothing else is said."""


def label_parts(mask: Selection, connectivity: Connectivity = Connectivity.CORNERS) -> Labels:
    """Number the connected parts of a mask [y, x] or [z, y, x] from 1, in the order of their first pixels; 0 elsewhere.

    Raises:
        GeometryError: the mask is neither 2D nor 3D.
    """
    from scipy import ndimage

    if mask.ndim not in (2, 3):
        raise GeometryError(f"a mask is [y, x] or [z, y, x], got shape {mask.shape}.", "Give one picture or volume.")
    reach = 1 if connectivity is Connectivity.FACES else mask.ndim
    labels = np.zeros(mask.shape, dtype=np.int32)
    ndimage.label(mask, ndimage.generate_binary_structure(mask.ndim, reach), output=labels)
    return labels


def part_sizes(labels: Labels) -> NDArray[np.intp]:
    """[parts] how many pixels each part has; `labels` are those of `label_parts`."""
    return np.bincount(labels[labels > 0], minlength=1)[1:]


def largest_part(mask: Selection, connectivity: Connectivity = Connectivity.CORNERS) -> Selection:
    """The part with the most pixels, the first of several; nothing of an empty mask.

    Raises:
        GeometryError: as `label_parts`.
    """
    labels = label_parts(mask, connectivity)
    sizes = part_sizes(labels)
    return np.asarray(labels == 1 + sizes.argmax()) if len(sizes) else np.zeros_like(mask, dtype=bool)
