"""The published style: how the sources' DRR pairs were made of a CT. Kept to compare with.

It is no physics: everything below −500 HU, lungs included, becomes air; attenuation runs from 0 to .001 a voxel between
the CT's own extremes, whatever a voxel's size; contrast is stretched per picture. The steps and their numbers are those
that the publishers name; what they leave open was found by trying until LIDC-IDRI-0001 came out like its published
picture (`docs/explanation/drr-pairs.md`): rows are interpolated linearly, masks take the nearest slice, and 8 bits are
cut, not rounded. The local equalisation is scikit-image's; its blur and its resizing are SciPy's filters below.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

from hilum.core import InputError, Mask, Radiograph, SpacingPlane, UnitError, View, Volume
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.core.volume import AIR_HU
from hilum.drr.hu import require_hu
from hilum.ops import to_lps_axes

_FLAT_BELOW_HU = -500.0
_MOST_A_VOXEL = 0.001
_PERCENTILES = (1, 99)
_CLIP_LIMIT = 0.03
_BLUR_PX = 0.5


def source_style_drr(ct: Volume) -> Radiograph:
    """A CT seen from the front in the published style: uint8 [row, column], head up, patient right on the left.

    One column for each of the CT's; `source_height` rows of nearly the same size.

    Args:
        ct: in HU, on any grid; its axes are taken to be the nearest of the patient's.

    Raises:
        UnitError: the voxels are not in HU, or can't be.
        InputError: the picture has no contrast.
    """
    ct = to_lps_axes(ct)
    through = np.exp(-_path_sums(ct))
    step_mm, _, pixel_mm = ct.geometry.spacing_zyx_mm
    rows = source_height(ct.geometry.shape_zyx[0], step_mm, pixel_mm)
    upright = published_look(-through)[::-1]
    pixels = (_stretched(upright, rows, order=1) * 255).astype(np.uint8)
    plane_mm = (step_mm * len(through) / rows, pixel_mm)
    return Radiograph(pixels, plane_mm, View.AP, "DRR in the published style", SpacingPlane.PATIENT)


def published_look(grey: Floats) -> Floats:
    """The style's contrast for any radiograph: cut at percentiles, equalised tile by tile, blurred a little.

    Args:
        grey: [y, x] on any scale, dense is bright.

    Returns:
        [y, x], 0 to 1, dense is bright.

    Raises:
        InputError: the picture is one grey level, or holds a number that is none.
    """
    from skimage.exposure import equalize_adapthist

    low, high = np.percentile(grey, _PERCENTILES)
    if not low < high:
        low, high = float(grey.min()), float(grey.max())
    if not low < high:
        raise InputError("the picture is the same grey everywhere.", "Check that it shows a patient.")
    # The original equalises what comes through, where dense is dark, and turns it over afterwards.
    through = np.clip((high - grey) / (high - low), 0, 1)
    even = equalize_adapthist(through, clip_limit=_CLIP_LIMIT)
    return np.asarray(1 - gaussian_filter(even, _BLUR_PX, mode="nearest"))


def _path_sums(ct: Volume) -> Floats:
    """Sum from front to back [slice, column] of what the style takes for attenuation."""
    require_hu(ct)
    highest = float(ct.array.max())
    if highest <= _FLAT_BELOW_HU:
        raise UnitError(
            f"a chest CT holds air near −1000 HU and tissue above; these values run to {highest:g}.",
            "Rescale them to HU first; 8-bit pictures of a CT can't be brought back.",
        )
    # Padding below air becomes air as well, so that the lowest value is air's.
    sums = np.empty((ct.array.shape[0], ct.array.shape[2]))
    for k, plane in enumerate(ct.array):
        hu = np.where(plane <= _FLAT_BELOW_HU, AIR_HU, plane.astype(np.float64))
        sums[k] = ((hu - AIR_HU) / (highest - AIR_HU) * _MOST_A_VOXEL).sum(axis=0)
    return sums


def _stretched(shadow: Floats, rows: int, order: Literal[0, 1]) -> Floats:
    """Rows as areas, not points: the outer edges of the first and the last one stay where they are."""
    factors = (rows / len(shadow), 1)
    return np.asarray(zoom(shadow, factors, order=order, mode="mirror", grid_mode=True))


def source_height(slices: int, step_mm: float, pixel_mm: float) -> int:
    """Rows of a published picture: as many pixels as fit the slices' mean distance times their number.

    Raises:
        InputError: there would be none.
    """
    # The product first: in this order all 436 pictures have their published height, rounding errors included.
    rows = int(slices * step_mm / pixel_mm)
    if rows < 1:
        raise InputError(f"{slices} slices {step_mm:g} mm apart are thinner than a pixel of {pixel_mm:g} mm.")
    return rows


def source_rows(shadow: NDArray[np.generic], rows: int) -> NDArray[np.generic]:
    """A shadow [slice, column], from foot to head, as rows of a picture, head up; each row takes the nearest slice.

    Where two slices are equally near (the middle row of a picture with an odd number of rows), SciPy's rounding error
    decides, as it did in the published masks.

    Args:
        shadow: labels or a selection; values are kept as they are.
        rows: height of the picture.
    """
    stretched = _stretched(shadow[::-1].astype(np.float64), rows, order=0)
    return np.asarray(stretched.astype(shadow.dtype))


def source_mask(masks: Sequence[Mask], ct: Volume) -> Selection:
    """The shadow of everything in `masks` on the picture that `source_style_drr` makes: [row, column].

    Args:
        masks: selections on the CT's grid or on blocks of it, axes along the patient's.
        ct: the CT.
    """
    grid = to_lps_axes(ct).geometry
    shadow = np.zeros((grid.shape_zyx[0], grid.shape_zyx[2]), dtype=bool)
    for mask in masks:
        flat = (mask.labels > 0).any(axis=1)
        k, _, i = np.rint(grid.to_index(mask.require_geometry().origin_lps_mm)).astype(int)
        shadow[k : k + flat.shape[0], i : i + flat.shape[1]] |= flat
    step_mm, _, pixel_mm = grid.spacing_zyx_mm
    return np.asarray(source_rows(shadow, source_height(len(shadow), step_mm, pixel_mm)), dtype=bool)
