"""Configurations are strict, frozen, and named by their content."""

import copy
import pickle
from collections.abc import Mapping
from typing import Annotated

import pytest
from pydantic import PositiveInt, ValidationError, model_validator

from hilum.config import Choice, Frozen, FrozenConfig, FrozenDict, member, merged, read_config
from hilum.core import ConfigError


class Inner(FrozenConfig):
    width: PositiveInt = 32


class Outer(FrozenConfig):
    lr: float = 1e-3
    """Length of a step."""
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()
    maybe: Inner | None = None
    rates: Annotated[Mapping[str, float], *Frozen] = FrozenDict()


class Wide:
    class Config(FrozenConfig):
        widths: tuple[PositiveInt, ...] = (8, 16)
        inner: Inner = Inner()


class Size(Choice):
    kind = "size"
    name: str = "wide"

    @classmethod
    def family(cls):
        return {"wide": Wide}


def test_an_unknown_key_is_named_with_those_that_exist():
    with pytest.raises(ConfigError, match=r"no setting 'inner\.widht'") as error:
        Outer.of({"inner": {"widht": 3}})
    assert "width" in error.value.remedy


def test_a_value_that_cannot_be_is_named():
    with pytest.raises(ConfigError, match=r"run.yaml: inner.width: .*greater than 0; got 0"):
        Outer.of({"inner": {"width": 0}}, "run.yaml")


def test_the_hash_is_that_of_the_content():
    assert Outer().hash == Outer.of({"lr": 0.001}).hash != Outer(lr=1e-4).hash


def test_changes_go_into_nested_fields():
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 5}}) == {"a": {"b": 5, "c": 2}, "d": 3}


@pytest.mark.parametrize("value", [5, None, "fast", [1]])
def test_nothing_takes_the_place_of_a_whole_group(value):
    with pytest.raises(ConfigError, match=r"a\.b is a group of settings") as error:
        merged({"a": {"b": {"c": 2}}}, {"a": {"b": value}})
    assert "a.b.c" in error.value.remedy
    assert merged({"a": value}, {"a": {"b": 1}}) == {"a": {"b": 1}}


def test_a_file_is_read_strictly(tmp_path):
    (tmp_path / "run.yaml").write_text("lr: 0.01\ninner: {width: 8}\n")
    assert Outer.of(read_config(tmp_path / "run.yaml")) == Outer(lr=0.01, inner=Inner(width=8))
    (tmp_path / "broken.yaml").write_text("lr: [")
    with pytest.raises(ConfigError, match="is not YAML"):
        read_config(tmp_path / "broken.yaml")
    with pytest.raises(ConfigError, match="can't be read"):
        read_config(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("fields", "name", "remedy"),
    [
        ({"inner": {"widht": 3}}, "inner.widht", "Inner has: width"),
        ({"many": [{}, {"widht": 3}]}, "many.1.widht", "Inner has: width"),
        ({"maybe": {"widht": 3}}, "maybe.widht", "Inner has: width"),
        ({"rl": 3}, "rl", "Outer has: lr, inner, many"),
    ],
)
def test_the_settings_of_the_right_place_are_offered(fields, name, remedy):
    for make in (Outer.of, lambda given: Outer(**given)):
        with pytest.raises(ConfigError, match=f"no setting '{name}'") as error:
            make(fields)
        assert error.value.remedy.startswith(remedy)


def test_everything_that_is_wrong_is_said_at_once_up_to_five():
    with pytest.raises(ConfigError, match=r"lr: .*got 'fast'; there is no setting 'lo'") as error:
        Outer.of({"lr": "fast", "lo": 1}, "run.yaml")
    assert error.value.message.startswith("run.yaml: lr: ")
    assert error.value.message.endswith(".")
    assert "lr: Length of a step." in error.value.remedy
    with pytest.raises(ConfigError, match="and 2 more") as error:
        Outer.of({f"x{n}": n for n in range(7)})
    assert error.value.message.count("no setting") == 5
    assert error.value.remedy.count("Outer has") == 1


def test_a_configuration_that_is_called_directly_raises_the_same_error():
    for make in (lambda: Inner(width=0), lambda: Outer(inner={"width": 0}), lambda: Outer(nothing=1)):
        with pytest.raises(ConfigError):
            make()


def test_a_rule_over_several_fields_speaks_for_itself():
    class Ordered(FrozenConfig):
        low: int = 0
        high: int = 1

        @model_validator(mode="after")
        def _in_order(self):
            if self.low > self.high:
                raise ValueError(f"low is at most high, got {self.low} and {self.high}")
            return self

    with pytest.raises(ConfigError) as error:
        Ordered(low=3)
    assert error.value.message.endswith("Ordered: low is at most high, got 3 and 1.")


def test_options_and_mappings_cannot_change():
    chosen, before = Size(options={"widths": [1, 2]}), Size(options={"widths": [1, 2]}).hash
    rates = Outer(rates={"encoder": 1e-5})
    for change in (
        lambda: chosen.options.__setitem__("widths", (9,)),
        lambda: chosen.options["inner"].__setitem__("width", 9),
        lambda: chosen.options["widths"].append(9),
        lambda: rates.rates.__setitem__("encoder", 1),
    ):
        with pytest.raises((TypeError, AttributeError)):
            change()
    with pytest.raises(ValidationError, match="frozen"):
        chosen.name = "narrow"
    assert chosen.hash == before


def test_what_was_given_can_change_without_it():
    given = {"widths": [1, 2]}
    chosen = Size(options=given)
    given["widths"].append(3)
    assert chosen.options["widths"] == (1, 2)


def test_a_choice_is_complete_and_plain_and_can_travel():
    chosen = Size(options={"widths": [1, 2]})
    assert chosen.plain() == {"name": "wide", "options": {"widths": [1, 2], "inner": {"width": 32}}}
    assert Size.of(chosen.plain()) == Size(**dict(chosen)) == pickle.loads(pickle.dumps(chosen)) == chosen  # noqa: S301
    assert copy.deepcopy(chosen) == chosen
    assert {chosen: 1}[Size.of(chosen.plain())] == 1
    assert chosen != Size()


def test_a_choice_names_what_there_is():
    with pytest.raises(ConfigError, match="no size 'narrow'") as error:
        Size.of({"name": "narrow"})
    assert error.value.remedy == "There are: wide."
    with pytest.raises(ConfigError, match=r"size wide: there is no setting 'inner\.widht'"):
        Size(options={"inner": {"widht": 1}})
    assert member({"one": 1}, "number", "one") == 1
