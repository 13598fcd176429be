"""Runs with a second image: what the network is shown, what fits together, and that it is learnt from."""

import numpy as np
import pytest

from hilum.core import ConfigError
from hilum.datasets.xray_prior import with_wanted_prior
from hilum.infer.loaded import PriorWanted, load_model, prior_wanted
from hilum.recipes.catalogue import recipe
from hilum.train.config import Machine
from hilum.train.data import collate
from hilum.train.xrays import Xrays
from hilum.workflows.train import TrainOptions, run_train
from hilum.workflows.train_config import resolved_config
from hilum.workflows.train_data import read_data
from hilum.workflows.xray_pack import pack_xrays
from tests.datasets.test_xray_prior import sample
from tests.over_time import write_pairs_over_time

QUICK = (
    "data.pixel_mm=2.0",
    "model.options.widths=[4, 8]",
    "model.options.blocks=[1, 1]",
    "augment.crop_px=[32, 32]",
    "trainer={epochs: 1, batch_size: 2, precision: '32', panels_every: 1, ema: 0.9}",
)
ARMS = {
    "none": ("data.prior=none", "data.prior_lesions=false", "model.options.inputs=1"),
    "same": ("data.prior=same", "data.prior_lesions=false", "model.options.inputs=2"),
    "shuffled": ("data.prior=shuffled", "data.prior_lesions=false", "model.options.inputs=2"),
    "earlier": ("data.prior_lesions=false", "model.options.inputs=2"),
    "lesions": (),
    "attention": ("model.options.fusion=attention",),
}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_pairs_over_time(tmp_path_factory.mktemp("pairs"))


def arm(name, *more):
    return resolved_config("xray_prior_cheap", settings=(*QUICK, *ARMS[name], *more))


@pytest.mark.parametrize("name", ARMS)
def test_each_arm_is_shown_what_it_is_to_see(name):
    samples, config = [sample(f"p{seed}", seed=seed) for seed in range(3)], arm(name)
    xrays, alone = (Xrays(with_wanted_prior(samples, one.data), one) for one in (config, arm("none")))
    shown, plain = ([one.draw(0, place, 1) for place in range(4)] for one in (xrays, alone))
    batch = collate(list(enumerate(shown)))
    assert batch.image.equal(collate(list(enumerate(plain))).image)  # all arms learn from the same X-rays
    if config.data.prior_channels == 0:
        assert batch.prior is None
        return
    assert batch.prior.shape[1] == config.data.prior_channels
    assert (name == "same") == batch.prior[:, :1].equal(batch.image)
    np.testing.assert_array_equal(xrays.draw(0, 2, 1).prior, shown[2].prior)
    if config.data.prior_lesions:
        assert set(batch.prior[:, 1].unique().tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (("model.options.inputs=2",), "makes 3 images.*inputs 2; set model.options.inputs to 3"),
        (("data.prior=none",), "prior_lesions are those of a prior"),
        (("data.prior=none", "data.prior_lesions=false"), "makes 1 images.*set model.options.inputs to 1"),
        (("data.prior_lesions=false",), "set model.options.inputs to 2"),
        (("insertion.share=0.5",), "set insertion.share to 0"),
        (("model.options.inputs=1", "model.options.fusion=attention"), "fusion attention needs a prior"),
        (("model={name: original}",), "takes at most 2; set data.prior_lesions to false"),
    ],
)
def test_what_does_not_fit_together_is_one_line_that_says_what_does(settings, says):
    with pytest.raises(ConfigError, match=says):
        resolved_config("xray_prior_cheap", settings=settings)


def test_the_sources_networks_take_the_earlier_picture_as_their_second():
    config = resolved_config("xray_original_cheap", settings=("data.prior=earlier",))
    assert config.data.prior_channels in config.model.prior_channels


def test_the_cheap_recipe_sees_as_much_of_the_chest():
    full, small = recipe("xray_prior"), recipe("xray_prior_cheap")
    for one in (full, small):
        assert one.insertion.share == 0
        assert one.augment.prior_shift_mm == 3, "of the patient, on pixels of any size"
        assert (one.data.prior, one.data.prior_lesions, one.model.options["inputs"]) == ("earlier", True, 3)
    sides = [np.multiply(one.augment.crop_px, one.data.pixel_mm) for one in (full, small)]
    np.testing.assert_allclose(*sides)
    assert [one.model.options["fold"] * one.data.pixel_mm for one in (full, small)] == pytest.approx([2.8, 2.8])
    assert (small.data.pixel_mm, small.trainer.epochs, small.trainer.batch_size) == (1.4, 12, 8)


@pytest.mark.parametrize("name", ["shuffled", "attention"])
def test_a_run_goes_through_and_its_model_knows_what_it_needs(name, folder, tmp_path):
    taught = (
        "loss={name: combined, options: {terms: [{name: bce_dice}, {name: attention, weight: 0.1}]}}",
        "sampling.hard_negatives=1",
    )
    config = arm(name, *(taught if name == "attention" else ()))
    run_train(config, folder, tmp_path / "run", TrainOptions(Machine(device="cpu", threads=1)))
    wants = PriorWanted("shuffled", False) if name == "shuffled" else PriorWanted("earlier", True)
    assert prior_wanted(str(tmp_path / "run")) == load_model(str(tmp_path / "run")).prior == wants
    card = (tmp_path / "run" / "model" / "card.md").read_text()
    assert ("another patient's" in card) == (name == "shuffled")
    assert ("earlier frontal X-ray of the same patient" in card) == ("--prior-mask" in card) == (name == "attention")
    assert (tmp_path / "run" / "panels" / "epoch_001.png").is_file()


def test_a_pack_serves_all_arms(folder, tmp_path):
    pack_xrays(folder, tmp_path / "pack.npz", arm("lesions"))
    for name in ARMS:
        packed, loaded = (read_data(place, arm(name)) for place in (tmp_path / "pack.npz", folder))
        for one, other in zip(packed.validation, loaded.validation, strict=True):
            assert collate([(0, one)]).image.equal(collate([(0, other)]).image)
            priors = [collate([(0, each)]).prior for each in (one, other)]
            assert priors == [None, None] or priors[0].equal(priors[1])
            wanted = arm(name).data.prior_channels
            assert (0 if priors[0] is None else priors[0].shape[1]) == wanted
