"""`hilum guideline`: nodules, tables and comparisons, and what is said about bad input."""

import csv
import json

import pytest

from hilum.cli.app import main
from hilum.core import Diameters, Nodule
from hilum.followup.guidelines import RULESETS
from hilum.io.nodules_file import write_nodules
from hilum.workflows.guideline import DISCLAIMER, run_table


def lndb_table(folder, rows, cts=None):
    """A list of nodules as LNDb publishes it, and the list of CTs beside it."""
    header = "LNDbID,RadID,RadFindingID,FindingID,x,y,z,AgrLevel,Nodule,Volume,Text"
    path = folder / "trainNodules_gt.csv"
    path.write_text("\n".join([header, *(f"{ct},1,1,{n},0,0,0,1,{row}" for n, (ct, row) in enumerate(rows))]))
    if cts:
        (folder / "trainCTs.csv").write_text("\n".join(["LNDbID,RadN", *(f"{ct},3" for ct in cts)]))
    return path


def said(capsys, *words):
    code = main(["guideline", *map(str, words)])
    return code, capsys.readouterr()


def told(capsys, *words):
    code, printed = said(capsys, *words, "--json")
    assert code == 0
    return json.loads(printed.out)


def test_one_nodule_in_words(capsys):
    words = "fleischner-2017 --size-mm 6.8 --texture solid --risk low --date 2026-03-31"
    code, printed = said(capsys, *words.split())
    assert code == 0
    for expected in (
        "Nodule 1: ct-6-12-months",
        "2026-09-30 to 2027-03-31",
        "mean diameter 7 mm (6.8 before rounding)",
        "MacMahon 2017",
        DISCLAIMER,
    ):
        assert expected in printed.out


def test_one_nodule_as_json(capsys):
    words = "lung-rads-2022 --size-mm 9 --prior-size-mm 7.2 --interval-days 180 --texture solid --other-finding"
    found = told(capsys, *words.split())
    assert (found["schema"], found["ruleset"], found["version"]) == ("hilum.guideline/1", "lung-rads-2022", "v2022")
    assert found["study"]["category"] == "4B"
    assert found["study"]["modifiers"] == ["S"]
    assert found["study"]["rows"] == ["solid-growing-large"]
    assert found["inputs"]["nodules"][0]["prior_mean_diameter_mm"] == 7.2
    assert {"missing", "would_change", "withheld", "notes", "because", "management", "due"} <= set(found["study"])


def test_nodules_of_a_study(capsys, tmp_path):
    nodules = [
        Nodule("a", volume_mm3=150.0, diameters_mm=Diameters(7.5, 6.1, 6.6), texture=5.0),
        Nodule("b", volume_mm3=900.0, diameters_mm=Diameters(14.0, 10.0, 12.0), texture=5.0),
    ]
    write_nodules(tmp_path / "nodules.json", {"key": "p1", "date": "2026-01-15"}, nodules)
    found = told(capsys, "lung-rads-2022", "--nodules", tmp_path / "nodules.json")
    assert found["study"]["nodule"] == "b"
    assert [one["category"] for one in found["nodules"]] == ["3", "4A"]
    assert found["study"]["due"]["earliest"] == "2026-04-15"
    code, printed = said(capsys, "fleischner-2017", "--nodules", tmp_path / "nodules.json", "--risk", "low")
    assert code == 0
    assert "Study: ct-3-6-months, by nodule" in printed.out


def test_an_entry_may_say_more_than_was_measured(capsys, tmp_path):
    """A person adds what became of the nodule, and runs again."""
    path = tmp_path / "nodules.json"
    write_nodules(path, {}, [Nodule("a", diameters_mm=Diameters(7.0, 7.0, 7.0), texture=5.0)])
    assert told(capsys, "lung-rads-2022", "--nodules", path)["study"]["category"] == "3"
    content = json.loads(path.read_text())
    content["nodules"][0]["history"] = "new"
    path.write_text(json.dumps(content))
    assert told(capsys, "lung-rads-2022", "--nodules", path)["study"]["category"] == "4A"


def test_rule_sets_side_by_side(capsys):
    words = "--compare --size-mm 7 --long-mm 8 --volume-mm3 180 --texture solid --risk low"
    found = told(capsys, *words.split())
    assert found["agree"] is False
    assert found["steps"]["fleischner-2017"] == "CT in 6-12 months"
    assert found["steps"]["nelson"] == "CT in 3 months"
    assert [one["ruleset"] for one in found["compared"]] == [name for name in RULESETS if "recist" not in name]
    code, printed = said(capsys, *words.split())
    assert code == 0
    assert "They disagree" in printed.out
    small = "--compare --size-mm 3 --long-mm 3 --volume-mm3 14 --texture solid --risk low"
    harmless = told(capsys, *small.split())
    assert harmless["steps"]["fleischner-2017"] == harmless["steps"]["bts-2015"] == "no follow-up"
    assert harmless["steps"]["lung-rads-2022"] == "CT in 12 months"


