"""Configurations are strict, frozen, and named by their content."""

import pytest
from pydantic import PositiveInt

from hilum.config import FrozenConfig, merged, read_config
from hilum.core import ConfigError


class Inner(FrozenConfig):
    width: PositiveInt = 32


class Outer(FrozenConfig):
    lr: float = 1e-3
    inner: Inner = Inner()


def test_an_unknown_key_is_named_with_those_that_exist():
    with pytest.raises(ConfigError, match="no setting 'inner.widht'") as error:
        Outer.of({"inner": {"widht": 3}})
    assert "width" in error.value.remedy


def test_a_value_that_cannot_be_is_named():
    with pytest.raises(ConfigError, match=r"run.yaml: inner.width: .*greater than 0; got 0"):
        Outer.of({"inner": {"width": 0}}, "run.yaml")


def test_the_hash_is_that_of_the_content():
    assert Outer().hash == Outer.of({"lr": 0.001}).hash != Outer(lr=1e-4).hash


def test_changes_go_into_nested_fields():
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 5}}) == {"a": {"b": 5, "c": 2}, "d": 3}


def test_a_file_is_read_strictly(tmp_path):
    (tmp_path / "run.yaml").write_text("lr: 0.01\ninner: {width: 8}\n")
    assert Outer.of(read_config(tmp_path / "run.yaml")) == Outer(lr=0.01, inner=Inner(width=8))
    (tmp_path / "broken.yaml").write_text("lr: [")
    with pytest.raises(ConfigError, match="is not YAML"):
        read_config(tmp_path / "broken.yaml")
    with pytest.raises(ConfigError, match="can't be read"):
        read_config(tmp_path / "none.yaml")
