"""One DICOM file each: what kind of object it is, and where its image slices lie."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np

from hilum.core import UnreadableError, UnsupportedError
from hilum.core.geometry import Triple
from hilum.io.dicom.files import Header, Item, is_known_syntax, read_header, uid_name
from hilum.io.dicom.pixels import PixelSource, pixel_source

_STORAGE = "1.2.840.10008.5.1.4.1.1."
CT_IMAGE = _STORAGE + "2"
ENHANCED_CT = (_STORAGE + "2.1", _STORAGE + "2.2")
_CROSS_SECTIONS = (CT_IMAGE, *ENHANCED_CT, *(_STORAGE + end for end in ("4", "4.1", "4.4", "128", "128.1", "130")))
PROJECTIONS = tuple(_STORAGE + end for end in ("1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1"))
SECONDARY_CAPTURE = tuple(_STORAGE + end for end in ("7", "7.2", "7.3"))
SEGMENTATION = (_STORAGE + "66.4", _STORAGE + "66.7")
STRUCTURE_SET = _STORAGE + "481.3"
_REPORTS = _STORAGE + "88."
DIRECTORY = "1.2.840.10008.1.3.10"
XRAY_MODALITIES = ("CR", "DX", "DR", "RG", "MG", "IO")

_SMALLEST_MM, _LARGEST_MM = 1e-6, 1e5
_LARGEST_RESCALE = 1e6

_ANEW = "Get the file anew from where it came."
_LEAVE_OUT = "Leave it out of the folder, or get the series as single slices."


class Kind(StrEnum):
    """What a DICOM object is, as far as hilum tells them apart."""

    SLICES = "slices"
    RADIOGRAPH = "radiograph"
    SEGMENTATION = "segmentation"
    STRUCTURES = "RT structure set"
    REPORT = "structured report"
    DIRECTORY = "DICOM directory"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Slice:
    """One plane of an image: its place and how its numbers become HU.

    Attributes:
        pixels: where its frame is found.
        frame: index of the frame in the file.
        position_lps_mm: centre of its first pixel (Image Position (Patient), PS3.3 C.7.6.2.1.1).
        position_step_mm: the last decimal that the file writes of the position, 0 when it writes five or more.
        orientation: unit vectors along a row and along a column (Image Orientation (Patient)).
        pixel_mm: (row step, column step) (Pixel Spacing).
        slope: of stored value to HU; 1 when the file doesn't say.
        intercept: HU of the stored value 0; 0 when the file doesn't say.
        rescale_type: "HU", "US", … or "" when the file doesn't say.
        has_rescale: whether the file gives slope and intercept.
        acquisition: what tells apart two images at one place: acquisition, kernel and time point.
    """

    pixels: PixelSource
    frame: int
    position_lps_mm: Triple
    position_step_mm: float
    orientation: tuple[Triple, Triple]
    pixel_mm: tuple[float, float]
    slope: float
    intercept: float
    rescale_type: str
    has_rescale: bool
    acquisition: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Instance:
    """One DICOM file.

    Attributes:
        header: the file's header.
        kind: what it is.
        slices: its planes, when it is a cross-sectional image.
        flaw: why the planes can't be placed or read; None when they can.
        facts: small texts by DICOM keyword, "" where the file doesn't say.
    """

    path: Path
    kind: Kind
    sop_class: str
    syntax: str
    facts: dict[str, str]
    slices: tuple[Slice, ...] = ()
    flaw: UnreadableError | UnsupportedError | None = None
    odd: tuple[str, ...] = field(default=())

    @property
    def modality(self) -> str:
        """Modality; CT for the CT classes where the file doesn't say."""
        return self.facts["Modality"] or ("CT" if self.sop_class in (CT_IMAGE, *ENHANCED_CT) else "")

    @property
    def has_known_class(self) -> bool:
        """Whether its SOP class is one of the standard's; private ones, new ones and damaged UIDs aren't."""
        return uid_name(self.sop_class) != self.sop_class

    @property
    def is_localizer(self) -> bool:
        """Whether it is a scout view (third value of Image Type, PS3.3 C.8.2.1.1.1)."""
        return "LOCALIZER" in self.facts["ImageType"].upper().split("\\")


