"""How the engine gets from facts to an answer: history, stepping, several nodules, what is open or would change it."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core import Diameters, InputError, Nodule
from hilum.followup.guidelines import RULESETS, NoduleFacts, RuleSet, StudyFacts, advise, ruleset
from hilum.followup.guidelines.explain import due_date
from hilum.followup.guidelines.facts import doubling_days, facts_of
from tests.followup.guidelines.test_switches import situations

LUNG_RADS = ruleset("lung-rads-2022")
FLEISCHNER = ruleset("fleischner-2017")


def study_advice(rules, study=None, **nodule):
    return advise(rules, [NoduleFacts(**({"texture": "solid"} | nodule))], StudyFacts(**(study or {}))).study


# Change since the earlier study


@pytest.mark.parametrize(
    ("before", "after", "days", "expected"),
    [
        (7.0, 8.5, 180, "4A"),  # 1.5 mm is not more than 1.5 mm, but crosses 8 mm: by size
        (7.0, 8.6, 180, "4B"),  # 1.6 mm: growing, 8 mm or more
        (6.0, 7.5, 180, None),  # neither grown nor in a higher row, and nobody gave the earlier category
        (5.9, 7.4, 180, "3"),  # 1.5 mm: not grown, but crosses 6 mm: judged by its size
        (6.24, 7.84, 180, "4A"),  # 6.2 and 7.8, 1.6 mm: growing, below 8 mm
        (6.25, 7.84, 180, None),  # 6.3 and 7.8, 1.5 mm
        (7.0, 9.0, 380, "4B"),  # 12 months, rounded
        (9.0, 11.0, 400, "4B"),  # 13 months: fast or slow, both 4B
        (5.0, 7.0, 400, None),  # fast is 4A, slow 4B
    ],
)
def test_growth_within_12_months(before, after, days, expected):
    found = study_advice(LUNG_RADS, {"interval_days": days}, mean_diameter_mm=after, prior_mean_diameter_mm=before)
    assert found.category == expected


def test_a_change_of_volume_is_no_growth_to_lung_rads():
    """The 2 mm³ printed beside 1.5 mm is a ball's volume; volumes alone leave open whether it grew."""
    found = study_advice(LUNG_RADS, {"interval_days": 180}, volume_mm3=150, prior_volume_mm3=120)
    assert found.category is None
    assert "history" in {missing.fact for missing in found.missing}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [(6.4, 8.4, None), (6.4, 7.4, "ct-18-24-months"), (6.5, 7.4, "ct-18-24-months"), (5.4, 7.5, None)],
)
def test_growth_to_fleischner_is_2_mm_between_rounded_sizes(before, after, expected):
    study = {"months_since_first": 8, "risk": "high"}
    found = study_advice(FLEISCHNER, study, mean_diameter_mm=after, prior_mean_diameter_mm=before)
    assert found.category == expected
    assert bool(found.withheld) == (expected is None)


@pytest.mark.parametrize(
    ("prior", "days", "expected"),
    [
        ("3", 167, "3"),  # 5.49 months
        ("3", 168, "2"),  # 5.52: the sixth month
        ("4A", 76, "4A"),  # 2.497 months
        ("4A", 77, "3"),
        ("2", 365, None),  # its row is off
        ("4B", 365, None),  # no row
    ],
)
def test_stepping_down_needs_the_category_and_the_time(prior, days, expected):
    facts = {"mean_diameter_mm": 7.0, "prior_mean_diameter_mm": 7.2, "prior_category": prior}
    assert study_advice(LUNG_RADS, {"interval_days": days}, **facts).category == expected


def test_no_step_down_across_a_size_row():
    """From 7.6 to 8.2 mm: not grown, but in a higher row."""
    study, facts = {"interval_days": 190}, {"prior_category": "3", "mean_diameter_mm": 8.2}
    assert study_advice(LUNG_RADS, study, prior_mean_diameter_mm=7.6, **facts).category == "4A"
    assert study_advice(LUNG_RADS, study, prior_mean_diameter_mm=8.1, **facts).category == "2"
    open_still = study_advice(LUNG_RADS, study, history="stable", **facts)
    assert open_still.category is None
    assert {one.category for missing in open_still.missing for one in missing.could if missing.assumed is None} >= {
        "2",
        "4A",
    }


def test_no_step_down_of_airway_nodules():
    found = study_advice(
        LUNG_RADS, {"interval_days": 100}, form="airway-segmental", prior_category="4A", history="stable"
    )
    assert found.category == "4B"


