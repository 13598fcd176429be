"""A projection image, which may or may not know millimetres."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from numpy.typing import NDArray

from hilum.core.errors import GeometryError, UnitError

Pixels: TypeAlias = NDArray[Any]
PixelMm: TypeAlias = tuple[float, float]


class View(StrEnum):
    """How the rays went through the patient."""

    AP = "AP"
    PA = "PA"
    LATERAL = "lateral"
    OBLIQUE = "oblique"
    UNKNOWN = "unknown"


class SpacingPlane(StrEnum):
    """Which plane a radiograph's millimetres belong to (DICOM PS3.3 C.8.7.1.1.6 and section 10.7)."""

    PATIENT = "patient"
    """PixelSpacing: calibrated to the patient."""
    DETECTOR = "detector"
    """ImagerPixelSpacing: at the detector; objects in the patient are smaller by the magnification."""


@dataclass(frozen=True, eq=False)
class Radiograph:
    """A chest X-ray, film or DRR: dense is bright, as stored after polarity was brought to that.

    Attributes:
        array: [y, x], rows from top to bottom as displayed; integers as stored or float32.
        pixel_mm: (row step, column step) in mm; None when the file doesn't say, as a PNG doesn't.
        view: how the rays went.
        source: where it came from, for people: a file's name or "DRR of …".
        plane: which plane `pixel_mm` belongs to; None when there is none.

    Raises:
        GeometryError: the array is not 2D, or a pixel size is not positive.
    """

    array: Pixels
    pixel_mm: PixelMm | None
    view: View = View.UNKNOWN
    source: str = ""
    plane: SpacingPlane | None = None

    def __post_init__(self) -> None:
        if self.array.ndim != 2 or 0 in self.array.shape:
            raise GeometryError(f"a radiograph is one image [y, x], got an array of shape {self.array.shape}.")
        if self.pixel_mm is not None and not all(0 < step < float("inf") for step in self.pixel_mm):
            raise GeometryError(f"a pixel's size must be positive, got {self.pixel_mm} mm.")
        if (self.pixel_mm is None) != (self.plane is None):
            raise GeometryError("millimetres and the plane that they belong to are known together or not at all.")

    def require_pixel_mm(self) -> PixelMm:
        """(row step, column step) in mm.

        Raises:
            UnitError: the radiograph doesn't know its pixel size.
        """
        if self.pixel_mm is None:
            raise UnitError(
                f"{self.source or 'this radiograph'} doesn't say how large its pixels are, so it has no millimetres.",
                "Give the pixel size, or use the DICOM original.",
            )
        return self.pixel_mm

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width in mm; raises UnitError like `require_pixel_mm`."""
        row_mm, column_mm = self.require_pixel_mm()
        return self.array.shape[0] * row_mm, self.array.shape[1] * column_mm
