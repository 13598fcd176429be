"""Figures by kind of change: rules on tiny cases worked out by hand, and what must hold of any prediction."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core import ChangeKind
from hilum.core.changes import COULD_HAVE_CHANGED, STILL_THERE
from hilum.evaluate.bootstrap import resample_patients
from hilum.evaluate.changes import (
    FEWEST,
    OF_EACH,
    ChangeRule,
    change_examples,
    change_groups,
    judge_changes,
)
from hilum.metrics.lesions import Assignment, Criterion, MatchRule
from tests.changed import NOTHING, SIDE, five, lesion, truth_of
from tests.evaluate.judged import disc

RULE = ChangeRule("case", "p", (0.5, 0.5))


def groups(cases, patients=None):
    patients = patients or [f"p{n}" for n in range(len(cases))]
    draw = resample_patients(patients, np.random.default_rng(0), 200)
    return {group.name: group for group in change_groups(cases, draw)}


def values(cases, name):
    return {kind: group.figures[name].value for kind, group in groups(cases).items()}


def by_id(pred, lesions, rule=RULE):
    return {one.id: one for one in judge_changes(pred, lesions, rule)}


def test_a_perfect_prediction_finds_all_and_calls_gone_what_is_gone():
    lesions = five()
    now, _ = truth_of(lesions)
    found = groups([judge_changes(now, lesions, RULE)] * 2)
    for kind in ("unchanged", "grown", "shrunk", "new"):
        figures = found[kind].figures
        assert figures["lesion_sensitivity"].value == figures["lesion_dice"].value == 1
        assert figures["lesion_diameter_error_mm"].value == 0
    assert found["gone"].figures["gone_noticed"].value == 1
    assert found[STILL_THERE].figures["false_gone_rate"].value == 0


def test_who_copies_the_earlier_lesions_is_perfect_where_nothing_changed_and_sees_no_change():
    lesions = five()
    _, before = truth_of(lesions)
    copied = [judge_changes(before, lesions, RULE)] * 2
    assert values(copied, "lesion_dice")["unchanged"] == 1
    assert values(copied, "lesion_sensitivity")["new"] == 0
    assert values(copied, "gone_noticed")["gone"] == 0
    assert values(copied, "false_gone_rate")[STILL_THERE] == 0
    assert (
        values(copied, "lesion_diameter_error_mm")["grown"] < 0 < values(copied, "lesion_diameter_error_mm")["shrunk"]
    )


def test_who_marks_nothing_calls_all_gone_and_who_marks_everything_none():
    lesions = five()
    nothing, everything = ([judge_changes(mask, lesions, RULE)] * 2 for mask in (NOTHING, ~NOTHING))
    assert values(nothing, "gone_noticed")["gone"] == values(nothing, "false_gone_rate")[STILL_THERE] == 1
    assert values(nothing, "lesion_sensitivity")["new"] == values(nothing, "lesion_dice")["grown"] == 0
    assert math.isnan(values(nothing, "lesion_diameter_error_mm")["unchanged"])
    assert values(everything, "gone_noticed")["gone"] == values(everything, "false_gone_rate")[STILL_THERE] == 0


def test_a_diameter_is_that_of_all_components_that_meet_the_lesion():
    one = lesion(1, "grown", ((40, 40), 10), ((40, 40), 5))
    pred = disc((SIDE, SIDE), (40, 33), 3) | disc((SIDE, SIDE), (40, 47), 3) | disc((SIDE, SIDE), (80, 80), 9)
    near = disc((SIDE, SIDE), (40, 33), 3) | disc((SIDE, SIDE), (40, 47), 3)
    found = by_id(pred, [one])[1]
    said, true = (2 * math.sqrt(mask.sum() * 0.25 / math.pi) for mask in (near, one.now))
    assert found.diameter_error_mm == pytest.approx(said - true)
    assert found.dice == pytest.approx(2 * (near & one.now).sum() / (near.sum() + one.now.sum()))
    assert math.isnan(by_id(pred, [one], ChangeRule("case", "p"))[1].diameter_error_mm)


def test_gone_is_asked_of_where_a_lesion_is_and_was_but_not_of_its_neighbour():
    """A shrunk lesion, badly registered: a mark on either place says that it isn't gone."""
    shrunk = lesion(1, "shrunk", ((30, 30), 3), ((42, 30), 5))
    for place, gone in (((30, 30), 0), ((42, 30), 0), ((70, 70), 1)):
        assert by_id(disc((SIDE, SIDE), place, 1), [shrunk])[1].says_gone == gone
    # The gone one lay partly under what is there now: a mark there, or within 3 mm (6 pixels), is of the other.
    gone, other = lesion(2, "gone", None, ((60, 60), 8)), lesion(3, "new", ((60, 68), 5))
    assert by_id(other.now, [gone, other])[2].says_gone == 1
    assert by_id(disc((SIDE, SIDE), (60, 68), 10), [gone, other])[2].says_gone == 1
    assert by_id(disc((SIDE, SIDE), (60, 68), 12), [gone, other])[2].says_gone == 0
    assert by_id(disc((SIDE, SIDE), (60, 54), 1), [gone, other])[2].says_gone == 0
    hidden = lesion(4, "gone", None, ((60, 66), 3))
    found = by_id(other.now, [hidden, other])[4]
    assert math.isnan(found.says_gone)
    assert not found.is_judged


