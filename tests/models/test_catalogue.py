"""A name and options become a network, or one clear line."""

import pytest

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
