"""Both sides of every switch, after the rule set's own rounding, against tables written by hand."""

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.followup.guidelines import RULESETS, NoduleFacts, StudyFacts, advise, ruleset
from hilum.followup.guidelines.compared import probes, switches
from tests.followup.guidelines import by_hand

FINE_MM = [n / 20 for n in range(60, 340)]
"""3.00, 3.05, … 16.95 mm: every half of the rounding, and both its neighbours."""


def category(name, study=None, **nodule):
    return advise(ruleset(name), [NoduleFacts(**nodule)], StudyFacts(**(study or {}))).study.category


@pytest.mark.parametrize(("several", "risk"), [*product((False, True), ("low", "high"))])
@pytest.mark.parametrize("texture", ["solid", "part-solid", "ground-glass"])
def test_fleischner_by_diameter(texture, several, risk):
    study = {"multiple": several, "risk": risk}
    for mm in (5.0, 5.44, 5.45, 5.49, 5.5, 5.51, 6.0, 7.99, 8.0, 8.49, 8.5, 8.51, 9.0, 29.0):
        found = category("fleischner-2017", study, mean_diameter_mm=mm, texture=texture)
        assert found == by_hand.fleischner(mm, texture, several, risk), mm


@pytest.mark.parametrize(("several", "risk"), [*product((False, True), ("low", "high"))])
def test_fleischner_by_volume(several, risk):
    study = {"multiple": several, "risk": risk, "volumetry": True}
    for mm3 in (99, 99.99, 100, 100.01, 249.99, 250, 250.01, 251):
        found = category("fleischner-2017", study, volume_mm3=mm3, texture="solid")
        assert found == by_hand.fleischner_by_volume(mm3, several, risk), mm3


@pytest.mark.parametrize("history", ["baseline", "new", "growing"])
def test_lung_rads_solid(history):
    for mm in (3.9, 3.94, 3.95, 4.0, 5.94, 5.95, 6.0, 7.94, 7.95, 8.0, 8.1, 14.94, 14.95, 15.0):
        found = category("lung-rads-2022", mean_diameter_mm=mm, texture="solid", history=history)
        assert found == by_hand.lung_rads_solid(mm, history), mm
    for mm3 in (33, 33.4, 33.5, 34, 112.4, 112.5, 113, 267.4, 267.5, 268, 1766.4, 1766.5, 1767):
        found = category("lung-rads-2022", volume_mm3=mm3, texture="solid", history=history)
        assert found == by_hand.lung_rads_solid_by_volume(mm3, history), mm3


def test_lung_rads_part_solid():
    for mm, part in product((5.9, 5.94, 5.95, 6.0, 9.0), (3.0, 5.9, 5.94, 5.95, 7.9, 7.94, 7.95, 8.0)):
        if part <= mm:
            found = category("lung-rads-2022", mean_diameter_mm=mm, solid_mean_diameter_mm=part, texture="part-solid")
            assert found == by_hand.lung_rads_part_solid(mm, part), (mm, part)


