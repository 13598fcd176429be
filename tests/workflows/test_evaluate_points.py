"""`hilum evaluate` against points, and a detector's own marks: from files to files."""

import csv
import json
import math

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import Geometry, InputError, Mask
from hilum.io import write_mask, write_png
from hilum.metrics.lesions import Assignment, Criterion, MatchRule
from hilum.workflows.compare import run_compare
from hilum.workflows.evaluate import run_evaluate
from hilum.workflows.evaluate_data import TruthWanted
from hilum.workflows.evaluate_marks import MarksFrom
from hilum.workflows.evaluate_plan import EvaluateOptions
from hilum.workflows.prepare_jsrt import prepare_jsrt
from tests.evaluate.judged import disc
from tests.films import source

SIDE = 64
MM = 2048 * 0.175 / SIDE
ROWS = [
    "N1.png,5,60,53,Male,1024,1024,malignant,l.upper lobe,lung cancer",
    "N2.png,1,30,60,Female,512,1536,benign,r.lower lobe,",
    "E1.png,,,30,Female,,,non-nodule,,",
    "E2.png,,,30,Female,,,non-nodule,,",
]
CENTRES = {"N1": (32, 32), "N2": (48, 16), "E1": None, "E2": None}


@pytest.fixture
def films(tmp_path):
    """A data set of two films with a nodule and two without."""
    prepare_jsrt(source(tmp_path / "in", ROWS, SIDE), tmp_path / "films")
    return tmp_path


def say(folder, key, *marks):
    """Write a detector's marks: (row, column, score)."""
    entries = [
        {"id": str(n), "centre_px": [row, column], "score": score} for n, (row, column, score) in enumerate(marks)
    ]
    path = folder / "pred" / key / "nodules.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"schema": "hilum.nodules/1", "study": {}, "nodules": entries}))


def detections(folder):
    """N1 found by the surer of two marks, N2 missed by 20 mm, a false alarm on E1."""
    say(folder, "N1", (32, 33, 0.9), (5, 5, 0.2))
    say(folder, "N2", (48, 16 + 20 / MM, 0.6))
    say(folder, "E1", (10, 10, 0.4))
    say(folder, "E2")


def evaluate(folder, data="films", pred="pred", out="out", split="test", truth=None, **options):
    wanted = TruthWanted(folder / data, split, truth)
    return run_evaluate(folder / pred, wanted, folder / out, EvaluateOptions(bootstraps=100, **options))


def content(folder, out="out"):
    return json.loads((folder / out / "evaluation.json").read_text())


def test_a_detectors_marks_against_points(films):
    detections(films)
    run = evaluate(films)
    found = content(films)
    assert (found["truth"], found["n_cases"], found["n_empty_truth"]) == ("points", 4, 2)
    values = {name: one["value"] for name, one in found["figures"].items()}
    assert values["lesion_sensitivity"] == 0.5
    assert values["false_positives_per_image"] == 3 / 4
    assert values["empty_false_positive_rate"] == 0.5
    assert values["dice_mean"] is values["hd95_mm"] is values["ece"] is None
    assert found["froc"]["sensitivity"]["0.25"]["value"] == 0.5
    assert found["froc"]["candidates"]["from"] == "nodules.json"
    assert "radius" in found["match"]
    assert found["threshold"]["value"] is None
    assert [one["name"] for one in found["rivals"]] == ["all background", "blob detector (LoG)"]
    assert [one["name"] for one in found["by_subtlety"]] == ["subtlety 1, extremely subtle", "subtlety 5, obvious"]
    rows = {row["key"]: row for row in csv.DictReader((films / "out" / "cases.csv").read_text().splitlines())}
    assert float(rows["N1"]["lesions_found"]) == 1
    assert rows["N1"]["false_positive_on_empty"] == "nan"
    assert run.evaluation.n_empty_truth == 2
    assert evaluate(films).was_done


def test_parts_of_the_curve_count_the_false_marks_of_all_images(films):
    """N1 (obvious) is found before any false mark; N2 (extremely subtle) never. Both are of one size."""
    detections(films)
    evaluate(films)
    found = content(films)
    subtle, obvious = found["by_subtlety"]
    assert [subtle["figures"][f"froc_{rate}"]["value"] for rate in ("0.125", "1", "8")] == [0, 0, 0]
    assert [obvious["figures"][f"froc_{rate}"]["value"] for rate in ("0.125", "1", "8")] == [1, 1, 1]
    assert obvious["figures"]["froc_1"]["n"] == subtle["figures"]["froc_1"]["n"] == 1
    ranked = [one for one in found["by_size"] if "froc_2" in one["figures"]]
    assert sum(one["figures"]["froc_2"]["n"] for one in ranked) == 2
    page = (films / "out" / "report.html").read_text()
    assert "a mark on another lesion is neither" in page
    assert (films / "out" / "froc-parts.png").is_file()
    rows = list(csv.DictReader((films / "out" / "lesions.csv").read_text().splitlines()))
    assert [(row["key"], row["is_found"], row["score"], row["subtlety"]) for row in rows] == [
        ("N1", "1", "0.9", "5"),
        ("N2", "0", "nan", "1"),
    ]


