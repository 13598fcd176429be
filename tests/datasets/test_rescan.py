"""The same patient scanned again: noise of the same level and not the same noise, another breath, other slices."""

import numpy as np
import pytest
from scipy import ndimage

from hilum.core import Geometry, InputError, Volume
from hilum.datasets.ct_appearance import Appearance, noise_hu
from hilum.datasets.rescan import Breath, background, noised, with_slices

GRID = Geometry.regular((12, 72, 72), (2.5, 0.7, 0.7))
PLAIN = Appearance(0.65, 15.0, np.ones((1, 1, 1), np.float32), True)
RNG = np.random.default_rng


@pytest.fixture(scope="module")
def ct():
    """Lung with a few vessels, and noise."""
    hu = np.full(GRID.shape_zyx, -850.0)
    for row, column in ((12, 20), (40, 50), (60, 15)):
        hu[:, row - 3 : row + 3, column - 3 : column + 3] = 30
    hu = ndimage.gaussian_filter(hu, (0, 0.9, 0.9)) + RNG(0).normal(0, 15, hu.shape)
    return Volume(np.rint(hu).astype(np.int16), GRID)


@pytest.fixture(scope="module")
def seen(ct):
    return background(ct, PLAIN)


def test_new_noise_is_as_loud_as_the_scans_and_not_the_same(ct, seen):
    first, second = (noised(seen, RNG(seed)).array for seed in (1, 2))
    assert noise_hu(first) == pytest.approx(noise_hu(ct.array), rel=0.15)
    lung = seen.ct.array < -820
    rest = [one[lung] - seen.ct.array[lung] for one in (ct.array, first, second)]
    together = np.corrcoef(rest)
    assert abs(together[1, 2]) < 0.1
    assert abs(together[0, 1]) < 0.2


def test_the_same_seed_gives_the_same_scan(seen):
    assert np.array_equal(noised(seen, RNG(3)).array, noised(seen, RNG(3)).array)


def test_structure_stays(ct, seen):
    assert seen.ct.array[:, 38:42, 48:52].mean() > -60  # the scan's blur reaches its middle
    assert noise_hu(seen.ct.array, seen.ct.array < -820) < 0.5 * noise_hu(ct.array, ct.array < -820)


def test_thicker_slices_average_and_are_quieter(seen):
    thick = with_slices(seen, 5.0)
    assert thick.ct.geometry.shape_zyx == (6, 72, 72)
    assert thick.ct.geometry.spacing_zyx_mm[0] == pytest.approx(5.0)
    assert thick.noise.lung_hu == pytest.approx(seen.noise.lung_hu / 2**0.5)
    assert thick.ct.array.mean() == pytest.approx(float(seen.ct.array.mean()), abs=1)
    assert with_slices(seen, 2.5) is seen
    assert len(with_slices(seen, 1.25).ct.array) == 24
    with pytest.raises(InputError, match="thinner"):
        with_slices(seen, 25.0)


def test_a_slab_keeps_its_place_on_other_slices(seen):
    hu = np.full(GRID.shape_zyx, -850.0)
    hu[4:8] = 0.0
    flat = background(Volume(hu.astype(np.float32), GRID), PLAIN)
    for slice_mm in (1.25, 5.0):
        made = with_slices(flat, slice_mm).ct
        weight = made.array[:, 36, 36] + 850
        z = made.geometry.to_lps_mm([(k, 0, 0) for k in range(len(weight))])[:, 2]
        assert (weight * z).sum() / weight.sum() == pytest.approx(5.5 * 2.5, abs=0.05)


def test_breath_moves_what_it_says_to_where_it_says(ct):
    spot = (6, 36, 36)
    hu = np.full(GRID.shape_zyx, -850.0, dtype=np.float32)
    hu[spot] = 3000.0
    hu = ndimage.gaussian_filter(hu, (1.0, 3.0, 3.0))
    seen = background(Volume(hu, GRID), PLAIN)
    breath = Breath.draw(GRID, 3.0, RNG(4))
    x, y, z = GRID.to_lps_mm(spot).tolist()
    place = np.array(breath.place_of((x, y, z)))
    moved = breath.applied(seen).ct.array + 850
    found = GRID.to_lps_mm(ndimage.center_of_mass(np.where(moved > 0.2 * moved.max(), moved, 0)))
    assert found == pytest.approx(place, abs=0.4)
    assert 0.1 < np.linalg.norm(place - (x, y, z)) <= 3.001


def test_breath_folds_nothing_and_is_not_negative():
    breath = Breath.draw(GRID, 30.0, RNG(0))
    for axis, step in enumerate(breath.grid.spacing_zyx_mm):
        if breath.moved_mm.shape[axis] > 1:
            assert np.abs(np.diff(breath.moved_mm, axis=axis)).max() / step < 0.5
    with pytest.raises(InputError, match="not negative"):
        Breath.draw(GRID, -1.0, RNG(0))
