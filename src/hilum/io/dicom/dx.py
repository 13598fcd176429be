"""A computed radiograph as Digital X-Ray Image Storage - For Presentation (PS3.3 A.26), 16 bits.

It says of itself what it is: DERIVED, SECONDARY, "digitally reconstructed radiograph" and from which CT. Nothing that
only a real exposure has (tube, dose, detector) is invented.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hilum.core import InputError, Radiograph
from hilum.io.atomic import atomic_file
from hilum.io.dicom.compose import decimal_string, file_meta, new_dataset, uid, valid_only

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.sr.coding import Code

DX_FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.1"
_WHITE = np.iinfo(np.uint16).max
_VIEWS = {
    "AP": "AnteroPosterior",
    "PA": "PosteroAnterior",
    "LL": "LeftLateral",
    "RL": "RightLateral",
    "RAO": "RightAnteriorOblique",
    "LAO": "LeftAnteriorOblique",
    "RPO": "RightPosteriorOblique",
    "LPO": "LeftPosteriorOblique",
}
"""Concepts of CID 4010 (DX View) by View Position; pydicom knows their codes."""


@dataclass(frozen=True)
class DxDetails:
    """What a computed radiograph says besides its pixels.

    Attributes:
        position: View Position (PS3.3 C.8.11.5.1.1): AP, PA, LL, RL, RAO, LAO, RPO or LPO.
        orientation: where rows and columns run (Patient Orientation), such as ("L", "F").
        source_detector_mm: focal spot to detector; None for a parallel beam, which has none.
        source_patient_mm: focal spot to the isocentre; None for a parallel beam.
        derivation: how it was made, for people.
        frame_uid: Frame of Reference UID of the CT; None when it has none.
        patient: Patient ID and name, where `like` gives none.
        like: a DICOM file or folder whose patient and study it belongs to.
        sources: (SOP Class UID, SOP Instance UID) of each image that it was made of.
    """

    position: str
    orientation: tuple[str, str]
    source_detector_mm: float | None = None
    source_patient_mm: float | None = None
    derivation: str = "Digitally reconstructed radiograph from CT"
    frame_uid: str | None = None
    patient: str = ""
    like: Path | None = None
    sources: tuple[tuple[str, str], ...] = ()

    @property
    def magnification(self) -> float:
        """Of what lies in the isocentre's plane: 1 for a parallel beam."""
        if self.source_detector_mm is None or self.source_patient_mm is None:
            return 1.0
        return self.source_detector_mm / self.source_patient_mm


def write_dx(radiograph: Radiograph, path: Path, details: DxDetails) -> None:
    """Write a computed radiograph as a DX image; all of it or nothing.

    Imager Pixel Spacing is the detector's; there is no Pixel Spacing, since no plane of the patient is calibrated.
    The window spans all 16 bits, so the stored values are what is shown. UIDs are made of the content: the same
    picture of the same patient gets the same ones.

    Args:
        radiograph: uint16 or uint8 (then brought to 16 bits, 0 and the top kept), dense is bright.
        path: where to.
        details: what it says of itself.

    Raises:
        UnitError: the radiograph has no pixel size.
        InputError: its pixels are no unsigned integers of 8 or 16 bits, or the position is none of DICOM's.
        OutputError: it can't be written, or a value isn't allowed in DICOM.
        UnreadableError: `like` can't be read.
    """
    pixels, pixel_mm = _as_uint16(radiograph.array), radiograph.require_pixel_mm()
    if details.position not in _VIEWS:
        raise InputError(f"a chest view is one of {', '.join(_VIEWS)}, got {details.position!r}.")
    with valid_only(path):
        dataset = _identity(details, pixels)
        _describe_pixels(dataset, pixels)
        _describe_detector(dataset, pixel_mm, details)
        _describe_view(dataset, details)
        _describe_origin(dataset, details)
    with valid_only(path), atomic_file(path) as place:
        dataset.save_as(place, enforce_file_format=True)


def _as_uint16(array: NDArray[np.generic]) -> NDArray[np.uint16]:
    if array.dtype == np.uint16:
        return np.asarray(array, dtype=np.uint16)
    if array.dtype == np.uint8:
        return array.astype(np.uint16) * 257
    raise InputError(f"a DX image holds unsigned integers of 8 or 16 bits, got {array.dtype}.", "Scale them first.")


