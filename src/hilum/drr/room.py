"""A CT to the picture that the room's X-ray would be: physics, then display."""

from dataclasses import dataclass, field

import numpy as np

from hilum.core import Geometry, InputError, Radiograph, SpacingPlane, View, Volume
from hilum.core.geometry import Floats
from hilum.drr.display import Display, Style, as_radiograph, as_raw
from hilum.drr.exposure import Exposure, arriving, detected, faintest_of, log_signal
from hilum.drr.patient import find_body
from hilum.drr.projection import Beam, Projection, Setup
from hilum.drr.slabs import project_ct
from hilum.drr.source_style import source_style_drr
from hilum.ops import to_lps_axes

_STACKED = {"L": "right to left", "R": "left to right", "P": "front to back", "A": "back to front"}
"""By the letter that the slice axis grows to."""
_TURNED_DEG = 10.0
_CHEST_MM = 150.0
_TOUCHING = 0.15
"""Where a table lies clear of the back, `on_solid` is below .04 on two CTs; where its cloth touches it, .26 on one."""


@dataclass(frozen=True, eq=False)
class Taken:
    """A picture, and what it was made of.

    Attributes:
        radiograph: what is shown: uint16, or uint8 in the source's style.
        projection: its rays.
        signal: [row, column], −ln of what the detector measured; in the source's style its grey levels, 0 to 1.
        primary_share: [row, column], unscattered part of what arrived; None in the source's style, which has no
            physics.
        on_solid: how much of the patient's back lies on something solid (`hilum.drr.patient.Body`); 0 when not asked.
    """

    radiograph: Radiograph
    projection: Projection
    signal: Floats
    primary_share: Floats | None
    on_solid: float = 0.0


@dataclass(frozen=True)
class Room:
    """How the picture is taken and shown.

    Attributes:
        setup: the geometry.
        exposure: energies, scatter, quanta, blur.
        style: what the picture looks like.
        display: numbers of the style `radiograph`.
        keep_table: whether table and padding stay.
    """

    setup: Setup = field(default_factory=Setup)
    exposure: Exposure = field(default_factory=Exposure)
    style: Style = Style.RADIOGRAPH
    display: Display = field(default_factory=Display)
    keep_table: bool = False

    def __post_init__(self) -> None:
        """Refuse what a style can't show.

        Raises:
            InputError: the source's style with another geometry or exposure than its own.
        """
        if self.style is Style.SOURCE and (self.setup != Setup() or self.exposure != Exposure()):
            raise InputError(
                "the source's style has its own recipe: parallel from the front, no pose, no energies, no noise.",
                "Leave those options out, or choose --style radiograph.",
            )


def take(ct: Volume, room: Room, rng: np.random.Generator) -> Taken:
    """The picture of a CT.

    Args:
        ct: HU.
        room: how it is taken and shown.
        rng: where noise is drawn from.

    Raises:
        UnitError: the CT is not in HU.
        GeometryError: the rays miss the CT.
        InputError: there is no patient on the CT, the picture shows air only, or voxels are no numbers.
    """
    _require_numbers(ct)
    if room.style is Style.SOURCE:
        return _in_source_style(ct)
    projection = room.setup.projection(ct.geometry)
    body = None if room.keep_table else find_body(ct)
    keep = None if body is None else body.slices
    energies = room.exposure.spectrum.energies_kev
    integrals = [project_ct(ct, projection, energy, keep=keep) for energy in energies]
    passing, fog = arriving([one.astype(np.float64) for one in integrals], room.exposure, projection.pixel_mm)
    measured = detected(passing + fog, room.exposure, projection.pixel_mm, rng)
    signal = log_signal(measured, faintest_of(room.exposure, projection.pixel_mm))
    pixels = as_raw(signal) if room.style is Style.RAW else as_radiograph(signal, room.display)
    plane = SpacingPlane.DETECTOR if projection.beam is Beam.CONE else SpacingPlane.PATIENT
    shown = Radiograph(pixels, projection.pixel_mm, projection.view, "DRR", plane)
    share = passing / np.maximum(passing + fog, np.finfo(float).tiny)
    return Taken(shown, projection, signal, share, body.on_solid if body is not None else 0.0)


def _require_numbers(ct: Volume) -> None:
    if ct.array.dtype.kind == "f" and (missing := int(np.count_nonzero(~np.isfinite(ct.array)))):
        raise InputError(
            f"{missing:,} of the CT's {ct.array.size:,} voxels are no numbers (NaN or infinite).",
            "Replace them, with −1000 HU where there is only air.",
        )


def _in_source_style(ct: Volume) -> Taken:
    shown = source_style_drr(ct)
    projection = source_projection(to_lps_axes(ct).geometry, shown)
    return Taken(shown, projection, shown.array / 255.0, None)


def source_projection(geometry: Geometry, shown: Radiograph) -> Projection:
    """The rays of a picture in the source's style: a column is a CT column, rows divide the slices' whole extent.

    Args:
        geometry: the CT's grid with axes in LPS order.
        shown: the picture.
    """
    row_mm, column_mm = shown.require_pixel_mm()
    column, direction, up = geometry.directions.T
    slices = geometry.shape_zyx[0]
    top = geometry.to_lps_mm((slices - 0.5, 0, 0)) - up * row_mm / 2
    rows, columns = shown.array.shape
    return Projection((rows, columns), top, -up * row_mm, column * column_mm, direction, view=View.AP)


def remarks(ct: Volume, taken: Taken) -> tuple[str, ...]:
    """What a person should know about a picture: one sentence each."""
    notes = []
    turned_deg = np.degrees(np.arccos(np.clip(np.abs(ct.geometry.directions).max(axis=0).min(), -1, 1)))
    if turned_deg > _TURNED_DEG:
        notes.append(
            f"the CT's header says that its grid is turned by {turned_deg:.0f}° against the patient; the picture "
            "follows the patient's axes"
        )
    if ct.geometry.axial_axis != 0:
        notes.append(
            f"the CT's header says that its slices are stacked from {_STACKED[ct.geometry.axis_codes[2]]}, not from "
            "foot to head; when they are axial slices all the same, the header is wrong, and so is the picture"
        )
    if (height_mm := np.ptp(ct.geometry.corners_lps_mm()[:, 2])) < _CHEST_MM:
        notes.append(f"the CT covers {height_mm:.0f} mm from foot to head: not a whole chest")
    pixels = taken.projection.to_pixel(ct.geometry.corners_lps_mm())
    if (pixels < -1).any() or (pixels > np.array(taken.projection.shape_yx)).any():
        notes.append("the detector holds only a part of the CT's shadow")
    if taken.on_solid > _TOUCHING:
        notes.append("something solid touches the patient's back: a strip of the table or its cloth may be left")
    return tuple(notes)