def test_stepping_without_the_earlier_category_says_that_it_is_missing():
    found = study_advice(LUNG_RADS, {"interval_days": 200}, mean_diameter_mm=7.0, history="stable")
    assert found.category is None
    (missing,) = [one for one in found.missing if one.fact == "prior_category"]
    assert missing.assumed is None
    assert {one.value: one.category for one in missing.could}["3"].startswith("2")


@pytest.mark.parametrize(
    ("months", "texture", "part", "expected", "due"),
    [
        (0, "solid", None, "ct-6-12-months", (6, 12)),
        (5.4, "solid", None, "ct-6-12-months", (6, 12)),
        (5.5, "solid", None, "ct-18-24-months", (18, 24)),
        (17.4, "solid", None, "ct-18-24-months", (18, 24)),
        (17.5, "solid", None, "none", None),
        (4, "ground-glass", None, "ct-6-12-months", (6, 12)),
        (8, "ground-glass", None, "ct-every-2-years", (24, 24)),
        (59.4, "ground-glass", None, "ct-every-2-years", (24, 24)),
        (60, "ground-glass", None, "none", None),
        (2, "part-solid", 3.0, "ct-3-6-months", (3, 6)),
        (4, "part-solid", 5.4, "ct-yearly", (12, 12)),
        (4, "part-solid", 5.5, "suspicious", None),
        (70, "part-solid", 5.4, "none", None),
        (70, "part-solid", 6.0, "suspicious", None),
    ],
)
def test_fleischner_over_time(months, texture, part, expected, due):
    facts = {"mean_diameter_mm": 7.0, "texture": texture, "solid_mean_diameter_mm": part, "history": "stable"}
    found = study_advice(FLEISCHNER, {"months_since_first": months, "risk": "low"}, **facts)
    assert found.category == expected
    assert (found.due and (found.due.earliest_months, found.due.latest_months)) == due


# Modifiers, other categories


@pytest.mark.parametrize(("mm", "expected"), [(5.9, "2"), (6, "4X"), (9, "4X"), (20, "4X")])
def test_features_raise_3_and_4_to_4x(mm, expected):
    assert study_advice(LUNG_RADS, mean_diameter_mm=mm, suspicious_features=True).category == expected


def test_s_is_a_modifier():
    plain, marked = (study_advice(LUNG_RADS, {"other_finding": on}, mean_diameter_mm=7) for on in (False, True))
    assert (plain.category, marked.category) == ("3", "3")
    assert (plain.modifiers, marked.modifiers) == ((), ("S",))
    assert any(note.startswith("S: ") for note in marked.notes)


@pytest.mark.parametrize("name", ["prior_exam_pending", "lungs_not_evaluable", "infection_suspected"])
def test_category_0_comes_before_any_nodule(name):
    study = StudyFacts(**{name: True})
    assert advise(LUNG_RADS, [], study).study.category == "0"
    assert study_advice(LUNG_RADS, {name: True}, mean_diameter_mm=20).category == "0"


def test_no_nodule():
    assert advise(LUNG_RADS, []).study.category == "1"
    assert advise(ruleset("lndb-fleischner"), []).study.category == "0"
    assert advise(FLEISCHNER, []).study.category is None


@pytest.mark.parametrize(
    "study", [{"age_years": 34.9}, {"known_cancer": True}, {"immunosuppressed": True}, {"screening": True}]
)
def test_fleischner_is_not_for_everybody(study):
    found = study_advice(FLEISCHNER, study, mean_diameter_mm=7)
    assert found.category is None
    assert "not for this patient" in found.because
    assert study_advice(FLEISCHNER, {"age_years": 35, "risk": "low"}, mean_diameter_mm=7).category is not None


def test_what_is_assumed_of_the_patient_is_said():
    assert any("35 or older" in note for note in study_advice(FLEISCHNER, mean_diameter_mm=7).notes)
    assert not any("35 or older" in note for note in study_advice(FLEISCHNER, {"age_years": 60}).notes)


# What is off


@pytest.mark.parametrize("name", RULESETS)
@given(situation=situations())
def test_a_row_that_is_off_never_answers(name, situation):
    rules = ruleset(name)
    off = {row.id for row in rules.off}
    for nodule in situation[:2]:
        found = advise(rules, [nodule], situation[2]).study
        assert not off & set(found.rows)
        assert found.category is not None or not found.rows


