"""The mean chest tells how wide a picture is, and which way it stands."""

import numpy as np
import pytest
from scipy.ndimage import zoom
from skimage.feature import match_template

from hilum.datasets.chest import CELL_MM, SHAPE, _template, coarse, correlation, fit_chest


def chest(step_mm: float, margin_mm: float = 30.0) -> np.ndarray:
    """The mean chest on pixels of this size, with a margin of its edge's grey."""
    grey = (_template() - _template().min()) / np.ptp(_template())
    return np.pad(np.clip(zoom(grey, CELL_MM / step_mm, order=1), 0, 1), round(margin_mm / step_mm), mode="edge")


@pytest.mark.parametrize("step_mm", [0.7, 1.0, 1.4])
def test_the_pixel_size_is_recovered(step_mm):
    found = fit_chest(chest(step_mm))
    assert found.step_mm == pytest.approx(step_mm, rel=0.06)
    assert found.correlation > 0.95


def test_a_chest_turned_over_fits_worse():
    picture = chest(1.4)
    upright = correlation(picture, 1.4)
    assert correlation(picture[::-1], 1.4) < upright - 0.2
    assert correlation(1 - picture, 1.4) < upright - 0.2


def test_the_correlation_is_that_of_scikit_image():
    picture = np.random.default_rng(0).random((400, 420)) + chest(1.4)[:230, :270].mean()
    cells = np.pad(coarse(picture, 1.0), 8, mode="edge")
    assert correlation(picture, 1.0) == pytest.approx(match_template(cells, _template()).max(), abs=1e-4)


def test_a_picture_smaller_than_the_chest_never_fits():
    assert correlation(np.zeros((20, 20)), 1.0) == -1


def test_cells_are_means():
    assert coarse(np.full((60, 72), 3.0), 1.0) == pytest.approx(np.full((10, 12), 3.0))


def test_the_template_has_the_stated_shape():
    assert _template().shape == SHAPE