_FACTS = (
    *("Modality", "PatientID", "PatientName", "StudyDate", "SeriesDate", "AcquisitionDate", "SeriesInstanceUID"),
    *("SOPInstanceUID", "SeriesDescription", "ConvolutionKernel", "FrameOfReferenceUID", "ImageType"),
    *("PatientPosition", "SliceThickness", "SpacingBetweenSlices", "GantryDetectorTilt", "PixelPaddingValue"),
    *("LossyImageCompression", "BurnedInAnnotation", "ContentLabel", "InstanceNumber"),
)


def kind_of(sop_class: str, modality: str) -> Kind:
    """What an object is, by its SOP class (PS3.4 annex B.5); by its modality where it names none."""
    if sop_class in _CROSS_SECTIONS or (not sop_class and modality == "CT"):
        return Kind.SLICES
    if sop_class in PROJECTIONS or (sop_class in ("", *SECONDARY_CAPTURE) and modality in XRAY_MODALITIES):
        return Kind.RADIOGRAPH
    if sop_class in SEGMENTATION:
        return Kind.SEGMENTATION
    if sop_class.startswith(_REPORTS):
        return Kind.REPORT
    return {STRUCTURE_SET: Kind.STRUCTURES, DIRECTORY: Kind.DIRECTORY}.get(sop_class, Kind.OTHER)


def read_instance(path: Path) -> Instance:
    """Read one file's header, and its slices' places when it is a cross-sectional image.

    Slices that can't be placed or read don't fail here: `flaw` says why.

    Raises:
        UnreadableError: the file is missing, isn't DICOM, or its header is damaged.
    """
    header = read_header(path)
    facts = {keyword: header.text(keyword) for keyword in _FACTS}
    kind = kind_of(header.sop_class, facts["Modality"])
    slices: tuple[Slice, ...] = ()
    flaw = None
    if kind is Kind.SLICES:
        try:
            slices = tuple(slices_of(header))
        except (UnreadableError, UnsupportedError) as error:
            flaw = error
    odd = _oddities(header)
    return Instance(path, kind, header.sop_class, header.syntax, facts, slices, flaw, odd)


def _oddities(header: Header) -> tuple[str, ...]:
    odd = []
    if not header.has_syntax:
        odd.append("no file meta information: the transfer syntax was guessed")
    elif header.syntax == "1.2.840.10008.1.2.2":
        odd.append("big endian, a retired encoding")
    if not is_known_syntax(header.syntax):
        odd.append(f"an unknown transfer syntax, {header.syntax}")
    if not header.sop_class:
        odd.append("it doesn't say what kind of object it is (no SOP Class UID)")
    from pydicom.charset import python_encoding

    unknown = [name for name in header.text("SpecificCharacterSet").split("\\") if name not in python_encoding]
    if unknown:
        odd.append(f"an unknown character set, {', '.join(unknown)}: names may be wrong")
    return tuple(odd)


def slices_of(header: Header) -> list[Slice]:
    """The planes of a single-frame or an enhanced multi-frame image.

    Raises:
        UnreadableError: a value is damaged or impossible.
        UnsupportedError: the file doesn't say where its planes lie, or is in colour.
    """
    pixels = pixel_source(header)
    if pixels.samples != 1 or not pixels.photometric.startswith("MONOCHROME"):
        raise UnsupportedError(
            f"{header.path} is in colour ({pixels.photometric}); grey slices were expected.", _LEAVE_OUT
        )
    shared = header.items("SharedFunctionalGroupsSequence")
    per_frame = header.items("PerFrameFunctionalGroupsSequence")
    if not shared and not per_frame:
        if pixels.frames > 1:
            raise UnsupportedError(
                f"{header.path} has {pixels.frames} frames and doesn't say where each lies (no functional groups).",
                _LEAVE_OUT,
            )
        return [_slice(pixels, 0, [header], header)]
    if len(per_frame) != pixels.frames:
        raise UnreadableError(
            f"{header.path} is damaged: {pixels.frames} frames, but functional groups for {len(per_frame)}.",
            _ANEW,
        )
    return [_slice(pixels, index, [own, *shared], header) for index, own in enumerate(per_frame)]


_GROUPS = {
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "RescaleType": "PixelValueTransformationSequence",
    "FrameAcquisitionNumber": "FrameContentSequence",
    "StackID": "FrameContentSequence",
    "TemporalPositionIndex": "FrameContentSequence",
}


