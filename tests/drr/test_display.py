"""Pictures keep the order of densities, use their bits, and are never black without a word."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from skimage.exposure import equalize_adapthist

from hilum.core import InputError
from hilum.drr.display import RAW_STEP, WHITE, Display, as_radiograph, as_raw, behind_patient, equalised

SIGNAL = np.random.default_rng(4).uniform(0, 7, (90, 110))
PLAIN = Display(clahe_clip=0)


def test_dense_is_bright_and_the_open_beam_is_black():
    picture = as_radiograph(SIGNAL, PLAIN)
    order = np.argsort(SIGNAL.ravel())
    assert (np.diff(picture.ravel()[order].astype(int)) >= 0).all()
    assert picture[SIGNAL < 0.1].max() < 0.03 * WHITE
    assert picture.max() == WHITE
    assert len(np.unique(picture)) > 5000, "16 bits are used"


def test_percentiles_are_those_behind_the_patient():
    display = Display(percentiles=(10, 90), toe=0.2, clahe_clip=0)
    picture = as_radiograph(SIGNAL, display) / WHITE
    behind = np.log(2) < SIGNAL
    assert (picture[behind] == 1).mean() == pytest.approx(0.1, abs=0.005)
    assert (picture[behind] <= 0.2).mean() == pytest.approx(0.1, abs=0.005)


def test_the_negative_is_the_negative():
    positive, negative = (as_radiograph(SIGNAL, Display(dense_is_bright=bright)) for bright in (True, False))
    assert_array_equal(positive, WHITE - negative)


def test_without_logarithm_the_absorbed_share_is_shown():
    """1 − exp(−x) flattens what is dense: the median comes out brighter."""
    log, linear = (np.median(as_radiograph(SIGNAL, Display(logarithm=on, clahe_clip=0))) for on in (True, False))
    assert linear > 1.2 * log


def test_local_contrast_is_scikit_images():
    grey = SIGNAL / 7
    expected = equalize_adapthist(grey, kernel_size=[22, 27], clip_limit=0.01, nbins=1024)
    np.testing.assert_allclose(equalised(grey, 0.01, 4), expected, atol=1e-12)
    slope = np.linspace(0, 1, 200)[None] * 0.2 + (np.indices((200, 200))[0] > 100) * 0.8
    assert np.ptp(equalised(slope, 0.02, 4)[50]) > 1.5 * np.ptp(slope[50])


def test_raw_is_the_signal_in_fixed_steps():
    assert np.abs(as_raw(SIGNAL) * RAW_STEP - SIGNAL).max() <= RAW_STEP / 2 + 1e-12
    assert_array_equal(as_raw(np.array([[-0.01, 20.0, 1.0]])), [[0, WHITE, 5000]])


@pytest.mark.parametrize("show", [as_radiograph, as_raw, behind_patient])
def test_air_alone_is_no_picture(show):
    with pytest.raises(InputError, match=r"shows air only.*Check the pose"):
        show(SIGNAL / 100)


def test_one_density_is_no_picture():
    with pytest.raises(InputError, match="equally dense"):
        as_radiograph(np.full((9, 9), 3.0))


@pytest.mark.parametrize("numbers", [{"percentiles": (90, 10)}, {"toe": 1.0}, {"clahe_clip": -0.1}, {"clahe_tiles": 0}])
def test_impossible_numbers_are_refused(numbers):
    with pytest.raises(InputError):
        Display(**numbers)


def test_what_a_picture_looks_like_is_known_without_a_compiler():
    """numba costs a second to import, and every worker and every refused command would pay for it."""
    code = "import sys, hilum.drr.display, hilum.drr.source_style; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
