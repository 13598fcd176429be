"""Where the lungs are on a CT, roughly: where nodules are looked for, and pieces without one are taken.

The rule, on blocks of voxels of about 3 mm:

1. What lies 6 mm and more within the patient (`hilum.drr.patient`) and has a mean from -970 to -500 HU is lung; gas in
   the trachea, the stomach and the bowel is darker.
2. Of its connected parts those count that have a fifth of the largest one's volume, and .1 litre.
3. Vessels, nodules and what else is dense comes in by a closing with a ball of 9 mm, as far as the patient goes, and by
   filling what is enclosed on an axial slice.

It is no segmentation for measuring lungs: the edge is a block wide, and consolidated lung is left out.
"""

import numpy as np
from scipy import ndimage

from hilum.core import Geometry, InputError, Mask, Volume
from hilum.core.geometry import Floats, Shape3
from hilum.core.mask import Selection
from hilum.drr.patient import block_means, find_body
from hilum.ops import Connectivity, grown, label_parts, part_sizes, shrunk

LUNG_HU = (-970.0, -500.0)
_WITHIN_MM, _CLOSING_MM = 6.0, 9.0
_SHARE, _LEAST_LITRES = 0.2, 0.1


def find_lungs(ct: Volume) -> Mask:
    """Both lungs, with what is in them, on a grid of blocks of about 3 mm.

    Raises:
        UnitError: the volume is not in HU, or its values can't be.
        InputError: there is no body on it, or no lung.
    """
    body = find_body(ct)
    means = block_means(ct, body.factors)
    grid = block_grid(ct.geometry, body.factors)
    steps = grid.spacing_zyx_mm
    inner = shrunk(body.blocks, _WITHIN_MM, steps)
    aerated = _largest(inner & (means > LUNG_HU[0]) & (means < LUNG_HU[1]), grid)
    return Mask.of(_closed(aerated, grid) & inner, grid, "lung")


def block_grid(geometry: Geometry, factors: Shape3) -> Geometry:
    """The grid of blocks of voxels; those at the end may have fewer, and are taken for whole."""
    affine = np.array(geometry.affine_lps)
    affine[:3, :3] *= factors[::-1]
    affine[:3, 3] = geometry.to_lps_mm((np.array(factors) - 1) / 2)
    nz, ny, nx = (-(-size // factor) for size, factor in zip(geometry.shape_zyx, factors, strict=True))
    return Geometry((nz, ny, nx), affine, geometry.frame_uid)


def inside(lungs: Mask, points_lps_mm: Floats) -> Selection:
    """Which of points [n, 3] in LPS mm lie in a mask's voxels."""
    grid = lungs.require_geometry()
    index = np.rint(grid.to_index(points_lps_mm)).astype(int)
    there = ((index >= 0) & (index < grid.shape_zyx)).all(axis=1)
    found = np.zeros(len(index), dtype=bool)
    found[there] = lungs.labels[tuple(index[there].T)] > 0
    return found


def _largest(aerated: Selection, grid: Geometry) -> Selection:
    parts = label_parts(aerated, Connectivity.FACES)
    litres = part_sizes(parts) * grid.voxel_mm3 / 1e6
    kept = np.flatnonzero((litres >= _LEAST_LITRES) & (litres >= _SHARE * litres.max(initial=0))) + 1
    if not len(kept):
        raise InputError(
            f"there are no lungs on this CT: the largest part that is as dense as lung has {litres.max(initial=0):.2g} "
            "litres.",
            "Give a CT of the chest, in HU.",
        )
    return np.asarray(np.isin(parts, kept))


def _closed(aerated: Selection, grid: Geometry) -> Selection:
    steps = grid.spacing_zyx_mm
    closed = np.moveaxis(shrunk(grown(aerated, _CLOSING_MM, steps), _CLOSING_MM, steps), grid.axial_axis, 0)
    filled = np.stack([ndimage.binary_fill_holes(one) for one in closed])
    return np.asarray(np.moveaxis(filled, 0, grid.axial_axis))
