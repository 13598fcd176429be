"""CT slices from a data set through training to predictions and figures, and what is refused on the way."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from hilum.cli.app import main
from hilum.core import ConfigError, InputError, MissingError, TooManyFailuresError
from hilum.infer.loaded import load_model
from hilum.infer.slices import SlicePredictor
from hilum.train.config import Machine, TrainConfig
from hilum.workflows import predict
from hilum.workflows.evaluate_data import TruthWanted
from hilum.workflows.evaluate_model import predictions_of
from hilum.workflows.predict import run_predict
from hilum.workflows.predict_options import PredictOptions
from hilum.workflows.train import TrainOptions, run_find_rate, run_train
from hilum.workflows.train_config import resolved_config
from hilum.workflows.train_data import read_data
from hilum.workflows.train_result import ship
from tests.slices import (
    NODULE_HU,
    PATIENTS,
    POINTED,
    STEP_MM,
    TINY,
    ball,
    slice_hu,
    slice_model,
    stretched,
    write_slices,
)
from tests.xrays import chest, write_xrays

pytestmark = pytest.mark.usefixtures("one_thread")
OPTIONS = TrainOptions(Machine(device="cpu", threads=1))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_slices(tmp_path_factory.mktemp("data") / "slices", PATIENTS)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "tiny"
    return run_train(TINY, data, out, OPTIONS)


@pytest.fixture
def model(tmp_path):
    return slice_model(tmp_path / "tiny")


def test_a_run_leaves_a_model_of_slices(run):
    folder = run.folder / "model"
    stored = json.loads((folder / "config.json").read_text())
    assert stored["config"]["data"]["kind"] == "slices"
    assert stored["hash"] == TINY.hash == TrainConfig.of(stored["config"]).hash
    assert stored["threshold"]["patients"] == ["LIDC-IDRI-0006", "LIDC-IDRI-0011"]
    assert 0 <= stored["validation"]["dice_by_nodule"] <= 1
    card = (folder / "card.md").read_text()
    for words in ("axial CT slices", "pixels as each scan has them", "whose place is known", "truth: `consensus`"):
        assert words in card
    assert "X-ray" not in card
    assert "LIDC-IDRI: CC BY 3.0" in card
    assert "of 3 nodules; 0 are of places without one" in card
    assert load_model(str(run.folder)).kind == "slices"
    assert (run.folder / "panels" / "epoch_002.png").is_file()


def test_the_same_run_is_there_already_and_validation_has_three_readers(run, data):
    assert run_train(TINY, data, run.folder, OPTIONS).was_done
    read = read_data(data, TINY)
    assert {one.reader_count for one in read.validation} == {3, 4}
    assert len(read.training) == 9


def test_a_rate_is_found_for_slices(data, tmp_path):
    found = run_find_rate(TINY, data, tmp_path / "rate", OPTIONS)
    assert len(found.rates) > 5


def test_data_of_another_kind_are_refused(data, tmp_path):
    xrays = write_xrays(tmp_path / "pairs", [chest("LIDC-IDRI-0002"), chest("LIDC-IDRI-0006")])
    with pytest.raises(InputError, match="kind drr-pairs, and the run is on data of the kind slices"):
        read_data(xrays, TINY)
    with pytest.raises(InputError, match="kind slices, and the run is on data of the kind xray"):
        read_data(data, TrainConfig())


def test_settings_of_both_kinds_by_word_and_file(tmp_path):
    assert resolved_config("slices", settings=["data.truth=union"]).data.truth == "union"
    assert resolved_config("xray_unet", settings=["data.truth=consensus"]).data.pixel_mm == 1.4
    changed = resolved_config("xray_unet", settings=["data.kind=slices"])
    assert (changed.data.kind, changed.data.truth) == ("slices", "consensus")
    (tmp_path / "run.yaml").write_text("data: {kind: slices, least_readers: 3}")
    assert resolved_config("xray_unet", tmp_path / "run.yaml").data.least_readers == 3
    (tmp_path / "run.yaml").write_text("data: {pixel_mm: 0.7}")
    assert resolved_config("slices", tmp_path / "run.yaml").data.kind == "slices"
    with pytest.raises(ConfigError, match=r"no setting 'data\.visibility_floor'"):
        resolved_config("slices", settings=["data.visibility_floor=0.5"])


def test_a_data_set_is_predicted_and_judged(run, data, tmp_path):
    out = tmp_path / "judged"
    predictions = predictions_of(str(run.folder), TruthWanted(data, "validation", "consensus"), out)
    index = json.loads((predictions / "predictions.json").read_text())
    assert [one["key"] for one in index["cases"]] == [f"{who}-{n}-{k}" for who, n, *_ in PATIENTS[3:] for k in range(3)]
    assert index["provenance"]["options"] == {"tta": False}
    words = ["evaluate", str(run.folder), str(out), "--data", str(data), "--split", "validation"]
    assert main([*words, "--truth", "consensus"]) == 0
    figures = json.loads((out / "evaluation.json").read_text())["figures"]
    assert figures["dice_mean"]["n"] == 6, "nodules of three readers and more"


def test_pictures_get_their_files_and_bad_ones_are_listed(model, tmp_path, capsys):
    folder = tmp_path / "slices"
    folder.mkdir()
    Image.fromarray(stretched(slice_hu((50, 41))[0])).save(folder / "one.png")
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(folder / "empty.png")
    Image.fromarray(np.tile(np.arange(200, dtype=np.uint8), (1100, 1))).save(folder / "xray.png")
    out = tmp_path / "out"
    assert main(["predict", str(folder), str(out), "--model", str(model), "--tta"]) == 3
    said = capsys.readouterr()
    assert "1 slices, 1 with something marked" in said.out
    assert "no millimetres are given" in said.err
    failed = json.loads((out / "failures.json").read_text())
    assert ["nobody knows what it shows" in one["error"] for one in failed] == [True, False]
    assert "more than a CT slice" in failed[1]["error"]
    assert np.array(Image.open(out / "one" / "mask.png")).shape == (50, 41)
    sized = tmp_path / "sized"
    words = ["predict", str(folder / "one.png"), str(sized), "--model", str(model), "--pixel-mm", str(STEP_MM), "--crf"]
    assert main(words) == 0
    nodules = json.loads((sized / "one" / "nodules.json").read_text())
    assert nodules["study"]["pixel_mm"] == [STEP_MM, STEP_MM]


@pytest.fixture
def ct(tmp_path):
    hu = np.stack([slice_hu((48, 52), (24, 30), 6, seed)[0] for seed in range(5)])
    # NIfTI is RAS: x and y run the other way.
    affine = np.diag([-STEP_MM, -STEP_MM, 2.0, 1.0])
    nib.save(nib.Nifti1Image(hu.transpose(2, 1, 0), affine), tmp_path / "ct.nii.gz")
    return tmp_path / "ct.nii.gz"


def test_the_nodule_at_a_point_of_a_ct(ct, model, tmp_path):
    point = f"{30 * STEP_MM},{24 * STEP_MM},4"
    words = ["predict", str(ct), str(tmp_path / "out"), "--model", str(model), "--threshold", "0.001"]
    assert main([*words, f"--point={point}"]) == 0
    folder = tmp_path / "out" / "ct"
    mask, source = nib.load(folder / "mask.nii.gz"), nib.load(ct)
    np.testing.assert_allclose(mask.affine, source.affine)
    assert mask.shape == source.shape
    (nodule,) = json.loads((folder / "nodules.json").read_text())["nodules"]
    voxels = int((np.asarray(mask.dataobj) > 0).sum())
    assert nodule["volume_mm3"] == pytest.approx(voxels * STEP_MM**2 * 2.0)
    assert nodule["centre_lps_mm"] is not None
    assert (folder / "overlay.png").stat().st_size > 5000
    assert main([*words, "--point", point]) == 0, "there already"


def test_what_fits_no_model_is_one_clear_line(ct, model, data, tmp_path):
    out, given = tmp_path / "out", PredictOptions(str(model))
    xrays = write_xrays(tmp_path / "pairs", [chest("LIDC-IDRI-0002"), chest("LIDC-IDRI-0006")])
    with pytest.raises(InputError, match="kind drr-pairs, and the model marks nodules on CT slices"):
        run_predict([xrays], out, given)
    with pytest.raises(InputError, match=r"a NIfTI volume.*--point x,y,z"):
        run_predict([ct], out, given)
    with pytest.raises(InputError, match="a point is one of one CT"):
        run_predict([ct, ct], out, PredictOptions(str(model), point=(0, 0, 0)))
    with pytest.raises(InputError, match="lies outside the CT"):
        run_predict([ct], out, PredictOptions(str(model), point=(900, 0, 0)))
    with pytest.raises(ConfigError, match="--point and --crf are for CTs and their slices"):
        run_predict([ct], out, PredictOptions("xray", point=(0, 0, 0), crf=True))
    with pytest.raises(ConfigError, match="--prior is for X-rays"):
        run_predict([data], out, PredictOptions(str(model), prior=ct))
    assert not out.exists(), "what is refused leaves nothing behind"


def test_a_model_to_give_away_is_the_one_that_ran_and_judged_anew(run, data, tmp_path):
    """No setting of X-rays comes in on the way; the figures are those of the rounded weights."""
    ship(str(run.folder), data, tmp_path / "small", OPTIONS.machine)
    whole, small = (json.loads((one / "config.json").read_text()) for one in (run.folder / "model", tmp_path / "small"))
    assert small["config"]["data"] == whole["config"]["data"]
    assert "leave_out_odd" not in small["config"]["data"]
    assert small["config"]["trainer"] == {**whole["config"]["trainer"], "store": "float16"}
    assert small["threshold"]["patients"] == whole["threshold"]["patients"]
    assert small["figures"]["dice_mean"]["value"] == pytest.approx(whole["figures"]["dice_mean"]["value"], abs=0.02)


def test_points_may_be_negative_with_an_equals_sign_or_a_space(ct, model, tmp_path, capsys):
    """Outside of this CT, so that the line says which point was understood."""
    for words in (["--point=-52.3,-171.0,-85.0"], ["--point", "-52.3,-171.0,-85.0"]):
        assert main(["predict", str(ct), str(tmp_path / "out"), "--model", str(model), *words]) == 1
        assert "-52.3" in (said := capsys.readouterr().err)
        assert "lies outside the CT" in said


def test_a_run_that_is_told_of_points_is_used_with_them(data, tmp_path, capsys):
    """Of a data set each slice's own point is taken; of a picture the one that is given, and without one it is said."""
    model = run_train(POINTED, data, tmp_path / "run", OPTIONS).folder
    assert "Second input: where the nodule is" in (model / "model" / "card.md").read_text()
    picture = data / "LIDC-IDRI-0011-1-1.png"
    at = {"there": (38.0, 28.0), "elsewhere": (10.0, 50.0), "nowhere": None}
    shown = {}
    for name, point in at.items():
        run_predict([picture], tmp_path / name, PredictOptions(str(model), pixel_mm=STEP_MM, point_px=point))
        shown[name] = np.asarray(Image.open(tmp_path / name / picture.stem / "probability.png")).astype(int)
    assert all((shown["there"] != shown[other]).any() for other in ("elsewhere", "nowhere"))
    run_predict([data], tmp_path / "set", PredictOptions(str(model), split="validation"))
    own = np.asarray(Image.open(tmp_path / "set" / picture.stem / "probability.png")).astype(int)
    np.testing.assert_array_equal(own, shown["there"])
    notes = json.loads((tmp_path / "nowhere" / "predictions.json").read_text())["cases"][0]["notes"]
    assert any("nobody says where the nodule is" in note for note in notes)
    for case in json.loads((tmp_path / "set" / "predictions.json").read_text())["cases"]:
        assert "made of the readers' outlines" in case["notes"][0]
    words = ["predict", str(picture), str(tmp_path / "out"), "--model", str(model), "--point-px"]
    for wrong, said in {"64,3": "lies outside", "5": "is no point", "a,b": "is no point"}.items():
        assert main([*words, wrong]) in (1, 2)
        assert said in capsys.readouterr().err
    with pytest.raises(InputError, match="a point of one picture, and there are 9"):
        run_predict([data], tmp_path / "o", PredictOptions(str(model), split="validation", point_px=(1.0, 1.0)))


