"""Pieces of a CT from a data set through training to a model, and what is refused on the way."""

import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import ConfigError, InputError, TooManyFailuresError, UnsupportedError
from hilum.datasets.patch_config import PatchDataConfig
from hilum.infer.loaded import load_model, model_kind
from hilum.infer.subject import subject_of
from hilum.train.config import Machine, TrainConfig
from hilum.workflows.predict import run_predict
from hilum.workflows.predict_options import PredictOptions
from hilum.workflows.train import TrainOptions, run_train
from hilum.workflows.train_config import resolved_config
from hilum.workflows.train_data import read_data
from hilum.workflows.train_further import with_further
from hilum.workflows.train_result import ship
from tests.patches import CONTOURS, POINTED, TINY, patch_model, write_patches
from tests.slices import LUNG_HU, NODULE_HU, ball, write_slices

pytestmark = pytest.mark.usefixtures("one_thread")
OPTIONS = TrainOptions(Machine(device="cpu", threads=1))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_patches(tmp_path_factory.mktemp("data") / "pieces")


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    return run_train(POINTED, data, tmp_path_factory.mktemp("run") / "tiny", OPTIONS)


def test_a_run_leaves_a_model_of_pieces(run, data):
    folder = run.folder / "model"
    stored = json.loads((folder / "config.json").read_text())
    assert stored["config"]["data"]["kind"] == "ct-patches"
    assert stored["hash"] == POINTED.hash == TrainConfig.of(stored["config"]).hash
    assert stored["threshold"]["patients"] == ["LIDC-IDRI-0006", "LIDC-IDRI-0011"]
    assert 0 <= stored["validation"]["dice_by_nodule"] <= 1
    card = (folder / "card.md").read_text()
    for words in (
        "Marks lung nodules on pieces of CTs",
        "voxels of 1 mm",
        "4 pieces of 3 patients",
        "training pieces are of 3 nodules: 3 positive, 1 hard",
        "truth was made of: contours of 4 readers, at least half (7 pieces)",
        "LIDC-IDRI: CC BY 3.0",
        "a bright ball of 8 mm across",
    ):
        assert words in card
    model = load_model(str(run.folder))
    assert (model.kind, model.pixel_mm, model.network.axes) == ("ct-patches", 1.0, 3)
    assert model_kind(str(run.folder)) == "ct-patches"
    assert (run.folder / "panels" / "epoch_002.png").is_file()
    assert run_train(POINTED, data, run.folder, OPTIONS).was_done


def test_the_shipped_model_to_begin_with_is_that_of_pieces(data, tmp_path):
    with pytest.raises(UnsupportedError, match="the weights don't fit the model slim_unet3d of this run"):
        run_train(POINTED, data, tmp_path / "out", TrainOptions(OPTIONS.machine, start="default"))


def test_what_is_read_is_what_lies_there(data):
    read = read_data(data, TINY)
    assert [len(read.training), len(read.validation)] == [4, 3]
    assert all(one.image.shape == (20, 20, 20) and one.prior is None for one in read.training)
    assert read.training[0].truth.sum() == pytest.approx(4 / 3 * 3.1416 * 4**3, rel=0.1)
    told = read_data(data, POINTED).validation
    assert [bool(one.prior.any()) for one in told] == [True, True, False]


def test_data_of_another_kind_and_other_voxels_are_refused(data, tmp_path):
    slices = write_slices(tmp_path / "slices", [("LIDC-IDRI-0002", "1", 3, (30, 30), 5)])
    with pytest.raises(InputError, match="kind slices, and the run is on data of the kind ct-patches"):
        read_data(slices, TINY)
    with pytest.raises(InputError, match="kind ct-patches, and the run is on data of the kind xray"):
        read_data(data, TrainConfig())
    fine = TINY.model_copy(update={"data": PatchDataConfig(voxel_mm=0.7, max_failures=0)})
    with pytest.raises(TooManyFailuresError, match=r"1 × 1 × 1 mm, and 0\.7 mm are asked for"):
        read_data(data, fine)


@pytest.fixture
def model(tmp_path):
    return patch_model(tmp_path / "tiny", point_share=0.8)


def test_a_data_set_is_predicted_and_judged(run, data, tmp_path):
    out = tmp_path / "judged"
    words = ["evaluate", str(run.folder), str(out), "--data", str(data), "--split", "validation", "--bootstraps", "100"]
    assert main(words) == 0
    judged = json.loads((out / "evaluation.json").read_text())
    assert judged["truth"] == f"nodule: {CONTOURS}", "what the truth is made of stands on every figure"
    figures = judged["figures"]
    assert figures["dice_mean"]["n"] == 2, "pieces with a nodule"
    stored = json.loads((run.folder / "model" / "config.json").read_text())["figures"]
    assert figures["dice_mean"]["value"] == pytest.approx(stored["dice_mean"]["value"], abs=1e-3)


