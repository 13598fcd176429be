"""Where a nodule is, as a network is told: the spot, what is clicked, and which box is meant."""

import math

import numpy as np
import pytest

from hilum.datasets.slice_point import SIGMA_MM, box_centre, drawn_point, point_map
from tests.slices import ball


def test_the_spot_is_one_at_the_point_and_falls_off_in_millimetres():
    spot = point_map((41, 61), (20, 30), (0.5, 1.0))
    assert spot[20, 30] == 1 == spot.max()
    assert spot[20 + 8, 30] == pytest.approx(spot[20, 30 + 4]) == pytest.approx(math.exp(-0.5 * (4 / SIGMA_MM) ** 2))
    one_mm = spot.sum() * 0.5 * 1.0
    assert one_mm == pytest.approx(2 * math.pi * SIGMA_MM**2, rel=0.02)  # the integral of a Gaussian


def test_it_follows_the_slice_and_may_lie_between_pixels_or_outside():
    moved = point_map((40, 40), (12.5, 17.25), (0.7, 0.7))
    np.testing.assert_allclose(moved[5:, 3:], point_map((35, 37), (7.5, 14.25), (0.7, 0.7)))
    assert 0 < point_map((8, 8), (-4, 3), (1.0, 1.0)).max() < 1


def test_without_a_point_it_is_dark():
    assert not point_map((5, 7), None, (1.0, 1.0)).any()


def test_clicks_lie_on_and_about_the_nodule():
    truth = ball((64, 64), (20, 44), 9)
    rng = np.random.default_rng(0)
    clicks = np.array([drawn_point(truth, (0.7, 0.7), rng) for _ in range(2000)])
    assert clicks.mean(axis=0) == pytest.approx((20, 44), abs=0.3)
    far_mm = np.hypot(*(clicks - (20, 44)).T) * 0.7
    assert 1.5 < far_mm.mean() < 4.5
    assert np.quantile(far_mm, 0.99) < 9 * 0.7 + 4


def test_where_there_is_no_nodule_they_lie_anywhere_about_the_middle():
    rng = np.random.default_rng(0)
    clicks = np.array([drawn_point(np.zeros((65, 65), bool), (0.5, 0.5), rng) for _ in range(2000)])
    assert clicks.mean(axis=0) == pytest.approx((32, 32), abs=1.5)
    assert clicks.std(axis=0) == pytest.approx((20, 20), rel=0.1)


def test_as_much_is_drawn_whatever_is_shown():
    one, other = np.random.default_rng(3), np.random.default_rng(3)
    drawn_point(ball((9, 9), (4, 4), 2), (1.0, 1.0), one)
    drawn_point(np.zeros((9, 9), bool), (1.0, 1.0), other)
    assert one.random() == other.random()


def test_a_boxs_middle_is_of_all_slices():
    stack = np.zeros((3, 20, 30), bool)
    stack[0, 4, 10], stack[2, 9, 21] = True, True
    assert box_centre(stack) == (6.5, 15.5)


def test_in_a_piece_of_a_ct_it_is_a_ball_of_millimetres():
    """The same Gaussian along every axis, whatever its step; through the point it is the slice's own."""
    spot = point_map((21, 41, 61), (10, 20, 30), (2.0, 0.5, 1.0))
    assert spot[10, 20, 30] == 1
    for moved in ((12, 20, 30), (10, 28, 30), (10, 20, 34)):  # each 4 mm away
        assert spot[moved] == pytest.approx(np.exp(-0.5 * (4 / SIGMA_MM) ** 2))
    np.testing.assert_array_equal(spot[10], point_map((41, 61), (20, 30), (0.5, 1.0)))
    rng = np.random.default_rng(0)
    truth = ball((21, 41, 61), (10, 20, 30), 5)
    clicks = np.array([drawn_point(truth, (2.0, 0.5, 1.0), rng) for _ in range(500)])
    assert clicks.mean(axis=0) == pytest.approx([10, 20, 30], abs=0.5)
    assert (clicks - [10, 20, 30]).std(axis=0)[1] > (clicks - [10, 20, 30]).std(axis=0)[0]


def test_what_only_looks_like_a_nodule_is_pointed_at_as_closely_as_a_centre() -> None:
    rng = np.random.default_rng(5)
    like = (12.0, 20.0, 30.0)
    clicks = np.array([drawn_point(np.zeros((41, 41, 61), bool), (2.0, 0.5, 1.0), rng, like) for _ in range(2000)])
    assert clicks.mean(axis=0) == pytest.approx(like, abs=0.2)
    assert clicks.std(axis=0) * (2.0, 0.5, 1.0) == pytest.approx([1.5] * 3, rel=0.1)
