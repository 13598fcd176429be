"""A projection as plain values and back: what `geometry.json` holds (schema hilum.geometry/1).

With `matrix` a point (x, y, z) in LPS mm becomes its pixel: (column·w, row·w, w) = matrix · (x, y, z, 1). With the
rest a pixel (row, column) becomes its ray: from corner + row · row_step + column · column_step on the detector to the
source (cone beam), or along the direction (parallel beam).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hilum.core import GeometryError, UnreadableError, View
from hilum.drr.projection import Beam, Projection, Setup

SCHEMA = "hilum.geometry/1"

_LETTERS = (("L", "R"), ("P", "A"), ("H", "F"))
_OBLIQUE_PART = 0.2
"""A direction's part along an axis that gets a letter: 12 degrees and more off."""


def to_record(projection: Projection, setup: Setup | None = None) -> dict[str, object]:
    """Everything that maps points to pixels and pixels to rays; millimetres in LPS.

    Args:
        projection: the rays.
        setup: the room that they came from, for people: distances and pose; None when there was none.
    """
    record: dict[str, object] = {
        "schema": SCHEMA,
        "view": projection.view,
        "beam": projection.beam,
        "shape_yx": projection.shape_yx,
        "pixel_mm": projection.pixel_mm,
        "matrix": projection.matrix,
        "source_lps_mm": projection.source_lps_mm,
        "direction_lps": projection.direction_lps,
        "detector": {
            "corner_lps_mm": projection.corner_lps_mm,
            "row_step_lps_mm": projection.row_step_lps_mm,
            "column_step_lps_mm": projection.column_step_lps_mm,
        },
        "orientation": orientation(projection),
        "position": position(projection),
    }
    if setup is not None:
        record["pose"] = {"rotation_deg": setup.pose.rotation_deg, "shift_mm": setup.pose.shift_mm}
        record["oblique_deg"] = setup.oblique_deg if setup.view is View.OBLIQUE else None
        is_cone = projection.beam is Beam.CONE
        record["source_detector_mm"] = setup.source_detector_mm if is_cone else None
        record["source_patient_mm"] = setup.source_patient_mm if is_cone else None
    return record


def from_record(record: Mapping[str, Any]) -> Projection:
    """The projection that `to_record` wrote down.

    Raises:
        UnreadableError: it is no such record, something is missing, or the matrix doesn't belong to the rest.
    """
    if not isinstance(record, Mapping) or record.get("schema") != SCHEMA:
        raise UnreadableError(f"this is no geometry of a projection: {SCHEMA} was expected.", "Write it anew.")
    try:
        detector = record["detector"]
        rows, columns = record["shape_yx"]
        projection = Projection(
            shape_yx=(int(rows), int(columns)),
            corner_lps_mm=detector["corner_lps_mm"],
            row_step_lps_mm=detector["row_step_lps_mm"],
            column_step_lps_mm=detector["column_step_lps_mm"],
            direction_lps=record["direction_lps"],
            source_lps_mm=record["source_lps_mm"],
            view=View(record["view"]),
        )
        same = np.allclose(projection.matrix, np.array(record["matrix"], dtype=np.float64), rtol=1e-6, atol=1e-6)
    except (KeyError, TypeError, ValueError, GeometryError) as error:
        raise UnreadableError(f"the geometry is damaged: {error}.", "Write it anew.") from error
    if not same:
        raise UnreadableError("the geometry's matrix doesn't belong to its source and detector.", "Write it anew.")
    return projection


def orientation(projection: Projection) -> tuple[str, str]:
    """Where rows and columns run in the patient, as ("L", "F") from the front.

    DICOM's Patient Orientation (PS3.3 C.7.6.1.1.1), with a second letter from 12 degrees on.
    """
    return _letters(projection.column_step_lps_mm), _letters(projection.row_step_lps_mm)


def position(projection: Projection) -> str:
    """How the patient stood, in DICOM's terms (View Position, PS3.3 C.8.11.5.1.1): AP, PA, LL, RL, RAO, LAO, RPO, LPO.

    A lateral or oblique one is named by the side that is nearest to the detector.
    """
    x, y, _ = projection.direction_lps
    sideways, forwards = abs(x) >= _OBLIQUE_PART, abs(y) >= _OBLIQUE_PART
    side = "L" if x > 0 else "R"
    if sideways and forwards:
        return side + ("PO" if y > 0 else "AO")
    if sideways:
        return side + "L"
    return "AP" if y > 0 else "PA"


def _letters(direction: Sequence[float] | Any) -> str:
    """The patient's directions that a vector runs to, the strongest first."""
    unit = np.asarray(direction) / np.linalg.norm(direction)
    strongest = np.argsort(-np.abs(unit), kind="stable")
    return "".join(_LETTERS[axis][int(unit[axis] < 0)] for axis in strongest if abs(unit[axis]) >= _OBLIQUE_PART)
