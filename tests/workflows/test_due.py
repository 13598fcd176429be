"""Who is due for the next study."""

import csv
import json
from datetime import date

import pytest

from hilum.cli.app import main
from hilum.core import InputError
from hilum.workflows.due import Standing, run_due

TODAY = date(2026, 6, 15)


def followup(folder, patient="A", days=("2026-01-01", "2026-03-01"), **advice):
    """A follow-up with one advice; `due` is its first and last day."""
    first, last = advice.pop("due", (None, None))
    told = {"ruleset": "fleischner-2017", "version": "2017", "category": "2", "management": "CT", "because": "8 mm"}
    due = None if last is None and first is None else {"earliest": first, "latest": last}
    cts = advice.pop("cts", [f"{folder}{day}" for day in days])
    made = advice.pop("synthetic", False)
    content = {
        "schema": "hilum.followup/1",
        "patient": patient,
        "studies": [{"date": day, "sha256": ct, "synthetic": made} for day, ct in zip(days, cts, strict=True)],
        "pairs": [{"probability_of_growth": one} for one in advice.pop("grew", ())],
        "advice": [told | {"due": due} | advice],
    }
    folder.mkdir(parents=True)
    (folder / "followup.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("due", "standing", "over"),
    [
        (("2026-03-01", "2026-06-14"), Standing.OVERDUE, 1),
        (("2026-03-01", "2026-06-15"), Standing.NOW, 0),
        (("2026-06-15", "2026-09-01"), Standing.NOW, -78),
        (("2026-06-16", "2026-09-01"), Standing.LATER, -78),
        (("2026-06-10", None), Standing.OVERDUE, 5),
        ((None, None), Standing.ACT, None),
    ],
)
def test_a_date_stands_to_today_as_it_does_to_the_day(tmp_path, due, standing, over):
    followup(tmp_path / "a", due=due)
    (row,) = run_due([tmp_path], tmp_path / "due.csv", TODAY).rows
    assert (row.standing, row.days_over) == (standing, over)


def test_who_is_synthetic_is_said_to_be(tmp_path, capsys):
    followup(tmp_path / "a", due=("2026-05-01", "2026-05-20"), synthetic=True)
    assert main(["due", str(tmp_path), str(tmp_path / "due.csv"), "--today", "2026-06-15"]) == 0
    assert "A (SYNTHETIC)" in capsys.readouterr().out
    with (tmp_path / "due.csv").open(newline="") as stream:
        assert [row["synthetic"] for row in csv.DictReader(stream)] == ["yes"]


def test_no_answer_is_no_reassurance(tmp_path):
    followup(tmp_path / "a", category=None, because="the texture is unknown")
    (row,) = run_due([tmp_path], tmp_path / "due.csv", TODAY).rows
    assert row.standing is Standing.UNTOLD
    assert row.because == "the texture is unknown"


@pytest.mark.parametrize("category", [None, "4B"])
def test_growth_without_a_date_comes_before_what_is_due(tmp_path, capsys, category):
    followup(tmp_path / "a", "A", due=("2026-06-01", "2026-07-01"))
    followup(tmp_path / "b", "B", category=category, grew=(None, 0.2, 0.97), management="", because="risk is missing")
    followup(tmp_path / "c", "C", category=category, grew=(None, 0.94))
    found = run_due([tmp_path], tmp_path / "due.csv", TODAY)
    rest = [("A", Standing.NOW), ("C", Standing.UNTOLD)]
    if category is not None:
        rest = [("C", Standing.ACT), ("A", Standing.NOW)]
    assert [(row.patient, row.standing) for row in found.rows] == [("B", Standing.GROWN), *rest]
    assert main(["due", str(tmp_path), str(tmp_path / "due.csv"), "--today", "2026-06-15"]) == 0
    assert "grew, no date 2026-03-01  B  fleischner-2017 2017: risk is missing" in capsys.readouterr().out


def test_what_asks_for_action_without_a_date_comes_before_what_is_due_and_nothing_to_do_is_last(tmp_path, capsys):
    followup(tmp_path / "a", "A", due=("2026-06-01", "2026-07-01"))
    followup(tmp_path / "b", "B", category="4B", management="Diagnostic CT, PET/CT, tissue sampling or referral")
    followup(tmp_path / "c", "C", category="brock-risk", management="Work out the risk by the Brock model")
    followup(tmp_path / "d", "D", category="none", management="The 5 years are over; the table names no further CT")
    followup(tmp_path / "e", "E", category="negative", management="Negative test: next screening round")
    followup(tmp_path / "f", "F", category="0", management="No routine follow-up, or optional CT at 12 months by risk")
    followup(tmp_path / "g", "G", due=("2027-06-01", "2027-07-01"))
    found = run_due([tmp_path], tmp_path / "due.csv", TODAY)
    assert "".join(row.patient for row in found.rows) == "BCAGDEF"
    assert [row.standing for row in found.rows if row.patient in "BC"] == [Standing.ACT] * 2
    assert found.count(Standing.DONE) == 3
    assert main(["due", str(tmp_path), str(tmp_path / "due.csv"), "--today", "2026-06-15"]) == 0
    assert "act, no date  2026-03-01  B  fleischner-2017 2017: Diagnostic CT" in capsys.readouterr().out


