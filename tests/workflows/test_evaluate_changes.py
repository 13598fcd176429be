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


def test_the_difference_to_the_copied_prior_is_stored_paired_and_read_again(judged):
    for name, wanted in (("copies", 0), ("knows", 1)):
        over = content(judged, f"{name}-judged/evaluation.json")["over_copied_prior"]
        assert next(iter(over))["name"] == "all cases"
        of = {one["name"]: one["figures"] for one in over}
        assert of["new"]["lesion_sensitivity"]["value"] == of["gone"]["gone_noticed"]["value"] == wanted
        assert (of["all cases"]["dice_mean"]["value"] > 0) == (of["grown"]["lesion_dice"]["value"] > 0) == bool(wanted)
        read = read_evaluation(judged / f"{name}-judged").over_prior
        assert [group.name for group in read] == list(of)
    now, before = truth_of(five())
    difference = 1 - 2 * (now & before).sum() / (now.sum() + before.sum())  # of every patient the same
    found = content(judged, "knows-judged/evaluation.json")["over_copied_prior"][0]["figures"]["dice_mean"]
    ends = [pytest.approx(difference)] * 3
    assert [found[end] for end in ("value", "low", "high")] == ends
    assert "minus the earlier picture's mask copied" in (judged / "knows-judged" / "report.html").read_text().replace(
        "&#39;", "'"
    )


def test_lesions_that_could_have_changed_are_judged_beside_all_from_file_to_file(tmp_path):
    able = [True, False, None]
    lesions = [
        lesion(n, "unchanged", ((20 * n, 30), 4), ((20 * n, 30), 4), can_change=one) for n, one in enumerate(able, 1)
    ]
    data = write_set(tmp_path / "data", [("a", "p", lesions), ("b", "q", lesions)])
    for key in ("a", "b"):
        write_png(truth_of(lesions[1:])[0], tmp_path / "pred" / f"{key}.png")
    options = EvaluateOptions(bootstraps=100)
    run_evaluate(tmp_path / "pred", TruthWanted(data, "validation"), tmp_path / "out", options)
    found = values(content(tmp_path, "out/evaluation.json")["by_change"], "false_gone_rate")
    assert (found["still there, could have changed"], found["known and still there"]) == (1, pytest.approx(1 / 3))
    assert [one.can_change for one in read_evaluation(tmp_path / "out").changed] == able * 2
    table = tmp_path / "out" / "lesions_by_change.csv"
    table.write_text("\n".join(line.rpartition(",")[0] for line in table.read_text().splitlines()))  # an older one's
    assert {one.can_change for one in read_evaluation(tmp_path / "out").changed} == {None}


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
    margin = {"margin": 0.1, "first": {"lower_bound": -1, "is_shown": False}}  # who copies finds no new one
    assert {name: new["no_worse"][name] for name in margin} == margin
    assert new["no_worse"]["second"]["is_shown"]
    assert found["lesion_sensitivity", "grown"]["no_worse"] is None
    assert any("knows is shown to be no worse than copies" in verdict for verdict in both["verdicts"])
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
