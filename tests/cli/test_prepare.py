"""`hilum prepare` on the command line."""

import json

import pytest

from hilum.cli.app import main
from hilum.cli.progress import bar
from hilum.datasets.looks import Variation
from hilum.drr.display import Style
from hilum.drr.projection import Beam
from tests.pairs import publish


@pytest.fixture
def source(tmp_path):
    publish(tmp_path / "in", ["LIDC-IDRI-0009", "LIDC-IDRI-0010"])
    return tmp_path / "in"


def test_help_shows_examples(capsys):
    assert main(["prepare", "drr-pairs", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "hilum prepare drr-pairs LIDC-IDRI pairs --workers 8" in shown
    assert main(["prepare", "--help"]) == 0
    assert "hilum prepare drr-pairs" in capsys.readouterr().out


def test_done_then_already_there(source, tmp_path, capsys):
    command = ["prepare", "drr-pairs", str(source), str(tmp_path / "out")]
    assert main(command) == 0
    said = capsys.readouterr()
    assert said.out == f"Done: {tmp_path / 'out' / 'dataset.json'}, 1 cases, 1 of held-out patients left out\n"
    assert said.err == ""
    assert main(command) == 0
    assert capsys.readouterr().out.startswith("Already there")


def test_some_failed_is_3_each_on_a_line(source, tmp_path, capsys):
    (source / "1-200" / "other_drr.png").write_bytes(b"")
    assert main(["prepare", "drr-pairs", str(source), str(tmp_path / "out")]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "other_drr.png" in line
    assert [f["input"] for f in json.loads((tmp_path / "out" / "failures.json").read_text())] == ["1-200/other_drr.png"]


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        (["--style", "painted"], 2),
        (["--views", "0"], 2),
        (["--style", "source", "--views", "2"], 2),
        (["--style", "source", "raw"], 2),
        (["--photons-per-mm2", "3e6", "5e5"], 2),
        (["--scatter", "0.1", "0.2", "0.3"], 2),
        (["--geometry", "fan"], 2),
        (["--workers", "0"], 2),
        (["--energy-kev", "10", "65"], 2),
        (["--consensus", "1.5"], 2),
        (["--max-failures", "-1"], 2),
        (["--seed", "-1"], 2),
    ],
)
def test_wrong_options(source, tmp_path, extra, code, capsys):
    assert main(["prepare", "drr-pairs", str(source), str(tmp_path / "out"), *extra]) == code
    assert not (tmp_path / "out").exists()
    assert "Traceback" not in capsys.readouterr().err


def test_the_bar_hands_everything_through():
    assert list(bar([1, 2, 3], "counting")) == [1, 2, 3]


def test_options_reach_the_run(monkeypatch, capsys):
    from hilum.workflows import prepare

    told = []

    def instead(src, out, options, track):
        told.append(options)
        return prepare.Prepared(out, 0, (), (), was_done=False)

    monkeypatch.setattr(prepare, "prepare_drr_pairs", instead)
    views = "--style radiograph raw --geometry parallel cone --views 3 --turn-deg 8 --shift-mm 2 --pixel-mm 0.5"
    physics = "--energy-kev 55 75 --photons-per-mm2 1.5e6 --scatter 0.1 0.5 --blur-mm 0.2"
    rest = "--consensus 0.75 --seed 4 --workers 2 --max-failures 7 --force"
    assert main(["prepare", "drr-pairs", "in", "out", *f"{views} {physics} {rest}".split()]) == 0
    (options,) = told
    assert (options.workers, options.max_failures, options.force) == (2, 7, True)
    assert (options.case.consensus, options.case.seed) == (0.75, 4)
    assert options.case.variation == Variation(
        styles=(Style.RADIOGRAPH, Style.RAW),
        views=3,
        turn_deg=8,
        shift_mm=2,
        energy_kev=(55, 75),
        photons_per_mm2=(1.5e6, 1.5e6),
        pixel_mm=0.5,
        scatter=(0.1, 0.5),
        blur_mm=(0.2, 0.2),
        beams=(Beam.PARALLEL, Beam.CONE),
    )
    assert main(["prepare", "drr-pairs", "in", "out"]) == 0
    assert told[1] == prepare.PrepareOptions()
