"""The table goes, the patient stays: on drawn bodies, and on the real CT with its organ mask."""

import numpy as np
import pytest

from hilum.core import Geometry, InputError, Quantity, UnitError, Volume
from hilum.drr.patient import BodyRule, body_mask, find_body, patient_only, without_padding
from hilum.drr.room import Room, remarks, take
from hilum.io import read_mask, read_volume
from hilum.io.installed import sample_ct_path, sample_organs_path
from tests.shapes import ellipsoid, rotation

GRID = Geometry.regular((30, 120, 120), (5, 3, 3), (-178.5, -178.5, -72.5))
Z, Y, X = np.moveaxis(GRID.to_lps_mm(np.moveaxis(np.indices(GRID.shape_zyx), 0, -1)), -1, 0)[::-1]
TRUNK = (X / 130) ** 2 + (Y / 90) ** 2 <= 1
LUNGS = ((np.abs(X) - 60) / 40) ** 2 + (Y / 60) ** 2 <= 1
TABLE = (Y > 105) & (Y < 112) & (np.abs(X) < 150)
BLANKET = (np.abs((X / 160) ** 2 + (Y / 130) ** 2 - 1) < 0.02) & (Y < 60)


def chest(padding=-1024):
    hu = np.full(GRID.shape_zyx, -1000, np.int16)
    hu[X**2 + Y**2 > 178**2] = padding
    hu[TABLE | BLANKET] = 200
    hu[TRUNK] = 30
    hu[LUNGS] = -870
    return hu


def test_table_and_blanket_go_and_every_voxel_of_the_patient_stays():
    ct = Volume(chest(), GRID)
    alone = patient_only(ct)
    np.testing.assert_array_equal(alone.array[TRUNK], ct.array[TRUNK])
    assert (alone.array[TABLE | BLANKET] == -1000).all()
    assert (alone.array[X**2 + Y**2 > 178**2] == -1000).all()
    assert alone.array.dtype == ct.array.dtype


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_the_order_of_axes_doesnt_matter(order):
    affine = np.eye(4)
    affine[:3, :3] = GRID.affine_lps[:3, :3][:, [2 - axis for axis in order][::-1]]
    affine[:3, 3] = GRID.affine_lps[:3, 3]
    shape = tuple(GRID.shape_zyx[axis] for axis in order)
    turned = Volume(chest().transpose(order), Geometry(shape, affine))
    expected = body_mask(Volume(chest(), GRID)).transpose(order)
    np.testing.assert_array_equal(body_mask(turned), expected)


@pytest.mark.parametrize("spacing_mm", [(1.25, 1, 1.4), (5, 3, 3), (0.7, 2, 0.5)])
def test_slices_are_parts_of_the_whole(spacing_mm):
    grid = Geometry.regular((41, 100, 90), spacing_mm, (0, 0, 0))
    inside = ellipsoid(grid, grid.to_lps_mm((20, 50, 45)), (40, 45, 60))
    ct = Volume(np.where(inside, 0, -1000).astype(np.int16), grid)
    body = find_body(ct, BodyRule(least_litres=0.01))
    parts = [body.slices(start, min(start + 7, 41)) for start in range(0, 41, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), body_mask(ct, BodyRule(least_litres=0.01)))


@pytest.mark.parametrize("flip", [False, True])
def test_a_cloth_that_touches_the_back_is_told(flip):
    touching = chest()
    beyond = (X / 138) ** 2 + (Y / 98) ** 2
    touching[(beyond > 1) & (beyond < 1.1) & (Y > 20)] = 200
    grid = Geometry(GRID.shape_zyx, GRID.affine_lps @ np.diag([1, -1, 1, 1])) if flip else GRID
    clear, told = (find_body(Volume(hu[:, ::-1] if flip else hu, grid)).on_solid for hu in (chest(), touching))
    if flip:
        upright = find_body(Volume(touching, GRID)).on_solid
        assert told == pytest.approx(upright)
    assert clear < 0.05
    assert told > 0.15


