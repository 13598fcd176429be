"""CT series: what is read is what was stored, where it was stored, or a refusal."""

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from numpy.testing import assert_allclose, assert_array_equal

from hilum.core import AmbiguousError, Quantity, SpacingError, UnreadableError, UnsupportedError
from hilum.io.dicom import describe_dicom, find_series, read_series, series_repair
from tests.io.dicom.build import FRAME_UID, edit, noise, write_ct, write_enhanced

HU = noise((6, 5, 4))


def odd_of(path: Path) -> str:
    (found,) = describe_dicom(path)
    return " | ".join(found.odd)


def itk(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def test_voxels_and_grid_are_those_of_itk(tmp_path):
    write_ct(tmp_path, HU)
    volume, image = read_series(tmp_path), itk(tmp_path)
    assert_array_equal(volume.array, HU)
    assert_array_equal(volume.array, sitk.GetArrayFromImage(image))
    assert volume.array.dtype == np.int16
    assert volume.quantity is Quantity.HU
    assert volume.geometry.frame_uid == FRAME_UID
    for ijk in ((0, 0, 0), (3, 4, 5)):
        assert_allclose(volume.geometry.to_lps_mm(ijk[::-1]), image.TransformIndexToPhysicalPoint(ijk), atol=1e-9)


@pytest.mark.parametrize("step", [(0, 0, 2.5), (0, 0, -2.5)])
def test_slices_grow_along_the_normal_whatever_the_files_order(tmp_path, step):
    write_ct(tmp_path, HU, step=step)
    volume = read_series(tmp_path)
    assert_array_equal(volume.array, HU if step[2] > 0 else HU[::-1])
    assert np.linalg.det(volume.geometry.affine_lps[:3, :3]) > 0


def test_an_oblique_series_lies_where_its_positions_say(tmp_path):
    c, s = np.cos(0.3), np.sin(0.3)
    write_ct(tmp_path, HU, orientation=[float(f"{v:.12f}") for v in (c, s, 0, -s, c, 0)])
    geometry = read_series(tmp_path).geometry
    assert_allclose(
        geometry.to_lps_mm((2, 3, 1)), [-10.5 + c * 0.8 - s * 2.1, 20.25 + s * 0.8 + c * 2.1, -295], atol=1e-9
    )
    assert not describe_dicom(tmp_path)[0].odd


def test_a_tilted_gantry_gives_a_sheared_grid_and_is_reported(tmp_path):
    write_ct(tmp_path, HU, step=(0, 0.5, 2.5))
    volume = read_series(tmp_path)
    assert_allclose(volume.geometry.affine_lps[:3, 2], (0, 0.5, 2.5), atol=1e-12)
    assert_array_equal(volume.array, HU)
    assert "tilted gantry" in odd_of(tmp_path)
    assert "11.3°" in odd_of(tmp_path)


@pytest.mark.parametrize("dropped", [[2], [1, 2], [2, 4]])
def test_missing_slices_are_refused_with_the_place_or_interpolated_when_asked(tmp_path, dropped):
    hu = noise((9, 5, 4))
    files = write_ct(tmp_path, hu)
    for k in dropped:
        files[k].unlink()
    with pytest.raises(SpacingError, match=rf"{len(dropped)} missing.* at −(300|297.5) → −2.*--repair"):
        read_series(tmp_path)
    volume = read_series(tmp_path, repair=True)
    assert_allclose(series_repair(tmp_path).interpolated_mm, [-300 + 2.5 * k for k in dropped])
    kept = [k for k in range(9) if k not in dropped]
    assert volume.array.shape == hu.shape
    assert volume.array.dtype == np.int16
    assert_array_equal(volume.array[kept], hu[kept])
    below, above = dropped[0] - 1, next(k for k in kept if k > dropped[0])
    share = 1 / (above - below)
    assert_allclose(volume.array[dropped[0]], hu[below] * (1 - share) + hu[above] * share, atol=0.51)
    assert "missing" in odd_of(tmp_path)


def test_a_series_that_is_mostly_missing_is_not_invented(tmp_path):
    for file in write_ct(tmp_path, noise((12, 5, 4)))[2:10]:
        file.unlink()
    with pytest.raises(SpacingError, match="more than half"):
        read_series(tmp_path, repair=True)


def test_doubled_slices_are_refused_dropped_when_equal_and_never_when_they_differ(tmp_path):
    files = write_ct(tmp_path, HU)
    double = tmp_path / "double.dcm"
    shutil.copy(files[2], double)
    edit(double, SOPInstanceUID="1.2.3.99")
    with pytest.raises(SpacingError, match=r"1 doubled \(at −295 mm\)"):
        read_series(tmp_path)
    assert series_repair(tmp_path).dropped_mm == (-295,)
    assert_array_equal(read_series(tmp_path, repair=True).array, HU)
    edit(double, PixelData=(HU[3].astype(np.int32) + 1024).astype("<u2").tobytes())
    with pytest.raises(SpacingError, match="differ"):
        read_series(tmp_path, repair=True)


def test_a_place_is_told_once_however_many_lie_there(tmp_path):
    files = write_ct(tmp_path, HU)
    for n in range(3):
        shutil.copy(files[2], tmp_path / f"{n}.dcm")
    with pytest.raises(SpacingError, match=r"3 doubled \(at −295 mm\)"):
        read_series(tmp_path)


def test_an_even_series_needs_no_repair(tmp_path):
    write_ct(tmp_path, HU)
    assert series_repair(tmp_path) is None


def test_uneven_slices_are_refused_and_brought_to_an_even_grid_when_asked(tmp_path):
    ramp = np.arange(6, dtype=np.int16)[:, None, None] * np.full((1, 5, 4), 100, np.int16)

    def shift(k, one):
        one.ImagePositionPatient = [0, 0, 2.5 * k + (1.0 if k == 3 else 0)]

    write_ct(tmp_path, ramp, change=shift)
    with pytest.raises(SpacingError, match="2 unevenly spaced"):
        read_series(tmp_path)
    plan = series_repair(tmp_path)
    assert (plan.interpolated_mm, plan.unused_mm, plan.dropped_mm) == ((7.5,), (8.5,), ())
    assert str(plan) == "1 slice interpolated at z 7.5 mm; 1 slice off the even grid left out at z 8.5 mm"
    repaired = read_series(tmp_path, repair=True)
    assert_allclose(repaired.geometry.affine_lps[:3, 2], (0, 0, 2.5))
    assert repaired.array[3, 0, 0] == round(200 + 100 * 2.5 / 3.5)
    assert_array_equal(repaired.array[[0, 1, 2, 4, 5]], ramp[[0, 1, 2, 4, 5]])


def test_rounded_positions_are_no_uneven_spacing(tmp_path):
    def rounded(k, one):
        one.ImagePositionPatient = [0, 0, f"{0.625 * k:.1f}"]

    write_ct(tmp_path, HU, change=rounded)
    assert read_series(tmp_path).geometry.spacing_zyx_mm[0] == pytest.approx(0.625, abs=0.02)


def test_slices_stacked_askew_are_refused_even_with_repair(tmp_path):
    def askew(k, one):
        one.ImagePositionPatient = [3 * (k % 2), 0, 2.5 * k]

    write_ct(tmp_path, HU, change=askew)
    for repair in (False, True):
        with pytest.raises(SpacingError, match="askew"):
            read_series(tmp_path, repair=repair)


def test_two_series_are_ambiguous_until_one_is_named(tmp_path):
    def other(k, one):
        one.SeriesInstanceUID, one.ConvolutionKernel = "1.2.3.100.6789", "B70f"

    write_ct(tmp_path / "x", HU)
    write_ct(tmp_path / "y", HU[::-1], change=other, prefix="b")
    with pytest.raises(AmbiguousError, match=r"holds two CT series \(2 × 6 slices, kernels .*B70f") as caught:
        read_series(tmp_path)
    assert "--series" in caught.value.remedy
    names = [word for word in caught.value.remedy.replace(",", " ").split() if "…" in word or word.startswith("1.2")]
    assert [read_series(tmp_path, series=name).array.shape for name in names] == [HU.shape] * 2
    assert_array_equal(read_series(tmp_path, series="6789").array, HU[::-1])
    assert_array_equal(read_series(tmp_path, series="1.2.3.100.5").array, HU)
    with pytest.raises(UnsupportedError, match="holds no CT series 'nothing'"):
        read_series(tmp_path, series="nothing")


def test_two_patients_are_named_even_when_they_share_a_series(tmp_path):
    write_ct(tmp_path, HU, change=lambda k, one: setattr(one, "PatientID", "P1" if k < 3 else "P2"))
    with pytest.raises(AmbiguousError, match=r"two patients \(P1, P2\)"):
        read_series(tmp_path)
    assert all("2 patients" in " ".join(found.odd) for found in describe_dicom(tmp_path))


def test_a_scout_view_in_the_series_is_left_out(tmp_path):
    write_ct(tmp_path, HU)
    write_ct(
        tmp_path,
        noise((1, 8, 8)),
        orientation=(0, 1, 0, 0, 0, -1),
        prefix="s",
        change=lambda _, one: setattr(one, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]),
    )
    assert_array_equal(read_series(tmp_path).array, HU)
    assert [one.is_localizer for one in find_series(tmp_path)].count(True) == 1


