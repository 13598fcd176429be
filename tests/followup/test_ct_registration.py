"""A known movement of a chest is found again; what can't be laid over each other is refused."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from hilum.core import Geometry, InputError, Mask, UnitError, Volume
from hilum.core.volume import Quantity
from hilum.datasets.ct_lungs import block_grid, find_lungs
from hilum.datasets.warps import WarpRule, draw_warp, lungs_box_mm, warped
from hilum.drr.patient import block_means
from hilum.followup.ct_registration import CtRegistrationConfig, register_ct, wrongs
from hilum.io import read_volume
from hilum.io.installed import sample_ct_path
from hilum.ops import resample_to, to_lps_axes
from tests.shapes import ellipsoid, rotation

GRID = Geometry.regular((88, 56, 72), (3.0, 4.0, 4.0), (-142.0, -110.0, -132.0))
FINE = CtRegistrationConfig(cell_mm=4.0, bend_steps=(10, 10, 10, 10, 10, 5))
QUICK = FINE.model_copy(update={"cell_mm": 5.0})


def at_lungs(grid=GRID):
    return ellipsoid(grid, (-60, 0, 0), (48, 70, 95)) | ellipsoid(grid, (60, 5, -5), (46, 68, 100))


@cache
def chest(seed=0):
    """A body with two lungs that are full of vessels, as noise that is smooth over 7 mm is."""
    rng = np.random.default_rng(seed)
    hu = np.where(ellipsoid(GRID, (0, 0, 0), (138, 100, 400)), 40.0, -1000.0)
    fine = gaussian_filter(rng.normal(size=GRID.shape_zyx), (2.4, 1.8, 1.8))
    vessels = -850 + 700 * np.clip(fine / fine.std() - 1.0, 0, 1)
    hu[at_lungs()] = vessels[at_lungs()]
    return Volume(hu.astype(np.int16), GRID)


@cache
def lungs():
    return Mask.of(at_lungs(), GRID, "lung")


def places():
    return GRID.to_lps_mm(np.argwhere(at_lungs()))[::23]


def motion(turns=(6.0, -4.0, 9.0), shift=(25.0, -40.0, 160.0)):
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(turns)
    matrix[:3, 3] = shift
    return matrix


def error_mm(found, truth):
    return np.linalg.norm(found.to_current_mm(places()) - truth, axis=-1)


def differently_sampled(moved):
    """On a scanner's straight grid of other steps, whose axes run the other way."""
    corners = moved.geometry.corners_lps_mm()
    low, high = corners.min(axis=0), corners.max(axis=0)
    steps = np.array((3.2, 3.6, 5.0))
    affine = np.diag((-steps[0], -steps[1], steps[2], 1.0))
    affine[:3, 3] = (high[0], high[1], low[2])
    nx, ny, nz = np.ceil((high - low) / steps).astype(int) + 1
    return resample_to(moved, Geometry((int(nz), int(ny), int(nx)), affine)).astype(np.int16)


@pytest.mark.parametrize("sampled", [False, True])
def test_a_shifted_turned_differently_spaced_and_flipped_copy_is_found_within_a_millimetre(sampled):
    moved = replace(chest(), geometry=Geometry(GRID.shape_zyx, motion() @ GRID.affine_lps))
    current = differently_sampled(moved) if sampled else moved
    found = register_ct(chest(), current, config=FINE)
    truth = places() @ motion()[:3, :3].T + motion()[:3, 3]
    error = error_mm(found, truth)
    assert np.percentile(error, 99) < 1
    assert np.percentile(np.linalg.norm(found.to_prior_mm(truth) - places(), axis=-1), 99) < 1
    assert found.converged
    assert any("later CT's slices are 5 mm apart" in one for one in found.notes) == sampled
    assert any("affine map" in one for one in found.notes)


@cache
def real_chest():
    """The sample CT on voxels of 4 mm."""
    ct = to_lps_axes(read_volume(sample_ct_path()))
    coarse = block_grid(ct.geometry, (2, 6, 6))
    return Volume(np.rint(block_means(ct, (2, 6, 6))).astype(np.int16), coarse)


def test_a_real_ct_shifted_turned_differently_spaced_and_flipped_is_found_within_a_millimetre():
    ct = real_chest()
    moved = replace(ct, geometry=Geometry(ct.geometry.shape_zyx, motion() @ ct.geometry.affine_lps))
    current = differently_sampled(moved)
    assert not np.allclose(current.geometry.directions, np.eye(3))
    found = register_ct(ct, current, config=FINE)
    own = find_lungs(ct)
    points = own.require_geometry().to_lps_mm(np.argwhere(own.labels))[::23]
    truth = points @ motion()[:3, :3].T + motion()[:3, 3]
    assert np.percentile(np.linalg.norm(found.to_current_mm(points) - truth, axis=-1), 99) < 1
    assert np.percentile(np.linalg.norm(found.to_prior_mm(truth) - points, axis=-1), 99) < 1
    assert found.converged
    assert any("later CT's slices are 5 mm apart" in one for one in found.notes)


