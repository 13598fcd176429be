"""The mean chest tells how wide a picture is, and which way it stands."""

import numpy as np
import pytest
from scipy.ndimage import zoom
from skimage.feature import match_template

from hilum.datasets.chest import CELL_MM, SHAPE, _template, coarse, correlation, fit_chest, layout_doubts


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


@pytest.mark.parametrize(
    ("turned", "said"),
    [
        (lambda picture: 1 - picture, "exchanged"),
        (lambda picture: picture[::-1], "on its head"),
        (np.rot90, "on its side"),
        (lambda picture: np.rot90(picture, 3), "on its side"),
    ],
)
def test_a_turned_chest_is_named_by_what_fits_best(turned, said):
    assert not list(layout_doubts(chest(1.4), 1.4))
    (doubt,) = layout_doubts(turned(chest(1.4)), 1.4)
    assert said in doubt


def test_what_is_no_chest_lies_on_no_side():
    noise = np.random.default_rng(0).random((300, 300))
    assert not any("side" in doubt for doubt in layout_doubts(noise, 1.4))


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
