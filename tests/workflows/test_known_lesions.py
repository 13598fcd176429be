"""`hilum predict` and `hilum evaluate` with a second look at known lesions: files, words, refusals, and going on."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from hilum.cli.app import main
from hilum.core import ConfigError
from hilum.infer.loaded import load_model
from hilum.io.json_file import write_json
from hilum.models.catalogue import ModelConfig
from hilum.workflows.output import sha256_of
from hilum.workflows.predict import PredictOptions, run_predict
from tests.over_time import write_pairs_over_time
from tests.trained import STEP_MM, tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_pairs_over_time(tmp_path_factory.mktemp("pairs"))


def again(folder, gone_threshold):
    """A model of known lesions that says .6 everywhere, and calls gone what is below a threshold."""
    config = ModelConfig(name="unet", options={"widths": (4, 8), "inputs": 3, "start_probability": 0.6})
    torch.manual_seed(0)
    weights = config.build().state_dict()
    weights["head.0.weight"] *= 0
    folder.mkdir()
    save_file(weights, folder / "weights.safetensors")
    data = {"pixel_mm": 1.0, "prior": "earlier", "prior_lesions": True, "view": "known_lesions"}
    settings = {"config": {"model": config.plain(), "data": data}, "schema": "hilum.model/1", "hash": "x"}
    gone = {"value": gone_threshold, "chosen_on": "validation"}
    write_json(folder / "config.json", settings | {"threshold": {"value": 0.9}, "gone_threshold": gone})
    return folder


@pytest.fixture
def models(tmp_path):
    return {"first": tiny_model(tmp_path / "first"), "all": again(tmp_path / "all", 0.7)} | {
        "none": again(tmp_path / "none", 0.5)
    }


def options(models, name):
    return PredictOptions(str(models["first"]), "validation", known_lesions=str(models[name]))


def test_every_known_lesion_has_its_word(folder, models, tmp_path):
    done = {name: run_predict([folder], tmp_path / f"out_{name}", options(models, name)) for name in ("all", "none")}
    assert {name: (one.gone, one.known) for name, one in done.items()} == {"all": (5, 5), "none": (0, 5)}
    content = json.loads((tmp_path / "out_all" / "case-3" / "nodules.json").read_text())
    assert [one["id"] for one in content["known"]] == ["1", "2", "3", "4"]
    first = content["known"][0]
    assert set(first) == {"id", "centre_px", "was_mm", "now_mm", "score", "threshold", "called"}
    assert (first["called"], first["threshold"]) == ("gone", 0.7)
    assert first["score"] == pytest.approx(0.6, abs=0.01)
    assert first["was_mm"] == pytest.approx(10, rel=0.1)
    assert first["now_mm"] is None
    there = json.loads((tmp_path / "out_none" / "case-3" / "nodules.json").read_text())["known"][0]
    assert there["now_mm"] == pytest.approx(there["was_mm"], rel=0.1)  # it isn't seen, so it stays as it was
    assert content["study"]["known_lesions"]["weights_hash"] == load_model(str(models["all"])).weights_hash
    index = json.loads((tmp_path / "out_all" / "predictions.json").read_text())
    assert index["provenance"]["options"]["known_lesions"]["thresholds"] == {"mask": 0.9, "gone": 0.7}
    assert (tmp_path / "out_all" / "case-3" / "overlay.png").stat().st_size


def test_what_is_gone_is_in_no_mask_and_what_is_not_seen_stays_as_it_was(folder, models, tmp_path):
    masks = {}
    plain = PredictOptions(str(models["first"]), "validation")
    for name, wanted in (("plain", plain), ("all", options(models, "all")), ("none", options(models, "none"))):
        run_predict([folder], tmp_path / f"out_{name}", wanted)
        masks[name] = np.array(Image.open(tmp_path / f"out_{name}" / "case-3" / "mask.png")) > 0
    known = np.array(Image.open(folder / "cases/case-3/prior_mask.png")) > 0
    assert masks["plain"][known].any()
    notes = json.loads((tmp_path / "out_all" / "case-3" / "nodules.json").read_text())["study"]["notes"]
    assert masks["all"][known].any() == any("reach far beyond" in note for note in notes)
    assert masks["all"][known].sum() < masks["plain"][known].sum()
    assert not (masks["all"] & ~masks["plain"]).any()
    assert (masks["none"] & known).sum() / known.sum() > 0.9  # still there, and no pixel of its own mask


def test_another_second_model_is_another_run(folder, models, tmp_path):
    out = tmp_path / "out"
    assert not run_predict([folder], out, options(models, "all")).was_done
    left = run_predict([folder], out, options(models, "all"))
    assert (left.was_done, left.gone, left.known) == (True, 5, 5)
    inputs = json.loads((out / "run.json").read_text())["inputs"]
    assert inputs["known lesions' model weights.safetensors"] == sha256_of(models["all"] / "weights.safetensors")
    assert main(["predict", str(folder), str(out), "--model", str(models["first"]), "--split", "validation"]) != 0


def test_a_model_is_given_where_it_belongs(folder, models, tmp_path):
    with pytest.raises(ConfigError, match="beside a model that does"):
        run_predict([folder], tmp_path / "a", PredictOptions(str(models["all"])))
    with pytest.raises(ConfigError, match="looks at whole pictures"):
        run_predict([folder], tmp_path / "b", PredictOptions("default", known_lesions=str(models["first"])))
    assert not (tmp_path / "b").exists()


def test_an_earlier_film_and_its_mask_are_needed(folder, models, tmp_path):
    case = folder / "cases" / "case-3"
    alone = PredictOptions(str(models["first"]), pixel_mm=STEP_MM, known_lesions=str(models["all"]))
    with pytest.raises(ConfigError, match="Give it with --prior FILE"):
        run_predict([case / "current.png"], tmp_path / "a", alone)


def test_the_words_of_both_commands(folder, models, tmp_path, capsys):
    places = [str(folder), str(tmp_path / "out"), "--known-lesions", str(models["all"]), "--split", "validation"]
    assert main(["predict", *places, "--model", str(models["first"])]) == 0
    assert "5 of 5 known nodules called gone" in capsys.readouterr().out
    judged = ["evaluate", str(models["first"]), str(tmp_path / "judged"), "--data", str(folder), *places[2:]]
    assert main([*judged, "--bootstraps", "0"]) == 0
    index = json.loads((tmp_path / "judged_predictions" / "predictions.json").read_text())
    assert [case["gone"] for case in index["cases"]] == [1, 4]
    assert "noticed 1.000" in capsys.readouterr().out
    other = ["evaluate", str(tmp_path / "out"), str(tmp_path / "other"), "--data", str(folder), *places[2:]]
    assert main(other) != 0
    assert "--known-lesions is for a model that predicts first" in capsys.readouterr().err


def test_a_model_of_new_lesions_has_the_shipped_one_of_known_ones_beside_it(folder, tmp_path):
    found = run_predict([folder], tmp_path / "both", PredictOptions(split="validation"))
    assert found.model == "xray_new_lesions"
    assert found.known == 5
    alone = run_predict([folder], tmp_path / "new", PredictOptions(split="validation", known_lesions="none"))
    assert alone.known is None
