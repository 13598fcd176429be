"""How a nodule changed between two dates, with how sure that is.

The primary scale is the rate, in doublings of volume a year: its interval is one piece, whether it spans zero or not. A
doubling time is its inverse, so an interval of it may pass through infinity into shrinkage; `DoublingTime` says that
with four numbers rather than with a wrong pair.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from hilum.core.errors import MeasureError
from hilum.core.figures import Figure

DAYS_A_YEAR = 365.25


class GrowthQuantity(StrEnum):
    """What of a nodule is measured at two dates."""

    VOLUME = "volume_mm3"
    MEAN_DIAMETER = "mean_diameter_mm"
    LONG_AXIS = "long_axis_mm"
    MASS = "mass_mg"
    SOLID_VOLUME = "solid_volume_mm3"


@dataclass(frozen=True)
class Change:
    """One quantity at two dates.

    Attributes:
        quantity: which; its unit is in its name.
        prior: earlier; NaN when unknown.
        current: now; NaN when unknown.
        percent: change, with its interval; what is known of the measurement's bias is taken off, so it may differ a
            little from that of the two numbers. NaN where either is.
        difference: the same in the unit.
    """

    quantity: GrowthQuantity
    prior: float
    current: float
    difference: Figure
    percent: Figure


@dataclass(frozen=True)
class DoublingTime:
    """Volume doubling time under exponential growth, with its interval.

    Attributes:
        days: most likely; infinite when the volume didn't grow, NaN when unknown.
        shortest_days: of the fastest growth that fits the measurements; infinite when no growth does.
        longest_days: of the slowest growth that fits; infinite when no change at all fits, too.
        halving_days: of the fastest shrinkage that fits; infinite when none does.
    """

    days: float
    shortest_days: float
    longest_days: float
    halving_days: float

    @classmethod
    def of(cls, doublings_a_year: Figure) -> "DoublingTime":
        """The inverse of a rate and of its interval (VDT = Δt ln 2 / ln(V₂/V₁), Schwartz 1961)."""
        rate, low, high = doublings_a_year.value, doublings_a_year.low, doublings_a_year.high
        if any(math.isnan(one) for one in (rate, low, high)):
            return cls(_days(rate), math.nan, math.nan, math.nan)
        return cls(_days(rate), _days(high), _days(low), _days(-low))

    @property
    def can_be_none(self) -> bool:
        """Whether the measurements fit a nodule that doesn't grow."""
        return math.isinf(self.longest_days)


def _days(doublings_a_year: float) -> float:
    if math.isnan(doublings_a_year):
        return math.nan
    return DAYS_A_YEAR / doublings_a_year if doublings_a_year > 0 else math.inf


@dataclass(frozen=True)
class Growth:
    """How one nodule changed between two dates.

    Attributes:
        interval_days: between the dates.
        changes: one for each quantity that was measured at both.
        doublings_a_year: log2(V₂/V₁) a year, with its interval; below 0 for shrinkage.
        doubling: the same as a doubling time.
        probability_of_growth: that the volume grew at all, of all changes being equally likely beforehand; NaN when
            unknown.
        probability_of_quarter: likewise, that it grew by 25 % or more.
        least_detectable_percent: the smallest growth of volume that would be told from none, measured like this.
        told_after_days: from the first date on, when a doubling in 400 days would be told from none four times in five,
            measured like this.
        confidence: of the intervals, 0 to 1.
        notes: what a person should know who uses it, one line each.

    Raises:
        MeasureError: the dates are not one after the other, or a quantity is there twice.
    """

    interval_days: float
    changes: tuple[Change, ...]
    doublings_a_year: Figure
    doubling: DoublingTime
    probability_of_growth: float
    probability_of_quarter: float
    least_detectable_percent: float
    told_after_days: float = math.nan
    confidence: float = 0.95
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.interval_days > 0:
            raise MeasureError(
                f"growth needs a later date than the first, got {self.interval_days:g} days between.",
                "Check the dates, or give the earlier study first.",
            )
        if len({one.quantity for one in self.changes}) < len(self.changes):
            raise MeasureError("a quantity is given twice.")

    def change(self, quantity: GrowthQuantity) -> Change | None:
        """Of a quantity; None where it wasn't measured at both dates."""
        return next((one for one in self.changes if one.quantity is quantity), None)