def test_lesions_that_touch_stay_two_and_are_matched_by_the_house_rule():
    left, right = lesion(1, "unchanged", ((40, 40), 5), ((40, 40), 5)), lesion(2, "new", ((40, 51), 5))
    assert truth_of([left, right])[0][40, 45:47].all()  # no gap between them
    found = by_id(left.now & ~right.now, [left, right])
    assert (found[1].is_found, found[2].is_found) == (1, 0)
    both = truth_of([left, right])[0]
    once = ChangeRule("case", "p", (1, 1), MatchRule(Criterion.OVERLAP, Assignment.GREEDY))
    assert sum(one.is_found for one in judge_changes(both, [left, right], once)) == 1
    strict = ChangeRule("case", "p", (1, 1), MatchRule(Criterion.IOU, least_iou=0.9))
    assert by_id(disc((SIDE, SIDE), (40, 40), 4), [left], strict)[1].is_found == 0


def test_a_lesion_without_pixels_is_in_no_figure():
    unseen = lesion(1, "grown", None, ((20, 20), 4))
    gone_away = lesion(2, "gone", None, ((20, 20), 4))
    gone_away = type(gone_away)(**{**vars(gone_away), "before": NOTHING})
    judged = judge_changes(NOTHING, [unseen, gone_away], RULE)
    assert not any(one.is_judged for one in judged)
    found = groups([judged])
    assert {figure.n for group in found.values() for figure in group.figures.values()} == {0}
    assert all(math.isnan(figure.value) for group in found.values() for figure in group.figures.values())


def test_figures_weigh_lesions_alike_and_draw_patients():
    """Two of three unchanged ones found: 2/3, whoever has them; one patient alone has no interval."""
    some = [lesion(n, "unchanged", ((20, 20 * n), 4), ((20, 20 * n), 4)) for n in (1, 2)]
    cases = [judge_changes(some[0].now, some, RULE), judge_changes(some[1].now, some[1:], RULE)]
    figure = groups(cases)["unchanged"].figures["lesion_sensitivity"]
    assert (figure.value, figure.n) == (pytest.approx(2 / 3), 3)
    assert (figure.low, figure.high) == (0.5, 1)  # only the first patient, only the second
    alone = groups(cases, ["p", "p"])["unchanged"].figures["lesion_sensitivity"]
    assert (alone.value, math.isnan(alone.low)) == (pytest.approx(2 / 3), True)


