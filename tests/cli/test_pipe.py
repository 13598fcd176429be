"""A reader that leaves (`hilum … | head -1`) changes no exit code, whatever the command; a full disk is told."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import Geometry, Volume
from hilum.io import write_volume

CODE = "import sys; from hilum.cli.app import main; sys.exit(main())"


@pytest.fixture
def files(tmp_path):
    grid = Geometry.regular((4, 5, 6), (2.5, 0.7, 0.7))
    write_volume(Volume(np.zeros(grid.shape_zyx, np.int16), grid), tmp_path / "ct.nii.gz")
    (tmp_path / "cut.nii.gz").write_bytes((tmp_path / "ct.nii.gz").read_bytes()[:40])
    return tmp_path


def left(words, folder, *, errors=False):
    """The exit code, and stderr, of a command whose reader is gone before it begins."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-c", CODE, *words],
            stdout=write,
            stderr=write if errors else subprocess.PIPE,
            cwd=folder,
            check=False,
        )
    finally:
        os.close(write)
    return done.returncode, (done.stderr or b"").decode()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--help"], 0),
        (["compare", "--help"], 0),
        (["info", "ct.nii.gz"], 0),
        (["info", "ct.nii.gz", "cut.nii.gz"], 3),
        (["info", "--json", "ct.nii.gz", "cut.nii.gz"], 3),
        (["convert", "ct.nii.gz", "ct.mha"], 0),
        (["doctor"], 0),
        (["info", "nothing here"], 1),
        (["nonsense"], 2),
    ],
)
@pytest.mark.parametrize("errors", [False, True])
def test_a_reader_that_leaves_changes_no_exit_code(words, code, errors, files):
    found, said = left(words, files, errors=errors)
    assert found == code
    assert "BrokenPipe" not in said
    assert "Traceback" not in said
    if code == 3 and not errors:
        assert said.count("cut.nii.gz") == (0 if "--json" in words else 1)


def test_the_work_is_done_although_nobody_reads(files):
    left(["convert", "ct.nii.gz", "ct.mha"], files)
    assert (files / "ct.mha").stat().st_size > 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
@pytest.mark.parametrize("words", [["info", "ct.nii.gz", "cut.nii.gz"], ["--help"]])
def test_a_full_disk_is_said_and_is_no_success(words, files):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", CODE, *words], stdout=full, stderr=subprocess.PIPE, cwd=files, check=False
        )
    assert done.returncode == 1
    assert b"hilum: the output can't be written: No space left on device." in done.stderr
    assert b"Traceback" not in done.stderr


def test_the_streams_are_given_back(files, capsys):
    before = sys.stdout, sys.stderr
    assert main(["info", str(files / "ct.nii.gz")]) == 0
    assert (sys.stdout, sys.stderr) == before
    assert "ct.nii.gz" in capsys.readouterr().out
