"""What rule sets are told of a follow-up: first day, size, earlier category, and what they don't call growth."""

from dataclasses import replace
from datetime import date
from math import pi

import numpy as np
import pytest

from hilum.core import Diameters, Geometry, Nodule, Quantity, Volume
from hilum.followup.ct_matching import match_nodules
from hilum.followup.ct_tracks import DatedNodules, NoduleKey
from hilum.followup.growth import AtDate, growth
from hilum.workflows.followup_advice import DERIVED, AdviceWanted, advice_on, unlike_growth
from hilum.workflows.followup_growth import growths_of
from hilum.workflows.followup_match import Matched
from hilum.workflows.followup_measured import SOLID_MM
from hilum.workflows.followup_nodules import CtStudy
from hilum.workflows.followup_record import TrackGrowth
from hilum.workflows.followup_studies import DatedCt, ScanMade
from tests.followup.test_ct_matching import Shift

DAYS = (date(2026, 1, 1), date(2026, 7, 1), date(2027, 1, 1))
HERE, THERE = (0.0, 0.0, 0.0), (60.0, 0.0, 0.0)


def nodule(name, place, mm, texture=5.0, **characteristics):
    lengths = Diameters(mm, mm, mm)
    return Nodule(name, place, None, pi / 6 * mm**3, lengths, texture, characteristics=characteristics)


