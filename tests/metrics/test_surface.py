"""Surface figures: geometry that is known, laws, brute force, and what three packages say."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist

from hilum.core import GeometryError
from hilum.metrics.surface import (
    SurfaceDistances,
    SurfaceRule,
    average_surface_distance_mm,
    hausdorff_mm,
    robust_surface_distance_mm,
    surface_dice,
    surface_distances,
)
from hilum.metrics.surface_points import nearest_by_transform, nearest_by_tree, nearest_mm, surface_points
from tests.metrics.masks import ball, degenerate_pairs, mask_pairs, random_pairs, spacings

PLANE_MM, SPACE_MM = (0.7, 1.3), (2.5, 0.7, 0.8)
CASES = [
    *((pair, PLANE_MM) for pair in random_pairs(1, (17, 13), 12)),
    *((pair, SPACE_MM) for pair in random_pairs(2, (6, 9, 8), 12)),
    *((pair, PLANE_MM) for pair in degenerate_pairs((6, 7)).values()),
    *((pair, SPACE_MM) for pair in degenerate_pairs((5, 6, 7)).values()),
    (((ball((9, 40, 40), (4, 15, 15), 12, SPACE_MM)), ball((9, 40, 40), (5, 18, 14), 10, SPACE_MM)), SPACE_MM),
]
FIGURES = {
    "hausdorff": hausdorff_mm,
    "hd95": lambda distances: hausdorff_mm(distances, 95),
    "average": average_surface_distance_mm,
    "robust": robust_surface_distance_mm,
    "surface Dice": lambda distances: surface_dice(distances, 1.0),
}


def all_figures(pred, truth, spacing_mm, rule=SurfaceRule.ELEMENTS):
    distances = surface_distances(pred, truth, spacing_mm, rule)
    return [figure(distances) for figure in FIGURES.values()]


# --- other packages ---


def deepmind(pred, truth, spacing_mm):
    """What the surface-distance package says; it uses names that SciPy has deprecated."""
    import surface_distance

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return surface_distance, surface_distance.compute_surface_distances(truth, pred, spacing_mm)


@pytest.mark.parametrize(("pair", "spacing_mm"), CASES)
def test_surface_elements_are_those_of_surface_distance(pair, spacing_mm):
    package, theirs = deepmind(*pair, spacing_mm)
    ours = surface_distances(*pair, spacing_mm)
    assert_allclose(np.sort(ours.pred_mm), theirs["distances_pred_to_gt"], atol=1e-9)
    assert_allclose(np.sort(ours.truth_mm), theirs["distances_gt_to_pred"], atol=1e-9)
    assert_allclose(ours.directed_average_mm[::-1], package.compute_average_surface_distance(theirs), atol=1e-9)
    for percent in (50, 95, 100):
        assert hausdorff_mm(ours, percent) == pytest.approx(package.compute_robust_hausdorff(theirs, percent), abs=1e-6)
    for tolerance_mm in (0.0, 0.99, 1.01, 2.2, 5.1):
        their_dice = package.compute_surface_dice_at_tolerance(theirs, tolerance_mm)
        assert surface_dice(ours, tolerance_mm) == pytest.approx(their_dice, abs=1e-6)


@pytest.mark.parametrize(("pair", "spacing_mm"), CASES)
def test_boundary_voxels_are_monais(pair, spacing_mm):
    import torch
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance, compute_surface_dice

    ours = surface_distances(*pair, spacing_mm, SurfaceRule.VOXELS)
    theirs = [torch.as_tensor(mask[None, None].astype(np.float32)) for mask in pair]
    common = {"include_background": True, "spacing": spacing_mm}
    with warnings.catch_warnings():
        for kind in (UserWarning, FutureWarning):
            warnings.simplefilter("ignore", kind)
        hausdorff = compute_hausdorff_distance(*theirs, **common).item()
        average = compute_average_surface_distance(*theirs, symmetric=True, **common).item()
        dice = compute_surface_dice(*theirs, [1.01], **common).item()
    assert hausdorff_mm(ours) == pytest.approx(hausdorff, abs=1e-5)
    assert average_surface_distance_mm(ours) == pytest.approx(average, abs=1e-5)
    assert surface_dice(ours, 1.01) == pytest.approx(dice, abs=1e-6)


@pytest.mark.parametrize(("pair", "spacing_mm"), CASES)
def test_a_percentile_lies_between_the_distances_that_numpy_interpolates_between(pair, spacing_mm):
    ours = surface_distances(*pair, spacing_mm, SurfaceRule.VOXELS)
    directions = (ours.pred_mm, ours.truth_mm)
    for method, is_right in (("lower", np.less_equal), ("higher", np.greater_equal)):
        bound = max(np.percentile(one, 95, method=method) for one in directions)
        assert is_right(bound - 1e-9 if method == "lower" else bound + 1e-9, hausdorff_mm(ours, 95))


@pytest.mark.parametrize(("pair", "spacing_mm"), CASES)
def test_boundary_voxels_are_simpleitks_contour(pair, spacing_mm):
    import SimpleITK as sitk

    images = [sitk.GetImageFromArray(np.pad(mask, 1).astype(np.uint8)) for mask in pair]
    contours = []
    for image in images:
        image.SetSpacing(spacing_mm[::-1])
        contours.append(sitk.LabelContour(image, fullyConnected=False))
    found = []
    for start, end in (contours, contours[::-1]):
        to_end = sitk.Abs(sitk.SignedMaurerDistanceMap(end, squaredDistance=False, useImageSpacing=True))
        found.append(sitk.GetArrayFromImage(to_end)[sitk.GetArrayFromImage(start) > 0])
    ours = surface_distances(*pair, spacing_mm, SurfaceRule.VOXELS)
    assert_allclose(np.sort(ours.pred_mm), np.sort(found[0]), atol=1e-5)
    assert_allclose(np.sort(ours.truth_mm), np.sort(found[1]), atol=1e-5)


def simpleitk_hausdorff(pred, truth):
    import SimpleITK as sitk

    measure = sitk.HausdorffDistanceImageFilter()
    measure.Execute(*(sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in (pred, truth)))
    return measure.GetHausdorffDistance()


def test_between_solid_bodies_hausdorff_is_simpleitks():
    shape = (20, 24, 26)
    for centre, radius in (((9, 10, 11), 5), ((10, 12, 14), 8), ((6, 6, 6), 3)):
        pair = ball(shape, (10, 11, 12), 6), ball(shape, centre, radius)
        ours = hausdorff_mm(surface_distances(*pair, (1, 1, 1), SurfaceRule.VOXELS))
        assert ours == pytest.approx(simpleitk_hausdorff(*pair), abs=1e-5)


def test_a_disk_in_its_ring_is_where_simpleitk_means_something_else():
    disk = ball((31, 31), (15, 15), 10)
    ring = ball((31, 31), (15, 15), 12) & ~disk
    assert simpleitk_hausdorff(disk, ring) > 10
    assert hausdorff_mm(surface_distances(disk, ring, (1, 1), SurfaceRule.VOXELS)) < 3


# --- brute force ---


def plain_nearest_mm(start, end, spacing):
    """The slow twin: every point against every other."""
    return cdist(start * spacing, end * spacing).min(axis=1)


@given(st.data(), st.sampled_from(SurfaceRule))
def test_distances_are_those_of_all_pairs_of_points(data, rule):
    pred, truth = data.draw(mask_pairs())
    spacing = np.array(data.draw(spacings(pred.ndim)))
    (start, _), (end, _) = (surface_points(mask, spacing, rule) for mask in (pred, truth))
    if len(start) and len(end):
        plain = plain_nearest_mm(start, end, spacing)
        assert_allclose(surface_distances(pred, truth, spacing, rule).pred_mm, plain, atol=1e-9)
        for nearest in (nearest_by_tree, nearest_by_transform):
            found = np.linalg.norm((start - nearest(start, end, spacing)) * spacing, axis=1)
            assert_allclose(found, plain, atol=1e-9)


@pytest.mark.parametrize("spacing", [(1, 1, 1), SPACE_MM])
@pytest.mark.parametrize("centre", [(21, 21, 21), (21, 22, 28)])
def test_far_and_near_points_of_large_surfaces_alike(centre, spacing):
    """A ball inside a ball, in its middle (all points far: the tree leaves them to the transform) and at its edge."""
    spacing = np.array(spacing, dtype=float)
    inner, _ = surface_points(ball((43, 43, 43), centre, 10), spacing, SurfaceRule.ELEMENTS)
    outer, _ = surface_points(ball((43, 43, 43), (21, 21, 21), 20), spacing, SurfaceRule.ELEMENTS)
    plain = plain_nearest_mm(inner, outer, spacing)
    assert_allclose(nearest_mm(inner, outer, spacing), plain, atol=1e-9)
    by_tree = np.linalg.norm((inner - nearest_by_tree(inner, outer, spacing)) * spacing, axis=1)
    assert_allclose(by_tree, plain, atol=1e-9)


def test_two_specks_far_apart_are_found_without_the_box_between_them():
    spacing, end = np.ones(3), np.array([[0, 0, 0], [0, 0, 7]])
    assert_allclose(nearest_mm(np.array([[0, 0, 4000]]), end, spacing), [3993])


# --- geometry ---


def test_a_shifted_ball_is_its_shift_away():
    radius, shift = 30, 12
    pair = (ball((70, 70, 80), (35, 35, 33 + move), radius) for move in (0, shift))
    distances = surface_distances(*pair, (0.5, 0.5, 0.5))
    assert hausdorff_mm(distances) == pytest.approx(shift * 0.5)
    # From a point of one sphere to the other's centre by the law of cosines; cos is uniform over a sphere.
    cos = np.linspace(-1, 1, 10_001)
    from_centre = np.sqrt(radius**2 + shift**2 + 2 * radius * shift * cos)
    expected_mm = 0.5 * np.abs(from_centre - radius).mean()
    # The layer of surface points is a step thick, so the nearest one is up to half a step nearer than the sphere.
    assert average_surface_distance_mm(distances) == pytest.approx(expected_mm, abs=0.3)


@pytest.mark.parametrize("ndim", [2, 3])
def test_concentric_balls_are_a_radius_apart(ndim):
    pair = (ball((81,) * ndim, (40,) * ndim, radius) for radius in (30, 20))
    distances = surface_distances(*pair, (0.4,) * ndim)
    for percent in (5, 50, 100):
        assert hausdorff_mm(distances, percent) == pytest.approx(4, abs=0.5)
    assert surface_dice(distances, 5) == 1
    assert surface_dice(distances, 3) == 0


def test_area_and_length_of_a_box():
    """Marching cubes bevels: each face's outermost half step, each edge and each corner is cut off."""
    box = np.zeros((9, 10, 11), dtype=bool)
    box[2:6, 3:8, 4:10] = True
    _, area = surface_points(box, np.ones(3), SurfaceRule.ELEMENTS)
    faces = 2 * (3 * 4 + 3 * 5 + 4 * 5)
    edges = 4 * (3 + 4 + 5) * math.sqrt(0.5)
    corners = 8 * math.sqrt(3) / 8
    assert area.sum() == pytest.approx(faces + edges + corners)
    _, length = surface_points(box[3], np.array([0.5, 2.0]), SurfaceRule.ELEMENTS)
    assert length.sum() == pytest.approx(2 * (4 * 0.5 + 5 * 2.0) + 4 * math.hypot(0.5, 2) / 2)


