"""CT series out: every voxel at its place in the patient, bit for bit, or a refusal."""

import shutil
import subprocess
from datetime import date

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hilum.core import Geometry, GeometryError, OutputError, Quantity, UnitError, UnsupportedError, Volume
from hilum.io.dicom import describe_dicom, read_series, write_series
from tests.io.dicom.build import noise, write_ct

HU = noise((4, 6, 5), low=-32768, high=32767)


def turned(codes: str, shear: float = 0.0) -> Geometry:
    """A grid whose i, j, k grow to the named sides."""
    sides = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
    affine = np.eye(4)
    affine[:3, :3] = np.array([sides[code] for code in codes], float).T * (0.7, 0.8, 2.5)
    affine[:3, 2] += shear * affine[:3, 1]
    affine[:3, 3] = (-101.123456789, 33.3, 1234.5678901)
    return Geometry(HU.shape, affine)


def assert_same_places(before: Volume, after: Volume) -> None:
    """Each voxel of one, looked up at its place in the other."""
    index = np.argwhere(np.ones(before.array.shape, bool))
    found = after.geometry.to_index(before.geometry.to_lps_mm(index))
    assert_allclose(found, np.rint(found), atol=1e-6)
    assert_array_equal(after.array[tuple(np.rint(found).astype(int).T)], before.array.ravel())


@pytest.mark.parametrize("codes", ["LPS", "LAS", "RAS", "RPS", "LPI", "RAI", "PSR", "LSP", "AIL"])
@pytest.mark.parametrize("shear", [0.0, 0.3])
def test_every_voxel_comes_back_to_its_place(tmp_path, codes, shear):
    volume = Volume(HU, turned(codes, shear))
    write_series(volume, tmp_path / "out", patient="P9")
    back = read_series(tmp_path / "out")
    assert_same_places(volume, back)
    assert np.linalg.det(back.geometry.affine_lps[:3, :3]) > 0
    assert back.array.dtype == np.int16


@given(
    angles=st.tuples(*[st.floats(-3, 3)] * 3),
    spacing=st.tuples(*[st.floats(0.1, 10)] * 3),
    origin=st.tuples(*[st.floats(-2000, 2000)] * 3),
)
def test_any_turned_grid_comes_back(tmp_path_factory, angles, spacing, origin):
    turn = sitk.Euler3DTransform((0, 0, 0), *angles).GetMatrix()
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(turn, (3, 3)) * spacing
    affine[:3, 3] = origin
    volume = Volume(HU, Geometry(HU.shape, affine))
    folder = tmp_path_factory.mktemp("turned") / "out"
    write_series(volume, folder)
    assert_same_places(volume, read_series(folder))


def test_a_scanners_order_is_written_and_itk_reads_the_same(tmp_path):
    volume = Volume(HU, turned("LAS"))
    files = write_series(volume, tmp_path / "out", patient="P9", description="a test", date=date(2020, 2, 29))
    first = pydicom.dcmread(files[0])
    assert_allclose(first.ImageOrientationPatient, (1, 0, 0, 0, 1, 0))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "out")))
    image = reader.Execute()
    back = read_series(tmp_path / "out")
    assert_array_equal(sitk.GetArrayFromImage(image), back.array)
    assert_allclose(image.TransformIndexToPhysicalPoint((4, 5, 3)), back.geometry.to_lps_mm((3, 5, 4)), atol=1e-9)
    (found,) = describe_dicom(tmp_path / "out")
    assert (found.odd, found.facts["patient"], found.facts["date"]) == ((), "P9", "2020-02-29")


