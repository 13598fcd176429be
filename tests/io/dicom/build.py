"""DICOM files made for tests, by pydicom alone."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
CR = "1.2.840.10008.5.1.4.1.1.1"
DX = "1.2.840.10008.5.1.4.1.1.1.1"
RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
FRAME_UID = "1.2.826.0.1.3680043.8.498.77"

Change = Callable[[int, Dataset], None]


def noise(shape: Sequence[int], low: int = -1024, high: int = 2000, seed: int = 7) -> NDArray[np.int16]:
    """Whole HU that nobody would take for one another."""
    return np.random.default_rng(seed).integers(low, high, shape).astype(np.int16)


def dataset(sop_class: str, uid: str, syntax: str = ExplicitVRLittleEndian) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(uid)
    found = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    found.SOPClassUID, found.SOPInstanceUID = sop_class, uid
    found.PatientID = found.PatientName = "P1"
    found.StudyInstanceUID, found.SeriesInstanceUID = "1.2.3", "1.2.3.100.5"
    found.StudyDate = "20200229"
    return found


def set_pixels(target: Dataset, pixels: NDArray[np.integer], bits_stored: int | None = None) -> None:
    target.Rows, target.Columns = pixels.shape[-2:]
    target.SamplesPerPixel, target.PhotometricInterpretation = 1, "MONOCHROME2"
    target.BitsAllocated = pixels.dtype.itemsize * 8
    target.BitsStored = bits_stored or target.BitsAllocated
    target.HighBit = target.BitsStored - 1
    target.PixelRepresentation = int(pixels.dtype.kind == "i")
    if pixels.ndim == 3:
        target.NumberOfFrames = len(pixels)
    target.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    target["PixelData"].VR = "OW" if target.BitsAllocated > 8 else "OB"


def write_ct(
    folder: Path,
    hu: NDArray[np.int16],
    *,
    step: Sequence[float] = (0, 0, 2.5),
    orientation: Sequence[float] = (1, 0, 0, 0, 1, 0),
    change: Change | None = None,
    prefix: str = "a",
) -> list[Path]:
    """Slices of a CT, stored unsigned with intercept −1024, named so that the names' order is not the slices'."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for k, plane in enumerate(hu):
        one = dataset(CT, f"1.2.3.100.5.{prefix.encode().hex()}.{k + 1}".replace("..", "."))
        one.Modality, one.FrameOfReferenceUID = "CT", FRAME_UID
        one.ImagePositionPatient = [float(v) for v in np.array([-10.5, 20.25, -300]) + k * np.array(step, float)]
        one.ImageOrientationPatient = list(orientation)
        one.PixelSpacing, one.SliceThickness, one.InstanceNumber = [0.7, 0.8], 2.5, k + 1
        one.RescaleSlope, one.RescaleIntercept = 1, -1024
        set_pixels(one, (plane.astype(np.int32) + 1024).astype(np.uint16))
        if change:
            change(k, one)
        files.append(folder / f"{prefix}{(k * 7) % len(hu):03}_{k}.dcm")
        one.save_as(files[-1], enforce_file_format=True)
    return files


def write_xray(path: Path, pixels: NDArray[np.integer], *, sop_class: str = DX, **values: object) -> Path:
    one = dataset(sop_class, "1.2.3.9")
    one.Modality = "DX"
    set_pixels(one, pixels)
    for keyword, value in values.items():
        setattr(one, keyword, value)
    one.save_as(path, enforce_file_format=True)
    return path


def sequence_item(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def write_enhanced(path: Path, hu: NDArray[np.int16], step_mm: float = 2.5) -> Path:
    """One Enhanced CT file whose frames are stored from the head down."""
    one = dataset(ENHANCED_CT, "1.2.3.8")
    one.Modality, one.FrameOfReferenceUID = "CT", FRAME_UID
    set_pixels(one, hu[::-1].copy())
    one.SharedFunctionalGroupsSequence = [
        sequence_item(
            PlaneOrientationSequence=[sequence_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
            PixelMeasuresSequence=[sequence_item(PixelSpacing=[0.7, 0.8], SliceThickness=step_mm)],
            PixelValueTransformationSequence=[sequence_item(RescaleSlope=1, RescaleIntercept=0, RescaleType="HU")],
        )
    ]
    one.PerFrameFunctionalGroupsSequence = [
        sequence_item(PlanePositionSequence=[sequence_item(ImagePositionPatient=[-10.5, 20.25, -300 + k * step_mm])])
        for k in reversed(range(len(hu)))
    ]
    one.save_as(path, enforce_file_format=True)
    return path


def write_rtstruct(path: Path, contours: dict[str, list[NDArray[np.float64]]], frame_uid: str = FRAME_UID) -> Path:
    """Closed planar contours [n, 3] in LPS mm by the structure's name."""
    one = dataset(RTSTRUCT, "1.2.3.7")
    one.Modality = "RTSTRUCT"
    one.StructureSetROISequence = [
        sequence_item(ROINumber=n, ROIName=name, ReferencedFrameOfReferenceUID=frame_uid)
        for n, name in enumerate(contours, 1)
    ]
    one.ROIContourSequence = [
        sequence_item(
            ReferencedROINumber=n,
            ContourSequence=[
                sequence_item(
                    ContourGeometricType="CLOSED_PLANAR" if len(points) > 1 else "POINT",
                    NumberOfContourPoints=len(points),
                    ContourData=[float(f"{v:.9f}") for v in points.ravel()],
                )
                for points in drawn
            ],
        )
        for n, drawn in enumerate(contours.values(), 1)
    ]
    one.save_as(path, enforce_file_format=True)
    return path


def edit(path: Path, **values: object) -> Path:
    """Change elements of a file; None removes one."""
    one = pydicom.dcmread(path)
    for keyword, value in values.items():
        if value is None:
            delattr(one, keyword)
        else:
            setattr(one, keyword, value)
    one.save_as(path)
    return path
