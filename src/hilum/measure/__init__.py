"""The size of a nodule from its mask."""

from hilum.measure.size import (
    MASS_MM,
    AxialAxes,
    axial_axes,
    centroid_lps_mm,
    diameters,
    disc_diameter_mm,
    equivalent_diameter_mm,
    fleischner_mm,
    volume_mm3,
)

__all__ = [
    "MASS_MM",
    "AxialAxes",
    "axial_axes",
    "centroid_lps_mm",
    "diameters",
    "disc_diameter_mm",
    "equivalent_diameter_mm",
    "fleischner_mm",
    "volume_mm3",
]
