"""A nodule's shadow: where it falls, how thick the nodule is there, and what it adds to the rays.

- **Silhouette.** A pixel is in when its ray runs through the nodule's voxels for at least half of their smallest
  side. Voxels are boxes (`hilum.drr.chords`). Half a voxel keeps out rays that only graze a corner.
- **Contribution.** The attenuation that the nodule adds to the ray: ∫(μ − μ_lung) dl over its voxels. μ_lung is that of
  the lung it replaces: the median of the voxels from 2 to 8 mm around it that are below −500 HU; where there are none,
  of −850 HU, a lung in inspiration.

How well a shadow can be seen says `hilum.drr.visibility`.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hilum.core import Geometry, Mask, Volume
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.drr.attenuation import attenuation_per_mm
from hilum.drr.chords import project_boxes
from hilum.drr.energies import RADIOGRAPH_KEV
from hilum.drr.projection import Projection
from hilum.ops import resample_to

_SHELL_MM = (2.0, 8.0)
_LUNG_HU, _USUAL_LUNG_HU = -500.0, -850.0


@dataclass(frozen=True, eq=False)
class Shadow:
    """One nodule on one picture.

    Attributes:
        chord_mm: [row, column] path through the nodule.
        silhouette: [row, column] which pixels its shadow covers.
    """

    chord_mm: Floats
    silhouette: Selection

    @property
    def is_seen(self) -> bool:
        """Whether any of it falls on the detector."""
        return bool(self.silhouette.any())


def shadow_of(mask: Mask, projection: Projection, least_mm: float | None = None) -> Shadow:
    """The shadow of a nodule's mask, on its own block or on the whole grid.

    Args:
        mask: 3D; every label above 0 counts.
        projection: the rays.
        least_mm: the shortest path that makes a pixel part of the silhouette; None for half the smallest voxel side.

    Raises:
        UnitError: the mask is 2D.
    """
    geometry = mask.require_geometry()
    inside = mask.labels > 0
    if not inside.any():
        nothing = np.zeros(projection.shape_yx)
        return Shadow(nothing, nothing > 0)
    chord_mm = project_boxes(tight(Volume(inside.astype(np.float64), geometry)), projection)
    least = min(geometry.spacing_zyx_mm) / 2 if least_mm is None else least_mm
    return Shadow(chord_mm, chord_mm >= max(least, 1e-6) - 1e-6)


def contribution(ct: Volume, mask: Mask, projection: Projection, energy_kev: float = RADIOGRAPH_KEV) -> Floats:
    """What a nodule adds to each ray's line integral [row, column], without a unit: ∫(μ − μ_lung) dl.

    The CT is read at the mask's voxels; they may be its own, or others (a ball on a finer grid).

    Args:
        ct: HU.
        mask: the nodule.
        projection: the rays.
        energy_kev: of the photons; for a spectrum its mean.

    Raises:
        UnitError: the mask is 2D.
    """
    inside = mask.labels > 0
    if not inside.any():
        return np.zeros(projection.shape_yx)
    wide, selection = _with_margin(mask.require_geometry(), inside, _SHELL_MM[1])
    around = resample_to(_near(ct, wide), wide)
    background = attenuation_per_mm(background_hu(around, selection), energy_kev)
    more = np.where(selection, attenuation_per_mm(around.array, energy_kev) - background, 0.0)
    return project_boxes(Volume(more, wide), projection)


def _near(ct: Volume, geometry: Geometry) -> Volume:
    """The part of a CT that another grid needs for interpolation; at least one voxel."""
    index = ct.geometry.to_index(geometry.corners_lps_mm())
    last = np.array(ct.geometry.shape_zyx) - 1
    low = np.clip(np.floor(index.min(axis=0)) - 1, 0, last).astype(int)
    high = np.clip(np.ceil(index.max(axis=0)) + 1, 0, last).astype(int)
    (k, j, i), (nz, ny, nx) = low, high - low + 1
    return ct.crop((int(k), int(j), int(i)), (int(nz), int(ny), int(nx)))


def _with_margin(geometry: Geometry, inside: Selection, margin_mm: float) -> tuple[Geometry, Selection]:
    """The grid around what is selected, with a margin on every side, and the selection on it."""
    box = box_of(inside)
    margin = [math.ceil(margin_mm / step) for step in geometry.spacing_zyx_mm]
    affine = np.array(geometry.affine_lps)
    affine[:3, 3] = geometry.to_lps_mm([part.start - more for part, more in zip(box, margin, strict=True)])
    wide = np.pad(inside[box], [(more, more) for more in margin])
    nz, ny, nx = wide.shape
    return Geometry((nz, ny, nx), affine, geometry.frame_uid), wide


def background_hu(ct: Volume, inside: Selection) -> float:
    """HU of the lung that a nodule replaces, by the rule above.

    Args:
        ct: the nodule's surroundings.
        inside: the nodule's voxels [z, y, x].
    """
    away_mm = ndimage.distance_transform_edt(~inside, sampling=ct.geometry.spacing_zyx_mm)
    shell = (away_mm >= _SHELL_MM[0]) & (away_mm <= _SHELL_MM[1]) & (ct.array < _LUNG_HU)
    return float(np.median(ct.array[shell])) if shell.any() else _USUAL_LUNG_HU


def tight(volume: Volume) -> Volume:
    """The smallest block that holds all that isn't 0; at least one voxel is."""
    box = box_of(volume.array != 0)
    k, j, i = (part.start for part in box)
    nz, ny, nx = (part.stop - part.start for part in box)
    return volume.crop((k, j, i), (nz, ny, nx))


def box_of(selection: Selection) -> tuple[slice, ...]:
    """The smallest box around what is selected; at least one element is."""
    box = []
    for axis in range(selection.ndim):
        others = tuple(other for other in range(selection.ndim) if other != axis)
        hits = np.flatnonzero(selection.any(axis=others))
        box.append(slice(int(hits[0]), int(hits[-1]) + 1))
    return tuple(box)
