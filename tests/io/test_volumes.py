"""Volumes out and in again: voxels bit for bit, the grid to the format's precision. ITK and nibabel are the oracles."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from hilum.core import Geometry, Mask, OutputError, Quantity, UnitError, Volume
from hilum.io import read_mask, read_volume, write_mask, write_volume
from hilum.io.installed import sample_ct_path

FORMATS = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd")
GRID_MM = {".nii": 1e-4, ".nii.gz": 1e-4, ".mha": 1e-9, ".mhd": 1e-9, ".nrrd": 0}
"""What write_volume promises: NIfTI keeps float32 (about 1e-5 mm at 500 mm), text formats keep float64."""


def turned(shape, spacing, angle):
    """A grid that is turned about z by an angle in radians, with an odd origin."""
    geometry = Geometry.regular(shape, spacing, (-123.456789, 77.1, -340.0001))
    affine = np.array(geometry.affine_lps)
    turn = np.eye(3)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine[:3, :3] = turn @ affine[:3, :3]
    return Geometry(shape, affine)


def sheared(shape):
    affine = np.diag([0.7, 0.8, 2.5, 1.0])
    affine[1, 2] = 0.4
    return Geometry(shape, affine)


def ramp(shape, dtype=np.int16):
    return (np.arange(np.prod(shape)).reshape(shape) * 37 % 4000 - (1024 if np.dtype(dtype).kind != "u" else 0)).astype(
        dtype
    )


def itk_affine(image):
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return affine


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("angle", [0.0, 0.3, 2.8])
def test_there_and_back(suffix, dtype, angle, tmp_path):
    array = ramp((4, 5, 6), dtype) + (np.float32(0.25) if dtype is np.float32 else np.int16(0))
    volume = Volume(array, turned((4, 5, 6), (2.5, 0.7, 0.71), angle))
    write_volume(volume, tmp_path / f"ct{suffix}")
    back = read_volume(tmp_path / f"ct{suffix}")
    assert back.array.dtype == dtype
    np.testing.assert_array_equal(back.array, volume.array)
    apart = np.abs(back.geometry.affine_lps - volume.geometry.affine_lps).max()
    assert apart <= GRID_MM[suffix]
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("suffix", FORMATS)
def test_itk_reads_what_is_written(suffix, tmp_path):
    volume = Volume(ramp((4, 5, 6)), turned((4, 5, 6), (2.5, 0.7, 0.71), 0.3))
    write_volume(volume, tmp_path / f"ct{suffix}")
    image = sitk.ReadImage(str(tmp_path / f"ct{suffix}"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), volume.array)
    np.testing.assert_allclose(itk_affine(image), volume.geometry.affine_lps, atol=1e-4)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    "dtype", [np.int16, np.uint8, np.int8, np.uint16, np.int32, np.uint32, np.int64, np.float32, np.float64]
)
def test_what_itk_writes_is_read(suffix, dtype, tmp_path):
    array = (np.arange(120).reshape(4, 5, 6) - (0 if np.dtype(dtype).kind == "u" else 60)).astype(dtype)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((0.7, 0.71, 2.5))
    image.SetOrigin((-1.5, 2.25, 3.0))
    c, s = np.cos(0.3), np.sin(0.3)
    image.SetDirection((c, -s, 0, s, c, 0, 0, 0, 1))
    sitk.WriteImage(image, str(tmp_path / f"ct{suffix}"), useCompression=True)
    volume = read_volume(tmp_path / f"ct{suffix}")
    assert volume.array.dtype == np.int16, "whole numbers that fit are kept as int16"
    np.testing.assert_array_equal(volume.array, array)
    np.testing.assert_allclose(volume.geometry.affine_lps, itk_affine(image), atol=1e-5)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_sheared_grid_survives(suffix, tmp_path):
    volume = Volume(ramp((4, 5, 6)), sheared((4, 5, 6)))
    write_volume(volume, tmp_path / f"ct{suffix}")
    np.testing.assert_allclose(
        read_volume(tmp_path / f"ct{suffix}").geometry.affine_lps, volume.geometry.affine_lps, atol=1e-6
    )


def test_nibabel_agrees_on_the_affine(tmp_path):
    volume = Volume(ramp((4, 5, 6)), turned((4, 5, 6), (2.5, 0.7, 0.71), 0.3))
    write_volume(volume, tmp_path / "ct.nii.gz")
    image = nib.load(tmp_path / "ct.nii.gz")
    for affine, code in (image.header.get_sform(coded=True), image.header.get_qform(coded=True)):
        assert code == 1
        np.testing.assert_allclose(np.diag([-1, -1, 1, 1]) @ affine, volume.geometry.affine_lps, atol=1e-4)
    assert image.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_array_equal(np.asanyarray(image.dataobj).T, volume.array)


def test_a_sheared_nifti_has_no_qform(tmp_path):
    write_volume(Volume(ramp((4, 5, 6)), sheared((4, 5, 6))), tmp_path / "ct.nii")
    header = nib.load(tmp_path / "ct.nii").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 0)


@given(shape=st.tuples(*[st.integers(1, 4)] * 3), angle=st.floats(-3.1, 3.1), suffix=st.sampled_from(FORMATS))
def test_any_small_mask_survives(shape, angle, suffix, tmp_path_factory):
    path = tmp_path_factory.mktemp("mask") / f"mask{suffix}"
    labels = (np.arange(np.prod(shape)).reshape(shape) % 3).astype(np.uint8)
    mask = Mask(labels, turned(shape, (3.0, 0.5, 0.9), angle))
    write_mask(mask, path)
    back = read_mask(path, mask.geometry)
    assert back.labels.dtype == np.uint8
    np.testing.assert_array_equal(back.labels, labels)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("quantity", list(Quantity))
def test_what_the_numbers_mean_survives(suffix, quantity, tmp_path):
    array = np.full((2, 2, 2), 0.25, np.float32)
    write_volume(Volume(array, Geometry.regular((2, 2, 2), (1, 1, 1)), quantity), tmp_path / f"ct{suffix}")
    assert read_volume(tmp_path / f"ct{suffix}").quantity is quantity


def test_nrrd_keeps_the_names_of_labels(tmp_path):
    labels = np.arange(8, dtype=np.uint8).reshape(2, 2, 2) % 3
    mask = Mask(labels, Geometry.regular((2, 2, 2), (1, 1, 1)), names={1: "nodule 1", 2: "lung, left"})
    write_mask(mask, tmp_path / "m.nrrd")
    assert dict(read_mask(tmp_path / "m.nrrd").names) == {1: "nodule 1", 2: "lung, left"}


def test_the_sample_ct_goes_round(tmp_path):
    """LIDC-IDRI-0001 through every format: voxels bit for bit; its grid fits float32, so it is kept exactly."""
    volume = read_volume(sample_ct_path())
    assert volume.array.dtype == np.int16
    assert volume.geometry.shape_zyx == (133, 512, 512)
    for suffix in (".nii", ".mhd", ".mha", ".nrrd"):
        write_volume(volume, tmp_path / f"ct{suffix}")
        back = read_volume(tmp_path / f"ct{suffix}")
        assert back.array.dtype == np.int16
        assert np.array_equal(back.array, volume.array)
        assert np.array_equal(back.geometry.affine_lps, volume.geometry.affine_lps)


@pytest.mark.parametrize(
    ("array", "written"),
    [
        (np.zeros((2, 2, 2), bool), np.uint8),
        (np.zeros((2, 2, 2), np.float64), np.float32),
        (np.full((2, 2, 2), 40000, np.int64), np.uint16),
        (np.full((2, 2, 2), -5, np.int32), np.int16),
    ],
)
def test_other_types_are_written_when_they_fit(array, written, tmp_path):
    write_volume(Volume(array, Geometry.regular((2, 2, 2), (1, 1, 1))), tmp_path / "a.nii")
    assert nib.load(tmp_path / "a.nii").get_data_dtype() == written


@pytest.mark.parametrize("name", ["ct", "ct.dcm", "ct.img", "nii.gz", ".nii"])
def test_an_ending_that_names_no_format_is_refused(name, tmp_path):
    with pytest.raises(OutputError, match=r"names no format"):
        write_volume(Volume(ramp((2, 2, 2)), Geometry.regular((2, 2, 2), (1, 1, 1))), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_fit_nowhere_are_refused(tmp_path):
    volume = Volume(np.full((2, 2, 2), 70000), Geometry.regular((2, 2, 2), (1, 1, 1)))
    with pytest.raises(OutputError, match="16 bits"):
        write_volume(volume, tmp_path / "ct.nii")


def test_a_flat_mask_is_no_volume(tmp_path):
    with pytest.raises(UnitError):
        write_mask(Mask(np.zeros((4, 4), np.uint8)), tmp_path / "m.nii")
