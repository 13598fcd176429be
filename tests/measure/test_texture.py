"""How solid a nodule is."""

import numpy as np
import pytest
from scipy import ndimage

from hilum.core import GeometryError, MeasureError
from hilum.measure import solid_share, texture_of

AXES = np.indices((21, 21, 21)) - 10
FROM_MIDDLE = np.sqrt((AXES**2).sum(axis=0))


def ball(radius: float) -> np.ndarray:
    return np.asarray(radius >= FROM_MIDDLE)


def nodule(core_radius: float) -> np.ndarray:
    """A ball of glass of radius 8 with a solid core, in lung."""
    hu = np.full(FROM_MIDDLE.shape, -850, dtype=np.int16)
    hu[ball(8)] = -600
    hu[ball(core_radius)] = 20
    return hu


@pytest.mark.parametrize(("core_radius", "texture"), [(0.0, 1.0), (5.5, 3.0), (8.0, 5.0)])
def test_glass_a_core_in_glass_and_a_solid_nodule_are_told_apart(core_radius: float, texture: float) -> None:
    assert texture_of(solid_share(nodule(core_radius), ball(8))) == texture


def test_the_share_is_that_of_the_core_in_the_eroded_ball() -> None:
    """By counting: a ball of 4 voxels in one of 8, of which the outermost layer is left out."""
    inner = ball(8)
    for axis in range(3):
        inner = inner & np.roll(ball(8), 1, axis) & np.roll(ball(8), -1, axis)
    assert solid_share(nodule(4.0), ball(8)) == pytest.approx(ball(4).sum() / inner.sum())


def test_a_nodule_of_few_voxels_is_taken_whole() -> None:
    hu = np.full((3, 3, 3), -850, dtype=np.int16)
    mask = np.zeros((3, 3, 3), dtype=bool)
    mask[1, 1] = True
    hu[1, 1, :2] = 0
    assert solid_share(hu, mask) == pytest.approx(2 / 3)


def test_more_solid_is_never_called_less_so() -> None:
    ratings = [texture_of(share) for share in np.linspace(0, 1, 101)]
    assert ratings == sorted(ratings)
    assert set(ratings) == {1.0, 3.0, 5.0}


def test_nothing_and_another_grid_are_refused() -> None:
    with pytest.raises(MeasureError, match="empty"):
        solid_share(np.zeros((3, 3, 3)), np.zeros((3, 3, 3), dtype=bool))
    with pytest.raises(GeometryError, match="one grid"):
        solid_share(np.zeros((3, 3, 4)), np.ones((3, 3, 3), dtype=bool))


def test_the_core_is_what_scipys_erosion_leaves() -> None:
    rng = np.random.default_rng(0)
    mask = ndimage.binary_dilation(rng.random((15, 14, 13)) > 0.97, iterations=2)
    hu = rng.uniform(-900, 200, mask.shape)
    assert solid_share(hu, mask) == pytest.approx((hu[ndimage.binary_erosion(mask)] > -350).mean())
