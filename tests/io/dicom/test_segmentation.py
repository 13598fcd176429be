"""DICOM SEG written by highdicom lies on the grid of the images that it was made of."""

from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentationTypeValues, SegmentDescription
from numpy.testing import assert_array_equal
from pydicom.sr.codedict import codes

from hilum.core import UnsupportedError
from hilum.io.dicom import describe_dicom, read_seg, read_series
from tests.io.dicom.build import noise, write_ct

HU = noise((6, 8, 7))


def segment(number: int, label: str) -> SegmentDescription:
    return SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Nodule,
        algorithm_type=SegmentAlgorithmTypeValues.MANUAL,
    )


def write_seg(path: Path, files: list[Path], pixels: np.ndarray, kind: str, labels: list[str]) -> Path:
    sources = [pydicom.dcmread(file) for file in files]
    for source in sources:
        source.PatientBirthDate = source.PatientSex = source.StudyTime = source.AccessionNumber = source.StudyID = ""
        source.ReferringPhysicianName, source.PatientName = "", "P1^"
    made = highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=pixels,
        segmentation_type=SegmentationTypeValues(kind),
        segment_descriptions=[segment(n, label) for n, label in enumerate(labels, 1)],
        series_instance_uid="1.2.3.4",
        series_number=3,
        sop_instance_uid="1.2.3.4.5",
        instance_number=1,
        manufacturer="a test",
        manufacturer_model_name="a test",
        software_versions="1",
        device_serial_number="1",
    )
    made.save_as(path)
    return path


@pytest.fixture
def oblique(tmp_path) -> list[Path]:
    c, s = (float(f"{v:.12f}") for v in (np.cos(0.3), np.sin(0.3)))
    return write_ct(tmp_path / "ct", HU, orientation=(c, s, 0, -s, c, 0))


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_labels_lie_on_the_oblique_images_with_empty_slices_in_between(tmp_path, oblique, kind):
    labels = np.zeros(HU.shape, np.uint8)
    labels[1, 2:5, 1:3], labels[4, 1, 1:6], labels[4, 5, 2] = 1, 2, 1
    (mask,) = read_seg(write_seg(tmp_path / "seg.dcm", oblique, labels, kind, ["one", "two"]))
    image = read_series(tmp_path / "ct")
    start = round(float(image.geometry.to_index(mask.require_geometry().origin_lps_mm)[0]))
    block = image.crop((start, 0, 0), mask.labels.shape)
    block.geometry.require_same_grid(mask.require_geometry())
    assert_array_equal(mask.labels, labels[start : start + len(mask.labels)])
    assert mask.labels.any(axis=(1, 2)).sum() == 2
    assert {name for number, name in mask.names.items() if number} >= {"one", "two"}
    assert "one, two" in describe_dicom(tmp_path / "seg.dcm")[0].summary


def test_overlapping_segments_become_two_masks(tmp_path, oblique):
    pixels = np.zeros((*HU.shape, 3), np.uint8)
    pixels[2, :4, :, 0] = pixels[2, 2:, :, 1] = pixels[3, 0, 0, 2] = 1
    masks = read_seg(write_seg(tmp_path / "seg.dcm", oblique, pixels, "BINARY", ["low", "high", "apart"]))
    assert [dict(mask.names) for mask in masks] == [{1: "low", 3: "apart"}, {2: "high"}]
    assert [int((mask.labels > 0).sum()) for mask in masks] == [4 * 7 + 1, 6 * 7]


def test_one_half_and_more_of_a_fraction_is_in(tmp_path, oblique):
    pixels = np.zeros((*HU.shape, 1), np.float32)
    pixels[1, 0, :4, 0] = (0.25, 0.49, 0.51, 1.0)
    (mask,) = read_seg(write_seg(tmp_path / "seg.dcm", oblique, pixels, "FRACTIONAL", ["fraction"]))
    assert mask.labels.sum() == 2


def test_what_is_no_segmentation_is_refused(oblique):
    with pytest.raises(UnsupportedError, match="is no segmentation, its modality is CT"):
        read_seg(oblique[0])
