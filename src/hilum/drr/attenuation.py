"""HU to linear attenuation at a photon energy.

Every voxel is taken for a mixture of two neighbours among air, water and cortical bone, by volume. HU are defined by
air (−1000) and water (0), so both are exact at every energy; lung keeps its share of water down to air. Above water the
HU of pure cortical bone at the CT's own effective energy anchors the mixture, so that bone stands out more in a softer
beam and less in a harder one, as it does on film.

Mass attenuation coefficients and densities: Hubbell and Seltzer, NIST Standard Reference Database 126 (air, dry; water,
liquid; bone, cortical, ICRU-44). Between the tabulated energies they are interpolated on logarithmic axes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numba
import numpy as np

from hilum.core import InputError, Quantity, Volume
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.core.volume import AIR_HU, Voxels
from hilum.drr.compiled import compiled
from hilum.drr.energies import CT_KEV, RADIOGRAPH_KEV
from hilum.drr.hu import require_hu

WATER_HU = 0.0

Keep = Callable[[int, int], Selection]
"""Which voxels of the array's slices, from a first one to before a last one, stay: all others are air."""

_KEV = np.array([30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 150.0])


@dataclass(frozen=True)
class Material:
    """A material of NIST's table.

    Attributes:
        name: what it is.
        density_g_cm3: its density.
        mass_attenuation_cm2_g: μ/ρ at 30, 40, 50, 60, 80, 100 and 150 keV.
    """

    name: str
    density_g_cm3: float
    mass_attenuation_cm2_g: tuple[float, ...]

    def attenuation_per_mm(self, energy_kev: float) -> float:
        """Linear attenuation coefficient μ in 1/mm.

        Raises:
            InputError: the energy is outside the table.
        """
        if not _KEV[0] <= energy_kev <= _KEV[-1]:
            raise InputError(f"photon energies from {_KEV[0]:g} to {_KEV[-1]:g} keV are tabulated, got {energy_kev:g}.")
        logarithm = np.interp(np.log(energy_kev), np.log(_KEV), np.log(self.mass_attenuation_cm2_g))
        return float(np.exp(logarithm)) * self.density_g_cm3 / 10


AIR = Material("air", 1.205e-3, (0.3538, 0.2485, 0.2080, 0.1875, 0.1662, 0.1541, 0.1356))
WATER = Material("water", 1.0, (0.3756, 0.2683, 0.2269, 0.2059, 0.1837, 0.1707, 0.1505))
BONE = Material("cortical bone", 1.92, (1.331, 0.6655, 0.4242, 0.3148, 0.2229, 0.1855, 0.1480))


def hounsfield(material: Material, energy_kev: float = CT_KEV) -> float:
    """HU of a pure material at a CT's effective energy: 1000 (μ − μ_water) / (μ_water − μ_air)."""
    water, air = (reference.attenuation_per_mm(energy_kev) for reference in (WATER, AIR))
    return 1000 * (material.attenuation_per_mm(energy_kev) - water) / (water - air)


def attenuation_per_mm(hu: Floats | float, energy_kev: float = RADIOGRAPH_KEV, ct_kev: float = CT_KEV) -> Floats:
    """Linear attenuation in 1/mm of voxels with these HU, at a photon energy.

    Values below air (padding such as −1024 or −2048, and noise) are air. Above cortical bone (metal, contrast medium)
    the last slope goes on.

    Args:
        hu: any shape.
        energy_kev: energy of the radiograph's photons.
        ct_kev: effective energy at which the HU were measured.
    """
    anchors_hu = np.array([AIR_HU, WATER_HU, hounsfield(BONE, ct_kev)])
    anchors = np.array([material.attenuation_per_mm(energy_kev) for material in (AIR, WATER, BONE)])
    slopes = np.diff(anchors) / np.diff(anchors_hu)
    above_air = np.maximum(np.asarray(hu, dtype=np.float64) - AIR_HU, 0)
    above_water = np.maximum(above_air - (WATER_HU - AIR_HU), 0)
    return np.asarray(anchors[0] + slopes[0] * above_air + (slopes[1] - slopes[0]) * above_water)


def attenuation(ct: Volume, energy_kev: float = RADIOGRAPH_KEV, ct_kev: float = CT_KEV) -> Volume:
    """A CT as linear attenuation in 1/mm, float32.

    Whole HU go through a table, one look-up a voxel; others are computed slice by slice.

    Raises:
        UnitError: the volume is not in HU, or its values can't be (`hilum.drr.hu`).
    """
    return next(attenuation_slabs(ct, len(ct.array), energy_kev, ct_kev))


def attenuation_slabs(
    ct: Volume, slices: int, energy_kev: float = RADIOGRAPH_KEV, ct_kev: float = CT_KEV, keep: Keep | None = None
) -> Iterator[Volume]:
    """The same, so many slices of the array at a time; raises UnitError like `attenuation`, for the whole CT.

    Args:
        ct: HU.
        slices: how many at a time; the last slab may have fewer.
        energy_kev: energy of the radiograph's photons.
        ct_kev: effective energy at which the HU were measured.
        keep: which voxels count, all others being air; None for all.
    """
    require_hu(ct)
    lowest, highest = float(ct.array.min()), float(ct.array.max())
    is_whole = ct.array.dtype.kind in "iu" and highest - lowest < 2**16
    values = np.arange(lowest, highest + 1) if is_whole else np.array([])
    table = attenuation_per_mm(values, energy_kev, ct_kev).astype(np.float32)
    depth, height, width = ct.geometry.shape_zyx
    for start in range(0, depth, slices):
        slab = ct.crop((start, 0, 0), (min(slices, depth - start), height, width))
        result = np.empty(slab.array.shape, dtype=np.float32)
        if is_whole:
            _look_up(slab.array, int(lowest), table, result)
        else:
            for k, plane in enumerate(slab.array):
                result[k] = attenuation_per_mm(plane, energy_kev, ct_kev)
        if keep is not None:
            air = attenuation_per_mm(AIR_HU, energy_kev, ct_kev).astype(np.float32)
            for k, plane in enumerate(result, start):
                np.copyto(plane, air, where=~keep(k, k + 1)[0])
        yield Volume(result, slab.geometry, Quantity.ATTENUATION)


@compiled
def _look_up(voxels: Voxels, first: int, table: Voxels, result: Voxels) -> None:
    """The table's value for each whole number [z, y, x]; `first` is the number that the table begins with."""
    for k in numba.prange(voxels.shape[0]):
        for j in range(voxels.shape[1]):
            for i in range(voxels.shape[2]):
                result[k, j, i] = table[int(voxels[k, j, i]) - first]
