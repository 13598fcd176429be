"""NRRD as others write it, and as it breaks."""

import bz2
import gzip

import numpy as np
import pytest
import SimpleITK as sitk

from hilum.core import GeometryError, UnreadableError, UnsupportedError
from hilum.io import read_mask, read_volume
from hilum.io.nrrd import read_nrrd

ARRAY = (np.arange(120).reshape(4, 5, 6) * 30 - 1024).astype(np.int16)
VOXELS = ARRAY.tobytes()
FIELDS = {
    "type": "short",
    "dimension": "3",
    "space": "left-posterior-superior",
    "sizes": "6 5 4",
    "space directions": "(0.7,0,0) (0,0.8,0) (0,0,2.5)",
    "kinds": "domain domain domain",
    "endian": "little",
    "encoding": "raw",
    "space origin": "(-10.5,20,30)",
}


def nrrd(folder, data=VOXELS, name="a.nrrd", without=(), extra="", magic="NRRD0005", **fields):
    merged = {**FIELDS, **{key.replace("_", " "): value for key, value in fields.items()}}
    header = "".join(f"{key}: {value}\n" for key, value in merged.items() if key not in without)
    (folder / name).write_bytes(f"{magic}\n# a comment\n{header}{extra}\n".encode() + data)
    return folder / name


def itk(path):
    image = sitk.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image), affine


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (ARRAY.tobytes(), {}),
        (gzip.compress(ARRAY.tobytes()), {"encoding": "gzip"}),
        (gzip.compress(ARRAY.tobytes()), {"encoding": "gz"}),
        (ARRAY.astype(">i2").tobytes(), {"endian": "big"}),
        (ARRAY.tobytes(), {"space": "right-anterior-superior"}),
        (ARRAY.tobytes(), {"space": "RAS"}),
        (ARRAY.tobytes(), {"space": "left-anterior-superior"}),
        (ARRAY.tobytes(), {"space_directions": "(0.56,0.42,0) (-0.48,0.64,0) (0,0,2.5)"}),
        (ARRAY.astype("f4").tobytes(), {"type": "float"}),
        (ARRAY.tobytes(), {"type": "unsigned short"}),
    ],
)
def test_itk_reads_the_same(data, fields, tmp_path):
    path = nrrd(tmp_path, data, **fields)
    array, affine = itk(path)
    stored = read_nrrd(path)
    np.testing.assert_array_equal(stored.array, array)
    np.testing.assert_allclose(stored.geometry.affine_lps, affine, atol=1e-12)
    assert stored.odd == ()


def test_bzip2(tmp_path):
    path = nrrd(tmp_path, bz2.compress(ARRAY.tobytes()), encoding="bzip2")
    np.testing.assert_array_equal(read_volume(path).array, ARRAY)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnreadableError):
        read_volume(path)


@pytest.mark.parametrize(("encoding", "pack"), [("raw", bytes), ("gzip", gzip.compress)])
def test_a_header_apart(encoding, pack, tmp_path):
    path = nrrd(tmp_path, b"", "a.nhdr", encoding=encoding, data_file="voxels.bin")
    with pytest.raises(UnreadableError, match=r"voxels\.bin, are missing"):
        read_volume(path)
    (tmp_path / "voxels.bin").write_bytes(pack(ARRAY.tobytes()))
    np.testing.assert_array_equal(read_volume(path).array, ARRAY)


def test_bytes_are_skipped(tmp_path):
    np.testing.assert_array_equal(read_volume(nrrd(tmp_path, b"abc" + ARRAY.tobytes(), byte_skip="3")).array, ARRAY)
    np.testing.assert_array_equal(read_volume(nrrd(tmp_path, b"abc" + ARRAY.tobytes(), byte_skip="-1")).array, ARRAY)


