"""docs/explanation/claims.md says what benchmarks/claims.py computes, and that computes what it says."""

import json
import math
import re
import shlex
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from hilum.datasets.splits import is_held_out
from hilum.losses.choice import LossConfig
from hilum.models.catalogue import ModelConfig
from hilum.models.macs import count_macs
from hilum.train.schedule import factor_at
from hilum.workflows.train_config import resolved_config
from tests.commands import refusal

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanation" / "claims.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"<!-- claims\.py (\w+) -->\n.*?<!-- end -->", re.DOTALL)
NAME = re.compile(r"\[([a-z]+-[a-z0-9-]+)\]")


@pytest.fixture(scope="module", autouse=True)
def _benchmarks_on_the_path():
    sys.path.append(str(ROOT / "benchmarks"))
    yield
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def claims():
    return import_module("claims")


@pytest.fixture(scope="module")
def arithmetic():
    return import_module("claims_arithmetic")


@pytest.fixture(scope="module")
def costs():
    return import_module("claims_costs")


@pytest.fixture(scope="module")
def pairs():
    return import_module("claims_pairs")


@pytest.fixture(scope="module")
def sizes():
    return import_module("claims_sizes")


# --- the page ---


def quoted() -> dict[str, str]:
    """Name to value, from the page's own tables."""
    rows = [line.split(" | ") for match in BLOCK.finditer(PAGE) for line in match[0].splitlines() if "| `" in line]
    return {row[0].strip("| `"): row[2] for row in rows}


def test_the_page_has_every_section_once(claims):
    assert sorted(match[1] for match in BLOCK.finditer(PAGE)) == sorted(claims.SECTIONS)


def test_every_figure_in_the_ledger_is_that_of_the_tables():
    values, text = quoted(), " ".join(BLOCK.sub("", PAGE).split())
    found = list(NAME.finditer(text))
    assert len(found) > 130
    for match in found:
        before = text[: match.start()].removesuffix(" ").removesuffix(" mm")
        value = values[match[1]]
        assert before.endswith(value), f"{before[-30:]} [{match[1]}] is {value}"
        assert before.removesuffix(value)[-1] not in "0123456789.,−", f"{before[-30:]} [{match[1]}] is {value}"


@pytest.mark.parametrize("section", ["overlap", "losses", "totals", "shapes", "costs", "sizes"])
def test_the_tables_are_what_the_command_prints(claims, section):
    assert claims.block(section, claims.facts(section, Path())) in PAGE


@pytest.mark.parametrize(
    ("section", "folders"),
    [("pairs", ["lidc-drr"]), ("luna", ["luna16"]), ("lungs", ["jsrt", "cxr-infection"])],
)
def test_the_tables_from_data_are_what_the_command_prints(
    claims, section: str, folders: list[str], real_data: Callable[[str], Path]
):
    data, *_ = [real_data(folder).parent for folder in folders]
    assert claims.block(section, claims.facts(section, data)) in PAGE


def test_the_ledger_has_a_verdict_in_every_row():
    words = ("reproduced", "refuted", "contradict", "can't be tested", "to be measured", "follows with", "consistent")
    ledger = PAGE[PAGE.index("## A ·") : PAGE.index("## How the rest is measured")]
    rows = [line.split(" | ") for line in ledger.splitlines() if line.startswith("| ") and "---" not in line]
    assert len(rows) > 90
    assert not [row for row in rows if row[1] != "verdict" and not any(word in row[1] for word in words)]


def test_the_command_prints_and_writes(claims, capsys, tmp_path):
    assert claims.main(["totals", "--json", str(tmp_path / "claims.json")]) == 0
    assert "| `totals-a-low` |" in capsys.readouterr().out
    (first, *_) = json.loads((tmp_path / "claims.json").read_text())["totals"]
    assert first["value"] == 3 * 10 * 5 * 20 * 2


def test_a_missing_folder_and_a_wrong_section_are_said(claims, capsys, tmp_path):
    assert claims.main(["pairs", "--data", str(tmp_path / "nowhere")]) == 2
    assert "HILUM_DATA" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        claims.main(["dice"])


# --- what it computes ---


def test_the_prior_map_is_the_rival_that_evaluate_has(pairs):
    from hilum.evaluate import rivals

    assert pairs.prior_map is rivals.prior_map


