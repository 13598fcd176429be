"""How the rays go: from a source through the patient to a detector's pixels, all in LPS millimetres."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from hilum.core import Geometry, GeometryError, View
from hilum.core.geometry import Floats, Triple

Shape2: TypeAlias = tuple[int, int]


class Beam(StrEnum):
    """The shape of the beam."""

    PARALLEL = "parallel"
    CONE = "cone"


@dataclass(frozen=True, eq=False)
class Projection:
    """A source, a detector, and the rays between them.

    Attributes:
        shape_yx: the detector's rows and columns.
        corner_lps_mm: centre of pixel (0, 0), the top left of the picture.
        row_step_lps_mm: from a pixel to the one below it.
        column_step_lps_mm: from a pixel to the one on its right.
        direction_lps: unit vector along which a parallel beam runs, and the axis of a cone.
        source_lps_mm: focal spot of a cone beam; None for a parallel one.
        view: what the picture is called.

    Raises:
        GeometryError: the detector has no area, or the source lies in its plane.
    """

    shape_yx: Shape2
    corner_lps_mm: Floats
    row_step_lps_mm: Floats
    column_step_lps_mm: Floats
    direction_lps: Floats
    source_lps_mm: Floats | None = None
    view: View = View.UNKNOWN

    def __post_init__(self) -> None:
        for name in ("corner_lps_mm", "row_step_lps_mm", "column_step_lps_mm", "direction_lps", "source_lps_mm"):
            if getattr(self, name) is not None:
                vector = np.array(getattr(self, name), dtype=np.float64)
                vector.setflags(write=False)
                object.__setattr__(self, name, vector)
        if min(self.shape_yx) < 1:
            raise GeometryError(f"a detector has at least one pixel, got {self.shape_yx}.")
        pixel_mm2 = np.prod(self.pixel_mm)
        if not np.isfinite(self._detector_basis).all() or abs(np.linalg.det(self._detector_basis)) < 1e-6 * pixel_mm2:
            raise GeometryError("the detector has no area, or the rays run along it.")

    @property
    def beam(self) -> Beam:
        """Parallel or cone."""
        return Beam.PARALLEL if self.source_lps_mm is None else Beam.CONE

    @property
    def pixel_mm(self) -> tuple[float, float]:
        """Row and column step on the detector."""
        return float(np.linalg.norm(self.row_step_lps_mm)), float(np.linalg.norm(self.column_step_lps_mm))

    @property
    def _detector_basis(self) -> Floats:
        """3×3: column step, row step, and what leads from the origin of the rays to the detector."""
        depth = self.direction_lps if self.source_lps_mm is None else self.corner_lps_mm - self.source_lps_mm
        return np.stack([self.column_step_lps_mm, self.row_step_lps_mm, depth], axis=1)

    @property
    def matrix(self) -> Floats:
        """3×4: (x, y, z, 1) in LPS mm to (column·w, row·w, w); w is 1 for a parallel beam (Hartley 2004, §6.1)."""
        inverse = np.linalg.inv(self._detector_basis)
        if self.source_lps_mm is not None:
            return np.column_stack([inverse, -inverse @ self.source_lps_mm])
        matrix = np.column_stack([inverse, -inverse @ self.corner_lps_mm])
        matrix[2] = (0, 0, 0, 1)
        return matrix

    def to_pixel(self, points_lps_mm: ArrayLike) -> Floats:
        """Points [..., 3] in LPS mm to pixels [..., 2] as (row, column), with fractions; NaN behind the source."""
        points = np.asarray(points_lps_mm, dtype=np.float64)
        scaled = points @ self.matrix[:, :3].T + self.matrix[:, 3]
        depth = np.where(scaled[..., 2] > 0, scaled[..., 2], np.nan)
        return np.asarray(scaled[..., 1::-1] / depth[..., None])

    def to_lps_mm(self, pixels: ArrayLike) -> Floats:
        """Pixels [..., 2] as (row, column) to their centres [..., 3] on the detector, in LPS mm."""
        rows_columns = np.asarray(pixels, dtype=np.float64)
        steps = np.stack([self.row_step_lps_mm, self.column_step_lps_mm])
        return np.asarray(self.corner_lps_mm + rows_columns @ steps)

    def rays(self, pixels: ArrayLike) -> tuple[Floats, Floats]:
        """For pixels [..., 2]: a point on each ray and its unit direction, both [..., 3] in LPS, source to detector."""
        on_detector = self.to_lps_mm(pixels)
        if self.source_lps_mm is None:
            return on_detector, np.broadcast_to(self.direction_lps, on_detector.shape)
        along = on_detector - self.source_lps_mm
        unit = along / np.linalg.norm(along, axis=-1, keepdims=True)
        return np.broadcast_to(self.source_lps_mm, on_detector.shape), unit

    def magnification(self, point_lps_mm: ArrayLike) -> Floats:
        """How much larger something at these points [..., 3] appears on the detector: 1 for a parallel beam."""
        points = np.asarray(point_lps_mm, dtype=np.float64)
        return np.asarray(1 / (points @ self.matrix[2, :3] + self.matrix[2, 3]))

    def require_hit(self, geometry: Geometry) -> None:
        """Refuse a picture without the patient.

        Raises:
            GeometryError: no ray passes through the volume, or the source lies within it.
        """
        if self.source_lps_mm is not None and bool(geometry.contains(self.source_lps_mm)):
            raise GeometryError("the X-ray source lies within the volume.", "Move it away: raise the source distance")
        pixels = self.to_pixel(_outer_corners(geometry))
        if np.isnan(pixels).all():
            raise GeometryError(
                "the rays miss the volume: it lies behind the X-ray source.", "Check rotation and shift."
            )
        low, high = np.nanmin(pixels, axis=0), np.nanmax(pixels, axis=0)
        if (high < -0.5).any() or (low > np.array(self.shape_yx) - 0.5).any():
            raise GeometryError(
                f"the rays miss the volume: its shadow spans rows {low[0]:.0f} to {high[0]:.0f} and columns "
                f"{low[1]:.0f} to {high[1]:.0f} of a detector of {self.shape_yx[0]} × {self.shape_yx[1]}.",
                "Check rotation, shift and the detector's size.",
            )


_AXES = {
    View.AP: ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    View.PA: ((1, 0, 0), (0, 0, -1), (0, -1, 0)),
    View.LATERAL: ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
}
"""Columns, rows and rays in LPS. Pictures show the head up; front views have the patient's right on their left, the
lateral one the patient's front."""

