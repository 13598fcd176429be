"""Lesions: components against scikit-image, assignments against every possible one."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage import measure

from hilum.core import Geometry, GeometryError, MeasureError
from hilum.metrics.lesions import (
    Assignment,
    Connectivity,
    Criterion,
    LesionCounts,
    MatchRule,
    assign,
    components,
    count,
    count_by_size,
    intersections,
    match_components,
    match_points,
    reach_of,
    total,
)
from tests.shapes import ellipsoid

masks_2d = arrays(bool, (9, 11))
masks_3d = arrays(bool, (4, 5, 6))
tables = st.tuples(st.integers(0, 5), st.integers(0, 5)).flatmap(
    lambda shape: st.tuples(
        arrays(bool, shape), arrays(np.float64, shape, elements=st.integers(0, 8).map(lambda n: n / 8))
    )
)


def drawn(*rows):
    """A mask from text: # is in."""
    return np.array([[character == "#" for character in row] for row in rows])


@given(st.one_of(masks_2d, masks_3d), st.sampled_from(Connectivity))
def test_components_are_scikit_images(mask, connectivity):
    found = components(mask, connectivity)
    theirs = measure.label(mask, connectivity=1 if connectivity is Connectivity.FACES else mask.ndim)
    assert found.count == theirs.max()
    pairs = {(int(a), int(b)) for a, b in zip(found.labels.ravel(), theirs.ravel(), strict=True)}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})  # the same parts, however numbered
    for region in measure.regionprops(found.labels):
        assert found.sizes[region.label - 1] == region.area
        np.testing.assert_allclose(found.centroids[region.label - 1], region.centroid)


def test_corners_join_and_faces_dont():
    diagonal = np.eye(3, dtype=bool)
    assert components(diagonal).count == 1
    assert components(diagonal, Connectivity.FACES).count == 3


def test_a_size_is_the_diameter_of_the_disc_or_ball():
    grid = Geometry.regular((20, 40, 40), (1.0, 0.5, 0.5))
    sphere = ellipsoid(grid, centre_mm=(9.7, 10.1, 9.6), radii_mm=6.0)
    (diameter,) = components(sphere).diameters_mm(grid.spacing_zyx_mm)
    assert diameter == pytest.approx(12, rel=0.02)
    y, x = np.mgrid[-20:21, -40:41]
    disc = (y * 1.0) ** 2 + (x * 0.5) ** 2 <= 15**2
    assert components(disc).diameters_mm((1.0, 0.5))[0] == pytest.approx(30, rel=0.02)
    with pytest.raises(GeometryError, match="2D mask has 2"):
        components(disc).diameters_mm((1.0, 1.0, 1.0))


@given(masks_2d, masks_2d)
def test_intersections_count_pixels(one, other):
    a, b = components(one), components(other)
    table = intersections(a, b)
    assert table.shape == (a.count, b.count)
    assert table.sum() == (one & other).sum()
    for p in range(a.count):
        for t in range(b.count):
            assert table[p, t] == ((a.labels == p + 1) & (b.labels == t + 1)).sum()


TRUTH = drawn("##......", "##....#.", "........", "...###..", "...#.#..", "...###..")


@pytest.mark.parametrize(
    ("criterion", "prediction", "found"),
    [
        (Criterion.OVERLAP, drawn("........", ".####...", "........", "........", "........", "........"), [1, 0, 0]),
        (Criterion.IOU, drawn("###.....", "###.....", "........", "........", "........", "........"), [1, 0, 0]),
        (Criterion.IOU, drawn("#####...", "#####...", "........", "........", "........", "........"), [0, 0, 0]),
        # the ring's centre is not in the ring, so a prediction there hits by the true centroid only
        (Criterion.PREDICTED_CENTROID, drawn(*["........"] * 3, "........", "....#...", "........"), [0, 0, 0]),
        (Criterion.TRUE_CENTROID, drawn(*["........"] * 3, "........", "....#...", "........"), [0, 0, 1]),
        (Criterion.PREDICTED_CENTROID, drawn(*["........"] * 3, "...#....", "........", "........"), [0, 0, 1]),
        (Criterion.TRUE_CENTROID, drawn(*["........"] * 3, "...#....", "........", "........"), [0, 0, 0]),
    ],
)
def test_criteria_by_hand(criterion, prediction, found):
    rule = MatchRule(criterion, least_iou=0.5)
    matches = match_components(components(prediction), components(TRUTH), rule)
    assert matches.is_found.tolist() == [bool(n) for n in found]
    assert matches.is_false.sum() == (not any(found))


def test_two_predictions_on_one_lesion_and_one_on_two():
    truth, prediction = drawn("####..##.##"), drawn("#.##..#####")
    expected = {  # found, missed, false
        Assignment.MANY_TO_ONE: (3, 0, 0),
        Assignment.GREEDY: (2, 1, 1),
        Assignment.OPTIMAL: (2, 1, 1),
    }
    for assignment, (found, missed, false) in expected.items():
        matches = match_components(components(prediction), components(truth), MatchRule(assignment=assignment))
        assert count(matches) == LesionCounts(found, missed, false, 1)


