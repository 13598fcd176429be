"""DX images that say what they are: read back by hilum, by pydicom, and passed by a validator where there is one."""

import shutil
import subprocess

import numpy as np
import pydicom
import pytest
from numpy.testing import assert_array_equal

from hilum.core import InputError, OutputError, Radiograph, SpacingPlane, UnitError, View
from hilum.io.dicom import describe_dicom, read_dicom_radiograph, write_series
from hilum.io.dicom.dx import DX_FOR_PRESENTATION, DxDetails, write_dx
from hilum.io.read import read_volume
from tests.io.dicom.build import CT, noise, write_ct

PIXELS = np.random.default_rng(9).integers(0, 65536, (40, 30)).astype(np.uint16)
XRAY = Radiograph(PIXELS, (0.8, 0.7), View.PA, "DRR", SpacingPlane.DETECTOR)
CONE = DxDetails("PA", ("L", "F"), 1800.0, 1500.0, "Digitally reconstructed radiograph from CT", "1.2.3.4", "P7")


def test_pixels_millimetres_and_view_come_back(tmp_path):
    write_dx(XRAY, tmp_path / "x.dcm", CONE)
    back = read_dicom_radiograph(tmp_path / "x.dcm")
    assert_array_equal(np.rint(back.array), PIXELS)
    assert_array_equal(read_dicom_radiograph(tmp_path / "x.dcm", voi=False).array, PIXELS)
    assert (back.pixel_mm, back.plane, back.view) == ((0.8, 0.7), SpacingPlane.DETECTOR, View.PA)
    assert not [note for note in describe_dicom(tmp_path / "x.dcm")[0].odd if "MONOCHROME1" in note or "window" in note]


def test_it_says_that_it_is_no_exposure(tmp_path):
    write_dx(XRAY, tmp_path / "x.dcm", CONE)
    found = pydicom.dcmread(tmp_path / "x.dcm")
    assert found.SOPClassUID == found.file_meta.MediaStorageSOPClassUID == DX_FOR_PRESENTATION
    assert list(found.ImageType)[:2] == ["DERIVED", "SECONDARY"]
    assert "reconstructed radiograph from CT" in found.DerivationDescription
    assert (found.PhotometricInterpretation, found.BitsStored, found.PresentationIntentType) == (
        "MONOCHROME2",
        16,
        "FOR PRESENTATION",
    )
    assert [float(step) for step in found.ImagerPixelSpacing] == [0.8, 0.7]
    assert "PixelSpacing" not in found, "no plane of the patient is calibrated"
    assert found.EstimatedRadiographicMagnificationFactor == pytest.approx(1.2)
    assert (found.DistanceSourceToDetector, found.DistanceSourceToPatient) == (1800, 1500)
    assert (found.ViewPosition, list(found.PatientOrientation)) == ("PA", ["L", "F"])
    assert (found.FrameOfReferenceUID, found.PatientID) == ("1.2.3.4", "P7")
    relation = found.PixelIntensityRelationship, found.PixelIntensityRelationshipSign
    assert relation == ("LOG", -1), "a higher value is less X-ray (PS3.3 C.8.11.3.1.2)"
    for never in ("KVP", "Exposure", "DetectorManufacturerName", "ExposureTime"):
        assert never not in found


def test_a_parallel_beam_has_no_distances(tmp_path):
    write_dx(XRAY, tmp_path / "x.dcm", DxDetails("AP", ("L", "F")))
    found = pydicom.dcmread(tmp_path / "x.dcm")
    assert "DistanceSourceToDetector" not in found
    assert found.EstimatedRadiographicMagnificationFactor == 1


def test_eight_bits_are_spread_over_sixteen(tmp_path):
    small = Radiograph(np.arange(256, dtype=np.uint8).reshape(16, 16), (1, 1), plane=SpacingPlane.PATIENT)
    write_dx(small, tmp_path / "x.dcm", CONE)
    back = read_dicom_radiograph(tmp_path / "x.dcm", voi=False).array
    assert_array_equal(back, np.linspace(0, 65535, 256).reshape(16, 16))