def test_on_the_second_patient_the_cloth_is_told(real_data):
    touched = read_volume(real_data("lung-pet-ct-dx/A0001-series2"))
    taken = take(touched, Room(), np.random.default_rng(0))
    assert any("touches the patient's back" in note for note in remarks(touched, taken))
    clear = read_volume(sample_ct_path())
    assert not remarks(clear, take(clear, Room(), np.random.default_rng(0)))


def test_a_tilted_header_changes_nothing():
    affine = np.eye(4)
    affine[:3, :3] = rotation((10, 0, 0))
    tilted = Geometry(GRID.shape_zyx, affine @ GRID.affine_lps)
    np.testing.assert_array_equal(body_mask(Volume(chest(), tilted)), body_mask(Volume(chest(), GRID)))


def test_padding_with_an_odd_number_is_air_only_where_it_is_padding():
    """Some scanners write 0 outside their circle, which is water."""
    hu = chest(padding=0)
    hu[:, 60, 60] = 0
    cleaned = without_padding(Volume(hu, GRID))
    assert (cleaned[(X**2 + Y**2 > 180**2) & ~TABLE & ~BLANKET] == -1000).all()
    assert (cleaned[:, 60, 60] == 0).all(), "water in the patient stays"
    assert (
        without_padding(Volume(chest(), GRID)).base is None or (without_padding(Volume(chest(), GRID)) == chest()).all()
    )
    np.testing.assert_array_equal(patient_only(Volume(hu, GRID)).array[TRUNK], hu[TRUNK])


def test_what_is_no_chest_ct_is_refused():
    eight_bit = np.clip((chest() + 1000) // 8, 0, 255).astype(np.uint8)
    with pytest.raises(UnitError, match=r"run from 0 to 150\. Rescale"):
        patient_only(Volume(eight_bit, GRID))
    with pytest.raises(UnitError, match=r"run from 5 to 5\. Rescale"):
        body_mask(Volume(np.full(GRID.shape_zyx, 5, np.uint8), GRID))
    with pytest.raises(InputError, match="there is no patient on this CT"):
        body_mask(Volume(np.where(TABLE, 300, -1000).astype(np.int16), GRID))
    with pytest.raises(UnitError, match="in HU were expected"):
        body_mask(Volume(chest(), GRID, Quantity.DISPLAY))
    with pytest.raises(InputError, match="not negative"):
        BodyRule(margin_mm=-1)


def test_a_larger_margin_keeps_more():
    small, large = (body_mask(Volume(chest(), GRID), BodyRule(margin_mm=mm)) for mm in (0, 9))
    assert (large | ~small).all()
    assert (large & TABLE).sum() >= (small & TABLE).sum()
    thickness_mm = (large.sum(axis=1) - small.sum(axis=1))[15, 60] * 3
    assert thickness_mm == pytest.approx(2 * 9, abs=2 * 3)


def test_a_lone_ball_keeps_its_volume():
    ball = ellipsoid(GRID, (0, 0, 0), (60, 60, 60))
    body = body_mask(Volume(np.where(ball, 0, -1000).astype(np.int16), GRID), BodyRule(margin_mm=0))
    assert (body | ~ball).mean() > 0.9995
    assert body.sum() == pytest.approx(ball.sum(), rel=0.05)


def test_on_the_real_ct_every_organ_stays_and_the_table_goes():
    ct, organs = read_volume(sample_ct_path()), read_mask(sample_organs_path())
    body = body_mask(ct)
    assert not ((organs.labels > 0) & ~body).any(), "6.5 million voxels of organs and bones, none lost"
    # The table's top is the densest thing behind the back, 15 mm and more beyond it in the middle of the trunk.
    upright = ct.array[66, :, 256 - 40 : 256 + 40] if ct.geometry.axis_codes == "LAS" else None
    kept = body[66, :, 256 - 40 : 256 + 40]
    assert upright is not None
    bright = (upright > -500) & ~kept
    assert bright.sum() > 300, "what is solid and no patient is there, and is left out"
    litres = body.sum() * ct.geometry.voxel_mm3 / 1e6
    assert 20 < litres < 40
