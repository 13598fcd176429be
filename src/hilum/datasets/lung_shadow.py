"""Where a CT's lungs are on an X-ray of it, as people outline lungs there: without what heart and diaphragm hide.

Lungs reach behind the heart and down behind the domes of the diaphragm, and their shadow as a whole goes there, too.
Outlines on radiographs stop where the picture gets dense (van Ginneken 2006, "Segmentation of anatomical structures in
chest radiographs", section 2: behind heart, mediastinum and below the diaphragm lung isn't outlined). The rule here:

1. The cavity is the convex hull of both lungs on each axial slice: with the heart between them, and with the dome of
   the diaphragm that their lower ends lie around.
2. A ray sees a lung field where at least .75 of its way through the cavity is lung, and it has 10 mm of lung.
3. Opening by 7 mm, which takes off the bronchi between the lungs, and closing by 6 mm; holes are filled; the two
   largest parts stay.

.75 was chosen by eye on two CTs, between .7 and .8, which differ by little.
"""

import numpy as np
from scipy import ndimage

from hilum.core import Mask
from hilum.core.mask import Selection
from hilum.drr.projection import Projection
from hilum.drr.shadow import shadow_of
from hilum.ops import Connectivity, grown, label_parts, part_sizes, shrunk

_SHARE, _LEAST_MM = 0.75, 10.0
_SMOOTH_MM, _OPENING_MM, _CLOSING_MM = 2.0, 7.0, 6.0
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
    lung_mm, cavity_mm = (shadow_of(mask, projection).chord_mm for mask in (lungs, cavity_of(lungs)))
    share_seen = ndimage.gaussian_filter(lung_mm, smooth) >= _SHARE * ndimage.gaussian_filter(cavity_mm, smooth)
    seen = (lung_mm >= _LEAST_MM) & share_seen
    seen = grown(shrunk(seen, _OPENING_MM, pixel_mm), _OPENING_MM, pixel_mm)
    seen = shrunk(grown(seen, _CLOSING_MM, pixel_mm), _CLOSING_MM, pixel_mm)
    return _two_largest(np.asarray(ndimage.binary_fill_holes(seen)))


def _hull(plane: Selection) -> Selection:
    from skimage.morphology import convex_hull_image

    return np.asarray(convex_hull_image(plane) > 0)  # type: ignore[no-untyped-call]


def _two_largest(seen: Selection) -> Selection:
    parts = label_parts(seen, Connectivity.FACES)
    sizes = part_sizes(parts)
    kept = np.argsort(-sizes, kind="stable")[:2]
    kept = kept[sizes[kept] >= _LESSER * sizes.max(initial=0)] + 1
    return np.asarray(np.isin(parts, kept))