def followed(*dates):
    grid = Geometry.regular((2, 2, 2), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    studies = tuple(
        CtStudy(
            DatedCt(None, DAYS[at], "P", f"1.2.{at}", str(at)),
            Volume(np.zeros((2, 2, 2), np.int16), grid, Quantity.HU),
            np.zeros((2, 2, 2), np.uint8),
            tuple(nodules),
            is_given=False,
        )
        for at, nodules in enumerate(dates)
    )
    maps = {(at, at + 1): Shift() for at in range(len(dates) - 1)}
    dated = [DatedNodules(f"1.2.{at}", tuple(nodules)) for at, nodules in enumerate(dates)]
    return Matched(studies, maps, match_nodules(dated, maps), frozenset())


def said(found, *rulesets, growths=(), **facts):
    return advice_on(found, growths, found.names(), AdviceWanted(rulesets, facts))


def of(advice, name):
    return next(one for one in advice.nodules if one.nodule == name)


@pytest.mark.parametrize(
    ("first", "last"),
    [([], []), ([], [nodule("1", HERE, 7.0)]), ([nodule("1", HERE, 7.0)], [])],
    ids=["none", "only new", "all gone"],
)
@pytest.mark.parametrize("name", ["fleischner-2017", "lung-rads-2022", "bts-2015", "nelson"])
def test_a_study_without_any_nodule_of_both_dates_is_answered(first, last, name):
    (advice,) = said(followed(first, last), name)
    assert len(advice.nodules) + len(advice.left_out) == len(last)


def test_a_new_nodule_has_its_own_first_day_beside_an_old_one():
    found = followed([nodule("1", THERE, 7.0)], [nodule("1", THERE, 7.0), nodule("2", HERE, 7.0)])
    (advice,) = said(found, "fleischner-2017", growths=[grown(found, 180.0, 180.0)])
    assert of(advice, "B").category == "ct-3-6-months"  # of several, as on the first day that shows it: today
    assert of(advice, "B").due.earliest == date(2026, 10, 1)
    assert "6" in of(advice, "A").used["months_since_first"]


def test_nodules_are_called_by_their_names_over_all_dates():
    found = followed([nodule("7", THERE, 7.0)], [nodule("3", HERE, 5.0), nodule("9", THERE, 7.0)])
    (advice,) = said(found, "lung-rads-2022")
    assert {one.nodule for one in advice.nodules} == {"A", "B"}
    assert of(advice, "A").used != of(advice, "B").used


def test_the_earlier_category_is_what_the_rule_set_says_of_the_earlier_ct():
    found = followed(
        [nodule("1", HERE, 7.0)], [nodule("1", HERE, 7.0)]
    )  # 180 mm³: category 3, stable after 6 months: 2
    (advice,) = said(found, "lung-rads-2022", growths=[grown(found, 180.0, 180.0)], screening=True)
    assert advice.study.category == "2"
    assert DERIVED in advice.study.notes
    (other,) = said(found, "fleischner-2017")
    assert DERIVED not in other.study.notes


def test_sizes_are_those_that_growth_was_told_from():
    found = followed([nodule("1", HERE, 9.0)], [nodule("1", HERE, 9.0)])
    growths = [grown(found, 100.0, 260.0)]
    (advice,) = said(found, "nelson", growths=growths)
    assert f"{growths[0].growth.doubling.days:.2f}" in of(advice, "A").used["doubling_days"]


def test_a_part_solid_nodules_solid_part_reaches_the_rules():
    part = {SOLID_MM: 7.0}
    found = followed([nodule("1", HERE, 12.0, 3.0, **part)], [nodule("1", HERE, 12.0, 3.0, **part)])
    (advice,) = said(found, "fleischner-2017", growths=[grown(found, 900.0, 900.0)])
    assert "solid_size" not in [one.fact for one in advice.nodules[0].missing]
    assert advice.study.category is not None


def test_growth_that_a_rule_set_does_not_call_growth_is_said():
    found = followed([nodule("1", HERE, 7.5)], [nodule("1", HERE, 8.4)])
    growths = [grown(found, 220.0, 310.0)]
    advice = said(found, "fleischner-2017", growths=growths)
    (line,) = unlike_growth(advice, growths, found.names(), "1.2.1")
    assert line.startswith("Nodule A grew by")
    assert "to fleischner-2017 it is stable" in line
    assert not list(unlike_growth(advice, [grown(found, 300.0, 300.0)], found.names(), "1.2.1"))


def test_a_pair_that_growth_refused_is_no_history():
    found = followed([nodule("1", HERE, 8.0)], [nodule("1", HERE, 6.4)])
    (advice,) = said(found, "lung-rads-2022", screening=True)
    assert advice.study.category is None
    assert "history" in [one.fact for one in advice.study.missing]


def test_a_nodule_missed_at_the_middle_date_is_compared_with_the_first():
    found = followed([nodule("1", HERE, 8.0)], [], [nodule("1", HERE, 11.0)])
    (advice,) = said(found, "lung-rads-2022", growths=[grown(found, 268.0, 697.0, last=2)], screening=True)
    assert "growing" in advice.nodules[0].used["history"]
    (fleischner,) = said(found, "fleischner-2017", growths=[grown(found, 268.0, 268.0, last=2)])
    assert fleischner.nodules[0].used["history"] == "stable"


def test_a_part_of_a_nodule_is_not_compared_with_the_whole():
    whole, parts = [nodule("1", HERE, 12.0)], [nodule("1", (-4.0, 0, 0), 9.5), nodule("2", (4.5, 0, 0), 9.5)]
    found = followed(whole, parts)
    assert len({one.split_from for one in found.matching.tracks}) == 2  # the test's own premise
    left = []
    assert not growths_of(found, left, found.names())
    assert "fell apart" in left[0]
    (advice,) = said(found, "fleischner-2017")
    assert {one.used.get("months_since_first", "").rsplit(" ", 1)[-1] for one in advice.nodules} <= {"6", ""}
    joined = followed(parts, whole)
    assert not growths_of(joined, left, joined.names())
    assert "joined" in left[1]


def test_thick_slices_that_only_a_header_tells_of_give_no_volume():
    found = followed([nodule("1", HERE, 8.0)], [nodule("1", HERE, 8.0)])
    thick = replace(found.studies[1], ct=replace(found.studies[1].ct, made=ScanMade(thickness_mm=5.0)))
    assert thick.is_thick
    left = []
    assert not growths_of(replace(found, studies=(found.studies[0], thick)), left, found.names())
    assert "5 mm" in left[0]


def grown(found, before, after, last=1):
    track = found.matching.tracks[0]
    lengths = [(one / (pi / 6)) ** (1 / 3) for one in (before, after)]
    dates = [AtDate(v, mm, mm, slice_mm=1.0) for v, mm in zip((before, after), lengths, strict=True)]
    told = growth(*dates, float((DAYS[last] - DAYS[0]).days))
    ids = [track.nodules[f"1.2.{at}"] for at in (0, last)]
    return TrackGrowth(track.uid, NoduleKey("1.2.0", ids[0]), NoduleKey(f"1.2.{last}", ids[1]), told)
