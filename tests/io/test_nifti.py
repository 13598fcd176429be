"""NIfTI as others write it: scaling, units, two affines, frames, pairs."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from hilum.core import GeometryError, UnreadableError, UnsupportedError
from hilum.io import read_mask, read_volume
from hilum.io.nifti import read_nifti

AFFINE_RAS = np.array([[-0.7, 0, 0, 166], [0, 0.7, 0, -187], [0, 0, 2.5, -340], [0, 0, 0, 1.0]])
LPS = np.diag([-1.0, -1, 1, 1]) @ AFFINE_RAS
ARRAY_XYZ = (np.arange(6 * 5 * 4, dtype=np.int16).reshape(6, 5, 4) * 30 - 1024).astype(np.int16)


def image(array=ARRAY_XYZ, kind=nib.Nifti1Image, affine=AFFINE_RAS):
    made = kind(array, affine)
    made.set_sform(affine, 1)
    made.set_qform(affine, 1)
    made.header.set_xyzt_units("mm")
    return made


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_values_and_place(kind, name, tmp_path):
    nib.save(image(kind=kind), tmp_path / name)
    stored = read_nifti(tmp_path / name)
    assert stored.odd == ()
    np.testing.assert_array_equal(stored.array, ARRAY_XYZ.T)
    np.testing.assert_allclose(stored.geometry.affine_lps, LPS, atol=1e-5)
    assert stored.geometry.axis_codes == "LAS"


def test_a_pair(tmp_path):
    nib.save(image(kind=nib.Nifti1Pair), tmp_path / "a.hdr")
    np.testing.assert_array_equal(read_volume(tmp_path / "a.hdr").array, ARRAY_XYZ.T)
    (tmp_path / "a.img").unlink()
    with pytest.raises(UnreadableError, match=r"its voxels a\.img are missing"):
        read_volume(tmp_path / "a.hdr")


def test_big_endian(tmp_path):
    big = nib.Nifti1Image(ARRAY_XYZ, AFFINE_RAS, nib.Nifti1Header(endianness=">"))
    nib.save(big, tmp_path / "a.nii")
    array = read_volume(tmp_path / "a.nii").array
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, ARRAY_XYZ.T)


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"), [(1, -24, np.int16), (1, 0, np.int16), (0.5, 0, np.float32), (1, 0.5, np.float32)]
)
def test_scaling_is_applied_exactly(slope, intercept, dtype, tmp_path):
    made = image()
    made.header.set_data_dtype(np.int16)
    made.header.set_slope_inter(slope, intercept)
    nib.save(made, tmp_path / "a.nii")
    _rescale(tmp_path / "a.nii", slope, intercept)
    values = read_volume(tmp_path / "a.nii").array
    assert values.dtype == dtype
    np.testing.assert_array_equal(values, nib.load(tmp_path / "a.nii").get_fdata().T)


def _rescale(path, slope, intercept):
    """nibabel chooses its own scaling when it writes; the header's bytes 112 to 120 are the two floats."""
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([slope, intercept], "<f4").tobytes()
    path.write_bytes(content)


def test_scaling_past_int16_becomes_float(tmp_path):
    nib.save(image(), tmp_path / "a.nii")
    _rescale(tmp_path / "a.nii", 1, 32000)
    values = read_volume(tmp_path / "a.nii").array
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, ARRAY_XYZ.T.astype(np.float32) + 32000)


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000), ("micron", 1e-3), ("mm", 1)])
def test_units_become_mm(unit, factor, tmp_path):
    made = image(affine=np.diag([0.7, 0.7, 2.5, 1]))
    made.header.set_xyzt_units(unit)
    nib.save(made, tmp_path / "a.nii")
    stored = read_nifti(tmp_path / "a.nii")
    np.testing.assert_allclose(stored.geometry.spacing_zyx_mm, np.array([2.5, 0.7, 0.7]) * factor, rtol=1e-6)
    assert bool(stored.odd) == (unit != "mm")


def test_no_unit_is_said(tmp_path):
    made = image()
    made.header.set_xyzt_units("unknown")
    nib.save(made, tmp_path / "a.nii")
    assert "mm is assumed" in read_nifti(tmp_path / "a.nii").odd[0]


def test_the_qform_stands_in_for_the_sform(tmp_path):
    made = image()
    made.set_sform(None, 0)
    nib.save(made, tmp_path / "a.nii")
    np.testing.assert_allclose(read_volume(tmp_path / "a.nii").geometry.affine_lps, LPS, atol=1e-4)


