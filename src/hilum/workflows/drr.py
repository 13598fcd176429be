"""`hilum drr`: one CT to an X-ray, its nodules' masks and thickness, and what maps one to the other."""

import glob
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from hilum.core import InputError, Mask, MissingError, UnreadableError, Volume
from hilum.drr.display import RAW_STEP, Style
from hilum.drr.figures import THICKNESS_STEP_MM, Cast, Scenery, Subject, cast_all, thickness, union
from hilum.drr.projection import Beam, Projection
from hilum.drr.record import from_record, orientation, position, to_record
from hilum.drr.room import Room, Taken, remarks, take
from hilum.drr.visibility import organ_shadows
from hilum.io import read_json, read_volume, write_json, write_png
from hilum.io.dicom.dx import DxDetails, write_dx
from hilum.io.dicom.files import files_under, is_dicom, read_header
from hilum.io.dicom.series import Series, choose_ct
from hilum.io.dicom.volume import volume_of
from hilum.io.installed import sample_organs_path
from hilum.io.kinds import Kind, recognise
from hilum.io.nodules_file import SCHEMA
from hilum.io.text_file import write_bytes
from hilum.ops import OutlineRule, require_level
from hilum.report.xray import Silhouette, outlined_xray
from hilum.workflows.drr_masks import entries, write_masks
from hilum.workflows.drr_nodules import LIDC, STRUCTURES, find_subjects, nodule_inputs, organs_of
from hilum.workflows.output import Run, is_done, output_folder, sha256_of

_SILHOUETTE = "rays that run through the nodule's voxels for at least half their smallest side"
_SOURCE_SILHOUETTE = "as in the published masks: any voxel from front to back, each row takes the nearest slice"
_LONGEST_LABEL = 24
_OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H"}


@dataclass(frozen=True)
class DrrRequest:
    """What is to be made of a CT.

    Attributes:
        room: how the picture is taken and shown.
        nodules: where the nodules are read from (`hilum.workflows.drr_nodules`); None for a picture alone.
        consensus: share of a nodule's readers who need to have a voxel; 0 for what any of them has.
        organs: an organ mask on the CT's grid, for overlaps; None for the sample's own, or none.
        series: which DICOM series, where the CT's folder holds several.
        seed: of the noise.
        rule: what pixels under the readers' lines are.
    """

    room: Room = field(default_factory=Room)
    nodules: str | None = None
    consensus: float = 0.5
    organs: Path | None = None
    series: str | None = None
    seed: int = 0
    rule: OutlineRule = OutlineRule.INSIDE

    def __post_init__(self) -> None:
        """Refuse what no run can have.

        Raises:
            InputError: the consensus is not from 0 to 1, or the seed is negative.
        """
        require_level(self.consensus)
        if self.seed < 0:
            raise InputError(f"a seed is a whole number from 0, got {self.seed}.")


@dataclass(frozen=True)
class DrrResult:
    """What a run left.

    Attributes:
        folder: where it is.
        was_done: whether it was there already.
        nodules: how many nodules, and how many of them are in the picture.
        warnings: what a person should know.
    """

    folder: Path
    was_done: bool
    nodules: tuple[int, int]
    warnings: tuple[str, ...]


def run_drr(ct_path: Path, out: Path, request: DrrRequest | None = None, *, force: bool = False) -> DrrResult:
    """Make the X-ray of a CT, with its nodules' shadows, in `out`.

    Raises:
        InputError: the CT or the nodules can't be read, or the picture would show air only.
        UnitError: the CT is not in HU.
        GeometryError: the rays miss the CT, or nodules don't belong to it.
        OutputError: `out` holds something else, or can't be written.
    """
    request = request or DrrRequest()
    organs = request.organs or _organs_beside(ct_path)
    run = Run("drr", dict(_inputs(ct_path, request, organs)), _options(request))
    if is_done(out, run) and not force:
        return _result(out, was_done=True)
    with output_folder(out, run, force=force) as folder:
        _make(ct_path, organs, request, folder)
    return _result(out, was_done=False)


def read_projection(path: Path) -> Projection:
    """The rays of a picture from its geometry.json.

    Raises:
        InputError: the file doesn't exist, or isn't one.
    """
    try:
        return from_record(read_json(path))
    except UnreadableError as error:
        raise UnreadableError(f"{path}: {error.message}", error.remedy) from error


