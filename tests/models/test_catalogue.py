"""A name and options become a network, or one clear line."""

import re
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from hilum.core import ConfigError
from hilum.models.catalogue import MODELS, ModelConfig, build_model


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
ROW = re.compile(r"^\| `(\w+)` \| ([\d.]+) M \| ([\d.]+) \| (.*) \|$", re.MULTILINE)
OTHER = re.compile(r"`(\w+)` (\w+) ([\d.]+)")


def counted(name, options):
    """Millions of parameters, and G multiply-accumulates of convolutions at 512 × 512, half of PyTorch's count."""
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        network = build_model(name, options).eval()
        network(torch.empty(1, 1, 512, 512))
    return sum(one.numel() for one in network.parameters()) / 1e6, counter.get_total_flops() / 2e9


def test_the_page_counts_every_network_right():
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert [name for name, *_ in sorted(rows)] == sorted(MODELS)
    for name, millions, macs, about in rows:
        found = counted(name, {})
        assert (f"{found[0]:.2f}", f"{found[1]:.1f}") == (millions, macs), name
        for option, value, others in OTHER.findall(about):
            given = int(value) if value.isdigit() else value
            assert f"{counted(name, {option: given})[1]:.1f}" == others, f"{name} {option} {value}"
