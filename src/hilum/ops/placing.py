"""The part of a grid that matters: cut it out for work, put the result back."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hilum.core import Geometry, GeometryError, Mask, Outline
from hilum.core.geometry import Floats
from hilum.core.volume import Voxels
from hilum.ops.rasterise import slice_indices

_ALIGNED = 1e-3
"""Voxels that lie this share of a step beside another grid's are not that grid's."""


def crop_to_outlines(
    outlines: Sequence[Outline], geometry: Geometry, margin: int = 1
) -> tuple[Geometry, tuple[Outline, ...]]:
    """The block of a grid that holds all outlines, and the outlines in that block's pixels.

    Args:
        outlines: in pixels of the grid's slices, at least one.
        geometry: an axial grid whose rows and columns are those that the outlines were drawn on.
        margin: voxels kept around on every side, as far as the grid goes.

    Raises:
        GeometryError: there is no outline, the grid's slices are not axial, or an outline lies on none of them.
    """
    if not outlines:
        raise GeometryError("a block around outlines needs at least one outline.")
    slices = slice_indices([outline.z_mm for outline in outlines], geometry)
    points_xy = np.concatenate([outline.points_xy for outline in outlines])
    last = np.array(geometry.shape_zyx) - 1
    low = np.array([min(slices), *np.floor(points_xy.min(axis=0))[::-1]]) - margin
    high = np.array([max(slices), *np.ceil(points_xy.max(axis=0))[::-1]]) + margin
    k, j, i = (int(n) for n in np.clip(low, 0, last))
    nz, ny, nx = (int(n) + 1 for n in np.clip(high, 0, last) - (k, j, i))
    moved = tuple(replace(outline, points_xy=outline.points_xy - (i, j)) for outline in outlines)
    return geometry.crop((k, j, i), (nz, ny, nx)), moved


def place(mask: Mask, geometry: Geometry) -> Mask:
    """A mask's voxels on a larger grid that holds them, whatever the order of its axes; background elsewhere.

    Nothing is interpolated: both grids have the same voxels where they meet.

    Args:
        mask: on a block of the grid, flipped and transposed as it may be.
        geometry: the grid to go to.

    Raises:
        GeometryError: the mask's voxels are not voxels of the grid, or leave it.
    """
    source = mask.require_geometry()
    to_index: Floats = np.asarray(np.linalg.solve(geometry.affine_lps, source.affine_lps))[::-1, ::-1][1:, 1:]
    steps = np.rint(to_index)
    first = geometry.to_index(source.to_lps_mm((0, 0, 0)))
    last = geometry.to_index(source.to_lps_mm(np.array(source.shape_zyx) - 1))
    _require_same_voxels(to_index, steps, np.array([first, last]), geometry)
    labels = np.zeros(geometry.shape_zyx, dtype=mask.labels.dtype)
    low, high = np.rint(np.sort([first, last], axis=0)).astype(int)
    labels[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))] = _turned(mask.labels, steps)
    return Mask(labels, geometry, names=mask.names)


def _require_same_voxels(to_index: Floats, steps: Floats, ends: Floats, geometry: Geometry) -> None:
    is_permutation = np.array_equal(np.abs(steps).sum(axis=0), (1, 1, 1)) and round(abs(np.linalg.det(steps))) == 1
    beside = max(np.abs(ends - np.rint(ends)).max(), np.abs(to_index - steps).max())
    if not is_permutation or beside > _ALIGNED:
        raise GeometryError(
            "the mask's voxels are not the grid's.", "Resample it: hilum.ops.resample_to(mask, geometry)"
        )
    if (np.rint(ends) < 0).any() or (np.rint(ends) >= geometry.shape_zyx).any():
        raise GeometryError(f"the mask leaves the grid {geometry.shape_zyx}: its corners are {np.rint(ends).tolist()}.")


def _turned(labels: Voxels, steps: Floats) -> Voxels:
    """`labels` in the order of the other grid's axes; `steps` [3, 3] maps an index (k, j, i) step to one there."""
    axes = np.abs(steps).argmax(axis=1)
    signs = steps[np.arange(3), axes]
    return labels.transpose(axes)[tuple(slice(None, None, -1 if sign < 0 else 1) for sign in signs)]
