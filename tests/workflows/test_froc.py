"""`hilum froc`: the challenge's files in, figures and a picture out; what is wrong is said in one line."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from hilum.cli.app import main
from hilum.datasets.splits import is_held_out
from hilum.io.lidc import lidc_scans
from hilum.metrics.froc import Reading, resampled_curves, sensitivity_at
from hilum.report.froc import FrocPicture, froc_picture
from hilum.workflows.froc import RULES, FrocFiles, FrocOptions, froc_figures, read_froc_files

POINTS = "seriesuid,coordX,coordY,coordZ,"
NODULES = POINTS + "diameter_mm\n1.2.0,0,0,0,10\n1.2.1,50,-20,7.5,6\n1.2.3,1,2,3,8\n"
EXCLUDED = POINTS + "diameter_mm\n1.2.0,90,0,0,-1\n"
MARKS = POINTS + "probability\n1.2.0,1,1,1,0.9\n1.2.1,50,-20,7,0.4\n1.2.0,91,0,0,0.8\n1.2.2,5,5,5,0.6\n"
SERIES = "1.2.0\n1.2.1\n1.2.2\n1.2.3\n"


@pytest.fixture
def folder(tmp_path):
    for name, text in (("nodules", NODULES), ("excluded", EXCLUDED), ("marks", MARKS), ("series", SERIES)):
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def froc(folder, *more, out="out"):
    names = ("predictions", "marks"), ("annotations", "nodules"), ("excluded", "excluded"), ("seriesuids", "series")
    given = [part for option, name in names for part in (f"--{option}", str(folder / f"{name}.csv"))]
    return main(["froc", *given, *more, str(folder / out)])


def content(folder, out="out"):
    return json.loads((folder / out / "froc.json").read_text())


def test_files_to_figures(folder, capsys):
    assert froc(folder) == 0
    found = content(folder)
    assert found["schema"] == "hilum.froc/1"
    assert found["rule"] == "luna16"
    assert found["counts"] == {"tp": 2, "fp": 1, "fn": 1, "ignored": 1}
    # One false mark on four scans: 1/3 at 0, and from 1/4 on 2/3; 1/8 lies halfway up to (1/4, 1/3).
    assert list(found["sensitivity"]) == ["0.125", "0.25", "0.5", "1", "2", "4", "8"]
    assert list(found["sensitivity"].values()) == pytest.approx([1 / 3] + [2 / 3] * 6)
    assert found["cpm"]["value"] == pytest.approx((1 / 3 + 4) / 7)
    assert found["cpm"]["low"] <= found["cpm"]["value"] <= found["cpm"]["high"]
    assert (found["scans"], found["scans_without_nodule"], found["nodules"]) == (4, 1, 3)
    picture = np.asarray(Image.open(folder / "out" / "froc.png"))
    assert picture.std() > 10
    said = capsys.readouterr()
    assert "3 nodules on 4 scans: 2 found, 1 missed, 1 false marks, 1 on excluded findings" in said.out
    assert "Traceback" not in said.err


def test_the_same_run_is_done_and_another_is_refused(folder, capsys):
    assert froc(folder) == 0
    first = (folder / "out" / "froc.json").stat().st_mtime_ns
    assert froc(folder) == 0
    assert "Already there" in capsys.readouterr().out
    assert (folder / "out" / "froc.json").stat().st_mtime_ns == first
    assert froc(folder, "--seed", "3") == 1
    assert "another run" in capsys.readouterr().err
    assert froc(folder, "--seed", "3", "--force") == 0
    assert content(folder)["bootstrap"]["seed"] == 3


def test_the_same_seed_gives_the_same_files(folder):
    assert froc(folder, out="one") == froc(folder, out="two") == 0
    for name in ("froc.json", "froc.png"):
        assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes()


def test_without_bootstraps_intervals_are_null(folder, capsys):
    assert froc(folder, "--bootstraps", "0", "--rule", "nearest") == 0
    found = content(folder)
    assert found["cpm"]["low"] is None
    assert found["rule"] == "nearest"
    assert "nan" not in capsys.readouterr().out
    assert froc(folder, "--bootstraps", "0", "--rule", "nearest") == 0  # read back
    assert "nan" not in capsys.readouterr().out


def test_the_interval_of_the_cpm_is_that_of_each_draws_seven(folder):
    given = read_froc_files(FrocFiles(folder / "marks.csv", folder / "nodules.csv", seriesuids=folder / "series.csv"))
    result = froc_figures(given, FrocOptions(bootstraps=200, seed=7))
    drawn = [sensitivity_at(curve).mean() for curve in resampled_curves(result.judged.found, 200, seed=7)]
    ordered = sorted(value for value in drawn if not np.isnan(value))
    bounds = [ordered[int(share * len(ordered))] for share in (0.025, 0.975)]
    assert [result.cpm.low, result.cpm.high] == pytest.approx(bounds)
    assert result.cpm.low < result.cpm.value < result.cpm.high


def test_each_rule_reads_the_curve_its_way(folder):
    assert RULES == {"luna16": Reading.INTERPOLATED, "nearest": Reading.NEAREST}
    files = FrocFiles(folder / "marks.csv", folder / "nodules.csv", folder / "excluded.csv", folder / "series.csv")
    (folder / "marks.csv").write_text(MARKS.replace("0.6", "0.4"))  # a hit and a false mark pass together
    given = read_froc_files(files)
    figures = {rule: froc_figures(given, FrocOptions(rule, 0)).sensitivity for rule in RULES}
    assert [figures[rule][0.125].value for rule in RULES] == pytest.approx([1 / 2, 1 / 3])
    assert [figures[rule][0.25].value for rule in RULES] == pytest.approx([2 / 3, 2 / 3])


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("marks", "", "marks.csv is empty"),
        ("marks", "\n \n", "marks.csv is empty"),
        ("marks", MARKS.replace("probability", "score"), "has no column probability"),
        ("nodules", NODULES.replace("coordX", "x").replace("coordZ", "z"), "has no column coordX, coordZ"),
        ("marks", MARKS.replace("0.4", "high"), "line 3: a finite number was expected, got 'high'"),
        ("marks", MARKS.replace("0.4", "nan"), "line 3: a finite number was expected, got 'nan'"),
        ("nodules", NODULES.replace("7.5", "inf"), "line 3: a finite number was expected, got 'inf'"),
        ("marks", MARKS.replace("0.4", ""), "line 3: a finite number was expected, got ''"),
        ("marks", MARKS.replace("0.4", "1_0"), "got '1_0'"),
        ("marks", MARKS.replace(",0.4", ""), "line 3 has 4 values"),
        ("marks", MARKS.replace("1.2.1", " "), "line 3 names no series"),
        ("marks", MARKS.replace("coordY", "coordX"), "has no column coordY"),
        ("excluded", EXCLUDED.replace("coordZ", "coordZ,coordZ"), "has the column coordZ twice"),
        ("nodules", NODULES.split("\n")[0], "has no nodule on the 4 scans"),
        ("nodules", NODULES.replace("1.2.", "9.9."), "has no nodule on the 4 scans"),
        ("series", "", "names no series"),
        ("series", "seriesuid\n", "names no series"),
        ("series", NODULES, "line 1: one series UID a line was expected, got 5 values"),
        ("marks", POINTS + "probability\n1.2.0,1,1,1," + "9" * 200_000, "marks.csv, line 2: field larger than"),
    ],
)
def test_bad_files_are_one_clear_line(folder, name, text, words, capsys):
    (folder / f"{name}.csv").write_text(text)
    assert froc(folder) == 1
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if line.startswith("hilum: ")]
    assert len(lines) == 1
    assert words in lines[0]
    assert len(lines[0]) < 400
    assert said.out == ""
    assert not (folder / "out").exists()


def test_files_that_are_no_text_not_there_or_folders(folder, capsys):
    (folder / "marks.csv").write_bytes(b"\xff\xfe\x00PNG")
    assert froc(folder) == 1
    assert "not a CSV file" in capsys.readouterr().err
    (folder / "marks.csv").unlink()
    assert froc(folder) == 1
    assert "doesn't exist" in capsys.readouterr().err
    (folder / "marks.csv").mkdir()
    assert froc(folder) == 1
    assert "folder" in capsys.readouterr().err


def test_a_huge_file_is_refused(folder, capsys, monkeypatch):
    monkeypatch.setattr("hilum.io.luna16._LARGEST_BYTES", 50)
    assert froc(folder) == 1
    assert "larger than" in capsys.readouterr().err


@pytest.mark.parametrize("option", [("--bootstraps", "-1"), ("--seed", "-1"), ("--bootstraps", "1000000")])
def test_options_out_of_range(folder, option, capsys):
    assert froc(folder, *option) == 2
    assert option[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "note"),
    [
        ("marks", MARKS + "7.7,0,0,0,0.9\n7.7,0,0,1,0.9\n", "predictions: 2 rows on 1 series that don't count here"),
        ("marks", MARKS + "1.2.2,5,5,5,0.6\n", "predictions: 1 rows repeat another"),
        ("nodules", NODULES + "1.2.0,0,0,0,10\n", "annotations: 1 rows repeat another"),
        ("series", SERIES + "1.2.0\n", "seriesuids: 1 lines repeat another; left out"),
        ("nodules", NODULES.replace(",10", ",-1"), "annotations: 1 diameters are negative; taken as 10 mm"),
        ("nodules", NODULES.replace(",10", ",0"), "1 findings have a diameter of 0"),
        ("marks", MARKS.split("\n")[0], "predictions: no mark on the scans that count"),
        (
            "marks",
            MARKS + "".join(f"1.2.2,{n},0,0,{n}\n" for n in range(120)),
            "predictions: 21 marks beyond 100 a scan; left out by the rule",
        ),
    ],
)
def test_odd_files_are_noted_with_a_count(folder, name, text, note, capsys):
    (folder / f"{name}.csv").write_text(text)
    assert froc(folder, "--bootstraps", "100") == 0
    assert any(one.startswith(note) for one in content(folder)["notes"])
    assert f"hilum: note: {note}" in capsys.readouterr().err


def test_a_published_file_may_differ_in_form(folder):
    assert froc(folder, out="plain") == 0
    header, *rows = NODULES.strip().split("\n")
    turned = [
        ",".join(reversed(line.split(","))) + ",more" for line in (header.replace("seriesuid", " seriesuid"), *rows)
    ]
    (folder / "nodules.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(turned).encode())
    (folder / "series.csv").write_text("seriesuid\n" + SERIES.replace("\n", "\n\n"))
    assert froc(folder, out="turned") == 0
    assert content(folder, "plain") == content(folder, "turned")


def test_without_a_list_the_scans_are_those_that_files_name(folder):
    files = FrocFiles(folder / "marks.csv", folder / "nodules.csv")
    given = read_froc_files(files)
    assert set(given.series) == {"1.2.0", "1.2.1", "1.2.2", "1.2.3"}
    assert "no list of series" in given.notes[0]


def test_luna16s_annotations_find_themselves(real_data, tmp_path):
    """On the real lists, held-out patients left out: every nodule is found, and no mark is false."""
    lists = real_data("luna16")
    held_out = {scan.series_uid for scan in lidc_scans() if is_held_out(scan.patient)}
    series = [uid for uid in (lists / "seriesuids.csv").read_text().split() if uid not in held_out]
    (tmp_path / "series.csv").write_text("\n".join(series))
    header, *rows = (lists / "annotations.csv").read_text().split()
    perfect = [header.replace("diameter_mm", "probability"), *(row.rsplit(",", 1)[0] + ",1" for row in rows)]
    (tmp_path / "marks.csv").write_text("\n".join(perfect))
    files = FrocFiles(
        tmp_path / "marks.csv", lists / "annotations.csv", lists / "annotations_excluded.csv", tmp_path / "series.csv"
    )
    given = read_froc_files(files)
    assert (len(given.series), len(given.nodules.scan)) == (712, 951)
    result = froc_figures(given, FrocOptions(bootstraps=100))
    assert (result.cpm.value, result.cpm.low, result.cpm.high) == (1, 1, 1)
    assert result.judged.counts == {"tp": 951, "fp": 0, "fn": 0, "ignored": 0}
    assert (result.others["average_precision"], result.others["wafroc"]) == pytest.approx((1, 1), abs=1e-12)


def dark(png: bytes) -> int:
    """Pixels that are drawn on."""
    return int((np.asarray(Image.open(io.BytesIO(png)).convert("L")) < 250).sum())


def test_the_picture_has_a_band_only_where_there_are_intervals():
    rates = np.geomspace(1 / 8, 8, 9)
    plain = {"rates": rates, "sensitivity": np.linspace(0.2, 0.8, 9), "points": {1.0: 0.5}, "title": "t", "label": "l"}
    without = froc_picture(FrocPicture(low=None, high=None, **plain))
    banded = froc_picture(FrocPicture(low=np.full(9, 0.1), high=np.full(9, 0.9), **plain))
    assert dark(banded) > 1.5 * dark(without)
