"""How well a nodule's shadow can be seen: contrast to noise, what lies over it, and one score.

The rules, stated once:

- **Ring.** The pixels from 2 to 6 mm outside the silhouette, measured on the detector, without other nodules' shadows.
  A plane fitted to the ring is the background, so that the slope from the mediastinum to the lung counts neither as
  contrast nor as noise. Noise is the standard deviation of what the plane leaves of the ring: quanta and anatomy
  together, of which anatomy is the larger part in the chest (Samei 1999, Radiology 213:727).
- **Contrast to noise.** What is seen: the mean of the picture inside the silhouette less the background there, over the
  noise. It needs the picture only, so it holds for published pairs too. Ribs and vessels that happen to cross can make
  it negative.
- **Own contrast to noise.** What the nodule itself adds to −ln of the signal (`contribution`, less what scatter veils),
  over the same noise. Only a CT tells it.
- **Overlap.** For each organ the share of the silhouette's pixels whose ray runs through at least 1 mm of it.
- **Visibility**, 0 to 1: contrast × size × freedom.

  contrast = c / (c + 1), c = own contrast to noise (the seen one where there is no CT), 0 when not positive: one half
  where the nodule adds as much as its surroundings vary.
  size = d² / (d² + 9²), d = diameter in mm of the disc with the silhouette's area, brought back to the patient's
  plane: one half at 9 mm, since lung nodules become detectable on radiographs at 8 to 10 mm (Kundel 1981, Radiology
  139:25).
  freedom = 1 − ½ × the largest overlap: a nodule wholly behind a rib, the heart, the spine or the diaphragm counts
  half; contrast to noise knows only the edges that fall into the ring. 1 where no organ mask is given.

  The score orders shadows by how hard they are to see. It is no probability: nobody's reading has calibrated it.
  `hilum.drr.visibility_score` computes it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hilum.core import Mask, Quantity, Volume
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.core.radiograph import PixelMm
from hilum.drr.chords import cut_out, part_of, shadow_window
from hilum.drr.joseph import project_joseph
from hilum.drr.projection import Projection
from hilum.drr.shadow import box_of

RING_MM = (2.0, 6.0)
"""Where the ring around a silhouette begins and ends, on the detector."""

LEAST_RING = 20
"""Pixels that a ring needs for its plane and its standard deviation to mean something."""

_ORGAN_MM = 1.0

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


@dataclass(frozen=True)
class Stand:
    """How a shadow stands out of its ring, in the picture's unit; NaN where there is no silhouette or no ring.

    Attributes:
        contrast: mean inside the silhouette less the background.
        noise: standard deviation of the ring around the background.
    """

    contrast: float
    noise: float

    @property
    def contrast_to_noise(self) -> float:
        """Their ratio; NaN when nothing varies in the ring."""
        return self.contrast / self.noise if self.noise > 0 else math.nan


def against_ring(picture: Floats, silhouette: Selection, pixel_mm: PixelMm, others: Selection | None = None) -> Stand:
    """How a silhouette stands out of the ring around it, by the rule above.

    Args:
        picture: [row, column], dense is high: −ln of the signal, or a published picture's grey levels.
        silhouette: the shadow's pixels.
        pixel_mm: row and column step.
        others: pixels of other nodules' shadows, which are no background.
    """
    if not silhouette.any():
        return Stand(math.nan, math.nan)
    window = _around(silhouette, pixel_mm)
    inside, values = silhouette[window], picture[window].astype(np.float64)
    away_mm = ndimage.distance_transform_edt(~inside, sampling=pixel_mm)
    ring = (away_mm >= RING_MM[0]) & (away_mm <= RING_MM[1])
    if others is not None:
        ring &= ~others[window]
    if ring.sum() < LEAST_RING:
        return Stand(math.nan, math.nan)
    rest = values - _plane_through(values, ring)
    return Stand(float(rest[inside].mean()), float(rest[ring].std()))


def _around(silhouette: Selection, pixel_mm: PixelMm) -> tuple[slice, ...]:
    """The window that holds a silhouette and its ring."""
    reach = [math.ceil(RING_MM[1] / step) + 1 for step in pixel_mm]
    box = box_of(silhouette)
    return tuple(
        slice(max(part.start - margin, 0), part.stop + margin) for part, margin in zip(box, reach, strict=True)
    )


def _plane_through(values: Floats, ring: Selection) -> Floats:
    """The plane that fits the ring's values best (least squares), everywhere."""
    rows, columns = np.indices(values.shape)
    terms = np.stack([np.ones_like(values), rows, columns], axis=-1)
    coefficients = np.linalg.lstsq(terms[ring], values[ring], rcond=None)[0]
    return np.asarray(terms @ coefficients)


def organ_shadows(organs: Mask, projection: Projection) -> dict[str, Selection]:
    """For each of `ORGANS` that the mask names: which pixels' rays run through at least 1 mm of it, [row, column].

    Args:
        organs: labels with TotalSegmentator's names.
        projection: the rays.

    Raises:
        GeometryError: the rays miss the mask's grid.
    """
    geometry = organs.require_geometry()
    kinds = _kinds(organs)
    found = {}
    for kind, (name, box) in enumerate(zip(ORGANS, ndimage.find_objects(kinds, len(ORGANS)), strict=True), 1):
        if box is not None:
            inside = (kinds[box] == kind).astype(np.float32)
            start_k, start_j, start_i = (part.start for part in box)
            block = Volume(inside, geometry.crop((start_k, start_j, start_i), inside.shape), Quantity.DISPLAY)
            found[name] = _path_mm(block, projection) >= _ORGAN_MM
    return found


def _kinds(organs: Mask) -> NDArray[np.uint8]:
    """For each voxel which of `ORGANS` it belongs to, counted from 1; 0 for none. Through a table, plane by plane."""
    kind_of = {
        label: kind
        for label, organ in organs.names.items()
        for kind, beginnings in enumerate(ORGANS.values(), 1)
        if label > 0 and organ.startswith(beginnings)
    }
    table = np.zeros(max(kind_of, default=0) + 2, np.uint8)
    table[list(kind_of)] = list(kind_of.values())
    last = min(len(table) - 1, int(np.iinfo(organs.labels.dtype).max))
    result = np.empty(organs.labels.shape, np.uint8)
    for k, plane in enumerate(organs.labels):
        result[k] = table[np.minimum(plane, last)]
    return result


def overlaps(silhouette: Selection, organs: Mapping[str, Selection]) -> dict[str, float]:
    """For each organ the share of the silhouette that it lies over or under; NaN without a silhouette."""
    area = int(silhouette.sum())
    return {name: int((silhouette & shadow).sum()) / area if area else math.nan for name, shadow in organs.items()}


def _path_mm(block: Volume, projection: Projection) -> Floats:
    """Path through a block by the fast projector, 0 where its shadow doesn't reach."""
    result = np.zeros(projection.shape_yx)
    window = shadow_window(block.geometry, projection)
    if window is not None and 0 not in cut_out(projection, window):
        result[window] = project_joseph(block, part_of(projection, window))
    return result