@pytest.mark.parametrize(
    ("mm", "part", "history", "part_history", "expected"),
    [
        (5.9, 2.0, "new", None, "3"),
        (6.0, 3.9, "new", None, "4A"),
        (6.0, 3.94, "new", None, "4A"),
        (6.0, 3.95, "new", None, "4B"),
        (6.0, 3.9, "stable", "growing", "4A"),
        (6.0, 4.0, "stable", "new", "4B"),
        (5.9, 3.9, "stable", "new", None),  # its row is off
        (6.0, 3.0, "growing", "stable", None),  # no row
    ],
)
def test_lung_rads_part_that_is_new_or_growing(mm, part, history, part_history, expected):
    facts = {"history": history, "solid_history": part_history, "texture": "part-solid"}
    found = category("lung-rads-2022", mean_diameter_mm=mm, solid_mean_diameter_mm=part, prior_category="3", **facts)
    assert found == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"mean_diameter_mm": 29.94, "texture": "ground-glass"}, "2"),
        ({"mean_diameter_mm": 29.95, "texture": "ground-glass"}, "3"),
        ({"volume_mm3": 14136.4, "texture": "ground-glass"}, "2"),
        ({"volume_mm3": 14136.5, "texture": "ground-glass"}, "3"),
        ({"mean_diameter_mm": 35, "texture": "ground-glass", "history": "slowly-growing"}, "2"),
        ({"mean_diameter_mm": 35, "texture": "ground-glass", "prior_mean_diameter_mm": 34}, "2"),
        ({"mean_diameter_mm": 35, "texture": "ground-glass", "history": "new"}, "3"),
        ({"mean_diameter_mm": 9.94, "texture": "solid", "form": "juxtapleural"}, "2"),
        ({"mean_diameter_mm": 9.95, "texture": "solid", "form": "juxtapleural"}, "4A"),
        ({"volume_mm3": 523.4, "texture": "solid", "form": "perifissural", "history": "new"}, "2"),
        ({"volume_mm3": 523.5, "texture": "solid", "form": "perifissural", "history": "new"}, "4B"),
        ({"form": "benign", "mean_diameter_mm": 20}, "1"),
        ({"form": "airway-subsegmental"}, "2"),
        ({"form": "airway-segmental"}, "4A"),
        ({"form": "airway-segmental", "history": "stable"}, "4B"),
        ({"form": "airway-segmental", "history": "growing"}, "4B"),
        ({"form": "cyst-thick-walled"}, "4A"),
        ({"form": "cyst-multilocular"}, "4A"),
        ({"form": "cyst-thick-walled", "cyst_change": "cystic-part-growing"}, "3"),
        ({"form": "cyst-thick-walled", "cyst_change": "became-multilocular"}, "4A"),
        ({"form": "cyst-multilocular", "cyst_change": "wall-growing"}, "4B"),
        ({"mean_diameter_mm": 5, "texture": "solid", "history": "slowly-growing"}, "4B"),
        ({"mean_diameter_mm": 20, "texture": "solid", "proven_benign": True, "prior_category": "4B"}, "2"),
    ],
)
def test_lung_rads_other_rows(facts, expected):
    assert category("lung-rads-2022", **facts) == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"long_axis_mm": 4.99}, "discharge"),
        ({"long_axis_mm": 5}, "ct-12-months"),
        ({"long_axis_mm": 5.99}, "ct-12-months"),
        ({"long_axis_mm": 6}, "ct-3-months"),
        ({"long_axis_mm": 7.99}, "ct-3-months"),
        ({"long_axis_mm": 8}, "brock-risk"),
        ({"volume_mm3": 79.99}, "discharge"),
        ({"volume_mm3": 80}, "ct-3-months"),
        ({"volume_mm3": 299.99}, "ct-3-months"),
        ({"volume_mm3": 300}, "brock-risk"),
        ({"long_axis_mm": 20, "form": "perifissural"}, "discharge"),
        ({"long_axis_mm": 4.99, "texture": "ground-glass"}, "discharge"),
        ({"long_axis_mm": 5, "texture": "ground-glass"}, "ct-3-months"),
        ({"long_axis_mm": 5, "texture": "part-solid"}, "ct-3-months"),
        ({"volume_mm3": 90, "texture": "part-solid"}, None),
    ],
)
def test_bts(facts, expected):
    assert category("bts-2015", **({"texture": "solid"} | facts)) == expected


@pytest.mark.parametrize(
    ("mm3", "expected"),
    [(49.99, "negative"), (50, "indeterminate"), (500, "indeterminate"), (500.01, "positive")],
)
def test_nelson_at_baseline(mm3, expected):
    assert category("nelson", volume_mm3=mm3, texture="solid") == expected


