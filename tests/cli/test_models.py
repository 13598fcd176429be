"""`hilum models` for people and for programs."""

import json

from hilum.cli.app import main
from hilum.models.catalogue import MODELS, build_model


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
    assert said == ["hilum: there is no model 'u-net'.", f"       There are: {', '.join(MODELS)}."]