def test_pieces_get_their_files_and_only_of_the_split(model, data, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["predict", str(data), str(out), "--model", str(model), "--split", "validation", "--tta"]) == 0
    assert "3 pieces" in capsys.readouterr().out
    index = json.loads((out / "predictions.json").read_text())
    assert index["provenance"]["options"]["tta"] is True
    keys = [case["key"] for case in index["cases"]]
    assert len(keys) == 3
    for key in keys:
        mask, probability = (nib.load(out / key / f"{name}.nii.gz") for name in ("mask", "probability"))
        np.testing.assert_allclose(mask.affine, nib.load(data / key / "image.nii.gz").affine)
        inside = np.asarray(probability.dataobj) >= 0.3
        np.testing.assert_array_equal(np.asarray(mask.dataobj) > 0, inside)


@pytest.fixture
def ct(tmp_path):
    truth = ball((30, 60, 64), (14, 30, 33), 7)
    hu = np.where(truth, NODULE_HU, LUNG_HU).astype(np.int16)
    # NIfTI is RAS: x and y run the other way.
    nib.save(nib.Nifti1Image(hu.transpose(2, 1, 0), np.diag([-0.8, -0.8, 1.5, 1.0])), tmp_path / "ct.nii.gz")
    return tmp_path / "ct.nii.gz"


def test_the_nodule_at_a_point_of_a_ct(ct, model, tmp_path):
    words = ["predict", str(ct), str(tmp_path / "out"), "--model", str(model), "--threshold", "0.001"]
    assert main([*words, "--point", f"{33 * 0.8},{30 * 0.8},{14 * 1.5}"]) == 0
    folder = tmp_path / "out" / "ct"
    mask, source = nib.load(folder / "mask.nii.gz"), nib.load(ct)
    np.testing.assert_allclose(mask.affine, source.affine)
    assert mask.shape == source.shape
    (nodule,) = json.loads((folder / "nodules.json").read_text())["nodules"]
    voxels = int((np.asarray(mask.dataobj) > 0).sum())
    assert nodule["volume_mm3"] == pytest.approx(voxels * 0.8**2 * 1.5)
    assert (folder / "overlay.png").stat().st_size > 5000
    assert main([*words, "--point", f"{33 * 0.8},{30 * 0.8},{14 * 1.5}"]) == 0, "there already"


def test_what_fits_no_model_is_one_clear_line(ct, model, data, tmp_path):
    out, given = tmp_path / "out", PredictOptions(str(model))
    slices = write_slices(tmp_path / "slices", [("LIDC-IDRI-0002", "1", 3, (30, 30), 5)])
    with pytest.raises(InputError, match="kind slices, and the model marks nodules in pieces of a CT"):
        run_predict([slices], out, given)
    with pytest.raises(InputError, match="is no data set of pieces of CTs, and others of the inputs are"):
        run_predict([ct, data], out, given)
    with pytest.raises(ConfigError, match="--crf is not for models of pieces of a CT"):
        run_predict([data], out, replace(given, crf=True))
    with pytest.raises(InputError, match="no piece in the split 'test'"):
        run_predict([data], out, replace(given, split="test"))
    with pytest.raises(ConfigError, match="a network for pieces of a CT, and only those for pictures"):
        subject_of(str(model))
    assert main(["explain", str(ct), str(out), "--model", str(model)]) == 1


def test_a_recipe_for_pieces_takes_settings():
    config = resolved_config("nodule3d", settings=["augment.rotate_deg=5", "data.window=full"])
    assert (config.augment.rotate_deg, config.augment.crop_px, config.data.window) == (5, 48, "full")
    wide = resolved_config("luna16_unet", settings=["data.point_share=0.5", "model.options.inputs=2"])
    assert wide.model.options["deep_supervision"] is True
    with pytest.raises(ConfigError, match="goes with augment of pictures"):
        resolved_config("nodule3d", settings=["data.kind=slices"])


def test_a_run_learns_from_further_data_sets_and_is_judged_on_the_first(data, tmp_path):
    more = write_patches(tmp_path / "more", (("LIDC-IDRI-0007", "1", 4), ("LIDC-IDRI-0016", "1", 4)))
    trained = run_train(TINY, data, tmp_path / "run", replace(OPTIONS, also=(more,)))
    card = (trained.folder / "model" / "card.md").read_text()
    assert "also learnt from the training split of ct-patches more" in card
    assert "1 samples of 1 patients" in card
    with pytest.raises(ConfigError, match="has learnt from 5 samples, and 4 are here"):
        ship(str(trained.folder), data, tmp_path / "small", OPTIONS.machine)
    shipped = ship(str(trained.folder), data, tmp_path / "small", OPTIONS.machine, [more])
    assert shipped.data.training == (5, 4)
    alone, both = read_data(data, TINY), with_further(read_data(data, TINY), [read_data(more, TINY)])
    assert [one.key for one in both.validation] == [one.key for one in alone.validation]
    assert len(both.training) == len(alone.training) + 1
    assert both.facts.training == (len(both.training), len({one.patient for one in both.training}))


def test_nobody_who_is_judged_is_learnt_from_in_a_further_data_set(data, tmp_path):
    more = write_patches(tmp_path / "more", (("LIDC-IDRI-0007", "1", 4), ("LIDC-IDRI-0016", "1", 4)))
    first, second = read_data(data, TINY), read_data(more, TINY)
    turned = replace(second, training=second.validation)
    assert with_further(first, [turned]).training[-1].patient == "LIDC-IDRI-0016"
    with pytest.raises(InputError, match="LIDC-IDRI-0006 is judged"):
        with_further(first, [replace(second, training=first.validation)])
