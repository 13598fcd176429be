"""A model beside the copied prior, lesion by lesion, and "no worse" by a margin: worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from hilum.core import Figure
from hilum.evaluate.bootstrap import resample_patients
from hilum.evaluate.changes import ChangeRule, judge_changes
from hilum.evaluate.changes_compared import dice_over_rival, over_rival
from hilum.evaluate.no_worse import NEW_MARGIN, no_worse
from tests.changed import five, lesion, truth_of

RULE = ChangeRule("case", "p", (0.5, 0.5))


def drawn(cases, number=200):
    return resample_patients([f"p{n}" for n in range(cases)], np.random.default_rng(0), number)


def over(ours, theirs, draw):
    return {group.name: group.figures for group in over_rival(ours, theirs, draw)}


def test_who_copies_the_prior_differs_from_it_by_nothing():
    lesions = five()
    copied = judge_changes(truth_of(lesions)[1], lesions, RULE)
    found = over([copied] * 3, [copied] * 3, drawn(3))
    assert set(found) == {"unchanged", "grown", "shrunk", "known and still there", "new", "gone"}
    for figures in found.values():
        for figure in figures.values():
            assert figure.value == 0 or math.isnan(figure.value)
            assert figure.n == 0 or figure.low == figure.high == 0  # no share: 0 of n patients is no 0 here


def test_the_truth_against_the_copy_by_kind():
    """Where nothing changed nothing can be gained; a grown lesion's Dice with its smaller self is the discs' own."""
    lesions = five()
    now, before = truth_of(lesions)
    ours, theirs = (judge_changes(mask, lesions, RULE) for mask in (now, before))
    found = over([ours] * 4, [theirs] * 4, drawn(4))
    assert found["unchanged"]["lesion_dice"].value == 0
    true, was = (int(mask.sum()) for mask in (lesions[1].now, lesions[1].before))
    assert found["grown"]["lesion_dice"].value == pytest.approx(1 - 2 * was / (true + was))
    error = 2 * (math.sqrt(true * 0.25 / math.pi) - math.sqrt(was * 0.25 / math.pi))
    assert found["grown"]["lesion_absolute_diameter_error_mm"].value == pytest.approx(-error)
    assert found["new"]["lesion_sensitivity"].value == found["gone"]["gone_noticed"].value == 1
    assert found["known and still there"]["false_gone_rate"].value == 0
    assert "lesion_sensitivity" not in found["gone"]


def test_cases_without_the_rival_are_left_out_and_lesions_weigh_alike():
    new = [lesion(n, "new", ((20 * n, 30), 4)) for n in (1, 2, 3)]
    one, two = new[:1], new[1:]
    hit = [judge_changes(truth_of(some)[0], some, RULE) for some in (one, two, one)]
    miss = [judge_changes(np.zeros_like(new[0].now), some, RULE) for some in (one, two)]
    theirs = [miss[0], hit[1], ()]
    figure = over(hit, theirs, drawn(3))["new"]["lesion_sensitivity"]
    assert (figure.value, figure.n) == (pytest.approx(1 / 3), 3)


def test_the_difference_of_cases_is_paired_and_draws_patients():
    ours, theirs = np.array([0.9, 0.2, math.nan, 0.5]), np.array([0.7, 0.0, math.nan, math.nan])
    draw = resample_patients(["a", "b", "c", "d"], np.random.default_rng(0), 200)
    group = dice_over_rival(ours, theirs, draw)
    figure = group.figures["dice_mean"]
    assert (group.name, figure.n) == ("all cases", 2)
    # Alone these models spread by .7 over cases; paired they differ by .2 in each.
    assert (figure.value, figure.low, figure.high) == tuple(pytest.approx(0.2) for _ in range(3))


@pytest.mark.parametrize(
    ("low", "high", "first", "second"),
    [
        (-0.09, 0.3, False, True),
        (-0.11, 0.3, False, False),
        (-0.05, 0.09, True, True),
        (-0.3, -0.2, True, False),
        (math.nan, math.nan, False, False),
    ],
)
def test_the_lower_bound_is_judged_by_the_margin_and_no_difference_seen_is_not_enough(low, high, first, second):
    found = no_worse(Figure("lesion_sensitivity", (low + high) / 2, low, high, 50), 50, NEW_MARGIN)
    assert (found.is_first_shown, found.is_second_shown) == (first, second)
    words = found.words("alone", "with")
    assert ("interval" in words) if math.isnan(low) else ("with is not shown" in words) == (not second)


@given(patients=st.integers(1, 200), value=st.floats(-1, 1))
def test_without_a_spread_the_bounds_are_those_of_patients_none_of_whom_was_otherwise(patients, value):
    """Six patients who agree show no loss of less than .10, whatever a bootstrap of six equal numbers says."""
    found = no_worse(Figure("lesion_sensitivity", value, value, value, patients), patients, NEW_MARGIN)
    assert -1 <= found.second <= value <= -found.first <= 1
    if value == 0:
        assert binom.pmf(0, patients, -found.second) == pytest.approx(0.025)
        assert found.is_second_shown == found.is_first_shown == (patients >= 36)


@pytest.mark.parametrize(("patients", "shown"), [(35, False), (36, True)])
def test_as_many_patients_as_the_margin_needs_when_all_agree(patients, shown):
    found = no_worse(Figure("lesion_sensitivity", 0.0, 0.0, 0.0, patients), patients, NEW_MARGIN)
    assert found.is_second_shown is found.is_first_shown is shown