def test_a_real_abdomen_against_its_chest_is_refused():
    """What lies below the lungs, and the base of them alone."""
    ct = real_chest()
    _, y, x = ct.geometry.shape_zyx
    own = find_lungs(ct)
    lungs_z = own.require_geometry().to_lps_mm(np.argwhere(own.labels))[:, 2]
    base = int(np.ceil(ct.geometry.to_index((0.0, 0.0, float(np.percentile(lungs_z, 12))))[0]))
    with pytest.raises(InputError, match=r"different regions|can't be laid over each other|can't be registered"):
        register_ct(ct, ct.crop((0, 0, 0), (base, y, x)), config=QUICK)


@pytest.fixture(scope="module")
def bent():
    """A chest, its later state by a known warp of 10 mm, the warp, and the registration."""
    back = draw_warp(lungs_box_mm(lungs()), WarpRule(10.0), np.random.default_rng(5))
    current = warped(chest(), back)
    return current, back, register_ct(chest(), current, config=QUICK)


def test_a_breath_is_undone_and_the_error_known(bent):
    _, back, found = bent
    truth = back.origins_mm(places())
    error = error_mm(found, truth)
    assert np.median(error) < 1.2
    assert np.percentile(error, 95) < 3.5
    assert np.mean(error <= found.error_mm(places())) > 0.85
    assert found.misfit.similarity > found.misfit.similarity_affine > found.misfit.similarity_centred - 0.05
    assert found.misfit.dice > 0.95
    assert found.misfit.folded == 0
    assert 0 < found.misfit.least_volume < 1 < found.misfit.most_volume


def test_there_and_back_and_images_on_the_others_grid(bent):
    current, _, found = bent
    assert found.to_prior_mm(found.to_current_mm(places())) == pytest.approx(places(), abs=0.01)
    inner = ellipsoid(GRID, (-60, 0, 0), (35, 50, 70))
    brought = found.prior_on_current(chest())
    assert brought.geometry.is_same_grid(current.geometry)
    still = np.corrcoef(chest().array[inner], current.array[inner])[0, 1]
    assert np.corrcoef(brought.array[inner], current.array[inner])[0, 1] > max(0.6, still + 0.2)
    mask = found.current_on_prior(Mask.of(at_lungs(), GRID))
    assert mask.labels.shape == GRID.shape_zyx
    assert found.shown_on_current(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 900.0]])).tolist() == [True, False]


def test_threads_change_nothing(bent):
    current, _, _ = bent
    coarse = QUICK.model_copy(update={"cell_mm": 7.0})
    one, other = (register_ct(chest(), current, config=coarse, threads=threads) for threads in (1, 2))
    assert np.array_equal(one.forward.bend_mm, other.forward.bend_mm)
    assert one.misfit == other.misfit


def test_a_ct_without_lungs_and_one_that_is_none_are_refused():
    abdomen = Volume(np.where(ellipsoid(GRID, (0, 0, 0), (138, 100, 400)), 40, -1000).astype(np.int16), GRID)
    with pytest.raises(InputError, match="later CT can't be registered: there are no lungs"):
        register_ct(chest(), abdomen)
    with pytest.raises(InputError, match="mask of the lungs is empty"):
        register_ct(chest(), chest(), lungs=(lungs(), Mask.of(np.zeros_like(at_lungs()), GRID)))
    with pytest.raises(UnitError):
        register_ct(Volume(chest().array, GRID, Quantity.DISPLAY), chest())


def test_the_base_of_the_lungs_against_a_whole_chest_is_refused_and_a_half_is_not():
    base, half = (chest().crop((0, 0, 0), (count, *GRID.shape_zyx[1:])) for count in (27, 48))
    with pytest.raises(InputError, match="different regions"):
        register_ct(chest(), base, config=QUICK)
    found = register_ct(chest(), half, config=QUICK)
    below = places()[places()[:, 2] < half.geometry.corners_lps_mm()[:, 2].max() - 20]
    assert np.percentile(np.linalg.norm(found.to_current_mm(below) - below, axis=-1), 95) < 1
    assert 0.3 < found.misfit.common < 0.7


def test_another_patient_is_refused():
    with pytest.raises(InputError, match="can't be laid over each other"):
        register_ct(chest(), chest(seed=1), config=QUICK)


def test_each_limit_is_told_in_words(bent):
    _, _, found = bent
    limits = QUICK.usual
    bad = replace(found.misfit, dice=0.1, similarity=0.1, apart_p95_mm=99.0, folded=0.5)
    said = wrongs(bad, limits)
    assert [word in one for word, one in zip(("overlap", "vessels", "mm from", "folds"), said, strict=True)] == [
        True
    ] * 4
    assert wrongs(found.misfit, limits) == []
    assert len(wrongs(replace(found.misfit, similarity=np.nan), limits)) == 1
