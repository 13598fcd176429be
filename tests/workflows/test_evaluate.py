"""`hilum evaluate` and `hilum compare` from files to files: any tool's predictions, bad input, thresholds, rivals."""

import csv
import html
import json
import math
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from hilum.cli.app import main
from hilum.core import Geometry, InputError, Mask, Quantity, Volume
from hilum.io import write_mask, write_volume
from hilum.workflows.evaluate import run_evaluate
from hilum.workflows.evaluate_data import TruthWanted
from hilum.workflows.evaluate_plan import EvaluateOptions
from hilum.workflows.evaluate_predictions import As
from tests.evaluate.judged import disc

KEYS = [f"case{n}" for n in range(6)]
DRAWS = 100


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def png(mask):
    return mask.astype(np.uint8) * 255


def truth_of(n):
    return disc((64, 72), (20 + 4 * n, 30), 3 + n) if n != 5 else np.zeros((64, 72), bool)


@pytest.fixture
def folders(tmp_path):
    """True masks, and predictions that lie a pixel beside them."""
    for n, key in enumerate(KEYS):
        save(tmp_path / "truth" / f"{key}.png", png(truth_of(n)))
        save(tmp_path / "pred" / f"{key}.png", png(np.roll(truth_of(n), 1, 1)))
    return tmp_path


@pytest.fixture
def dataset(folders):
    """A data set of two patients a split, with images."""
    cases = []
    for n, key in enumerate(KEYS):
        image = (60 + 100 * truth_of(n) + np.indices((64, 72)).sum(axis=0) % 9).astype(np.uint8)
        save(folders / "data" / f"{key}_x.png", image)
        shutil.copy(folders / "truth" / f"{key}.png", folders / "data")
        case = {"key": key, "patient": f"p{n}", "image": f"{key}_x.png", "masks": {"union": f"{key}.png"}}
        cases.append({**case, "nodules": None, "pixel_mm": [1.0, 1.0], "sha256": str(n)})
    splits = {"rule": "made", "seed": None, "hash": "abc", "train": ["p0", "p1"], "validation": ["p2", "p3"]}
    splits["test"] = ["p4", "p5"]
    index = {"schema": "hilum.dataset/1", "kind": "made", "cases": cases, "splits": splits, "failures": []}
    (folders / "data" / "dataset.json").write_text(json.dumps(index))
    return folders


def evaluate(folder, data="truth", pred="pred", out="out", split=None, **options):
    wanted = TruthWanted(folder / data, split, pixel_mm=(1.0, 1.0) if data == "truth" else None)
    return run_evaluate(folder / pred, wanted, folder / out, EvaluateOptions(bootstraps=DRAWS, **options))


def test_a_plain_folder_leaves_everything_and_says_that_patients_are_unknown(folders):
    run = evaluate(folders)
    content = json.loads((folders / "out" / "evaluation.json").read_text())
    assert content["schema"] == "hilum.evaluation/1"
    assert (content["n_cases"], content["n_empty_truth"], content["split"]) == (6, 1, "all")
    assert content["threshold"] == {"value": None, "chosen_on": "masks"}
    assert "patients_unknown" in [alarm["name"] for alarm in content["alarms"]]
    assert [one["name"] for one in content["rivals"]] == ["all background", "all foreground"]
    rows = list(csv.DictReader((folders / "out" / "cases.csv").read_text().splitlines()))
    assert [row["key"] for row in rows] == KEYS
    assert rows[5]["dice"] == "nan"
    mean = np.mean([float(row["dice"]) for row in rows[:5]])
    assert content["figures"]["dice_mean"]["value"] == pytest.approx(mean) == run.evaluation.figures["dice_mean"].value
    page = (folders / "out" / "report.html").read_text()
    for title in ("Summary", "Training", "Evaluation", "Recommendations", "Technical details", "Alarms"):
        assert f"<h2>{title}</h2>" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_the_same_run_is_done_and_workers_change_nothing(folders):
    first = evaluate(folders)
    assert not first.was_done
    again = evaluate(folders)
    assert again.was_done
    assert again.evaluation.figures["dice_mean"].value == first.evaluation.figures["dice_mean"].value
    assert again.evaluation.alarms == first.evaluation.alarms
    np.testing.assert_equal(dict(again.evaluation.cases[0].values), dict(first.evaluation.cases[0].values))
    evaluate(folders, out="two", workers=2)
    assert (folders / "two" / "cases.csv").read_bytes() == (folders / "out" / "cases.csv").read_bytes()
    assert (folders / "two" / "evaluation.json").read_bytes() == (folders / "out" / "evaluation.json").read_bytes()


