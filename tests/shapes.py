"""Shapes and grids whose answers are known."""

import numpy as np

from hilum.core import Geometry


def ellipsoid(geometry, centre_mm, radii_mm):
    """Voxels whose centre lies within an ellipsoid along x, y, z of LPS."""
    points = geometry.to_lps_mm(np.moveaxis(np.indices(geometry.shape_zyx), 0, -1))
    return (((points - centre_mm) / radii_mm) ** 2).sum(axis=-1) <= 1


def rotation(degrees):
    """3×3: turn about x, then y, then z."""
    result = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        turn = np.eye(3)
        first, second = (axis + 1) % 3, (axis + 2) % 3
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        result = turn @ result
    return result


def rotated(geometry, degrees):
    """The same grid, turned about LPS's origin."""
    affine = np.eye(4)
    affine[:3, :3] = rotation(degrees)
    return Geometry(geometry.shape_zyx, affine @ geometry.affine_lps, geometry.frame_uid)
