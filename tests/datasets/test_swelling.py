"""A nodule that is part of a CT grows by a known share, and nothing folds."""

from functools import cache

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from hilum.core import Geometry, InputError, Volume
from hilum.datasets.rescan import Background, Noise
from hilum.datasets.swelling import Swelling
from tests.shapes import ellipsoid

GRID = Geometry.regular((44, 96, 96), (2.0, 1.0, 1.0), (-48.0, -48.0, -44.0))
RADII = (11.0, 8.0, 9.0)
LUNG, TISSUE = -850.0, 40.0


@cache
def nodule():
    return ellipsoid(GRID, (2.3, -1.6, 0.8), RADII)


def seen():
    """The nodule, half-dense at its edge, and a wall of the chest 20 mm beside it."""
    fine = gaussian_filter(nodule().astype(np.float32), (0.5, 1.0, 1.0))
    hu = LUNG + fine * (TISSUE - LUNG)
    hu[:, :, 82:] = TISSUE
    return Background(Volume(hu.astype(np.float32), GRID), np.ones_like(hu), Noise(0.0, 0.0, np.ones((1, 1, 1))), 0.65)


def risen_mm3(background):
    """What tissue there is left of the wall, by its HU: blur moves it about and loses none."""
    inner = background.ct.array[:, :, :80].astype(np.float64)
    return float(((inner - LUNG) / (TISSUE - LUNG)).sum()) * GRID.voxel_mm3


@pytest.mark.parametrize("growth", [1.25, 1.6])
def test_it_grows_by_what_was_asked(growth):
    found = Swelling.of(nodule(), GRID, growth)
    before = seen()
    after = found.applied(before)
    assert risen_mm3(after) / risen_mm3(before) == pytest.approx(growth, rel=0.01)


def test_its_centre_and_what_is_far_away_stay():
    found = Swelling.of(nodule(), GRID, 1.5)
    before, after = seen(), found.applied(seen())
    assert found.origins_mm(np.array([found.centre_lps_mm])) == pytest.approx(np.array([found.centre_lps_mm]))
    far = np.array([[-47.0, -47.0, -43.0], [400.0, 0.0, 0.0]])
    assert found.origins_mm(far) == pytest.approx(far)
    assert np.array_equal(after.ct.array[:, :, 90:], before.ct.array[:, :, 90:])


def test_without_growth_nothing_changes():
    found = Swelling.of(nodule(), GRID, 1.0).applied(seen())
    assert found.ct.array == pytest.approx(seen().ct.array, abs=0.01)


def test_nothing_folds():
    """The Jacobian determinant of the way back, by differences of a tenth of a millimetre, is positive everywhere."""
    found = Swelling.of(nodule(), GRID, 2.0)
    places = np.random.default_rng(0).uniform(-40, 40, (4000, 3))
    rows = [(found.origins_mm(places + step) - found.origins_mm(places - step)) / 0.2 for step in 0.1 * np.eye(3)]
    assert np.linalg.det(np.moveaxis(np.array(rows), 0, 1)).min() > 0


def test_what_cannot_grow_so_is_refused():
    for growth in (0.9, 2.1, float("nan")):
        with pytest.raises(InputError, match="1 to 2 in volume"):
            Swelling.of(nodule(), GRID, growth)
    with pytest.raises(InputError, match="no nodule to grow"):
        Swelling.of(np.zeros_like(nodule()), GRID, 1.2)