def test_rivals_learn_from_training_only(dataset):
    before = evaluate(dataset, data="data", split="test").evaluation
    learnt = {"average prior map", "blob detector (LoG)"}
    assert {one.name for one in before.rivals} == {"all background", "all foreground"} | learnt
    for n in (4, 5):  # other truth on the reported cases changes no rival's prediction
        save(dataset / "data" / f"case{n}.png", png(np.zeros((64, 72), bool)))
    after = evaluate(dataset, data="data", split="test", out="after").evaluation
    blobs = [next(one for one in run.rivals if "LoG" in one.name) for run in (before, after)]
    false = [one.figures["false_positives_per_image"].value for one in blobs]
    assert false[0] <= false[1]
    for n in (0, 1):
        save(dataset / "data" / f"case{n}.png", png(np.zeros((64, 72), bool)))
    untaught = evaluate(dataset, data="data", split="test", out="none").evaluation
    assert "average prior map" not in {one.name for one in untaught.rivals}


def test_patients_of_lidc_are_read_from_the_keys_and_held_out_ones_noted(tmp_path):
    for key in ("LIDC-IDRI-0005_01-01-2000", "LIDC-IDRI-0006_1", "LIDC-IDRI-0006_2"):
        for folder in ("truth", "pred"):
            save(tmp_path / folder / f"{key}.png", png(truth_of(0)))
    found = evaluate(tmp_path).evaluation
    assert [row.patient for row in found.cases] == ["LIDC-IDRI-0005", "LIDC-IDRI-0006", "LIDC-IDRI-0006"]
    raised = {alarm.name: alarm.evidence for alarm in found.alarms}
    assert raised["patients_from_keys"] == ("LIDC-IDRI-0005", "LIDC-IDRI-0006")
    assert raised["held_out_reported"] == ("LIDC-IDRI-0005",)
    assert "patients_unknown" not in raised
    for folder in ("truth", "pred"):
        save(tmp_path / folder / "other.png", png(truth_of(0)))
    mixed = evaluate(tmp_path, out="mixed").evaluation
    assert len({row.patient for row in mixed.cases}) == 4  # one key that names no patient: none of them is taken
    assert "patients_unknown" in {alarm.name for alarm in mixed.alarms}


def test_a_threshold_from_held_out_patients_rings(tmp_path):
    for name, key in (("held", "LIDC-IDRI-0005_1"), ("held", "LIDC-IDRI-0010_1"), ("free", "LIDC-IDRI-0006_1")):
        save(tmp_path / f"{name}_truth" / f"{key}.png", png(truth_of(0)))
        save(tmp_path / name / f"{key}.png", (truth_of(0) * 40_000).astype(np.uint16))
    evaluate(tmp_path, pred="held", data="held_truth", out="chosen", threshold=0.5)
    found = evaluate(tmp_path, pred="free", data="free_truth", threshold_from=tmp_path / "chosen").evaluation
    (raised,) = (alarm for alarm in found.alarms if alarm.name == "threshold_on_held_out")
    assert raised.evidence == ("LIDC-IDRI-0005", "LIDC-IDRI-0010")