_CORNERS = [(k, j, i) for k in (0, 1) for j in (0, 1) for i in (0, 1)]

DETECTOR_MARGIN_MM = 50.0
"""What a detector of its own size has to spare, on each side of the unshifted patient's shadow, for a shift."""
MOST_PIXELS = 20_000
"""Along a side of a detector."""
_FARTHEST_MM = 1e5
_PIXEL_MM = (1e-6, 1e4)


def index_rays(geometry: Geometry, projection: Projection) -> tuple[Floats, Floats]:
    """For each pixel [row, column, 3] a point of its ray as a voxel index (k, j, i), and the step in index per mm."""
    rows, columns = projection.shape_yx
    starts, directions = projection.rays(np.moveaxis(np.indices((rows, columns)), 0, -1))
    points = geometry.to_index(starts)
    return points, geometry.to_index(starts + directions) - points


@dataclass(frozen=True)
class Pose:
    """How the patient stands: turned about the isocentre, then shifted.

    Attributes:
        rotation_deg: about LPS x (nod), then y (lean), then z (turn), in degrees.
        shift_mm: along LPS x, y, z.

    Raises:
        GeometryError: an angle is not finite, or a shift is beyond 100 m.
    """

    rotation_deg: Triple = (0.0, 0.0, 0.0)
    shift_mm: Triple = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if not np.isfinite(self.rotation_deg).all():
            raise GeometryError(f"the patient is turned by numbers of degrees, got {_words(self.rotation_deg)}.")
        if not (np.abs(self.shift_mm) <= _FARTHEST_MM).all():
            raise GeometryError(
                f"the patient is shifted by at most {_FARTHEST_MM:g} mm, got {_words(self.shift_mm)}.",
                "Shifts are in millimetres.",
            )

    @property
    def rotation(self) -> Floats:
        """3×3 rotation matrix."""
        result = np.eye(3)
        for axis, angle in enumerate(np.radians(self.rotation_deg)):
            turn, (first, second) = np.eye(3), ((axis + 1) % 3, (axis + 2) % 3)
            turn[first, first] = turn[second, second] = np.cos(angle)
            turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
            result = turn @ result
        return result


