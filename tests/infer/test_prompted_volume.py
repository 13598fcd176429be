"""The nodule at a point in three dimensions, with a network that marks what is dense: physics of a ball in lung."""

import math
from dataclasses import replace

import numpy as np
import pytest

from hilum.core import Geometry, InputError, Quantity, UnitError, Volume
from hilum.infer.loaded import load_model
from hilum.infer.prompted import AT_THE_END, NOTHING
from hilum.infer.prompted_volume import PIECES_PX, nodule_in_volume
from hilum.infer.volumes import PatchPredictor
from tests.ct_patches import chest
from tests.infer.test_prompted import CENTRE, RADIUS_MM, lung, point_of
from tests.infer.test_volumes import Watched
from tests.patches import patch_model
from tests.slices import NODULE_HU, ball

pytestmark = pytest.mark.usefixtures("one_thread")
THIN_PX = 35
"""The phantom has 24 slices, 1.5 mm apart: so many voxels of 1 mm lie between the middles of the outer ones."""
VOLUME_MM3 = 4 / 3 * math.pi * RADIUS_MM**3


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(str(patch_model(tmp_path_factory.mktemp("m") / "tiny", point_share=0.8)))


@pytest.fixture
def predictor(model):
    return PatchPredictor(replace(model, network=Watched(), threshold=0.5))


