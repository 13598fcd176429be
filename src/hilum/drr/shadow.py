"""A nodule's shadow: where it falls, how thick the nodule is there, what it adds, and how well it can be seen.

The rules, stated once:

- **Silhouette.** A pixel is in when its ray runs through the nodule's voxels for at least half of the CT's smallest
  voxel side. Voxels are boxes (`hilum.drr.chords`). Half a voxel keeps out rays that only graze a corner.
- **Contribution.** The attenuation that the nodule adds to the ray: ∫(μ − μ_lung) dl over its voxels. μ_lung is that of
  the lung it replaces: the median of the voxels from 2 to 8 mm around it that are below −500 HU; where there are none,
  of −850 HU, a lung in inspiration.
- **Contrast to noise.** (mean inside − mean of the ring) / standard deviation of the ring, on −ln of the signal. The
  ring holds the pixels from 2 to 10 mm outside the silhouette, without other nodules' shadows. Its spread is quanta
  and anatomy together; anatomy is the larger part in the chest (Samei 1999, Radiology 213:727).
- **Overlap.** For each organ the share of the silhouette's pixels whose ray runs through at least 1 mm of it.
- **Visibility**, 0 to 1: contrast × size × freedom.

  contrast = c / (c + 1), c = contrast to noise, 0 when not positive: one half where the nodule stands out as much as
  its surroundings vary.
  size = d² / (d² + 9²), d = diameter in mm of the disc with the silhouette's area, brought back to the patient's
  plane: one half at 9 mm, since lung nodules become detectable on radiographs at 8 to 10 mm (Kundel 1981, Radiology
  139:25).
  freedom = 1 − ½ × the largest overlap: a nodule wholly behind a rib, the heart, the spine or the diaphragm counts
  half; contrast to noise knows only the edges that fall into the ring. 1 where no organ mask is given.

  The score orders shadows by how hard they are. It is no probability: nobody's reading has calibrated it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hilum.core import Mask, Volume
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.core.radiograph import PixelMm
from hilum.drr.attenuation import RADIOGRAPH_KEV, attenuation_per_mm
from hilum.drr.chords import cut_out, part_of, project_boxes, shadow_window
from hilum.drr.joseph import project_joseph
from hilum.drr.projection import Projection
from hilum.ops import place

RING_MM = (2.0, 10.0)
"""Where the ring around a silhouette begins and ends, on the detector."""

LEAST_RING = 20
"""Pixels that a ring needs for its standard deviation to mean something."""

_SHELL_MM = (2.0, 8.0)
_LUNG_HU, _USUAL_LUNG_HU = -500.0, -850.0
_ORGAN_MM = 1.0
_HALF_SEEN_MM = 9.0
_HIDDEN_COUNTS = 0.5

ORGANS: Mapping[str, tuple[str, ...]] = {
    "ribs": ("rib_", "costal_"),
    "clavicles": ("clavicula_",),
    "shoulder blades": ("scapula_",),
    "spine": ("vertebrae_",),
    "sternum": ("sternum",),
    "heart": ("heart", "atrial_appendage_"),
    "below the diaphragm": ("liver", "spleen", "stomach", "kidney_", "colon", "small_bowel", "pancreas"),
}
"""What can hide a nodule, by the beginnings of TotalSegmentator's names."""


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
    chord_mm = project_boxes(_tight(Volume(inside.astype(np.float64), geometry)), projection)
    least = min(geometry.spacing_zyx_mm) / 2 if least_mm is None else least_mm
    return Shadow(chord_mm, chord_mm >= max(least, 1e-6) - 1e-6)


def contribution(ct: Volume, mask: Mask, projection: Projection, energy_kev: float = RADIOGRAPH_KEV) -> Floats:
    """What a nodule adds to each ray's line integral [row, column], without a unit: ∫(μ − μ_lung) dl.

    Args:
        ct: HU, with the mask's voxels among its own.
        mask: the nodule.
        projection: the rays.
        energy_kev: of the photons; for a spectrum its mean.

    Raises:
        UnitError: the mask is 2D.
        GeometryError: the mask's voxels are not the CT's.
    """
    inside = place(mask, ct.geometry).labels > 0
    if not inside.any():
        return np.zeros(projection.shape_yx)
    block = _box_of(inside, math.ceil(_SHELL_MM[1] / min(ct.geometry.spacing_zyx_mm)))
    start = [part.start for part in block]
    around = ct.crop((start[0], start[1], start[2]), inside[block].shape)
    background = attenuation_per_mm(background_hu(around, inside[block]), energy_kev)
    more = np.where(inside[block], attenuation_per_mm(around.array, energy_kev) - background, 0.0)
    return project_boxes(Volume(more, around.geometry), projection)


