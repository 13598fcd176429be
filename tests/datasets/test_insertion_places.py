"""Where nodules are inserted, and which half of the patient is whose."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hilum.core import InputError, Mask
from hilum.datasets.ct_lungs import find_lungs
from hilum.datasets.insertion_places import (
    InsertionRule,
    Side,
    Taken,
    depths,
    dividing_column,
    draw_place,
    half,
    on_side,
    wall_on,
)
from hilum.datasets.patch_places import Marked, PieceRule
from tests.ct_patches import GRID, chest

CT = chest(())
LUNGS = find_lungs(CT)
NOBODY = Taken((), (), PieceRule(48))
DEEP = InsertionRule(touching=0.0)


def test_the_lungs_are_apart_between_them():
    assert abs(dividing_column(LUNGS)) < 8
    with pytest.raises(InputError, match="lungs are empty"):
        dividing_column(Mask.of(np.zeros((3, 3, 3), dtype=bool), GRID.crop((0, 0, 0), (3, 3, 3))))


def test_the_halves_share_no_voxel_and_together_are_the_ct():
    right, left = (half(CT, side, 1.0) for side in (Side.RIGHT, Side.LEFT))
    assert_array_equal(np.concatenate([right.array, left.array], axis=2), CT.array)
    ends = [one.geometry.to_lps_mm([[0, 0, 0], [0, 0, one.array.shape[2] - 1]])[:, 0] for one in (right, left)]
    assert ends[0][1] < 1.0 <= ends[1][0]  # x grows to the patient's left
    sides = [on_side(LUNGS, side, 1.0).labels > 0 for side in (Side.RIGHT, Side.LEFT)]
    assert not (sides[0] & sides[1]).any()
    assert_array_equal(sides[0] | sides[1], LUNGS.labels > 0)
    with pytest.raises(InputError, match="outside of the CT"):
        half(CT, Side.LEFT, 900.0)


@pytest.mark.parametrize("side", [Side.LEFT, Side.RIGHT])
def test_a_nodule_lies_wholly_within_the_lung_of_its_side(side):
    within = depths(CT, on_side(LUNGS, side, 0.0))
    rng, radius = np.random.default_rng(0), 10.0
    for _ in range(20):
        x, y, z = draw_place(within, radius, NOBODY, DEEP, rng)
        assert (x > 0) == (side is Side.LEFT)
        # The phantom's lungs are ellipsoids about x = ±60; a ball of the radius less a voxel lies within.
        away = np.array([abs(x) - 60, y, z]) / (np.array([50, 75, 95]) - radius + 4)
        assert (away**2).sum() < 1
        for height in (-50, -20, 10, 45):  # and keeps clear of the large vessels
            middle = np.array([np.sign(x) * 60 + height / 5, height / 2, height])
            assert np.linalg.norm([x, y, z] - middle) > radius + 8 - 4


def test_a_nodule_keeps_away_from_others_and_no_piece_of_it_shows_a_known_one():
    within = depths(CT, on_side(LUNGS, Side.LEFT, 0.0))
    before, known = Marked((60.0, 0.0, -40.0), 8.0), Marked((60.0, 0.0, 50.0), 10.0)
    taken, rng = Taken([before], [known], PieceRule(48)), np.random.default_rng(0)
    for _ in range(20):
        place = np.array(draw_place(within, 5.0, taken, DEEP, rng))
        assert np.linalg.norm(place - before.centre_lps_mm) >= 5 + 8 + 10
        assert np.abs(place - known.centre_lps_mm).max() > 24 + 10 + 10
    everywhere = Taken((), [Marked((60.0, 0.0, 0.0), 90.0)], PieceRule(96))
    assert draw_place(within, 5.0, everywhere, DEEP, rng) is None
    assert draw_place(within, 60.0, NOBODY, DEEP, rng) is None


def test_one_that_touches_lies_at_the_wall():
    within = depths(CT, on_side(LUNGS, Side.LEFT, 0.0))
    rng, touching = np.random.default_rng(0), InsertionRule(touching=1.0)
    for _ in range(10):
        place = draw_place(within, 15.0, NOBODY, touching, rng)
        k, j, i = np.rint(within.grid.to_index(place)).astype(int)
        assert 0.7 * 15 <= within.depth_mm[k, j, i] <= 15
    assert wall_on(CT, within)[0].any()  # the abdomen's end of the phantom is solid
    dense_in_lung = (CT.array > 0) & (np.asarray(find_lungs(CT).labels)[: len(CT.array)] > 0)
    assert wall_on(CT, within).sum() > dense_in_lung.sum()
