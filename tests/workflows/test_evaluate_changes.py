"""`hilum evaluate` and `hilum compare` by kind of change since an earlier picture, from files to files."""

import csv
import json

import numpy as np
import pytest

from hilum.core import ChangeKind, UnreadableError
from hilum.datasets.stored_changes import stored_changes
from hilum.io import write_png
from hilum.workflows.compare import run_compare
from hilum.workflows.evaluate import run_evaluate
from hilum.workflows.evaluate_data import TruthWanted
from hilum.workflows.evaluate_plan import EvaluateOptions
from hilum.workflows.evaluate_read import read_evaluation
from tests.changed import NOTHING, five, lesion, truth_of, write_set

PATIENTS = 6


def case_of(n):
    """A patient with a lesion of each kind."""
    return (f"case{n}", f"p{n}", five())


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Two models, judged: one finds everything, one copies the earlier lesions."""
    folder = tmp_path_factory.mktemp("changes")
    cases = list(map(case_of, range(PATIENTS)))
    data = write_set(folder / "data", cases)
    for key, _, lesions in cases:
        now, before = truth_of(lesions)
        write_png(now, folder / "knows" / f"{key}.png")
        write_png(before, folder / "copies" / f"{key}.png")
    for name in ("knows", "copies"):
        wanted, options = TruthWanted(data, "validation"), EvaluateOptions(bootstraps=100)
        run_evaluate(folder / name, wanted, folder / f"{name}-judged", options)
    run_compare({one: folder / f"{one}-judged" for one in ("copies", "knows")}, folder / "both", bootstraps=100)
    return folder


def content(folder, file):
    return json.loads((folder / file).read_text())


def values(entries, name):
    return {one["name"]: one["figures"][name]["value"] for one in entries}


def test_each_kind_has_its_figures_with_the_rivals_beside(judged):
    kinds = content(judged, "knows-judged/evaluation.json")["by_change"]
    assert [one["name"] for one in kinds] == ["unchanged", "grown", "shrunk", "known and still there", "new", "gone"]
    assert values(kinds, "lesion_sensitivity") | {"gone": 1} == {one["name"]: 1 for one in kinds}
    low = pytest.approx(0.025 ** (1 / 6))  # Clopper's and Pearson's of six of six
    assert kinds[-1]["figures"]["gone_noticed"] == {"value": 1, "low": low, "high": 1, "n": 6}
    rivals = {name: one for kind in kinds for name, one in [(kind["name"], values(kind["rivals"], "lesion_dice"))]}
    assert rivals["unchanged"]["prior's mask copied"] == 1
    assert rivals["new"]["prior's mask copied"] == rivals["grown"]["all background"] == 0
    copied = values(content(judged, "copies-judged/evaluation.json")["by_change"], "lesion_dice")
    for kind, of in rivals.items():  # who copies is the rival
        assert of["prior's mask copied"] == copied[kind]
    gone = values(kinds[-1]["rivals"], "gone_noticed")
    assert (gone["prior's mask copied"], gone["all background"], gone["all foreground"]) == (0, 1, 0)
    false = values(kinds[3]["rivals"], "false_gone_rate")
    assert (false["prior's mask copied"], false["all background"]) == (0, 1)


def test_every_lesion_has_a_row_and_is_read_again(judged):
    rows = list(csv.DictReader((judged / "copies-judged" / "lesions_by_change.csv").read_text().splitlines()))
    assert len(rows) == 5 * PATIENTS
    one = next(row for row in rows if row["change"] == "gone")
    assert (one["is_found"], one["size_mm"], one["prior_size_mm"], one["says_gone"]) == ("nan", "nan", "10", "0")
    found = read_evaluation(judged / "copies-judged")
    assert [str(lesion.kind) for lesion in found.changed[:5]] == ["unchanged", "grown", "shrunk", "new", "gone"]
    assert found.rivals_by_change["all background"][-1].figures["gone_noticed"].value == 1
    page = (judged / "copies-judged" / "report.html").read_text()
    assert "<h2>By kind of change</h2>" in page
    for kind in ChangeKind:
        assert (judged / "copies-judged" / f"change-{kind}.png").is_file()


def test_models_are_compared_by_kind_over_patients(judged):
    both = content(judged, "both/comparison.json")
    found = {(one["figure"], one["change"]): one for one in both["by_change"]}
    new = found["lesion_sensitivity", "new"]
    assert (new["first"], new["second"]) == ("copies", "knows")
    assert (new["difference"]["value"], new["difference"]["n"]) == (1, 6)
    # Of 2⁶ signs two are as extreme; Holm over the four kinds that are there, of which the others do not differ.
    assert new["permutation_p"] == pytest.approx(4 * 2 / 64)
    assert found["lesion_sensitivity", "unchanged"]["difference"]["value"] == 0
    assert found["gone_noticed", "gone"]["permutation_p"] == pytest.approx(2 / 64)
    assert found["lesion_absolute_diameter_error_mm", "grown"]["higher_is_better"] is False
    rows = list(csv.DictReader((judged / "both" / "comparison.csv").read_text().splitlines()))
    assert {row["change"] for row in rows if row["of"] == "lesions"} >= {"new", "gone", "grown"}
    assert any("gone" in verdict and "knows is better" in verdict for verdict in both["verdicts"])
    page = (judged / "both" / "report.html").read_text()
    assert "<h2>By kind of change</h2>" in page


def test_evaluations_without_the_table_are_not_compared_by_kind(judged, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    for file in ("evaluation.json", "cases.csv"):
        (bare / file).write_bytes((judged / "copies-judged" / file).read_bytes())
    run = run_compare({"bare": bare, "knows": judged / "knows-judged"}, tmp_path / "out", bootstraps=100)
    assert "changes_not_compared" in [alarm.name for alarm in run.alarms]
    assert content(tmp_path, "out/comparison.json")["by_change"] == []


def test_a_damaged_list_of_changes_fails_its_case_alone(tmp_path):
    data = write_set(tmp_path / "data", [case_of(0), case_of(1), case_of(2)])
    for n in range(3):
        write_png(NOTHING, tmp_path / "pred" / f"case{n}.png")
    broken = data / "cases" / "case1" / "changes.json"
    broken.write_text(broken.read_text().replace("grown", "swollen"))
    write_png(np.zeros((8, 8), np.uint8), data / "cases" / "case2" / "lesions.png")
    write_png(np.zeros((8, 8), np.uint8), data / "cases" / "case2" / "prior_lesions.png")
    run = run_evaluate(
        tmp_path / "pred", TruthWanted(data, "validation"), tmp_path / "out", EvaluateOptions(bootstraps=100)
    )
    assert [failure.input for failure in run.failures] == ["case1", "case2"]
    assert "swollen" in run.failures[0].error
    assert "8 × 8" in run.failures[1].error
    assert {one.key for one in run.evaluation.changed} == {"case0"}


def test_what_a_list_of_changes_may_hold(tmp_path):
    two = [lesion(1, "unchanged", ((20, 20), 3), ((20, 20), 3)), lesion(2, "new", ((60, 60), 3), visibility=0.5)]
    data = write_set(tmp_path, [("a", "p", two)])
    path = data / "cases" / "a" / "changes.json"
    found = stored_changes(path)
    assert [one.visibility for one in found.lesions if one.visibility == one.visibility] == [0.5]
    assert (found.now(found.lesions[1]) == two[1].now).all()
    assert not found.before(found.lesions[1]).any()
    whole = json.loads(path.read_text())
    for wrong, says in (
        ({"schema": "other"}, "hilum.changes/1"),
        ({"labels": None, "lesions": None}, "damaged"),
        ({"lesions": [whole["lesions"][0]] * 2}, "one number"),
        ({"lesions": [{**whole["lesions"][0], "id": 0}]}, "from 1"),
    ):
        path.write_text(json.dumps(whole | wrong))
        with pytest.raises(UnreadableError, match=says):
            stored_changes(path)