def _holder(keyword: str, places: list[Item], header: Header) -> Item:
    """The item that holds an element: a functional group (own before shared, PS3.3 C.7.6.16), or the header."""
    for place in places:
        for item in place.items(_GROUPS[keyword]) if place is not header else ():
            if item.value(keyword) is not None:
                return item
    return header


def _slice(pixels: PixelSource, index: int, places: list[Item], header: Header) -> Slice:
    position = _holder("ImagePositionPatient", places, header)
    place, orientation, spacing = _plane(position, places, header)
    slope, intercept = _rescale(places, header)
    return Slice(
        pixels=pixels,
        frame=index,
        position_lps_mm=(place[0], place[1], place[2]),
        position_step_mm=_written_step_mm(position),
        orientation=_unit_vectors(orientation, header.path),
        pixel_mm=(spacing[0], spacing[1]),
        slope=1.0 if slope is None else slope,
        intercept=0.0 if intercept is None else intercept,
        rescale_type=_holder("RescaleType", places, header).text("RescaleType"),
        has_rescale=slope is not None and intercept is not None,
        acquisition=_acquisition(places, header),
    )


_Numbers = tuple[float, ...]


def _plane(position: Item, places: list[Item], header: Header) -> tuple[_Numbers, _Numbers, _Numbers]:
    """Position, orientation and pixel spacing, all there and possible."""
    place = position.numbers("ImagePositionPatient", 3)
    orientation = _holder("ImageOrientationPatient", places, header).numbers("ImageOrientationPatient", 6)
    spacing = _holder("PixelSpacing", places, header).numbers("PixelSpacing", 2)
    if place is None or orientation is None or spacing is None:
        found = {"position": place, "orientation": orientation, "pixel spacing": spacing}
        raise UnsupportedError(
            f"{header.path} doesn't say where it lies in the patient: "
            f"no {', no '.join(name for name, value in found.items() if value is None)}.",
            "A volume needs all of them.",
        )
    if max(map(abs, place)) > _LARGEST_MM or not all(_SMALLEST_MM < step < _LARGEST_MM for step in spacing):
        raise UnreadableError(f"{header.path} is damaged: position {place} mm, pixel spacing {spacing} mm.", _ANEW)
    return place, orientation, spacing


def _rescale(places: list[Item], header: Header) -> tuple[float | None, float | None]:
    """Slope and intercept; None for what the file doesn't say."""
    slope = _holder("RescaleSlope", places, header).number("RescaleSlope")
    intercept = _holder("RescaleIntercept", places, header).number("RescaleIntercept")
    if slope == 0 or max(abs(slope or 1), abs(intercept or 0)) > _LARGEST_RESCALE:
        raise UnreadableError(f"{header.path} is damaged: rescale slope {slope}, intercept {intercept}.", _ANEW)
    return slope, intercept


def _acquisition(places: list[Item], header: Header) -> tuple[str, ...]:
    if places == [header]:
        keywords = ("AcquisitionNumber", "ConvolutionKernel", "TemporalPositionIdentifier")
        return tuple(header.text(keyword) for keyword in keywords)
    keywords = ("FrameAcquisitionNumber", "StackID", "TemporalPositionIndex")
    return tuple(_holder(keyword, places, header).text(keyword) for keyword in keywords)


def _written_step_mm(item: Item) -> float:
    """The value of the last decimal that a position is written with: rounding may have moved it by half of this."""
    decimals = 0
    for part in item.text("ImagePositionPatient").split("\\"):
        mantissa, _, exponent = part.strip().lower().partition("e")
        if exponent:
            return 0.0
        decimals = max(decimals, len(mantissa.partition(".")[2]))
    return 0.0 if decimals >= 5 else 10.0**-decimals


def _unit_vectors(orientation: tuple[float, ...], path: Path) -> tuple[Triple, Triple]:
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = float(np.linalg.norm(row)), float(np.linalg.norm(column))
    if max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(float(row @ column))) > 1e-3:
        raise UnreadableError(
            f"{path} is damaged: its orientation {orientation} is no pair of perpendicular unit vectors.",
            _ANEW,
        )
    row, column = row / lengths[0], column / lengths[1]
    return (float(row[0]), float(row[1]), float(row[2])), (float(column[0]), float(column[1]), float(column[2]))
