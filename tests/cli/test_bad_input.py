"""Bad input and bad places: one clear line, exit code 1 or 3, and nothing half-written."""

import errno
import os
import shutil

import nibabel as nib
import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import Geometry, Volume
from hilum.io import write_volume

GRID = Geometry.regular((6, 20, 22), (2.5, 0.7, 0.7))
CT = Volume((np.arange(6 * 20 * 22).reshape(6, 20, 22) - 1000).astype(np.int16), GRID)


@pytest.fixture
def bad(tmp_path):
    """A folder with one of every kind of bad input."""
    folder = tmp_path / "bad"
    (folder / "empty").mkdir(parents=True)
    (folder / "text.dcm").write_text("This is no DICOM.")
    (folder / "nothing.nii.gz").touch()
    nib.save(nib.Nifti1Image(np.zeros((20, 20), np.int16), np.eye(4)), folder / "flat.nii")
    for name in ("alone", "cut"):
        write_volume(CT, folder / f"{name}.mhd")
    (folder / "alone.raw").unlink()
    (folder / "cut.raw").write_bytes((folder / "cut.raw").read_bytes()[:1000])
    write_volume(CT, folder / "whole.nii.gz")
    (folder / "cut.nii.gz").write_bytes((folder / "whole.nii.gz").read_bytes()[:600])
    return folder


def lines(capsys):
    """What went to stderr, without the line that says what to do."""
    _, err = capsys.readouterr()
    assert "Traceback" not in err
    return [line for line in err.splitlines() if line.startswith("hilum: ")]


BAD = [
    ("empty", "is an empty folder"),
    ("text.dcm", "is a text file, not an image (its name says DICOM)"),
    ("nothing.nii.gz", "is an empty file"),
    ("flat.nii", "2D NIfTI"),
    ("alone.mhd", "its voxels, alone.raw, are missing"),
    ("cut.mhd", "1000 bytes of voxels, but its header describes"),
    ("cut.nii.gz", "is damaged"),
    ("isn't there", "doesn't exist"),
]


@pytest.mark.parametrize(("name", "words"), BAD)
@pytest.mark.parametrize("command", ["info", "convert"])
def test_bad_input(command, name, words, bad, tmp_path, capsys):
    out = tmp_path / "out.nrrd"
    code = main([command, str(bad / name), *([str(out)] if command == "convert" else [])])
    assert code in (1, 3)
    (line,) = lines(capsys)
    assert words in line
    assert not out.exists()


def test_a_folder_of_bad_input(bad, capsys):
    """The sound file is described, each bad one costs a line."""
    assert main(["info", str(bad)]) == 3
    assert len(lines(capsys)) == 4


@pytest.fixture
def two_patients(tmp_path):
    """One folder with slices of two patients, as an export goes wrong."""
    from pydicom import dcmread

    from hilum.io.dicom import write_series

    for name in ("a", "b"):
        write_series(CT, tmp_path / name, patient=name)
    for path in sorted((tmp_path / "b").iterdir()):
        slice_ = dcmread(path)
        slice_.SeriesInstanceUID = dcmread(next((tmp_path / "a").iterdir())).SeriesInstanceUID
        slice_.save_as(tmp_path / "a" / f"b-{path.name}")
    shutil.rmtree(tmp_path / "b")
    return tmp_path / "a"


def test_two_patients_in_one_folder(two_patients, tmp_path, capsys):
    assert main(["convert", str(two_patients), str(tmp_path / "out.nii.gz")]) == 1
    (line,) = lines(capsys)
    assert "patient" in line or "series" in line
    assert not (tmp_path / "out.nii.gz").exists()
    assert main(["info", str(two_patients)]) == 0
    assert "2 patients" in capsys.readouterr().out


OUTPUTS = ["out.nii.gz", "out.nii", "out.mha", "out.mhd", "out.nrrd", "out"]


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.EACCES, "not permitted"), (errno.EROFS, "read-only"), (errno.ENOSPC, "disk is full")],
)
def test_no_place_for_a_temporary_file(name, code, words, bad, tmp_path, capsys, monkeypatch):
    """What the system says before anything is written; root may write everywhere, so it is said in its place."""

    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    assert main(["convert", str(bad / "whole.nii.gz"), str(tmp_path / name)]) == 1
    (line,) = lines(capsys)
    assert words in line
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_folder_that_is_a_file(name, bad, tmp_path, capsys):
    (tmp_path / "file").write_text("precious")
    assert main(["convert", str(bad / "whole.nii.gz"), str(tmp_path / "file" / name)]) == 1
    (line,) = lines(capsys)
    assert "could not be written" in line
    assert (tmp_path / "file").read_text() == "precious"


class FullDisk:
    """A file that takes some bytes and then none."""

    def __init__(self, stream, room):
        self._stream, self._room = stream, room

    def write(self, data):
        size = memoryview(data).nbytes
        if size > self._room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._room -= size
        return self._stream.write(data)

    def writelines(self, parts):
        for part in parts:
            self.write(part)

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def __enter__(self):
        return self

    def __exit__(self, *exit_):
        self._stream.close()


@pytest.mark.parametrize("name", OUTPUTS[:-1])
@pytest.mark.parametrize("room", [0, 100, 360])
@pytest.mark.parametrize("before", [None, "precious"])
def test_a_disk_that_fills_up(name, room, before, bad, tmp_path, capsys, monkeypatch):
    from pathlib import Path

    opened = Path.open
    place = tmp_path / "place"
    place.mkdir()
    if before:
        (place / name).write_text(before)

    def full(path, mode="r", *args, **kwargs):
        stream = opened(path, mode, *args, **kwargs)
        return FullDisk(stream, room) if "w" in mode and place in path.parents else stream

    monkeypatch.setattr(Path, "open", full)
    assert main(["convert", str(bad / "whole.nii.gz"), str(place / name), "--force"]) == 1
    monkeypatch.undo()
    (line,) = lines(capsys)
    assert "the disk is full" in line
    left = {path.name for path in place.iterdir()}
    assert left == ({name} if before else set()), "what was there is untouched, and nothing else is left"
    assert not before or (place / name).read_text() == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110
def test_the_system_s_own_full_disk(capsys):
    """Every write to /dev/full fails with ENOSPC: the real error has the number that our words are chosen by."""
    from pathlib import Path

    from hilum.io.atomic import output_error

    with pytest.raises(OSError, match="No space left") as caught, Path("/dev/full").open("wb", buffering=0) as stream:
        stream.write(b"x")
    assert "the disk is full" in output_error(Path("x"), caught.value).message
