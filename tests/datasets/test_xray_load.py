"""Prepared data sets to training samples: millimetres, small lesions, weights, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hilum.core import GeometryError, InputError, TooManyFailuresError, TrainError
from hilum.datasets.xray_config import XrayDataConfig
from hilum.datasets.xray_grid import PixelGrid, axis_weights
from hilum.datasets.xray_load import load_samples
from hilum.datasets.xray_sample import XraySample
from tests.xrays import chest, disc, write_xrays

PATIENT = "LIDC-IDRI-0002"


@given(st.integers(3, 60), st.floats(0.4, 1.2), st.floats(0.4, 3.0))
def test_a_constant_stays_and_nothing_is_cut_off(count, step_mm, target_mm):
    weights = axis_weights(count, step_mm, target_mm)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert count * step_mm - 1e-6 <= len(weights) * target_mm < count * step_mm + target_mm
    assert (weights.sum(axis=0) > 0).all() or target_mm < step_mm


def test_area_averaging_is_the_mean_of_blocks():
    picture = np.random.default_rng(0).random((12, 18))
    grid = PixelGrid(picture.shape, (0.5, 0.5), 1.5)
    np.testing.assert_allclose(grid.mean(picture), picture.reshape(4, 3, 6, 3).mean(axis=(1, 3)))


@pytest.mark.parametrize("target", [0.45, 0.7, 1.4])
def test_a_slope_keeps_its_place_in_millimetres(target):
    """Read at a new pixel's centre, a slope is the same function of mm, but for the steps that pixels make of it."""
    row_mm, column_mm = (np.indices((80, 60)) + 0.5) * np.array([0.9, 0.6])[:, None, None]
    grid = PixelGrid((80, 60), (0.9, 0.6), target)
    rows, columns = ((np.indices(grid.shape_yx) + 0.5) * target)[:, 2:-2, 2:-2]
    apart = grid.mean(2 * row_mm - column_mm)[2:-2, 2:-2] - (2 * rows - columns)
    assert abs(apart.mean()) < 0.01
    assert np.abs(apart).max() < 0.2


@given(st.lists(st.tuples(st.integers(4, 95), st.integers(4, 115), st.floats(0.5, 4)), min_size=1, max_size=6))
def test_lesions_keep_their_area_and_none_vanishes(discs):
    truth = np.any([disc((100, 120), (row, column), radius) for row, column, radius in discs], axis=0)
    from scipy import ndimage

    _, lesions = ndimage.label(truth, np.ones((3, 3)))
    moved = PixelGrid(truth.shape, (0.7, 0.7), 1.4).lesions(truth)
    wanted = truth.sum() / 4
    assert abs(moved.sum() - wanted) <= lesions  # one pixel a lesion: rounding, and the one that each has at least
    for row, column, _ in discs:
        assert moved[max(row // 2 - 1, 0) : row // 2 + 2, max(column // 2 - 1, 0) : column // 2 + 2].any()


def test_a_sample_is_what_the_files_say(tmp_path):
    drawn = chest(PATIENT, (60, 71), [((30, 20), 5), ((12, 50), 1)])
    (sample,), failures = load_samples(write_xrays(tmp_path, [drawn]), "train", XrayDataConfig(pixel_mm=1.4))
    assert len(failures) == 0
    assert sample.image.shape == (30, 36)
    assert sample.image.dtype == np.float32
    np.testing.assert_allclose(
        sample.image[:, :35] * 255, drawn.picture[:, :70].reshape(30, 2, 35, 2).mean((1, 3)), atol=0.51
    )
    assert sample.truth.sum() == pytest.approx(drawn.truth.sum() / 4, abs=1)
    one, other = sample.nodules
    assert one.centre_px == pytest.approx((14.75, 9.75))
    assert other.reader_count == 4
    assert (one.visibility, one.contrast, one.size_mm) == (0.25, 1.5, 5.6)
    assert (sample.weight == 1).all()


def test_lesions_that_are_hard_to_see_weigh_less(tmp_path):
    drawn = chest(PATIENT, lesions=[((30, 20), 4), ((30, 50), 4)])
    drawn.nodules[1][1]["visibility"] = None
    folder = write_xrays(tmp_path, [drawn])
    (sample,), _ = load_samples(folder, "train", XrayDataConfig(visibility_floor=0.2))
    assert sample.weight[30, 20] == pytest.approx(0.2 + 0.8 * 0.25)
    assert sample.weight[30, 50] == 1
    assert math.isnan(sample.nodules[1].visibility)
    assert (sample.weight[~sample.truth] == 1).all()


def test_lines_that_only_the_union_has_weigh_as_their_nodule(tmp_path):
    drawn = chest(PATIENT)
    drawn.truth[:] = disc(drawn.truth.shape, (30, 20), 6)
    (sample,), _ = load_samples(write_xrays(tmp_path, [drawn]), "train", XrayDataConfig(visibility_floor=0))
    np.testing.assert_allclose(sample.weight[sample.truth], 0.25)


def test_broken_files_are_recorded_up_to_the_limit(tmp_path):
    folder = write_xrays(tmp_path, [chest("LIDC-IDRI-0002"), chest("LIDC-IDRI-0003"), chest("LIDC-IDRI-0004")])
    (folder / "LIDC-IDRI-0002-0.png").write_bytes(b"\x89PNG\r\n broken")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / "LIDC-IDRI-0003-1-mask.png")
    samples, failures = load_samples(folder, "train", XrayDataConfig(max_failures=2))
    assert [sample.patient for sample in samples] == ["LIDC-IDRI-0004"]
    assert [failure.input for failure in failures] == ["LIDC-IDRI-0002-0", "LIDC-IDRI-0003-1"]
    assert "(9, 9)" in list(failures)[1].error
    with pytest.raises(TooManyFailuresError, match="1 are allowed"):
        load_samples(folder, "train", XrayDataConfig(max_failures=1))


def test_a_split_without_a_lesion_is_refused(tmp_path):
    folder = write_xrays(tmp_path, [chest(PATIENT), chest("LIDC-IDRI-0006", lesions=())])
    with pytest.raises(TrainError, match="none of the 1 pictures in the split 'validation'"):
        load_samples(folder, "validation", XrayDataConfig())


@pytest.mark.parametrize(
    ("patient", "split"),
    [
        ("LIDC-IDRI-0005", "train"),
        ("LIDC-IDRI-0006", "train"),
        ("LIDC-IDRI-0010", "validation"),
        ("LIDC-IDRI-0001", "train"),
    ],
)
def test_nobody_learns_from_whom_he_must_not(tmp_path, patient, split):
    folder = write_xrays(tmp_path, [chest(patient)], {split: [patient]})
    with pytest.raises(InputError, match=patient):
        load_samples(folder, split, XrayDataConfig())
    with pytest.raises(InputError, match="train and validation"):
        load_samples(folder, "test", XrayDataConfig())


def test_a_sample_has_one_size():
    with pytest.raises(GeometryError, match="one size"):
        XraySample("a", "p", np.zeros((4, 4), np.float32), np.zeros((4, 5), bool), np.ones((4, 4), np.float32), 1.0)
