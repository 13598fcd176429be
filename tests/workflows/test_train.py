"""`hilum train` from a data set on disk to a model with its card, and what it refuses."""

import json

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from sklearn.metrics import f1_score

from hilum.cli.app import main
from hilum.cli.train import Changes
from hilum.core import ConfigError, HilumError, OutputError
from hilum.datasets.xray_config import XrayDataConfig
from hilum.datasets.xray_load import load_samples
from hilum.infer.loaded import load_model
from hilum.train.config import Machine, TrainConfig
from hilum.train.finder import FoundRate
from hilum.train.judged_model import probabilities
from hilum.workflows import train
from hilum.workflows.train import TrainOptions, begun, run_find_rate, run_train
from hilum.workflows.train_config import resolved_config
from hilum.workflows.train_result import ship
from tests.xrays import TRAINING, VALIDATION, chest, write_xrays

TINY = (
    "data.pixel_mm=1.4",
    "model.options.widths=[4, 8]",
    "trainer.epochs=2",
    "trainer.batch_size=2",
    "trainer.precision=32",
    "trainer.panels_every=0",
)
OPTIONS = TrainOptions(Machine(device="cpu", threads=1))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    places = {"LIDC-IDRI-0002": (30, 20), "LIDC-IDRI-0003": (20, 40), "LIDC-IDRI-0004": (35, 45)}
    judged = {"LIDC-IDRI-0006": (28, 30), "LIDC-IDRI-0011": (15, 20)}
    drawn = [chest(patient, lesions=((centre, 6),)) for patient, centre in (places | judged).items()]
    drawn.append(chest("LIDC-IDRI-0011", lesions=()))
    return write_xrays(tmp_path_factory.mktemp("pairs"), drawn)