def test_figures_weigh_area_not_points():
    """A tenth of the prediction's area is 10 mm off; that it is one point of two doesn't matter."""
    distances = SurfaceDistances(np.array([0.0, 10.0]), np.array([9.0, 1.0]), np.zeros(1), np.array([10.0]))
    assert [hausdorff_mm(distances, percent) for percent in (50, 90, 91, 100)] == [0, 0, 10, 10]
    assert [robust_surface_distance_mm(distances, percent) for percent in (91, 95, 96)] == [0, 0, 10]
    assert average_surface_distance_mm(distances) == pytest.approx(0.5)
    assert distances.directed_average_mm == pytest.approx((1, 0))
    assert surface_dice(distances, 1) == pytest.approx(0.95)


# --- laws ---


@given(st.data())
def test_symmetry_bounds_and_order(data):
    pred, truth = data.draw(mask_pairs())
    spacing = data.draw(spacings(pred.ndim))
    there, back = all_figures(pred, truth, spacing), all_figures(truth, pred, spacing)
    assert_allclose(there, back, equal_nan=True)
    hausdorff, hd95, average, robust, dice = there
    if pred.any() and truth.any():
        assert 0 <= robust <= hd95 <= hausdorff
        assert 0 <= average <= hausdorff
        assert 0 <= dice <= 1
        assert hausdorff <= np.linalg.norm(np.multiply(pred.shape, spacing))


