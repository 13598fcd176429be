"""Absorption, energies, scatter, quanta, blur: what physics says of each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hilum.core import Geometry, InputError, Quantity, Volume
from hilum.drr.attenuation import BONE, WATER, attenuation_per_mm
from hilum.drr.exposure import (
    FAINTEST,
    Exposure,
    Spectrum,
    arriving,
    blurred,
    detected,
    expose,
    faintest_of,
    log_signal,
    primary,
    quanta,
    scattered,
)
from hilum.drr.joseph import project_joseph
from hilum.drr.projection import Setup

PIXEL = (0.7, 0.5)
NO_RNG = np.random.default_rng(0)


def through_water(energy_kev, lengths_mm):
    return WATER.attenuation_per_mm(energy_kev) * np.asarray(lengths_mm, dtype=float)


def test_beer_and_lambert():
    """NIST: 50 mm of water pass exp(−.2059 · 5) of 60 keV."""
    passing = expose([through_water(60, [[0.0, 50.0]])], Exposure(), PIXEL, NO_RNG)
    assert_allclose(passing, [[1.0, np.exp(-0.2059 * 5)]], rtol=1e-12)


@given(st.floats(0, 12), st.floats(0, 12))
def test_two_layers_pass_the_product_of_each(first, second):
    both = primary([np.array([[first + second]])], Spectrum())
    each = primary([np.array([[first]])], Spectrum()) * primary([np.array([[second]])], Spectrum())
    assert_allclose(both, each, rtol=1e-12)


@pytest.mark.parametrize("step_mm", [0.5, 1.0, 2.0, 4.0])
def test_line_integrals_dont_depend_on_the_voxels(step_mm):
    """40 mm of water in voxels of any size: .2059 · 4 at 60 keV."""
    count = round(40 / step_mm)
    grid = Geometry.regular((count, count, count), (step_mm,) * 3)
    water = Volume(np.full(grid.shape_zyx, attenuation_per_mm(0, 60), np.float32), grid, Quantity.ATTENUATION)
    picture = project_joseph(water, Setup(pixel_mm=1.0).projection(grid))
    assert_allclose(picture[8:-8, 8:-8], 0.2059 * 4, rtol=1e-5)


def test_one_energy_is_a_spectrum_of_one():
    integrals = np.random.default_rng(1).uniform(0, 8, (5, 6))
    alone = log_signal(primary([integrals], Spectrum((65.0,), (3.0,))))
    assert_allclose(alone, integrals, rtol=1e-12)
    split = primary([integrals, integrals], Spectrum((65.0, 65.0), (1.0, 4.0)))
    assert_allclose(-np.log(split), integrals, rtol=1e-12)


def test_a_beam_hardens_on_its_way():
    """Each further centimetre takes less, and all less than the open beam's mean attenuation says."""
    lengths, spectrum = np.linspace(0, 300, 31)[None], Spectrum((45.0, 65.0, 90.0), (1.0, 2.0, 1.0))
    signal = log_signal(primary([through_water(kev, lengths) for kev in spectrum.energies_kev], spectrum))[0]
    per_step = np.diff(signal)
    assert (np.diff(per_step) < 0).all()
    mean_per_mm = sum(
        w * WATER.attenuation_per_mm(e) for e, w in zip(spectrum.energies_kev, spectrum.weights, strict=True)
    )
    assert per_step[0] == pytest.approx(10 * mean_per_mm, rel=0.01)
    assert signal[-1] < 300 * mean_per_mm


def test_bone_hardens_more_than_water():
    spectrum = Spectrum((45.0, 90.0), (1.0, 1.0))

    def bend(material, length_mm):
        one, two = (
            log_signal(
                primary(
                    [np.full((1, 1), material.attenuation_per_mm(kev) * length_mm * n) for kev in (45, 90)], spectrum
                )
            )
            for n in (1, 2)
        )
        return float((two / one)[0, 0])

    same_signal_mm = 20 * BONE.attenuation_per_mm(65) / WATER.attenuation_per_mm(65)
    assert bend(BONE, 20) < bend(WATER, same_signal_mm) < 2


def test_quanta_vary_as_much_as_there_are_many():
    """Poisson: 40,000 pixels tell the variance of a count within 4 standard errors, 4 √(2/40000)."""
    for expected, per_pixel in ((0.05, 1000.0), (0.5, 100.0), (1.0, 1e6)):
        counts = quanta(np.full((200, 200), expected), per_pixel, np.random.default_rng(5)) * per_pixel
        mean = expected * per_pixel
        assert counts.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / 40000))
        assert counts.var() == pytest.approx(mean, rel=4 * np.sqrt(2 / 40000) + 1 / mean)
        neighbours = np.corrcoef(counts[:, :-1].ravel(), counts[:, 1:].ravel())[0, 1]
        assert abs(neighbours) < 4 / np.sqrt(40000), "before the blur every pixel counts for itself"


