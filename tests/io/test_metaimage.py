"""MHD and MHA as others write them, and as they break."""

import zlib

import numpy as np
import pytest
import SimpleITK as sitk

from hilum.core import Geometry, GeometryError, HilumError, UnreadableError, UnsupportedError, Volume
from hilum.io import read_volume, write_volume
from hilum.io.metaimage import read_metaimage

ARRAY = (np.arange(120).reshape(4, 5, 6) * 30 - 1024).astype(np.int16)
VOXELS = ARRAY.tobytes()
LUNA16 = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
    "Offset": "-198.100006 -195 -335.209991",
    "CenterOfRotation": "0 0 0",
    "AnatomicalOrientation": "RAI",
    "ElementSpacing": "0.7617189884185791 0.7617189884185791 2.5",
    "DimSize": "6 5 4",
    "ElementType": "MET_SHORT",
    "ElementDataFile": "ct.raw",
}
"""The fields of a LUNA16 header, in its order; its world is LPS mm."""


def mhd(folder, data=VOXELS, without=(), **fields):
    """An MHD with its RAW; `fields` replace or add, the last stays last."""
    merged = {**LUNA16, **fields}
    merged["ElementDataFile"] = merged.pop("ElementDataFile")
    text = "".join(f"{key} = {value}\n" for key, value in merged.items() if key not in without)
    (folder / "ct.mhd").write_text(text)
    if data is not None:
        (folder / "ct.raw").write_bytes(data)
    return folder / "ct.mhd"


def itk(path):
    image = sitk.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image), affine


def test_luna16(tmp_path):
    stored = read_metaimage(mhd(tmp_path))
    assert stored.odd == ()
    np.testing.assert_array_equal(stored.array, ARRAY)
    assert stored.geometry.origin_lps_mm == (-198.100006, -195, -335.209991)
    assert stored.geometry.axis_codes == "LPS"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"TransformMatrix": "-1 0 0 0 -1 0 0 0 1"},
        {"TransformMatrix": "0.8 0.6 0 -0.6 0.8 0 0 0 1"},
        {"TransformMatrix": "1 0.2 0 0 1 0 0 0 1"},
        {"TransformMatrix": "0 0 1 1 0 0 0 1 0"},
        {"CenterOfRotation": "5 6 7"},
        {"ElementSpacing": "-0.5 0.5 2"},
        {"AnatomicalOrientation": "LPS"},
        {"BinaryDataByteOrderMSB": "True"},
        {"ElementByteOrderMSB": "True"},
        {"ElementType": "MET_USHORT"},
        {"HeaderSize": "-1"},
        {"Comment": "a = b"},
    ],
)
def test_itk_reads_the_same(fields, tmp_path):
    path = mhd(tmp_path, **fields)
    stored = read_metaimage(path)
    array, affine = itk(path)
    np.testing.assert_array_equal(stored.array, array)
    np.testing.assert_allclose(stored.geometry.affine_lps, affine, atol=1e-12)


@pytest.mark.parametrize("key", ["ElementSpacing", "Offset", "TransformMatrix", "AnatomicalOrientation", "NDims"])
def test_fields_that_may_be_absent(key, tmp_path):
    stored = read_metaimage(mhd(tmp_path, without=(key,)))
    assert stored.geometry.shape_zyx == (4, 5, 6)
    assert bool(stored.odd) == (key == "ElementSpacing")


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"CenterOfRotation": "5 6 7"}, "CenterOfRotation"),
        ({"ElementSpacing": "-0.5 0.5 2"}, "negative"),
        ({"AnatomicalOrientation": "LPS"}, "AnatomicalOrientation"),
    ],
)
def test_odd_fields_are_said(fields, word, tmp_path):
    assert word in read_metaimage(mhd(tmp_path, **fields)).odd[0]


def test_a_header_before_the_voxels(tmp_path):
    for size in ("7", "-1"):
        path = mhd(tmp_path, b"1234567" + ARRAY.tobytes(), HeaderSize=size)
        np.testing.assert_array_equal(read_volume(path).array, ARRAY)


def test_compressed(tmp_path):
    path = mhd(tmp_path, zlib.compress(ARRAY.tobytes()), CompressedData="True", CompressedDataSize="99")
    np.testing.assert_array_equal(read_volume(path).array, ARRAY)


@pytest.mark.parametrize("length", [0, 1, 100, 239, 241, 500])
def test_voxels_of_the_wrong_length(length, tmp_path):
    with pytest.raises(UnreadableError, match=rf"{length} bytes of voxels, but its header describes"):
        read_volume(mhd(tmp_path, (ARRAY.tobytes() * 3)[:length]))


