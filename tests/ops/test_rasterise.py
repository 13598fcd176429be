"""Polygons whose pixels are known, and matplotlib's point-in-polygon as the oracle."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path as Polygon
from numpy.testing import assert_array_equal

from hilum.core import Geometry, GeometryError, Outline
from hilum.ops import OutlineRule, fill_polygon, mask_from_outlines, rasterise, slice_indices

SQUARE = np.array([(2, 3), (6, 3), (6, 8), (2, 8)], dtype=float)
RULES = (OutlineRule.INSIDE, OutlineRule.CENTRE, OutlineRule.OUTLINE)
GRID = Geometry.regular((4, 20, 20), (2.5, 0.7, 0.7), (0, 0, -100))


@pytest.mark.parametrize(
    ("rule", "pixels"),
    [(OutlineRule.INSIDE, 3 * 4), (OutlineRule.OUTLINE, 5 * 6), (OutlineRule.CENTRE, 4 * 5)],
)
def test_a_square_has_the_pixels_that_the_rule_says(rule, pixels):
    assert fill_polygon(SQUARE, (12, 12), rule).sum() == pixels


def test_neighbours_that_share_a_line_share_no_pixel_and_leave_none_out():
    other = np.add(SQUARE, (4, 0))
    first, second = (fill_polygon(points, (12, 12), OutlineRule.CENTRE) for points in (SQUARE, other))
    assert not (first & second).any()
    both = np.array([(2, 3), (10, 3), (10, 8), (2, 8)], dtype=float)
    assert_array_equal(first | second, fill_polygon(both, (12, 12), OutlineRule.CENTRE))


polygons = st.lists(st.tuples(st.floats(-3, 23), st.floats(-3, 23)), min_size=3, max_size=9, unique=True)


@given(polygons)
def test_centres_are_found_as_matplotlib_finds_them_away_from_the_line(points):
    points_xy = np.array(points)
    rows, columns = np.indices((20, 20))
    centres = np.stack([columns.ravel(), rows.ravel()], axis=1)
    found = fill_polygon(points_xy, (20, 20), OutlineRule.CENTRE)
    closed = Polygon(np.vstack([points_xy, points_xy[:1]]))
    crossings = _even_odd(points_xy, centres).reshape(20, 20)
    near = _distance_to_line(points_xy, centres).reshape(20, 20) < 1e-6
    assert_array_equal(found[~near], crossings[~near])
    simple = closed.contains_points(centres).reshape(20, 20)
    assert not (found & ~near & ~simple).any(), "even-odd never goes outside of the non-zero winding"


def _even_odd(polygon, points):
    """A ray per point, edge by edge, in plain Python."""
    inside = np.zeros(len(points), dtype=bool)
    for n, (x, y) in enumerate(points):
        for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            if (y0 <= y) != (y1 <= y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
                inside[n] = not inside[n]
    return inside


def _distance_to_line(polygon, points):
    distances = []
    for start, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        along = end - start
        share = np.clip((points - start) @ along / max(along @ along, 1e-30), 0, 1)
        distances.append(np.linalg.norm(points - start - share[:, None] * along, axis=1))
    return np.min(distances, axis=0)


lattice = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), min_size=1, max_size=9)


@given(lattice)
def test_inside_and_outline_differ_by_the_pixels_on_the_line(points):
    points_xy = np.array(points, dtype=float)
    inside, centre, outline = (fill_polygon(points_xy, (20, 20), rule) for rule in RULES)
    rows, columns = np.indices((20, 20))
    centres = np.stack([columns.ravel(), rows.ravel()], axis=1)
    on_line = (_distance_to_line(points_xy, centres) < 1e-9).reshape(20, 20)
    assert_array_equal(inside, centre & ~on_line)
    assert_array_equal(outline, centre | on_line)


def test_a_circle_has_its_area():
    angles = np.linspace(0, 2 * math.pi, 400, endpoint=False)
    circle = np.stack([50.3 + 30 * np.cos(angles), 49.6 + 30 * np.sin(angles)], axis=1)
    assert fill_polygon(circle, (100, 100), OutlineRule.CENTRE).sum() == pytest.approx(math.pi * 900, rel=0.005)


def test_outlines_land_on_their_slice_are_joined_and_cut_by_holes():
    hole = Outline([(3, 4), (5, 4), (5, 7), (3, 7)], z_mm=-97.5, is_hole=True)
    second = Outline(np.add(SQUARE, (8, 0)), z_mm=-97.5)
    first = Outline(SQUARE, z_mm=-97.5)
    mask = mask_from_outlines([hole, first, second], GRID)
    assert mask.select("nodule").any(axis=(1, 2)).tolist() == [False, True, False, False]
    assert mask.select(1).sum() == 2 * 3 * 4 - 3 * 4, "INSIDE: a hole takes its line with it"
    with_lines = rasterise([first, second, hole], GRID, OutlineRule.OUTLINE)
    assert with_lines.sum() == 2 * 5 * 6 - 1 * 2, "OUTLINE: the line of a hole stays in"


def test_slices_are_found_in_either_direction_and_missed_loudly():
    assert slice_indices([-92.6, -100], GRID) == [3, 0]
    upside_down = Geometry((4, 20, 20), GRID.affine_lps @ np.diag([1, 1, -1, 1]))
    assert slice_indices([-100, -107.5], upside_down) == [0, 3]
    with pytest.raises(GeometryError, match=r"z -80 mm.*span -100 to -92\.5"):
        rasterise([Outline(SQUARE, z_mm=-80)], GRID)
    coronal = Geometry((4, 20, 20), np.array(GRID.affine_lps)[:, [0, 2, 1, 3]])
    with pytest.raises(GeometryError, match="axial"):
        slice_indices([0], coronal)
