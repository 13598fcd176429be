"""World to voxel and back, and pieces of a CT on grids of their own."""

import numpy as np
import pytest
import SimpleITK as sitk

from hilum.core import Geometry, InputError, Volume
from hilum.datasets.patch_grid import ball_on, crop_around, cut, piece_grid, share_inside
from hilum.io import read_volume
from hilum.ops import resample_to, to_lps_axes
from tests.shapes import rotated

POINTS = ((12.3, -7.1, 40.2), (-3.0, 5.5, 31.9), (0.0, 0.0, 22.4))
AXES = {
    "axial": (1, 0, 0, 0, 1, 0, 0, 0, 1),
    "flipped x and y": (-1, 0, 0, 0, -1, 0, 0, 0, 1),
    "flipped z": (1, 0, 0, 0, 1, 0, 0, 0, -1),
    "x and z exchanged": (0, 0, 1, 0, 1, 0, -1, 0, 0),
}


@pytest.mark.parametrize("direction", AXES.values(), ids=AXES)
def test_world_to_voxel_is_itks_in_both_orders_of_axes(direction, tmp_path):
    """An MHD as others write it, read by hilum; ITK says where points are, hilum in [k, j, i] and (i, j, k)."""
    image = sitk.GetImageFromArray(np.arange(30 * 24 * 20, dtype=np.int16).reshape(30, 24, 20))
    image.SetSpacing((1.5, 1.25, 2.0))
    image.SetDirection([float(value) for value in direction])
    image.SetOrigin(tuple(25.0 * -step for step in np.array(direction).reshape(3, 3).sum(axis=1)))
    sitk.WriteImage(image, tmp_path / "ct.mhd")
    ct = read_volume(tmp_path / "ct.mhd")
    again = sitk.ReadImage(tmp_path / "ct.mhd")
    for point in POINTS:
        kji = ct.geometry.to_index(point)
        np.testing.assert_allclose(kji[::-1], again.TransformPhysicalPointToContinuousIndex(point), atol=1e-9)
        rounded = np.floor(kji[::-1] + 0.5).astype(int)
        np.testing.assert_array_equal(rounded, again.TransformPhysicalPointToIndex(point))
        np.testing.assert_allclose(ct.geometry.to_lps_mm(kji), point, atol=1e-9)
        if bool(ct.geometry.contains(point)):
            i, j, k = rounded.tolist()
            assert ct.array[k, j, i] == again.GetPixel(i, j, k)
            upright = to_lps_axes(ct)
            place = tuple(np.floor(upright.geometry.to_index(point) + 0.5).astype(int))
            assert upright.array[place] == again.GetPixel(i, j, k)


@pytest.mark.parametrize("size", [16, 17])
def test_a_piece_has_the_cts_axes_and_its_point_in_the_middle(size):
    ct = rotated(Geometry.regular((20, 20, 20), (2.5, 0.7, 0.7)), (10, -20, 5))
    grid = piece_grid(ct, (3.0, 4.0, 5.0), size, 0.8)
    np.testing.assert_allclose(grid.to_index((3.0, 4.0, 5.0)), (size - 1) / 2)
    np.testing.assert_allclose(grid.directions, ct.directions)
    np.testing.assert_allclose(grid.spacing_zyx_mm, (0.8, 0.8, 0.8))


@pytest.mark.parametrize("diameter_mm", [6.0, 12.0, 25.0])
def test_a_balls_volume_is_its_formulas(diameter_mm):
    grid = Geometry.regular((40, 40, 40), (1.0, 1.0, 1.0))
    found = ball_on(grid, (19.6, 20.1, 19.9), diameter_mm)
    assert found.sum() == pytest.approx(np.pi / 6 * diameter_mm**3, rel=0.06)


def test_a_ball_smaller_than_a_voxel_has_one_and_one_outside_has_none():
    grid = Geometry.regular((5, 5, 5), (2.0, 2.0, 2.0))
    assert np.argwhere(ball_on(grid, (4.9, 4.9, 4.9), 1.0)).tolist() == [[2, 2, 2]]
    assert not ball_on(grid, (50.0, 0.0, 0.0), 1.0).any()


def test_a_cut_is_the_whole_cts_and_linear_where_the_ct_is():
    """A CT that rises linearly is met exactly between its voxels; the crop before resampling changes nothing."""
    grid = Geometry.regular((20, 30, 30), (2.0, 1.0, 1.0), (-15.0, -15.0, -20.0))
    x, y, z = np.moveaxis(grid.to_lps_mm(np.moveaxis(np.indices(grid.shape_zyx), 0, -1)), -1, 0)
    ct = Volume((3 * x - 2 * y + 5 * z).astype(np.float32), grid)
    piece = piece_grid(grid, (1.3, -2.2, 0.4), 8, 0.9)
    found = cut(ct, piece)
    px, py, pz = np.moveaxis(piece.to_lps_mm(np.moveaxis(np.indices(piece.shape_zyx), 0, -1)), -1, 0)
    np.testing.assert_allclose(found.array, 3 * px - 2 * py + 5 * pz, atol=0.51)
    np.testing.assert_allclose(found.array, np.rint(resample_to(ct, piece).array))
    assert found.array.dtype == np.int16
    assert crop_around(ct, piece).array.size < ct.array.size / 8


def test_beyond_the_ct_is_air_and_counted():
    grid = Geometry.regular((10, 10, 10), (1.0, 1.0, 1.0))
    ct = Volume(np.zeros(grid.shape_zyx, np.int16), grid)
    piece = piece_grid(grid, (-0.5, 4.5, 4.5), 10, 1.0)
    assert share_inside(grid, piece) == pytest.approx(0.5)
    hu = cut(ct, piece).array
    assert set(np.unique(hu)) == {-1024, 0}
    with pytest.raises(InputError, match="outside the CT"):
        crop_around(ct, piece_grid(grid, (500.0, 0.0, 0.0), 10, 1.0))
