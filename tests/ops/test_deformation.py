"""Maps of space: there and back, what they read, and what they do to volume."""

import numpy as np
import pytest

from hilum.core import Geometry, GeometryError, Mask, Quantity, Volume
from hilum.ops import Deformation, resample_to
from tests.shapes import ellipsoid, rotation

GRID = Geometry.regular((20, 18, 16), (4.0, 4.0, 4.0), (-30.0, -34.0, -38.0))


def hump(height=6.0, affine=None):
    """A bend along z, highest in the middle and 0 at the grid's faces."""
    points = GRID.to_lps_mm(np.moveaxis(np.indices(GRID.shape_zyx), 0, -1))
    bend = np.zeros((*GRID.shape_zyx, 3), np.float32)
    bend[..., 2] = height * np.prod(np.clip(1 - (points / (28, 30, 34)) ** 2, 0, None), axis=-1)
    return Deformation(np.eye(4) if affine is None else affine, bend, GRID)


def turned():
    affine = np.eye(4)
    affine[:3, :3] = rotation((10, -5, 20)) * 1.1
    affine[:3, 3] = (5, -3, 8)
    return affine


POINTS = np.random.default_rng(0).uniform(-28, 28, (500, 3))


def test_there_and_back_is_where_it_began():
    way = hump(affine=turned())
    assert way.origins_mm(way.places_mm(POINTS)) == pytest.approx(POINTS, abs=0.01)
    assert way.places_mm(way.origins_mm(POINTS)) == pytest.approx(POINTS, abs=0.01)
    assert way.places_mm(POINTS.reshape(5, 100, 3)).reshape(-1, 3) == pytest.approx(way.places_mm(POINTS))


def test_the_inverse_as_a_map_of_its_own():
    way = hump(affine=turned())
    corners = way.places_mm(GRID.corners_lps_mm())
    low, high = corners.min(axis=0), corners.max(axis=0)
    fine = Geometry.regular(tuple(int(n) for n in np.ceil((high - low)[::-1] / 2) + 1), (2.0, 2.0, 2.0), tuple(low))
    back = way.inverted(fine)
    assert back.places_mm(way.places_mm(POINTS)) == pytest.approx(POINTS, abs=0.15)


def test_where_a_map_folds_it_has_no_inverse():
    folded = hump(80.0)
    assert folded.volume_change().min() < 0
    assert np.isnan(folded.origins_mm(POINTS)).any()


def test_what_is_read_is_what_lies_at_the_place():
    """Of a volume that holds its own coordinate, a map reads the coordinates of its places."""
    source = Geometry.regular((60, 60, 60), (2.0, 2.0, 2.0), (-60.0, -60.0, -60.0))
    points = source.to_lps_mm(np.moveaxis(np.indices(source.shape_zyx), 0, -1))
    flipped = np.array(np.diag((-3.0, 2.5, 4.0, 1.0)))
    flipped[:3, 3] = (18, -15, -12)
    target = Geometry((7, 12, 12), flipped)
    way = hump(affine=turned())
    wanted = way.places_mm(target.to_lps_mm(np.moveaxis(np.indices(target.shape_zyx), 0, -1)))
    for axis in range(3):
        held = Volume(points[..., axis].astype(np.float32), source, Quantity.DISPLAY)
        assert way.pulled(held, target).array == pytest.approx(wanted[..., axis], abs=0.01)


def test_without_a_bend_it_is_resampling():
    ball = Mask.of(ellipsoid(GRID, (0, 0, 0), (15, 20, 25)), GRID)
    other = Geometry.regular((12, 12, 12), (6.0, 5.0, 4.0), (-22.0, -28.0, -33.0))
    still = Deformation.of_affine(np.eye(4))
    assert np.array_equal(still.pulled(ball, other).labels, resample_to(ball, other).labels)
    hu = Volume(np.where(ball.labels, 40, -850).astype(np.int16), GRID)
    assert still.pulled(hu, other).array == pytest.approx(resample_to(hu, other).array, abs=0.01)
    assert still.pulled(hu, Geometry.regular((1, 1, 1), (1.0, 1.0, 1.0), (500.0, 0.0, 0.0))).array[0, 0, 0] == -1024


def test_volume_grows_by_the_determinant():
    assert hump(0.0, turned()).volume_change() == pytest.approx(1.1**3, rel=1e-5)
    bend = np.zeros((*GRID.shape_zyx, 3), np.float32)
    points = GRID.to_lps_mm(np.moveaxis(np.indices(GRID.shape_zyx), 0, -1))
    bend[..., 0], bend[..., 2] = 0.2 * points[..., 0] + 0.3 * points[..., 1], -0.1 * points[..., 2]
    assert Deformation(np.eye(4), bend, GRID).volume_change() == pytest.approx(1.2 * 0.9, rel=1e-4)


def test_grids_that_do_not_fit_are_refused():
    with pytest.raises(GeometryError, match="doesn't fit"):
        Deformation(np.eye(4), np.zeros((2, 2, 2, 3), np.float32), GRID)
    oblique = Geometry(GRID.shape_zyx, turned() @ GRID.affine_lps)
    with pytest.raises(GeometryError, match="axes"):
        Deformation(np.eye(4), hump().bend_mm, oblique)
    with pytest.raises(GeometryError):
        Deformation(np.zeros((4, 4)), hump().bend_mm, GRID)