def test_the_page_shows_the_curve_its_points_and_cases_and_no_dice(films):
    detections(films)
    evaluate(films)
    page = (films / "out" / "report.html").read_text()
    assert "<h2>Free response: lesions found against false marks</h2>" in page
    for rate in ("1/8", "1/4", "1/2"):
        assert f">{rate}<" in page
    assert "closer to the lesion" in page
    assert "no Dice" in page
    assert "Dice, mean" not in page
    pictures = {path.stem for path in (films / "out").glob("*.png")}
    assert {"froc", "found", "places", "case-found-1", "case-missed-1", "case-false-1"} <= pictures
    assert "distributions" not in pictures


def test_the_tolerance_and_the_threshold_are_used_and_stated(films):
    detections(films)
    wide = evaluate(films, tolerance_mm=25.0).evaluation.figures
    assert wide["lesion_sensitivity"].value == 1
    assert "25 mm" in content(films)["match"]
    strict = evaluate(films, out="strict", threshold=0.5).evaluation
    assert strict.figures["false_positives_per_image"].value == 1 / 4
    assert content(films, "strict")["threshold"] == {"value": 0.5, "chosen_on": "stated by the user"}
    one_to_one = evaluate(films, out="greedy", match=MatchRule(assignment=Assignment.GREEDY))
    assert "greedy" in content(films, "greedy")["match"]
    assert not one_to_one.was_done


def test_masks_are_judged_by_their_components_and_maps_by_their_peaks_too(films):
    for key, centre in CENTRES.items():
        there = np.zeros((SIDE, SIDE), bool) if centre is None else disc((SIDE, SIDE), centre, 3)
        write_png(there, films / "masks" / f"{key}.png")
        write_png((there * 0.7 * 65535).astype(np.uint16), films / "maps" / f"{key}.png")
    masks = evaluate(films, pred="masks").evaluation
    assert masks.figures["lesion_sensitivity"].value == 1
    assert not masks.froc
    assert math.isnan(masks.threshold.value)
    with pytest.raises(InputError, match="not chosen on the split"):
        evaluate(films, pred="maps", out="maps")
    maps = evaluate(films, pred="maps", out="maps2", threshold=0.9).evaluation
    assert maps.figures["lesion_sensitivity"].value == 0
    assert maps.froc["0.125"].value == 1
    assert content(films, "maps2")["froc"]["candidates"]["from"] == "peaks"


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda path: path.unlink(), "there is no N1/nodules.json"),
        (lambda path: path.write_text("{"), "nodules.json"),
        (lambda path: path.write_text('{"nodules": {}}'), "no list of nodules"),
        (lambda path: path.write_text('{"nodules": [{"id": "7", "centre_px": [1, 2]}]}'), "nodule 7 in N1"),
        (lambda path: path.write_text('{"nodules": [{"id": "7", "score": 1}]}'), "no centre_px of 2"),
        (lambda path: path.write_text('{"nodules": [{"centre_px": [64, 2], "score": 1}]}'), "outside"),
        (lambda path: path.write_text('{"nodules": [{"centre_px": [1, "x"], "score": 1}]}'), "no centre_px"),
    ],
)
def test_a_case_whose_marks_cannot_be_used_is_listed(films, harm, words):
    detections(films)
    harm(films / "pred" / "N1" / "nodules.json")
    run = evaluate(films)
    (failure,) = run.failures
    assert failure.input == "N1"
    assert words in failure.error
    assert run.evaluation.n_cases == 3
    assert "cases_failed" in [one.name for one in run.evaluation.alarms]


def test_options_without_effect_are_refused(films):
    detections(films)
    with pytest.raises(InputError, match="the truth is points"):
        evaluate(films, match=MatchRule(Criterion.IOU))
    with pytest.raises(InputError, match="points have none"):
        evaluate(films, temperature_from=films / "elsewhere")
    with pytest.raises(InputError, match="no classes"):
        evaluate(films, classes={1: "a", 2: "b"})
    with pytest.raises(InputError, match="tolerance-mm is for points"):
        evaluate(films, truth="lungs", tolerance_mm=3.0)
    with pytest.raises(InputError, match="no truth 'union'"):
        evaluate(films, truth="union")