def test_blur_comes_after_the_quanta():
    """A Gaussian of σ pixels leaves 1/(4πσ²) of white noise's variance; blur before the quanta would leave it all."""
    flat, sigma_px, per_mm2 = np.full((300, 300), 0.3), 1.5, 1e4
    exposure = Exposure(photons_per_mm2=per_mm2, blur_mm=sigma_px * 0.5)
    noisy = detected(flat, exposure, (0.5, 0.5), np.random.default_rng(2))
    expected = 0.3 / (per_mm2 * 0.25) / (4 * np.pi * sigma_px**2)
    assert noisy.var() == pytest.approx(expected, rel=0.1)
    assert np.corrcoef(noisy[:, :-1].ravel(), noisy[:, 1:].ravel())[0, 1] == pytest.approx(np.exp(-1 / 9), abs=0.05)


def test_the_same_seed_is_the_same_noise_and_photons_count_per_area():
    flat, exposure = np.full((100, 100), 1.0), Exposure(photons_per_mm2=1000)
    first, again = (detected(flat, exposure, PIXEL, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    coarse = detected(flat, exposure, (1.4, 1.0), np.random.default_rng(3))
    assert first.var() / coarse.var() == pytest.approx(4, rel=0.15)


@pytest.mark.parametrize("sigma_mm", [0.6, 1.5])
def test_the_mtf_is_the_stated_gaussian(sigma_mm):
    """A sine wave of f line pairs a mm keeps exp(−2π²σ²f²) of its height."""
    step, frequency = 0.1, 0.2
    x = np.arange(1000) * step
    wave = 1 + 0.5 * np.sin(2 * np.pi * frequency * x)[None].repeat(5, axis=0)
    kept = np.ptp(blurred(wave, sigma_mm, (step, step))[2, 300:700]) / np.ptp(wave[2])
    assert kept == pytest.approx(np.exp(-2 * np.pi**2 * sigma_mm**2 * frequency**2), rel=1e-3)
    assert blurred(wave, 0, (step, step)) is wave


@pytest.mark.parametrize("fraction", [0.1, 0.4, 0.8])
def test_scatter_is_its_stated_share_behind_the_patient_and_veils_contrast(fraction):
    passing = np.exp(-through_water(65, np.where(np.indices((120, 100))[1] < 50, 0, 150)))
    passing[60:70, 70:80] *= np.exp(-0.1)
    fog = scattered(passing, fraction, 30.0, (2.0, 2.0))
    behind = passing < 0.5
    assert fog[behind].sum() / (fog + passing)[behind].sum() == pytest.approx(fraction)
    assert (fog >= 0).all()
    assert np.abs(np.diff(fog[:, 55:], axis=1)).max() < 0.05 * fog.max(), "it is broad"
    plain, veiled = (np.log(picture[50, 75] / picture[65, 75]) for picture in (passing, passing + fog))
    assert plain == pytest.approx(0.1)
    assert veiled == pytest.approx(0.1 * (passing / (passing + fog))[65, 75], rel=0.15)


def test_nothing_scatters_without_a_patient():
    open_beam = np.ones((20, 20))
    assert not scattered(open_beam, 0.5, 10.0, PIXEL).any()
    passing, fog = arriving([np.full((20, 20), 3.0)], Exposure(), PIXEL)
    assert not fog.any()
    assert_allclose(passing, np.exp(-3))


def test_where_no_photon_came_the_logarithm_ends():
    assert log_signal(np.zeros((1, 1)))[0, 0] == pytest.approx(-np.log(FAINTEST))
    assert faintest_of(Exposure(), PIXEL) == FAINTEST
    assert faintest_of(Exposure(photons_per_mm2=100), PIXEL) == pytest.approx(0.5 / 35)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Spectrum((), ()), "one weight for each energy"),
        (lambda: Spectrum((60.0, 70.0), (1.0,)), "2 energies and 1 weights"),
        (lambda: Spectrum((60.0,), (0.0,)), "not all 0"),
        (lambda: Spectrum((60.0, 70.0), (2.0, -1.0)), "not negative"),
        (lambda: Exposure(scatter_fraction=1.0), "below 1"),
        (lambda: Exposure(blur_mm=-1), "have a width"),
        (lambda: Exposure(photons_per_mm2=0), "positive number"),
        (lambda: primary([np.ones((2, 2))], Spectrum((50.0, 60.0), (1.0, 1.0))), "needs as many pictures"),
    ],
)
def test_what_no_exposure_has(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_a_spectrums_mean_is_by_its_weights():
    assert Spectrum((50.0, 80.0), (1.0, 2.0)).mean_kev == pytest.approx(70)