@pytest.mark.parametrize(
    ("before", "after", "days", "bts", "nelson"),
    [
        (100, 124.9, 90, "ct-12-months", None),  # not 25 %: NELSON's row for that is off
        (100, 125, 90, None, "positive"),  # 280 days
        (100, 125, 128.7, None, "positive"),  # 399.8 days
        (100, 125, 128.8, None, None),  # 400.1 days: off in both
        (100, 125, 193.1, None, None),  # 599.8 days
        (100, 125, 193.2, "consider-discharge", None),  # 600.1 days
    ],
)
def test_growth_by_volume_and_doubling_time(before, after, days, bts, nelson):
    study = {"interval_days": days, "volumetry": True, "months_since_first": 3 if bts == "ct-12-months" else 12}
    facts = {"volume_mm3": after, "prior_volume_mm3": before, "texture": "solid"}
    assert category("bts-2015", study, **facts) == bts
    assert category("nelson", study, **facts) == nelson


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "consider-discharge"),
        ({"volumetry": False}, None),
        ({"months_since_first": 11}, None),
        ({"texture": "part-solid"}, None),
    ],
)
def test_bts_discharges_a_growing_nodule_by_volumetry_at_a_year_alone(changes, expected):
    study = {"interval_days": 400, "volumetry": True, "months_since_first": 13} | changes
    texture = study.pop("texture", "solid")
    assert category("bts-2015", study, volume_mm3=125, prior_volume_mm3=100, texture=texture) == expected


@pytest.mark.parametrize(
    ("modality", "mm", "slice_mm", "expected"),
    [
        ("ct", 9.99, 1, "not-measurable"),
        ("ct", 10, 5, "may-be-target"),
        ("ct", 10, 5.01, None),
        ("xray", 19.99, None, "not-measurable"),
        ("xray", 20, None, "may-be-target"),
    ],
)
def test_recist_targets(modality, mm, slice_mm, expected):
    assert category("recist-1.1", {"modality": modality, "slice_mm": slice_mm}, long_axis_mm=mm) == expected


@pytest.mark.parametrize(
    ("baseline", "nadir", "now", "expected"),
    [
        (100, 100, 70, "partial-response"),
        (48, 48, 33.6, "partial-response"),  # exactly -30 %, which binary numbers can't say
        (100, 100, 70.1, None),  # stable disease is off
        (100, 50, 60, "progressive-disease"),
        (100, 50, 59.9, "partial-response"),
        (100, 20, 24.9, "partial-response"),  # 24.5 %, but 4.9 mm
        (100, 20, 25, "progressive-disease"),
        (100, 100, 0, None),  # complete response is off
    ],
)
def test_recist_response(baseline, nadir, now, expected):
    study = StudyFacts(sum_mm=now, baseline_sum_mm=baseline, nadir_sum_mm=nadir)
    assert advise(ruleset("recist-1.1-response"), [], study).study.category == expected


def test_recist_new_lesion():
    study = StudyFacts(sum_mm=10, baseline_sum_mm=100, nadir_sum_mm=10, new_lesion=True)
    assert advise(ruleset("recist-1.1-response"), [], study).study.category == "progressive-disease"


@given(nodules=st.lists(st.tuples(st.sampled_from([50, 99.9, 100, 249.9, 250, 900]), st.floats(1, 5)), max_size=4))
def test_lndb_classes(nodules):
    facts = [NoduleFacts(id=str(n), volume_mm3=mm3, texture=rating) for n, (mm3, rating) in enumerate(nodules)]
    assert advise(ruleset("lndb-fleischner"), facts).study.category == str(by_hand.lndb(nodules))


@pytest.mark.parametrize("name", RULESETS)
def test_sizes_between_switches_never_change_the_answer(name):
    """A probe stands for its whole stretch: what is between two neighbours of one stretch answers alike."""
    rules = ruleset(name)
    for unit in rules.size.units:
        ends = switches(rules, "size", unit)
        tried = probes(rules, "size", unit)
        for end in ends:
            assert any(value < end for value in tried) or end <= 1
            assert end in tried
            assert any(value > end for value in tried)


TEXTURES = ("solid", "part-solid", "ground-glass")
HISTORIES = ("baseline", "new", "stable", "smaller", "growing", "slowly-growing")