def test_masks_beside_marks_say_what_was_predicted(films):
    """Marks are listed far below the masks' threshold, for the curve; without a threshold the masks count."""
    detections(films)
    for key, centre in CENTRES.items():
        there = np.zeros((SIDE, SIDE), bool) if key != "N2" else disc((SIDE, SIDE), centre, 3)
        write_png(there, films / "pred" / key / "mask.png")
    found = evaluate(films).evaluation
    assert found.figures["lesion_sensitivity"].value == 0.5
    assert found.figures["false_positives_per_image"].value == 0
    assert found.froc["1"].value == 0.5
    assert "masks" in found.threshold.chosen_on
    rows = [row.key for row in found.cases if row.values["lesions_found"]]
    assert rows == ["N2"]
    stated = evaluate(films, out="stated", threshold=0.9).evaluation
    assert [row.key for row in stated.cases if row.values["lesions_found"]] == ["N1"]


def test_evaluations_by_other_rules_are_compared_with_an_alarm(films):
    detections(films)
    evaluate(films, out="one")
    evaluate(films, out="two", tolerance_mm=25.0)
    same = run_compare({"a": films / "one", "b": films / "one"}, films / "same")
    assert "rules_differ" not in [one.name for one in same.alarms]
    other = run_compare({"a": films / "one", "b": films / "two"}, films / "other")
    assert "rules_differ" in [one.name for one in other.alarms]
    assert not [words for words in other.verdicts if words.startswith("Dice")]


def test_organs_of_the_same_films_are_masks(films):
    for path in (films / "films" / "masks" / "lungs").iterdir():
        (films / "lungs").mkdir(exist_ok=True)
        (films / "lungs" / path.name).write_bytes(path.read_bytes())
    assert evaluate(films, pred="lungs", truth="lungs").evaluation.figures["dice_mean"].value == 1


def test_the_command_says_what_was_found_and_names_the_rules(films, capsys):
    detections(films)
    (films / "pred" / "E2" / "nodules.json").unlink()
    command = ["evaluate", str(films / "pred"), str(films / "out"), "--data", str(films / "films"), "--split", "test"]
    assert main([*command, "--tolerance-mm", "25", "--assign", "optimal", "--bootstraps", "100"]) == 3
    said = capsys.readouterr()
    assert "lesion_sensitivity         1.000" in said.out
    assert "dice" not in said.out
    assert "hilum: E2: there is no E2/nodules.json" in said.err
    assert content(films)["match"].endswith("25 mm, optimal one to one")
    assert main([*command, "--match", "iou"]) == 1
    assert main([*command, "--match", "nearly"]) == 2


# --- a detector's marks beside masks ---


@pytest.fixture
def masks(tmp_path):
    """Two lesions in one image, one in another; the mask finds one, the marks are surer of the other."""
    truth = disc((SIDE, SIDE), (15, 15), 4) | disc((SIDE, SIDE), (45, 45), 4)
    write_png(truth, tmp_path / "truth" / "a.png")
    write_png(disc((SIDE, SIDE), (30, 20), 4), tmp_path / "truth" / "b.png")
    for key, centre in (("a", (15, 15)), ("b", (5, 55))):
        write_png(disc((SIDE, SIDE), centre, 3), tmp_path / "pred" / key / "mask.png")
    say(tmp_path, "a", (45, 44.6, 0.9), (15, 15, 0.1), (3, 60, 0.5))
    say(tmp_path, "b", (30, 20, 0.4))
    return tmp_path


def judged(folder, out="out", **options):
    return evaluate(folder, data="truth", out=out, split=None, **options).evaluation


def test_scores_of_nodules_make_the_curve_and_the_mask_the_rest(masks):
    found = judged(masks)
    assert found.figures["lesion_sensitivity"].value == pytest.approx(1 / 3)
    assert found.froc["0.5"].value == 1
    precision = 1 / 3 * (1 + 2 / 3 + 3 / 4)
    assert found.figures["lesion_average_precision"].value == pytest.approx(precision)
    stated = content(masks)["froc"]["candidates"]
    assert stated["from"] == "nodules.json"
    assert "pixel lies on the lesion" in stated["match"]