def test_two_acquisitions_of_one_series_are_two_volumes(tmp_path):
    for number, prefix in ((1, "a"), (2, "b")):
        write_ct(
            tmp_path, HU + number, prefix=prefix, change=lambda _, one, n=number: setattr(one, "AcquisitionNumber", n)
        )
    with pytest.raises(AmbiguousError, match="two CT series"):
        read_series(tmp_path)
    assert_array_equal(read_series(tmp_path, series="#2").array, HU + 2)


def test_missing_rescale_means_the_stored_values_and_is_reported(tmp_path):
    def bare(k, one):
        del one.RescaleSlope, one.RescaleIntercept

    write_ct(tmp_path, HU, change=bare)
    assert_array_equal(read_series(tmp_path).array, HU + 1024)
    assert "without rescale" in odd_of(tmp_path)


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"), [(2, -1000, "int16"), (0.5, 0, "float32"), (1, 40000, "float32")]
)
def test_hu_are_exact_and_as_narrow_as_they_can_be(tmp_path, slope, intercept, dtype):
    def scale(k, one):
        one.RescaleSlope, one.RescaleIntercept = slope, intercept

    write_ct(tmp_path, HU, change=scale)
    volume = read_series(tmp_path)
    assert volume.array.dtype == dtype
    assert_allclose(volume.array, (HU.astype(float) + 1024) * slope + intercept, rtol=1e-6)