@pytest.mark.parametrize("name", RULESETS)
def test_every_row_can_be_read(capsys, name):
    found = told(capsys, name, "--list")["rulesets"]
    code, printed = said(capsys, name, "--list")
    assert code == 0
    for row in found[0]["rows"]:
        assert row["id"] in printed.out
        assert row["cite"] in printed.out
        assert row["confirmed"] or f"{row['id']} (OFF: {row['why_off']})" in printed.out


def test_the_list_says_what_is_off(capsys):
    code, printed = said(capsys, "--list")
    assert code == 0
    for one in told(capsys, "--list")["rulesets"]:
        assert one["name"] in printed.out
        assert one["citation"] in printed.out
        assert all(f"off: {row['id']}" in printed.out for row in one["rows"] if not row["confirmed"])


# Tables


def test_lndbs_table_gives_a_class_a_ct(capsys, tmp_path):
    rows = [(3, "1,300,5"), (3, "0,4.2,0"), (4, "1,150,4.5"), (4, "1,20,5"), (9, "0.4,900,5")]
    path = lndb_table(tmp_path, rows, (3, 4, 9, 192))
    found = told(capsys, "lndb-fleischner", "--table", path)
    assert [(one["LNDbID"], one["class"]) for one in found] == [(3, 3), (4, 2), (9, 0), (192, 0)]
    assert all(set(one) == {"LNDbID", "class", "because"} for one in found)
    assert "solid-large" in found[0]["because"]


def test_cts_without_a_nodule_count_only_where_a_list_names_them(capsys, tmp_path):
    path = lndb_table(tmp_path, [(3, "1,300,5")])
    code, printed = said(capsys, "lndb-fleischner", "--table", path, "--json")
    assert code == 0
    assert len(json.loads(printed.out)) == 1
    assert "--cases" in printed.err
    (tmp_path / "all.csv").write_text("LNDbID\n3\n5\n")
    assert len(told(capsys, "lndb-fleischner", "--table", path, "--cases", tmp_path / "all.csv")) == 2
    (tmp_path / "others.csv").write_text("LNDbID\n5\n")
    code, printed = said(capsys, "lndb-fleischner", "--table", path, "--cases", tmp_path / "others.csv")
    assert code == 1
    assert "doesn't list LNDbID 3" in printed.err


def test_a_table_of_ones_own(capsys, tmp_path):
    path = tmp_path / "own.csv"
    path.write_text(
        "patient,id,mean_diameter_mm,texture,risk,date,note\n"
        "p1,left,7.2,solid,low,2026-02-01,x\n"
        "p2,only,5.0,ground-glass,low,2026-02-01,\n"
        "p1,right,4,4.6,low,2026-02-01,\n"
    )
    found = told(capsys, "fleischner-2017", "--table", path)
    assert [(one["patient"], one["category"]) for one in found] == [("p1", "ct-3-6-months"), ("p2", "none")]
    assert found[0]["due"]["earliest"] == "2026-05-01"
    assert found[0]["because"].startswith("nodule left")
    code, printed = said(capsys, "fleischner-2017", "--table", path)
    assert code == 0
    assert "not looked at: note" in printed.err


@pytest.mark.parametrize("name", ["lndb-fleischner"])
def test_lndbs_published_classes(real_data, name):
    """Every CT of the training part: at least 99 % of its published Fleischner classes (it is all of them)."""
    folder = real_data("lndb")
    with (folder / "trainFleischner.csv").open(newline="") as stream:
        truth = {row["LNDbID"]: row["Fleischner"] for row in csv.DictReader(stream)}
    found = run_table(name, folder / "trainNodules_gt.csv").studies
    assert set(found) == set(truth)
    wrong = {key: (found[key].study.category, told) for key, told in truth.items() if found[key].study.category != told}
    assert wrong == {}


