"""Pieces of a CT from a data set through training to a model, and what is refused on the way."""

import json

import pytest

from hilum.core import ConfigError, InputError, TooManyFailuresError
from hilum.datasets.patch_config import PatchDataConfig
from hilum.infer.loaded import load_model, model_kind
from hilum.train.config import Machine, TrainConfig
from hilum.workflows.train import TrainOptions, run_train
from hilum.workflows.train_config import resolved_config
from hilum.workflows.train_data import read_data
from tests.patches import POINTED, TINY, write_patches
from tests.slices import write_slices

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


def test_there_is_no_shipped_model_to_begin_with(data, tmp_path):
    with pytest.raises(ConfigError, match="no model for data of the kind ct-patches is shipped"):
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


def test_a_recipe_for_pieces_takes_settings():
    config = resolved_config("nodule3d", settings=["augment.rotate_deg=5", "data.window=full"])
    assert (config.augment.rotate_deg, config.augment.crop_px, config.data.window) == (5, 48, "full")
    wide = resolved_config("nodule3d_unet", settings=["data.point_share=0.5", "model.options.inputs=2"])
    assert wide.model.options["deep_supervision"] is True
    with pytest.raises(ConfigError, match="goes with augment of pictures"):
        resolved_config("nodule3d", settings=["data.kind=slices"])