def _make(ct_path: Path, organs: Path | None, request: DrrRequest, folder: Path) -> None:
    series = choose_ct(ct_path, request.series) if _is_dicom(ct_path) else None
    ct = read_volume(ct_path, series=request.series) if series is None else volume_of(series)
    subjects: tuple[Subject, ...] = ()
    if request.nodules:
        uid = series.uid if series else None
        subjects = find_subjects(request.nodules, ct, request.consensus, request.rule, uid)
    hiding = organs_of(organs, ct) if organs is not None and subjects else None
    taken, casts = picture_of(ct, subjects, hiding, request)
    write_drr(Made(taken, casts, ct, ct_path, series), request, folder)


@dataclass(frozen=True, eq=False)
class Made:
    """A picture, its nodules' shadows, and the CT that it was made of.

    Attributes:
        taken: the picture.
        casts: the nodules' shadows.
        ct: HU.
        origin: where the CT was read from.
        series: its slices, where they are DICOM.
    """

    taken: Taken
    casts: tuple[Cast, ...]
    ct: Volume
    origin: Path
    series: Series | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know."""
        return (*remarks(self.ct, self.taken), *(cast.warning for cast in self.casts if cast.warning))


def write_drr(made: Made, request: DrrRequest, folder: Path) -> None:
    """All files of a DRR but run.json.

    Raises:
        OutputError: the folder can't be written.
    """
    write_png(made.taken.radiograph.array, folder / "xray.png")
    write_dx(made.taken.radiograph, folder / "xray.dcm", _details(made, request))
    write_png(union(made.casts, made.taken), folder / "mask.png")
    write_png(thickness(made.casts, made.taken), folder / "thickness.png")
    write_masks(made.casts, folder)
    write_json(folder / "nodules.json", _nodules(made, request))
    write_json(folder / "geometry.json", _geometry(made, request))
    write_bytes(folder / "overlay.png", overlay(made.taken, made.casts))


def picture_of(
    ct: Volume, subjects: Sequence[Subject], organs: Mask | None, request: DrrRequest
) -> tuple[Taken, tuple[Cast, ...]]:
    """The picture of a CT, and its nodules' shadows in it.

    Args:
        ct: HU.
        subjects: the nodules.
        organs: what can hide them, by TotalSegmentator's names; None when that isn't known.
        request: how the picture is taken.

    Raises:
        HilumError: as in `run_drr`.
    """
    taken = take(ct, request.room, np.random.default_rng(request.seed))
    hiding = organ_shadows(organs, taken.projection) if organs is not None else {}
    return taken, cast_all(subjects, Scenery(ct, taken, hiding, request.room.exposure.spectrum.mean_kev))


def overlay(taken: Taken, casts: Sequence[Cast]) -> bytes:
    """PNG for people: the picture with every silhouette outlined."""
    outlines = [
        Silhouette(f"nodule {cast.subject.nodule.id[:_LONGEST_LABEL]}", cast.shadow.silhouette)
        for cast in casts
        if cast.shadow is not None
    ]
    towards = orientation(taken.projection)[0]
    return outlined_xray(taken.radiograph, outlines, ("".join(_OPPOSITE[letter] for letter in towards), towards))


def _details(made: Made, request: DrrRequest) -> DxDetails:
    setup, is_cone = request.room.setup, made.taken.projection.beam is Beam.CONE
    source = request.nodules or ""
    return DxDetails(
        position(made.taken.projection),
        orientation(made.taken.projection),
        setup.source_detector_mm if is_cone else None,
        setup.source_patient_mm if is_cone else None,
        derivation=_derivation(made.taken, request),
        frame_uid=made.ct.geometry.frame_uid,
        patient=source.removeprefix(LIDC) if source.startswith(LIDC) else "",
        like=made.series.files[0] if made.series else None,
        sources=_sources(made.series) if made.series else (),
    )


def _nodules(made: Made, request: DrrRequest) -> dict[str, object]:
    study = {
        "nodules_from": Path(request.nodules).name if request.nodules else None,
        "consensus": request.consensus,
        "rule": request.rule,
        "silhouette": _SOURCE_SILHOUETTE if request.room.style is Style.SOURCE else _SILHOUETTE,
        "thickness_mm_per_step": THICKNESS_STEP_MM,
        "contrast_to_noise_of": "grey levels" if made.taken.primary_share is None else "−ln of the signal",
        "rules": "docs/explanation/drr.md",
    }
    return {"schema": SCHEMA, "study": study, "warnings": made.warnings, "nodules": entries(made.casts)}


def _geometry(made: Made, request: DrrRequest) -> dict[str, object]:
    physical = request.room.style is not Style.SOURCE
    picture = {
        "file": "xray.png",
        "style": request.room.style,
        "bits": made.taken.radiograph.array.dtype.itemsize * 8,
        "raw_step": RAW_STEP if request.room.style is Style.RAW else None,
        "energies_kev": request.room.exposure.spectrum.energies_kev if physical else None,
        "spacing_plane": made.taken.radiograph.plane,
        "thickness": {"file": "thickness.png", "mm_per_step": THICKNESS_STEP_MM},
    }
    geometry = to_record(made.taken.projection, request.room.setup if physical else None)
    return {**geometry, "picture": picture, "warnings": made.warnings}


def _derivation(taken: Taken, request: DrrRequest) -> str:
    exposure, room = request.room.exposure, request.room
    if room.style is Style.SOURCE:
        return "Digitally reconstructed radiograph from CT, display style of the published LIDC pairs, parallel beam"
    energies = ", ".join(f"{energy:g}" for energy in exposure.spectrum.energies_kev)
    photons = "none" if exposure.photons_per_mm2 is None else f"{exposure.photons_per_mm2:g} quanta/mm2"
    return (
        f"Digitally reconstructed radiograph from CT, not an exposure: {taken.projection.beam} beam, {energies} keV, "
        f"scatter fraction {exposure.scatter_fraction:g}, noise {photons}, blur sigma {exposure.blur_mm:g} mm, "
        f"display style {room.style}"
    )


def _sources(series: Series) -> tuple[tuple[str, str], ...]:
    """Class and UID of each image of the series that was read."""
    headers = [read_header(path) for path in series.files]
    return tuple((header.sop_class, header.text("SOPInstanceUID")) for header in headers)


def _is_dicom(path: Path) -> bool:
    kind = recognise(path)
    return kind is Kind.DICOM or (kind is Kind.FOLDER and any(is_dicom(file) for file in files_under(path)))


def _organs_beside(ct_path: Path) -> Path | None:
    """The sample CT's own organ mask, which lies beside it."""
    candidate = ct_path.resolve().parent / "mask.nii.gz"
    try:
        return candidate if candidate == sample_organs_path().resolve() else None
    except MissingError:
        return None


