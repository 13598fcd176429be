"""Every recipe is complete, fits its network, and says what the sources say."""

import json

import pytest
import torch

from hilum.cli.app import main
from hilum.core import ConfigError
from hilum.losses.base import Head
from hilum.models.macs import count_macs
from hilum.recipes.catalogue import RECIPES, recipe
from hilum.train.config import TrainConfig
from hilum.train.phases import require_fitting
from hilum.workflows.train_config import as_yaml, resolved_config


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_its_file(name, tmp_path):
    config = recipe(name)
    assert config.recipe == name
    assert TrainConfig.of(json.loads(json.dumps(config.plain()))).hash == config.hash
    (tmp_path / "run.yaml").write_text(as_yaml(config))
    assert resolved_config("xray_unet", tmp_path / "run.yaml").hash == config.hash


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_fits_its_network(name):
    config = recipe(name)
    with torch.device("meta"):
        network = config.model.build()
    require_fitting(network, config)
    for phase in range(len(config.phases)):
        config.loss_of(phase).build()


XRAYS = [name for name in RECIPES if name.startswith("xray")]
SLICES = [name for name in RECIPES if name.startswith("slices")]


@pytest.mark.parametrize("name", [name for name in XRAYS if name.endswith("_cheap") or name == "xray_unet"])
def test_the_cheap_protocol_is_the_same_for_all(name):
    config = recipe(name)
    assert config.data.pixel_mm == 1.4
    assert (config.trainer.epochs, config.trainer.batch_size, config.trainer.patience) == (12, 8, None)
    assert config.phases[-1].first_epoch <= 12


