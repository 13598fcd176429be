"""Radiographs: dense is bright, and millimetres say which plane they belong to."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hilum.core import SpacingPlane, UnsupportedError, View
from hilum.io.dicom import describe_dicom, read_dicom_radiograph
from tests.io.dicom.build import CR, CT, sequence_item, write_xray

PIXELS = np.random.default_rng(3).integers(0, 4096, (7, 5)).astype(np.uint16)
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def test_stored_integers_stay_where_nothing_is_to_be_applied(tmp_path):
    image = read_dicom_radiograph(write_xray(tmp_path / "x", PIXELS))
    assert image.array.dtype == np.uint16
    assert_array_equal(image.array, PIXELS)
    assert (image.pixel_mm, image.plane, image.view) == (None, None, View.UNKNOWN)


def test_monochrome1_is_the_photographic_negative(tmp_path):
    path = write_xray(tmp_path / "x", PIXELS, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11)
    assert_array_equal(read_dicom_radiograph(path).array, 4095 - PIXELS)
    assert "MONOCHROME1" in describe_dicom(path)[0].odd[-1]


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_a_window_is_the_standards_line(tmp_path, kind):
    path = write_xray(
        tmp_path / "x",
        PIXELS,
        BitsStored=12,
        HighBit=11,
        WindowCenter=2000,
        WindowWidth=1000,
        PhotometricInterpretation=kind,
    )
    # PS3.3 C.11.2.1.2.1, the LINEAR function
    shown = np.clip(((PIXELS - 1999.5) / 999 + 0.5) * 4095, 0, 4095)
    assert_allclose(read_dicom_radiograph(path).array, shown if kind == "MONOCHROME2" else 4095 - shown, atol=0.01)
    plain = read_dicom_radiograph(path, voi=False).array
    assert_array_equal(plain, PIXELS if kind == "MONOCHROME2" else 4095 - PIXELS)


def test_an_impossible_window_is_told_and_not_applied(tmp_path):
    path = write_xray(tmp_path / "x", PIXELS, WindowCenter=100, WindowWidth=0)
    assert_array_equal(read_dicom_radiograph(path).array, PIXELS)
    assert "its window is impossible (width 0" in describe_dicom(path)[0].odd[-1]


def test_a_voi_table_is_looked_up(tmp_path):
    table = np.linspace(0, 1023, 4096).astype(np.uint16)[::-1]
    lut = sequence_item(LUTDescriptor=[4096, 0, 10], LUTData=table.tolist())
    lut["LUTDescriptor"].VR = lut["LUTData"].VR = "US"
    path = write_xray(tmp_path / "x", PIXELS, BitsStored=12, HighBit=11, VOILUTSequence=[lut])
    assert_array_equal(read_dicom_radiograph(path).array, table[PIXELS])
    inverted = write_xray(
        tmp_path / "y",
        PIXELS,
        BitsStored=12,
        HighBit=11,
        VOILUTSequence=[lut],
        PhotometricInterpretation="MONOCHROME1",
    )
    assert_array_equal(read_dicom_radiograph(inverted).array, 1023 - table[PIXELS].astype(int))


def test_rescale_is_applied(tmp_path):
    path = write_xray(tmp_path / "x", PIXELS, RescaleSlope=2, RescaleIntercept=-5)
    assert_allclose(read_dicom_radiograph(path).array, PIXELS.astype(float) * 2 - 5)


@pytest.mark.parametrize(
    ("values", "pixel_mm", "plane"),
    [
        ({"ImagerPixelSpacing": [0.2, 0.1]}, (0.2, 0.1), SpacingPlane.DETECTOR),
        ({"PixelSpacing": [0.2, 0.1]}, (0.2, 0.1), SpacingPlane.DETECTOR),
        ({"PixelSpacing": [0.2, 0.1], "ImagerPixelSpacing": [0.2, 0.1]}, (0.2, 0.1), SpacingPlane.DETECTOR),
        ({"PixelSpacing": [0.18, 0.09], "ImagerPixelSpacing": [0.2, 0.1]}, (0.18, 0.09), SpacingPlane.PATIENT),
        ({"PixelSpacing": [0.18, 0.09], "PixelSpacingCalibrationType": "FIDUCIAL"}, (0.18, 0.09), SpacingPlane.PATIENT),
        ({"NominalScannedPixelSpacing": [0.3, 0.3]}, (0.3, 0.3), SpacingPlane.DETECTOR),
        ({"PixelSpacing": [0, 0]}, None, None),
    ],
)
def test_which_plane_the_spacing_belongs_to(tmp_path, values, pixel_mm, plane):
    image = read_dicom_radiograph(write_xray(tmp_path / "x", PIXELS, **values))
    assert (image.pixel_mm, image.plane) == (pixel_mm, plane)


@pytest.mark.parametrize(
    ("values", "view"),
    [
        ({"ViewPosition": "PA"}, View.PA),
        ({"ViewPosition": "AP"}, View.AP),
        ({"ViewPosition": "LL"}, View.LATERAL),
        ({"ViewPosition": "RAO"}, View.OBLIQUE),
        ({"PatientOrientation": ["A", "F"]}, View.LATERAL),
        ({"PatientOrientation": ["L", "F"]}, View.UNKNOWN),
    ],
)
def test_the_view_is_said_by_position_or_orientation(tmp_path, values, view):
    assert read_dicom_radiograph(write_xray(tmp_path / "x", PIXELS, **values)).view is view


def test_what_is_a_radiograph_and_what_is_not(tmp_path):
    taken = write_xray(tmp_path / "a", PIXELS, sop_class=SECONDARY_CAPTURE, Modality="CR")
    assert read_dicom_radiograph(taken).array.shape == (7, 5)
    assert read_dicom_radiograph(write_xray(tmp_path / "b", PIXELS, sop_class=CR)).source == "b"
    for name, changes in {
        "c": {"sop_class": CT, "Modality": "CT"},
        "d": {"sop_class": SECONDARY_CAPTURE, "Modality": "OT"},
    }.items():
        with pytest.raises(UnsupportedError, match="is no radiograph, but") as raised:
            read_dicom_radiograph(write_xray(tmp_path / name, PIXELS, **changes))
        assert ("name their folder" in str(raised.value.remedy)) == (name == "c")
    with pytest.raises(UnsupportedError, match="3 frames"):
        read_dicom_radiograph(write_xray(tmp_path / "e", np.stack([PIXELS] * 3)))
    with pytest.raises(UnsupportedError, match="colour"):
        read_dicom_radiograph(
            write_xray(
                tmp_path / "f", PIXELS.astype(np.uint8), SamplesPerPixel=3, Rows=2, PhotometricInterpretation="RGB"
            )
        )