@pytest.mark.parametrize("length", [0, 10, -1])
def test_compressed_voxels_that_break_off(length, tmp_path):
    path = mhd(tmp_path, zlib.compress(ARRAY.tobytes())[:length], CompressedData="True")
    with pytest.raises(UnreadableError):
        read_volume(path)


@pytest.mark.parametrize("more", [ARRAY.tobytes() * 2, ARRAY.tobytes()[:100]])
def test_compressed_voxels_of_another_number(more, tmp_path):
    with pytest.raises(UnreadableError, match="bytes of voxels"):
        read_volume(mhd(tmp_path, zlib.compress(more), CompressedData="True"))


def test_no_raw(tmp_path):
    with pytest.raises(UnreadableError, match=r"ct\.raw, are missing") as caught:
        read_volume(mhd(tmp_path, None))
    assert "Put ct.raw beside it" in caught.value.remedy


@pytest.mark.parametrize("name", ["/etc/passwd", "../ct.raw", "a/../../ct.raw", "/dev/zero"])
def test_no_file_elsewhere_is_opened(name, tmp_path):
    with pytest.raises(UnsupportedError, match="outside its folder"):
        read_volume(mhd(tmp_path, ElementDataFile=name))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"ElementDataFile": "LIST"}, UnsupportedError),
        ({"ElementDataFile": "ct%03d.raw 1 4 1"}, UnsupportedError),
        ({"NDims": "2"}, UnsupportedError),
        ({"NDims": "1e308"}, UnsupportedError),
        ({"DimSize": "6 5"}, UnreadableError),
        ({"DimSize": "6 5 0"}, UnreadableError),
        ({"DimSize": "6 5 -4"}, UnreadableError),
        ({"DimSize": "60000 60000 60000"}, UnsupportedError),
        ({"DimSize": "600 600 600"}, UnreadableError),
        ({"DimSize": "1e3 5 4"}, UnreadableError),
        ({"ElementType": "MET_SHORT_ARRAY"}, UnsupportedError),
        ({"ElementType": ""}, UnsupportedError),
        ({"ElementNumberOfChannels": "3"}, UnsupportedError),
        ({"ElementSpacing": "0 1 1"}, GeometryError),
        ({"ElementSpacing": "nan 1 1"}, GeometryError),
        ({"ElementSpacing": "1 1"}, UnreadableError),
        ({"ElementSpacing": "1e308 inf 1", "TransformMatrix": "1e308 0 0 0 1 0 0 0 1"}, GeometryError),
        ({"Offset": "1e308 0 0"}, GeometryError),
        ({"TransformMatrix": "1 0 0 1 0 0 0 0 1"}, GeometryError),
        ({"TransformMatrix": "1 0 0"}, UnreadableError),
        ({"TransformMatrix": "1 0 0 0 1 0 0 0 1 0"}, UnreadableError),
        ({"HeaderSize": "-7"}, UnreadableError),
        ({"HeaderSize": "99999999999"}, UnreadableError),
        ({"ObjectType": "Mesh"}, UnsupportedError),
        ({"BinaryData": "False"}, UnsupportedError),
        ({"ElementToIntensityFunctionSlope": "2"}, UnsupportedError),
    ],
)
def test_broken_headers(fields, error, tmp_path):
    with pytest.raises(error) as caught:
        read_volume(mhd(tmp_path, **fields))
    assert "\n" not in str(caught.value)


def test_a_header_that_ends_early(tmp_path):
    with pytest.raises(HilumError, match="without ElementDataFile"):
        read_volume(mhd(tmp_path, without=("ElementDataFile",)))


def test_itk_s_own_round_trip_of_an_mha(tmp_path):
    image = sitk.GetImageFromArray(ARRAY)
    for compressed in (False, True):
        sitk.WriteImage(image, str(tmp_path / "a.mha"), compressed)
        np.testing.assert_array_equal(read_volume(tmp_path / "a.mha").array, ARRAY)


@pytest.mark.parametrize("name", ["vol é.mhd", "объём.mhd", "肺.mha"])
def test_names_beyond_ascii_come_back(name, tmp_path):
    volume = Volume(ARRAY, Geometry.regular(ARRAY.shape, (2.5, 0.7, 0.7)))
    write_volume(volume, tmp_path / name)
    np.testing.assert_array_equal(read_volume(tmp_path / name).array, ARRAY)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / name)), ARRAY)


def test_a_header_in_latin_1_names_its_voxels_too(tmp_path):
    path = mhd(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"ct.raw", "é.raw".encode("latin-1")))
    (tmp_path / "ct.raw").rename(tmp_path / "é.raw")
    np.testing.assert_array_equal(read_volume(path).array, ARRAY)
