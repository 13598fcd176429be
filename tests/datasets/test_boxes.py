"""Rectangles on slices as nodules."""

import numpy as np
import pytest

from hilum.core import Geometry, UnreadableError
from hilum.datasets.boxes import boxed

GRID = Geometry.regular((10, 40, 50), (5.0, 0.8, 0.7), (-10.0, -20.0, 100.0))


def test_rectangles_that_overlap_from_slice_to_slice_are_one_and_both_ends_are_in():
    found = boxed({2: [(10, 19, 5, 12)], 3: [(12, 21, 6, 14), (40, 44, 30, 30)]}, GRID)
    assert len(found) == 2
    one, other = found
    assert one.mask.labels.sum() == 10 * 8 + 10 * 9
    assert other.mask.labels.sum() == 5
    assert one.centre_lps_mm == pytest.approx(tuple(GRID.to_lps_mm((2.5, 9.5, 15.5))))
    assert one.diameter_mm == pytest.approx((10 * 0.7 + 9 * 0.8) / 2)
    block = one.mask.require_geometry()
    corner = block.to_lps_mm(np.argwhere(one.mask.labels)[0])
    np.testing.assert_allclose(corner, GRID.to_lps_mm((2, 5, 10)))


@pytest.mark.parametrize("box", [(45, 50, 0, 5), (-1, 3, 0, 5), (5, 4, 0, 5), (0, 5, 30, 40)])
def test_a_box_that_leaves_its_slice_is_refused(box):
    with pytest.raises(UnreadableError, match="leaves its slice"):
        boxed({0: [box]}, GRID)