def overlap(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def test_a_ball_has_its_volume_and_its_place(predictor):
    volume = lung()
    found = nodule_in_volume(volume, point_of(volume), predictor)
    assert overlap(found.mask.labels > 0, volume.array > -400) > 0.95
    assert found.nodule.volume_mm3 == pytest.approx(VOLUME_MM3, rel=0.05)
    assert found.nodule.diameters_mm.equivalent_mm == pytest.approx(2 * RADIUS_MM, rel=0.02)
    assert found.nodule.centre_lps_mm == pytest.approx(point_of(volume), abs=0.1)
    assert 0.5 < found.nodule.score <= 1
    assert found.notes == ()
    assert [size for size, _ in predictor._networks[0].seen] == [(THIN_PX, PIECES_PX[0], PIECES_PX[0])]


def test_the_network_is_told_the_place_of_the_point(predictor):
    """The brightest voxel of the second image lies at the point, also where the cube was moved into the CT."""
    volume = lung()
    for place in (CENTRE, (12, 100, 66)):
        nodule_in_volume(volume, point_of(volume, place), predictor)
        image, prior = predictor._networks[0].seen[-1][1].shape, predictor._networks[0].seen[-1][1][0, 0].numpy()
        assert image[2:] == (THIN_PX, PIECES_PX[0], PIECES_PX[0])
        assert prior.max() > 0.97


def test_the_same_nodule_from_any_point_in_it_and_a_little_beside(predictor):
    volume = lung()
    beside = (12, 100, 70 + round((RADIUS_MM + 3) / 0.7))
    masks = [
        nodule_in_volume(volume, point_of(volume, place), predictor).mask.labels > 0
        for place in (CENTRE, (9, 96, 74), beside)
    ]
    assert all(overlap(one, masks[0]) > 0.97 for one in masks)


@pytest.mark.parametrize("axes", [(2, 1, 0), (0, 2, 1)])
def test_a_ct_with_other_axes_gets_the_mask_on_its_own_grid(predictor, axes):
    """The same patient, stored with axes exchanged and backwards: the same voxels are marked."""
    plain = lung()
    affine = np.array(plain.geometry.affine_lps)
    array = plain.array.transpose(axes)[::-1]
    columns = [2 - axes[2 - one] for one in range(3)]
    turned = np.eye(4)
    turned[:3, :3] = affine[:3, columns]
    turned[:3, 3] = affine[:3, 3] + turned[:3, 2] * (array.shape[0] - 1)
    turned[:3, 2] *= -1
    volume = Volume(array, Geometry(array.shape, turned))
    found = nodule_in_volume(volume, point_of(plain), predictor)
    expected = nodule_in_volume(plain, point_of(plain), predictor)
    assert found.mask.geometry.is_same_grid(volume.geometry)
    np.testing.assert_array_equal(found.mask.labels, expected.mask.labels.transpose(axes)[::-1])
    assert found.nodule.volume_mm3 == pytest.approx(expected.nodule.volume_mm3)


def test_an_oblique_ct_has_the_same_ball(predictor):
    angle = math.radians(20)
    grid = lung().geometry
    turn = np.eye(4)
    turn[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    volume = lung(Geometry(grid.shape_zyx, turn @ grid.affine_lps))
    found = nodule_in_volume(volume, point_of(volume), predictor)
    assert found.nodule.volume_mm3 == pytest.approx(VOLUME_MM3, rel=0.05)
    assert found.nodule.centre_lps_mm == pytest.approx(point_of(volume), abs=0.1)


def test_another_lesion_is_left_alone(predictor):
    volume = lung()
    other = ball(volume.array.shape, (12, 75, 70), 6)
    volume.array[other] = NODULE_HU
    found = nodule_in_volume(volume, point_of(volume), predictor)
    assert not (found.mask.labels[other] > 0).any()


def test_nothing_at_the_point_is_said(predictor):
    volume = lung(radius_mm=0.0)
    volume.array[CENTRE] = volume.array[0, 0, 0]
    found = nodule_in_volume(volume, point_of(volume), predictor)
    assert (found.nodule, found.notes) == (None, (NOTHING,))
    assert not found.mask.labels.any()


def test_a_nodule_larger_than_the_cube_is_looked_at_in_a_larger_one(predictor):
    volume = lung(Geometry.regular((60, 130, 130), (2.0, 1.0, 1.0)), (30, 65, 65), 38.0)
    found = nodule_in_volume(volume, point_of(volume, (30, 65, 65)), predictor)
    assert [size[0] for size, _ in predictor._networks[0].seen if size[0] == 64]
    assert found.nodule.volume_mm3 == pytest.approx(4 / 3 * math.pi * 38**3, rel=0.02)
    assert found.notes == ()


def test_a_nodule_that_leaves_the_ct_or_every_cube_is_doubted(predictor):
    volume = lung(centre=(1, 100, 70))
    assert nodule_in_volume(volume, point_of(volume, (1, 100, 70)), predictor).notes == (AT_THE_END,)
    wide = lung(Geometry.regular((24, 60, 400), (1.5, 0.7, 0.7)), (12, 30, 200), 4.0)
    wide.array[12, 29:32, :] = NODULE_HU
    found = nodule_in_volume(wide, point_of(wide, (12, 30, 200)), predictor)
    assert "edge of the piece of 128 by 128 by 128 mm" in found.notes[0]


def test_thick_slices_are_measured_and_not_relied_on(predictor):
    volume = lung(Geometry.regular((12, 80, 80), (5.0, 0.7, 0.7)), (6, 40, 40))
    found = nodule_in_volume(volume, point_of(volume, (6, 40, 40)), predictor)
    assert found.nodule is not None
    assert found.notes == ("slices are 5 mm apart, more than 3 mm: no volume is given",)
    assert found.nodule.volume_mm3 is None


def test_points_where_no_nodule_can_be_are_refused(predictor):
    volume = lung()
    x, y, z = point_of(volume)
    with pytest.raises(InputError, match="outside the CT"):
        nodule_in_volume(volume, (x + 500, y, z), predictor)
    air = lung()
    air.array[:, :50] = -1000
    with pytest.raises(InputError, match="only air within 5 mm"):
        nodule_in_volume(air, point_of(air, (12, 20, 70)), predictor)
    with pytest.raises(UnitError, match="HU"):
        nodule_in_volume(Volume(volume.array, volume.geometry, Quantity.DISPLAY), (x, y, z), predictor)


def test_one_slice_is_a_ct_too(predictor):
    volume = lung(Geometry.regular((1, 40, 60), (1.5, 0.7, 0.7)), (0, 20, 30), 5.0)
    found = nodule_in_volume(volume, point_of(volume, (0, 20, 30)), predictor)
    assert overlap(found.mask.labels > 0, volume.array > -400) > 0.9


def test_nothing_is_seen_that_the_ct_does_not_have(predictor):
    """A CT smaller than the cube is seen as it is: its own voxels where they have the same size, none repeated."""
    volume = lung(Geometry.regular((40, 51, 45), (1.0, 1.0, 1.0)), (20, 25, 22), 6.0)
    nodule_in_volume(volume, point_of(volume, (20, 25, 22)), predictor)
    assert [size for size, _ in predictor._networks[0].seen] == [(40, 51, 45)]


def test_a_point_on_the_table_is_refused_and_one_in_the_wall_is_not(predictor):
    volume = chest()
    k, j, i = np.rint(volume.geometry.to_index((0.0, 108.0, 0.0))).astype(int)
    volume.array[:, j, i - 8 : i + 9] = 100
    table = tuple(volume.geometry.to_lps_mm((k, j, i)).tolist())
    with pytest.raises(InputError, match="outside the body, on the table"):
        nodule_in_volume(volume, table, predictor)
    assert nodule_in_volume(volume, (0.0, -90.0, 0.0), predictor).nodule is not None