@st.composite
def situations(draw):
    """A nodule, and the same larger, all else equal."""
    texture = draw(st.sampled_from(TEXTURES))
    mm = draw(st.floats(2, 40))
    factor = draw(st.floats(1, 4))
    part = draw(st.floats(1, mm)) if texture == "part-solid" and mm > 1 else None
    larger_part = None if part is None else part * draw(st.sampled_from([1.0, factor]))
    fixed = {
        "texture": texture,
        "history": draw(st.sampled_from([*HISTORIES, None, None])),
        "prior_category": draw(st.sampled_from([None, "2", "3", "4A", "4B"])),
        "form": draw(st.sampled_from([None, "juxtapleural", "perifissural"])),
        "suspicious_features": draw(st.sampled_from([None, True])),
    }
    if fixed["history"] is None:  # told by the sizes
        before = mm * draw(st.floats(0.7, 1.2))
        fixed |= {"prior_mean_diameter_mm": before, "prior_volume_mm3": before**3 / 2}
    if texture == "part-solid":
        fixed["solid_history"] = draw(st.sampled_from(["stable", "growing"]))
    return _sized(fixed, mm, part), _sized(fixed, mm * factor, larger_part), draw(studies())


def _sized(fixed, mm, part):
    lengths = {"mean_diameter_mm": mm, "long_axis_mm": mm * 1.2, "volume_mm3": mm**3 / 2}
    parts = {} if part is None else {"solid_mean_diameter_mm": part, "solid_volume_mm3": part**3 / 2}
    return NoduleFacts(**fixed, **lengths, **parts)


@st.composite
def studies(draw):
    return StudyFacts(
        risk=draw(st.sampled_from(["low", "high"])),
        multiple=draw(st.booleans()),
        volumetry=draw(st.booleans()),
        interval_days=draw(st.sampled_from([60, 100, 200, 400])),
        months_since_first=draw(st.sampled_from([0, 2, 4, 7, 14, 20, 30, 50, 70])),
        slice_mm=1,
    )


@pytest.mark.parametrize("name", [name for name in RULESETS if name != "recist-1.1-response"])
@given(situation=situations())
def test_a_bigger_nodule_never_gets_a_milder_category(name, situation):
    smaller, larger, study = situation
    rules = ruleset(name)
    found = [advise(rules, [one], study).study.category for one in (smaller, larger)]
    if None not in found:
        assert rules.rank(found[0]) <= rules.rank(found[1]), found


@pytest.mark.parametrize("name", ["fleischner-2017", "lung-rads-2022", "bts-2015", "nelson", "recist-1.1"])
@pytest.mark.parametrize("texture", TEXTURES)
def test_nor_along_a_fine_scale(name, texture):
    """At baseline every size has its place in the order, without a gap."""
    rules = ruleset(name)
    study = StudyFacts(risk="low", slice_mm=1)
    part = {"solid_mean_diameter_mm": 1.0} if texture == "part-solid" else {}
    ranks = []
    for mm in FINE_MM[::4]:
        nodule = NoduleFacts(mean_diameter_mm=mm, long_axis_mm=mm, volume_mm3=mm**3 / 2, texture=texture, **part)
        found = advise(rules, [nodule], study).study.category
        assert (found is None) == (name == "nelson" and texture != "solid")
        ranks.append(0 if found is None else rules.rank(found))
    assert all(a <= b for a, b in pairwise(ranks))


def test_a_rule_set_rounds_by_its_own_rule():
    """7.95 mm is 8 mm to Fleischner (6-8), 8.0 to Lung-RADS (8-<15), and 7.95 to BTS (below 8)."""
    facts = {"mean_diameter_mm": 7.95, "long_axis_mm": 7.95, "texture": "solid"}
    assert category("fleischner-2017", {"risk": "low"}, **facts) == "ct-6-12-months"
    assert category("lung-rads-2022", **facts) == "4A"
    assert category("bts-2015", **facts) == "ct-3-months"
