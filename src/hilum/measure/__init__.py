"""The size and the texture of a nodule from its mask."""

from hilum.measure.size import (
    MASS_MM,
    THICK_MM,
    AxialAxes,
    axial_axes,
    centroid_lps_mm,
    diameters,
    disc_diameter_mm,
    equivalent_diameter_mm,
    fleischner_mm,
    half_up,
    is_thick,
    volume_mm3,
)
from hilum.measure.texture import solid_share, texture_of

__all__ = [
    "MASS_MM",
    "THICK_MM",
    "AxialAxes",
    "axial_axes",
    "centroid_lps_mm",
    "diameters",
    "disc_diameter_mm",
    "equivalent_diameter_mm",
    "fleischner_mm",
    "half_up",
    "is_thick",
    "solid_share",
    "texture_of",
    "volume_mm3",
]
