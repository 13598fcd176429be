"""`hilum convert` says what it did, and what to type where it can't go on."""

import shlex
import shutil

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.io import read_mask
from tests.io.dicom.build import FRAME_UID, edit, noise, write_ct, write_rtstruct, write_xray
from tests.io.dicom.test_segmentation import write_seg

HU = noise((9, 8, 8))


def square(low: float, high: float, k: int) -> np.ndarray:
    """A contour in index units on slice k of `write_ct`'s grid, in LPS mm."""
    corners = np.array([(low, low), (high, low), (high, high), (low, high)])
    return np.column_stack([-10.5 + corners[:, 0] * 0.8, 20.25 + corners[:, 1] * 0.7, np.full(4, -300 + 2.5 * k)])


@pytest.fixture
def outlines(tmp_path):
    """A CT, and beside it a folder with an RTSTRUCT of two structures that overlap."""
    write_ct(tmp_path / "ct", HU)
    (tmp_path / "rs").mkdir()
    contours = {"tumour, left": [square(0.5, 4.5, 2)], "lung": [square(2.5, 6.5, 2), square(2.5, 6.5, 3)]}
    return write_rtstruct(tmp_path / "rs" / "rs.dcm", contours, FRAME_UID)


def run(*words: object) -> int:
    return main(["convert", *map(str, words)])


def said(capsys) -> str:
    return capsys.readouterr().err


def test_a_repair_is_told(tmp_path, capsys):
    files = write_ct(tmp_path / "ct", HU)
    files[3].unlink()
    shutil.copy(files[6], tmp_path / "ct" / "double.dcm")
    edit(tmp_path / "ct" / "double.dcm", SOPInstanceUID="1.2.3.99")
    assert run(tmp_path / "ct", tmp_path / "out.nii", "--repair") == 0
    line = "hilum: note: repaired: 1 slice interpolated at z −292.5 mm; 1 exact double dropped at z −285 mm\n"
    assert said(capsys) == line


def test_nothing_is_said_where_nothing_was_repaired(tmp_path, capsys):
    write_ct(tmp_path / "ct", HU)
    assert run(tmp_path / "ct", tmp_path / "out.nii", "--repair") == 0
    assert said(capsys) == ""


def test_one_structure_can_be_written_as_the_message_says(outlines, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(outlines, "all.nii.gz") == 1
    assert "--like CT" in said(capsys)
    assert run(outlines, "all.nii.gz", "--like", "ct") == 1
    command = said(capsys).splitlines()[1].partition("hilum ")[2]
    assert main(shlex.split(command.replace("--like CT", "--like ct"))) == 0
    assert run(outlines, "tumour.nrrd", "--like", "ct", "--structure", "tumour, left") == 0
    tumour = read_mask(tmp_path / "tumour.nrrd")
    assert (tumour.labels.sum(), dict(tumour.names)) == (16, {1: "tumour, left"})
    capsys.readouterr()
    assert run(outlines, "x.nrrd", "--like", "ct", "--structure", "heart") == 1
    assert "holds no structure 'heart', but tumour, left, lung." in said(capsys)


def test_a_folder_stands_for_its_only_outlines(outlines, tmp_path):
    out = tmp_path / "m.nii.gz"
    assert run(outlines.parent, out, "--like", tmp_path / "ct", "--structure", "lung") == 0
    assert read_mask(out).labels.sum() == 32


def test_outlines_among_others_are_named(outlines, tmp_path, capsys):
    write_xray(outlines.parent / "x.dcm", noise((4, 4), 0, 9).astype(np.uint16))
    assert run(outlines.parent, tmp_path / "m.nii.gz") == 1
    assert f"hilum convert {outlines} mask.nii.gz --like CT" in said(capsys)


def test_one_segment_of_those_that_overlap(tmp_path, capsys):
    files = write_ct(tmp_path / "ct", HU)
    pixels = np.zeros((*HU.shape, 3), np.uint8)
    pixels[2, :4, :, 0] = pixels[2, 2:, :, 1] = pixels[3, 0, 0, 2] = 1
    seg = write_seg(tmp_path / "seg.dcm", files, pixels, "BINARY", ["nodule", "lung", "nodule"])
    assert run(seg, tmp_path / "all.nii") == 1
    assert "--structure lung" in said(capsys)
    for name, voxels in (("nodule", 32), ("lung", 48), ("nodule (2)", 1)):
        assert run(seg, tmp_path / f"{name}.nii", "--structure", name) == 0
        assert (read_mask(tmp_path / f"{name}.nii").labels > 0).sum() == voxels


def test_a_structure_of_what_has_none(tmp_path, capsys):
    write_ct(tmp_path / "ct", HU)
    assert run(tmp_path / "ct", tmp_path / "m.nii", "--structure", "lung") == 1
    assert "Leave --structure away" in said(capsys)


def test_what_a_folder_holds_instead_of_a_ct_is_named_in_words(tmp_path, capsys):
    (file,) = write_ct(tmp_path / "mr", HU[:1])
    edit(file, SOPClassUID="1.2.840.10008.5.1.4.1.1.4", Modality=None)
    assert run(tmp_path / "mr", tmp_path / "m.nii") == 1
    assert "holds no CT series, but 1 × image of no stated modality." in said(capsys)