def _inputs(ct_path: Path, request: DrrRequest, organs: Path | None) -> Iterator[tuple[str, str]]:
    recognise(ct_path)  # says what is wrong with a path that isn't there
    yield f"ct/{ct_path.name}", _digest(ct_path)
    if request.nodules:
        for name, value in nodule_inputs(request.nodules).items():
            yield f"nodules/{name}", value
    if organs is not None:
        for path in (organs, organs.parent / STRUCTURES):
            if path.is_file():
                yield f"organs/{path.name}", sha256_of(path)


def _digest(path: Path) -> str:
    """SHA-256 of a file, or of all files of a folder (or of a header and what it describes) together."""
    has_voxels_beside = path.suffix.lower() in (".mhd", ".nhdr", ".hdr")
    if path.is_file() and not has_voxels_beside:
        return sha256_of(path)
    files = path.parent.glob(f"{glob.escape(path.stem)}.*") if has_voxels_beside else files_under(path)
    together = hashlib.sha256()
    for file in sorted(files):
        together.update(f"{file.relative_to(path.parent)} {sha256_of(file)}\n".encode())
    return together.hexdigest()


def _options(request: DrrRequest) -> dict[str, object]:
    """All that changes the result; a file's place doesn't, its content is among the inputs."""
    options = asdict(request)
    options["nodules"] = Path(request.nodules).name if request.nodules else None
    options["organs"] = request.organs.name if request.organs else None
    return options


def _result(folder: Path, *, was_done: bool) -> DrrResult:
    content = read_json(folder / "nodules.json")
    seen = [bool(one["in_view"]) for one in content["nodules"]]
    return DrrResult(folder, was_done, (len(seen), sum(seen)), tuple(content["warnings"]))
