"""RT structure sets: a voxel is in when its centre is."""

import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hilum.core import Geometry, GeometryError, UnsupportedError
from hilum.io.dicom import describe_dicom, read_rtstruct
from tests.io.dicom.build import FRAME_UID, write_rtstruct

GRID = Geometry((5, 60, 70), Geometry.regular((1, 1, 1), (2.5, 0.8, 0.7), (-20, -25, 100)).affine_lps, FRAME_UID)


def circle(radius_mm: float, k: int, geometry: Geometry = GRID, count: int = 400) -> np.ndarray:
    """A contour in the plane of slice k, round in the slice's own millimetres."""
    turn = np.linspace(0, 2 * math.pi, count, endpoint=False)
    _, dy, dx = geometry.spacing_zyx_mm
    index = np.stack([np.full(count, k), 30 + radius_mm * np.sin(turn) / dy, 35 + radius_mm * np.cos(turn) / dx], -1)
    return geometry.to_lps_mm(index)


def area_mm2(mask, k: int) -> float:
    _, dy, dx = GRID.spacing_zyx_mm
    return mask.labels[k].sum() * dy * dx


def test_a_disc_has_its_area_and_lies_on_its_slice(tmp_path):
    mask = read_rtstruct(write_rtstruct(tmp_path / "rs", {"GTV": [circle(15, 2)]}), GRID)["GTV"]
    assert area_mm2(mask, 2) == pytest.approx(math.pi * 15**2, rel=0.01)
    assert mask.labels.sum() == mask.labels[2].sum()
    assert dict(mask.names) == {1: "GTV"}


def test_a_contour_within_another_cuts_a_hole(tmp_path):
    path = write_rtstruct(tmp_path / "rs", {"ring": [circle(15, 1), circle(6, 1)]})
    assert area_mm2(read_rtstruct(path, GRID)["ring"], 1) == pytest.approx(math.pi * (15**2 - 6**2), rel=0.02)


def test_tilted_and_oblique_grids_take_contours_on_their_own_slices(tmp_path):
    affine = np.array(GRID.affine_lps)
    turn = np.array([[math.cos(0.4), -math.sin(0.4), 0], [math.sin(0.4), math.cos(0.4), 0], [0, 0, 1]])
    affine[:3, :3] = turn @ affine[:3, :3]
    affine[1, 2] += 0.6
    tilted = Geometry(GRID.shape_zyx, affine, FRAME_UID)
    upright = read_rtstruct(write_rtstruct(tmp_path / "a", {"x": [circle(10.03, 3)]}), GRID)["x"]
    turned = read_rtstruct(write_rtstruct(tmp_path / "b", {"x": [circle(10.03, 3, tilted)]}), tilted)["x"]
    assert_array_equal(upright.labels, turned.labels)


def test_points_are_passed_over_and_names_are_told_apart(tmp_path):
    path = write_rtstruct(tmp_path / "rs", {"GTV": [circle(5, 2)], "isocentre": [np.zeros((1, 3))]})
    assert list(read_rtstruct(path, GRID)) == ["GTV"]
    assert describe_dicom(path)[0].summary.endswith("2 structures: GTV (1 contour), isocentre (0 contours)")
    assert "'isocentre' has no closed contour" in describe_dicom(path)[0].odd
    only = write_rtstruct(tmp_path / "points", {"isocentre": [np.zeros((1, 3))]})
    with pytest.raises(UnsupportedError, match="no closed contour"):
        read_rtstruct(only, GRID)


def test_contours_of_another_image_are_refused(tmp_path):
    other_frame = write_rtstruct(tmp_path / "a", {"GTV": [circle(5, 2)]}, frame_uid="1.2.3.4.5")
    with pytest.raises(GeometryError, match="frame of reference"):
        read_rtstruct(other_frame, GRID)
    nameless = Geometry(GRID.shape_zyx, GRID.affine_lps)
    assert read_rtstruct(other_frame, nameless)["GTV"].labels.any()
    across = circle(5, 2) + np.linspace(0, 2, 400)[:, None] * (0, 0, 1)
    outside = circle(5, 9)
    for n, points in enumerate((across, outside)):
        with pytest.raises(GeometryError, match="lies across slices"):
            read_rtstruct(write_rtstruct(tmp_path / f"b{n}", {"GTV": [points]}), GRID)


def test_contours_between_slices_go_to_the_nearest_one_each_and_finer_ones_are_refused(tmp_path):
    halfway = [circle(6, k) + np.array([0, 0, 1.25]) for k in range(3)]
    mask = read_rtstruct(write_rtstruct(tmp_path / "a", {"GTV": halfway}), GRID)["GTV"]
    assert [int(k) for k in np.flatnonzero(mask.labels.any(axis=(1, 2)))] == [1, 2, 3]
    finer = [circle(6, 2), circle(6, 2) + np.array([0, 0, 1])]
    with pytest.raises(GeometryError, match="several planes"):
        read_rtstruct(write_rtstruct(tmp_path / "b", {"GTV": finer}), GRID)