def test_who_has_no_name_is_told_apart_by_his_cts(tmp_path):
    """Folders of one name are two patients; a CT in common makes one of two follow-ups."""
    for place in ("p1", "p2"):
        followup(tmp_path / place / "fu", None, due=("2026-05-01", "2026-05-20"))
    followup(tmp_path / "p3", None, due=("2026-05-01", "2026-05-20"), cts=["x", "y"])
    followup(tmp_path / "p4", None, ("2026-03-01", "2026-05-01"), due=("2026-05-01", "2026-05-20"), cts=["y", "z"])
    found = run_due([tmp_path], tmp_path / "due.csv", TODAY)
    assert {row.patient for row in found.rows} == {str(tmp_path / one) for one in ("p1/fu", "p2/fu", "p4")}
    assert found.count(Standing.OVERDUE) == 3
    assert found.superseded == (tmp_path / "p3" / "followup.json",)
    with (tmp_path / "due.csv").open(newline="") as stream:
        assert {row["named"] for row in csv.DictReader(stream)} == {"no"}


@pytest.mark.parametrize("advice", [{"due": "soon"}, {"due": {"earliest": "nonsense"}}, "x", 5])
def test_a_damaged_follow_up_costs_no_other_patient(tmp_path, advice):
    followup(tmp_path / "a", due=("2026-05-01", "2026-05-20"))
    damaged = followup(tmp_path / "b", "B") / "followup.json"
    damaged.write_text(json.dumps(json.loads(damaged.read_text()) | {"advice": [advice]}))
    found = run_due([tmp_path], tmp_path / "due.csv", TODAY)
    assert [row.patient for row in found.rows] == ["A"]
    assert len(found.failures) == 1


def test_the_latest_follow_up_of_a_patient_counts_and_the_most_urgent_comes_first(tmp_path):
    followup(tmp_path / "a1", "A", due=("2026-03-01", "2026-04-01"))
    followup(tmp_path / "a2", "A", ("2026-03-01", "2026-05-01"), due=("2026-11-01", "2026-12-01"))
    followup(tmp_path / "deep" / "b", "B", due=("2026-05-01", "2026-06-01"))
    followup(tmp_path / "c", "C", due=("2026-05-01", "2026-05-20"))
    found = run_due([tmp_path], tmp_path / "lists", TODAY)
    assert [(row.patient, row.standing) for row in found.rows] == [
        ("C", Standing.OVERDUE),
        ("B", Standing.OVERDUE),
        ("A", Standing.LATER),
    ]
    assert [path.parent.name for path in found.superseded] == ["a1"]
    with (tmp_path / "lists" / "due.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["patient"] for row in table] == ["C", "B", "A"]
    assert table[0]["days_over"] == "26"


def test_only_the_wanted_rule_sets_are_listed(tmp_path):
    followup(tmp_path / "a", due=("2026-05-01", "2026-05-20"))
    followup(tmp_path / "b", "B", ruleset="lung-rads-2022", due=("2026-05-01", "2026-05-20"))
    found = run_due([tmp_path], tmp_path / "due.csv", TODAY, ["lung-rads-2022"])
    assert [row.patient for row in found.rows] == ["B"]
    with pytest.raises(InputError, match="no follow-up has advice of nelson"):
        run_due([tmp_path], tmp_path / "due.csv", TODAY, ["nelson"])


def test_the_command_says_who_is_due_and_what_it_could_not_read(tmp_path, capsys):
    followup(tmp_path / "a", due=("2026-05-01", "2026-05-20"))
    for name, text in {"broken": "{", "other": '{"schema": "x"}', "torn": '{"schema": "hilum.followup/1"}'}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "followup.json").write_text(text)
    assert main(["due", str(tmp_path), str(tmp_path / "due.csv"), "--today", "2026-06-15"]) == 3
    said = capsys.readouterr()
    assert "overdue       2026-05-20  A  fleischner-2017 2017: CT" in said.out
    assert said.err.count("followup.json") == 3
    assert "Traceback" not in said.err


def test_wrong_inputs_are_one_clear_line(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["due", str(tmp_path / "empty"), str(tmp_path / "due.csv")]) == 1
    assert "there is no followup.json below" in capsys.readouterr().err
    assert not (tmp_path / "due.csv").exists()
    assert main(["due", str(tmp_path / "missing"), str(tmp_path / "due.csv")]) == 1
    assert main(["due", str(tmp_path)]) == 2
