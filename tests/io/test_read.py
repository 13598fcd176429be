"""The front door takes what a path is, whatever it is called, and refuses the rest in one line."""

import errno
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import hilum.io
from hilum.core import (
    AmbiguousError,
    Failures,
    Geometry,
    GeometryError,
    InputError,
    Mask,
    UnreadableError,
    UnsupportedError,
    Volume,
)
from hilum.io import read_mask, read_radiograph, read_volume, write_json, write_mask, write_png, write_volume
from hilum.io.describe import describe
from hilum.io.dicom.files import files_under
from hilum.io.inputs import files_in
from hilum.io.kinds import Kind, recognise
from hilum.io.read import combine

GRID = Geometry.regular((3, 4, 5), (2.5, 0.7, 0.7))
CT = Volume((np.arange(60).reshape(3, 4, 5) * 20 - 1000).astype(np.int16), GRID)


@pytest.fixture
def files(tmp_path):
    """One of everything, under names that say nothing."""
    for suffix in (".nii", ".nii.gz", ".mha", ".nrrd"):
        write_volume(CT, tmp_path / f"ct{suffix}")
        (tmp_path / f"ct{suffix}").rename(tmp_path / suffix.strip(".").replace(".", "_"))
    write_png(CT.array[0] + 1000, tmp_path / "png.png")
    (tmp_path / "png.png").rename(tmp_path / "png")
    write_json(tmp_path / "json", {"a": 1})
    (tmp_path / "xml").write_text("<?xml version='1.0'?><LidcReadMessage/>")
    (tmp_path / "text").write_text("Licence: do what you like, ÄÖ")
    (tmp_path / "zip").write_bytes(b"PK\x03\x04rest")
    (tmp_path / "sqlite").write_bytes(b"SQLite format 3\0rest")
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    return tmp_path


KINDS = {
    "nii": Kind.NIFTI,
    "nii_gz": Kind.NIFTI,
    "mha": Kind.METAIMAGE,
    "nrrd": Kind.NRRD,
    "png": Kind.PNG,
    "json": Kind.JSON,
    "xml": Kind.XML,
    "text": Kind.TEXT,
    "zip": Kind.ARCHIVE,
    "sqlite": Kind.SQLITE,
    "empty": Kind.EMPTY,
    "binary": Kind.BINARY,
}


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_what_a_file_is(files, name, kind):
    assert recognise(files / name) is kind


@pytest.mark.parametrize("name", ["nii", "nii_gz", "mha", "nrrd"])
def test_volumes_are_read_under_any_name(files, name):
    (files / name).rename(files / "misleading.dcm")
    np.testing.assert_array_equal(read_volume(files / "misleading.dcm").array, CT.array)


@pytest.mark.parametrize("name", ["json", "xml", "text", "zip", "sqlite", "empty", "binary"])
@pytest.mark.parametrize("read", [read_volume, read_radiograph, read_mask])
def test_what_is_no_image_is_refused(files, name, read):
    with pytest.raises(UnsupportedError, match=r"was expected"):
        read(files / name)


def test_text_called_dcm_is_told_so(tmp_path):
    (tmp_path / "a.dcm").write_text("hello")
    with pytest.raises(UnsupportedError, match=r"is a text file, not an image \(its name says DICOM\)"):
        read_volume(tmp_path / "a.dcm")


def test_one_kind_is_not_another(files):
    with pytest.raises(UnsupportedError, match=r"PNG picture; a CT volume was expected.* MHD/MHA or NRRD"):
        read_volume(files / "png")
    with pytest.raises(UnsupportedError, match="NIfTI volume; a radiograph was expected"):
        read_radiograph(files / "nii")


def test_raw_voxels_need_their_header(tmp_path):
    (tmp_path / "ct.raw").write_bytes(CT.array.tobytes())
    with pytest.raises(UnsupportedError) as caught:
        read_volume(tmp_path / "ct.raw")
    assert "header" in caught.value.remedy


@pytest.mark.parametrize("read", [read_volume, read_radiograph, read_mask])
def test_what_isn_t_there(read, tmp_path):
    with pytest.raises(InputError, match="doesn't exist"):
        read(tmp_path / "nothing")
    with pytest.raises(InputError, match="doesn't exist"):
        read(tmp_path / ("x" * 300))


def test_what_may_not_be_read(files, monkeypatch):
    from pathlib import Path

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match="may not be read"):
        read_volume(files / "nii")


@pytest.fixture
def lock(monkeypatch):
    """Forbids listing a folder, as the system would to anybody but root."""
    scandir = os.scandir

    def lock_folder(folder):
        def refuse(path="."):
            if str(path) == str(folder):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)

    return lock_folder


def test_a_locked_folder_is_not_called_empty(files, lock):
    lock(files)
    with pytest.raises(InputError, match="may not be listed"):
        read_volume(files)
    with pytest.raises(InputError, match="may not be listed"):
        describe(files)


def test_a_locked_subfolder_doesn_t_cost_the_rest(files, lock):
    (files / "locked").mkdir()
    lock(files / "locked")
    failures = Failures()
    assert len(describe(files, failures)) == 6
    assert [failure.input for failure in failures] == [str(files / "locked")]
    with pytest.raises(InputError, match="may not be listed"):
        describe(files)


def test_what_is_hidden_is_passed_over(tmp_path):
    (tmp_path / ".hidden").mkdir()
    write_volume(CT, tmp_path / ".hidden" / "a.nii")
    write_volume(CT, tmp_path / "b.nii")
    np.testing.assert_array_equal(read_volume(tmp_path).array, CT.array)