@pytest.fixture(scope="module")
def run(pairs, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    return run_train(resolved_config("xray_unet", settings=TINY), pairs, out, OPTIONS)


def test_a_run_leaves_a_model_with_its_card(run, pairs):
    names = {path.name for path in run.folder.iterdir()}
    assert {"model", "metrics.csv", "training_curves.png", "tensorboard", "config.yaml", "run.json"} <= names
    assert "checkpoints" not in names
    card = (run.folder / "model" / "card.md").read_text()
    for said in ("not a medical device", "CC BY 3.0", "3 pictures of 3 patients", "Threshold", "dice_mean", "seed 0"):
        assert said in card
    assert "from a score of" in card
    assert "**no probability**" in card
    stored = json.loads((run.folder / "model" / "config.json").read_text())
    assert stored["threshold"]["chosen_on"].startswith("validation of drr-pairs")
    assert 0 <= stored["figures"]["dice_mean"]["low"] <= stored["figures"]["dice_mean"]["high"] <= 1
    assert stored["hash"] == TrainConfig.of(stored["config"]).hash


def test_figures_on_the_patients_that_chose_the_threshold_are_said_to_flatter(run, pairs, tmp_path):
    stored = json.loads((run.folder / "model" / "config.json").read_text())["threshold"]
    assert stored["split"] == "validation"
    assert stored["patients"] == ["LIDC-IDRI-0006", "LIDC-IDRI-0011"]
    words = ["evaluate", str(run.folder), str(tmp_path / "out"), "--data", str(pairs), "--bootstraps", "100"]
    assert main([*words, "--split", "validation"]) == 0
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert "threshold_on_reported" in {alarm["name"] for alarm in found["alarms"]}


def test_a_model_to_give_away_is_half_as_large_and_judged_as_it_is_stored(run, pairs, tmp_path):
    """The card's figures are those that the rounded weights give, by another way of judging them."""
    found = ship(str(run.folder), pairs, tmp_path / "small", OPTIONS.machine).found
    whole, small = (load_file(one / "weights.safetensors") for one in (run.folder / "model", tmp_path / "small"))
    assert {value.dtype for value in small.values() if value.ndim > 1} == {torch.float16}
    assert all(torch.equal(small[name], whole[name]) for name in whole if whole[name].ndim <= 1)
    assert any(not torch.equal(small[name].float(), whole[name]) for name in whole)
    loaded = load_model(str(tmp_path / "small"))
    assert {value.dtype for value in loaded.network.parameters()} == {torch.float32}
    samples, _ = load_samples(pairs, "validation", XrayDataConfig(pixel_mm=1.4))
    maps = probabilities(loaded.network, samples, 2, "cpu")
    dice = [
        f1_score(one.truth.ravel(), (p >= loaded.threshold).ravel())
        for p, one in zip(maps, samples, strict=True)
        if one.has_lesion
    ]
    assert found.figures["dice_mean"].value == pytest.approx(np.mean(dice))
    stored = json.loads((tmp_path / "small" / "config.json").read_text())
    assert stored["figures"]["dice_mean"]["value"] == pytest.approx(np.mean(dice))
    assert stored["threshold"]["patients"] == ["LIDC-IDRI-0006", "LIDC-IDRI-0011"]
    assert "stored as float16" in (tmp_path / "small" / "card.md").read_text()


def test_the_same_run_again_is_found_done_and_another_is_refused(run, pairs):
    again = run_train(resolved_config("xray_unet", settings=TINY), pairs, run.folder, OPTIONS)
    assert again.was_done
    assert again.figures == run.figures
    with pytest.raises(OutputError, match=r"other settings: trainer.seed 0, now 1") as error:
        run_train(resolved_config("xray_unet", settings=(*TINY, "trainer.seed=1")), pairs, run.folder, OPTIONS)
    assert f"-c {run.folder / 'config.yaml'}" in error.value.remedy
    from_file = resolved_config("xray_unet", run.folder / "config.yaml")
    assert run_train(from_file, pairs, run.folder, OPTIONS).was_done


def test_a_model_that_marks_nothing_says_so_on_its_card_and_to_whoever_trained_it(pairs, tmp_path, capsys):
    settings = (*TINY, "model.options.start_probability=1e-6", "optimiser.lr=1e-12")
    words = [word for one in settings for word in ("--set", one)]
    assert main(["train", "xray_unet", str(tmp_path / "out"), "--data", str(pairs), "--threads", "1", *words]) == 0
    assert "note: the kept model marks nothing on validation. Lower optimiser.lr" in capsys.readouterr().err
    card = (tmp_path / "out" / "model" / "card.md").read_text()
    assert "nothing on validation after 2 of 2 epochs" in card
    assert "**the kept model marks nothing on validation" in card


def test_a_model_that_marks_everything_says_so_beside_what_looks_perfect(pairs, tmp_path, capsys, caplog):
    settings = (*TINY, "model.options.start_probability=0.999999", "optimiser.lr=1e-12", "trainer.epochs=3")
    words = [word for one in settings for word in ("--set", one)]
    assert main(["train", "xray_unet", str(tmp_path / "out"), "--data", str(pairs), "--threads", "1", *words]) == 0
    said = capsys.readouterr().err
    (noted,) = (record.getMessage() for record in caplog.records)
    assert "the network marks 100 % of validation's pixels, and most of them since epoch 1" in noted
    assert "note: the kept model marks 100% of validation's pixels: any overlap finds nearly every lesion" in said
    card = (tmp_path / "out" / "model" / "card.md").read_text()
    assert "Lesions are matched by any overlap, many to one" in card
    assert "marks 100.00% of all pixels" in card
    assert "**mostly_marked**" in card
    rows = {row.split(" | ")[0]: row.split(" | ")[1:] for row in card.splitlines() if row.startswith("| ")}
    assert rows["| this model"] == rows["| all foreground"]
    assert "| average prior map" in rows


def test_other_data_are_refused(run, tmp_path):
    other = write_xrays(tmp_path / "other", [chest("LIDC-IDRI-0002"), chest("LIDC-IDRI-0006")])
    with pytest.raises(OutputError, match="another run"):
        run_train(resolved_config("xray_unet", settings=TINY), other, run.folder, OPTIONS)


def test_the_saved_configuration_makes_the_same_run(run):
    assert (
        resolved_config("xray_unet", run.folder / "config.yaml").plain()
        == TrainConfig.of(yaml.safe_load((run.folder / "config.yaml").read_text())).plain()
    )


def test_a_run_begins_with_a_trained_model(run, pairs, tmp_path):
    config = resolved_config("xray_unet", settings=(*TINY, "trainer.epochs=1", "optimiser.lr=1e-12"))
    begun = run_train(config, pairs, tmp_path / "next", TrainOptions(OPTIONS.machine, start=str(run.folder)))
    card = (begun.folder / "model" / "card.md").read_text()
    stored = json.loads((run.folder / "model" / "config.json").read_text())
    assert f"of the model {run.folder.name} (recipe xray_unet, configuration {stored['hash'][:12]})" in card
    assert "-c config.json --from MODEL`" in card
    again = resolved_config("xray_unet", begun.folder / "model" / "config.json")
    assert again == TrainConfig.of(json.loads((begun.folder / "model" / "config.json").read_text())["config"])
    old, new = (load_file(one / "model" / "weights.safetensors") for one in (run.folder, begun.folder))
    assert all(torch.allclose(old[name], new[name]) for name in old if name.endswith("weight"))


def test_weights_of_another_architecture_are_refused(run, pairs, tmp_path, capsys):
    command = ["train", "xray_unet", str(tmp_path / "other"), "--data", str(pairs), "--from", str(run.folder)]
    assert main(command) == 1
    assert "the weights don't fit" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_weights_are_looked_at_before_all_pictures_are_read(run, pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "read_data", lambda *_: pytest.fail("read"))
    options = TrainOptions(OPTIONS.machine, start=str(run.folder))
    for work in (run_train, run_find_rate):
        with pytest.raises(HilumError, match="don't fit"):
            work(resolved_config("xray_unet"), pairs, tmp_path / "other", options)


def test_the_default_model_begins_a_run():
    """The name that predict takes."""
    (config,) = (resolved_config("xray"),)
    network, shipped = begun(config, TrainOptions(OPTIONS.machine, start="default")), load_model("xray")
    assert "of the model xray (recipe xray" in network.weights_origin
    assert all(torch.equal(one, shipped.network.state_dict()[name]) for name, one in network.state_dict().items())


def test_a_held_out_patient_is_refused(tmp_path, capsys):
    drawn = [chest(one) for one in ("LIDC-IDRI-0005", "LIDC-IDRI-0006")]
    splits = {"train": ["LIDC-IDRI-0005"], "validation": ["LIDC-IDRI-0006"]}
    data = write_xrays(tmp_path / "pairs", drawn, splits)
    assert main(["train", "xray_unet", str(tmp_path / "out"), "--data", str(data)]) == 1
    assert "LIDC-IDRI-0005 is for held out" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "trainer.epoch=3"], "no setting 'trainer.epoch'"),
        (["--set", "trainer"], "is no setting"),
        (["--set", "model.options.widhts=3"], "no setting 'widhts'"),
        (["--epochs", "0"], "trainer.epochs: Input should be greater than 0"),
        (["--set", "loss.name=nonsense"], "no loss 'nonsense'"),
        (["--set", "trainer=5"], "trainer is a group of settings, and no 5"),
        (["--set", "trainer=", "--epochs", "3"], "trainer is a group of settings, and no None"),
        (["--set", "optimiser=3", "--lr", "1e-3"], "optimiser is a group of settings"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(arguments, said, pairs, tmp_path, capsys):
    assert main(["train", "xray_unet", str(tmp_path / "out"), "--data", str(pairs), *arguments]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert len(shown.err.splitlines()) <= 2
    assert not (tmp_path / "out").exists()


def test_a_setting_that_the_network_does_not_have_is_no_wrong_usage(pairs, tmp_path, capsys):
    arguments = ["--data", str(pairs), "--set", "phases=[{train: [nothing]}]"]
    assert main(["train", "xray_unet", str(tmp_path / "out"), *arguments]) == 1
    assert "no part 'nothing'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_unknown_recipe_names_those_that_there_are(tmp_path, capsys):
    assert main(["train", "nonsense", str(tmp_path / "out"), "--data", "pairs"]) == 2
    assert "xray_unet" in capsys.readouterr().err


def test_another_loss_begins_with_its_own_options():
    changed = resolved_config("xray_original", settings=("loss.name=focal", "loss.options.gamma=3"))
    assert (changed.loss.name, changed.loss.options["gamma"]) == ("focal", 3)
    with pytest.raises(ConfigError, match="gama"):
        resolved_config("xray_original", settings=("loss.name=focal", "loss.options.gama=3"))


def test_a_group_that_a_file_leaves_empty_does_not_reset_the_recipe(tmp_path):
    (tmp_path / "changes.yaml").write_text("trainer:\noptimiser: {lr: 1e-4}\n")
    with pytest.raises(ConfigError, match="trainer is a group"):
        resolved_config("xray", tmp_path / "changes.yaml", (), Changes(seed=3).fields())
    assert Changes().fields() == {}
    assert Changes(epochs=3).fields() == {"trainer": {"epochs": 3}}
    assert resolved_config("xray_pretrain", settings=("pretext=null", "trainer.monitor=dice_mean")).pretext is None


def test_scientific_numbers_are_numbers():
    assert resolved_config("xray_unet", settings=("optimiser.lr=1e-4",)).optimiser.lr == 1e-4


def test_the_rate_finder_leaves_a_picture(pairs, tmp_path, capsys):
    settings = [word for one in TINY for word in ("--set", one)]
    command = ["train", "xray_unet", str(tmp_path / "rate"), "--data", str(pairs), "--find-lr", "--device", "cpu"]
    assert main([*command, "--threads", "1", *settings]) == 0
    assert "Suggested: --lr" in capsys.readouterr().out
    assert (tmp_path / "rate" / "lr_finder.png").is_file()


def test_a_rate_that_cannot_be_found_is_said_in_words(pairs, tmp_path, monkeypatch, capsys):
    nothing = FoundRate(np.array([1e-7, 1.0]), np.array([1.0, 2.0]), float("nan"))
    monkeypatch.setattr(train, "find_rate", lambda *_: nothing)
    command = ["train", "xray_unet", str(tmp_path / "rate"), "--data", str(pairs), "--find-lr"]
    assert main(command) == 0
    assert capsys.readouterr().out.startswith("No rate can be suggested")
    assert main([*command[:2], str(tmp_path / "two"), *command[3:], "--processes", "2"]) == 1
    assert "in one process" in capsys.readouterr().err


@pytest.fixture(scope="module")
def pretrained(pairs, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "pretrained"
    settings = (*TINY, "model.name=unet", "model.options.widths=[4, 8]", "augment.crop_px=[24, 24]")
    assert run_train(resolved_config("xray_pretrain", settings=settings), pairs, out, OPTIONS).threshold is None
    return out


def test_a_pretrained_network_says_what_it_is_and_marks_nothing(pretrained, pairs, tmp_path, capsys):
    card = (pretrained / "model" / "card.md").read_text()
    for said in ("It marks no lesions", "start.parts=[encoder]", "mean squared error", "3 pictures of 3 patients"):
        assert said in card
    stored = json.loads((pretrained / "model" / "config.json").read_text())
    assert {"explained", "hidden_error", "trivial_error"} <= stored["figures"].keys()
    assert main(["predict", str(pairs), str(tmp_path / "found"), "--model", str(pretrained)]) == 1
    assert "was pretrained" in capsys.readouterr().err


def test_its_encoder_begins_a_run(pretrained, pairs, tmp_path):
    settings = (*TINY, "trainer.epochs=1", "optimiser.lr=1e-12", "start.parts=[encoder]")
    options = TrainOptions(OPTIONS.machine, start=str(pretrained))
    begun = run_train(resolved_config("xray_unet", settings=settings), pairs, tmp_path / "next", options)
    assert "began from: encoder: weights" in (begun.folder / "model" / "card.md").read_text()
    old, new = (load_file(one / "model" / "weights.safetensors") for one in (pretrained, begun.folder))
    same = {
        name: torch.allclose(old[name], new[name]) for name in old if name.endswith("weight") and old[name].ndim > 1
    }
    assert all(same[name] for name in same if name.startswith("encoder"))
    assert not any(same[name] for name in same if name.startswith(("decoder", "head")))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ((), "its head is of no use for masks"),
        (("start.parts=[nothing]",), "no part 'nothing'"),
        (("start.parts=[encoder]", "model.options.widths=[4, 16]"), "the weights don't fit UNet's encoder"),
    ],
)
def test_what_cannot_be_taken_of_a_model_is_said(settings, said, pretrained, pairs, tmp_path):
    options = TrainOptions(OPTIONS.machine, start=str(pretrained))
    with pytest.raises(HilumError, match=said):
        run_train(resolved_config("xray_unet", settings=(*TINY, *settings)), pairs, tmp_path / "next", options)
    assert not (tmp_path / "next").exists()


def test_parts_of_no_model_are_refused(pairs, tmp_path):
    config = resolved_config("xray_unet", settings=(*TINY, "start.parts=[encoder]"))
    with pytest.raises(ConfigError, match="of no model"):
        run_train(config, pairs, tmp_path / "next", OPTIONS)


@pytest.mark.parametrize("error", [MemoryError("Unable to allocate 8 GiB"), RuntimeError("can't allocate memory")])
@pytest.mark.parametrize("place", ["read_data", "begun", "judged_facts"])
def test_too_little_memory_anywhere_is_one_clear_line(place, error, pairs, tmp_path, monkeypatch, capsys):
    def exhausted(*arguments):
        raise error

    monkeypatch.setattr(train, place, exhausted)
    words = [word for one in (*TINY, "trainer.epochs=1") for word in ("--set", one)]
    assert main(["train", "xray_unet", str(tmp_path / "out"), "--data", str(pairs), "--threads", "1", *words]) == 1
    said = capsys.readouterr().err
    assert "the memory is not enough" in said
    assert "trainer.batch_size" in said
    assert len(said.splitlines()) == 2


def test_too_many_broken_pictures_name_the_setting(tmp_path, capsys):
    data = write_xrays(tmp_path / "pairs", [chest(one) for one in (*TRAINING, *VALIDATION)])
    for path in data.glob("LIDC-IDRI-000[23]-?.png"):
        path.write_bytes(path.read_bytes()[:100])
    words = ["train", "xray_unet", str(tmp_path / "out"), "--data", str(data), "--set", "data.max_failures=1"]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "damaged or truncated" in said
    assert "data.max_failures" in said


@pytest.mark.parametrize(("split", "said"), [(TRAINING, "to learn from"), (VALIDATION, "to be judged by")])
def test_a_split_without_a_lesion_is_said(split, said, tmp_path, capsys):
    drawn = [chest(one, lesions=() if one in split else (((30, 20), 4),)) for one in (*TRAINING, *VALIDATION)]
    data = write_xrays(tmp_path / "pairs", drawn)
    assert main(["train", "xray_unet", str(tmp_path / "out"), "--data", str(data)]) == 1
    assert f"so there is nothing {said}" in capsys.readouterr().err
