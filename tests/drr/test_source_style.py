"""The published style: LIDC-IDRI-0001 comes out as its published pair, and everything is where it is in the patient."""

import numpy as np
import pytest
from PIL import Image

from hilum.core import Geometry, InputError, Mask, Quantity, UnitError, Volume
from hilum.datasets.lidc import lidc_nodules
from hilum.drr.source_style import published_look, source_height, source_mask, source_rows, source_style_drr
from hilum.io import read_volume
from hilum.io.installed import sample_ct_path
from hilum.io.lidc import lidc_read
from hilum.ops import OutlineRule, to_lps_axes
from tests.shapes import ellipsoid

GRID = Geometry.regular((30, 40, 48), (2.0, 1.0, 1.0), (-23.5, -19.5, -29.0))


def phantom(ball_lps_mm=(12.0, 5.0, 15.0)):
    """A soft-tissue ellipsoid in air with a dense ball in it."""
    hu = np.where(ellipsoid(GRID, (0, 0, 0), (20, 16, 27)), 0, -1000).astype(np.int16)
    ball = ellipsoid(GRID, ball_lps_mm, (4, 4, 4))
    hu[ball] = 800
    return Volume(hu, GRID), Mask.of(ball, GRID)


@pytest.fixture(scope="module")
def published(real_data):
    """The published pair of LIDC-IDRI-0001: picture and mask."""
    (path,) = (real_data("lidc-drr") / "1-200").glob("LIDC-IDRI-0001_*_drr.png")
    mask_path = path.with_name(path.name.replace("_drr.png", "_drr_mask.png"))
    with Image.open(path) as picture, Image.open(mask_path) as mask:
        return np.asarray(picture), np.asarray(mask) > 0


def test_the_sample_ct_comes_out_as_its_published_picture(published):
    picture, _ = published
    made = source_style_drr(read_volume(sample_ct_path()))
    apart = made.array.astype(int) - picture
    assert made.array.dtype == np.uint8
    assert np.corrcoef(made.array.ravel(), picture.ravel())[0, 1] >= 0.999
    assert np.abs(apart).max() <= 1
    assert np.count_nonzero(apart) <= 20  # of 241,664: levels that rounding errors carry over a whole number


def test_the_sample_cts_outlines_cast_its_published_mask(published):
    _, mask = published
    ct = to_lps_axes(read_volume(sample_ct_path()))
    nodules = lidc_nodules(lidc_read("LIDC-IDRI-0001"))
    made = source_mask([m for n in nodules for m in n.masks(ct.geometry, OutlineRule.OUTLINE)], ct)
    assert np.array_equal(made, mask)


def test_head_is_up_and_the_patients_left_on_the_right():
    ct, ball = phantom()
    assert source_style_drr(ct).array.shape == (60, 48)
    rows, columns = np.nonzero(source_mask([ball], ct))
    # z 15 mm lies 22 slices above the lowest of 30, 2 rows each; x 12 mm is column 35.5.
    assert rows.mean() == pytest.approx((29 - 22) * 2 + 0.5, abs=0.5)
    assert columns.mean() == pytest.approx(35.5)


def test_a_dense_ball_is_brighter_than_its_surroundings():
    ct, ball = phantom()
    bare = Volume(np.where(ct.array > 0, 0, ct.array), GRID)
    shadow = source_mask([ball], ct)
    gained = source_style_drr(ct).array.astype(int) - source_style_drr(bare).array
    assert gained[shadow].mean() > 20


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_how_the_volume_is_stored_does_not_matter(axis):
    ct, _ = phantom()
    affine = np.array(GRID.affine_lps)
    affine[:3, 2 - axis] *= -1
    affine[:3, 3] = GRID.to_lps_mm([n - 1 if a == axis else 0 for a, n in enumerate(GRID.shape_zyx)])
    flipped = Volume(np.flip(ct.array, axis), Geometry(GRID.shape_zyx, affine))
    assert np.array_equal(source_style_drr(flipped).array, source_style_drr(ct).array)


def test_padding_below_air_is_air():
    ct, _ = phantom()
    padded = ct.array.copy()
    padded[:, :4] = -2048
    assert np.array_equal(source_style_drr(Volume(padded, GRID)).array, source_style_drr(ct).array)


def test_rows_of_whole_slices_are_repeated_slices():
    shadow = np.array([[1, 2, 0], [0, 3, 0]], dtype=np.uint8)
    assert np.array_equal(source_rows(shadow, 6), np.repeat(shadow[::-1], 3, axis=0))
    assert source_rows(shadow.astype(bool), 2).dtype == bool


def test_height_is_cut_not_rounded():
    assert source_height(133, 2.5, 0.703125) == 472  # 472.9
    assert source_height(10, 1.0, 1.0) == 10
    with pytest.raises(InputError, match="thinner than a pixel"):
        source_height(1, 0.5, 0.7)


@pytest.mark.parametrize(("low", "high"), [(0, 255), (-1000, -600)])
def test_values_that_are_no_hu_are_refused(low, high):
    array = np.linspace(low, high, np.prod(GRID.shape_zyx)).reshape(GRID.shape_zyx)
    with pytest.raises(UnitError, match=r"chest CT holds air .* tissue above"):
        source_style_drr(Volume(array, GRID))


def test_other_quantities_and_a_shadow_without_contrast_are_refused():
    ct, _ = phantom()
    with pytest.raises(UnitError):
        source_style_drr(Volume(ct.array, GRID, Quantity.ATTENUATION))
    flat = np.full(GRID.shape_zyx, -1000, dtype=np.int16)
    flat[:, :20] = 40
    with pytest.raises(InputError, match="same grey everywhere"):
        source_style_drr(Volume(flat, GRID))


def test_any_scale_of_a_radiograph_has_the_same_look():
    grey = np.random.default_rng(3).normal(size=(64, 48)).cumsum(axis=0)
    look = published_look(grey)
    assert look.min() >= 0
    assert look.max() <= 1
    np.testing.assert_allclose(published_look(1000 + 40 * grey), look, atol=2e-3)


def test_the_look_keeps_dense_bright():
    grey = np.tile(np.linspace(0, 1, 64), (64, 1))
    look = published_look(grey)
    assert np.corrcoef(grey.ravel(), look.ravel())[0, 1] > 0.8
    np.testing.assert_allclose(published_look(-grey), 1 - look, atol=0.15)


def test_the_look_of_a_few_bright_pixels_is_their_contrast():
    grey = np.zeros((64, 64))
    grey[30:34, 30:34] = 1  # less than a percent of the picture
    assert published_look(grey)[31, 31] > published_look(grey)[5, 5] + 0.1


@pytest.mark.parametrize("grey", [np.ones((32, 32)), np.full((32, 32), np.nan)])
def test_a_picture_without_contrast_has_no_look(grey):
    with pytest.raises(InputError, match="same grey everywhere"):
        published_look(grey)
