"""Is one model no worse than another: a margin stated beforehand, and an interval's end that has to stay above it.

"No difference seen" does not show that a model is no worse: with few patients nothing is seen. A model is shown to be
no worse when the lower end of the 95 % interval of its paired difference lies above minus the margin, a one-sided test
at 2.5 % (CPMP/EWP/482/99, Points to consider on switching between superiority and non-inferiority, 2000).
"""

import math
from dataclasses import dataclass

from hilum.core.figures import Figure
from hilum.evaluate.bootstrap import LEVEL
from hilum.report.comparison import signed_number

NEW_MARGIN = 0.10
"""Of the sensitivity for new lesions: one new lesion in ten is the most that help with known ones may cost."""


@dataclass(frozen=True)
class NoWorse:
    """Two models and one figure between 0 and 1, higher is better, judged by a margin.

    Attributes:
        margin: the largest loss that still counts as no worse, above 0.
        first: lower bound of first minus second model; NaN without an interval.
        second: lower bound of second minus first; NaN without an interval.
    """

    margin: float
    first: float
    second: float

    @property
    def is_first_shown(self) -> bool:
        """Whether the first model is shown to be no worse than the second."""
        return self.first > -self.margin

    @property
    def is_second_shown(self) -> bool:
        """Whether the second model is shown to be no worse than the first."""
        return self.second > -self.margin

    def words(self, first: str, second: str) -> str:
        """A sentence with both models' names."""
        if math.isnan(self.first):
            return f"No worse by the margin of {self.margin:.2f}: can't be judged without an interval."
        said = [
            f"{one} is {'' if is_shown else 'not '}shown to be no worse than {other} (from {signed_number(bound)})"
            for one, other, bound, is_shown in (
                (second, first, self.second, self.is_second_shown),
                (first, second, self.first, self.is_first_shown),
            )
        ]
        return f"By the margin of {self.margin:.2f}: {'; '.join(said)}."


def no_worse(difference: Figure, patients: int, margin: float) -> NoWorse:
    """Judge a paired difference of shares by a margin.

    Patients who all differ by the same show no spread however often they are drawn. Then a share of at most
    1 − .025^(1/n) of all patients may be otherwise (Clopper and Pearson 1934), in the worst case by the whole range.

    Args:
        difference: second minus first model, with its interval by bootstrap over patients.
        patients: how many.
        margin: above 0.
    """
    low, high = difference.low, difference.high
    if low == high:
        otherwise = 1 - ((1 - LEVEL) / 2) ** (1 / patients)
        low, high = low - otherwise * (1 + low), high + otherwise * (1 - high)
    return NoWorse(margin, -high, low)