def _identity(details: DxDetails, pixels: NDArray[np.uint16]) -> "Dataset":
    """Patient, study, series, equipment and UIDs (PS3.3 C.7.1 to C.7.5)."""
    dataset = new_dataset(details.patient, details.like)
    del dataset.PatientPosition  # of the CT's table, not of an X-ray
    who = f"{dataset.PatientID}|{dataset.StudyInstanceUID}|{details.position}|{details.derivation}"
    seed = hashlib.blake2b(pixels.tobytes() + who.encode()).hexdigest()
    dataset.SOPClassUID, dataset.SOPInstanceUID = DX_FOR_PRESENTATION, uid(seed, "image")
    dataset.SeriesInstanceUID = uid(seed, "series")
    dataset.StudyInstanceUID = str(dataset.StudyInstanceUID) or uid(seed, "study")
    dataset.Modality, dataset.PresentationIntentType = "DX", "FOR PRESENTATION"
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    dataset.SeriesDescription = "DRR from CT"
    dataset.Manufacturer, dataset.ManufacturerModelName = "hilum", "hilum drr"
    dataset.ContentDate = dataset.ContentTime = dataset.AcquisitionDate = dataset.AcquisitionTime = ""
    dataset.file_meta = file_meta()
    return dataset


def _describe_pixels(dataset: "Dataset", pixels: NDArray[np.uint16]) -> None:
    """Image Pixel, DX Image and VOI LUT (PS3.3 C.7.6.3, C.8.11.3, C.11.2): stored values are shown values."""
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.PixelIntensityRelationship, dataset.PixelIntensityRelationshipSign = "LOG", -1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
    dataset.PresentationLUTShape, dataset.LossyImageCompression = "IDENTITY", "00"
    dataset.WindowCenter, dataset.WindowWidth = decimal_string((_WHITE + 1) / 2), decimal_string(_WHITE + 1)
    dataset.BurnedInAnnotation = "NO"
    dataset.PixelData = pixels.astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"


def _describe_detector(dataset: "Dataset", pixel_mm: tuple[float, float], details: DxDetails) -> None:
    """DX Detector and DX Positioning (PS3.3 C.8.11.4, C.8.11.5)."""
    dataset.DetectorType, dataset.DetectorConfiguration = "", ""
    dataset.ImagerPixelSpacing = [decimal_string(step) for step in pixel_mm]
    if details.source_detector_mm is not None:
        dataset.DistanceSourceToDetector = decimal_string(details.source_detector_mm)
    if details.source_patient_mm is not None:
        dataset.DistanceSourceToPatient = decimal_string(details.source_patient_mm)
    dataset.EstimatedRadiographicMagnificationFactor = decimal_string(details.magnification)


def _describe_view(dataset: "Dataset", details: DxDetails) -> None:
    """DX Anatomy Imaged and DX Positioning (PS3.3 C.8.11.2, C.8.11.5): the chest, from where, and how it lies."""
    from pydicom.sr.codedict import codes

    dataset.ImageLaterality, dataset.PositionerType = "U", ""
    dataset.BodyPartExamined = "CHEST"
    dataset.AnatomicRegionSequence = [_coded(codes.SCT.Chest)]
    dataset.ViewPosition = details.position
    dataset.ViewCodeSequence = [_coded(getattr(codes.cid4010, _VIEWS[details.position]))]
    dataset.ViewCodeSequence[0].ViewModifierCodeSequence = []
    dataset.PatientOrientation = list(details.orientation)
    dataset.AcquisitionContextSequence = []


def _describe_origin(dataset: "Dataset", details: DxDetails) -> None:
    """Derived from a CT (PS3.3 C.7.6.1.1.2, C.7.6.1.1.4), in its frame of reference (C.7.4.1)."""
    dataset.ImageType = ["DERIVED", "SECONDARY", ""]
    dataset.DerivationDescription = details.derivation[:1024]
    if details.frame_uid:
        dataset.FrameOfReferenceUID = details.frame_uid
        dataset.PositionReferenceIndicator = ""
    if details.sources:
        dataset.SourceImageSequence = [_reference(*source) for source in details.sources]


def _reference(sop_class: str, sop_instance: str) -> "Dataset":
    from pydicom import Dataset
    from pydicom.sr.codedict import codes

    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_instance
    item.PurposeOfReferenceCodeSequence = [_coded(codes.cid7202.SourceImageForImageProcessingOperation)]
    item.SpatialLocationsPreserved = "NO"
    return item


def _coded(concept: "Code") -> "Dataset":
    from pydicom import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = concept.value, concept.scheme_designator
    item.CodeMeaning = concept.meaning
    return item
