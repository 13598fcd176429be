"""What a person is told about DICOM files."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydicom.uid import DeflatedExplicitVRLittleEndian

from hilum.core import UnreadableError
from hilum.io.dicom import describe_dicom, read_series
from tests.io.dicom.build import CT, dataset, edit, noise, set_pixels, write_ct, write_enhanced, write_xray

HU = noise((4, 6, 5))


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
        ({"GantryDetectorTilt": "-15.0"}, "names a gantry tilt of -15"),
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
    assert "tilted gantry: the slices are stacked 15.0°" in found.odd[0]
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
    found = {one.kind: one for one in describe_dicom(tmp_path)}
    assert set(found) == {"CT series", "radiograph", "unreadable"}
    assert found["unreadable"].path == str(tmp_path / "broken.dcm")
    with pytest.raises(UnreadableError):
        read_series(tmp_path)
