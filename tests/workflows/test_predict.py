"""`hilum predict` from files to files: what it leaves, what it says of bad input, and that it goes on where it was."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from hilum.cli.app import main
from hilum.io import read_radiograph
from hilum.workflows.predict import PredictOptions, run_predict
from tests.datasets.test_chest import chest
from tests.trained import STEP_MM, tiny_model


@pytest.fixture
def model(tmp_path):
    return tiny_model(tmp_path / "tiny")


@pytest.fixture
def films(tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    for name, turned in (("one", False), ("two", True)):
        picture = chest(STEP_MM)[:, ::-1] if turned else chest(STEP_MM)
        Image.fromarray((picture * 255).astype(np.uint8)).save(folder / f"{name}.png")
    return folder


def test_every_film_gets_its_files(films, model, tmp_path):
    done = run_predict([films], tmp_path / "out", PredictOptions(str(model), pixel_mm=STEP_MM))
    assert done.keys == ("one", "two")
    for key in done.keys:
        folder = tmp_path / "out" / key
        probability, mask = (np.array(Image.open(folder / f"{name}.png")) for name in ("probability", "mask"))
        assert probability.shape == mask.shape == read_radiograph(films / f"{key}.png").array.shape
        level = 0.3 * 65535
        assert mask[probability > level + 1].all()
        assert not mask[probability < level - 1].any()
        assert 0.01 < mask.mean() < 0.99
        nodules = json.loads((folder / "nodules.json").read_text())["nodules"]
        scores = [nodule["score"] for nodule in nodules]
        assert scores == sorted(scores, reverse=True)
        assert (folder / "overlay.png").stat().st_size > 10_000
    index = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert index["schema"] == "hilum.predictions/1"
    assert index["provenance"]["thresholds"]["mask"] == 0.3
    assert len(index["provenance"]["weights_hash"]) == 64


def test_the_same_again_is_there_already_and_another_is_refused(films, model, tmp_path, capsys):
    words = ["predict", str(films / "one.png"), str(tmp_path / "out"), "--model", str(model)]
    assert main(words) == 0
    assert main(words) == 0
    said = capsys.readouterr()
    assert "Already there" in said.out
    assert "other code" not in said.err
    made = tmp_path / "out" / "run.json"
    made.write_text(json.dumps({**json.loads(made.read_text()), "code": "0" * 64}))
    assert main(words) == 0
    assert "made by other code of hilum" in capsys.readouterr().err
    assert main([*words, "--threshold", "0.9"]) == 1
    assert main([*words, "--threshold", "0.9", "--force"]) == 0


def test_broken_files_are_listed_and_the_rest_is_predicted(films, model, tmp_path, capsys):
    (films / "broken.png").write_bytes((films / "one.png").read_bytes()[:300])
    Image.fromarray(np.zeros((200, 200), np.uint8)).save(films / "black.png")
    assert main(["predict", str(films), str(tmp_path / "out"), "--model", str(model)]) == 3
    failures = json.loads((tmp_path / "out" / "failures.json").read_text())
    assert {failure["input"].rsplit("/", 1)[-1] for failure in failures} == {"broken.png", "black.png"}
    assert "2 X-rays" in capsys.readouterr().out


def test_a_stopped_run_goes_on(films, model, tmp_path):
    options = PredictOptions(str(model))

    def stopping(items, label):
        yield items[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_predict([films], tmp_path / "out", options, track=stopping)
    first = (tmp_path / "out" / "one" / "mask.png").stat().st_mtime_ns
    seen = []

    def seeing(items, _label):
        seen.extend(items)
        return items

    run_predict([films], tmp_path / "out", options, track=seeing)
    assert seen == ["two"]
    assert (tmp_path / "out" / "one" / "mask.png").stat().st_mtime_ns == first


def test_without_millimetres_none_are_given(films, model, tmp_path):
    run_predict([films / "one.png"], tmp_path / "out", PredictOptions(str(model)))
    study = json.loads((tmp_path / "out" / "one" / "nodules.json").read_text())
    assert study["study"]["pixel_mm"] is None
    assert "no millimetres are given" in study["study"]["notes"][0]
    assert all("equivalent_diameter_mm" not in one["characteristics"] for one in study["nodules"])


def test_two_films_of_one_name_keep_apart(films, model, tmp_path):
    (films / "more").mkdir()
    (films / "one.png").rename(films / "more" / "two.png")
    assert run_predict([films], tmp_path / "out", PredictOptions(str(model))).keys == ("two", "two-2")


def test_test_time_augmentation_of_a_symmetric_network_is_symmetric(films, model, tmp_path):
    maps = []
    for name in ("one", "two"):  # two is one's mirror image
        run_predict([films / f"{name}.png"], tmp_path / name, PredictOptions(str(model), tta=True, pixel_mm=STEP_MM))
        maps.append(np.array(Image.open(tmp_path / name / name / "probability.png")).astype(float) / 65535)
    assert np.abs(maps[0] - maps[1][:, ::-1]).mean() < 0.02


@pytest.mark.parametrize(
    ("words", "says", "code"),
    [
        (["{films}", "{out}", "--model", "nobody"], "there is no model 'nobody'", 1),
        (["{films}/none.png", "{out}", "--model", "{model}"], "none.png", 1),
        (["{empty}", "{out}", "--model", "{model}"], "nothing to predict", 1),
        (["{films}", "{out}", "--model", "{model}", "--threshold", "2"], "--threshold", 2),
        (["{films}", "{out}", "--model", "{model}", "--pixel-mm", "0"], "0.01 to 10 mm", 2),
        (["{films}", "{out}", "--model", "{model}", "--pixel-mm", "0.0001"], "0.01 to 10 mm", 2),
    ],
)
def test_bad_input_is_one_clear_line(words, says, code, films, model, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    places = {"films": films, "model": model, "out": tmp_path / "out", "empty": tmp_path / "empty"}
    assert main(["predict", *(word.format(**places) for word in words)]) == code
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_said_once(films, model, tmp_path, capsys):
    words = ["predict", str(films), str(tmp_path / "out"), "--model", str(model), "--device", "cuda"]
    assert main(words) == 1
    assert "cuda is asked for" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
