"""Pieces of a CT on grids of their own, with cubes for voxels, along the CT's axes.

World to voxel, in both orders of axes: a point of LUNA16's tables is (x, y, z) in LPS mm, ITK's index is (i, j, k),
numpy's [k, j, i]. `Geometry.to_index` gives the latter with fractions, whatever way the CT's axes run; reversed, it is
what SimpleITK's `TransformPhysicalPointToContinuousIndex` gives. Rounding it half up gives its
`TransformPhysicalPointToIndex`.
"""

import numpy as np

from hilum.core import Geometry, InputError, Volume
from hilum.core.geometry import Floats, Shape3, Triple
from hilum.core.mask import Selection
from hilum.ops import resample_to

INT16 = (-32768, 32767)
_MARGIN = 2
"""Voxels of the CT that are kept around what is resampled."""


def piece_grid(like: Geometry, centre_lps_mm: Triple, size: int, voxel_mm: float) -> Geometry:
    """A cube of voxels around a point, along another grid's axes.

    Args:
        like: whose axes it has.
        centre_lps_mm: the middle of the cube; with an even size between voxels.
        size: voxels along each side.
        voxel_mm: side of a voxel.
    """
    affine = np.eye(4)
    affine[:3, :3] = like.directions * voxel_mm
    affine[:3, 3] = centre_lps_mm - affine[:3, :3] @ np.full(3, (size - 1) / 2)
    return Geometry((size,) * 3, affine, like.frame_uid)


def cut(ct: Volume, grid: Geometry) -> Volume:
    """The CT on a grid, int16 HU; −1024 beyond its ends."""
    hu = resample_to(crop_around(ct, grid), grid).array
    return Volume(np.clip(np.rint(hu), *INT16).astype(np.int16), grid)


def crop_around(ct: Volume, grid: Geometry) -> Volume:
    """The part of a CT that another grid reaches, and a little more: what has to be resampled of a large one.

    Raises:
        InputError: the grid doesn't meet the CT.
    """
    index = ct.geometry.to_index(grid.corners_lps_mm())
    low = np.clip(np.floor(index.min(axis=0)) - _MARGIN, 0, ct.geometry.shape_zyx).astype(int)
    high = np.clip(np.ceil(index.max(axis=0)) + _MARGIN + 1, 0, ct.geometry.shape_zyx).astype(int)
    if not (low < high).all():
        raise InputError("a piece lies outside the CT.", "Check that mark and CT belong together.")
    start: Shape3 = (int(low[0]), int(low[1]), int(low[2]))
    (nz, ny, nx) = (high - low).tolist()
    return ct.crop(start, (nz, ny, nx))


def share_inside(ct: Geometry, grid: Geometry) -> float:
    """Share of a grid's voxels whose centres lie within the CT's voxels."""
    return float(ct.contains(_centres(grid)).mean())


def ball_on(grid: Geometry, centre_lps_mm: Triple, diameter_mm: float) -> Selection:
    """[z, y, x] voxels whose centres lie in a ball; of one that has none, if any lies near, the nearest voxel."""
    away = np.linalg.norm(_centres(grid) - np.array(centre_lps_mm), axis=-1)
    found = np.asarray(away <= diameter_mm / 2)
    if not found.any() and bool(grid.contains(centre_lps_mm)):
        found = np.asarray(away == away.min())
    return found


def _centres(grid: Geometry) -> Floats:
    return grid.to_lps_mm(np.moveaxis(np.indices(grid.shape_zyx), 0, -1))
