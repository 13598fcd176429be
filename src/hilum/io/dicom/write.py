"""CT series out."""

import hashlib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hilum.core import Geometry, GeometryError, Quantity, UnsupportedError, Volume
from hilum.io.atomic import atomic_folder
from hilum.io.dicom.compose import decimal_string, file_meta, new_dataset, uid, valid_only
from hilum.io.dicom.instances import CT_IMAGE

if TYPE_CHECKING:
    from pydicom import Dataset

_INT16 = np.iinfo(np.int16)
_SQUARE = 1e-4


def write_series(
    volume: Volume,
    folder: Path,
    *,
    patient: str = "",
    like: Path | None = None,
    description: str = "",
    date: date | None = None,
    comments: str = "",
) -> list[Path]:
    """Write a volume as CT Image Storage (PS3.3 A.3), one uncompressed file a slice; all of them or nothing.

    HU are stored as they are: 16 bits signed, Rescale Slope 1, Intercept 0. The positions follow the grid, so a sheared
    one (tilted gantry) is written as what it is. Rows that run to the right or columns that run to the front are
    written in reverse, as scanners do, so that every voxel stays where it is in the patient while the array that is
    read back may run the other way. Numbers are decimal strings of 16 characters (DS, PS3.5 6.2): at least 1e-10 mm.

    UIDs are made of the content, so the same volume for the same patient gets the same ones.

    Args:
        volume: HU.
        folder: where to; must be absent or empty.
        patient: Patient ID and name.
        like: a DICOM file, or a folder of them, whose patient and study this series shall belong to.
        description: Series Description.
        date: day of the study, where `like` gives none.
        comments: Image Comments of every slice; none when empty.

    Returns:
        the files, from the first slice along the normal to the last.

    Raises:
        UnitError: the volume isn't in HU.
        UnsupportedError: HU that are no whole numbers, or don't fit 16 bits: DICOM would lose them.
        GeometryError: rows and columns aren't perpendicular, which Image Orientation (Patient) can't express.
        OutputError: the folder can't be written, or a value isn't allowed in DICOM.
        UnreadableError: `like` can't be read.
    """
    volume.require(Quantity.HU)
    array, geometry = _scanner_order(volume)
    whole = _as_int16(array)
    names = [f"IM{k + 1:04}.dcm" for k in range(len(whole))]
    with valid_only(folder):
        template = _template(geometry, patient, like, description, date)
        if comments:
            template.ImageComments = comments
        _identify(template, whole, geometry)
    with valid_only(folder), atomic_folder(folder) as place:
        for k, name in enumerate(names):
            _write_slice(template, whole[k], geometry, k, place / name)
    return [folder / name for name in names]


def _scanner_order(volume: Volume) -> tuple[NDArray[np.generic], Geometry]:
    """Axial rows to the left, columns to the back, slices along the normal; by views, without a copy."""
    array, geometry = volume.array, volume.geometry
    if np.abs(geometry.directions[:, 0] @ geometry.directions[:, 1]) > _SQUARE:
        raise GeometryError(
            "rows and columns of this grid aren't perpendicular, and DICOM slices must be (Image Orientation).",
            "Resample it first: hilum.ops.resample_to(volume, a regular grid)",
        )
    row, column, stack = geometry.directions.T
    flips = [letter == wrong for letter, wrong in zip(geometry.axis_codes[:2], "RA", strict=True)]
    normal = np.cross(row, column) * (-1 if flips[0] != flips[1] else 1)
    flips.append(bool(normal @ stack < 0))
    affine = np.array(geometry.affine_lps)
    for axis, flip in enumerate(flips):
        if flip:
            affine[:3, 3] += affine[:3, axis] * (geometry.shape_zyx[2 - axis] - 1)
            affine[:3, axis] *= -1
            array = np.flip(array, 2 - axis)
    return array, Geometry(geometry.shape_zyx, affine, geometry.frame_uid)


def _as_int16(array: NDArray[np.generic]) -> NDArray[np.int16]:
    """The same numbers as int16, or a refusal."""
    if array.dtype == np.int16:
        return np.asarray(array, dtype=np.int16)
    if not np.isfinite(array).all() or array.min() < _INT16.min or array.max() > _INT16.max:
        raise UnsupportedError(
            f"HU from {array.min():g} to {array.max():g} don't fit the 16 bits of a CT image.", "Clip them first."
        )
    whole = array.astype(np.int16)
    if not np.array_equal(whole, array):
        raise UnsupportedError(
            "these HU have fractions, and a CT image stores whole numbers.",
            "Round them first, if that loss is fine: np.rint(volume.array).astype(np.int16)",
        )
    return whole


def _template(geometry: Geometry, patient: str, like: Path | None, description: str, day: date | None) -> "Dataset":
    """Everything that the slices share."""
    dataset = new_dataset(patient, like)
    dataset.StudyDate = str(dataset.StudyDate) or (f"{day:%Y%m%d}" if day else "")
    dataset.SOPClassUID = CT_IMAGE
    dataset.Modality = "CT"
    dataset.Manufacturer = "hilum"
    dataset.SeriesDescription = description
    dataset.SeriesDate = dataset.SeriesTime = ""
    dataset.SeriesNumber = dataset.AcquisitionNumber = dataset.KVP = None
    dataset.PositionReferenceIndicator = dataset.Laterality = ""
    dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    _describe_pixels(dataset, geometry)
    return dataset


def _describe_pixels(dataset: "Dataset", geometry: Geometry) -> None:
    row, column, _ = geometry.directions.T
    _, dy, dx = geometry.spacing_zyx_mm
    apart_mm = abs(float(np.cross(row, column) @ geometry.affine_lps[:3, 2]))
    _, dataset.Rows, dataset.Columns = geometry.shape_zyx
    dataset.PixelSpacing = [decimal_string(dy), decimal_string(dx)]
    dataset.ImageOrientationPatient = [decimal_string(part) for part in (*row, *column)]
    dataset.SliceThickness = dataset.SpacingBetweenSlices = decimal_string(apart_mm)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "HU"


def _identify(dataset: "Dataset", array: NDArray[np.int16], geometry: Geometry) -> None:
    """UIDs that follow from the content."""
    digest = hashlib.blake2b(geometry.affine_lps.tobytes() + str(geometry.shape_zyx).encode())
    for plane in array:
        digest.update(plane.tobytes())
    who = f"{dataset.PatientID}|{dataset.SeriesDescription}|{dataset.StudyInstanceUID}|{dataset.StudyDate}"
    digest.update(who.encode())
    seed = digest.hexdigest()
    dataset.SeriesInstanceUID = uid(seed, "series")
    dataset.StudyInstanceUID = str(dataset.StudyInstanceUID) or uid(seed, "study")
    dataset.FrameOfReferenceUID = geometry.frame_uid or uid(seed, "frame")


def _write_slice(dataset: "Dataset", plane: NDArray[np.int16], geometry: Geometry, k: int, path: Path) -> None:
    dataset.SOPInstanceUID = uid(str(dataset.SeriesInstanceUID), f"slice {k}")
    dataset.InstanceNumber = k + 1
    dataset.ImagePositionPatient = [decimal_string(part) for part in geometry.to_lps_mm((k, 0, 0))]
    dataset.PixelData = plane.astype("<i2").tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.file_meta = file_meta()
    dataset.save_as(path, enforce_file_format=True)
