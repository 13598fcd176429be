"""Where a CT's lungs are on an X-ray of it, as people outline lungs there: without what heart and diaphragm hide.

Lungs reach behind the heart and down behind the domes of the diaphragm, and their shadow as a whole goes there, too.
Outlines on radiographs stop where the picture gets dense (van Ginneken 2006, "Segmentation of anatomical structures in
chest radiographs", section 2: behind heart, mediastinum and below the diaphragm lung isn't outlined). The rule here:

1. The cavity is the convex hull of both lungs on each axial slice: with the heart between them, and with the dome of
   the diaphragm that their lower ends lie around.
2. A ray sees a lung field where at least .75 of its way through the cavity is lung, and it has 10 mm of lung. Towards
   the top, where there is neither heart nor diaphragm, but the hull reaches over the spine, less is enough: down to .45
   over the upper third of the shadow.
3. Bronchi between the lungs go: what an opening by 7 mm takes off stays only within 4 mm of what it leaves, as the
   sharp angles below do. Then closing by 6 mm; holes are filled; the two largest parts stay. On the inner .45 of each
   one's width an opening by 14 mm takes off what reaches over the heart.
4. The edge moves out by 2 mm: people draw outside of it, and the network within. On the inner side it moves back by
   4 mm: there they draw where the shadow of heart and vessels begins, and it begins before lung ends.

The numbers were chosen by eye on two CTs; between .7 and .8 little differs. Those of the inner side and of the last
step follow from where networks that had learnt without them were wrong: on `cxr-infection`, and by how much the inner
edge moves back on the 47 nodule-free films of `jsrt`.
"""

import numpy as np
from scipy import ndimage

from hilum.core import Mask, Quantity, Volume
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.core.radiograph import PixelMm
from hilum.drr.joseph import project_joseph
from hilum.drr.projection import Projection
from hilum.measure import lung_sides
from hilum.ops import Connectivity, grown, label_parts, part_sizes, shrunk

_SHARE, _LEAST_MM = 0.75, 10.0
_TOP, _SHARE_ON_TOP = 1 / 3, 0.45
_SMOOTH_MM, _OPENING_MM, _KEPT_MM, _CLOSING_MM = 2.0, 7.0, 4.0, 6.0
_INNER, _INNER_OPENING_MM = 0.45, 14.0
_OUTSIDE_MM, _BACK_MM = 2.0, 4.0
_LESSER = 0.1
"""Share of the larger lung's shadow that the other one has at least; else it is none."""


def cavity_of(lungs: Mask) -> Mask:
    """The convex hull of both lungs on each axial slice.

    Args:
        lungs: [z, y, x], axes along the patient's.

    Raises:
        UnitError: the mask is 2D.
    """
    grid = lungs.require_geometry()
    planes = np.moveaxis(lungs.labels > 0, grid.axial_axis, 0)
    hulls = np.stack([_hull(plane) if plane.any() else plane for plane in planes])
    return Mask.of(np.moveaxis(hulls, 0, grid.axial_axis), grid, "thoracic cavity")


def lung_fields(lungs: Mask, projection: Projection) -> Selection:
    """[row, column] both lung fields of an X-ray of a CT, front view.

    Args:
        lungs: the CT's, with the vessels in them, and without gaps.
        projection: the X-ray's rays.

    Raises:
        UnitError: the mask is 2D.
    """
    pixel_mm = projection.pixel_mm
    smooth = [_SMOOTH_MM / step for step in pixel_mm]
    lung_mm, cavity_mm = (_chord_mm(mask, projection) for mask in (lungs, cavity_of(lungs)))
    least = _least_share(lung_mm > 0)[:, None]
    share_seen = ndimage.gaussian_filter(lung_mm, smooth) >= least * ndimage.gaussian_filter(cavity_mm, smooth)
    seen = (lung_mm >= _LEAST_MM) & share_seen
    seen &= grown(_opened(seen, _OPENING_MM, pixel_mm), _KEPT_MM, pixel_mm)
    seen = shrunk(grown(seen, _CLOSING_MM, pixel_mm), _CLOSING_MM, pixel_mm)
    found = _two_largest(np.asarray(ndimage.binary_fill_holes(seen)))
    drawn = grown(found & (_opened(found, _INNER_OPENING_MM, pixel_mm) | ~_inner(found)), _OUTSIDE_MM, pixel_mm)
    return drawn & (shrunk(drawn, _BACK_MM, pixel_mm) | ~_inner(drawn))


def _chord_mm(mask: Mask, projection: Projection) -> Floats:
    """How long each ray is in the mask: the line integral of 1; exact chords take ten times as long."""
    ones = Volume((mask.labels > 0).astype(np.float32), mask.require_geometry(), Quantity.ATTENUATION)
    return project_joseph(ones, projection).astype(np.float64)


def _opened(seen: Selection, radius_mm: float, pixel_mm: PixelMm) -> Selection:
    return grown(shrunk(seen, radius_mm, pixel_mm), radius_mm, pixel_mm)


def _inner(seen: Selection) -> Selection:
    """[row, column] the part of each side's columns that lies towards the other side."""
    found = np.zeros_like(seen)
    every = np.flatnonzero(seen.any(axis=0))
    for side in lung_sides(seen):
        columns = np.flatnonzero(side.any(axis=0))
        if len(columns):
            reach = round(_INNER * len(columns))
            is_left = columns.mean() < every.mean()
            found |= side & np.isin(np.arange(seen.shape[1]), columns[-reach:] if is_left else columns[:reach])
    return found


def _least_share(shadow: Selection) -> Floats:
    """[row] what share of a ray has to be lung, by how far from the top of the lungs' shadow it is."""
    rows = np.flatnonzero(shadow.any(axis=1))
    if not len(rows):
        return np.full(len(shadow), _SHARE)
    depth = (np.arange(len(shadow)) - rows[0]) / (_TOP * len(rows))
    return np.asarray(_SHARE_ON_TOP + (_SHARE - _SHARE_ON_TOP) * np.clip(depth, 0, 1))


def _hull(plane: Selection) -> Selection:
    from skimage.morphology import convex_hull_image

    return np.asarray(convex_hull_image(plane) > 0)  # type: ignore[no-untyped-call]


def _two_largest(seen: Selection) -> Selection:
    parts = label_parts(seen, Connectivity.FACES)
    sizes = part_sizes(parts)
    kept = np.argsort(-sizes, kind="stable")[:2]
    kept = kept[sizes[kept] >= _LESSER * sizes.max(initial=0)] + 1
    return np.asarray(np.isin(parts, kept))
