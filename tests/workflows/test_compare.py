"""`hilum compare` of label maps, of models that miss cases, and of evaluations from before masks had a hash."""

import csv
import json
import math

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.evaluate.cases import JudgeRule
from hilum.io import write_json
from hilum.workflows.evaluate_files import table
from tests.evaluate import judged as made
from tests.evaluate.judged import disc

CASES = 7
TWO = JudgeRule(labels={1: "halo", 2: "core"})


def truth_of(n):
    """A core in a halo; none of both in the last case."""
    if n == CASES - 1:
        return np.zeros((64, 64), np.uint8)
    return disc(radius=9 + n % 3).astype(np.uint8) + disc(radius=4)


PREDICTIONS = {
    "near": lambda n: np.roll(truth_of(n), 1, axis=1),
    "far": lambda n: np.roll(truth_of(n), 5, axis=1),
    "shy": lambda n: truth_of(n) * (n > 1),
}


RIVAL = {"value": 0.0625, "low": 0.03125, "high": 0.125, "n": 6}
YARDSTICK = {"compared": "slice", "against": "others' consensus", "group": "n ≥ 3", "patients": 5}
YARDSTICK |= {"dice": {"value": 0.71875, "low": 0.7, "high": 0.75, "n": 9}, "by_size": []}


def save(found, folder):
    """What comparisons read of an evaluation's folder."""
    figures = {
        name: {"value": one.value, "low": one.low, "high": one.high, "n": one.n} for name, one in found.figures.items()
    }
    about = {"data": found.data, "split": found.split, "split_hash": "", "truth": found.truth, "truth_hash": "f00d"}
    threshold = {"value": None, "chosen_on": "masks"}
    record = {"schema": "hilum.evaluation/1", **about, "threshold": threshold, "figures": figures, "alarms": []}
    record |= {"rivals": [{"name": "all background", "figures": {"dice_mean": RIVAL}}], "yardstick": YARDSTICK}
    write_json(folder / "evaluation.json", record)
    (folder / "cases.csv").write_text(table(found))


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Evaluations of three models; "shy" predicts nothing on two cases."""
    folder = tmp_path_factory.mktemp("judged")
    for name, of in PREDICTIONS.items():
        cases = [made.pair(of(n), truth_of(n), key=f"case{n}", patient=f"p{n}") for n in range(CASES)]
        save(made.judged(cases, TWO), folder / f"{name}-judged")
    return folder


@pytest.fixture(scope="module")
def content(judged):
    """comparison.json of all three."""
    assert main(["compare", str(judged / "all"), *(f"{name}={judged / name}-judged" for name in PREDICTIONS)]) == 0
    return json.loads((judged / "all" / "comparison.json").read_text())


def entry(content, figure, of_class, first, second):
    wanted = {"figure": figure, "class": of_class, "first": first, "second": second}
    return next(one for one in content["comparisons"] if wanted.items() <= one.items())


def test_each_class_stands_in_the_record_with_its_sentence(content):
    assert content["classes"] == ["halo", "core"]
    core, mean = (entry(content, "dice", of, "near", "far") for of in ("core", None))
    assert core["difference"]["value"] < mean["difference"]["value"] < 0  # a small core is lost sooner
    assert core["verdict"].startswith("Dice of core: ")
    assert core["verdict"] in content["verdicts"]
    pooled = {(one["figure"], one["class"]) for one in content["pooled"]}
    assert {("dice_pooled", None), ("dice_pooled", "core"), ("foreground_dice_pooled", None)} <= pooled


def test_what_was_missed_stands_in_the_record(content):
    one = entry(content, "hd95_mm", None, "near", "shy")
    assert one["predicts_nothing"] == {"first": 0, "second": 2, "both": 0, "present": 6}
    assert (one["difference"]["n"], one["dropped"], one["only_second_undefined"]) == (4, 3, 2)
    assert "near predicts nothing in 0 of 6 with a lesion, shy in 2" in one["verdict"]
    assert entry(content, "dice", None, "near", "shy")["predicts_nothing"] is None
    assert "misses_differ" in {alarm["name"] for alarm in content["alarms"]}


def test_the_record_says_how_fine_its_p_values_are(content):
    one = entry(content, "dice", None, "near", "far")
    assert one["permutation_floor"] == pytest.approx(3 * 2 / 2**6)
    assert one["permutation_p"] >= one["permutation_floor"]
    assert one["minimal_detectable_difference"] is None  # six patients of three models show nothing
    assert "none could be" in one["verdict"]
    assert "2/2ⁿ" in content["statistics"]["resolution"]


def test_the_page_has_a_table_for_each_class_and_pair(judged, content):
    page = (judged / "all" / "report.html").read_text()
    for pair in ("far − near", "shy − near", "shy − far"):
        assert page.count(f"<caption>{pair}</caption>") == 1
        assert page.count(f"<caption>Class core: {pair}</caption>") == 1
    assert "&lt; 0.001" not in page
    assert page.count("data:image/png") == 2  # shares, and millimetres


def test_evaluations_without_a_hash_of_their_masks_are_compared_and_said_to_be_unchecked(judged, tmp_path, capsys):
    old = tmp_path / "old"
    old.mkdir()
    record = json.loads((judged / "near-judged" / "evaluation.json").read_text())
    del record["truth_hash"]
    (old / "evaluation.json").write_text(json.dumps(record))
    (old / "cases.csv").write_bytes((judged / "near-judged" / "cases.csv").read_bytes())
    assert main(["compare", str(tmp_path / "out"), f"old={old}", f"far={judged / 'far-judged'}"]) == 0
    assert "note: These evaluations don't say which true masks" in capsys.readouterr().err
    assert "Worth knowing, truth_unchecked" in (tmp_path / "out" / "report.html").read_text()


def test_of_many_models_the_summary_keeps_to_the_dice(judged, tmp_path):
    names = [*PREDICTIONS, "twin"]
    folders = [f"{name}={judged / ('near' if name == 'twin' else name)}-judged" for name in names]
    assert main(["compare", str(tmp_path / "out"), *folders]) == 0
    page = (tmp_path / "out" / "report.html").read_text()
    said = len(json.loads((tmp_path / "out" / "comparison.json").read_text())["verdicts"])
    assert f"{said} sentences like these" in page
    summary = page[: page.index("Alarms")]
    assert "Dice: " in summary
    assert "Hausdorff" not in summary


def test_rivals_and_the_human_yardstick_stand_beside_the_models(judged, content):
    (rival,) = content["rivals"]
    assert (rival["name"], rival["figures"]["dice_mean"]) == ("all background", RIVAL)
    assert content["yardstick"] == YARDSTICK
    own = json.loads((judged / "far-judged" / "evaluation.json").read_text())["figures"]
    assert content["figures"]["far"]["dice_mean"] == pytest.approx(own["dice_mean"])
    page = (judged / "all" / "report.html").read_text()
    assert "rival: all background</td><td>0.062 (0.031–0.125)" in page
    assert "The human yardstick: 0.719 (0.700–0.750)" in page


def test_the_table_has_every_row_of_the_record_and_pictures_lie_beside(judged, content):
    with (judged / "all" / "comparison.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(content["comparisons"]) + len(content["by_change"]) + len(content["pooled"])
    for row, one in zip(rows, content["comparisons"] + content["pooled"], strict=False):
        assert (row["figure"], row["class"], row["second"]) == (one["figure"], one["class"] or "", one["second"])
        value = one["difference"]["value"]
        assert float(row["difference"]) == pytest.approx(math.nan if value is None else value, nan_ok=True)
        if "wilcoxon_p" in one:
            p = one["permutation_p"]
            assert float(row["permutation_p"]) == pytest.approx(math.nan if p is None else p, nan_ok=True)
    for name in ("differences.png", "differences_mm.png"):
        assert (judged / "all" / name).read_bytes().startswith(b"\x89PNG")


def test_the_number_of_draws_can_be_chosen_and_none_leaves_no_interval(judged, tmp_path):
    two = [f"{name}={judged / name}-judged" for name in ("near", "far")]
    found = {}
    for draws in ("0", "200", "1000"):
        out = tmp_path / draws
        assert main(["compare", str(out), *two, "--bootstraps", draws]) == 0
        found[draws] = json.loads((out / "comparison.json").read_text())
        assert found[draws]["statistics"]["bootstraps"] == int(draws)
    dice = {draws: entry(one, "dice", None, "near", "far") for draws, one in found.items()}
    assert dice["0"]["difference"]["low"] is None
    assert "nan" not in dice["0"]["verdict"]
    assert dice["200"]["difference"]["high"] != dice["1000"]["difference"]["high"]
    assert len({one["difference"]["value"] for one in dice.values()}) == 1
    assert len({one["permutation_p"] for one in dice.values()}) == 1  # all signs of so few patients are tried
    assert main(["compare", str(tmp_path / "few"), *two, "--bootstraps", "1"]) == 2