def test_signed_twelve_bit_values_with_rubbish_above_are_read_right(tmp_path):
    def signed(k, one):
        stored = (np.clip(HU[k], -2048, 2047).astype(np.int32) & 0x0FFF) | 0x5000
        one.PixelData = stored.astype("<u2").tobytes()
        one.BitsStored, one.HighBit, one.PixelRepresentation, one.RescaleIntercept = 12, 11, 1, 0

    write_ct(tmp_path, HU, change=signed)
    assert_array_equal(read_series(tmp_path).array, HU)


def test_enhanced_multiframe_is_read_like_single_frames(tmp_path):
    write_enhanced(tmp_path / "enhanced.dcm", HU)
    write_ct(tmp_path / "single", HU)
    enhanced, single = read_series(tmp_path / "enhanced.dcm"), read_series(tmp_path / "single")
    assert_array_equal(enhanced.array, HU)
    assert enhanced.geometry.is_same_grid(single.geometry)


def test_a_single_slice_is_as_deep_as_it_says_or_no_volume(tmp_path):
    (file,) = write_ct(tmp_path, HU[:1])
    assert read_series(file).geometry.spacing_zyx_mm[0] == 2.5
    edit(file, SliceThickness=None)
    with pytest.raises(UnsupportedError, match="single slice"):
        read_series(file)


def test_bad_input_is_named(tmp_path):
    text = tmp_path / "text.dcm"
    text.write_text("dear reader")
    with pytest.raises(UnreadableError, match="no DICOM file: it begins with b'dear"):
        read_series(text)
    with pytest.raises(UnsupportedError, match="holds no DICOM file"):
        read_series(tmp_path)
    with pytest.raises(UnreadableError, match="neither a file nor a folder"):
        read_series(tmp_path / "absent")


@pytest.mark.parametrize("share", [0.9, 0.5, 0.05])
def test_a_truncated_file_is_refused(tmp_path, share):
    files = write_ct(tmp_path, noise((3, 32, 32)))
    content = files[1].read_bytes()
    files[1].write_bytes(content[: int(len(content) * share)])
    with pytest.raises((UnreadableError, UnsupportedError)):
        read_series(tmp_path)


def test_a_damaged_neighbour_is_not_passed_over(tmp_path):
    files = write_ct(tmp_path, HU)
    edit(files[5], ImagePositionPatient=None)
    with pytest.raises(UnsupportedError, match="doesn't say where it lies"):
        read_series(tmp_path)


def test_a_file_of_the_series_that_nobody_knows_is_not_passed_over(tmp_path):
    files = write_ct(tmp_path, HU)
    edit(files[5], SOPClassUID="1.2.840.10008.5.1.4.1.1.22222")
    with pytest.raises(UnreadableError, match="unknown class"):
        read_series(tmp_path)


def test_a_damaged_file_of_another_series_is_no_hindrance(tmp_path):
    write_ct(tmp_path, HU)
    (other,) = write_ct(tmp_path, HU[:1], prefix="b")
    edit(other, SeriesInstanceUID="1.2.3.4", ImagePositionPatient=None)
    assert_array_equal(read_series(tmp_path).array, HU)
    edit(other, Rows=0)
    with pytest.raises(UnreadableError, match="holds no image"):
        read_series(tmp_path)
    assert_array_equal(read_series(tmp_path, series="100.5").array, HU)


def test_other_files_in_the_folder_are_no_hindrance(tmp_path):
    write_ct(tmp_path / "deep" / "er", HU)
    (tmp_path / "README.txt").write_text("a note")
    (tmp_path / "._IM1.dcm").write_bytes(b"\0" * 128 + b"DICMrubbish")
    assert_array_equal(read_series(tmp_path).array, HU)


def test_hostile_sizes_are_refused_before_anything_is_allocated(tmp_path):
    file = write_ct(tmp_path, HU[:1])[0]
    edit(file, Rows=65535, Columns=65535)
    with pytest.raises(UnreadableError, match="truncated"):
        read_series(file)


def test_headerless_implicit_files_are_read(tmp_path):
    file = write_ct(tmp_path, HU[:1])[0]
    one = pydicom.dcmread(file)
    bare = tmp_path / "bare"
    pydicom.dcmwrite(bare, pydicom.Dataset(one), implicit_vr=True, little_endian=True, enforce_file_format=False)
    file.unlink()
    assert bare.read_bytes()[128:132] != b"DICM"
    assert_array_equal(read_series(bare).array, HU[:1])
    assert "no preamble" in odd_of(bare)
