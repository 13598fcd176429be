"""The rule engine alone: nodules, or a table of them, in; category, management and why out (`hilum guideline`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.core import Advice, ConfigError, InputError, StudyAdvice
from hilum.followup.guidelines import RULESETS, NoduleFacts, RuleSet, StudyFacts, advise, ruleset
from hilum.followup.guidelines.facts import facts_of
from hilum.io.nodules_file import read_nodules
from hilum.workflows.nodule_table import read_table, require_studies

SCHEMA = "hilum.guideline/1"
DISCLAIMER = "Decision support for research, not a medical device: a clinician decides."
LNDB = "lndb-fleischner"


@dataclass(frozen=True)
class GuidelineInput:
    """What is to be judged.

    Attributes:
        nodules: of one study.
        study: the patient and the study.
    """

    nodules: tuple[NoduleFacts, ...]
    study: StudyFacts


@dataclass(frozen=True)
class TableAdvice:
    """What a rule set says about the studies of a table.

    Attributes:
        ruleset: the rule set.
        column: what the studies are called in the table.
        studies: by key, in the table's order.
        notes: on the table.
    """

    ruleset: RuleSet
    column: str
    studies: Mapping[str, StudyAdvice]
    notes: tuple[str, ...]

    def record(self) -> list[dict[str, Any]]:
        """For JSON: one entry a study; of LNDb's classes LNDbID, class and because alone."""
        return [self._entry(key, advice.study) for key, advice in self.studies.items()]

    def _entry(self, key: str, advice: Advice) -> dict[str, Any]:
        name: str | int = int(key) if self.column == "LNDbID" and key.isdecimal() else key
        because = f"nodule {advice.nodule}: {advice.because}" if advice.nodule else advice.because
        if self.ruleset.name == LNDB:
            told = None if advice.category is None else int(advice.category)
            return {self.column: name, "class": told, "because": because}
        return {
            self.column: name,
            "ruleset": advice.ruleset,
            "version": advice.version,
            "category": advice.category,
            "modifiers": advice.modifiers,
            "management": advice.management,
            "due": advice.due,
            "because": because,
        }


def nodules_from(path: Path, study: Mapping[str, object]) -> GuidelineInput:
    """The nodules of a `nodules.json`; an entry may hold further fields of `NoduleFacts`, such as history.

    Args:
        path: the file.
        study: facts of the patient and the study, which go over what the file's `study` says.

    Raises:
        InputError: there is no such file, or a nodule has no millimetres.
        UnreadableError: it is damaged.
        ConfigError: a fact can't be.
    """
    content = read_nodules(path)
    own = {name: value for name, value in content.study.items() if name in _OF_STUDY and value is not None}
    nodules = tuple(
        facts_of(nodule, {name: value for name, value in entry.items() if name in _ADDED and value is not None})
        for nodule, entry in zip(content.nodules, content.entries, strict=True)
    )
    return GuidelineInput(nodules, StudyFacts.of(own | dict(study), str(path)))


_ADDED = frozenset(NoduleFacts.model_fields) - {"id", "texture"}
_OF_STUDY = frozenset(StudyFacts.model_fields) - {"modality"}
"""Files call a modality by DICOM's words, so it has to be typed."""


def run_guideline(name: str, given: GuidelineInput) -> StudyAdvice:
    """What a rule set says.

    Raises:
        ConfigError: there is no such rule set.
    """
    return advise(ruleset(name), given.nodules, given.study)


def run_table(
    name: str, path: Path, cases: Path | None = None, common: Mapping[str, object] | None = None
) -> TableAdvice:
    """What a rule set says about each study of a table.

    Args:
        name: of the rule set.
        path: the table; see `read_table`.
        cases: a list of all its studies.
        common: facts of every study, where the table has no column of them.

    Raises:
        ConfigError: there is no such rule set.
        InputError: a file doesn't exist, or names no study.
        UnreadableError: it is no table of nodules.
    """
    rules = ruleset(name)
    table = read_table(path, cases, common)
    require_studies(table, path)
    answers = {one.key: advise(rules, one.nodules, one.facts) for one in table.studies}
    return TableAdvice(rules, table.column, answers, table.notes)


@dataclass(frozen=True)
class Compared:
    """What the rule sets on follow-up say about one study, side by side.

    Attributes:
        advice: of each.
        steps: the next step that each recommends, in words.
        agree: whether all that give an answer name the same step.
    """

    advice: tuple[StudyAdvice, ...]
    steps: Mapping[str, str]
    agree: bool


def compare_rulesets(given: GuidelineInput) -> Compared:
    """Ask every rule set that says what to do about nodules."""
    every = [rules for rules in map(ruleset, RULESETS) if rules.kind == "follow-up"]
    advice = tuple(advise(rules, given.nodules, given.study) for rules in every)
    steps = {rules.name: step_said(rules, one.study) for rules, one in zip(every, advice, strict=True)}
    told = {step for step in steps.values() if step != NO_ANSWER}
    return Compared(advice, steps, len(told) <= 1)


NO_ANSWER = "no answer"


def step_said(rules: RuleSet, advice: Advice) -> str:
    """The next step alone: none, imaging by when, or something without a date."""
    if advice.category is None:
        return NO_ANSWER
    if advice.due is not None:
        first, last = advice.due.earliest_months, advice.due.latest_months
        return f"CT in {first} months" if first == last else f"CT in {first}-{last} months"
    return "no follow-up" if rules.rank(advice.category) == 0 else advice.management or NO_ANSWER


def record(given: GuidelineInput, advice: StudyAdvice) -> dict[str, Any]:
    """For JSON: the study's answer and each nodule's, with the inputs."""
    return {
        "schema": SCHEMA,
        "ruleset": advice.study.ruleset,
        "version": advice.study.version,
        "disclaimer": DISCLAIMER,
        "study": advice.study,
        "nodules": advice.nodules,
        "left_out": advice.left_out,
        "inputs": _inputs(given),
    }


def compared_record(given: GuidelineInput, compared: Compared) -> dict[str, Any]:
    """For JSON: every rule set's answer."""
    return {
        "schema": SCHEMA,
        "disclaimer": DISCLAIMER,
        "agree": compared.agree,
        "steps": compared.steps,
        "compared": [one.study for one in compared.advice],
        "inputs": _inputs(given),
    }


def rulesets_record(names: Sequence[str] = ()) -> dict[str, Any]:
    """For JSON: rule sets with every row."""
    return {"schema": "hilum.rulesets/1", "rulesets": [ruleset(name).plain() for name in names or RULESETS]}


def require_ruleset(name: str | None) -> str:
    """Check that a rule set was named.

    Raises:
        ConfigError: none was, or there is no such one.
    """
    if name is None:
        raise ConfigError("a rule set is needed.", f"There are: {', '.join(RULESETS)}; hilum guideline --list.")
    return ruleset(name).name


def require_input(given: GuidelineInput) -> None:
    """Check that anything is to be judged.

    Raises:
        InputError: neither a nodule nor a sum of targets was given.
    """
    if not given.nodules and given.study == StudyFacts():
        raise InputError("there is nothing to judge.", "Give --size-mm and --texture, --nodules FILE or --table CSV.")


def _inputs(given: GuidelineInput) -> dict[str, Any]:
    return {
        "study": given.study.model_dump(mode="json", exclude_defaults=True),
        "nodules": [one.model_dump(mode="json", exclude_none=True) for one in given.nodules],
    }
