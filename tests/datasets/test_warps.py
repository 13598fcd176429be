"""Made-up changes of the chest: as large as said, smooth, and true to mass."""

import numpy as np
import pytest

from hilum.core import Geometry, InputError, Mask, Volume
from hilum.datasets.warps import WarpRule, draw_warp, lungs_box_mm, warped
from hilum.ops import Deformation

BOX = ((-120.0, -80.0, -110.0), (120.0, 80.0, 110.0))


def places(count=3000, seed=1):
    return np.random.default_rng(seed).uniform(*BOX, (count, 3))


@pytest.mark.parametrize("size", [5.0, 20.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_warp_is_as_large_as_said_smooth_and_has_an_inverse(size, seed):
    warp = draw_warp(BOX, WarpRule(size), np.random.default_rng(seed))
    assert np.percentile(np.linalg.norm(warp.bends_mm(places()), axis=-1), 95) == pytest.approx(size, rel=0.1)
    assert warp.volume_change().min() > 0.1
    assert warp.places_mm(warp.origins_mm(places())) == pytest.approx(places(), abs=0.01)
    assert warp.bends_mm(np.array([[0.0, 0.0, 400.0]])) == pytest.approx(0)


def test_breath_moves_the_base_more_than_the_apex_and_along_the_body():
    rng = np.random.default_rng(0)
    warps = [draw_warp(BOX, WarpRule(10.0, random_share=0.0, turn_deg=0.0, shift_mm=0.0), rng) for _ in range(5)]
    for warp in warps:
        base, apex = (np.abs(warp.bends_mm(np.array([[60.0, 0.0, z]]))[0]) for z in (-105.0, 105.0))
        assert base[2] > 4 * np.linalg.norm(apex)
        assert base[2] > 2 * base[0]
        assert warp.affine == pytest.approx(np.eye(4))


def test_the_same_draw_gives_the_same_warp():
    one, other = (draw_warp(BOX, WarpRule(8.0), np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one.bend_mm, other.bend_mm)
    assert np.array_equal(one.affine, other.affine)


def test_lung_keeps_its_mass_and_tissue_its_density():
    grid = Geometry.regular((30, 20, 24), (8.0, 8.0, 8.0), (-92.0, -76.0, -116.0))
    warp = draw_warp(BOX, WarpRule(12.0, turn_deg=0.0, shift_mm=0.0), np.random.default_rng(2))
    lung = warped(Volume(np.full(grid.shape_zyx, -850, np.int16), grid), warp)
    inner = np.s_[6:-6, 5:-5, 5:-5]
    points = grid.to_lps_mm(np.moveaxis(np.indices(grid.shape_zyx), 0, -1))[inner]
    index = np.rint(warp.geometry.to_index(points)).astype(int)
    change = warp.volume_change()[tuple(np.moveaxis(index, -1, 0))]
    assert lung.array[inner] + 1000 == pytest.approx(150 * change, rel=0.15)
    assert np.std(change) > 0.02
    tissue = warped(Volume(np.full(grid.shape_zyx, 40, np.int16), grid), warp)
    assert tissue.array[inner] == pytest.approx(40)


def test_numbers_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="not negative"):
        WarpRule(-1.0)
    with pytest.raises(InputError, match="may fold"):
        WarpRule(20.0, random_share=1.0, detail_mm=10.0)
    with pytest.raises(InputError, match="empty"):
        lungs_box_mm(Mask.of(np.zeros((2, 2, 2), bool), Geometry.regular((2, 2, 2), (1.0, 1.0, 1.0))))
    assert isinstance(draw_warp(BOX, WarpRule(0.0), np.random.default_rng(0)), Deformation)
