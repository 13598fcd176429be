"""From facts to advice: the rows are looked up, the most serious nodule decides, and the reasons are kept."""

from collections.abc import Sequence

from hilum.core import Advice, StudyAdvice
from hilum.followup.guidelines.compared import (
    WORDS,
    Facts,
    Open,
    Value,
    compared,
    earlier,
    history_by_size,
    solid_history_of,
    texture_of,
)
from hilum.followup.guidelines.explain import explained, no_answer
from hilum.followup.guidelines.facts import Count, NoduleFacts, StudyFacts
from hilum.followup.guidelines.lookup import found_by, holds
from hilum.followup.guidelines.rules import Row, RuleSet, When

_OF_STUDY = frozenset(
    {*StudyFacts.model_fields, "count", "months_since_prior"}
    | {name for name in When.model_fields if name.startswith("sum_")}
)


def advise(rules: RuleSet, nodules: Sequence[NoduleFacts], study: StudyFacts | None = None) -> StudyAdvice:
    """What a rule set says about a study.

    Args:
        rules: the rule set.
        nodules: all nodules of the study; none for a study without one.
        study: the patient and the study.

    Returns:
        The answer for the study, by its most serious nodule, and for each nodule. An answer that hangs on an input
        that nobody gave is left open, and says on which.
    """
    study = study or StudyFacts()
    counting = [nodule for nodule in nodules if not _left_out(rules, nodule)]
    left_out = tuple(nodule.id for nodule in nodules if _left_out(rules, nodule))
    answers = tuple(_of_nodule(rules, nodule, study, _count(rules, nodule, counting, study)) for nodule in counting)
    if not answers or _of_study_alone(rules):
        return StudyAdvice(_without_nodules(rules, study, any_nodule=bool(answers)), answers, left_out)
    return StudyAdvice(_deciding(rules, answers), answers, left_out)


def _left_out(rules: RuleSet, nodule: NoduleFacts) -> bool:
    facts = {name: value for name in NoduleFacts.model_fields if (value := getattr(nodule, name)) is not None}
    known = [one for one in rules.leaves_out if set(one.when.conditions) <= set(facts)]
    return any(holds(one.when, facts) is True for one in known)


def _count(rules: RuleSet, nodule: NoduleFacts, all_of_them: Sequence[NoduleFacts], study: StudyFacts) -> Count | None:
    """How many nodules this one is counted with; None where a texture that nobody gave decides that."""
    if study.multiple is not None:
        return "multiple" if study.multiple else "single"
    if len(all_of_them) == 1 or rules.counted == "not":
        return "multiple" if len(all_of_them) > 1 else "single"
    if rules.counted == "together":
        return "multiple"
    textures = [texture_of(rules, one) for one in all_of_them]
    own = texture_of(rules, nodule)
    if own is None:
        return None
    alike = sum(one is not None and (one == "solid") == (own == "solid") for one in textures)
    return "multiple" if alike > 1 else None if None in textures else "single"


def _of_nodule(rules: RuleSet, nodule: NoduleFacts, study: StudyFacts, count: Count | None) -> Advice:
    study = study.of_nodule(nodule)
    facts = compared(rules, nodule, study, count)
    facts["history"] = nodule.history or _history(rules, nodule, study, facts)
    if facts["history"] in ("baseline", "new") and study.months_known is None:
        facts["months_since_first"] = 0.0
    facts["solid_history"] = solid_history_of(rules, nodule, facts)
    if rules.recategorises and facts["history"] == "stable":
        facts["history"] = _crossed(rules, nodule, study, facts)
    return explained(rules, nodule, study, facts)


def _history(rules: RuleSet, nodule: NoduleFacts, study: StudyFacts, facts: Facts) -> Value:
    """As the sizes tell; else open where an earlier study is known of, else what the rule set assumes."""
    told = history_by_size(rules, nodule, study)
    if told is not None:
        return told
    if nodule.prior_category or study.prior_date or study.interval_days:
        return Open(WORDS["history"][:-1])
    return facts["history"]


def _crossed(rules: RuleSet, nodule: NoduleFacts, study: StudyFacts, facts: Facts) -> Value:
    """Stable, or crossed where the size alone would put it in a higher category now than before."""
    now = _rank_by_size(rules, nodule, study)
    before = earlier(nodule)
    was = _rank_by_size(rules, before, study) if before else None
    if was is None and nodule.prior_category is not None:
        # Unknown sizes: what the size alone would give now is no more than what the nodule was before.
        return "stable" if now is not None and now <= rules.rank(nodule.prior_category) else Open(("stable", "crossed"))
    if now is None or was is None:
        return Open(("stable", "crossed"))
    return "crossed" if now > was else facts["history"]


def _rank_by_size(rules: RuleSet, nodule: NoduleFacts, study: StudyFacts) -> int | None:
    facts = compared(rules, nodule, study, "single") | {"history": "baseline", "solid_history": "stable"}
    ranks = {rules.rank(one.row.category) if one.row else None for one in found_by(rules, facts)}
    return ranks.pop() if len(ranks) == 1 else None


def _of_study_alone(rules: RuleSet) -> bool:
    return all(_speaks_of_study(row) for row in rules.rows)


def _speaks_of_study(row: Row) -> bool:
    return all(set(when.conditions) <= _OF_STUDY for when in row.when)


def _without_nodules(rules: RuleSet, study: StudyFacts, *, any_nodule: bool) -> Advice:
    """By the rows that ask for nothing of a nodule."""
    own = tuple(row for row in rules.rows if _speaks_of_study(row))
    facts = compared(rules, NoduleFacts(id="study"), study, None) | {"count": "single" if any_nodule else "none"}
    if not own:
        return no_answer(rules, None, "there is no nodule, and the rule set has no row for that")
    return explained(rules.model_copy(update={"rows": own}), None, study, facts)


def _deciding(rules: RuleSet, answers: Sequence[Advice]) -> Advice:
    """The most serious answer, unless one that is open could be more serious still."""
    told = [one for one in answers if one.category is not None]
    worst = max(told, key=lambda one: rules.rank(one.category or ""), default=None)
    untold = [one for one in answers if one.category is None]
    above = [one for one in untold if worst is None or _may_exceed(rules, one, worst)]
    if worst is not None and not above:
        return worst
    if len(answers) == 1:
        return answers[0]
    least = f" (at least {worst.category}, by nodule {worst.nodule})" if worst else ""
    why = "; ".join(f"nodule {one.nodule}: {one.because}" for one in above)
    return no_answer(rules, None, f"the study's category can't be told{least}: {why}", above)


def _may_exceed(rules: RuleSet, untold: Advice, worst: Advice) -> bool:
    could = [other.category for missing in untold.missing if missing.assumed is None for other in missing.could]
    if not could or None in could or worst.category is None:
        return True
    return any(rules.rank(one) > rules.rank(worst.category) for one in could if one)