def test_the_cheap_protocol_of_slices_is_the_same_for_all():
    """A table of networks and losses is one of nothing else: same steps, pieces and schedule; Swin's peak alone."""
    full = [recipe(name) for name in SLICES if not name.endswith("_cheap")]
    small = [recipe(f"{one.recipe}_cheap") for one in full]
    assert len({config.sampling.hash + config.schedule.hash + config.trainer.hash for config in small}) == 1
    for one, other in zip(full, small, strict=True):
        shared = ("data", "augment", "model", "loss", "optimiser", "schedule")
        assert all(getattr(one, field) == getattr(other, field) for field in shared)
    assert {one.optimiser.lr for one in small if one.model.name != "swin_unetr"} == {small[0].optimiser.lr}
    steps = {(one.sampling.draws // one.trainer.batch_size, one.trainer.epochs) for one in small}
    assert steps == {(80, 4)}


def test_a_piece_shows_the_nodule_anywhere():
    """The published slices are 128 wide, their nodule in the middle; the places of a piece reach as far as it does.

    A network that is told where the nodule is has nothing to learn from its place.
    """
    for name in SLICES:
        config = recipe(name)
        assert config.data.point_share > 0 or {side * 2 for side in config.augment.crop_px} == {128}


def test_the_own_network_of_slices_is_within_the_budget():
    network = recipe("slices").model.build().eval()
    assert count_macs(network, (512, 512)).total <= 700e6


LOSSES = {
    "BCE": ["loss.name=bce"],
    "weighted BCE": ["loss.name=bce", "loss.options.pos_weight=10"],
    "BCE weighted by the batch": ["loss.name=bce", "loss.options.pos_weight={factor: 1, cap: 20}"],
    "Dice": ["loss.name=dice"],
    "BCE + Dice": ["loss.name=bce_dice"],
    "focal": ["loss.name=focal", "loss.options.alpha=0.3", "loss.options.gamma=3.5"],
    "adaptive focal": ["loss.name=adaptive_focal"],
    "Tversky": ["loss.name=tversky"],
    "focal Tversky": ["loss.name=focal_tversky"],
}


@pytest.mark.parametrize("settings", LOSSES.values(), ids=LOSSES)
def test_each_loss_of_the_table_has_its_settings(settings):
    config = resolved_config("slices_enet_cheap", settings=[*settings, "model.options.skips=true"])
    logits = torch.zeros(2, 1, 8, 8, requires_grad=True)
    truth = torch.zeros(2, 1, 8, 8)
    truth[0, 0, 3:5, 3:5] = 1
    config.loss.build()(Head(logits), truth).total.backward()
    assert logits.grad is not None
    assert logits.grad.abs().sum() > 0


SOURCES = ("xray_original", "xray_improved", "xray_unet_skip")


@pytest.mark.parametrize("name", SOURCES)
def test_cheap_changes_resolution_length_and_rates_alone(name):
    full, small = recipe(name), recipe(f"{name}_cheap")
    for field in ("model", "loss", "augment", "sampling", "insertion"):
        assert getattr(full, field) == getattr(small, field)
    assert [(phase.train, phase.loss) for phase in full.phases] == [(one.train, one.loss) for one in small.phases]


@pytest.mark.parametrize("name", SOURCES)
def test_rates_from_random_numbers_are_of_one_kind(name):
    """A table of networks must not be one of rates; 5e-5 over 500 steps hardly moves a weight."""
    full, small = recipe(name).optimiser, recipe(f"{name}_cheap").optimiser
    assert recipe(f"{name}_cheap").schedule == recipe("xray_unet").schedule
    assert small.lr == 1e-3
    assert {part: rate / small.lr for part, rate in small.lr_of.items()} == pytest.approx(
        {part: rate / full.lr for part, rate in full.lr_of.items()}
    )
    assert (small.weight_decay, small.betas) == (full.weight_decay, full.betas)


def test_the_ratio_of_the_improved_is_a_quarter():
    assert recipe("xray_improved_cheap").optimiser.lr_of == pytest.approx({"encoder": 2.5e-4})


def test_the_original_is_source_c():
    plan = recipe("xray_original")
    assert [phase.first_epoch for phase in plan.phases] == [1, 11, 51]
    assert plan.phases[0].train == ("attention",)
    assert "attention" not in plan.phases[2].train
    assert (plan.trainer.epochs, plan.trainer.batch_size, plan.trainer.patience) == (150, 2, 25)
    assert (plan.optimiser.lr, plan.optimiser.weight_decay) == (5e-5, 1e-4)
    assert (plan.schedule.kind, plan.schedule.patience) == ("plateau", 15)
    segmentation, attention = plan.loss.options["terms"]
    assert (segmentation["options"]["bce_weight"], segmentation["options"]["dice_weight"]) == (0.7, 0.3)
    assert attention["weight"] == 0.5
    assert segmentation["options"]["dice"]["over"] == "batch"


def test_the_improved_is_source_a():
    plan = recipe("xray_improved")
    assert (plan.optimiser.lr_of["encoder"], plan.optimiser.lr) == (5e-6, 2e-5)
    assert (plan.trainer.epochs, plan.trainer.patience, plan.phases[0].encoder_stages) == (30, 10, 2)
    assert [(term["name"], term["weight"]) for term in plan.loss.options["terms"]] == [
        ("medical", 1),
        ("attention", 0.1),
    ]


def test_what_was_pretrained_fits_the_recipe_that_it_is_for():
    with torch.device("meta"):
        encoders = [recipe(name).model.build().parts()["encoder"] for name in ("xray_pretrain", "xray")]
    one, other = ({name: value.shape for name, value in encoder.state_dict().items()} for encoder in encoders)
    assert one == other
    assert recipe("xray_pretrain").data.pixel_mm == recipe("xray").data.pixel_mm


def test_an_unknown_recipe_is_an_error():
    with pytest.raises(ConfigError, match="no recipe 'x'"):
        recipe("x")


def test_recipes_are_listed(capsys):
    assert main(["recipes"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in RECIPES)
    assert main(["recipes", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["recipes"]
    assert [one["name"] for one in listed] == list(RECIPES)
    assert main(["recipes", "xray_unet"]) == 0
    assert "batch_size: 8" in capsys.readouterr().out
