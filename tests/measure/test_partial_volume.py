"""A volume from the HU at the edge: that of the ball, whatever the mask, the slices and the blur."""

import math

import numpy as np
import pytest

from hilum.core import Geometry, GeometryError, MeasureError, Quantity, UnitError, Volume
from hilum.datasets.growth_shape import Scanner, ball, drawn
from hilum.measure.partial_volume import around, edge_volume
from hilum.ops import grown, shrunk

TEN_MM = math.pi / 6 * 1000
LUNG = -850.0


def scan(steps=(1.25, 0.7, 0.7), volume=TEN_MM, noise=10.0, texture="solid", sigma=0.7):
    """A ball in lung, and the voxels that it covers."""
    shape = tuple(round(40 / step) for step in steps)
    origin = tuple(-(n - 1) / 2 * step for n, step in zip(shape, steps, strict=True))[::-1]
    grid = Geometry.regular(shape, steps, origin)
    nodule = ball(texture)
    there = drawn(nodule, volume, (0.3, -0.2, 0.4), grid, Scanner(sigma))
    assert there is not None
    hu = np.full(shape, LUNG)
    hu[there.place] += there.filled * (nodule.tissue_hu - LUNG)
    hu += np.random.default_rng(0).normal(0, noise, shape)
    mask = np.zeros(shape, dtype=bool)
    mask[there.place] = there.mask
    return Volume(np.rint(hu).astype(np.int16), grid), mask


@pytest.mark.parametrize("steps", [(1.25, 0.7, 0.7), (2.5, 0.7, 0.7)])
@pytest.mark.parametrize("texture", ["solid", "ground-glass"])
def test_a_balls_volume_comes_out(steps, texture):
    assert edge_volume(*scan(steps, texture=texture)).volume_mm3 == pytest.approx(TEN_MM, rel=0.04)


def test_it_hardly_depends_on_the_mask():
    ct, mask = scan()
    steps = ct.geometry.spacing_zyx_mm
    wide, tight = grown(mask, 1.3, steps), shrunk(mask, 0.8, steps)
    counted = [one.sum() * ct.geometry.voxel_mm3 for one in (wide, tight)]
    measured = [edge_volume(ct, one).volume_mm3 for one in (wide, tight)]
    assert counted[0] > 1.5 * counted[1]
    assert measured[0] == pytest.approx(measured[1], rel=0.03)


def test_it_hardly_depends_on_the_blur():
    sharp, blunt = (edge_volume(*scan(sigma=sigma)).volume_mm3 for sigma in (0.5, 1.0))
    assert sharp == pytest.approx(blunt, rel=0.03)


def test_a_larger_ball_has_a_larger_volume_by_as_much():
    first, second = (edge_volume(*scan(volume=one)).volume_mm3 for one in (TEN_MM, 1.25 * TEN_MM))
    assert second / first == pytest.approx(1.25, rel=0.02)


def test_a_wall_beyond_the_mask_is_not_the_nodule():
    ct, mask = scan()
    array = ct.array.copy()
    array[:, :, int(ct.geometry.to_index((8.0, 0, 0))[2]) :] = 40
    assert edge_volume(Volume(array, ct.geometry), mask).volume_mm3 == pytest.approx(TEN_MM, rel=0.05)


def test_levels_mass_and_mask_are_those_of_the_scan():
    ct, mask = scan(noise=5.0)
    edge = edge_volume(ct, mask)
    assert edge.lung_hu == pytest.approx(LUNG, abs=3)
    assert edge.nodule_hu == pytest.approx(40, abs=12)
    assert edge.mass_mg == pytest.approx(edge.volume_mm3 * 1.0, rel=0.15)
    _, near = around(ct, mask)
    assert (edge.inside & near).sum() > 0.9 * mask.sum()


def test_what_it_cant_take_is_refused():
    ct, mask = scan()
    with pytest.raises(MeasureError, match="empty"):
        edge_volume(ct, np.zeros_like(mask))
    with pytest.raises(GeometryError, match="doesn't fit"):
        edge_volume(ct, mask[1:])
    with pytest.raises(UnitError):
        edge_volume(Volume(ct.array, ct.geometry, Quantity.DISPLAY), mask)
