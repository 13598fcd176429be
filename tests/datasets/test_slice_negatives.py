"""Crops without a tumour: with lung, away from every box on its slice and around it, by the seed alone."""

import numpy as np
import pytest

from hilum.core import Geometry, InputError, Volume
from hilum.datasets.slice_negatives import NegativeRule, negative_crops

SIDE = (24, 24)
BOX = (50, 60, 70, 80)


def ct(slices=10, step_mm=5.0):
    """Two lungs in a body, with air around."""
    array = np.full((slices, 120, 120), -1000, np.int16)
    array[:, 10:110, 10:110] = 40
    array[:, 25:95, 20:55] = -850
    array[:, 25:95, 65:100] = -850
    affine = np.diag([3.0, 3.0, step_mm, 1.0])
    return Volume(array, Geometry(array.shape, affine))


def test_crops_show_lung_and_keep_away_from_the_box_within_reach():
    volume, rule = ct(), NegativeRule(each=3, away_mm=12.0)
    crops = negative_crops(volume, {4: [BOX], 6: [BOX]}, SIDE, rule)
    assert len({crop.slice_index for crop in crops}) == 10
    for crop in crops:
        row, column = crop.corner
        assert crop.hu.shape == SIDE
        assert ((crop.hu < -500) & (crop.hu > -960)).mean() >= rule.least_lung
        if 2 <= crop.slice_index <= 8:  # 12 mm are 2.4 slices beyond 4 and 6
            beside = column > BOX[1] + 4 or column + 23 < BOX[0] - 4 or row > BOX[3] + 4 or row + 23 < BOX[2] - 4
            assert beside, crop.corner
    again = negative_crops(volume, {4: [BOX], 6: [BOX]}, SIDE, rule)
    assert [crop.corner for crop in again] == [crop.corner for crop in crops]
    other = negative_crops(volume, {4: [BOX]}, SIDE, NegativeRule(each=3, seed=1))
    assert [crop.corner for crop in other] != [crop.corner for crop in crops]


def test_what_leaves_nothing_to_crop_is_said():
    with pytest.raises(InputError, match="no slice of the CT has a box"):
        negative_crops(ct(), {3: []}, SIDE, NegativeRule())
    with pytest.raises(InputError, match="larger than a slice"):
        negative_crops(ct(), {3: [BOX]}, (128, 128), NegativeRule())
    with pytest.raises(InputError, match="no such rule"):
        NegativeRule(each=0)
