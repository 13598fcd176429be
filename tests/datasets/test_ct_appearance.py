"""How a CT looks, against steps and noise that are known."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage

from hilum.core import Geometry, Volume
from hilum.datasets.ct_appearance import appearance, edge_sigma_mm, noise_field, noise_hu, second_differences

RNG = np.random.default_rng(5)


def stepped(sigma_mm, step_mm=0.7, size=48, offset=0.3):
    """Soft tissue beside lung: a step along x, blurred; its place is nobody's pixel."""
    x = (np.arange(size) - size / 2 + offset) * step_mm
    level = -850 + 900 * 0.5 * (1 + np.vectorize(math.erf)(x / (sigma_mm * math.sqrt(2))))
    return Volume(np.tile(level, (3, size, 1)), Geometry.regular((3, size, size), (2.0, step_mm, step_mm)))


def tissue(noise, shape=(16, 96, 96)):
    return Volume(40 + noise, Geometry.regular(shape, (2.5, 0.7, 0.7)))


@pytest.mark.parametrize("sigma_mm", [0.6, 0.9, 1.4])
@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5])
def test_the_blur_of_a_step_is_found(sigma_mm, offset):
    found = edge_sigma_mm(stepped(sigma_mm, offset=offset), (1, 2))
    assert found == pytest.approx(sigma_mm, rel=0.08)


def test_the_blur_is_along_the_axis_that_is_asked_for():
    ct = stepped(0.8, step_mm=1.0)
    upright = Volume(np.moveaxis(ct.array, 2, 0), Geometry.regular((48, 3, 48), (1.0, 1.0, 1.0)))
    assert edge_sigma_mm(upright, (0,)) == pytest.approx(0.8, rel=0.08)
    assert math.isnan(edge_sigma_mm(upright, (1, 2)))


def test_noise_is_found_on_slopes_and_planes_and_not_elsewhere():
    slope = np.linspace(-930, -760, 64)[None, None, :] + np.zeros((4, 64, 64))
    assert noise_hu(slope + RNG.normal(0, 20, slope.shape)) == pytest.approx(20, rel=0.05)
    assert noise_hu(slope) == pytest.approx(0, abs=1e-3)
    assert math.isnan(noise_hu(np.full((4, 64, 64), 700.0)))
    assert second_differences(RNG.normal(0, 3, (4, 200, 200))).std() == pytest.approx(3, rel=0.03)


def test_added_noise_has_the_ct_s_own_texture():
    sigma = 0.9
    noise = ndimage.gaussian_filter(RNG.standard_normal((16, 96, 96)), (0.5, sigma, sigma)) * 60
    looks = appearance(tissue(noise))
    assert looks.has_own_texture
    drawn = noise_field(np.random.default_rng(0), (12, 80, 80), looks.texture)
    assert second_differences(drawn).std() == pytest.approx(1, rel=0.05)

    def next_to(values, axis):
        a, b = (np.take(values, np.arange(start, values.shape[axis] - 1 + start), axis) for start in (0, 1))
        return np.corrcoef(a.ravel(), b.ravel())[0, 1]

    # White noise through a Gaussian: correlation exp(-d² / 4 σ²).
    assert next_to(drawn, 2) == pytest.approx(math.exp(-1 / (4 * sigma**2)), abs=0.08)
    assert next_to(drawn, 0) == pytest.approx(next_to(noise, 0), abs=0.1)
    assert_allclose(drawn.mean(), 0, atol=0.3)


def test_noise_without_a_texture_of_its_own_is_uncorrelated():
    lung = Volume(-850 + RNG.normal(0, 10, (6, 64, 64)), Geometry.regular((6, 64, 64), (2.5, 0.7, 0.7)))
    looks = appearance(lung)
    assert not looks.has_own_texture
    assert math.isnan(looks.sigma_mm)
    assert looks.noise_hu == pytest.approx(10, rel=0.06)
    assert noise_field(np.random.default_rng(0), (3, 40, 40), looks.texture).std() == pytest.approx(1, rel=0.05)


def test_a_phantom_without_noise_has_none_and_no_texture():
    looks = appearance(tissue(np.zeros((16, 96, 96))))
    assert (looks.noise_hu, looks.has_own_texture) == (0.0, False)
    assert np.isfinite(looks.texture).all()
