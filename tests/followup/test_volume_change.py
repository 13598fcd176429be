"""A change of volume over one common region: grown, moved, on other slices, beside a vessel."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from hilum.core import Geometry, Volume
from hilum.followup.volume_change import volume_change
from hilum.ops import grown
from tests.measure.test_partial_volume import TEN_MM, scan

QUARTER = math.log(1.25)


def moved(ct, shift):
    """The same scan somewhere else in space."""
    affine = np.array(ct.geometry.affine_lps)
    affine[:3, 3] += shift
    return Volume(ct.array, replace(ct.geometry, affine_lps=affine))


@pytest.mark.parametrize("growth", [1.0, 1.25, 0.8])
def test_the_ratio_comes_out(growth):
    found = volume_change(*scan(), *scan(volume=growth * TEN_MM))
    assert found.is_paired
    assert found.log_ratio == pytest.approx(math.log(growth), abs=0.02)
    before, after = found.volumes_mm3
    assert after / before == pytest.approx(math.exp(found.log_ratio))


def test_masks_that_differ_make_no_growth():
    (ct, mask), steps = scan(), (1.25, 0.7, 0.7)
    found = volume_change(ct, mask, ct, grown(mask, 1.5, steps))
    assert found.log_ratio == pytest.approx(0, abs=0.01)


def test_where_in_space_the_scans_lie_changes_nothing():
    (ct, mask), (later, later_mask) = scan(), scan(volume=1.25 * TEN_MM)
    here = volume_change(ct, mask, later, later_mask)
    there = volume_change(ct, mask, moved(later, (31.3, -12.7, 5.1)), later_mask)
    assert there.log_ratio == pytest.approx(here.log_ratio, abs=0.005)


def test_other_slices_still_tell_growth():
    found = volume_change(*scan(), *scan(steps=(2.5, 0.7, 0.7), volume=1.25 * TEN_MM))
    assert found.log_ratio == pytest.approx(QUARTER, abs=0.05)


def test_a_vessel_that_one_mask_takes_in_is_no_growth():
    (ct, mask), (later, later_mask) = scan(), scan()
    k, j, i = (round(float(one)) for one in ct.geometry.to_index((0.3, -0.2, 0.4)))
    vessel = np.zeros_like(mask)
    vessel[k - 1 : k + 2, j - 2 : j + 3, i:] = True
    scans = [Volume(np.where(vessel & ~mask, 30, one.array).astype(np.int16), one.geometry) for one in (ct, later)]
    with_some = later_mask | (vessel & grown(mask, 4.0, ct.geometry.spacing_zyx_mm))
    counted = math.log(with_some.sum() / mask.sum())
    found = volume_change(scans[0], mask, scans[1], with_some)
    assert counted > 0.08
    assert abs(found.log_ratio) < 0.4 * counted


@pytest.mark.parametrize("is_pushed", [False, True], ids=["drawn over", "pushed aside"])
def test_growth_among_vessels_is_seen_whole(is_pushed):
    radii, step, size = (6.0, 6.0 * 1.25 ** (1 / 3)), 0.7, 60
    grid = Geometry.regular((size,) * 3, (step,) * 3, (0.0, 0.0, 0.0))
    ways = (np.indices((size,) * 3) - (size - 1) / 2) * step
    away = np.linalg.norm(ways, axis=0)
    texture = gaussian_filter(np.random.default_rng(5).normal(size=(size,) * 3), 1.5)
    vessels = -850 + 890 * np.clip(texture / texture.std() - 0.2, 0, 1)  # a quarter of the nodule, on average
    before = np.cbrt(np.maximum(away**3 - radii[1] ** 3 + radii[0] ** 3, 0))  # where what is here now was then
    came = ways * before / np.maximum(away, step) / step + (size - 1) / 2
    after = map_coordinates(vessels, came, order=1, mode="nearest") if is_pushed else vessels
    shares = [np.clip((radius - away) / step + 0.5, 0, 1) for radius in radii]
    blur = 0.65 / step
    scans = [
        Volume(gaussian_filter((1 - share) * old + share * 40, blur).astype(np.int16), grid)
        for share, old in zip(shares, (vessels, after), strict=True)
    ]
    found = volume_change(scans[0], shares[0] > 0.5, scans[1], shares[1] > 0.5)
    assert found.is_paired
    assert found.log_ratio == pytest.approx(QUARTER, rel=0.08)


def test_dates_that_show_different_things_are_measured_alone():
    ct, mask = scan()
    noise = np.random.default_rng(3).normal(-850, 60, ct.array.shape).astype(np.int16)
    other = Volume(noise, ct.geometry)  # nothing is there any more
    found = volume_change(ct, mask, other, mask)
    assert not found.is_paired
    assert found.notes