def test_parts_are_listed_from_a_fewest_on_and_add_up():
    small = [lesion(n, "new", ((12 + 8 * n, 20), 2), visibility=0.1) for n in range(1, FEWEST + 1)]
    large = [lesion(10 + n, "new", ((12 + 14 * n, 70), 5), is_synthetic=True) for n in range(1, FEWEST)]
    found = groups([judge_changes(small[0].now, [*small, *large], RULE)] * 2)["new"]
    assert {by: [part.name for part in parts] for by, parts in found.apart.items()} == {
        "size": ["< 8 mm", "8–15 mm"],
        "visibility": ["visibility below 1/3", "visibility unknown"],
        "origin": ["real", "synthetic"],
        "chance": [],
    }  # both cases together: 10 and 8
    assert sum(part.figures["lesion_sensitivity"].n for part in found.apart["size"]) == 18
    alone = groups([judge_changes(NOTHING, [*small, *large], RULE)])["new"]
    assert [part.name for part in alone.apart["size"]] == ["< 8 mm"]


def test_lesions_that_could_have_changed_are_judged_apart_and_unsaid_ones_are_not_among_them():
    """Four that are still there; two could have changed, of which one is missed: 1 of 2, not 1 of 4."""
    able = [True, True, False, None]
    lesions = [
        lesion(n, "unchanged", ((20 * n, 30), 4), ((20 * n, 30), 4), can_change=one) for n, one in enumerate(able, 1)
    ]
    lesions.append(lesion(9, "new", ((40, 80), 4), can_change=True))  # never known, so never called gone
    pred = truth_of(lesions[1:])[0]
    found = groups([judge_changes(pred, lesions, RULE)] * 2)
    apart, every = (found[name].figures for name in (COULD_HAVE_CHANGED, STILL_THERE))
    assert (apart["false_gone_rate"].value, apart["false_gone_rate"].n) == (0.5, 4)
    assert (every["false_gone_rate"].value, every["false_gone_rate"].n) == (0.25, 8)
    assert (apart["lesion_dice"].value, every["lesion_dice"].value) == (0.5, 0.75)
    unsaid = groups([judge_changes(pred, five(), RULE)] * 2)
    assert COULD_HAVE_CHANGED not in unsaid


def test_examples_are_the_best_the_middle_and_the_largest_miss():
    lesions = [lesion(n, "grown", ((15 * n, 30), 2 + n), ((15 * n, 30), 2)) for n in range(1, 6)]
    pred = lesions[0].now | disc((SIDE, SIDE), (30, 30), 3) | disc((SIDE, SIDE), (45, 30), 1)
    shown = change_examples(judge_changes(pred, lesions, RULE), ChangeKind.GROWN)
    assert {name: one.id for name, one in shown.items()} == {"best": 1, "median": 2, "missed": 5}
    gone = [lesion(n, "gone", None, ((15 * n, 30), 2 + n)) for n in range(1, 5)]
    shown = change_examples(judge_changes(gone[3].before, gone, RULE), ChangeKind.GONE)
    assert {name: one.id for name, one in shown.items()} == {"noticed": 3, "still marked": 4}
    assert change_examples([], ChangeKind.NEW) == {}


@given(st.data())
def test_whatever_is_predicted_a_lesion_that_is_found_is_not_called_gone(data):
    """And more pixels never call more lesions gone; figures of a kind that doesn't ask for them are NaN."""
    spots = st.tuples(st.tuples(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1)), st.integers(0, 9))
    pred = np.any([NOTHING, *(disc((SIDE, SIDE), *one) for one in data.draw(st.lists(spots, max_size=4)))], axis=0)
    more = pred | disc((SIDE, SIDE), *data.draw(spots))
    lesions = five()
    for here, there in zip(judge_changes(pred, lesions, RULE), judge_changes(more, lesions, RULE), strict=True):
        assert not (here.is_found == 1 and here.says_gone == 1)
        assert not there.says_gone > here.says_gone
        asked = {name for name, value in OF_EACH.items() if not math.isnan(value(here))}
        assert ("gone_noticed" in asked) == (here.kind is ChangeKind.GONE)
        assert ("false_gone_rate" in asked) == (here.kind.is_present and here.kind.was_known)
        assert math.isnan(here.is_found) == (here.kind is ChangeKind.GONE)