def test_a_prior_mask_is_a_rival_where_there_is_one(dataset):
    index = json.loads((dataset / "data" / "dataset.json").read_text())
    for n, case in enumerate(index["cases"]):
        save(dataset / "data" / f"prior{n}.png", png(np.roll(truth_of(n), 2, 0)))
        case["masks"]["prior"] = f"prior{n}.png"
    (dataset / "data" / "dataset.json").write_text(json.dumps(index))
    found = evaluate(dataset, data="data", split="test").evaluation
    copied = next(one for one in found.rivals if one.name == "prior's mask copied")
    truth, prior = truth_of(4), np.roll(truth_of(4), 2, 0)
    dice = 2 * (truth & prior).sum() / (truth.sum() + prior.sum())
    assert copied.figures["dice_mean"].value == pytest.approx(dice)


def test_probabilities_need_a_threshold_that_is_not_from_here(dataset):
    for n, key in enumerate(KEYS):
        save(dataset / "prob" / f"{key}.png", (65535 * (0.2 + 0.5 * truth_of(n))).astype(np.uint16))
    with pytest.raises(InputError, match="not chosen on the split"):
        evaluate(dataset, data="data", pred="prob", split="test")
    stated = evaluate(dataset, data="data", pred="prob", split="validation", out="val", threshold=0.5)
    assert stated.evaluation.figures["dice_mean"].value == 1
    options = {"threshold_from": dataset / "val"}
    test = evaluate(dataset, data="data", pred="prob", split="test", **options).evaluation
    assert 0.2 < test.threshold.value <= 0.7
    assert test.threshold.chosen_on.startswith("validation of")
    assert "threshold_on_reported" not in [alarm.name for alarm in test.alarms]
    same = evaluate(dataset, data="data", pred="prob", split="validation", out="same", **options).evaluation
    assert "threshold_on_reported" in [alarm.name for alarm in same.alarms]
    assert not math.isnan(test.figures["ece"].value)


def test_what_cannot_be_judged_is_listed_and_the_rest_is(folders, capsys):
    (folders / "pred" / "case0.png").unlink()
    save(folders / "pred" / "case1.png", png(disc((32, 36), (10, 15), 4)))
    save(folders / "pred" / "case2.png", np.full((64, 72), 7, np.uint8))
    (folders / "pred" / "case3.png").write_bytes(b"no picture")
    command = ["evaluate", str(folders / "pred"), str(folders / "out"), "--data", str(folders / "truth")]
    assert main([*command, "--bootstraps", "100"]) == 3
    failures = json.loads((folders / "out" / "failures.json").read_text())
    assert [one["input"] for one in failures] == KEYS[:4]
    words = ("no prediction", "another grid", "no declared label", "case3.png")
    assert all(word in one["error"] for word, one in zip(words, failures, strict=True))
    assert "--resample" in failures[1]["remedy"]
    content = json.loads((folders / "out" / "evaluation.json").read_text())
    assert (content["n_cases"], content["n_failed"]) == (2, 4)
    raised = next(one for one in content["alarms"] if one["name"] == "cases_failed")
    assert (raised["evidence"], raised["is_note"]) == (KEYS[:4], False)
    assert (folders / "out" / "report.html").read_text().count("2 of 6 cases judged") == 2  # lead and summary
    assert "2 of 6 cases judged" in capsys.readouterr().out
    assert main([*command, "--bootstraps", "100"]) == 3  # found done, and still not all of it
    assert "2 of 6 cases judged" in capsys.readouterr().out


def test_resampling_is_said(folders):
    for n, key in enumerate(KEYS):
        save(folders / "pred" / f"{key}.png", png(np.kron(truth_of(n), np.ones((2, 2), bool)) > 0))
    run = evaluate(folders, resample=True)
    assert run.evaluation.figures["dice_mean"].value == 1
    assert json.loads((folders / "out" / "evaluation.json").read_text())["resampled"] == KEYS


