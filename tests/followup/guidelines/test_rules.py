"""Rules as data: complete, cited, strictly checked."""

import pytest

from hilum.core import ConfigError
from hilum.followup.guidelines import RULESETS, Row, RuleSet, StudyFacts, ruleset
from hilum.followup.guidelines.compared import WORDS
from hilum.followup.guidelines.facts import NoduleFacts
from hilum.followup.guidelines.rules import Bound, When
from hilum.followup.guidelines.words import NAMES

EVERY = [pytest.param(ruleset(name), id=name) for name in RULESETS]


def with_row(rules, **changes):
    """The rule set's fields with another last row."""
    fields = rules.plain()
    fields["rows"] = [*fields["rows"][:-1], fields["rows"][-1] | changes]
    return fields


@pytest.mark.parametrize("rules", EVERY)
def test_each_rule_set_says_where_it_is_from(rules):
    assert rules.name in RULESETS
    assert any(str(year) in rules.citation for year in range(2000, 2030)) or "LNDb" in rules.citation
    assert rules.version
    assert rules.meant_for
    assert rules.notes
    for row in rules.rows:
        assert row.cite
        assert row.management
        assert row.confirmed == (not row.why_off)


@pytest.mark.parametrize("rules", EVERY)
def test_no_two_rows_ask_the_same(rules):
    asked = [when.model_dump_json() for row in rules.rows for when in row.when]
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize("rules", EVERY)
def test_each_category_is_used_and_each_row_has_its_place(rules):
    used = {row.category for row in rules.rows} | {up.to for up in rules.upgrades}
    assert used == {*rules.categories, *rules.apart}


@pytest.mark.parametrize("rules", EVERY)
def test_a_rule_set_written_out_is_the_same_rule_set(rules):
    assert RuleSet.of(rules.plain()) == rules


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"category": "5"}, "no category '5'"),
        ({"cite": ""}, "at least 1 character"),
        ({"confirmed": False}, "why_off"),
        ({"why_off": "doubt"}, "why_off"),
        ({"colour": "red"}, "no setting"),
        ({"when": []}, "at least 1 item"),
        ({"when": {}}, "at least one condition"),
        ({"when": {"texture": "glassy"}}, "ground-glass"),
        ({"when": {"colour": "red"}}, "no setting"),
        ({"when": {"size": {"mm": {"ge": 6}}}}, "mm and mm3"),
        ({"when": {"size": {"mm": {"ge": 6, "gt": 6}, "mm3": None}}}, "one lower and one upper"),
        ({"when": {"size": {"mm": {}, "mm3": None}}}, "at least one of"),
        ({"id": "solid-small-low"}, "stands twice"),
    ],
)
def test_a_bad_row_is_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        RuleSet.of(with_row(ruleset("fleischner-2017"), **changes), "changed.yaml")


@pytest.mark.parametrize(
    ("changes", "words"), [({"assumed": {"mood": "good"}}, "mood"), ({"texture_below": {"ground-glass": "a"}}, "a")]
)
def test_a_bad_rule_set_is_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        RuleSet.of(ruleset("nelson").plain() | changes)


def test_a_rule_set_that_isnt_there():
    with pytest.raises(ConfigError, match="no rule set 'fleischner-2005'") as caught:
        ruleset("fleischner-2005")
    assert "fleischner-2017" in caught.value.remedy


def test_every_fact_has_a_name_and_a_place_that_it_comes_from():
    assert set(NAMES) == set(When.model_fields)
    assert set(WORDS) <= set(When.model_fields)
    derived = {"count", "size", "solid_size", "months_since_prior"}
    derived |= {name for name in When.model_fields if name.startswith("sum_from")}
    assert set(When.model_fields) - derived <= set(NoduleFacts.model_fields) | set(StudyFacts.model_fields)


@pytest.mark.parametrize(
    ("bound", "inside", "outside"),
    [
        (Bound(ge=6, lt=8), (6, 7.99), (5.99, 8)),
        (Bound(gt=6, le=8), (6.01, 8), (6, 8.01)),
        (Bound(lt=0), (-1,), (0,)),
        (Bound(gt=400), (401, float("inf")), (400,)),
    ],
)
def test_each_end_says_whether_it_belongs(bound, inside, outside):
    assert all(bound.holds(value) for value in inside)
    assert not any(bound.holds(value) for value in outside)


def test_a_row_that_is_off_says_why():
    with pytest.raises(ConfigError):
        Row(id="a", when=When(texture="solid"), category="b", management="c", cite="d", confirmed=False)
