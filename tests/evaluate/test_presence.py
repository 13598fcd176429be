"""From when a finding is believed: what limits shut out, and what becomes of pixels that aren't believed."""

import math
from dataclasses import asdict

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from hilum.evaluate.gate import MOST_SHUT_OUT
from hilum.evaluate.presence import Limit, believed, choose_limit
from hilum.measure import LungRoles, percent_of_lungs

ROLES = LungRoles((1, 2, 3), (2, 3))


def test_no_other_level_keeps_out_more_for_what_it_may_shut_out():
    """Among all points of the ROC curve of rightly and wrongly marked films, made by another library."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        has = rng.random(60) < 0.5
        percents = np.where(has, rng.gamma(3, 6, 60), rng.gamma(1, 3, 60)) * (rng.random(60) < 0.8)
        limit, marked = choose_limit(percents, has), percents > 0
        false, true, _ = roc_curve(has[marked], percents[marked], drop_intermediate=False)
        assert limit.shut_out <= MOST_SHUT_OUT
        assert limit.kept_out == pytest.approx(1 - false[true >= 1 - MOST_SHUT_OUT].min())
        assert limit.shut_out == (percents[has & marked] < limit.percent).mean()
        assert limit.kept_out == (percents[~has & marked] < limit.percent).mean()


def with_and_without(right, wrong):
    return np.array([*right, *wrong], dtype=float), np.array([True] * len(right) + [False] * len(wrong))


def test_of_twenty_films_with_it_one_may_be_shut_out_and_of_nineteen_none():
    wrong = [0.5, 1.5, 30]
    assert choose_limit(*with_and_without(range(1, 21), wrong)) == Limit(1.75, 0.05, 2 / 3)
    assert choose_limit(*with_and_without(range(1, 20), wrong)) == Limit(0.75, 0.0, 1 / 3)


def test_it_is_as_far_from_the_last_film_kept_out_as_from_the_first_let_through():
    assert choose_limit(*with_and_without([8, 9, 10, 20, 30], [1, 2, 4])) == Limit(6.0, 0.0, 1.0)


def test_where_nothing_can_be_kept_out_any_pixel_counts():
    assert choose_limit(*with_and_without([8, 9, 10, 20, 30], [9, 12])) == Limit(0.0, 0.0, 0.0)
    none = choose_limit(*with_and_without([8, 9, 10, 20, 30], [0, 0]))
    assert none.percent == 0
    assert math.isnan(none.kept_out)


def test_films_on_which_a_finding_is_missed_choose_nothing():
    """Four with it marked are too few, however many have it; a limit would cost nothing on those missed."""
    assert choose_limit(*with_and_without([9] * 4 + [0] * 10, [1] * 6)).percent == 0
    assert choose_limit(*with_and_without([9] * 4 + [8] + [0] * 9, [1] * 6)) == Limit(4.5, 0.0, 1.0)


def test_a_limit_is_read_as_it_was_written():
    limit = Limit(3.5, 0.04, 0.6)
    assert Limit.of_record(asdict(limit)) == limit
    assert math.isnan(Limit.of_record({"percent": 0.0, "shut_out": None, "kept_out": None}).kept_out)


def planes(classes, second=1):
    """[C, y, x] probabilities whose likeliest class is the given one; where that is 2, `second` comes next."""
    classes = np.asarray(classes)
    found = np.eye(4)[classes] * 0.6 + np.eye(4)[np.where(classes == 2, second, 1)] * 0.3 + np.eye(4)[1] * 0.1
    return np.moveaxis(found, -1, 0)


def drawn(few, many):
    """Lungs of 100 pixels, some of them the classes 2 and 3."""
    lungs = np.ones((10, 10), dtype=int)
    lungs[0, :few], lungs[10 - many // 10 :] = 2, 3
    return lungs


def test_a_finding_of_too_few_pixels_becomes_what_is_next_likeliest_there():
    classes = drawn(3, 50)
    assert [percent_of_lungs(classes, number, ROLES) for number in (2, 3)] == [3, 50]
    found, gone = believed(planes(classes), {2: Limit(4.0), 3: Limit(4.0)}, ROLES)
    assert gone == {2: 3}
    assert found.tolist() == np.where(classes == 2, 1, classes).tolist()
    assert believed(planes(classes), {2: Limit(3.0), 3: Limit(4.0)}, ROLES)[1] == {}


def test_what_is_taken_from_one_finding_may_go_to_another_one_that_is_believed():
    classes = drawn(3, 50)
    found, gone = believed(planes(classes, second=3), {2: Limit(4.0), 3: Limit(4.0)}, ROLES)
    assert (gone, (found == 3).sum()) == ({2: 3}, 53)


def test_a_finding_that_few_pixels_of_another_would_make_is_not_believed_either():
    found, gone = believed(planes(drawn(3, 0), second=3), {2: Limit(4.0), 3: Limit(4.0)}, ROLES)
    assert gone == {2: 3, 3: 3}
    assert (found == 1).all()


def test_without_a_lung_nothing_is_too_little():
    found, gone = believed(planes(np.zeros((2, 2), dtype=int)), {2: Limit(4.0)}, ROLES)
    assert not gone
    assert not found.any()
    assert math.isnan(percent_of_lungs(found, 2, ROLES))