def test_labels_are_never_mixed_by_resampling(tmp_path):
    truth = np.zeros((40, 40), np.uint8)
    truth[5:20, 5:20], truth[5:20, 20:35] = 1, 3
    save(tmp_path / "truth" / "a.png", truth)
    save(tmp_path / "pred" / "a.png", truth[::2, ::2])
    options = {"resample": True, "classes": {1: "one", 2: "between", 3: "three"}}
    found = evaluate(tmp_path, **options).evaluation
    between = next(one for one in found.by_class if one.name == "between")
    assert between.figures["image_specificity"].value == 1  # linear interpolation would put 2 between 1 and 3


def test_sixteen_bits_with_labels_only_are_ambiguous_until_said(folders):
    for n, key in enumerate(KEYS):
        save(folders / "pred" / f"{key}.png", truth_of(n).astype(np.uint16))
    run = evaluate(folders, threshold=0.5)
    assert [(one.input, "16 bits" in one.error) for one in run.failures] == [(key, True) for key in KEYS[:5]]
    assert evaluate(folders, out="said", kind=As.MASKS).evaluation.figures["dice_mean"].value == 1


def test_volumes_of_any_orientation_are_judged_in_millimetres(tmp_path):
    grid = Geometry.regular((10, 24, 24), (2.5, 0.8, 0.8))
    flipped = Geometry(grid.shape_zyx, grid.affine_lps @ np.diag([-1, 1, 1, 1]))
    truth = np.zeros(grid.shape_zyx, bool)
    truth[3:7, 8:15, 8:15] = True
    write_mask(Mask.of(truth, grid), tmp_path / "truth" / "a.nii.gz")
    write_mask(Mask.of(np.roll(truth, 1, 2), grid), tmp_path / "pred" / "a.nii.gz")
    write_volume(Volume(truth.astype(np.float32) * 0.7, grid, Quantity.DISPLAY), tmp_path / "prob" / "a.nii.gz")
    write_mask(Mask.of(truth, flipped), tmp_path / "other" / "a.nii.gz")
    wanted = TruthWanted(tmp_path / "truth")
    options = EvaluateOptions(bootstraps=DRAWS)
    found = run_evaluate(tmp_path / "pred", wanted, tmp_path / "o1", options).evaluation
    assert found.figures["hd_mm"].value == pytest.approx(0.8)
    stated = EvaluateOptions(bootstraps=DRAWS, threshold=0.6)
    assert run_evaluate(tmp_path / "prob", wanted, tmp_path / "o2", stated).evaluation.figures["dice_mean"].value == 1
    with pytest.raises(InputError, match="another grid"):
        run_evaluate(tmp_path / "other", wanted, tmp_path / "o3", options)


def test_nan_is_never_made_into_something(tmp_path):
    grid = Geometry.regular((4, 8, 8), (1, 1, 1))
    for name, value in (("a", np.nan), ("b", 0.5)):
        write_mask(Mask.of(np.ones(grid.shape_zyx, bool), grid), tmp_path / "truth" / f"{name}.nii.gz")
        array = np.full(grid.shape_zyx, 0.4, np.float32)
        array[0, 0, 0] = value
        write_volume(Volume(array, grid, Quantity.DISPLAY), tmp_path / "pred" / f"{name}.nii.gz")
    options = EvaluateOptions(bootstraps=DRAWS, threshold=0.3)
    run = run_evaluate(tmp_path / "pred", TruthWanted(tmp_path / "truth"), tmp_path / "out", options)
    assert [(one.input, "NaN" in one.error) for one in run.failures] == [("a", True)]
    assert run.evaluation.n_cases == 1


