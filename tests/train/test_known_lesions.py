"""Runs on views of known lesions: counted as views, with a threshold below which a lesion is called gone."""

import json

import numpy as np
import pytest
import torch

from hilum.core import ConfigError
from hilum.datasets.known_lesions import SIDE_PX
from hilum.datasets.prepared import read_prepared
from hilum.recipes.catalogue import recipe
from hilum.train.config import Machine
from hilum.workflows.train import TrainOptions, run_train
from hilum.workflows.train_config import resolved_config
from hilum.workflows.train_data import read_data
from hilum.workflows.xray_pack import pack_xrays
from tests.over_time import write_pairs_over_time

QUICK = (
    "data.pixel_mm=1.0",
    "model.options.widths=[4, 8]",
    "model.options.blocks=[1, 1]",
    "trainer={epochs: 2, batch_size: 4, precision: '32', panels_every: 0, ema: 0}",
)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_pairs_over_time(tmp_path_factory.mktemp("pairs"))


def views(*more):
    return resolved_config("xray_known_lesions", settings=(*QUICK, *more))


def test_each_known_lesion_is_a_case(folder, tmp_path):
    read = read_data(folder, views())
    assert [view.key for view in read.training] == ["case-0#1", *(f"case-1#{number}" for number in (1, 2, 3, 4))]
    assert [view.has_lesion for view in read.training] == [True, True, True, True, False]
    assert {view.image.shape for view in (*read.training, *read.validation)} == {(SIDE_PX, SIDE_PX)}
    assert (read.facts.training, read.facts.validation) == ((5, 2), (5, 2))
    assert "of 2 training and 2 validation pictures; of 1 and 1 of them the lesion is gone" in read.facts.notes[-1]
    pack_xrays(folder, tmp_path / "pack.npz", views())
    packed = read_data(tmp_path / "pack.npz", views())
    for one, other in zip(packed.training, read.training, strict=True):
        assert one.key == other.key
        np.testing.assert_array_equal(one.prior, other.prior)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (("data.prior=same",), "set data.prior to earlier and data.prior_lesions to true"),
        (("data.prior_lesions=false", "model.options.inputs=2"), "data.prior_lesions to true"),
        (("data.visibility_floor=0.5",), "data.visibility_floor to 1"),
        (("insertion.share=0.5",), "set insertion.share to 0"),
        (("adaptation.method=coral",), "adaptation"),
        (("pretext={}", "trainer.monitor=explained"), "set data.view to picture"),
    ],
)
def test_what_does_not_fit_views_is_refused(settings, says):
    with pytest.raises(ConfigError, match=says):
        views(*settings)


def test_a_run_leaves_a_threshold_for_what_is_gone(folder, tmp_path):
    run_train(views(), folder, tmp_path / "run", TrainOptions(Machine(device="cpu", threads=1)))
    content = json.loads((tmp_path / "run/model/config.json").read_text())
    gone = content["gone_threshold"]
    assert 0 < gone["value"] < 1
    assert gone["patients"] == sorted(read_prepared(folder).splits["validation"])
    assert (gone["gone"], gone["there"], gone["split"]) == (1, 4, "validation")
    assert gone["figures"]["false_gone_rate"]["value"] == 0
    assert set(gone["figures"]) == {"gone_auc", "gone_noticed", "false_gone_rate"}
    card = (tmp_path / "run/model/card.md").read_text()
    for words in ("## Called gone", "training: 5 views of 2 patients", "one lesion at a time", "--known-lesions THIS"):
        assert words in card


def test_the_recipe_shows_what_it_says():
    config = recipe("xray_known_lesions")
    assert config.augment.crop_px == (40, 40)
    assert (config.augment.rotate_deg, config.trainer.batch_size, config.trainer.epochs) == (90, 32, 30)
    network = config.model.build().eval()
    with torch.inference_mode():
        logits = network(torch.rand(1, 1, SIDE_PX, SIDE_PX), torch.rand(1, 2, SIDE_PX, SIDE_PX)).logits
    assert logits.shape == (1, 1, SIDE_PX, SIDE_PX)


def test_what_is_new_is_learnt_without_what_is_known(folder):
    plain = "data.pixel_mm=1.0"
    new, whole = (
        read_data(folder, resolved_config(name, settings=(plain,))).validation
        for name in ("xray_new_lesions", "xray_prior_cheap")
    )
    for one, other in zip(new, whole, strict=True):
        assert not (one.truth & one.prior_lesions).any()
        assert not (one.truth & ~other.truth).any()
    assert 0 < sum(one.truth.sum() for one in new) < sum(one.truth.sum() for one in whole)