def test_a_data_set_that_says_no_points_is_no_use_to_such_a_run(data, tmp_path):
    old = shutil.copytree(data, tmp_path / "old")
    index = json.loads((old / "dataset.json").read_text())
    for case in index["cases"]:
        del case["slice"]["point_px"]
    (old / "dataset.json").write_text(json.dumps(index))
    with pytest.raises(TooManyFailuresError, match="nobody says where the nodule of"):
        read_data(old, POINTED)


def test_points_are_three_numbers(ct, model, tmp_path, capsys):
    for words in (["--point=1,2"], ["--point=a,b,c"], ["--point=1,2,inf"], ["--point", "--crf"]):
        assert main(["predict", str(ct), str(tmp_path / "out"), "--model", str(model), *words]) != 0
        assert "is no point" in capsys.readouterr().err


def test_default_fits_the_input(data, tmp_path, monkeypatch):
    found = run_predict([data], tmp_path / "out", PredictOptions(split="validation"))
    assert (found.model, len(found.keys), found.what) == ("slices", 9, "slices")
    monkeypatch.setattr(predict, "shipped_models", lambda: ("xray",))
    with pytest.raises(MissingError, match="no model of CT slices comes with this hilum"):
        run_predict([data], tmp_path / "none")


def test_the_shipped_model_marks_the_nodule_that_is_meant(tmp_path):
    """Two discs in lung, as HU: told one, it marks that one, with as much around it as readers do, and no other."""
    hu, first = slice_hu((128, 128), (44, 50), 7)
    second = ball((128, 128), (84, 88), 7)
    hu[second] = NODULE_HU
    predictor = SlicePredictor(load_model("slices"))
    for place, meant, other in (((44, 50), first, second), ((84, 88), second, first)):
        mask = predictor("one", hu, (STEP_MM, STEP_MM), place).mask.labels > 0
        assert mask[meant].mean() > 0.9
        assert mask[other].mean() < 0.1
        assert mask.sum() < 3 * meant.sum()


def test_hu_of_a_data_set_are_used_where_they_are_known(model, data, tmp_path):
    """With the ends' true HU the picture is exact, so that the answer is that of the HU themselves."""
    copy = shutil.copytree(data, tmp_path / "copy")
    hu, _ = slice_hu(seed=0, centre=(30, 36), radius=6)
    content = json.loads((copy / "dataset.json").read_text())
    content["cases"] = content["cases"][:1]
    content["cases"][0]["slice"] |= {"hu_ends": [int(hu.min()), int(hu.max())], "point_px": None}
    (copy / "dataset.json").write_text(json.dumps(content))
    run_predict([copy], tmp_path / "out", PredictOptions(str(model)))
    key = content["cases"][0]["key"]
    found = np.array(Image.open(tmp_path / "out" / key / "probability.png")) / 65535
    np.testing.assert_allclose(found, SlicePredictor(load_model(str(model))).probability(hu), atol=0.02)
