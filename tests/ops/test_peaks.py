"""Peaks of a map against a plain twin, and what a plateau, two hills and noise are."""

import itertools

import numpy as np
import pytest

from hilum.ops import PeakRule, peaks

RULE = PeakRule(lowest=0.1, apart_mm=3)


def plain(values, reach, rule):
    """Every pixel asked in turn whether it is the highest around; equal ones within reach are put together."""

    def near(a, b):
        return all(abs(m - n) <= r for m, n, r in zip(a, b, reach, strict=True))

    every = list(itertools.product(*map(range, values.shape)))
    tops = [a for a in every if values[a] >= rule.lowest and all(values[b] <= values[a] for b in every if near(a, b))]
    found = []
    while tops:
        group = [tops.pop(0)]
        for one in group:  # grows while it is walked
            group += [other for other in tops if near(one, other)]
            tops = [other for other in tops if other not in group]
        group.sort()
        middle = np.mean(group, axis=0)
        place = min(group, key=lambda one: (round(float(((one - middle) ** 2).sum()), 6), one))
        found.append((-float(values[place]), place))
    return [(place, -height) for height, place in sorted(found)][: rule.most]


@pytest.mark.parametrize("levels", [2, 4, 30])
@pytest.mark.parametrize(("shape", "step"), [((14, 17), (1.0, 1.5)), ((14, 17), (0.75, 3.5)), ((4, 7, 8), (3, 1, 1.5))])
def test_peaks_are_those_of_a_plain_twin(levels, shape, step):
    values = np.random.default_rng(levels).integers(0, levels + 1, shape) / levels
    found = peaks(values, step, RULE)
    there = [(tuple(map(int, place)), height) for place, height in zip(found.places, found.heights, strict=True)]
    assert there == plain(values, RULE.reach(step, shape), RULE)
    assert there


def test_a_plateau_is_one_peak_in_its_middle_and_a_hill_on_it_is_another_one():
    values = np.full((41, 41), 0.5)
    (place,) = peaks(values, (1, 1), RULE).places
    assert place.tolist() == [20, 20]
    values[5, 5], values[5, 30] = 0.9, 0.8
    assert peaks(values, (1, 1), RULE).heights[:2].tolist() == [0.9, 0.8]


def test_only_the_highest_are_taken_and_nothing_has_none():
    noise = np.random.default_rng(0).random((60, 60))
    assert (
        peaks(noise, (1, 1), PeakRule(0, 3, most=5)).heights.tolist()
        == sorted(peaks(noise, (1, 1), PeakRule(0, 3)).heights, reverse=True)[:5]
    )
    assert peaks(np.zeros((9, 9)), (1, 1), RULE).places.shape == (0, 2)


def test_without_millimetres_a_pixel_is_that_of_the_published_pairs():
    assert PeakRule().reach(None, (50, 60)) == PeakRule().reach((0.7, 0.7), (50, 60)) == (9, 9)
    assert PeakRule().reach((0.7, 60), (50, 60)) == (9, 1)
    assert PeakRule().reach((1e-4, 0.7), (50, 60)) == (50, 9), "all of an axis at most"
