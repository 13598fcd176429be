"""What a person drew: closed outlines on slices."""

from dataclasses import dataclass

import numpy as np

from hilum.core.errors import GeometryError
from hilum.core.geometry import Floats


@dataclass(frozen=True, eq=False)
class Outline:
    """A closed polygon on one slice, in pixels of that slice.

    Attributes:
        points_xy: [n, 2], (column, row); whole numbers are pixel centres. The last point joins the first.
        z_mm: where the slice is along the patient's foot–head axis (LPS z of the slice, as the readers' files say).
        is_hole: True when the outline cuts a hole (LIDC: inclusion FALSE).
        sop_uid: the slice's DICOM SOP Instance UID, where the source names it.

    Raises:
        GeometryError: the points are not [n, 2] with n ≥ 1, or not finite.
    """

    points_xy: Floats
    z_mm: float
    is_hole: bool = False
    sop_uid: str | None = None

    def __post_init__(self) -> None:
        points = np.array(self.points_xy, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0 or not np.isfinite(points).all():
            raise GeometryError(f"an outline is [n, 2] finite points, got shape {points.shape}.")
        points.setflags(write=False)
        object.__setattr__(self, "points_xy", points)
