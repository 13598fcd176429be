"""What a person is told about DICOM files."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydicom.uid import DeflatedExplicitVRLittleEndian

from hilum.core import AmbiguousError, Failures, UnreadableError, UnsupportedError
from hilum.io.dicom import describe_dicom, read_series
from tests.io.dicom.build import CT, dataset, edit, noise, set_pixels, write_ct, write_enhanced, write_xray

HU = noise((4, 6, 5))
SCOUT = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}


def test_a_sound_series_has_nothing_odd(tmp_path):
    write_ct(tmp_path, HU, change=lambda _, one: setattr(one, "ConvolutionKernel", "B70f"))
    (found,) = describe_dicom(tmp_path)
    assert found.kind == "CT series"
    assert (
        found.summary
        == "patient P1, 2020-02-29: 5 × 6 × 4 voxels of 0.800 × 0.700 × 2.500 mm (4 × 4.2 × 10 mm), kernel B70f"
    )
    assert found.odd == ()
    assert found.facts["shape_zyx"] == [4, 6, 5]
    assert found.facts["orientation"] == "LPS"
    assert_allclose(found.facts["affine_lps"], read_series(tmp_path).geometry.affine_lps)
    json.dumps(dict(found.facts))


def test_one_file_among_others_is_described_by_itself(tmp_path):
    files = write_ct(tmp_path, HU)
    (found,) = describe_dicom(files[2])
    assert found.path == str(files[2])
    assert found.facts["shape_zyx"] == [1, 6, 5]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"RescaleType": "US"}, "US, not HU"),
        ({"FrameOfReferenceUID": None}, "no frame of reference"),
        ({"BurnedInAnnotation": "YES"}, "burned into"),
        ({"LossyImageCompression": "01"}, "lossy compression"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "MONOCHROME1"),
        ({"GantryDetectorTilt": "-15.0"}, "names a gantry tilt of −15°"),
        ({"RescaleSlope": None}, "without rescale"),
    ],
)
def test_what_is_odd_about_a_series_is_told(tmp_path, values, told):
    for file in write_ct(tmp_path, HU):
        edit(file, **values)
    (found,) = describe_dicom(tmp_path)
    assert told in " | ".join(found.odd)
    assert len(found.odd) == 1


def test_padding_is_told_and_rescaled_like_the_rest(tmp_path):
    write_ct(tmp_path, HU, change=lambda _, one: one.add_new("PixelPaddingValue", "US", 24))
    assert "stored as 24, and rescaled like any other" in describe_dicom(tmp_path)[0].odd[0]
    assert_array_equal(read_series(tmp_path).array, HU)


def test_an_unknown_character_set_is_told(tmp_path):
    (file,) = write_ct(tmp_path, HU[:1])
    edit(file, SpecificCharacterSet="ISO_IR 100")
    file.write_bytes(file.read_bytes().replace(b"ISO_IR 100", b"ISO_IR 999"))
    assert "unknown character set, ISO_IR 999" in describe_dicom(file)[0].odd[0]


def test_a_classical_tilt_is_told_and_kept(tmp_path):
    turn = np.radians(15)
    tilted = [float(f"{v:.12f}") for v in (1, 0, 0, 0, np.cos(turn), -np.sin(turn))]
    write_ct(tmp_path, HU, orientation=tilted, step=(0, 0, 5))
    (found,) = describe_dicom(tmp_path)
    assert "tilted gantry: the slices are stacked 15°" in found.odd[0]
    geometry = read_series(tmp_path).geometry
    assert_allclose(geometry.to_lps_mm((3, 0, 0)), (-10.5, 20.25, -285), atol=1e-9)
    assert geometry.voxel_mm3 == pytest.approx(0.7 * 0.8 * 5 * np.cos(turn))


def test_eight_bit_values_are_told(tmp_path):
    def narrow(k, one):
        one.BitsAllocated = one.BitsStored = 8
        one.HighBit = 7
        one.PixelData = bytes(range(30))

    write_ct(tmp_path, HU, change=narrow)
    assert "8-bit values" in describe_dicom(tmp_path)[0].odd[0]
    assert read_series(tmp_path).array[0, 0, 4] == 4 - 1024


def test_a_folder_lists_everything_and_what_is_broken(tmp_path):
    write_ct(tmp_path / "ct", HU)
    write_enhanced(tmp_path / "enhanced.dcm", HU)
    write_xray(tmp_path / "xray.dcm", noise((4, 4), 0, 9).astype(np.uint16))
    packed = dataset(CT, "1.2.3.4", DeflatedExplicitVRLittleEndian)
    set_pixels(packed, noise((9, 9)))
    packed.save_as(tmp_path / "broken.dcm", enforce_file_format=True)
    (tmp_path / "broken.dcm").write_bytes((tmp_path / "broken.dcm").read_bytes()[:-60])
    (tmp_path / "notes.txt").write_text("nothing")
    failures = Failures()
    assert {one.kind for one in describe_dicom(tmp_path, failures)} == {"CT series", "radiograph"}
    assert [failure.input for failure in failures] == [str(tmp_path / "broken.dcm")]
    for read in (read_series, describe_dicom):
        with pytest.raises(UnreadableError):
            read(tmp_path)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9])
def test_a_truncated_slice_is_a_failure_alone_and_among_others(tmp_path, share):
    files = write_ct(tmp_path, noise((5, 32, 32)))
    content = files[1].read_bytes()
    files[1].write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UnreadableError, match="truncated"):
        describe_dicom(files[1])
    failures = Failures()
    (rest,) = describe_dicom(tmp_path, failures)
    assert rest.facts["files"] == 4
    assert "1 missing" in " ".join(rest.odd)
    assert [failure.input for failure in failures] == [str(files[1])]


def test_a_header_without_pixels_is_described_once(tmp_path):
    (file,) = write_ct(tmp_path, HU[:1])
    edit(file, PixelData=None)
    (found,) = describe_dicom(file, failures := Failures())
    assert (found.kind, len(failures)) == ("CT image", 0)
    assert found.summary == "patient P1, 2020-02-29: CT Image Storage"
    assert found.odd == ("it holds no pixels, only a header.",)
    with pytest.raises(UnsupportedError, match="only a header"):
        read_series(file)


def test_zero_pixels_beside_pixel_data_are_damage(tmp_path):
    (file,) = write_ct(tmp_path, HU[:1])
    with pytest.raises(UnreadableError, match="holds no image: 0 × 6"):
        describe_dicom(edit(file, Columns=0))


def test_a_slice_without_a_place_is_described_once(tmp_path):
    (file,) = write_ct(tmp_path, HU[:1])
    (found,) = describe_dicom(edit(file, ImagePositionPatient=None))
    assert "5 × 6 pixels" in found.summary
    assert "where it lies" not in found.summary
    assert "no position" in found.odd[0]


def test_numbers_that_are_none_are_told_without_python_s_words(tmp_path):
    (file,) = write_ct(tmp_path, HU[:1])
    content = file.read_bytes()
    file.write_bytes(content.replace(b"0.7\\0.8", b"0.7\\1A "))
    assert file.read_bytes() != content
    with pytest.raises(UnreadableError, match=r"PixelSpacing should be 2 finite numbers, it is 0\.7\\1A\.") as caught:
        describe_dicom(file)
    assert "Error" not in str(caught.value)


def test_a_series_lies_in_the_folder_that_its_files_share(tmp_path):
    write_ct(tmp_path / "p7" / "ct" / "a", HU[:2])
    write_ct(tmp_path / "p7" / "ct" / "b", HU[:2], step=(0, 0, -2.5), prefix="b")
    write_xray(tmp_path / "p7" / "xray.dcm", noise((4, 4), 0, 9).astype(np.uint16))
    found = {one.kind: one.path for one in describe_dicom(tmp_path)}
    assert found == {"CT series": str(tmp_path / "p7" / "ct"), "radiograph": str(tmp_path / "p7" / "xray.dcm")}


def test_patients_are_listed_with_those_that_have_no_name(tmp_path, monkeypatch):
    for n in range(6):
        name = f"P{n}" if n else ""
        write_ct(tmp_path, HU[:1], prefix=f"{n}", change=lambda _, one, name=name: anonymous(one, name))
    monkeypatch.chdir(tmp_path)
    found = describe_dicom(Path())
    assert {one.odd[0] for one in found} == {"one of 6 patients in .: unnamed, P1, P2, P3, …"}
    with pytest.raises(AmbiguousError, match=r"6 patients \(unnamed, P1, P2, P3, …\)"):
        read_series(Path())


def anonymous(one, name):
    one.PatientID = one.PatientName = name


def test_one_series_uid_names_it_and_a_second_fact_only_a_part_of_it(tmp_path):
    write_ct(tmp_path, HU)
    (found,) = describe_dicom(tmp_path)
    assert found.facts["series_uid"] == "1.2.3.100.5"
    assert "series" not in found.facts
    write_ct(tmp_path, HU, prefix="b", change=lambda _, one: setattr(one, "PatientID", "P2"))
    assert {one.facts["series"] for one in describe_dicom(tmp_path)} == {"1.2.3.100.5#1", "1.2.3.100.5#2"}


@pytest.mark.parametrize(("values", "told"), [({}, True), ({"Modality": "MR"}, False), (SCOUT, False)])
def test_only_a_ct_is_judged_by_what_nodules_need(tmp_path, values, told):
    for file in write_ct(tmp_path, HU, step=(0, 0, 6)):
        edit(file, **values)
    (found,) = describe_dicom(tmp_path)
    assert any("small nodules" in note for note in found.odd) is told
    assert any("as long as" in note for note in found.odd) is (values is not SCOUT)