def test_peaks_can_be_asked_for_and_masks_then_have_no_curve(masks):
    assert not judged(masks, marks=MarksFrom.PEAKS).froc
    for path in (masks / "pred").glob("*/nodules.json"):
        path.unlink()
    assert not judged(masks, out="without").froc


def test_nodules_without_scores_are_no_marks(masks):
    for path in (masks / "pred").glob("*/nodules.json"):
        path.write_text(json.dumps({"nodules": [{"id": "1", "centre_px": [3, 3], "score": None}]}))
    assert not judged(masks).froc


@pytest.mark.parametrize(
    ("criterion", "found"),
    [(Criterion.OVERLAP, 1), (Criterion.IOU, 0), (Criterion.PREDICTED_CENTROID, 0), (Criterion.TRUE_CENTROID, 1)],
)
def test_each_criterion_is_used_and_stated(tmp_path, criterion, found):
    """A large prediction around a small lesion: overlap and the lesion's centre say found, the others don't."""
    write_png(disc((SIDE, SIDE), (20, 20), 2), tmp_path / "truth" / "a.png")
    write_png(disc((SIDE, SIDE), (20, 26), 8), tmp_path / "pred" / "a.png")
    assert judged(tmp_path, match=MatchRule(criterion)).figures["lesion_sensitivity"].value == found
    assert content(tmp_path)["match"].startswith(str(criterion))
    assert str(criterion) in (tmp_path / "out" / "report.html").read_text()


def test_nodules_of_a_volume_are_in_lps_millimetres(tmp_path):
    shape = (10, 24, 24)
    affine = np.array([[0.8, 0, 0, -40], [0, 0.8, 0, 12], [0, 0, 2.5, 300], [0, 0, 0, 1.0]])
    grid = Geometry(shape, affine)
    truth = np.zeros(shape, np.uint8)
    truth[4:6, 5:8, 14:18] = 1
    for folder, array in (("truth", truth), ("pred", np.zeros(shape, np.uint8))):
        (tmp_path / folder).mkdir()
        write_mask(Mask(array, grid), tmp_path / folder / "a.nii.gz")
    centre = [0.8 * 15.6 - 40, 0.8 * 6.1 + 12, 2.5 * 4.4 + 300]
    marks = {"nodules": [{"id": "1", "centre_lps_mm": centre, "score": 0.5}]}
    (tmp_path / "pred" / "a").mkdir()
    (tmp_path / "pred" / "a" / "nodules.json").write_text(json.dumps(marks))
    assert judged(tmp_path).froc["0.125"].value == 1
    marks["nodules"][0]["centre_lps_mm"] = centre[::-1]
    (tmp_path / "pred" / "a" / "nodules.json").write_text(json.dumps(marks))
    with pytest.raises(InputError, match="outside"):
        judged(tmp_path, out="swapped")


def test_scores_are_kept_and_two_detectors_with_the_same_marks_are_compared_by_them(films):
    detections(films)
    evaluate(films, out="sure")
    for key, mark in (("N1", [(32, 33, 0.3), (5, 5, 0.8)]), ("E1", [(10, 10, 0.7)])):
        say(films, key, *mark)
    evaluate(films, out="unsure")
    with (films / "sure" / "marks.csv").open(newline="") as stream:
        kept = {(row["key"], row["what"], row["score"]) for row in csv.DictReader(stream)}
    assert kept == {
        ("N1", "hit", "0.9"),
        ("N1", "false", "0.2"),
        ("N2", "missed", "nan"),
        ("N2", "false", "0.6"),
        ("E1", "false", "0.4"),
    }
    run_compare({"sure": films / "sure", "unsure": films / "unsure"}, films / "compared")
    found = json.loads((films / "compared" / "comparison.json").read_text())
    differences = {one["figure"]: one["difference"]["value"] for one in found["comparisons"]}
    assert differences["lesion_sensitivity"] == differences["false_positives"] == 0
    for name in ("wafroc", "lesion_average_precision"):
        before, after = (content(films, out)["figures"][name]["value"] for out in ("sure", "unsure"))
        assert differences[name] == pytest.approx(after - before)
        assert differences[name] < 0
    rates = {name: one["value"] for name, one in content(films, "unsure")["froc"]["sensitivity"].items()}
    sure = {name: one["value"] for name, one in content(films, "sure")["froc"]["sensitivity"].items()}
    assert {f"froc_{rate}": value - sure[rate] for rate, value in rates.items()} == pytest.approx(
        {name: value for name, value in differences.items() if name.startswith("froc_")}
    )
    page = (films / "compared" / "report.html").read_text()
    assert "wAFROC area" in page
    assert "lesions found at 1/8 false marks an image" in page
