"""Any chest X-ray, brought to what a network has learnt from: published style, square pixels of one size.

The published style is 8 bits, cut at percentiles, equalised tile by tile, dense is bright, head up, the patient's right
on the left (`hilum.drr.source_style`).
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hilum.core import Radiograph
from hilum.core.geometry import Floats
from hilum.core.radiograph import PixelMm, SpacingPlane
from hilum.datasets.chest import fit_chest, layout_doubts
from hilum.datasets.frontal_film import require_frontal as require_frontal
from hilum.datasets.xray_grid import PixelGrid, axis_weights
from hilum.drr.source_style import published_look


class XrayStyle(StrEnum):
    """What a picture's grey levels are."""

    PUBLISHED = "published"
    """In the published style already."""
    FILM = "film"
    """A radiograph as it is displayed or stored: contrast is equalised as the published style does."""


@dataclass(frozen=True, eq=False)
class XrayInput:
    """A picture as a network takes it, and the way back.

    Attributes:
        image: [y, x] float32, 0 to 1, dense is bright, square pixels.
        step_mm: row and column step of the original, as it was taken to be.
        pixel_mm: side of the image's pixels.
        shape_yx: of the original.
        knows_mm: whether the original said how large its pixels are.
        notes: what was assumed, one line each.
    """

    image: NDArray[np.float32]
    step_mm: PixelMm
    pixel_mm: float
    shape_yx: tuple[int, int]
    knows_mm: bool
    notes: tuple[str, ...] = ()

    def back(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values [y, x] of the image's pixels on the original's, interpolated linearly."""
        grid = PixelGrid(self.shape_yx, self.step_mm, self.pixel_mm)
        return np.clip(grid.back(values), 0, 1).astype(np.float32)


def xray_input(xray: Radiograph, pixel_mm: float, style: XrayStyle) -> XrayInput:
    """Bring a radiograph to a network's domain.

    Args:
        xray: frontal, upright.
        pixel_mm: side of the pixels that the network was trained on.
        style: what its grey levels are.

    Raises:
        UnsupportedError: a lateral or oblique view, a picture without contrast, or too small to show a chest.
    """
    require_frontal(xray)
    grey = xray.array.astype(np.float64)
    steps, notes = _steps(xray, grey, style)
    rows, columns = (axis_weights(size, step, pixel_mm) for size, step in zip(grey.shape, steps, strict=True))
    image = _as_learnt(rows @ grey @ columns.T, style, xray.array.dtype == np.uint8)
    notes += layout_doubts(image, pixel_mm)
    shape = (xray.array.shape[0], xray.array.shape[1])
    return XrayInput(image.astype(np.float32), steps, pixel_mm, shape, xray.pixel_mm is not None, tuple(notes))


def _steps(xray: Radiograph, grey: Floats, style: XrayStyle) -> tuple[PixelMm, list[str]]:
    """Row and column step, and what was assumed about them."""
    if xray.pixel_mm is not None:
        on_detector = xray.plane is SpacingPlane.DETECTOR
        note = "millimetres are those of the detector plane; in the patient lengths are smaller"
        return xray.pixel_mm, [note] if on_detector else []
    step = fit_chest(_as_learnt(grey, style, xray.array.dtype == np.uint8)).step_mm
    width_mm = step * grey.shape[1]
    note = f"the picture doesn't say how large its pixels are; the chest fits best if it is {width_mm:.0f} mm wide"
    return (step, step), [f"{note}: no millimetres are given"]


def _as_learnt(grey: Floats, style: XrayStyle, is_8_bit: bool) -> Floats:
    return grey / 255 if style is XrayStyle.PUBLISHED and is_8_bit else published_look(grey)
