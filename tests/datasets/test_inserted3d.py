"""Nodules put into another CT: what physics says of them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import ndimage

from hilum.core import Geometry, Mask, Nodule, Volume
from hilum.datasets.ct_appearance import Appearance, noise_hu
from hilum.datasets.inserted3d import (
    CUBE_SLICE_MM,
    SCALES,
    Turn,
    cut_out,
    insert,
    without_wall,
)
from hilum.measure import centroid_lps_mm, volume_mm3

LUNG, TISSUE = -850.0, 40.0
PLAIN = Appearance(math.nan, 0.0, np.ones((1, 1, 1), np.float32), True)
GRIDS = {"thin": (1.0, 0.7, 0.7), "2.5": (2.5, 0.7, 0.7), "5": (5.0, 0.85, 0.85)}
PLACE = (1.3, -2.1, 0.7)


def cube(radii=(6.0, 6.0, 6.0), noise=0.0, size=51, seed=0):
    """An ellipsoid of tissue in lung, blurred as a cube is; its mask ends where a reader's line would."""
    grid = Geometry.regular((size,) * 3, (1.0, 1.0, 1.0), (-(size - 1) / 2,) * 3)
    away = np.moveaxis(np.indices((size,) * 3), 0, -1) - (size - 1) / 2
    inside = ((away / np.array(radii)) ** 2).sum(axis=-1) <= 1
    outlined = ((away / (np.array(radii) + 1)) ** 2).sum(axis=-1) <= 1  # a reader's line, the pixels under it in
    hu = LUNG + (TISSUE - LUNG) * ndimage.gaussian_filter(inside.astype(float), 0.7)
    hu += np.random.default_rng(seed).normal(0, noise, hu.shape) if noise else 0
    return cut_out(Volume(hu.astype(np.float32), grid), Mask.of(outlined, grid), "LIDC-IDRI-0002", Nodule("n"))


def lung(steps, level=LUNG, noise=0.0, size_mm=64):
    shape = tuple(round(size_mm / step) for step in steps)
    origin = tuple(-(n - 1) / 2 * step for n, step in zip(shape, steps, strict=True))[::-1]
    hu = np.full(shape, level) + (np.random.default_rng(1).normal(0, noise, shape) if noise else 0)
    return Volume(np.rint(hu).astype(np.int16), Geometry.regular(shape, steps, origin))


UNTURNED = Turn()


def put(ct, cut, turn=UNTURNED, place=PLACE, looks=PLAIN):
    """The block, the whole CT with it, and what `insert` gave."""
    done = insert(ct, looks, cut, turn, place, np.random.default_rng(3))
    array = ct.array.copy()
    where = tuple(slice(a, a + n) for a, n in zip(done.start_kji, done.block.geometry.shape_zyx, strict=True))
    array[where] = done.block.array
    return array, where, done


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("radii", [(7.0, 6.0, 5.0), (2.0, 2.0, 2.0)], ids=["large", "small"])
@pytest.mark.parametrize("scale", [SCALES[0], 1.0, SCALES[1]])
def test_the_mask_has_the_nodule_s_volume_and_place(name, radii, scale):
    cut, ct = cube(radii), lung(GRIDS[name])
    _, _, done = put(ct, cut, Turn(quarters=1, mirrored=(True, False, True), scale=scale))
    selection, grid = done.mask.labels > 0, done.mask.require_geometry()
    voxel = grid.voxel_mm3
    assert volume_mm3(selection, grid) == pytest.approx(cut.volume_mm3 * scale**3, abs=0.51 * voxel)
    assert np.abs(np.subtract(centroid_lps_mm(selection, grid), PLACE)).max() < 0.3 * max(GRIDS[name])


@pytest.mark.parametrize("name", GRIDS)
def test_the_nodule_s_mass_is_kept_on_any_grid(name):
    """What it adds to HU, times volume, is the same however thick the slices are."""
    cut, ct = cube(), lung(GRIDS[name])
    array, _, _ = put(ct, cut)
    added = (array - ct.array.astype(float)).sum() * ct.geometry.voxel_mm3
    assert added == pytest.approx((cut.hu.array - LUNG).sum(), rel=0.05 if name == "5" else 0.03)


def test_a_thick_slice_is_a_mean_over_its_thickness():
    """Along z the nodule's second moment grows by that of what the slice is thicker than the cube's own were."""
    cut = cube((5.0, 5.0, 5.0))

    def spread(step):
        moments = np.zeros(2)
        for start in range(round(step)):  # wherever the slices lie
            ct = lung((step, 1.0, 1.0), size_mm=80)
            array, _, _ = put(ct, cut, place=(0.0, 0.0, float(start)))
            profile = (array - ct.array.astype(float)).sum(axis=(1, 2))
            z = ct.geometry.to_lps_mm([[k, 0, 0] for k in range(len(profile))])[:, 2] - start
            moments += (profile * z**2).sum(), profile.sum()
        return moments[0] / moments[1]

    assert spread(5.0) - spread(1.0) == pytest.approx((25 - CUBE_SLICE_MM**2) / 12, rel=0.1)
    assert spread(2.0) == pytest.approx(spread(1.0), rel=0.03)


