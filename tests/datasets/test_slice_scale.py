"""One brightness for CT slices: HU by arithmetic, pictures by the most probable ends, the same on a moved crop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.core import GeometryError, InputError, UnsupportedError
from hilum.datasets.slice_scale import WINDOWS, canonical, estimated_ends, stretched_hu
from tests.ct_slices import chest_hu, stretched


def test_hu_are_arithmetic_between_the_windows_ends():
    for name, (low, high) in WINDOWS.items():
        hu = np.array([[low - 500, low, (low + high) / 2, high, high + 500]], np.float32)
        hu = np.concatenate([hu, np.full((1, 5), -900, np.float32)])
        np.testing.assert_allclose(canonical(hu, name)[0], [0, 0, 0.5, 1, 1], atol=1e-6)
    assert canonical(np.array([[-3024, 3071]], np.int16), "full").tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("wall", [0, 12, 40, 100])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_stretched_crop_comes_near_its_hu(wall, seed):
    hu = chest_hu(wall=wall, seed=seed)
    assert np.abs(canonical(stretched(hu)) - canonical(hu)).mean() < 0.03


@pytest.mark.parametrize(("value", "share"), [(3071, 0.002), (1500, 0.01)])
def test_metal_moves_the_levels_and_not_the_result(value, share):
    hu = chest_hu(seed=3)
    metal = hu.copy()
    metal[:2, : max(2, round(share * hu.size / 2))] = value
    assert np.abs(stretched(metal)[40:] / 255 - stretched(hu)[40:] / 255).mean() > 0.05
    assert np.abs(canonical(stretched(metal)) - canonical(stretched(hu)))[40:].mean() < 0.03


@pytest.mark.parametrize("padding", [-2000, -3024])
def test_padding_beyond_the_scanned_circle_is_no_landmark(padding):
    hu = chest_hu(seed=4)
    rows, columns = np.indices(hu.shape)
    padded = np.where(rows + columns > 190, padding, hu)
    seen = rows + columns <= 190
    assert np.abs(canonical(stretched(padded)) - canonical(hu))[seen].mean() < 0.04


def test_a_moved_crop_shows_the_same_tissue_alike():
    hu = chest_hu((128, 200), wall=90, seed=5)
    still = canonical(stretched(hu[:, :128]))
    for step in (1, 5, 15, 30):
        moved = canonical(stretched(hu[:, step : step + 128]))
        assert np.abs(moved[:, : 128 - step] - still[:, step:]).mean() < 0.02
        exact = canonical(hu[:, step : step + 128])
        np.testing.assert_array_equal(exact[:, : 128 - step], canonical(hu[:, :128])[:, step:])


@given(low=st.integers(0, 100), high=st.integers(180, 255))
@settings(max_examples=8)
def test_another_linear_scale_of_the_same_slice_gives_the_same(low, high):
    levels = stretched(chest_hu(seed=6))
    other = np.rint(low + levels / 255 * (high - low)).astype(np.uint8)
    assert np.abs(canonical(other) - canonical(levels)).mean() < 0.01


def test_sixteen_bits_are_a_picture_too():
    levels = stretched(chest_hu(seed=7))
    np.testing.assert_allclose(canonical(levels.astype(np.uint16) * 257), canonical(levels), atol=1e-4)


def test_known_ends_leave_nothing_to_estimate():
    hu = chest_hu(seed=8)
    again = stretched_hu(stretched(hu), float(hu.min()), float(hu.max()))
    assert np.abs(again - hu).max() <= (hu.max() - hu.min()) / 255 / 2 + 1e-3


def test_darkest_is_below_brightest_whatever_is_shown():
    rng = np.random.default_rng(9)
    for levels in (rng.integers(0, 256, (128, 128)), rng.integers(0, 2, (5, 7)), [[0, 255]], [[3], [4], [9]]):
        ends = estimated_ends(np.array(levels, np.uint8))
        assert ends.darkest_hu + 100 < ends.brightest_hu
        shown = canonical(np.array(levels, np.uint8))
        assert np.isfinite(shown).all()
        assert 0 <= shown.min() <= shown.max() <= 1


def test_an_empty_slice_is_known_in_hu_and_unknown_in_levels():
    assert (canonical(np.full((8, 8), -1024, np.int16)) == 0).all()
    with pytest.raises(UnsupportedError, match="level 7"):
        canonical(np.full((8, 8), 7, np.uint8))


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.random.default_rng(0).random((8, 8)), "no HU of a chest"),
        (np.arange(64.0).reshape(8, 8) * 3, "no HU of a chest"),
        (np.arange(64, dtype=np.int16).reshape(8, 8), "no HU of a chest"),
        (np.full((4, 4), np.nan), "not finite"),
        (np.zeros((4, 4), bool), "whole or floating-point"),
    ],
)
def test_what_is_no_hu_is_refused(image, says):
    with pytest.raises(InputError, match=says):
        canonical(image)


def test_shapes_and_windows_are_checked():
    with pytest.raises(GeometryError, match="shape"):
        canonical(np.zeros((2, 3, 4), np.uint8))
    with pytest.raises(GeometryError, match="shape"):
        canonical(np.zeros((0, 4), np.uint8))
    with pytest.raises(InputError, match="window"):
        canonical(np.zeros((2, 3), np.int16), "bone")