def background_hu(ct: Volume, inside: Selection) -> float:
    """HU of the lung that a nodule replaces, by the rule above.

    Args:
        ct: the nodule's surroundings.
        inside: the nodule's voxels [z, y, x].
    """
    away_mm = ndimage.distance_transform_edt(~inside, sampling=ct.geometry.spacing_zyx_mm)
    shell = (away_mm >= _SHELL_MM[0]) & (away_mm <= _SHELL_MM[1]) & (ct.array < _LUNG_HU)
    return float(np.median(ct.array[shell])) if shell.any() else _USUAL_LUNG_HU


def contrast_to_noise(
    picture: Floats, silhouette: Selection, pixel_mm: PixelMm, others: Selection | None = None
) -> float:
    """Contrast to noise of a silhouette against the ring around it, by the rule above.

    Args:
        picture: [row, column], dense is high: −ln of the signal, or a published picture's grey levels.
        silhouette: the shadow's pixels.
        pixel_mm: row and column step.
        others: pixels of other nodules' shadows, which are no background.

    Returns:
        NaN when there is no silhouette, the ring has fewer than `LEAST_RING` pixels, or nothing varies in it.
    """
    if not silhouette.any():
        return math.nan
    reach = [math.ceil(RING_MM[1] / step) + 1 for step in pixel_mm]
    window = tuple(
        slice(max(part.start - margin, 0), part.stop + margin)
        for part, margin in zip(_box_of(silhouette), reach, strict=True)
    )
    inside, values = silhouette[window], picture[window]
    away_mm = ndimage.distance_transform_edt(~inside, sampling=pixel_mm)
    ring = (away_mm >= RING_MM[0]) & (away_mm <= RING_MM[1])
    if others is not None:
        ring &= ~others[window]
    if ring.sum() < LEAST_RING or not (noise := float(values[ring].std())) > 0:
        return math.nan
    return float(values[inside].mean() - values[ring].mean()) / noise


def organ_shadows(organs: Mask, projection: Projection) -> dict[str, Selection]:
    """For each of `ORGANS` that the mask names: which pixels' rays run through at least 1 mm of it, [row, column].

    Args:
        organs: labels with TotalSegmentator's names.
        projection: the rays.

    Raises:
        GeometryError: the rays miss the mask's grid.
    """
    found = {}
    for name, beginnings in ORGANS.items():
        labels = [label for label, organ in organs.names.items() if organ.startswith(beginnings)]
        inside = np.isin(organs.labels, labels)
        if inside.any():
            block = _tight(Volume(inside, organs.require_geometry()))
            found[name] = _path_mm(Volume(block.array.astype(np.float32), block.geometry), projection) >= _ORGAN_MM
    return found


def overlaps(silhouette: Selection, organs: Mapping[str, Selection]) -> dict[str, float]:
    """For each organ the share of the silhouette that it lies over or under; NaN without a silhouette."""
    area = int(silhouette.sum())
    return {name: int((silhouette & shadow).sum()) / area if area else math.nan for name, shadow in organs.items()}


def visibility(cnr: float, diameter_mm: float, overlap: Sequence[float] = ()) -> float:
    """How well a shadow can be seen, 0 to 1, by the formula above; NaN when the contrast to noise is.

    Args:
        cnr: contrast to noise against the ring.
        diameter_mm: of the disc with the silhouette's area, in the patient's plane.
        overlap: shares of the silhouette that organs cover; empty when no organ is known.
    """
    stands_out = max(cnr, 0.0) if not math.isnan(cnr) else math.nan
    contrast = stands_out / (stands_out + 1)
    size = diameter_mm**2 / (diameter_mm**2 + _HALF_SEEN_MM**2)
    return contrast * size * (1 - _HIDDEN_COUNTS * max(overlap, default=0.0))


def _path_mm(block: Volume, projection: Projection) -> Floats:
    """Path through a block by the fast projector, 0 where its shadow doesn't reach."""
    result = np.zeros(projection.shape_yx)
    window = shadow_window(block, projection)
    if 0 not in cut_out(projection, window):
        result[window] = project_joseph(block, part_of(projection, window))
    return result


def _tight(volume: Volume) -> Volume:
    """The smallest block that holds all that isn't 0."""
    box = _box_of(volume.array != 0)
    k, j, i = (part.start for part in box)
    nz, ny, nx = (part.stop - part.start for part in box)
    return volume.crop((k, j, i), (nz, ny, nx))


def _box_of(selection: Selection, margin: int = 0) -> tuple[slice, ...]:
    """The smallest box around what is selected, with a margin as far as the array goes."""
    box = []
    for axis, size in enumerate(selection.shape):
        others = tuple(other for other in range(selection.ndim) if other != axis)
        hits = np.flatnonzero(selection.any(axis=others))
        box.append(slice(max(int(hits[0]) - margin, 0), min(int(hits[-1]) + 1 + margin, size)))
    return tuple(box)