@dataclass(frozen=True)
class Setup:
    """The X-ray room: what a projection is made of, for any CT.

    Attributes:
        view: AP, PA, lateral (detector at the patient's left) or oblique.
        beam: parallel or cone.
        pose: how the patient stands.
        oblique_deg: for an oblique view, the turn from AP about the patient's long axis, towards the left.
        source_detector_mm: focal spot to detector.
        source_patient_mm: focal spot to the isocentre, which is the middle of the CT.
        pixel_mm: side of a detector pixel; None for the CT's smallest spacing, times the magnification.
        shape_yx: the detector's rows and columns; None for just enough to hold the CT's shadow, but not for a shift
            of more than `DETECTOR_MARGIN_MM` on the detector: what is shifted farther is cut off.

    Raises:
        GeometryError: distances or sizes that no room has.
    """

    view: View = View.AP
    beam: Beam = Beam.PARALLEL
    pose: Pose = Pose()
    oblique_deg: float = 45.0
    source_detector_mm: float = 1800.0
    source_patient_mm: float = 1550.0
    pixel_mm: float | None = None
    shape_yx: Shape2 | None = None

    def __post_init__(self) -> None:
        if not max(abs(self.source_patient_mm), abs(self.source_detector_mm)) <= _FARTHEST_MM:
            raise GeometryError(
                f"source, patient and detector stand at most {_FARTHEST_MM:g} mm apart, got source–patient "
                f"{self.source_patient_mm:g} mm and source–detector {self.source_detector_mm:g} mm."
            )
        if not np.isfinite(self.oblique_deg):
            raise GeometryError(f"an oblique view is turned by a number of degrees, got {self.oblique_deg:g}.")
        if not 0 < self.source_patient_mm < self.source_detector_mm:
            raise GeometryError(
                f"the patient stands between source and detector: source–patient {self.source_patient_mm:g} mm must "
                f"be less than source–detector {self.source_detector_mm:g} mm."
            )
        if self.pixel_mm is not None and not _PIXEL_MM[0] <= self.pixel_mm <= _PIXEL_MM[1]:
            raise GeometryError(
                f"a detector pixel has a positive side, {_PIXEL_MM[0]:g} to {_PIXEL_MM[1]:g} mm, got {self.pixel_mm}."
            )
        if self.shape_yx is not None:
            _require_makeable(self.shape_yx)

    def projection(self, geometry: Geometry) -> Projection:
        """The rays for a CT on this grid.

        Raises:
            GeometryError: they miss it, or the detector would have more than `MOST_PIXELS` a side.
        """
        isocentre = geometry.to_lps_mm((np.array(geometry.shape_zyx) - 1) / 2)
        centre = isocentre - self.pose.rotation.T @ self.pose.shift_mm
        one = self._one(geometry, centre)
        shape = self.shape_yx or _enough(one, self._one(geometry, isocentre), geometry)
        corner = one.to_lps_mm((1 - np.array(shape)) / 2)
        steps = one.row_step_lps_mm, one.column_step_lps_mm
        projection = Projection(shape, corner, *steps, one.direction_lps, one.source_lps_mm, self.view)
        projection.require_hit(geometry)
        return projection

    def _one(self, geometry: Geometry, centre: Floats) -> Projection:
        """The pixel in the middle of the detector, where the axis of the beam runs through this centre."""
        column, row, direction = self._axes() @ self.pose.rotation
        is_cone = self.beam is Beam.CONE
        magnification = self.source_detector_mm / self.source_patient_mm if is_cone else 1.0
        pixel = self.pixel_mm or min(geometry.spacing_zyx_mm) * magnification
        source = centre - direction * self.source_patient_mm if is_cone else None
        middle = centre + direction * (self.source_detector_mm - self.source_patient_mm)
        return Projection((1, 1), middle, row * pixel, column * pixel, direction, source, self.view)

    def _axes(self) -> Floats:
        """Rows: where columns, rows and rays of the picture run in the patient, before the pose."""
        if self.view in _AXES:
            return np.array(_AXES[self.view], dtype=np.float64)
        if self.view is View.OBLIQUE:
            return np.array(_AXES[View.AP]) @ Pose((0.0, 0.0, -self.oblique_deg)).rotation
        raise GeometryError(f"a view is one of {', '.join((*_AXES, View.OBLIQUE))}, got {self.view}.")


def _enough(shifted: Projection, unshifted: Projection, geometry: Geometry) -> Shape2:
    """Rows and columns of a detector around one pixel that hold the volume's shadow; a far shift gets no more room."""
    most = _reach(unshifted, geometry) + DETECTOR_MARGIN_MM / np.array(unshifted.pixel_mm)
    if not np.isfinite(most).all():
        raise GeometryError(
            "the X-ray source lies within the volume, or beside it.", "Move it away: raise the source distance"
        )
    sides = np.maximum(1, np.ceil(2 * np.minimum(_reach(shifted, geometry), most) - 1e-6))
    shape = int(sides[0]), int(sides[1])
    _require_makeable(shape)
    return shape


def _reach(one: Projection, geometry: Geometry) -> Floats:
    """How many rows and columns from `one` pixel the volume's shadow reaches; infinite behind the source."""
    away = np.abs(one.to_pixel(_outer_corners(geometry))).max(axis=0)
    return np.where(np.isnan(away), np.inf, away)


def _outer_corners(geometry: Geometry) -> Floats:
    """The eight outer corners of the corner voxels, in LPS mm."""
    return geometry.to_lps_mm(np.array(_CORNERS) * geometry.shape_zyx - 0.5)


def _require_makeable(shape_yx: Shape2) -> None:
    if max(shape_yx) > MOST_PIXELS:
        raise GeometryError(
            f"a detector of {shape_yx[0]:,} × {shape_yx[1]:,} pixels is too large: {MOST_PIXELS:,} a side at most.",
            "Choose larger pixels (--pixel-mm) or a smaller detector (--size).",
        )
    if min(shape_yx) < 1:
        raise GeometryError(f"a detector has at least one pixel, got {shape_yx}.")


def _words(numbers: Triple) -> str:
    return ", ".join(f"{number:g}" for number in numbers)