def test_mean_iou_stays_within_its_bounds(arithmetic):
    rng = np.random.default_rng(0)
    for _ in range(200):
        dices = rng.random(rng.integers(1, 9)) ** rng.uniform(0.2, 5)
        low, high = arithmetic.mean_iou_bounds(dices.mean())
        mean = np.mean([arithmetic.iou_of_dice(one) for one in dices])
        assert low - 1e-12 <= mean <= high + 1e-12


def test_cubes_apart_share_what_their_overlap_says(arithmetic):
    for shift in ((0, 0, 0), (1, 0, 0), (1, 1, 1), (2, 1, 0), (5, 0, 0)):
        common = math.prod(5 - one for one in shift)
        assert arithmetic.dice(arithmetic.cube(), arithmetic.cube(shift)) == pytest.approx(common / 125)


def test_tversky_with_halves_is_dice(arithmetic):
    assert arithmetic.tversky(60, 30, 10, 0.5, 0.5) == pytest.approx(2 * 60 / (2 * 60 + 30 + 10))


def test_monai_weighs_false_positives_with_alpha_too(arithmetic):
    torch = pytest.importorskip("torch")
    tversky_loss = pytest.importorskip("monai.losses.tversky").TverskyLoss
    loss = tversky_loss(alpha=0.7, beta=0.3, smooth_nr=0, smooth_dr=0)
    sixty, hundred = torch.arange(100) < 60, torch.ones(100)
    for pred, truth, fp, fn in ((hundred, sixty, 40, 0), (sixty, hundred, 0, 40)):
        theirs = loss(pred.float()[None, None], truth.float()[None, None]).item()
        assert theirs == pytest.approx(1 - arithmetic.tversky(60, fp, fn, 0.7, 0.3), abs=1e-6)


def test_the_positive_weight_leaves_its_cap_where_said(arithmetic):
    assert arithmetic.positive_weight(1 / 11) == pytest.approx(1000)
    assert arithmetic.positive_weight(0.09) == 1000
    assert arithmetic.positive_weight(0.1) == pytest.approx(900)


def test_torchinfos_count_by_hand(costs):
    """Weights and biases at every place of the output, numbers of a norm and slopes once."""
    torch = pytest.importorskip("torch")
    network = costs.slice_network("enet")
    macs = {layer.name: layer for layer in count_macs(network, (64, 64)).layers}
    layers = dict(network.named_modules())
    transposed = [name for name in macs if isinstance(layers[name], torch.nn.ConvTranspose2d)]
    convolutions = sum(one.macs * (4 if one.name in transposed else 1) for one in macs.values())
    once = sum(one.numel() for one in network.parameters() if one.ndim == 1)
    assert len(transposed) == 3
    assert costs.summarised(network, 64) == convolutions + once


def test_source_es_table_is_one_size_and_one_rule(costs):
    """To all of its digits: G with two, M with two."""
    told = {"unet": (42.35, 1e9), "segnet": (26.68, 1e9), "enet": (490.92, 1e6)}
    for key, (value, unit) in told.items():
        assert round(costs.summarised(costs.slice_network(key), 256) / unit, 2) == value


def test_bilinear_upsampling_is_torchs(pairs):
    torch = pytest.importorskip("torch")
    small = np.random.default_rng(1).random((4, 4))
    ours = pairs.bilinear_matrix(32, 4) @ small @ pairs.bilinear_matrix(32, 4).T
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(small)[None, None], scale_factor=8, mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(ours, theirs[0, 0].numpy(), atol=1e-12)


def test_downsampling_by_torchs_default_takes_the_pixels_that_are_counted(pairs):
    torch = pytest.importorskip("torch")
    image = torch.arange(512 * 512, dtype=torch.float64).reshape(1, 1, 512, 512)
    small = torch.nn.functional.interpolate(image, size=(16, 16))
    step = pairs.SIDE // pairs.COARSE
    assert torch.equal(small[0, 0], image[0, 0, ::step, ::step])


def test_the_best_threshold_is_the_best_of_all(pairs):
    rng = np.random.default_rng(2)
    values, truth = rng.integers(0, 6, (9, 9)) / 5, rng.random((9, 9)) < 0.3
    every = [2 * (truth & (values >= t)).sum() / (truth.sum() + (values >= t).sum()) for t in np.unique(values) if t]
    assert pairs.best_dice(values, truth) == pytest.approx(max(every))


