"""`hilum models` for people and for programs."""

import json

import pytest

from hilum.cli.app import main
from hilum.infer import loaded
from hilum.models.catalogue import MODELS, build_model
from tests.patches import patch_model
from tests.slices import slice_model
from tests.trained import STEP_MM, THRESHOLD, tiny_model


def test_every_network_is_listed_with_its_size(capsys):
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[: len(MODELS)]] == list(MODELS)
    assert "hilum models NAME" in lines[-1]


def test_programs_read_every_setting_and_can_build_from_them(capsys):
    assert main(["models", "unet", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["schema"] == "hilum.models/1"
    [unet] = content["models"]
    network = build_model("unet", {setting["name"]: setting["default"] for setting in unet["settings"]})
    assert unet["parameters"] == sum(own.numel() for own in network.parameters()) == sum(unet["parts"].values())
    assert all(setting["meaning"] for setting in unet["settings"])
    assert unet["pretrained"] is False


def test_a_named_network_shows_parts_and_settings(capsys):
    assert main(["models", "improved"]) == 0
    shown = capsys.readouterr().out
    assert "4 encoder stages" in shown
    assert "attention = ['deep', 'multiscale']" in shown
    assert "torchxrayvision ResNet-50" in shown


def test_a_network_that_does_not_exist_is_one_clear_line(capsys):
    assert main(["models", "u-net"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "hilum: there is no model 'u-net'."
    assert said[1].startswith(f"       There are: {', '.join(MODELS)}")
    assert len(said) == 2


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    folder = tiny_model(tmp_path / "small")
    (folder / "card.md").write_text("# small")
    content = json.loads((folder / "config.json").read_text())
    content |= {
        "figures": {"dice_mean": {"value": 0.25, "low": 0.2, "high": 0.3, "n": 9}, "ece": {"value": None, "n": 0}},
        "data": {"licence": "CC BY 3.0"},
    }
    (folder / "config.json").write_text(json.dumps(content))
    monkeypatch.setattr(loaded, "SHIPPED", tmp_path)
    return folder


def test_a_shipped_model_is_listed_with_what_its_user_has_to_know(shipped, capsys):
    assert main(["models"]) == 0
    shown = capsys.readouterr().out
    for said in ("small: trained unet", f"{STEP_MM:g} mm", f"{THRESHOLD:g}", "0.250 (0.200–0.300)", "CC BY 3.0"):
        assert said in shown
    assert str(shipped / "card.md") in shown
    assert main(["models", "small", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["models"] == []
    [model] = content["shipped"]
    assert model["bytes"] == (shipped / "weights.safetensors").stat().st_size
    assert model["figures"]["dice_mean"]["high"] == 0.3


@pytest.mark.parametrize(
    ("make", "words", "pixel_mm"),
    [(slice_model, "pixels as each scan has them", None), (patch_model, "voxels of 1 mm", 1.0)],
)
def test_shipped_models_of_all_kinds_are_listed(make, words, pixel_mm, tmp_path, monkeypatch, capsys):
    folder = make(tmp_path / "own")
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | {"validation": {"dice_mean": 0.5}}))
    monkeypatch.setattr(loaded, "SHIPPED", tmp_path)
    assert main(["models", "own"]) == 0
    assert words in capsys.readouterr().out
    assert main(["models", "own", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["shipped"][0]["pixel_mm"] == pixel_mm