def test_no_affine_at_all_is_said(tmp_path):
    made = image()
    made.set_sform(None, 0)
    made.set_qform(None, 0)
    nib.save(made, tmp_path / "a.nii")
    stored = read_nifti(tmp_path / "a.nii")
    assert any("doesn't say how the patient lies" in note for note in stored.odd)
    np.testing.assert_allclose(stored.geometry.spacing_zyx_mm, (2.5, 0.7, 0.7), atol=1e-6)


def test_two_affines_that_disagree_are_said(tmp_path):
    made, other = image(), AFFINE_RAS.copy()
    other[0, 3] += 3
    made.set_qform(other, 1)
    nib.save(made, tmp_path / "a.nii")
    stored = read_nifti(tmp_path / "a.nii")
    assert "lie up to 3 apart" in stored.odd[0]
    np.testing.assert_allclose(stored.geometry.affine_lps, LPS, atol=1e-4)


def test_one_frame_is_a_volume_and_two_are_none(tmp_path):
    nib.save(image(ARRAY_XYZ[..., None]), tmp_path / "one.nii")
    assert read_volume(tmp_path / "one.nii").array.shape == (4, 5, 6)
    nib.save(image(np.stack([ARRAY_XYZ] * 2, axis=-1)), tmp_path / "two.nii")
    with pytest.raises(UnsupportedError, match="2 frames"):
        read_volume(tmp_path / "two.nii")


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1)])
def test_a_flat_one_is_no_ct(shape, tmp_path):
    nib.save(image(np.zeros(shape, np.int16)), tmp_path / "a.nii")
    with pytest.raises(UnsupportedError, match=r"2D|flat"):
        read_volume(tmp_path / "a.nii")


def test_colours_are_refused(tmp_path):
    rgb = np.zeros((3, 3, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(image(rgb), tmp_path / "a.nii")
    with pytest.raises(UnsupportedError, match="plain numbers"):
        read_volume(tmp_path / "a.nii")


def test_an_affine_without_volume_is_refused(tmp_path):
    flat = AFFINE_RAS.copy()
    flat[:3, 2] = 0
    made = image()
    made.set_sform(flat, 1)
    nib.save(made, tmp_path / "a.nii")
    with pytest.raises(GeometryError):
        read_volume(tmp_path / "a.nii")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_a_truncated_one_is_refused(name, share, tmp_path):
    nib.save(image(np.random.default_rng(1).integers(-1024, 3000, (20, 20, 20)).astype(np.int16)), tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(UnreadableError):
        read_volume(tmp_path / name)


def test_a_gzip_with_a_wrong_checksum_is_refused(tmp_path):
    nib.save(image(), tmp_path / "a.nii.gz")
    content = bytearray((tmp_path / "a.nii.gz").read_bytes())
    content[-8] ^= 255
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(UnreadableError):
        read_volume(tmp_path / "a.nii.gz")


def test_gzip_in_several_members_is_read(tmp_path):
    nib.save(image(), tmp_path / "a.nii")
    content = (tmp_path / "a.nii").read_bytes()
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(content[:400]) + gzip.compress(content[400:]))
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii.gz").array, ARRAY_XYZ.T)


def test_the_name_doesn_t_matter(tmp_path):
    nib.save(image(), tmp_path / "a.nii.gz")
    for name in ("a.dcm", "a", "a.nii", "a.png"):
        (tmp_path / name).write_bytes((tmp_path / "a.nii.gz").read_bytes())
        np.testing.assert_array_equal(read_volume(tmp_path / name).array, ARRAY_XYZ.T)


def test_a_float_mask_of_whole_numbers_is_one(tmp_path):
    nib.save(image((ARRAY_XYZ > 0).astype(np.float64) * 2), tmp_path / "m.nii")
    mask = read_mask(tmp_path / "m.nii")
    assert mask.labels.dtype == np.uint8
    assert set(np.unique(mask.labels)) == {0, 2}


@pytest.mark.parametrize("array", [ARRAY_XYZ, ARRAY_XYZ + np.float32(0.5), np.full((3, 3, 3), np.nan, np.float32)])
def test_what_is_no_mask_is_refused(array, tmp_path):
    nib.save(image(array), tmp_path / "m.nii")
    with pytest.raises(UnsupportedError, match="is no mask"):
        read_mask(tmp_path / "m.nii")