@given(st.data(), st.sampled_from(SurfaceRule))
def test_padding_flips_and_the_order_of_axes_change_nothing(data, rule):
    pred, truth = data.draw(mask_pairs())
    spacing = data.draw(spacings(pred.ndim))
    plain = all_figures(pred, truth, spacing, rule)
    axes = data.draw(st.permutations(range(pred.ndim)))
    turned = [np.flip(np.pad(mask, 2).transpose(axes), 0) for mask in (pred, truth)]
    assert_allclose(all_figures(*turned, [spacing[axis] for axis in axes], rule), plain, equal_nan=True, atol=1e-9)


@given(st.data(), st.floats(0.1, 10))
def test_millimetres_grow_with_the_spacing(data, factor):
    pred, truth = data.draw(mask_pairs())
    spacing = np.array(data.draw(spacings(pred.ndim)))
    plain, scaled = (surface_distances(pred, truth, step) for step in (spacing, spacing * factor))
    for figure in (hausdorff_mm, average_surface_distance_mm, robust_surface_distance_mm):
        assert figure(scaled) == pytest.approx(factor * figure(plain), nan_ok=True)
    dices = surface_dice(scaled, 0.6 * factor), surface_dice(plain, 0.6)
    assert dices[0] == pytest.approx(dices[1], nan_ok=True)


