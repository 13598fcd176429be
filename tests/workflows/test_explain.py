"""`hilum explain` from files to files: what it leaves, what it says, and that bad input costs a line."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from hilum.cli.app import main
from hilum.io import read_radiograph
from hilum.workflows.explain import ExplainRequest, pointing, run_explain
from hilum.workflows.predict_options import PredictOptions
from tests.datasets.test_chest import chest
from tests.report.test_explanation import explanation
from tests.slices import slice_hu, slice_model, stretched, write_slices
from tests.trained import STEP_MM, tiny_model
from tests.xrays import chest as drawn
from tests.xrays import write_xrays

MM = ("--pixel-mm", str(STEP_MM))

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def films(tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    for name, picture in (("one", chest(STEP_MM)), ("two", chest(STEP_MM)[:, ::-1])):
        Image.fromarray((picture * 255).astype(np.uint8)).save(folder / f"{name}.png")
    return folder


def case_of(folder, key):
    return json.loads((folder / key / "explanation.json").read_text())


def test_every_film_gets_its_panel_map_and_words(films, model, tmp_path):
    out = tmp_path / "out"
    done = run_explain([films], out, ExplainRequest(PredictOptions(str(model), pixel_mm=STEP_MM)))
    assert [case["key"] for case in done.index["cases"]] == ["one", "two"]
    for key in ("one", "two"):
        shape = read_radiograph(films / f"{key}.png").array.shape
        heat = np.array(Image.open(out / key / "map.png"))
        assert heat.shape == shape
        assert heat.max() == 65535
        height, width, _ = np.array(Image.open(out / key / "panel.png")).shape
        assert width > 1.5 * height * shape[1] / shape[0], "two pictures"
        about = case_of(out, key)
        assert about["schema"] == "hilum.explanation/1"
        assert about["layer"] == "encoder.stages.1"
        assert about["cell_px"] == pytest.approx([4, 4])
        assert "pixels with a score of at least 0.3" in about["target"]
        assert about["sanity"] is None
        assert about["truth"] is None
        assert set(about["units"]) >= {"map", "highest", "cell_px"}
        assert about["provenance"]["version"]
        assert len(about["provenance"]["weights_hash"]) == 64
        assert not (out / key / "sanity.png").exists()


def test_the_sanity_check_is_drawn_and_told(films, model, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["explain", str(films / "one.png"), str(out), "--model", str(model), "--sanity", "--seed", "3"]
    assert main([*words, *MM]) == 0
    said, found = capsys.readouterr(), case_of(out, "one")["sanity"]
    assert found["seed"] == 3
    assert found["most"] == 0.5
    assert [step["part"] for step in found["steps"]][-1] == "all of the encoder"
    assert len(found["steps"][0]["rank_correlations"]) == 5
    assert (out / "one" / "sanity.png").stat().st_size > 10_000
    counts = json.loads((out / "explanations.json").read_text())["summary"]["sanity"]
    assert sum(counts.values()) == 1
    assert "Sanity check: " in said.out
    assert ("sanity check FAILED" in said.err) == (found["passes"] is False)


def test_a_data_set_has_a_truth_to_point_at(model, tmp_path, capsys):
    data = write_xrays(tmp_path / "pairs", [drawn("LIDC-IDRI-0006"), drawn("LIDC-IDRI-0011", lesions=())])
    words = ["explain", str(data), str(tmp_path / "out"), "--model", str(model), "--split", "validation"]
    assert main(words) == 0
    first, second = (case_of(tmp_path / "out", key)["truth"] for key in ("LIDC-IDRI-0006-0", "LIDC-IDRI-0011-1"))
    assert first["area_share"] == pytest.approx(np.pi * 4**2 / (60 * 70), rel=0.1)
    assert 0 <= first["heat_share"] <= 1
    assert second is None
    assert "Hottest pixel in the truth: " in capsys.readouterr().out
    summary = json.loads((tmp_path / "out" / "explanations.json").read_text())["summary"]
    assert summary["pointing"]["cases"] == 1


def test_ct_slices_are_explained_by_a_model_of_slices(tmp_path, capsys):
    data = write_slices(tmp_path / "slices", [("LIDC-IDRI-0006", "1", 3, (33, 33), 6)])
    folder = slice_model(tmp_path / "of_slices")
    words = ["explain", str(data), str(tmp_path / "out"), "--model", str(folder), "--split", "validation"]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "3 slices" in said.out
    about = case_of(tmp_path / "out", "LIDC-IDRI-0006-1-1")
    assert about["cell_px"] == pytest.approx([4, 4])
    assert about["truth"]["area_share"] == pytest.approx(np.pi * 6**2 / 64**2, rel=0.1)
    assert np.array(Image.open(tmp_path / "out" / "LIDC-IDRI-0006-1-1" / "map.png")).shape == (64, 64)
    assert main([*words, "--style", "film", "--force"]) == 1
    assert "--style" in capsys.readouterr().err


def test_a_picture_of_a_slice_is_explained_at_a_point(tmp_path):
    """The shipped model is told it: another point, another map."""
    hu, _ = slice_hu((96, 96), (40, 44), 7)
    Image.fromarray(stretched(hu)).save(tmp_path / "slice.png")
    maps = []
    for at in ("40,44", "70,80"):
        words = ["--point-px", at, "--pixel-mm", "0.7", "--layer", "decoder.stages.1"]
        assert main(["explain", str(tmp_path / "slice.png"), str(tmp_path / at), *words]) == 0
        maps.append(np.array(Image.open(tmp_path / at / "slice" / "map.png")).astype(int))
    assert (maps[0] != maps[1]).any()
    hottest = np.unravel_index(maps[0].argmax(), maps[0].shape)
    assert np.hypot(hottest[0] - 40, hottest[1] - 44) < 14


def test_the_pointing_game_by_hand():
    truth = np.zeros((8, 10), bool)
    truth[2, 3:5] = True
    heat = np.zeros(truth.shape, np.float32)
    heat[2, 3], heat[7, 7] = 1, 0.6
    found = explanation(heat=heat, probability=heat[::-1].copy())
    expected = {"hottest_in": True, "likeliest_in": False, "area_share": 2 / 80, "heat_share": 1 / 1.6}
    assert pointing(found, truth) == pytest.approx(expected)
    empty = pointing(explanation(heat=np.zeros_like(heat)), truth)
    assert (empty["hottest_in"], empty["heat_share"]) == (None, None)
    assert pointing(found, np.zeros_like(truth)) is None


def test_broken_files_are_listed_and_the_rest_is_explained(films, model, tmp_path, capsys):
    (films / "broken.png").write_bytes((films / "one.png").read_bytes()[:300])
    Image.fromarray(np.zeros((200, 200), np.uint8)).save(films / "black.png")
    words = ["explain", str(films), str(tmp_path / "out"), "--model", str(model), *MM]
    assert main(words) == 3
    failures = json.loads((tmp_path / "out" / "failures.json").read_text())
    assert {failure["input"].rsplit("/", 1)[-1] for failure in failures} == {"broken.png", "black.png"}
    assert "2 X-rays" in capsys.readouterr().out
    assert main(words) == 3
    assert "Already there" in capsys.readouterr().out
    assert main([*words, "--layer", "encoder.stages.0"]) == 1
    assert "holds the result of another run" in capsys.readouterr().err


def test_a_run_that_was_stopped_goes_on(films, model, tmp_path):
    request = ExplainRequest(PredictOptions(str(model), pixel_mm=STEP_MM))

    def stopping(items, _label):
        yield items[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_explain([films], tmp_path / "out", request, track=stopping)
    seen = []

    def seeing(items, _label):
        seen.extend(items)
        return items

    run_explain([films], tmp_path / "out", request, track=seeing)
    assert seen == ["two"]


@pytest.mark.parametrize(
    ("words", "says", "code"),
    [
        (["--model", "nobody"], "there is no model 'nobody'", 1),
        (["--model", "{model}", "--layer", "encoder.stages.7"], "It has: encoder.stages.0, encoder.stages.1,", 1),
        (["--model", "{model}", "--layer", "encoder"], "gives no features", 1),
        (["--model", "{model}", "--method", "guess"], "--method", 2),
        (["--model", "{model}", "--threshold", "2"], "--threshold", 2),
    ],
)
def test_bad_input_is_one_clear_line(words, says, code, films, model, tmp_path, capsys):
    places = [word.format(model=model) for word in words]
    assert main(["explain", str(films), str(tmp_path / "out"), *places]) == code
    assert says in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_a_pretrained_network_marks_nothing_to_explain(films, model, tmp_path, capsys):
    shutil.copytree(model, tmp_path / "pretext")
    config = json.loads((model / "config.json").read_text())
    config["config"]["pretext"] = {"name": "redraw"}
    (tmp_path / "pretext" / "config.json").write_text(json.dumps(config))
    assert main(["explain", str(films), str(tmp_path / "out"), "--model", str(tmp_path / "pretext")]) == 1
    assert "marks no lesions" in capsys.readouterr().err
