"""The rule sets that come with hilum: one YAML file each, beside the code."""

from functools import cache
from pathlib import Path

from hilum.config import member, read_config
from hilum.followup.guidelines.rules import RuleSet

_FOLDER = Path(__file__).with_name("rulesets")

RULESETS = {
    "fleischner-2017": _FOLDER / "fleischner-2017.yaml",
    "lung-rads-2022": _FOLDER / "lung-rads-2022.yaml",
    "lndb-fleischner": _FOLDER / "lndb-fleischner.yaml",
    "bts-2015": _FOLDER / "bts-2015.yaml",
    "nelson": _FOLDER / "nelson.yaml",
    "recist-1.1": _FOLDER / "recist-1.1.yaml",
    "recist-1.1-response": _FOLDER / "recist-1.1-response.yaml",
}


@cache
def ruleset(name: str) -> RuleSet:
    """The rule set of this name.

    Raises:
        ConfigError: there is none, or its file breaks a rule of `RuleSet`.
    """
    path = member(RULESETS, "rule set", name)
    return RuleSet.of(read_config(path), path.name)
