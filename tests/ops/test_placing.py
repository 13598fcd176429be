"""The block around outlines, and back onto the whole grid in any order of its axes."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core import Geometry, GeometryError, Mask, Outline
from hilum.ops import OutlineRule, crop_to_outlines, place, rasterise, resample_to, to_lps_axes

GRID = Geometry.regular((6, 40, 50), (2.5, 0.7, 0.7), (-10, 5, 100))
ORDERS = list(product(permutations(range(3)), product((1, -1), repeat=3)))


def stored_otherwise(order: tuple[int, ...], signs: tuple[int, ...]) -> Geometry:
    """A small grid with its axes permuted and flipped."""
    turn = np.zeros((3, 3))
    turn[list(order), range(3)] = signs
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag((0.7, 0.9, 2.5))
    affine[:3, 3] = (12, -7, 30)
    return Geometry((5, 6, 7), affine)


def random_mask(geometry: Geometry) -> Mask:
    return Mask.of(np.random.default_rng(1).random(geometry.shape_zyx) < 0.5, geometry)


points = st.lists(st.tuples(st.integers(0, 49), st.integers(0, 39)), min_size=1, max_size=8)
outlines = st.lists(
    st.builds(Outline, points.map(np.array), st.sampled_from((100, 102.5, 110)), st.booleans()), min_size=1, max_size=4
)


@given(outlines, st.sampled_from(list(OutlineRule)), st.integers(0, 3))
def test_a_block_is_filled_as_the_whole_grid_would_be(drawn: list[Outline], rule: OutlineRule, margin: int) -> None:
    block, moved = crop_to_outlines(drawn, GRID, margin)
    on_block = place(Mask.of(rasterise(moved, block, rule), block), GRID)
    np.testing.assert_array_equal(on_block.select(1), rasterise(drawn, GRID, rule))


def test_a_block_has_its_margin_as_far_as_the_grid_goes() -> None:
    drawn = [Outline(np.array([(0, 10), (4, 10), (4, 12)]), 100), Outline(np.array([(49, 20)]), 102.5)]
    block, _ = crop_to_outlines(drawn, GRID, margin=2)
    assert block.shape_zyx == (4, 15, 50)
    assert block.origin_lps_mm == pytest.approx((-10, 5 + 8 * 0.7, 100))


def test_no_outline_has_no_block() -> None:
    with pytest.raises(GeometryError, match="at least one outline"):
        crop_to_outlines([], GRID)


@pytest.mark.parametrize(("order", "signs"), ORDERS)
def test_a_block_of_the_turned_mask_goes_back_where_it_was(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    whole = random_mask(stored_otherwise(order, signs))
    turned = to_lps_axes(whole)
    geometry = turned.require_geometry()
    np.testing.assert_array_equal(place(turned, whole.require_geometry()).labels, whole.labels)
    block = Mask(turned.labels[1:3, 2:5, 1:4], geometry.crop((1, 2, 1), (2, 3, 3)))
    placed = place(block, whole.require_geometry())
    assert placed.labels.any()
    np.testing.assert_array_equal(placed.labels, resample_to(block, whole.require_geometry()).labels)


@pytest.mark.parametrize(
    "other",
    [
        Geometry.regular((6, 40, 50), (2.5, 0.7, 0.71), (-10, 5, 100)),
        Geometry.regular((6, 40, 50), (2.5, 0.7, 0.7), (-10.3, 5, 100)),
        Geometry((6, 40, 50), GRID.affine_lps @ np.array([[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])),
    ],
)
def test_voxels_that_are_not_the_grids_are_refused(other: Geometry) -> None:
    with pytest.raises(GeometryError, match="Resample it"):
        place(random_mask(GRID), other)


def test_a_mask_that_leaves_the_grid_is_refused() -> None:
    with pytest.raises(GeometryError, match="leaves the grid"):
        place(random_mask(GRID), GRID.crop((0, 1, 0), (6, 39, 50)))
