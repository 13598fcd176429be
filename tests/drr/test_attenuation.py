"""Attenuation that NIST tabulates, at the HU that define it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core import Geometry, InputError, Quantity, UnitError, Volume
from hilum.drr.attenuation import AIR, BONE, WATER, attenuation, attenuation_per_mm, hounsfield
from hilum.drr.energies import CT_KEV

GRID = Geometry.regular((2, 3, 4), (1, 1, 1))


@pytest.mark.parametrize(
    ("material", "energy_kev", "per_cm"),
    [(WATER, 60, 0.2059), (WATER, 80, 0.1837), (BONE, 60, 0.3148 * 1.92), (AIR, 100, 0.1541 * 1.205e-3)],
)
def test_tabulated_energies_are_read_as_they_stand(material, energy_kev, per_cm):
    assert material.attenuation_per_mm(energy_kev) == pytest.approx(per_cm / 10, rel=1e-12)


def test_between_tabulated_energies_the_course_is_smooth_and_falling():
    energies = np.linspace(30, 150, 200)
    for material in (AIR, WATER, BONE):
        course = [material.attenuation_per_mm(energy) for energy in energies]
        assert (np.diff(course) < 0).all()
    assert WATER.attenuation_per_mm(70) == pytest.approx(0.01929, rel=0.01), "XCOM: 0.1929 1/cm at 70 keV"
    with pytest.raises(InputError, match="30 to 150 keV"):
        WATER.attenuation_per_mm(20)


@given(st.floats(40, 120))
def test_air_water_and_bone_are_anchored_at_every_energy(energy_kev):
    for hu, material in ((-1000, AIR), (0, WATER), (hounsfield(BONE), BONE)):
        assert attenuation_per_mm(hu, energy_kev) == pytest.approx(material.attenuation_per_mm(energy_kev), rel=1e-9)


def test_at_the_cts_own_energy_hu_come_back_by_definition():
    water, air = (material.attenuation_per_mm(CT_KEV) for material in (WATER, AIR))
    hu = np.array([-950.0, -850, -500, -30, 40, 300, 1500])
    back = 1000 * (attenuation_per_mm(hu, CT_KEV) - water) / (water - air)
    np.testing.assert_allclose(back, hu, atol=1e-6)


def test_lung_is_kept_and_padding_is_air():
    lung = attenuation_per_mm(np.array([-1000.0, -950, -900, -850, -800]))
    assert (np.diff(lung) > 0).all(), "nothing is flattened below −800 HU"
    assert lung[2] == pytest.approx(0.1 * WATER.attenuation_per_mm(65), rel=0.02)
    assert attenuation_per_mm(-2048) == attenuation_per_mm(-1024) == attenuation_per_mm(-1000)


def test_bone_stands_out_more_in_a_softer_beam():
    contrast = [float(attenuation_per_mm(1000, kev) / attenuation_per_mm(0, kev)) for kev in (50, 70, 100)]
    assert contrast[0] > contrast[1] > contrast[2] > 1.3


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.int32])
def test_a_volume_is_converted_voxel_by_voxel_whatever_its_type(dtype):
    hu = np.array([-2048, -1024, -1000, -850, -3, 0, 40, 700, 1608, 3071, 100, -500], dtype=dtype).repeat(2)
    ct = Volume(hu.reshape(GRID.shape_zyx), GRID)
    found = attenuation(ct, 60)
    assert found.quantity is Quantity.ATTENUATION
    assert found.array.dtype == np.float32
    np.testing.assert_allclose(found.array.ravel(), attenuation_per_mm(hu, 60), rtol=1e-6)


def test_values_that_are_no_hu_are_refused():
    eight_bit = Volume(np.full(GRID.shape_zyx, 128, np.uint8), GRID)
    with pytest.raises(UnitError, match=r"run from 128 to 128\. Rescale them to HU first"):
        attenuation(eight_bit)
    with pytest.raises(UnitError, match="in HU were expected"):
        attenuation(Volume(np.zeros(GRID.shape_zyx), GRID, Quantity.DISPLAY))
