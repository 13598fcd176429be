"""From when a finding is believed: the best level against scikit-learn's curve, and what is taken away."""

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from hilum.evaluate.presence import believed, choose_least, percent_of
from hilum.measure import LungRoles

ROLES = LungRoles((1, 2, 3), (2, 3))


def test_the_limit_tells_films_apart_as_well_as_any_level_can():
    """Youden's index of the limit is the highest of the whole ROC curve, made by another library."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        has = rng.random(40) < 0.4
        percents = np.round(np.where(has, rng.gamma(3, 6, 40), rng.gamma(1, 3, 40) * (rng.random(40) < 0.7)), 1)
        level = choose_least(percents, has)
        false, true, _ = roc_curve(has, percents)
        said = (percents > 0) & (percents >= level)
        assert said[has].mean() - said[~has].mean() == pytest.approx((true - false).max())


def test_of_levels_that_tell_equally_well_the_lowest_is_taken_midway_between_two_films():
    percents = np.array([0, 0, 1, 2, 2, 6, 9, 9, 9, 9.0])
    assert choose_least(percents, percents > 5) == 4


@pytest.mark.parametrize("with_it", [4, 16])
def test_too_few_films_of_one_kind_choose_nothing(with_it):
    percents = np.arange(20.0)
    assert choose_least(percents, percents >= 20 - with_it) == 0


def test_where_each_film_without_it_has_none_any_pixel_counts():
    percents = np.array([0.0] * 8 + [0.01] * 8)
    assert choose_least(percents, percents > 0) == 0


def planes(classes):
    """[C, y, x] probabilities whose likeliest class is the given one, background the second likeliest outside of 1."""
    one_hot = np.eye(4)[np.asarray(classes)] * 0.6 + np.array([0.1, 0.2, 0.05, 0.05])
    return np.moveaxis(one_hot / one_hot.sum(axis=-1, keepdims=True), -1, 0)


def test_a_finding_of_too_few_pixels_becomes_what_is_second_likeliest_there():
    drawn = np.ones((10, 10), dtype=int)
    drawn[0, :3], drawn[5:] = 2, 3
    assert [percent_of(drawn, number, ROLES) for number in (2, 3)] == [3, 50]
    found, gone = believed(planes(drawn), {2: 4.0, 3: 4.0}, ROLES)
    assert gone == {2: 3}
    assert found.argmax(axis=0)[0, :3].tolist() == [1, 1, 1]
    assert (found.argmax(axis=0)[5:] == 3).all()
    assert found.sum(axis=0) == pytest.approx(1)
    assert believed(planes(drawn), {2: 3.0, 3: 4.0}, ROLES)[1] == {}


def test_pixels_outside_of_lungs_count_and_an_empty_film_has_nothing():
    drawn = np.zeros((2, 2), dtype=int)
    assert percent_of(drawn, 2, ROLES) == 0
    drawn[0, 0] = 2
    assert percent_of(drawn, 2, LungRoles((1,), (2,))) == 100
