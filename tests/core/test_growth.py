"""Doubling times are inverses of rates, with intervals that may pass through infinity."""

import math

import pytest

from hilum.core import DoublingTime, Figure, Growth, MeasureError


def doubling(low: float, value: float, high: float) -> DoublingTime:
    return DoublingTime.of(Figure("doublings_a_year", value, low, high))


def test_one_doubling_a_year_takes_a_year() -> None:
    found = doubling(0.5, 1.0, 2.0)
    assert (found.shortest_days, found.days, found.longest_days) == (182.625, 365.25, 730.5)
    assert math.isinf(found.halving_days)
    assert not found.can_be_none


def test_an_interval_across_zero_reaches_from_fast_growth_over_none_to_shrinkage() -> None:
    found = doubling(-0.5, 0.25, 1.0)
    assert (found.shortest_days, found.days, found.halving_days) == (365.25, 1461.0, 730.5)
    assert math.isinf(found.longest_days)
    assert found.can_be_none


def test_what_shrinks_never_doubles() -> None:
    found = doubling(-2.0, -1.0, -0.5)
    assert math.isinf(found.days)
    assert math.isinf(found.shortest_days)
    assert found.halving_days == 182.625


def test_an_unknown_rate_has_no_doubling_time() -> None:
    assert math.isnan(DoublingTime.of(Figure("doublings_a_year", math.nan)).days)


def test_growth_needs_a_later_date() -> None:
    rate = Figure("doublings_a_year", 1.0, 0.5, 2.0)
    with pytest.raises(MeasureError, match="later date"):
        Growth(0.0, (), rate, DoublingTime.of(rate), 0.99, 0.5, 10.0)