def test_hilums_own_predictions_folder_and_its_index(folders):
    for n, key in enumerate(KEYS):
        save(folders / "own" / key / "mask.png", png(truth_of(n)))
        save(folders / "own" / key / "probability.png", (65535 * (0.1 + 0.8 * truth_of(n))).astype(np.uint16))
    (folders / "own" / "predictions.json").write_text(json.dumps({"provenance": {"model": "unet-17"}}))
    run = evaluate(folders, pred="own")
    assert run.evaluation.figures["dice_mean"].value == 1
    page = (folders / "out" / "report.html").read_text()
    assert "unet-17" in page
    found = json.loads((folders / "out" / "evaluation.json").read_text())
    assert found["training"] == {"model": "unet-17"}
    assert found["recommendations"]
    assert all(html.escape(one) in page for one in found["recommendations"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["xray_unet"], "hilum models lists the models, and hilum train makes one"),
        (["pred", "--split", "test"], "no split 'test'"),
        (["pred", "--threshold-from", "pred"], "evaluation.json"),
    ],
)
def test_what_cannot_be_meant_is_one_clear_line(folders, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(folders)
    first, *rest = arguments
    assert main(["evaluate", first, "o", "--data", "truth", *rest]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--classes", "nonsense"], "1=lung"),
        (["--classes", "1=a;2"], "commas"),
        (["--classes", "1=a,1=b"], "1=lung"),
        (["--pixel-mm", "0"], "positive number"),
        (["--pixel-mm", "-1"], "positive number"),
        (["--threshold", "0"], "--threshold"),
        (["--bootstraps", "1"], "bootstraps"),
        (["--workers", "0"], "--workers"),
    ],
)
def test_an_option_that_cannot_be_is_wrong_usage(folders, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(folders)
    assert main(["evaluate", "pred", "o", "--data", "truth", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (folders / "o").exists()


def test_compare_finds_what_is_there_and_says_the_power_of_what_is_not(folders, capsys):
    for n, key in enumerate(KEYS):
        save(folders / "worse" / f"{key}.png", png(np.roll(truth_of(n), 3, 1)))
    evaluate(folders, out="a")
    evaluate(folders, pred="worse", out="b")
    out = str(folders / "cmp")
    command = ["compare", out, f"near={folders / 'a'}", f"far={folders / 'b'}", f"twin={folders / 'a'}"]
    assert main(command) == 0
    assert "Done" in capsys.readouterr().out
    content = json.loads((folders / "cmp" / "comparison.json").read_text())
    by_pair = {(one["figure"], one["first"], one["second"]): one for one in content["comparisons"]}
    one = by_pair["dice", "near", "far"]
    assert one["difference"]["value"] < 0
    assert one["share_improved"] == 0
    assert one["difference"]["n"] == 5
    twins = by_pair["dice", "near", "twin"]
    assert twins["difference"]["value"] == 0
    assert twins["permutation_p"] == 1
    assert not twins["is_seen"]
    back = by_pair["dice", "far", "twin"]
    assert back["difference"]["value"] == pytest.approx(-one["difference"]["value"])
    assert any("no difference seen between near and twin" in verdict for verdict in content["verdicts"])
    assert main(command) == 0
    assert "Already there" in capsys.readouterr().out


def test_compare_refuses_what_is_not_alike(dataset, capsys):
    for split in ("validation", "test"):
        evaluate(dataset, data="data", split=split, out=split)
    pair = [f"a={dataset / 'validation'}", f"b={dataset / 'test'}"]
    assert main(["compare", str(dataset / "cmp"), *pair]) == 1
    assert "differ in split" in capsys.readouterr().err
    assert main(["compare", str(dataset / "cmp"), pair[0]]) == 2
    assert main(["compare", str(dataset / "cmp"), "nonsense"]) == 2


def test_the_human_yardstick_is_of_the_patients_that_were_judged(folders, monkeypatch):
    from hilum.core import Failures
    from hilum.workflows import yardstick

    asked = []

    def of(patients):
        asked.append(set(patients))
        return yardstick.Yardstick("some", (), 0, 0, 0, Failures())

    monkeypatch.setattr(yardstick, "patients_yardstick", of)
    case = {"nodules": None, "pixel_mm": [1.0, 1.0], "sha256": "", "image": None}
    cases = [
        {**case, "key": key, "patient": f"LIDC-IDRI-{n:04}", "masks": {"union": f"{key}.png"}}
        for n, key in enumerate(KEYS)
    ]
    splits = {"rule": "made", "hash": "abc", "test": [one["patient"] for one in cases]}
    index = {"schema": "hilum.dataset/1", "kind": "drr-pairs", "cases": cases, "splits": splits, "failures": []}
    (folders / "truth" / "dataset.json").write_text(json.dumps(index))
    (folders / "pred" / "case0.png").unlink()
    run_evaluate(
        folders / "pred", TruthWanted(folders / "truth", "test"), folders / "out", EvaluateOptions(bootstraps=DRAWS)
    )
    assert asked == [{f"LIDC-IDRI-{n:04}" for n in range(1, 6)}]


def test_a_data_set_wants_its_split_named_and_training_cases_ring(dataset):
    with pytest.raises(InputError, match=r"train, validation, test, all.*none was chosen"):
        evaluate(dataset, data="data")
    every = evaluate(dataset, data="data", split="all").evaluation
    (raised,) = [alarm for alarm in every.alarms if alarm.name == "training_cases_reported"]
    assert raised.evidence == ("p0", "p1")
    assert not raised.is_note
    test = evaluate(dataset, data="data", split="test", out="test").evaluation
    assert "training_cases_reported" not in [alarm.name for alarm in test.alarms]
    assert evaluate(dataset, out="plain").evaluation.split == "all"


def test_compare_carries_what_was_doubtful_of_each_model(folders, capsys):
    evaluate(folders, out="a")
    (folders / "pred" / "case0.png").unlink()
    evaluate(folders, out="b")
    command = ["compare", str(folders / "cmp"), f"all={folders / 'a'}", f"some={folders / 'b'}"]
    for _ in range(2):
        assert main(command) == 0
        assert "alarm: some: 1 of 6 cases could not be judged" in capsys.readouterr().err
    content = json.loads((folders / "cmp" / "comparison.json").read_text())
    carried = next(one for one in content["alarms"] if one["name"] == "cases_failed")
    assert carried["evidence"] == ["some: case0"]
    assert "Alarm, cases_failed: some:" in (folders / "cmp" / "report.html").read_text()


def test_compare_refuses_other_masks_under_the_same_names(folders, capsys):
    for n, key in enumerate(KEYS):
        save(folders / "bytes" / "truth" / f"{key}.png", truth_of(n).astype(np.uint8))  # the same, written as 0 and 1
        save(folders / "moved" / "truth" / f"{key}.png", png(np.roll(truth_of(n), 4, 0)))
    evaluate(folders, out="a")
    for other in ("bytes", "moved"):
        evaluate(folders, data=f"{other}/truth", out=f"{other}/out")
    assert main(["compare", str(folders / "same"), f"a={folders / 'a'}", f"b={folders / 'bytes' / 'out'}"]) == 0
    assert main(["compare", str(folders / "cmp"), f"a={folders / 'a'}", f"b={folders / 'moved' / 'out'}"]) == 1
    assert "different true masks" in capsys.readouterr().err
    assert not (folders / "cmp").exists()


def test_grey_edges_are_no_classes(folders):
    soft = (255 * np.clip(np.roll(truth_of(3), 1, 0) * 0.4 + truth_of(3) * 0.6, 0, 1)).astype(np.uint8)
    save(folders / "truth" / "case3.png", soft)
    with pytest.raises(InputError, match=r"3 values besides 0 .*case3\.png.*nobody declared"):
        evaluate(folders)
    assert not (folders / "out").exists()


def test_masks_written_in_two_ways_are_one_class_only_when_said(folders):
    save(folders / "truth" / "case1.png", truth_of(1).astype(np.uint8))
    with pytest.raises(InputError, match=r"some true masks have 1 and some 255 \(case1\.png, case0\.png\)") as raised:
        evaluate(folders)
    assert "--classes" in raised.value.remedy
    assert not evaluate(folders, classes={1: "lesion"}).failures


def test_the_same_image_in_another_split_is_found(dataset):
    shutil.copy(dataset / "data" / "case0_x.png", dataset / "data" / "case4_x.png")
    raised = {alarm.name: alarm for alarm in evaluate(dataset, data="data", split="test").evaluation.alarms}
    assert raised["duplicate_images"].evidence == ("case4, case0 (train)",)
    assert not raised["duplicate_images"].is_note


def test_the_same_truth_twice_in_a_plain_folder_is_found_and_empty_ones_are_not(folders):
    assert "duplicate_truths" not in [alarm.name for alarm in evaluate(folders).evaluation.alarms]
    shutil.copy(folders / "truth" / "case0.png", folders / "truth" / "case1.png")
    shutil.copy(folders / "truth" / "case5.png", folders / "truth" / "case4.png")
    raised = {alarm.name: alarm for alarm in evaluate(folders, out="again").evaluation.alarms}
    assert raised["duplicate_truths"].evidence == ("case0, case1",)


def test_a_threshold_that_changes_nothing_is_said(folders):
    found = evaluate(folders, threshold=0.5).evaluation
    assert math.isnan(found.threshold.value)
    raised = {alarm.name: alarm for alarm in found.alarms}
    assert "0.5 has no effect on 6 of 6 predictions" in raised["threshold_unused"].says
    assert raised["threshold_unused"].is_note
    assert "threshold_unused" not in [alarm.name for alarm in evaluate(folders, out="plain").evaluation.alarms]


def test_masks_and_probabilities_are_told_apart_over_all_cases(folders):
    save(folders / "pred" / "case4.png", (65535 * (0.2 + 0.5 * truth_of(4))).astype(np.uint16))
    with pytest.raises(InputError, match="1 of 6 predictions are probabilities"):
        evaluate(folders)
    found = evaluate(folders, threshold=0.5).evaluation
    assert found.threshold.value == 0.5
    (noted,) = [alarm for alarm in found.alarms if alarm.name == "threshold_unused"]
    assert "5 of 6" in noted.says


def test_a_reader_that_leaves_does_not_turn_failed_cases_into_success(folders):
    (folders / "pred" / "case0.png").unlink()
    words = ["evaluate", str(folders / "pred"), str(folders / "out"), "--data", str(folders / "truth")]
    code = f"import sys; from hilum.cli.app import main; sys.exit(main({[*words, '--bootstraps', '100']!r}))"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert done.returncode == 3
    assert b"case0" in done.stderr
    assert b"BrokenPipe" not in done.stderr


def test_many_failures_are_counted_after_twenty(tmp_path, capsys):
    for n in range(25):
        save(tmp_path / "truth" / f"t{n:02}.png", png(truth_of(1)))
    save(tmp_path / "pred" / "t00.png", png(truth_of(1)))
    command = ["evaluate", str(tmp_path / "pred"), str(tmp_path / "out"), "--data", str(tmp_path / "truth")]
    assert main([*command, "--bootstraps", "100"]) == 3
    said = capsys.readouterr().err
    assert said.count("has no prediction.") == 20
    assert "and 4 more" in said


def test_a_page_without_alarms_says_what_was_looked_for(folders):
    for n, key in enumerate(KEYS):  # a key of its own for each patient is worth a note, no alarm
        save(folders / "pred" / f"{key}.png", png(truth_of(n)))
    evaluate(folders)
    page = (folders / "out" / "report.html").read_text()
    assert "No alarms. Looked for" in page
    assert "a threshold chosen on reported patients" in page
    assert "false positives per image" in page
