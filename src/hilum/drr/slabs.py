"""CT to line integrals in one go: attenuation is made and projected a few slices at a time, never for the whole volume.

Projection is linear, and what `project_joseph` reads beyond a slab's edge falls to 0 just as its neighbour's rises, so
the slabs' pictures add up to the picture of the whole. Memory grows by one slab instead of twice the CT; the price is
some time, since each slab is a round of its own over all cores.
"""

import numpy as np
from numpy.typing import NDArray

from hilum.core import Volume
from hilum.drr.attenuation import Keep, attenuation_slabs
from hilum.drr.chords import cut_out, part_of, shadow_window
from hilum.drr.energies import CT_KEV, RADIOGRAPH_KEV
from hilum.drr.joseph import project_joseph
from hilum.drr.projection import Projection

_WHOLE = (slice(0, None), slice(0, None))
_FEWEST, _MOST = 8, 32
"""Slices of a slab, else a quarter of the CT: thinner slabs take longer, thicker ones more memory."""


def project_ct(
    ct: Volume,
    projection: Projection,
    energy_kev: float = RADIOGRAPH_KEV,
    ct_kev: float = CT_KEV,
    keep: Keep | None = None,
) -> NDArray[np.float32]:
    """Line integrals [row, column] of a CT's attenuation: `project_joseph(attenuation(ct))` in less memory.

    Args:
        ct: HU.
        projection: the rays.
        energy_kev: energy of the photons.
        ct_kev: effective energy at which the HU were measured.
        keep: which voxels count, all others being air, such as `hilum.drr.patient.Body.slices`; None for all.

    Raises:
        GeometryError: the rays miss the volume.
        UnitError: the volume is not in HU, or its values can't be.
    """
    projection.require_hit(ct.geometry)
    result = np.zeros(projection.shape_yx, dtype=np.float32)
    slices = min(max(len(ct.array) // 4, _FEWEST), _MOST)
    for slab in attenuation_slabs(ct, slices, energy_kev, ct_kev, keep):
        window = shadow_window(slab.geometry, projection, reach=1.0) or _WHOLE
        if 0 not in cut_out(projection, window):
            result[window] += project_joseph(slab, part_of(projection, window))
    return result
