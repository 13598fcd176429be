"""Nothing half-written, whatever goes wrong."""

import errno
import os
from pathlib import Path

import pytest

from hilum.core import OutputError
from hilum.io.atomic import atomic_file, atomic_folder


def everything_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_file_appears_whole(tmp_path):
    with atomic_file(tmp_path / "new" / "a.nii.gz") as path:
        path.write_text("whole")
        assert path.name == "a.nii.gz", "image libraries choose the format by the suffix"
        assert not (tmp_path / "new" / "a.nii.gz").exists()
    assert everything_in(tmp_path) == ["new", "new/a.nii.gz"]


def _write_half(path, error):
    path.write_text("half")
    raise error


@pytest.mark.parametrize("error", [ValueError("broken"), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))])
def test_a_failure_leaves_what_was_there(tmp_path, error):
    (tmp_path / "a.txt").write_text("before")
    with pytest.raises((ValueError, OutputError)), atomic_file(tmp_path / "a.txt") as path:
        _write_half(path, error)
    assert everything_in(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "before"


def test_a_full_disk_is_said_in_words(tmp_path):
    said = r"a\.txt could not be written: the disk is full\. Free some space"
    with pytest.raises(OutputError, match=said), atomic_file(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")


def _write_as_pydicom_does():
    full = OSError(errno.ENOSPC, "No space left on device")
    raise OSError("No space left on device\nWith tag (7fe0,0010) got exception:\nTraceback …") from full


def test_a_full_disk_is_one_line_also_when_a_library_wraps_it(tmp_path):
    with pytest.raises(OutputError) as caught, atomic_file(tmp_path / "a.dcm"):
        _write_as_pydicom_does()
    assert caught.value.message == f"{tmp_path / 'a.dcm'} could not be written: the disk is full."


def test_a_place_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for make in (atomic_file, atomic_folder):
        with pytest.raises(OutputError, match="could not be written"), make(tmp_path / "file" / "out"):
            pytest.fail("the block must not run")


def test_no_permission_is_said_in_words(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(OutputError, match=r"not permitted\. Choose a folder"), atomic_folder(tmp_path / "out"):
        pytest.fail("the block must not run")


def test_a_folder_appears_whole_and_only_in_an_empty_place(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with atomic_folder(out) as folder:
        (folder / "a").write_text("1")
        assert everything_in(out) == []
    assert everything_in(out) == ["a"]
    with pytest.raises(OutputError, match="holds something already"), atomic_folder(out) as folder:
        (folder / "b").write_text("2")
    assert everything_in(tmp_path) == ["out", "out/a"]


def _fill_the_disk(path):
    with atomic_file(path):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_failure_within_a_folder_names_the_place_that_was_asked_for(tmp_path):
    with pytest.raises(OutputError) as caught, atomic_folder(tmp_path / "out") as folder:
        _fill_the_disk(folder / "a.png")
    assert caught.value.message == f"{tmp_path / 'out' / 'a.png'} could not be written: the disk is full."
    assert everything_in(tmp_path) == []


def test_replacing_waits_until_the_new_folder_is_complete(tmp_path):
    out = tmp_path / "out"
    with atomic_folder(out) as folder:
        (folder / "a").write_text("1")
    with pytest.raises(ValueError, match="broken"), atomic_folder(out, replace=True) as folder:
        raise ValueError("broken")
    assert everything_in(tmp_path) == ["out", "out/a"]
    with atomic_folder(out, replace=True) as folder:
        (folder / "b").write_text("2")
    assert everything_in(tmp_path) == ["out", "out/b"]


def test_an_old_folder_returns_when_the_new_one_can_not_take_its_place(tmp_path, monkeypatch):
    out = tmp_path / "out"
    with atomic_folder(out) as folder:
        (folder / "a").write_text("1")
    rename = Path.rename

    def refuse_the_new_one(self, target):
        if self.name == "new":
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_the_new_one)
    with pytest.raises(OutputError, match="Input/output error"), atomic_folder(out, replace=True) as folder:
        (folder / "b").write_text("2")
    assert everything_in(tmp_path) == ["out", "out/a"]
