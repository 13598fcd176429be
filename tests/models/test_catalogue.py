"""A name and options become a network, or one clear line."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from hilum.core import ConfigError
from hilum.models.catalogue import MODELS, ModelConfig, build_model
from hilum.models.macs import count_macs


@pytest.mark.parametrize("name", list(MODELS))
def test_every_class_says_what_it_is_and_what_its_settings_are(name):
    assert MODELS[name].__doc__
    fields = MODELS[name].Config.model_fields
    assert [key for key, field in fields.items() if not field.description] == []


def test_a_name_that_does_not_exist_is_answered_with_those_that_do():
    for build in (lambda: build_model("u-net"), lambda: ModelConfig.of({"name": "u-net"})):
        with pytest.raises(ConfigError, match="no model 'u-net'") as error:
            build()
        assert "unet" in error.value.remedy


def test_an_unknown_option_is_answered_with_those_that_exist():
    with pytest.raises(ConfigError, match="model original: there is no setting 'widths'") as error:
        ModelConfig.of({"name": "original", "options": {"widths": [3]}})
    assert "alpha" in error.value.remedy


def test_options_are_completed_so_that_the_same_network_has_the_same_hash():
    short = ModelConfig.of({"name": "unet", "options": {"widths": [4, 8]}})
    long = ModelConfig.of(short.plain())
    assert long == short
    assert long.hash == short.hash != ModelConfig().hash
    assert short.options["norm"] == "batch"
    assert short.build().config.plain() == short.plain()["options"]


PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "models.md"
ROW = re.compile(r"^\| `(\w+)` \| ([\d.]+) M \| ([\d.]+) \| ([\d.]+) \| (\D.*) \|$", re.MULTILINE)
OTHER = re.compile(r"`(\w+)` (\w+) ([\d.]+)")


def counted(name, options):
    """Millions of parameters, and G multiply-accumulates at 256² and 512²; of pieces of a CT at 64³ and 96³."""
    network = build_model(name, options)
    sides = (256, 512) if network.axes == 2 else (64, 96)
    macs = [count_macs(network, (side,) * network.axes).total / 1e9 for side in sides]
    return sum(one.numel() for one in network.parameters()) / 1e6, *macs


def test_the_page_counts_every_network_right():
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert [name for name, *_ in sorted(rows)] == sorted(MODELS)
    for name, *said, about in rows:
        if name == "swin_unetr" and find_spec("einops") is None:
            continue  # it can be built, not run
        assert [f"{one:.2f}" for one in counted(name, {})] == said, name
        for option, value, others in OTHER.findall(about):
            given = yaml.safe_load(value)
            assert f"{counted(name, {option: given})[2]:.2f}" == others, f"{name} {option} {value}"
