"""CT to line integrals in one go: attenuation is made and projected a few slices at a time, never for the whole volume.

Projection is linear, and what `project_joseph` reads beyond a slab's edge falls to 0 just as its neighbour's rises, so
the slabs' pictures add up to the picture of the whole. Memory grows by one slab instead of twice the CT; the price is
some time, since each slab is a round of its own over all cores.
"""

from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from hilum.core import Geometry, Volume
from hilum.drr.attenuation import CT_KEV, RADIOGRAPH_KEV, Keep, attenuation_slabs
from hilum.drr.joseph import project_joseph
from hilum.drr.projection import Projection

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
        rows, columns = _shadow(slab.geometry, projection)
        if rows.start < rows.stop and columns.start < columns.stop:
            result[rows, columns] += project_joseph(slab, _part(projection, rows, columns))
    return result


def _shadow(geometry: Geometry, projection: Projection) -> tuple[slice, slice]:
    """Rows and columns of the detector that hold all that a grid's voxels, and their fall to 0, cast on it."""
    corners = np.array(list(product(*((-1, size) for size in geometry.shape_zyx))))
    pixels = projection.to_pixel(geometry.to_lps_mm(corners))
    if np.isnan(pixels).any():  # partly behind the source
        return slice(0, projection.shape_yx[0]), slice(0, projection.shape_yx[1])
    low = np.maximum(np.floor(pixels.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(pixels.max(axis=0)) + 1, projection.shape_yx).astype(int)
    return slice(low[0], high[0]), slice(low[1], high[1])


def _part(projection: Projection, rows: slice, columns: slice) -> Projection:
    """The rays of a part of the detector."""
    corner = projection.to_lps_mm((rows.start, columns.start))
    shape = (int(rows.stop - rows.start), int(columns.stop - columns.start))
    return replace(projection, shape_yx=shape, corner_lps_mm=corner)
