"""The size and the texture of a nodule from its mask, and how much of a lung is involved."""

from hilum.measure.lungs import LungRoles, involved_percent, lung_middle, lung_sides, percent_of_lungs
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
from hilum.measure.texture import is_part_solid, solid_part, solid_share, texture_of

__all__ = [
    "MASS_MM",
    "THICK_MM",
    "AxialAxes",
    "LungRoles",
    "axial_axes",
    "centroid_lps_mm",
    "diameters",
    "disc_diameter_mm",
    "equivalent_diameter_mm",
    "fleischner_mm",
    "half_up",
    "involved_percent",
    "is_part_solid",
    "is_thick",
    "lung_middle",
    "lung_sides",
    "percent_of_lungs",
    "solid_part",
    "solid_share",
    "texture_of",
    "volume_mm3",
]
