"""`hilum evaluate MODEL`: predictions first, then their figures by the model's own threshold."""

import json

import numpy as np
import pytest
from PIL import Image

from hilum.cli.app import main
from tests.datasets.test_chest import chest
from tests.trained import STEP_MM, THRESHOLD, tiny_model


@pytest.fixture
def films(tmp_path):
    """A prepared data set of four films, two of them in validation."""
    folder, cases = tmp_path / "films", []
    folder.mkdir()
    picture = (chest(STEP_MM) * 255).astype(np.uint8)
    for number in range(4):
        mask = np.zeros(picture.shape, np.uint8)
        mask[60 + 10 * number : 75 + 10 * number, 80:95] = 255
        Image.fromarray(np.roll(picture, number, 1)).save(folder / f"{number}.png")
        Image.fromarray(mask).save(folder / f"{number}_mask.png")
        masks = {"union": f"{number}_mask.png"}
        case = {"key": f"film{number}", "patient": f"p{number}", "image": f"{number}.png", "masks": masks}
        cases.append({**case, "nodules": None, "pixel_mm": [STEP_MM, STEP_MM], "sha256": str(number)})
    splits = {"rule": "made", "seed": None, "hash": "abc", "train": ["p0", "p1"], "validation": ["p2"], "test": ["p3"]}
    content = {"schema": "hilum.dataset/1", "kind": "films", "source": {}, "options": {}, "cases": cases}
    (folder / "dataset.json").write_text(json.dumps({**content, "splits": splits, "failures": []}))
    return folder


def evaluated(films, model, out, split):
    words = ["evaluate", str(model), str(out), "--data", str(films), "--split", split, "--bootstraps", "100"]
    assert main(words) == 0
    return json.loads((out / "evaluation.json").read_text())


def test_a_model_is_judged_with_its_own_threshold(films, tmp_path):
    found = evaluated(films, tiny_model(tmp_path / "tiny", ["p2"]), tmp_path / "out", "test")
    assert found["threshold"] == {"value": THRESHOLD, "chosen_on": "validation of films"}
    assert found["n_cases"] == 1
    assert (tmp_path / "out_predictions" / "film3" / "mask.png").is_file()
    assert "threshold_on_reported" not in {alarm["name"] for alarm in found["alarms"]}


def test_figures_on_the_patients_of_the_threshold_are_said_to_flatter(films, tmp_path):
    found = evaluated(films, tiny_model(tmp_path / "tiny", ["p2"]), tmp_path / "out", "validation")
    assert "threshold_on_reported" in {alarm["name"] for alarm in found["alarms"]}


def test_the_masks_are_those_of_the_threshold(films, tmp_path):
    model = tiny_model(tmp_path / "tiny")
    mine = evaluated(films, model, tmp_path / "mine", "test")["figures"]
    words = ["evaluate", str(tmp_path / "mine_predictions"), str(tmp_path / "out"), "--data", str(films)]
    assert main([*words, "--split", "test", "--bootstraps", "100", "--as", "masks"]) == 0
    masks = json.loads((tmp_path / "out" / "evaluation.json").read_text())["figures"]
    assert masks["dice_mean"]["value"] == pytest.approx(mine["dice_mean"]["value"], abs=2e-3)


def test_a_model_needs_pictures(films, tmp_path, capsys):
    masks = tmp_path / "masks"
    masks.mkdir()
    Image.fromarray(np.eye(64, dtype=np.uint8)).save(masks / "film0.png")
    model = tiny_model(tmp_path / "tiny")
    assert main(["evaluate", str(model), str(tmp_path / "out"), "--data", str(masks)]) == 1
    assert "no pictures for the model" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [[], ["--split", "test", "--truth", "consensus"]])
def test_what_is_asked_for_is_checked_before_anything_is_predicted(films, tmp_path, wrong):
    model, out = tiny_model(tmp_path / "tiny", ["p2"]), tmp_path / "out"
    assert main(["evaluate", str(model), str(out), "--data", str(films), *wrong]) != 0
    assert not (tmp_path / "out_predictions").exists()
    evaluated(films, model, out, "test")


def test_the_report_says_where_the_threshold_is_from_without_listing_everybody(films, tmp_path):
    patients = [f"patient-{number}" for number in range(40)]
    evaluated(films, tiny_model(tmp_path / "tiny", patients), tmp_path / "out", "test")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "patients: 40 of them" in page
    assert "patient-17" not in page
