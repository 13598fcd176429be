"""`hilum drr`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from hilum.cli.exit_code import checked_options
from hilum.cli.options import RUN, TABULATED_KEV, Force, Seed, Share

if TYPE_CHECKING:
    from hilum.drr.exposure import Exposure
    from hilum.drr.projection import Setup

Three = Annotated[tuple[float, float, float], Parameter(negative="")]


@Parameter(name="*", group="Geometry")
@dataclass(frozen=True)
class RoomOptions:
    """Where source, patient and detector stand."""

    view: Literal["ap", "pa", "lateral", "oblique"] = "ap"
    "How the rays go: from front to back, back to front, right to left, or slanted (--oblique-deg)."
    geometry: Literal["parallel", "cone"] = "parallel"
    "Parallel keeps millimetres as they are (the published pairs are AP parallel); a chest room has a PA cone."
    oblique_deg: float = 45.0
    "For an oblique view: how far the source is turned from AP towards the patient's left."
    turn_deg: Three = (0.0, 0.0, 0.0)
    "Degrees that the patient is turned about LPS x, then y, then z."
    shift_mm: Three = (0.0, 0.0, 0.0)
    "Millimetres that the patient is shifted along LPS x, y, z."
    source_detector_mm: float = 1800.0
    "Cone: millimetres from focal spot to detector."
    source_patient_mm: float = 1550.0
    "Cone: millimetres from focal spot to the middle of the CT."
    pixel_mm: float | None = None
    "Side of a detector pixel in mm; the CT's smallest spacing (times the magnification) when not given."
    size: Annotated[tuple[int, int] | None, Parameter(negative="")] = None
    "Rows and columns of the detector; as many as the CT's shadow needs when not given."


@Parameter(name="*", group="Physics")
@dataclass(frozen=True)
class Physics:
    """What happens on the way."""

    energy_kev: Annotated[tuple[float, ...], Parameter(consume_multiple=True, negative="", validator=TABULATED_KEV)] = (
        65.0,
    )
    "Photon energies in keV, 30 to 150; one line integral each."
    weights: Annotated[tuple[float, ...] | None, Parameter(consume_multiple=True, negative="")] = None
    "Share of each energy in the open beam's signal; all equal when not given."
    scatter: float = 0.0
    "Scattered share of the signal behind the patient, 0 to below 1."
    scatter_mm: float = 40.0
    "Sigma in mm of the kernel that spreads the scatter."
    photons_per_mm2: float | None = None
    "Quanta per mm² of detector in the open beam: turns quantum noise on (1.5e6 is a usual chest exposure)."
    blur_mm: float = 0.0
    "Sigma in mm of the detector's blur."
    keep_table: Annotated[bool, Parameter(negative="")] = False
    "Keep table, clothes and padding in the picture."


@Parameter(name="*", group=RUN)
@dataclass(frozen=True)
class Running:
    """How the work is done."""

    seed: Seed = 0
    "Seed of the noise."
    force: Force = False
    "Replace what an earlier run of hilum left in OUT."


def drr(
    ct: Path,
    out: Path,
    /,
    *,
    nodules: str | None = None,
    style: Literal["radiograph", "raw", "source"] = "radiograph",
    consensus: Share = 0.5,
    outline_rule: Literal["inside", "outline"] = "inside",
    organs: Path | None = None,
    series: str | None = None,
    room: RoomOptions | None = None,
    physics: Physics | None = None,
    running: Running | None = None,
) -> int:
    """Make the X-ray that a CT would have given, with the shadow of every nodule.

    OUT then holds xray.png and xray.dcm, mask.png (all nodules), masks/ (each nodule, each reader), thickness.png (0.01
    mm a step), nodules.json (size, place, shadow, contrast to noise, overlap, visibility), geometry.json (maps points
    in the patient to pixels and back), overlay.png and run.json. The same run again only says where it is.

    ```
    hilum drr ct.nii.gz xray --nodules lidc:LIDC-IDRI-0001
    hilum drr scans/patient7 xray --nodules mask.nii.gz --view pa --geometry cone
    hilum drr ct.nii.gz xray --energy-kev 45 65 90 --weights 1 2 1 --scatter 0.4 --blur-mm 0.15
    ```

    Parameters
    ----------
    ct
        A CT: DICOM folder, NIfTI, MHD/MHA or NRRD.
    out
        Folder for the results.
    nodules
        lidc:LIDC-IDRI-0001 (the readers' outlines), a reader's XML, a nodules.json (balls of the stated size), or a
        mask on the CT's grid.
    style
        radiograph: log, windowed, local contrast, 16 bit. raw: −ln of the signal, 0.0002 a grey level, 16 bit. source:
        the published LIDC pairs' own recipe, 8 bit.
    consensus
        Share of a nodule's readers who need to have a voxel; 0 for what any of them has.
    outline_rule
        Whether the pixels under the readers' lines belong to a nodule: inside leaves them out (LIDC's readers marked
        the first pixel outside), outline takes them in, as the published masks do.
    organs
        Organ mask on the CT's grid with TotalSegmentator's names, for overlap with ribs, heart, spine and diaphragm.
    series
        Which DICOM series, where there are several: its UID or the end of it.
    """
    from hilum.drr.display import Style
    from hilum.drr.room import Room
    from hilum.ops import OutlineRule
    from hilum.workflows.drr import DrrRequest, run_drr

    physics, running = physics or Physics(), running or Running()
    with checked_options():
        beams = Room(_setup(room or RoomOptions()), _exposure(physics), Style(style), keep_table=physics.keep_table)
        request = DrrRequest(beams, nodules, consensus, organs, series, running.seed, OutlineRule(outline_rule))
    result = run_drr(ct, out, request, force=running.force)
    for warning in result.warnings:
        print(f"hilum: warning: {warning}", file=sys.stderr)
    count, seen = result.nodules
    what = f"; {seen} of {count} nodule{'s' if count != 1 else ''} in view" if nodules else ""
    print(f"{'Already there' if result.was_done else 'Done'}: {result.folder / 'xray.png'}{what}")
    return 0


def _setup(given: RoomOptions) -> "Setup":
    from hilum.core import View
    from hilum.drr.projection import Beam, Pose, Setup

    views = {"ap": View.AP, "pa": View.PA, "lateral": View.LATERAL, "oblique": View.OBLIQUE}
    return Setup(
        view=views[given.view],
        beam=Beam(given.geometry),
        pose=Pose(given.turn_deg, given.shift_mm),
        oblique_deg=given.oblique_deg,
        source_detector_mm=given.source_detector_mm,
        source_patient_mm=given.source_patient_mm,
        pixel_mm=given.pixel_mm,
        shape_yx=given.size,
    )


def _exposure(given: Physics) -> "Exposure":
    from hilum.drr.exposure import Exposure, Spectrum

    spectrum = Spectrum(given.energy_kev, given.weights or (1.0,) * len(given.energy_kev))
    return Exposure(spectrum, given.scatter, given.scatter_mm, given.photons_per_mm2, given.blur_mm)