def test_switching_a_row_off_withholds_its_answer():
    """The rows below it don't answer in its place: they are not meant for what it describes."""
    fields = LUNG_RADS.plain()
    rows = [
        row | {"confirmed": False, "why_off": "doubt"} if row["id"] == "solid-growing-large" else row
        for row in fields["rows"]
    ]
    found = study_advice(RuleSet.of(fields | {"rows": rows}), mean_diameter_mm=9, history="growing")
    assert found.category is None
    assert found.withheld == ("solid-growing-large: doubt",)
    assert study_advice(LUNG_RADS, mean_diameter_mm=9, history="growing").category == "4B"


# What is missing, and what would change the answer


def test_a_missing_input_leaves_the_answer_open_where_it_matters():
    small = study_advice(FLEISCHNER, mean_diameter_mm=5)
    assert small.category is None
    (risk,) = [one for one in small.missing if one.fact == "risk"]
    assert {one.value: one.category for one in risk.could} == {
        "low risk": "none",
        "high risk": "optional-ct-12-months",
    }
    assert study_advice(FLEISCHNER, mean_diameter_mm=9).category == "ct-3-months-pet-ct-or-tissue"
    assert study_advice(LUNG_RADS, mean_diameter_mm=5, texture=None).category == "2"


@pytest.mark.parametrize(("mm", "category"), [(2.0, "2"), (5.9, "2"), (6.0, None)])
def test_a_solid_part_that_nobody_measured_is_no_larger_than_its_nodule(mm, category):
    assert study_advice(LUNG_RADS, mean_diameter_mm=mm, texture="part-solid").category == category
    grown = study_advice(LUNG_RADS, mean_diameter_mm=2, texture="part-solid", history="new")
    assert grown.category == "3"
    (part,) = [
        one for one in study_advice(LUNG_RADS, mean_diameter_mm=7, texture="part-solid").missing if not one.assumed
    ]
    assert [(one.value, one.category) for one in part.could] == [("below 6 mm", "3"), ("from 6 to below 8 mm", "4A")]


def test_what_would_change_the_answer_is_the_next_switch():
    found = study_advice(FLEISCHNER, {"risk": "low"}, mean_diameter_mm=7.2)
    sizes = {one.value: one.category for one in found.would_change if one.fact == "size"}
    assert sizes == {"above 8 mm": "ct-3-months-pet-ct-or-tissue", "below 6 mm": "none"}
    others = {(one.fact, one.value): one.category for one in found.would_change}
    assert others["count", "one of several"] == "ct-3-6-months"
    assert others["texture", "part-solid"] == "ct-3-6-months"


@given(situation=situations(), fact=st.sampled_from(["risk", "texture", "count"]))
def test_what_would_change_it_does(situation, fact):
    nodule, _, study = situation
    nodule = nodule.model_copy(update={"solid_mean_diameter_mm": None, "solid_volume_mm3": None, "solid_history": None})
    names = {"ground glass": "ground-glass", "low risk": "low", "high risk": "high"}
    found = advise(FLEISCHNER, [nodule], study).study
    for other in (one for one in found.would_change if one.fact == fact):
        value = names.get(other.value, other.value)
        changed = study.model_copy(update={"risk": value} if fact == "risk" else {})
        if fact == "count":
            changed = study.model_copy(update={"multiple": value == "one of several"})
        told = nodule.model_copy(update={"texture": value}) if fact == "texture" else nodule
        again = advise(FLEISCHNER, [told], changed).study
        if " or " in (other.category or ""):  # open: it hangs on the solid part, which nobody gave
            assert again.category is None
        else:
            assert again.category == other.category
            assert (again.category, again.management) != (found.category, found.management)


def test_the_measurement_that_decides_is_said_where_they_disagree():
    """7 mm in mean diameter, but 300 mm³: 6-8 mm by the one, above 250 mm³ by the other."""
    facts = {"mean_diameter_mm": 7, "volume_mm3": 300}
    by_size = study_advice(FLEISCHNER, {"risk": "low"}, **facts)
    by_volume = study_advice(FLEISCHNER, {"risk": "low", "volumetry": True}, **facts)
    assert by_size.category == "ct-6-12-months"
    assert by_volume.category == "ct-3-months-pet-ct-or-tissue"
    assert any("by the volume, 300 mm³" in note and "the diameter decides" in note for note in by_size.notes)
    assert any("by the diameter, 7 mm" in note and "the volume decides" in note for note in by_volume.notes)
    agree = study_advice(FLEISCHNER, {"risk": "low"}, mean_diameter_mm=7, volume_mm3=180)
    assert not any("decides" in note for note in agree.notes)


def test_sizes_that_contradict_the_history_are_said():
    found = study_advice(
        LUNG_RADS, {"interval_days": 90}, mean_diameter_mm=9, prior_mean_diameter_mm=6, history="stable"
    )
    assert any("given as stable, but" in note and "growing" in note for note in found.notes)


