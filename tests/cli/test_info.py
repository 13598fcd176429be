"""`hilum info` for people and for programs."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import Geometry, Volume
from hilum.io import write_volume
from hilum.io.installed import sample_ct_path
from tests.io.dicom.build import noise, write_ct


def test_people_read_lines(capsys):
    assert main(["info", str(sample_ct_path())]) == 0
    out, err = capsys.readouterr()
    assert "CT volume: NIfTI, 512 × 512 × 133 voxels of 0.703 × 0.703 × 2.500 mm (360 × 360 × 332.5 mm)" in out
    assert "  odd: " in out
    assert err == ""


def test_programs_read_json(capsys, tmp_path):
    (tmp_path / "a.dcm").write_text("hello")
    assert main(["info", "--json", str(sample_ct_path()), str(tmp_path / "a.dcm")]) == 3
    out, err = capsys.readouterr()
    content = json.loads(out)
    assert content["found"][0]["facts"]["shape_zyx"] == [133, 512, 512]
    assert set(content["failures"][0]) == {"input", "error", "remedy"}
    assert err == ""


def test_the_rest_of_a_folder_is_shown(capsys, tmp_path):
    array = (np.arange(60).reshape(3, 4, 5) * 20 - 1000).astype(np.int16)
    write_volume(Volume(array, Geometry.regular((3, 4, 5), (2.5, 0.7, 0.7))), tmp_path / "ct.nii")
    (tmp_path / "cut.nii").write_bytes((tmp_path / "ct.nii").read_bytes()[:380])
    assert main(["info", str(tmp_path)]) == 3
    out, err = capsys.readouterr()
    assert "5 × 4 × 3 voxels" in out
    assert err.count("\n") == 1
    assert "cut.nii" in err


def test_odd_files(capsys, real_data):
    """Every file on its own: described, or refused in one line; 0 or 3, never a traceback."""
    for path in sorted(path for path in real_data("dicom-odd").rglob("*") if path.is_file()):
        code = main(["info", str(path)])
        out, err = capsys.readouterr()
        assert (code, bool(out), err.count("\n")) in {(0, True, 0), (3, False, 1)}, path


def test_damage_goes_to_stderr_once(capsys, tmp_path):
    files = write_ct(tmp_path, noise((4, 8, 8)))
    files[2].write_bytes(files[2].read_bytes()[:-20])
    for path in (files[2], tmp_path):
        assert main(["info", str(path)]) == 3
        out, err = capsys.readouterr()
        assert (err.count("\n"), err.count("truncated"), "truncated" in out) == (1, 1, False)
    assert "8 × 8 × 3 voxels" in out


def test_debug_shows_what_caused_a_failure(capsys, tmp_path):
    (file,) = write_ct(tmp_path, noise((1, 8, 8)))
    file.write_bytes(file.read_bytes().replace(b"0.7\\0.8", b"0.7\\1A "))
    assert main(["info", str(file)]) == 3
    assert "Traceback" not in capsys.readouterr().err
    for arguments in (["--debug", "info", str(file)], ["info", "--json", str(file), "--debug"]):
        assert main(arguments) == 3
        out, err = capsys.readouterr()
        assert "could not convert string to float" in err
        assert "UnreadableError" in err
    assert set(json.loads(out)["failures"][0]) == {"input", "error", "remedy"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("command", ["info", "convert"])
def test_a_pipe_is_refused_and_not_waited_for(command, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    out = [str(tmp_path / "out.nii")] if command == "convert" else []
    line = [sys.executable, "-m", "hilum", command, str(tmp_path / "pipe"), *out]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (1, 3)
    assert "is a pipe or device; a file was expected" in done.stderr


def test_no_path_is_wrong_usage(capsys):
    assert main(["info"]) in (1, 2)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("command", ["info", "convert"])
def test_help_has_an_example(command, capsys):
    assert main([command, "--help"]) == 0
    assert f"hilum {command} " in capsys.readouterr().out
