"""A figure as it is reported: never without its interval and the number of cases behind it."""

import math
from dataclasses import dataclass

from hilum.core.errors import MeasureError


@dataclass(frozen=True)
class Figure:
    """One number with its interval.

    Attributes:
        name: what it is, as in `evaluation.json`; the unit is in the name (`hd95_mm`).
        value: NaN when no case has it.
        low: lower end of the interval; NaN when there is none, as with a single patient.
        high: upper end of the interval.
        n: how many cases have a value; those without one (undefined, NaN) are not among them.

    Raises:
        MeasureError: the ends are the wrong way round, or n is negative.
    """

    name: str
    value: float
    low: float = math.nan
    high: float = math.nan
    n: int = 0

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise MeasureError(f"{self.name}: the interval's low end {self.low} is above its high end {self.high}.")
        if self.n < 0:
            raise MeasureError(f"{self.name}: a number of cases is not negative, got {self.n}.")