def test_a_blunter_ct_blurs_and_a_sharper_one_invents_nothing():
    cut, ct = cube(), lung(GRIDS["thin"])
    plain, _, _ = put(ct, cut)
    sharper, _, _ = put(ct, cut, looks=replace(PLAIN, sigma_mm=0.3))
    blunter, _, _ = put(ct, cut, looks=replace(PLAIN, sigma_mm=1.5))
    assert_array_equal(sharper, plain)
    steepest = [np.abs(np.diff(one.astype(float), axis=2)).max() for one in (plain, blunter)]
    assert steepest[1] < 0.75 * steepest[0]


def test_nothing_else_of_the_ct_is_touched():
    ct = lung(GRIDS["2.5"], noise=20)
    before = ct.array.copy()
    cut = cube()
    array, where, _ = put(ct, cut, looks=replace(PLAIN, noise_hu=20.0))
    assert_array_equal(ct.array, before)
    outside = np.ones(array.shape, dtype=bool)
    outside[where] = False
    assert_array_equal(array[outside], before[outside])
    changed = ct.geometry.to_lps_mm(np.argwhere(array != before))
    away = np.linalg.norm(changed - np.array(PLACE), axis=1)
    assert 7 < away.max() < 7 + 2.5 + 2.5  # the soft edge, and a slice
    assert array.dtype == before.dtype


def test_in_lung_like_the_cube_s_own_it_is_the_cube():
    cut = cube()
    ct = lung((1.0, 1.0, 1.0), size_mm=61)
    array, _, done = put(ct, cut, place=(0.0, 0.0, 0.0))
    inner = ndimage.binary_erosion(cut.mask.labels > 0, iterations=2)
    assert np.abs(array[5:56, 5:56, 5:56] - cut.hu.array)[inner].max() <= 2
    assert done.noise_hu == 0


def test_a_vessel_that_crosses_stays_and_nothing_becomes_brighter_than_tissue():
    ct = lung((1.0, 1.0, 1.0), size_mm=61)
    ct.array[29:32, 29:32, :] = 40
    array, _, _ = put(ct, cube(), place=(0.0, 0.0, 0.0))
    assert array[30, 30].min() >= 38  # no dark rim where the vessel meets the nodule
    assert array.max() <= 52  # and no sum of both
    faint = replace(cube(), filled=replace(cube().filled, array=cube().filled.array * 0.3))
    assert put(ct, faint, place=(0.0, 0.0, 0.0))[0][30, 30].min() >= 38  # nor does ground glass hide it


def test_missing_noise_is_added_and_a_noisier_cube_is_smoothed():
    inside = ndimage.binary_erosion(cube((9.0,) * 3).mask.labels > 0, iterations=3)
    looks = replace(PLAIN, noise_hu=20.0)
    ct = lung((1.0, 1.0, 1.0), noise=20, size_mm=61)

    def noise_within(array):
        return noise_hu(array[5:56, 5:56, 5:56], inside)

    clean, _, added = put(ct, cube((9.0,) * 3), place=(0.0, 0.0, 0.0), looks=looks)
    assert noise_within(clean) == pytest.approx(20, rel=0.15)
    assert added.noise_hu == pytest.approx(20, rel=0.1)
    assert added.smoothing_mm == 0
    noisy, _, smoothed = put(ct, cube((9.0,) * 3, noise=45), place=(0.0, 0.0, 0.0), looks=looks)
    assert smoothed.smoothing_mm > 0
    assert noise_within(noisy) < 1.3 * 20


def test_drawn_changes_are_mirrors_quarters_and_a_small_scale():
    rng = np.random.default_rng(0)
    turns = [Turn.draw(rng) for _ in range(300)]
    assert len({(one.quarters, one.mirrored) for one in turns}) == 32  # each of 16 orientations twice
    scales = np.array([one.scale for one in turns])
    assert scales.min() >= SCALES[0]
    assert scales.max() <= SCALES[1]
    assert np.median(scales) == pytest.approx(math.sqrt(SCALES[0] * SCALES[1]), rel=0.02)


def test_what_falls_on_the_wall_is_no_nodule():
    _, _, done = put(lung((1.0, 1.0, 1.0)), cube(), place=(0.0, 0.0, 0.0))
    grid = done.block.geometry
    x = grid.to_lps_mm(np.moveaxis(np.indices(grid.shape_zyx), 0, -1))[..., 0]
    left = without_wall(done, x > 4)
    assert left.wall_share == pytest.approx((3**2 * (3 * 7 - 3) / 3) / (4 * 7**3 / 3), abs=0.03)  # a cap of a ball
    assert not (left.mask.labels[x > 4] > 0).any()
