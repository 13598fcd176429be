"""What all commands have in common: help, unknown flags, missing inputs, flags as the reference names them."""

import re
from pathlib import Path

import pytest

from hilum.cli.app import app, main
from tests.cli.test_examples import COMMANDS

MISSING = {
    ("info",): "none",
    ("convert",): "none out.mha",
    ("drr",): "none out",
    ("prepare", "drr-pairs"): "none out",
    ("prepare", "jsrt"): "none out",
    ("prepare", "cubes"): "none out",
    ("prepare", "covid-qu-ex"): "none out",
    ("prepare", "cxr-masks"): "none out --layout cxr-infection",
    ("prepare", "luna16"): "none out",
    ("prepare", "tumour-ct"): "none out",
    ("prepare", "lidc"): "none out",
    ("prepare", "inserted"): "none out --nodules cubes",
    ("train",): "xray_unet out --data none",
    ("predict",): "none out --model none",
    ("profile",): "none",
    ("export",): "none out",
    ("explain",): "none out",
    ("evaluate",): "none out --data none --split test",
    ("compare",): "out a=none b=none",
    ("froc",): "out --predictions none --annotations none",
    ("guideline",): "fleischner-2017 --nodules none",
    ("phantom",): "none out --stable",
}
WITH_SEEDS = ("drr", "train", "explain", "evaluate", "compare", "froc", "yardstick", "phantom")


@pytest.mark.parametrize("path", COMMANDS, ids="-".join)
def test_help_and_unknown_flags(path, capsys):
    assert main([*path, "--help"]) == 0
    assert f"hilum {' '.join(path)} " in capsys.readouterr().out
    assert main([*path, "--no-such-flag"]) == 2
    said = capsys.readouterr()
    assert said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("path", MISSING, ids="-".join)
def test_an_input_that_is_not_there_is_one_clear_line(path, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main([*path, *MISSING[path].split()]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("hilum: ")
    assert "none" in said.err.splitlines()[0]
    assert len(said.err.splitlines()) == 2  # what is wrong, and what to do
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", WITH_SEEDS)
def test_a_seed_is_from_0(command, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main([command, *MISSING.get((command,), "").split(), "--seed", "-1"]) == 2
    assert "seed" in capsys.readouterr().err


def test_the_reference_names_flags_that_there_are():
    page = (Path(__file__).parents[2] / "docs/reference/command-line.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:4] for line in page.splitlines() if line.startswith("| `--")]
    assert len(rows) > 10
    for flags, _, commands in rows:
        named = [path for path in COMMANDS if path[0] in re.findall(r"\w+", commands)]
        assert named or "all" in commands
        for flag in re.findall(r"--[\w-]+", flags):
            assert any(flag in _flags(path) for path in named or COMMANDS), (flag, commands)


def _flags(path):
    found = app
    for name in path:
        found = found[name]
    return {name for argument in found.assemble_argument_collection() for name in argument.names}
