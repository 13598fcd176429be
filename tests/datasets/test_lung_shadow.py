"""Lung fields on an X-ray of a CT: lungs as a whole, without what heart and diaphragm hide."""

import numpy as np
import pytest

from hilum.core import Geometry, Mask
from hilum.datasets.lung_shadow import cavity_of, lung_fields
from hilum.drr.projection import Setup

GRID = Geometry.regular((80, 70, 110), (3.0, 3.0, 3.0), (-163.5, -103.5, -118.5))
PARALLEL = Setup(pixel_mm=1.5).projection(GRID)


def box(x, y, z):
    """Voxels whose centres lie in a box of LPS mm."""
    places = GRID.to_lps_mm(np.moveaxis(np.indices(GRID.shape_zyx), 0, -1))
    low, high = np.array((x, y, z), dtype=float).T
    return ((places > low) & (places < high)).all(axis=-1)


RIGHT, LEFT = box((-120, -20), (-75, 75), (-90, 90)), box((20, 120), (-75, 75), (-90, 90))


def fields(lungs):
    return lung_fields(Mask.of(lungs, GRID, "lung"), PARALLEL)


def seen_in(found, x, z):
    """Share of a rectangle of the picture, in LPS mm, that is lung field."""
    (top, left), (bottom, right) = (PARALLEL.to_pixel((x[0], 0, z[1])), PARALLEL.to_pixel((x[1], 0, z[0])))
    return found[round(top) : round(bottom), round(left) : round(right)].mean()


def test_two_bare_lungs_are_their_shadows():
    found = fields(RIGHT | LEFT)
    width, height = 99 + 2 * 2, 180 + 2 * 2  # whole voxels of 3 mm within 100 mm, and 2 mm around
    back = 4 * height + 2 * 4 * (0.45 * width - 4)  # 4 mm on the inner side, and along its upper and lower edge
    assert found.sum() * 1.5**2 == pytest.approx(2 * (width * height - back), rel=0.02)
    assert seen_in(found, (-110, -30), (-80, 80)) == seen_in(found, (30, 110), (-80, 80)) == 1
    assert seen_in(found, (-20, 20), (-100, 100)) == 0
    assert seen_in(found, (-122, -110), (-80, 80)) == seen_in(found, (110, 122), (-80, 80)) == 1


def test_behind_the_heart_there_is_lung_and_no_lung_field():
    heart = box((0, 70), (-75, 10), (-60, 20))
    found = fields((RIGHT | LEFT) & ~heart)
    assert seen_in(found, (28, 62), (-52, 12)) == 0
    assert seen_in(found, (78, 112), (-80, 80)) > 0.98
    assert seen_in(found, (28, 62), (28, 80)) == 1


def test_below_the_dome_of_the_diaphragm_there_is_none():
    """The liver's dome, with lung behind and beside it: the ray goes through both."""
    dome = box((-114, -20), (-75, 45), (-90, -50))
    found = fields((RIGHT | LEFT) & ~dome)
    assert seen_in(found, (-106, -30), (-84, -58)) == 0
    assert seen_in(found, (-106, -30), (-40, 80)) > 0.98


def test_bronchi_between_the_lungs_are_no_field():
    bronchi = box((-24, 24), (-75, 75), (20, 32))
    assert seen_in(fields(RIGHT | LEFT | bronchi), (-10, 10), (10, 40)) == 0


def test_one_lung_is_one_field_and_none_is_none():
    found = fields(RIGHT)
    assert seen_in(found, (-110, -30), (-80, 80)) == 1
    assert not found[:, round(PARALLEL.to_pixel((0, 0, 0))[1]) :].any()
    assert not fields(np.zeros_like(RIGHT)).any()


def test_the_cavity_reaches_from_lung_to_lung_on_each_slice():
    cavity = cavity_of(Mask.of(RIGHT | LEFT, GRID, "lung")).labels > 0
    np.testing.assert_array_equal(cavity, box((-120, 120), (-75, 75), (-90, 90)))
