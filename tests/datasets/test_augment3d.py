"""Changes to pieces of a CT: exact where nothing is between voxels, and image, truth and point move as one."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from hilum.datasets.augment3d import Augmentation3D, Cube, Warp3D, draw_augmentation3d
from hilum.datasets.patch_config import PatchAugmentConfig
from tests.patches import patch


def moved(sample, **warp):
    return Augmentation3D(Warp3D(**warp))(sample)


def test_nothing_drawn_changes_nothing():
    sample = patch(voxel_mm=(2.5, 0.7, 0.7))
    same = Augmentation3D()(sample)
    for name in ("image", "truth", "weight"):
        np.testing.assert_array_equal(getattr(same, name), getattr(sample, name))
    assert same.point_zyx == pytest.approx(sample.point_zyx)
    drawn = draw_augmentation3d(np.random.default_rng(3), PatchAugmentConfig.none())
    np.testing.assert_array_equal(drawn(sample).image, sample.image)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("flipped", [(False, False, False), (True, False, True), (False, True, False)])
def test_flips_and_quarter_turns_are_numpys(turns, flipped):
    """To the bit, and the point goes with its voxel."""
    sample = patch(voxel_mm=(2.5, 0.7, 0.7))
    found = moved(sample, quarter_turns=turns, flipped=flipped)
    axes = tuple(axis for axis, is_so in enumerate(flipped) if is_so)
    for name in ("image", "truth"):
        expected = np.rot90(np.flip(getattr(sample, name), axes), turns, (1, 2))
        np.testing.assert_array_equal(getattr(found, name), expected)
    marked = np.zeros(sample.truth.shape, bool)
    marked[5, 7, 11] = True
    at = moved(replace(sample, truth=marked, point_zyx=(5, 7, 11)), quarter_turns=turns, flipped=flipped)
    assert at.point_zyx == pytest.approx(tuple(np.argwhere(at.truth)[0]))


def test_a_cube_is_a_piece_of_the_piece():
    sample = patch()
    found = Augmentation3D(cube=Cube(10, (0.0, 0.5, 1.0), on_lesion=False, voxel=0))(sample)
    np.testing.assert_array_equal(found.image, sample.image[:10, 7:17, 14:])
    np.testing.assert_array_equal(found.truth, sample.truth[:10, 7:17, 14:])
    assert found.point_zyx == pytest.approx(np.array(sample.point_zyx) - [0, 7, 14])


def test_a_cube_on_the_lesion_holds_the_voxel_that_was_drawn():
    sample = patch(radius=3)
    rng = np.random.default_rng(0)
    for share in np.linspace(0, 0.999, 7):
        found = Augmentation3D(cube=Cube(8, tuple(rng.random(3)), on_lesion=True, voxel=float(share)))(sample)
        assert found.truth.any()


def test_a_piece_smaller_than_the_cube_lies_in_its_middle():
    sample = patch(size=8, radius=2)
    found = Augmentation3D(cube=Cube(12, (0.3, 0.6, 0.9), on_lesion=True, voxel=0.5))(sample)
    np.testing.assert_array_equal(found.image[2:10, 2:10, 2:10], sample.image)
    np.testing.assert_array_equal(found.weight, np.pad(np.ones((8, 8, 8)), 2))
    assert found.truth.sum() == sample.truth.sum()


def test_image_truth_and_point_move_as_one():
    """A smooth ball: after any change the bright place, the true one and the point are where they were together."""
    truth = patch(radius=5, size=32, seed=4).truth
    image = ndimage.gaussian_filter(truth.astype(np.float32), 1)
    centre = tuple(float(one) for one in np.argwhere(truth).mean(axis=0))
    for seed in range(12):
        sample = replace(patch(size=32), image=image, truth=truth, point_zyx=centre)
        change = draw_augmentation3d(np.random.default_rng(seed), PatchAugmentConfig(rotate_deg=30, shift_mm=3))
        found = replace(change, tone=Augmentation3D().tone)(sample)
        assert np.argwhere(found.truth).mean(axis=0) == pytest.approx(found.point_zyx, abs=0.2)
        assert ndimage.center_of_mass(found.image) == pytest.approx(found.point_zyx, abs=0.2)
        assert found.truth.sum() == pytest.approx(truth.sum() * change.warp.scale**3, rel=0.06)


def test_turns_are_of_millimetres_not_of_voxels():
    """A bar, 12 mm along y and 3 along z; turned about x by 90 degrees, it is 12 mm along z and 3 along y."""
    bar = np.zeros((15, 33, 33), bool)
    bar[7, 10:23, 16] = True
    sample = replace(patch(), image=bar.astype(np.float32), truth=bar, weight=np.ones(bar.shape, np.float32))
    found = moved(replace(sample, voxel_mm=(3.0, 1.0, 1.0)), angles_deg=(0.0, 0.0, 90.0))
    places = np.argwhere(found.truth)
    assert np.ptp(places, axis=0).tolist() == [4, 2, 0]


def test_turns_about_an_axis_keep_it():
    for axis in range(3):
        angles = tuple(20.0 if axis == one else 0.0 for one in range(3))
        assert Warp3D(angles_deg=angles).matrix()[axis] == pytest.approx(np.eye(3)[axis])
    assert np.linalg.det(Warp3D(angles_deg=(10, 20, 30), scale=2.0, flipped=(True, False, False)).matrix()) == (
        pytest.approx(-8)
    )


def test_as_many_numbers_are_drawn_whatever_is_wanted():
    one, other = np.random.default_rng(5), np.random.default_rng(5)
    draw_augmentation3d(one, PatchAugmentConfig.none())
    draw_augmentation3d(other, PatchAugmentConfig(crop_px=12, noise=1.0, flip=1.0))
    assert one.random() == other.random()


def test_every_way_to_lie_is_drawn():
    drawn = [draw_augmentation3d(np.random.default_rng(seed), PatchAugmentConfig()).warp for seed in range(60)]
    assert {one.quarter_turns for one in drawn} == {0, 1, 2, 3}
    assert len({one.flipped for one in drawn}) == 8
    assert max(abs(angle) for one in drawn for angle in one.angles_deg) <= 15