def test_greedy_and_optimal_differ_where_the_best_pair_blocks_two():
    meets = np.array([[True, True], [True, False]])
    worth = np.array([[0.9, 0.3], [0.8, 0.0]])
    assert assign(meets, worth, Assignment.GREEDY).found_by.tolist() == [0, -1]
    assert assign(meets, worth, Assignment.OPTIMAL).found_by.tolist() == [1, 0]
    poor = np.array([[0.9, 0.1], [0.1, 0.0]])
    assert assign(meets, poor, Assignment.OPTIMAL).found_by.tolist() == [1, 0]  # two poor pairs before one good one


@given(tables)
def test_optimal_is_the_best_of_all_assignments(table):
    meets, worth = table
    rows, columns = meets.shape
    matches = assign(meets, worth, Assignment.OPTIMAL)
    taken = [(int(p), t) for t, p in enumerate(matches.found_by) if p >= 0]
    assert all(meets[pair] for pair in taken)
    assert len({p for p, _ in taken}) == len(taken)
    size = max(rows, columns)
    best = (0, 0.0)
    for order in permutations(range(size), rows):
        pairs = [(p, t) for p, t in enumerate(order) if t < columns and meets[p, t]]
        best = max(best, (len(pairs), sum(worth[pair] for pair in pairs)))
    assert (len(taken), sum(worth[pair] for pair in taken)) == pytest.approx(best)


@given(tables)
def test_assignments_are_ordered(table):
    """One-to-one finds no more than many-to-one and calls no less false; optimal finds at least what greedy does."""
    many, greedy, optimal = (count(assign(*table, assignment)) for assignment in Assignment)
    assert greedy.found <= optimal.found <= many.found
    assert greedy.false >= optimal.false >= many.false
    for one in (many, greedy, optimal):
        assert one.found + one.missed == table[0].shape[1]


@given(masks_2d)
def test_the_truth_finds_itself(mask):
    found = components(mask)
    for criterion in (Criterion.OVERLAP, Criterion.IOU):
        for assignment in Assignment:
            matches = match_components(found, found, MatchRule(criterion, assignment, least_iou=1.0))
            assert matches.found_by.tolist() == list(range(found.count))
            assert not matches.is_false.any()


def test_nothing_predicted_and_nothing_there():
    empty, full = components(np.zeros((4, 4), bool)), components(np.ones((4, 4), bool))
    for assignment in Assignment:
        rule = MatchRule(assignment=assignment)
        assert count(match_components(empty, full, rule)) == LesionCounts(0, 1, 0, 1)
        assert count(match_components(full, empty, rule)) == LesionCounts(0, 0, 1, 1)
        assert count(match_components(empty, empty, rule)) == LesionCounts(0, 0, 0, 1)


def test_sums_over_images():
    together = total([LesionCounts(2, 1, 3, 1), LesionCounts(0, 1, 0, 1), LesionCounts(0, 0, 2, 1)])
    assert together.lesion_sensitivity == 0.5
    assert together.false_positives_per_image == pytest.approx(5 / 3)
    assert np.isnan(total([]).lesion_sensitivity)
    assert np.isnan(total([]).false_positives_per_image)


def test_sizes_add_up_to_the_whole():
    matches = match_components(components(drawn("#..##..#")), components(drawn("#..#..##")))
    bands = count_by_size(matches, [7.9, 8.0, 15.0], [3.0, 20.0, 8.0], (8, 15))
    assert [(one.found, one.missed, one.false) for one in bands] == [(1, 0, 0), (1, 0, 0), (1, 0, 0)]
    missed = match_components(components(drawn("..#.....")), components(drawn("#..#..##")))
    bands = count_by_size(missed, [7.9, 8.0, 15.0], [16.0], (8, 15))
    assert [(one.found, one.missed, one.false) for one in bands] == [(0, 1, 0), (0, 1, 0), (0, 1, 1)]


def test_a_point_hits_strictly_within_its_reach():
    points = [(10.0, 0.0), (4.9, 0.0), (100.0, 0.0)]
    by_radius = match_points(points, [(0.0, 0.0)], reach_of([10.0]))
    assert by_radius.found_by.tolist() == [1]
    assert by_radius.is_false.tolist() == [True, False, True]
    tolerant = match_points(points, [(0.0, 0.0)], reach_of([10.0], tolerance_mm=10.1))
    assert tolerant.found_by.tolist() == [1]  # the closer one stands for it
    assert tolerant.is_false.tolist() == [False, False, True]
    assert match_points([(5.0, 0.0)], [(0.0, 0.0)], 5.0).is_false.tolist() == [True]
    assert match_points(np.zeros((0, 2)), [(0.0, 0.0)], 5.0).found_by.tolist() == [-1]
    with pytest.raises(MeasureError, match="positive"):
        match_points(points, [(0.0, 0.0)], 0.0)


def test_masks_of_other_shapes_and_thresholds_out_of_range_are_refused():
    with pytest.raises(GeometryError, match="resample"):
        match_components(components(np.ones((3, 3), bool)), components(np.ones((3, 4), bool)))
    with pytest.raises(GeometryError, match="shape"):
        components(np.ones(3, bool))
    with pytest.raises(MeasureError, match="above 0"):
        MatchRule(least_iou=0.0)