def test_what_holds_for_all_studies_may_be_typed(capsys, tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("patient,volume_mm3,texture,risk\na,90,solid,\nb,90,solid,high\n")
    found = told(capsys, "fleischner-2017", "--table", path, "--risk", "low")
    assert [one["category"] for one in found] == ["none", "optional-ct-12-months"]


def test_columns_of_a_table_are_read_by_what_they_are(capsys, tmp_path):
    """Dates, categories and truth values that look like numbers, and ratings."""
    path = tmp_path / "own.csv"
    path.write_text(
        "patient,mean_diameter_mm,texture,history,prior_category,date,prior_date,other_finding\n"
        "p1,7.2,4.5,smaller,3,20260901,20260201,1\n"
    )
    (found,) = told(capsys, "lung-rads-2022", "--table", path)
    assert (found["category"], found["modifiers"]) == ("2", ["S"])
    assert found["due"]["earliest"] == "2027-09-01"


# Bad input

ONE = "--size-mm 7 --texture solid"
BAD = [
    ("", 2, "a rule set is needed"),
    ("fleischner-2005 --size-mm 7", 2, "no rule set 'fleischner-2005'"),
    ("fleischner-2017", 2, "nothing to judge"),
    ("fleischner-2017 --size-mm -7", 2, "--size-mm"),
    ("fleischner-2017 --size-mm 0", 2, "--size-mm"),
    ("fleischner-2017 --size-mm nan", 2, "--size-mm"),
    ("fleischner-2017 --size-mm 7 --texture glassy", 2, "glassy"),
    ("fleischner-2017 --size-mm 5 --solid-mm 7 --texture part-solid", 2, "can't be larger than the nodule"),
    ("fleischner-2017 --size-mm 9 --solid-mm 7 --texture solid", 2, "no solid part of its own"),
    ("fleischner-2017 --size-mm 9 --long-mm 8", 2, "can't be larger than the long axis"),
    (f"fleischner-2017 {ONE} --date 2026-02-30", 2, "date"),
    (f"fleischner-2017 {ONE} --date 2026-02-01 --prior-date 2026-03-01", 2, "has to be after"),
    (f"fleischner-2017 {ONE} --date 2026-02-01 --prior-date 2026-02-01", 2, "has to be after"),
    (f"fleischner-2017 {ONE} --cases c.csv", 2, "--cases belongs to --table"),
    (f"fleischner-2017 {ONE} --table t.csv", 2, "--table"),
    (f"fleischner-2017 {ONE} --nodules n.json", 2, "--nodules"),
    (f"fleischner-2017 {ONE} --date 31.01.2026", 2, "a date such as"),
    ("fleischner-2017 --nodules none.json", 1, "none.json doesn't exist"),
    ("fleischner-2017 --table none.csv", 1, "none.csv doesn't exist"),
    ("fleischner-2017 --table no_key.csv", 1, "lacks a column that says whose"),
    ("fleischner-2017 --table no_size.csv", 1, "lacks a column with sizes"),
    ("fleischner-2017 --table texture.csv", 1, "line 2: texture"),
    ("fleischner-2017 --table negative.csv", 1, "line 3: mean_diameter_mm"),
    ("fleischner-2017 --table differs.csv", 1, "risk differs within a"),
    ("fleischner-2017 --table nobody.csv", 1, "patient is empty"),
    ("fleischner-2017 --table empty.csv", 1, "is empty"),
    ("fleischner-2017 --table header.csv", 1, "has no rows"),
    ("fleischner-2017 --table binary.csv", 1, "is no CSV"),
    ("lndb-fleischner --table lndb.csv", 1, "lacks the columns Volume, Text"),
    ("lndb-fleischner --table readers.csv", 1, "each radiologist's own marks"),
    ("fleischner-2017 --nodules other.json", 1, "is no nodules.json"),
    ("fleischner-2017 --nodules pixels.json", 1, "no size in millimetres"),
]
FILES = {
    "no_key.csv": "mean_diameter_mm,texture\n7,solid\n",
    "no_size.csv": "patient,texture\na,solid\n",
    "texture.csv": "patient,mean_diameter_mm,texture\na,7,glassy\n",
    "negative.csv": "patient,mean_diameter_mm\na,7\na,-7\n",
    "differs.csv": "patient,mean_diameter_mm,risk\na,7,low\na,7,high\n",
    "nobody.csv": "patient,mean_diameter_mm\n,7\n",
    "empty.csv": "",
    "header.csv": "patient,mean_diameter_mm\n",
    "lndb.csv": "LNDbID,Nodule\n3,1\n",
    "readers.csv": "LNDbID,RadID,FindingID,x,y,z,Nodule,Volume,Text\n3,1,1,0,0,0,1,256,4\n",
    "other.json": "{}",
    "n.json": "{}",
    "pixels.json": '{"schema": "hilum.nodules/1", "nodules": [{"id": "a", "centre_px": [1, 2]}]}',
}


@pytest.mark.parametrize(("words", "code", "expected"), BAD)
def test_bad_input_is_one_clear_line(words, code, expected, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x80")
    found, printed = said(capsys, *words.split())
    assert found == code
    assert printed.out == ""
    assert expected in printed.err
    assert "Traceback" not in printed.err
    if printed.err.startswith("hilum: "):
        assert len(printed.err.splitlines()) <= 2