def test_a_size_of_the_wrong_kind_is_asked_for():
    found = study_advice(ruleset("bts-2015"), mean_diameter_mm=7)
    assert found.category is None
    assert any("longest diameter or the volume" in note for note in found.notes)


# Several nodules


def nodules(*found):
    return [NoduleFacts(id=name, mean_diameter_mm=mm, texture=texture) for name, mm, texture in found]


def test_the_most_serious_nodule_decides():
    found = advise(LUNG_RADS, nodules(("a", 7, "solid"), ("b", 16, "solid"), ("c", 4, "ground-glass")))
    assert found.study.nodule == "b"
    assert [one.category for one in found.nodules] == ["3", "4B", "2"]


def test_an_open_answer_that_could_be_worse_leaves_the_study_open():
    found = advise(LUNG_RADS, nodules(("a", 7, "solid"), ("b", 9, None)))
    assert found.study.category is None
    assert "at least 3, by nodule a" in found.study.because
    assert "nodule b" in found.study.because
    assert advise(LUNG_RADS, nodules(("a", 16, "solid"), ("b", 7, None))).study.category is None  # its solid part
    assert advise(LUNG_RADS, nodules(("a", 16, "solid"), ("b", 5, None))).study.category == "4B"


def test_solid_and_subsolid_nodules_are_counted_apart():
    study = StudyFacts(risk="low")
    apart = advise(FLEISCHNER, nodules(("a", 7, "solid"), ("b", 4, "ground-glass")), study)
    assert [one.category for one in apart.nodules] == ["ct-6-12-months", "none"]
    alike = advise(FLEISCHNER, nodules(("a", 7, "solid"), ("b", 4, "solid")), study)
    assert [one.category for one in alike.nodules] == ["ct-3-6-months", "none"]
    unknown = advise(FLEISCHNER, nodules(("a", 7, "solid"), ("b", 4, None)), study)
    assert unknown.nodules[0].category is None
    assert "count" in {one.fact for one in unknown.nodules[0].missing}


def test_a_finding_that_most_readers_call_no_nodule_is_left_out():
    facts = [
        NoduleFacts(id="a", volume_mm3=300, texture=5, agreement=0.49),
        NoduleFacts(id="b", volume_mm3=150, texture=5, agreement=0.5),
    ]
    found = advise(ruleset("lndb-fleischner"), facts)
    assert found.left_out == ("a",)
    assert found.study.category == "1"


@pytest.mark.parametrize(
    ("rating", "word"),
    [(1, "ground-glass"), (2.33, "ground-glass"), (2.34, "part-solid"), (11 / 3, "solid"), (5, "solid")],
)
def test_ratings_become_words(rating, word):
    facts = {"mean_diameter_mm": 7.0}
    assert study_advice(FLEISCHNER, texture=rating, **facts).used["texture"].replace(" ", "-") == word


# Dates


def test_due_dates_are_counted_from_the_study_or_the_first_one():
    study = {"date": date(2026, 8, 31), "first_date": date(2026, 2, 28), "risk": "low"}
    found = study_advice(FLEISCHNER, study, mean_diameter_mm=7, history="stable").due
    assert (found.since, found.earliest, found.latest) == ("first", date(2027, 8, 28), date(2028, 2, 28))
    found = study_advice(LUNG_RADS, {"date": date(2026, 8, 31)}, mean_diameter_mm=7).due
    assert (found.since, found.earliest) == ("study", date(2027, 2, 28))
    assert study_advice(LUNG_RADS, mean_diameter_mm=7).due.earliest is None


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2026, 12, 15), 12, date(2027, 12, 15)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2026, 3, 1), 0, date(2026, 3, 1)),
    ],
)
def test_months_end_where_the_month_ends(start, months, end):
    assert due_date(start, months) == end


def test_doubling_time():
    assert doubling_days(100, 200, 90) == pytest.approx(90)
    assert doubling_days(100, 400, 90) == pytest.approx(45)
    assert doubling_days(200, 100, 90) == float("inf")


# Facts


def test_a_measured_nodule():
    nodule = Nodule("n1", volume_mm3=300.0, diameters_mm=Diameters(9.0, 7.0, 8.3), texture=5.0)
    facts = facts_of(nodule, {"history": "new"})
    assert (facts.mean_diameter_mm, facts.long_axis_mm, facts.history) == (8.0, 9.0, "new")
    with pytest.raises(InputError, match="no size in millimetres"):
        facts_of(Nodule("n2"))
