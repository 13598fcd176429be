"""Guidelines as data, and an engine that looks up and explains. Decision support, not a medical device."""

from hilum.followup.guidelines.catalogue import RULESETS, ruleset
from hilum.followup.guidelines.engine import advise
from hilum.followup.guidelines.facts import NoduleFacts, StudyFacts
from hilum.followup.guidelines.rules import Row, RuleSet

__all__ = ["RULESETS", "NoduleFacts", "Row", "RuleSet", "StudyFacts", "advise", "ruleset"]