def test_a_mask_of_whole_blocks_comes_through_best_where_it_is_large(pairs):
    small, large = (np.zeros((512, 512), dtype=bool) for _ in range(2))
    small[250:254, 250:254] = True
    large[128:384, 128:384] = True
    assert pairs.through_bottleneck(large) > 0.95
    assert pairs.through_bottleneck(small) < 0.1


def test_no_held_out_patient_is_among_the_pairs(pairs, real_data):
    masks = pairs.pair_masks(real_data("lidc-drr"))
    assert masks
    assert not any(is_held_out(one.patient) for one in masks)


def test_a_ball_is_like_its_ball(sizes, arithmetic):
    from hilum.core import Geometry, Mask

    grid = Geometry.regular((21, 21, 21), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    assert sizes.ball_dice(Mask.of(arithmetic.ball(15), grid)) > 0.99
    slab = np.zeros((21, 21, 21), dtype=bool)
    slab[10] = True
    assert sizes.ball_dice(Mask.of(slab, grid)) < 0.5


# --- what is to be measured ---

RUN = re.compile(r"^\| `([\w.-]+)` \| `(hilum train .*)` \|$", re.MULTILINE)


def runs() -> dict[str, str]:
    """The command of each run by its name."""
    return dict(RUN.findall(PAGE))


def test_every_claim_to_be_measured_names_runs_that_the_page_has():
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and "to be measured" in line]
    assert len(lines) > 25
    for line in lines:
        named = re.findall(r"`([\w.-]+)`", line.split("to be measured", 1)[1].split(" |")[0])
        assert set(named) & runs().keys(), line
    used = set(re.findall(r"`([\w.-]+)`", " ".join(lines)))
    assert not runs().keys() - used


@pytest.mark.parametrize("name", runs())
def test_a_run_is_a_recipe_with_settings_that_it_has(name):
    words = shlex.split(runs()[name])
    settings = [words[n + 1] for n, word in enumerate(words) if word == "--set"]
    assert words[3:6] == [f"runs/{name}", "--data", "cubes" if name.startswith("volume") else "pairs"]
    changed = resolved_config(words[2], settings=settings).plain()
    assert (changed != resolved_config(words[2]).plain()) == bool(settings)
    assert refusal(words[1:]) is None


def config_of(name):
    words = shlex.split(runs()[name])
    return resolved_config(words[2], settings=[words[n + 1] for n, word in enumerate(words) if word == "--set"])


def test_the_runs_with_and_without_attention_differ_in_it_alone():
    without, attended = config_of("skip-no-attention"), config_of("skip-one-phase")
    assert not without.model.options["attention"]
    assert attended.model.options["attention"]
    segmentation, attention = attended.loss.options["terms"]
    assert attention["name"] == "attention"
    assert (segmentation["name"], segmentation["options"]) == (without.loss.name, without.loss.options)
    same = {"model": without.model, "loss": without.loss}
    assert attended.model_copy(update=same) == without
    given = {**attended.model.options, "attention": ()}
    assert without.model == ModelConfig(name=attended.model.name, options=given)


def test_the_runs_with_and_without_deep_supervision_differ_in_it_alone():
    shallow, deep = config_of("volume-shallow"), config_of("volume-attention")
    assert not shallow.model.options["deep_supervision"]
    assert shallow.loss == LossConfig.of(deep.loss.options["loss"])
    given = {**deep.model.options, "deep_supervision": False}
    same = {"model": shallow.model, "loss": shallow.loss}
    assert deep.model_copy(update=same) == shallow
    assert shallow.model == ModelConfig(name=deep.model.name, options=given)


def test_a_run_with_restarts_restarts():
    config = config_of("original-restarts")
    epochs = config.trainer.epochs
    factors = [factor_at(step / 100, epochs, config.schedule) for step in range(100 * epochs)]
    rises = [step for step in range(150, 100 * epochs) if factors[step] > factors[step - 1]]
    assert [step / 100 for step in rises] == pytest.approx([3.4, 8.2], abs=0.011)
    assert config.optimiser == resolved_config("xray_original_cheap").optimiser


def test_losses_are_compared_by_sums_over_one_thing():
    """`plain` takes Dice over the batch; another loss beside it must not change that, too."""
    for name in ("plain-tversky", "plain-focal-tversky-2", "plain-focal-tversky-0.75"):
        assert config_of(name).loss.options["over"] == config_of("plain").loss.options["dice"]["over"] == "batch"
    assert config_of("plain-medical").loss.options["tversky"]["over"] == "batch"
