"""Texture of a nodule on CT, estimated from how much of it is solid.

Readers rate texture from 1 (non-solid, ground glass) to 5 (solid), 3 is part-solid (LIDC). Here the share of voxels
above -350 HU, one voxel within the outline, where partial volume makes no glass of an edge, decides between the three.
The bounds .2 and .7 lie where the medians of rated nodules do: of 75 published cubes of training patients (LIDC-IDRI,
one reader's outline) those rated 1, 3 and 5 have a median share of .01, .57 and .89. It is an estimate: a nodule of a
few voxels is all edge, and vessels in ground glass count as solid.
"""

import numpy as np
from numpy.typing import NDArray

from hilum.core import GeometryError, MeasureError
from hilum.core.mask import Selection

SOLID_HU = -350.0
NON_SOLID, PART_SOLID, SOLID = 1.0, 3.0, 5.0
"""LIDC's ratings."""
PART_SOLID_FROM, SOLID_FROM = 7 / 3, 11 / 3
"""Ratings of texture at which these begin (LNDb's thirds)."""
_BOUNDS = (0.2, 0.7)
_LEAST_VOXELS = 10


def solid_share(hu: NDArray[np.generic], nodule: Selection) -> float:
    """Share of a nodule's inner voxels that are denser than -350 HU.

    Args:
        hu: [z, y, x].
        nodule: [z, y, x] its voxels; all of them count where fewer than 10 lie a voxel within the outline.

    Raises:
        GeometryError: the arrays differ in size.
        MeasureError: there is no voxel.
    """
    if hu.shape != nodule.shape:
        raise GeometryError(f"HU of shape {hu.shape} and a nodule of {nodule.shape} are not on one grid.")
    if not nodule.any():
        raise MeasureError("an empty mask has no texture.")
    inner = _eroded(nodule)
    core = inner if inner.sum() >= _LEAST_VOXELS else nodule
    return float(np.mean(np.asarray(hu[core], dtype=np.float32) > SOLID_HU))


def texture_of(share: float) -> float:
    """LIDC's rating that a share of solid voxels stands for: 1 non-solid, 3 part-solid, 5 solid."""
    if share < _BOUNDS[0]:
        return NON_SOLID
    return PART_SOLID if share < _BOUNDS[1] else SOLID


def is_part_solid(texture: float) -> bool:
    """Whether a rating from 1 to 5 is part-solid: the middle third of the scale, as in LNDb."""
    return PART_SOLID_FROM <= texture < SOLID_FROM


def solid_part(hu: NDArray[np.generic], nodule: Selection) -> Selection:
    """The largest connected part of a nodule that is denser than -350 HU; nothing where none is.

    Args:
        hu: [z, y, x].
        nodule: [z, y, x] its voxels.

    Raises:
        GeometryError: the arrays differ in size.
    """
    if hu.shape != nodule.shape:
        raise GeometryError(f"HU of shape {hu.shape} and a nodule of {nodule.shape} are not on one grid.")
    from hilum.ops.components import largest_part

    return largest_part(nodule & (np.asarray(hu) > SOLID_HU))


def _eroded(nodule: Selection) -> Selection:
    """What is left where the outermost voxels are taken off, those with a neighbour across a face that is outside."""
    inside = np.pad(nodule, 1)
    inner = inside.copy()
    for axis in range(nodule.ndim):
        for step in (-1, 1):
            inner &= np.roll(inside, step, axis)
    return inner[(slice(1, -1),) * nodule.ndim]