def test_the_same_picture_has_the_same_uids_and_another_has_others(tmp_path):
    for name, image, details in (
        ("a", XRAY, CONE),
        ("b", XRAY, CONE),
        ("c", Radiograph(PIXELS[::-1], (0.8, 0.7), plane=SpacingPlane.DETECTOR), CONE),
        ("d", XRAY, DxDetails("AP", ("L", "F"), patient="P7")),
    ):
        write_dx(image, tmp_path / name, details)
    uids = {name: pydicom.dcmread(tmp_path / name).SOPInstanceUID for name in "abcd"}
    assert uids["a"] == uids["b"]
    assert len(set(uids.values())) == 3


def test_it_joins_the_cts_patient_and_study_and_names_its_sources(tmp_path):
    files = write_ct(tmp_path / "ct", noise((4, 8, 9)))
    sources = tuple((CT, pydicom.dcmread(file).SOPInstanceUID) for file in files)
    details = DxDetails("LL", ("P", "F"), like=tmp_path / "ct", sources=sources)
    write_dx(XRAY, tmp_path / "x.dcm", details)
    found, slice_ = pydicom.dcmread(tmp_path / "x.dcm"), pydicom.dcmread(files[0])
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate"):
        assert found[keyword].value == slice_[keyword].value
    assert found.SeriesInstanceUID != slice_.SeriesInstanceUID
    named = [(item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) for item in found.SourceImageSequence]
    assert named == list(sources)


@pytest.mark.parametrize(
    ("position", "orientation"),
    [("AP", ("L", "F")), ("PA", ("L", "F")), ("LL", ("P", "F")), ("RL", ("A", "F")), ("LPO", ("LP", "F"))]
    + [("RPO", ("LA", "F")), ("LAO", ("PR", "F")), ("RAO", ("AR", "F"))],
)
def test_the_standards_own_checks_pass(tmp_path, position, orientation):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (Debian package dicom3tools) is not installed")
    files = write_ct(tmp_path / "ct", noise((3, 8, 9)))
    sources = tuple((CT, pydicom.dcmread(file).SOPInstanceUID) for file in files)
    details = DxDetails(position, orientation, 1800.0, 1550.0, frame_uid="1.2.3.4", sources=sources)
    write_dx(XRAY, tmp_path / "x.dcm", details)
    said = subprocess.run(["dciodvfy", tmp_path / "x.dcm"], capture_output=True, text=True, check=False)
    assert "DXImageForPresentation" in said.stderr
    assert "Error" not in said.stderr


def test_what_cant_be_written_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(UnitError):
        write_dx(Radiograph(PIXELS, None), tmp_path / "x.dcm", CONE)
    with pytest.raises(InputError, match="unsigned integers of 8 or 16 bits, got float32"):
        write_dx(Radiograph(PIXELS.astype(np.float32), (1, 1), plane=SpacingPlane.PATIENT), tmp_path / "x.dcm", CONE)
    with pytest.raises(InputError, match="a chest view is one of AP, PA"):
        write_dx(XRAY, tmp_path / "x.dcm", DxDetails("SIDEWAYS", ("L", "F")))
    with pytest.raises(OutputError, match="DICOM forbids it"):
        write_dx(XRAY, tmp_path / "x.dcm", DxDetails("AP", ("L", "F"), patient="P" * 65))
    assert not list(tmp_path.iterdir())


def test_a_written_series_can_be_the_origin(tmp_path):
    ct = read_volume(write_ct(tmp_path / "raw", noise((4, 8, 9)))[0].parent)
    write_series(ct, tmp_path / "ct", patient="Q1")
    write_dx(XRAY, tmp_path / "x.dcm", DxDetails("AP", ("L", "F"), like=tmp_path / "ct"))
    assert pydicom.dcmread(tmp_path / "x.dcm").PatientID == "Q1"