@given(mask_pairs(axes=2), st.lists(st.floats(0, 12), min_size=2, max_size=5))
def test_a_wider_tolerance_and_a_higher_percentile_never_lower(pair, values):
    distances = surface_distances(*pair, (1, 1))
    if distances.defined:
        values = sorted(values)
        assert (np.diff([surface_dice(distances, value) for value in values]) >= 0).all()
        assert (np.diff([hausdorff_mm(distances, 8 * value) for value in values]) >= 0).all()
        assert surface_dice(distances, hausdorff_mm(distances)) == pytest.approx(1)


@given(mask_pairs())
def test_a_mask_is_no_distance_from_itself(pair):
    if pair[0].any():
        assert_allclose(all_figures(pair[0], pair[0], (1.0,) * pair[0].ndim), [0, 0, 0, 0, 1])


def test_three_steps_of_a_tenth_are_within_three_tenths():
    """3 × .1 is above .3 in floating point."""
    one, other = np.zeros((2, 9, 9), dtype=bool)
    one[4, 2], other[4, 5] = True, True
    assert surface_dice(surface_distances(one, other, (0.1, 0.1)), 0.3) == 1


# --- emptiness and bad input ---


@pytest.mark.parametrize("shape", [(5, 6), (4, 5, 6)])
@pytest.mark.parametrize("rule", SurfaceRule)
def test_a_distance_from_nothing_is_undefined_and_surface_dice_says_missed(shape, rule):
    nothing, something = np.zeros(shape, dtype=bool), np.ones(shape, dtype=bool)
    for pair in ((nothing, something), (something, nothing)):
        assert np.isnan(all_figures(*pair, (1.0,) * len(shape), rule)[:4]).all()
        distances = surface_distances(*pair, (1.0,) * len(shape), rule)
        assert surface_dice(distances, 100, if_both_empty=1) == 0
        assert np.isnan(distances.directed_average_mm).all()
    assert np.isnan(all_figures(nothing, nothing, (1.0,) * len(shape), rule)).all()
    both_empty = surface_distances(nothing, nothing, (1.0,) * len(shape), rule)
    assert surface_dice(both_empty, 1, if_both_empty=1) == 1


@pytest.mark.parametrize(
    ("shape", "spacing_mm"),
    [((4, 4), (1, 1, 1)), ((4, 4), (1, 0)), ((4, 4), (1, math.nan)), ((4,), (1,)), ((4, 4, 4, 4), (1, 1, 1, 1))],
)
def test_a_spacing_that_doesn_t_fit_is_refused(shape, spacing_mm):
    mask = np.ones(shape, dtype=bool)
    with pytest.raises(GeometryError, match="spacing"):
        surface_distances(mask, mask, spacing_mm)