def test_without_space_the_voxel_sizes_are_kept_and_it_is_said(tmp_path):
    path = nrrd(tmp_path, without=("space", "space directions", "space origin"), spacings="0.7 0.8 2.5")
    stored = read_nrrd(path)
    assert stored.geometry.spacing_zyx_mm == (2.5, 0.8, 0.7)
    assert "assumed" in stored.odd[0]


def test_an_unknown_space_is_said(tmp_path):
    assert "scanner-xyz" in read_nrrd(nrrd(tmp_path, space="scanner-xyz")).odd[0]


def test_other_units_become_mm(tmp_path):
    stored = read_nrrd(nrrd(tmp_path, space_units='"cm" "cm" "cm"'))
    assert stored.geometry.spacing_zyx_mm == pytest.approx((25, 8, 7))
    with pytest.raises(UnsupportedError, match="parsec"):
        read_nrrd(nrrd(tmp_path, space_units='"parsec" "parsec" "parsec"'))


SLICER = {
    "dimension": "4",
    "kinds": "list domain domain domain",
    "space_directions": "none (0.7,0,0) (0,0.8,0) (0,0,2.5)",
}


def test_slicer_s_layers(tmp_path):
    one = nrrd(tmp_path, sizes="1 6 5 4", **SLICER)
    np.testing.assert_array_equal(read_volume(one).array, ARRAY)
    two = nrrd(tmp_path, ARRAY.tobytes() * 2, sizes="2 6 5 4", **SLICER)
    with pytest.raises(UnsupportedError, match="several layers"):
        read_mask(two)


def test_slicer_s_names(tmp_path):
    extra = "Segment0_LabelValue:=1\nSegment0_Name:=Nodule 1\nSegment1_LabelValue:=3\nSegment1_Name:=Lung\n"
    labels = (np.arange(120) % 4).astype(np.uint8)
    mask = read_mask(nrrd(tmp_path, labels.tobytes(), type="uchar", extra=extra))
    assert dict(mask.names) == {1: "Nodule 1", 3: "Lung"}
    assert mask.select("Lung").sum() == 30


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"sizes": "6 5"}, UnreadableError),
        ({"sizes": "6 5 5"}, UnreadableError),
        ({"sizes": "60000 60000 60000"}, UnsupportedError),
        ({"dimension": "2", "sizes": "6 5"}, UnsupportedError),
        ({"dimension": "x"}, UnreadableError),
        ({"type": "block"}, UnsupportedError),
        ({"encoding": "hex"}, UnsupportedError),
        ({"endian": "middle"}, UnreadableError),
        ({"space_directions": "(0.7,0,0) (0,0.8,0)"}, UnreadableError),
        ({"space_directions": "(0.7,0,0) (0.7,0,0) (0,0,1)"}, GeometryError),
        ({"space_directions": "(nan,0,0) (0.7,0,0) (0,0,1)"}, GeometryError),
        ({"space_directions": "(1e308,0,0) (0,1,0) (0,0,inf)", "space_units": '"m" "m" "m"'}, GeometryError),
        ({"data_file": "/etc/passwd"}, UnsupportedError),
        ({"data_file": "LIST"}, UnsupportedError),
        ({"byte_skip": "-2"}, UnreadableError),
        ({"line_skip": "1"}, UnsupportedError),
    ],
)
def test_broken_headers(fields, error, tmp_path):
    with pytest.raises(error) as caught:
        read_volume(nrrd(tmp_path, **fields))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("length", [0, 100, 239, 241])
def test_voxels_of_the_wrong_length(length, tmp_path):
    with pytest.raises(UnreadableError, match=f"{length} bytes of voxels"):
        read_volume(nrrd(tmp_path, (ARRAY.tobytes() * 2)[:length]))


def test_real_segmentations_agree_with_itk(real_data):
    for path in sorted((real_data("dicom-odd") / "dcmqi").rglob("*.nrrd")):
        array, affine = itk(path)
        mask = read_mask(path)
        np.testing.assert_array_equal(mask.labels, array)
        np.testing.assert_allclose(mask.require_geometry().affine_lps, affine, atol=1e-9)
