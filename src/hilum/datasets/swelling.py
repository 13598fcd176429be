"""A CT's own nodule, grown: enlarged evenly about its centroid, what lies around it pushed aside.

What was at p comes to lie at q = c + s (p - c) within the nodule and a little around it, with s³ the growth of its
volume, and farther away by less and less, until nothing moves. So whatever outline the nodule has, its volume grows by
exactly s³; its inside, margin and neighbours stay those of the real one, spread out or pressed together.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from hilum.core import Geometry, InputError
from hilum.core.geometry import Floats, Triple
from hilum.core.mask import Selection
from hilum.core.volume import Voxels
from hilum.datasets.rescan import Background, Order
from hilum.measure import centroid_lps_mm

_HELD_MM = 2.5
"""Around the nodule, what is enlarged as it is: its margin, as the scanner blurs it."""
_FADE_MM = 16.0
"""Over which the displacement falls to nothing."""
_MOST = 2.0
"""Largest growth of volume: beyond that the lung around would have to be pressed too much."""


@dataclass(frozen=True, eq=False)
class Swelling:
    """The displacement about one nodule.

    Attributes:
        centre_lps_mm: of the nodule, which stays where it is.
        scale: of lengths.
        away_mm: [z, y, x] how far each voxel of a block lies from the nodule as it was; 0 inside.
        grid: of the block: what is beyond it doesn't move.
    """

    centre_lps_mm: Triple
    scale: float
    away_mm: Floats
    grid: Geometry

    @classmethod
    def of(cls, nodule: Selection, ct: Geometry, growth: float) -> "Swelling":
        """By a growth of volume, such as 1.25.

        Args:
            nodule: [z, y, x] on the CT's grid.
            ct: axes along the patient's.
            growth: of volume, 1 to 2.

        Raises:
            InputError: the growth is another, or there is no nodule.
        """
        if not 1 <= growth <= _MOST:
            raise InputError(f"an own nodule grows by a factor of 1 to {_MOST:g} in volume, got {growth:g}.")
        if not nodule.any():
            raise InputError("there is no nodule to grow.", "Give a mask of it.")
        scale = math.cbrt(growth)
        places = np.argwhere(nodule)
        reach = (np.ptp(places, axis=0) + 1) * ct.spacing_zyx_mm
        margin = np.ceil(((scale - 1) * reach + _HELD_MM + _FADE_MM) / ct.spacing_zyx_mm).astype(int) + 2
        low = np.maximum(places.min(axis=0) - margin, 0)
        high = np.minimum(places.max(axis=0) + margin + 1, ct.shape_zyx)
        (k, j, i), (nz, ny, nx) = low.tolist(), (high - low).tolist()
        block = nodule[k : k + nz, j : j + ny, i : i + nx]
        away = ndimage.distance_transform_edt(~block, ct.spacing_zyx_mm)
        grid = ct.crop((k, j, i), (nz, ny, nx))
        return cls(centroid_lps_mm(nodule, ct), scale, np.asarray(away, dtype=np.float64), grid)

    def origins_mm(self, points_lps_mm: Floats) -> Floats:
        """[n, 3] where what lies at places [n, 3] now was before."""
        from_centre = points_lps_mm - self.centre_lps_mm
        shrunk = self.centre_lps_mm + from_centre / self.scale
        away = ndimage.map_coordinates(self.away_mm, self.grid.to_index(shrunk).T, order=1, cval=np.inf)
        left = np.clip((away * self.scale - _HELD_MM) / _FADE_MM, 0, 1)
        share = 1 - left**2 * (3 - 2 * left)
        return np.asarray(points_lps_mm - from_centre * (1 - 1 / self.scale) * share[:, None])

    def applied(self, seen: Background) -> Background:
        """What the scanner sees of the CT then, by splines."""
        block = self._block_of(seen.ct.geometry)
        points = self.grid.to_lps_mm(np.indices(self.grid.shape_zyx).reshape(3, -1).T)
        since = self.grid.to_index(self.origins_mm(points))
        ct, kept = np.array(seen.ct.array), np.array(seen.kept)
        ct[block] = _read(ct[block], since, 3)
        kept[block] = np.clip(_read(kept[block], since, 1), 0, 1)
        return replace(seen, ct=replace(seen.ct, array=ct), kept=kept)

    def _block_of(self, ct: Geometry) -> tuple[slice, slice, slice]:
        """Of the block in its CT."""
        start = np.rint(ct.to_index(self.grid.origin_lps_mm)).astype(int).tolist()
        z, y, x = (slice(first, first + size) for first, size in zip(start, self.grid.shape_zyx, strict=True))
        return z, y, x


def _read(array: Voxels, index_kji: Floats, order: Order) -> Floats:
    """What lies at places [n, 3] between the voxels, as an array of the same shape."""
    found = ndimage.map_coordinates(array.astype(np.float64), index_kji.T, order=order, mode="nearest")
    return np.asarray(found.reshape(array.shape), dtype=np.float64)