def test_what_the_standard_asks_of_a_ct_image_is_there(tmp_path):
    files = write_series(Volume(HU, turned("LPS")), tmp_path / "out")
    read = [pydicom.dcmread(file) for file in files]
    type_1 = "SOPClassUID SOPInstanceUID Modality StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID ImageType"
    type_1 += " SamplesPerPixel Rows Columns PixelSpacing ImageOrientationPatient ImagePositionPatient RescaleSlope"
    type_1 += " RescaleIntercept BitsAllocated BitsStored HighBit PixelRepresentation PhotometricInterpretation"
    type_2 = "PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime ReferringPhysicianName StudyID"
    type_2 += " AccessionNumber SeriesNumber Manufacturer InstanceNumber SliceThickness KVP AcquisitionNumber"
    type_2 += " PositionReferenceIndicator PatientPosition"
    for one in read:
        assert [name for name in type_1.split() if one.get(name) in (None, "")] == []
        assert [name for name in type_2.split() if name not in one] == []
        uids = (one.SOPInstanceUID, one.SeriesInstanceUID, one.StudyInstanceUID, one.FrameOfReferenceUID)
        assert all(uid.is_valid for uid in uids)
        assert len(set(uids)) == 4
    assert len({one.SOPInstanceUID for one in read}) == len(read)
    assert [one.InstanceNumber for one in read] == [1, 2, 3, 4]
    assert read[0].SpacingBetweenSlices == 2.5


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian's dicom3tools) is not installed")
def test_dciodvfy_finds_no_error(tmp_path):
    for path in write_series(Volume(HU, turned("LAS")), tmp_path / "out", patient="P^9", date=date(2020, 1, 2)):
        said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False).stderr
        assert "CTImage" in said
        assert "Error" not in said


def test_the_same_content_gets_the_same_uids_and_other_content_others(tmp_path):
    one, two = Volume(HU, turned("LPS")), Volume(HU + 1, turned("LPS"))
    uids = [
        pydicom.dcmread(write_series(volume, tmp_path / str(n))[0]).SeriesInstanceUID
        for n, volume in enumerate((one, one, two))
    ]
    assert uids[0] == uids[1] != uids[2]


def test_patient_and_study_can_be_those_of_another_series(tmp_path):
    write_ct(tmp_path / "source", noise((2, 4, 4)))
    write_series(Volume(HU, turned("LPS")), tmp_path / "out", like=tmp_path / "source")
    written = pydicom.dcmread(tmp_path / "out" / "IM0001.dcm")
    assert (written.PatientID, written.StudyInstanceUID, written.StudyDate) == ("P1", "1.2.3", "20200229")
    assert written.SeriesInstanceUID != "1.2.3.100.5"


def test_whole_floats_are_taken_and_loss_is_refused(tmp_path):
    write_series(Volume(HU.astype(np.float32), turned("LPS")), tmp_path / "whole")
    assert_array_equal(read_series(tmp_path / "whole").array, HU)
    for array, match in (
        (HU + 0.5, "fractions"),
        (HU.astype(np.int32) + 40000, "16 bits"),
        (np.full(HU.shape, np.nan), "16 bits"),
    ):
        with pytest.raises(UnsupportedError, match=match):
            write_series(Volume(array, turned("LPS")), tmp_path / "lossy")
    assert not (tmp_path / "lossy").exists()


def test_what_can_not_be_written_is_refused(tmp_path):
    with pytest.raises(UnitError):
        write_series(Volume(HU, turned("LPS"), Quantity.ATTENUATION), tmp_path / "a")
    askew = np.array(turned("LPS").affine_lps)
    askew[0, 1] = 0.2
    with pytest.raises(GeometryError, match="perpendicular"):
        write_series(Volume(HU, Geometry(HU.shape, askew)), tmp_path / "b")
    with pytest.raises(OutputError, match="DICOM forbids it"):
        write_series(Volume(HU, turned("LPS")), tmp_path / "b", patient="x" * 65)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "mine").write_text("keep")
    with pytest.raises(OutputError, match="holds something"):
        write_series(Volume(HU, turned("LPS")), tmp_path / "c")
    assert [file.name for file in (tmp_path / "c").iterdir()] == ["mine"]
