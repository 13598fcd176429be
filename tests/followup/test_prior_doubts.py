"""Earlier pictures that don't belong are doubted, by the right name; those that do are not."""

from functools import cache

import numpy as np
import pytest

from hilum.datasets.over_time_config import EarlierPoseConfig, EarlierToneConfig
from hilum.datasets.over_time_view import draw_view, places_before, seen_before
from hilum.datasets.xray_grid import PixelGrid
from hilum.followup.prior_doubts import LEAST_LIKENESS, laid_over_doubts, prior_doubts
from hilum.followup.xray_registration import register_xray
from hilum.io import read_radiograph

MM = 1.4


@pytest.fixture(scope="module")
def chest(real_data):
    """Pictures of patients by number, as [y, x] 0 to 1 on pixels of 1.4 mm or nearly."""

    @cache
    def read(number: int) -> np.ndarray:
        path = sorted(real_data("lidc-drr").rglob(f"LIDC-IDRI-{number:04}_*_drr.png"))[0]
        grey = read_radiograph(path).array / 255
        return PixelGrid(grey.shape, (0.7, 0.7), MM).mean(grey).astype(np.float32)

    return read


@pytest.fixture(scope="module")
def earlier(chest):
    """The first patient's picture in another pose, breath and tone."""
    view = draw_view(np.random.default_rng(0), EarlierPoseConfig(), EarlierToneConfig())
    return seen_before(chest(2), view, places_before(view, chest(2).shape, MM), MM)


def doubts(prior: np.ndarray, current: np.ndarray) -> str:
    prior = np.ascontiguousarray(prior, dtype=np.float32)
    return "; ".join(prior_doubts(prior, current, register_xray(prior, current, MM)))


def test_the_patients_own_is_not_doubted(chest, earlier):
    assert doubts(earlier, chest(2)) == ""


@pytest.mark.parametrize(
    ("turned", "said"),
    [
        (lambda prior: prior[:, ::-1], "looks mirrored"),
        (lambda prior: 1 - prior, "bright and dark look exchanged"),
        (lambda prior: prior[::-1], "stood on its head"),
        (np.rot90, "lay on its side"),
        (lambda prior: np.rot90(prior, 3), "lay on its side"),
    ],
)
def test_a_picture_turned_over_is_named(chest, earlier, turned, said):
    assert said in doubts(turned(earlier), chest(2))


def test_another_patients_fits_worse(chest):
    found = register_xray(chest(3), chest(2), MM)
    assert found.misfit.correlation < LEAST_LIKENESS
    assert "another patient's" in doubts(chest(3), chest(2))


def test_the_current_picture_is_no_earlier_one(chest):
    assert "copy" in doubts(chest(2), chest(2))


def test_one_that_lies_over_the_current_one_is_doubted_if_it_does_not_fit(chest, earlier):
    laid = register_xray(earlier, chest(2), MM).moved(earlier)
    assert laid_over_doubts(laid, chest(2), MM) == ()
    assert "another patient's" in laid_over_doubts(laid[:, ::-1], chest(2), MM)[0]
    assert "copy" in laid_over_doubts(chest(2), chest(2), MM)[0]


def test_a_low_likeness_is_said_to_be_common_among_real_pairs(chest):
    assert "most real pairs lie below" in doubts(chest(3), chest(2))
