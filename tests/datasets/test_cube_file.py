"""Cubes of an array file: their axes, their HU, and what is refused."""

import numpy as np
import pytest

from hilum.core import HilumError, UnreadableError
from hilum.datasets.cube_file import cube_patients, nodule_cube, part_of
from hilum.datasets.lidc import lidc_nodules
from hilum.io.lidc import lidc_reads
from hilum.ops import OutlineRule, resample_to
from tests.ct_patches import cube_arrays


def test_axes_run_from_back_to_front_of_the_file_and_from_foot_to_head():
    arrays = cube_arrays([2])
    arrays["mask"][0] = 0
    arrays["mask"][0, 3, 5, 1] = 1  # row 3, column 5, the second slice from the head
    cube = nodule_cube(part_of(arrays, 0))
    side = arrays["mask"].shape[1]
    assert np.argwhere(cube.mask.labels).tolist() == [[side - 2, 3, 5]]
    x, y, z = cube.mask.require_geometry().to_lps_mm((side - 2, 3, 5))
    middle = (side - 1) / 2
    assert (x, y, z) == (5 - middle, 3 - middle, middle - 1)


def test_numbers_are_hu_and_the_brightest_are_cut():
    arrays = cube_arrays([2])
    arrays["image"][0].flat[:4] = (0, 0.25, 0.75, 1)
    hu = nodule_cube(part_of(arrays, 0)).hu.array
    assert hu.dtype == np.int16
    np.testing.assert_array_equal(hu[::-1].transpose(1, 2, 0).flat[:4], (-1200, -800, 0, 400))


def test_ratings_that_are_missing_are_left_out():
    arrays = cube_arrays([2, 11])
    arrays["attributes"][1, 0] = np.nan
    assert set(nodule_cube(part_of(arrays, 1)).ratings) == {"malignancy"}
    assert cube_patients(arrays) == ["LIDC-IDRI-0002", "LIDC-IDRI-0011"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"image": np.zeros((1, 3, 3, 3), np.int16)}, "0 to 1"),
        ({"mask": np.zeros((1, 3, 3, 2), np.uint8)}, "as large as image"),
        ({"patient": np.array([0])}, "numbers of LIDC"),
        ({"name": np.array(["a", "b"])}, "name has the shape"),
    ],
)
def test_what_is_no_file_of_cubes_is_refused(change, says):
    with pytest.raises(UnreadableError, match=says):
        cube_patients(cube_arrays([2]) | change)
    with pytest.raises(UnreadableError, match="lacks image"):
        cube_patients({"mask": np.zeros(3)})


def test_a_cube_beyond_0_to_1_and_one_without_a_nodule_are_refused():
    bright, empty = cube_arrays([2]), cube_arrays([2])
    bright["image"][0] += 1
    empty["mask"][0] = 0
    with pytest.raises(UnreadableError, match="not from 0 to 1"):
        nodule_cube(part_of(bright, 0))
    with pytest.raises(UnreadableError, match="empty"):
        nodule_cube(part_of(empty, 0))


def best_overlap(truth, mask):
    """Highest Dice of two masks over all shifts."""
    shape = [a + b for a, b in zip(truth.shape, mask.shape, strict=True)]
    common = np.fft.irfftn(
        np.fft.rfftn(mask, shape, axes=(0, 1, 2)) * np.fft.rfftn(truth, shape, axes=(0, 1, 2)).conj(),
        shape,
        axes=(0, 1, 2),
    )
    return 2 * common.max() / (truth.sum() + mask.sum())


def of_readers(patient):
    """Every reader's mask of every nodule of a patient, on 1 mm, outlines in."""
    for read in lidc_reads(patient):
        for nodule in lidc_nodules(read):
            try:
                grid = read.relative_grid(nodule.outlines)
            except HilumError:
                continue
            for mask in nodule.masks(grid, OutlineRule.OUTLINE):
                yield resample_to(mask, mask.require_geometry().with_spacing((1.0, 1.0, 1.0))).labels > 0


def test_published_cubes_lie_as_lidcs_outlines_say(real_data):
    with np.load(real_data("lidc-cubes") / "cubes.npz") as stored:
        arrays = dict(stored)
    patient = 12  # of training
    number = int(np.flatnonzero(arrays["patient"] == patient)[0])
    truth = nodule_cube(part_of(arrays, number)).mask.labels > 0
    masks = [mask for mask in of_readers(f"LIDC-IDRI-{patient:04}") if max(mask.shape) < 60]
    assert max(best_overlap(truth, mask) for mask in masks) > 0.99
    for turned in (truth[::-1], truth.transpose(0, 2, 1)):
        assert max(best_overlap(turned, mask) for mask in masks) < 0.95