def test_a_folder_stands_for_its_only_volume(tmp_path):
    with pytest.raises(InputError, match="empty folder"):
        read_volume(tmp_path)
    write_volume(CT, tmp_path / "ct.mhd")
    (tmp_path / "readme.txt").write_text("hello")
    np.testing.assert_array_equal(read_volume(tmp_path).array, CT.array)
    write_volume(CT, tmp_path / "other.nii.gz")
    with pytest.raises(AmbiguousError, match=r"2 volumes \(ct\.mhd, other\.nii\.gz\)"):
        read_volume(tmp_path)


def test_a_folder_with_nothing_of_use(tmp_path):
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(InputError):
        read_volume(tmp_path)


def test_a_mask_lies_on_its_reference(tmp_path):
    write_mask(Mask.of(CT.array > 0, GRID), tmp_path / "m.nii.gz")
    assert read_mask(tmp_path / "m.nii.gz", GRID).labels.sum() == (CT.array > 0).sum()
    moved = Geometry.regular((3, 4, 5), (2.5, 0.7, 0.7), (0, 0, 1))
    with pytest.raises(GeometryError, match="1 mm apart"):
        read_mask(tmp_path / "m.nii.gz", moved)


def test_a_2d_mask_has_no_grid_to_check(tmp_path):
    write_png(np.eye(5, dtype=np.uint8), tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").geometry is None


def test_several_masks_become_labels():
    one, two = np.zeros((3, 4, 5), bool), np.zeros((3, 4, 5), bool)
    one[0], two[1] = True, True
    mask = combine([Mask.of(one, GRID, "a"), Mask.of(two, GRID, "b")], "x")
    assert dict(mask.names) == {1: "a", 2: "b"}
    np.testing.assert_array_equal(mask.select("b"), two)
    with pytest.raises(AmbiguousError, match="overlap"):
        combine([Mask.of(one, GRID, "a"), Mask.of(one, GRID, "b")], "x")
    with pytest.raises(InputError, match="no segment"):
        combine([], "x")


def test_dicom_under_any_name(real_data, tmp_path):
    shutil.copy(real_data("dicom-odd") / "pydicom/src/pydicom/data/test_files/MR_small.dcm", tmp_path / "a.nii")
    assert recognise(tmp_path / "a.nii") is Kind.DICOM


def test_the_same_tumour_as_dicom_and_as_nifti(real_data):
    """IBSI's phantom in both formats: same voxels at the same place, and the outline covers the NIfTI mask."""
    root = real_data("ibsi-ct") / "ibsi_1_ct_radiomics_phantom"
    nifti = read_volume(root / "nifti" / "image" / "phantom.nii.gz")
    dicom = read_volume(root / "dicom" / "image")
    points = nifti.geometry.corners_lps_mm()
    index = np.rint(dicom.geometry.to_index(points)).astype(int)
    np.testing.assert_allclose(dicom.geometry.to_lps_mm(index), points, atol=1e-3)
    theirs = nifti.array[tuple(np.rint(nifti.geometry.to_index(points)).astype(int).T)]
    np.testing.assert_array_equal(dicom.array[tuple(index.T)], theirs)
    ours = read_mask(next((root / "dicom" / "mask").iterdir()), nifti.geometry).labels > 0
    theirs = read_mask(root / "nifti" / "mask" / "mask.nii.gz", nifti.geometry).labels > 0
    assert 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum()) > 0.99


@pytest.mark.parametrize(
    ("seg", "nrrd"),
    [("liver.dcm", "liver_spine_seg.nrrd"), ("sparse-labelmap-noppv.dcm", "sparse_labelmap_noppv_seg.nrrd")],
)
def test_the_same_mask_as_seg_and_as_nrrd(seg, nrrd, real_data):
    """dcmqi's own pairs: the SEG's one segment is label 1 of the NRRD, on the same grid."""
    folder = real_data("dicom-odd") / "dcmqi/data/segmentations"
    theirs = read_mask(folder / nrrd)
    ours = read_mask(folder / seg, theirs.geometry)
    assert dict(ours.names) == {1: "Liver"}
    np.testing.assert_array_equal(ours.select("Liver"), theirs.labels == 1)


def test_importing_is_light():
    """The limit of the project is 0.3 s for `import hilum`; what costs is any heavy library, so none may come along."""
    code = (
        "import sys, hilum.io, hilum.io.read, hilum.io.describe, hilum.workflows.info, hilum.workflows.convert;"
        "print(sorted({'SimpleITK', 'nibabel', 'PIL', 'pydicom', 'scipy', 'highdicom'} & sys.modules.keys()))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_front_door_has_no_other_names():
    assert all(hasattr(hilum.io, name) for name in hilum.io.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = hilum.io.nonsense


def test_linked_folders_count_once_and_a_link_to_nothing_is_told(tmp_path):
    """The same walk for every command: what info shows is what prepare takes."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a").touch()
    top = tmp_path / "top"
    (top / ".hidden").mkdir(parents=True)
    (top / ".hidden" / "b").touch()
    for name, target in (("link", "elsewhere"), ("again", "elsewhere"), ("round", "top")):
        (top / name).symlink_to(tmp_path / target)
    assert files_in(top) == [top / "again" / "a"]
    assert files_under(top) == [top / "again" / "a"]
    (top / "gone").symlink_to(tmp_path / "nothing")
    with pytest.raises(UnreadableError, match="leads nowhere"):
        files_in(top)
    failures = Failures()
    assert files_in(top, failures) == [top / "again" / "a"]
    assert [failure.input for failure in failures] == [str(top / "gone")]
