"""How much a nodule grew between two dates, how sure that is, and from when on it could be told at all.

With R = ln(V₂ / V₁) measured, its error's scale s and distribution F (`volume_error`), the true R lies with probability
c within R ± F⁻¹((1 + c) / 2) √(s² + (gR)²), with g the scale of the gain. Everything else is a function of R:

- change of volume in percent: 100 (exp R - 1);
- doublings a year: R / ln 2 · 365.25 / Δt, and the doubling time Δt ln 2 / R (Schwartz, Cancer 14, 1961);
- probability of growth: F(R / s), of growth by a quarter: F((R - ln 1.25) / s), where no true change is thought more
  likely than another beforehand;
- least detectable growth: exp(F⁻¹((1 + c) / 2) s) - 1; for a normal error of each volume alone that is the
  repeatability coefficient, 1.96 √2 wCV (Raunig et al., Stat. Methods Med. Res. 24, 2015; QIBA);
- a doubling time T is told from none with power p by a one-sided test at level α after T / ln 2 · s (F⁻¹(1 - α) +
  F⁻¹(p)) days.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from hilum.core import Figure, MeasureError
from hilum.core.growth import DAYS_A_YEAR, Change, DoublingTime, Growth, GrowthQuantity
from hilum.followup.volume_error import (
    CONFIDENCE,
    Comparability,
    Kind,
    Method,
    Spread,
    Subject,
    VolumeError,
    volume_error,
)
from hilum.measure import equivalent_diameter_mm

QUARTER = math.log(1.25)
ASKED_DAYS, POWER = 400.0, 0.8
"""Doubling time below which guidelines act (NELSON), and how often it is to be found."""
FOUND = 0.95
"""Probability of growth from which a nodule is said to have grown: one in twenty stable ones is, too."""


@dataclass(frozen=True)
class AtDate:
    """A nodule as measured at one date; NaN for what wasn't.

    Attributes:
        volume_mm3: volume.
        mean_diameter_mm: mean of long and short axis.
        long_axis_mm: longest diameter.
        mass_mg: volume times (HU + 1000) / 1000.
        solid_volume_mm3: of its solid part.
        slice_mm: distance of the CT's slices.
        texture: rating from 1 (ground glass) to 5 (solid); None when unknown.
    """

    volume_mm3: float = math.nan
    mean_diameter_mm: float = math.nan
    long_axis_mm: float = math.nan
    mass_mg: float = math.nan
    solid_volume_mm3: float = math.nan
    slice_mm: float = 1.0
    texture: float | None = None


@dataclass(frozen=True)
class HowSure:
    """By what a change's error is told.

    Attributes:
        method: by which both volumes were measured.
        comparability: of the two CTs.
        error: coefficients; None for those that come with hilum.
        confidence: of the intervals.
    """

    method: Method = Method.PAIRED
    comparability: Comparability = field(default_factory=Comparability)
    error: VolumeError | None = None
    confidence: float = CONFIDENCE

    def __post_init__(self) -> None:
        if not 0.5 <= self.confidence < 1:
            raise MeasureError(f"an interval's confidence is from .5 to below 1, got {self.confidence:g}.")

    @property
    def known(self) -> VolumeError:
        """The coefficients."""
        return self.error or volume_error()


def growth(prior: AtDate, current: AtDate, interval_days: float, how: HowSure | None = None) -> Growth:
    """What changed between two dates.

    Args:
        prior: earlier.
        current: now.
        interval_days: between them.
        how: sure it is.

    Raises:
        MeasureError: the dates are not in order, a volume is negative, or the two can't be compared.
    """
    how = how or HowSure()
    _require(prior, current, how)
    spread, subject = how.known.of_change(how.method), _subject(prior, current, how)
    volumes = _Ratio.of(prior.volume_mm3, current.volume_mm3, spread, subject)
    rate = _rate(volumes, interval_days, how.confidence)
    reach = spread.quantile((1 + how.confidence) / 2)
    return Growth(
        interval_days=interval_days,
        changes=tuple(_changes(prior, current, volumes, how)),
        doublings_a_year=rate,
        doubling=DoublingTime.of(rate),
        probability_of_growth=volumes.probability_above(0.0),
        probability_of_quarter=volumes.probability_above(QUARTER),
        least_detectable_percent=math.nan if subject is None else 100 * math.expm1(reach * spread.sd(subject)),
        told_after_days=math.nan if subject is None else told_after_days(ASKED_DAYS, spread, subject, POWER),
        confidence=how.confidence,
        notes=how.comparability.warnings,
    )


def has_grown(found: Growth) -> bool:
    """Whether a nodule is said to have grown; False when nobody knows."""
    return found.probability_of_growth >= FOUND


def told_after_days(doubling_days: float, spread: Spread, subject: Subject, power: float = POWER) -> float:
    """Days after which growth of a doubling time is found with a power, one in twenty stable ones being, too.

    Raises:
        MeasureError: the doubling time is not positive, or the power not between 0 and 1.
    """
    _require_test(doubling_days, power)
    needed = spread.sd(subject) * (spread.quantile(FOUND) + spread.quantile(power))
    return max(0.0, doubling_days / math.log(2) * needed)


def power_after(days: float, doubling_days: float, spread: Spread, subject: Subject) -> float:
    """Probability that growth of a doubling time is found after so many days.

    Raises:
        MeasureError: the doubling time or the days are not positive.
    """
    _require_test(doubling_days, 0.5)
    if not days > 0:
        raise MeasureError(f"growth needs time, got {days:g} days.")
    true = days / doubling_days * math.log(2)
    return spread.share_below(true / spread.sd(subject) - spread.quantile(FOUND))


@dataclass(frozen=True)
class _Ratio:
    """ln of current over prior, and its error.

    Attributes:
        log: with gain and bias taken off; NaN when unknown.
        sd: scale of its error; NaN when unknown.
        spread: of it.
    """

    log: float
    sd: float
    spread: Spread

    @classmethod
    def of(cls, prior: float, current: float, spread: Spread, subject: Subject | None) -> "_Ratio":
        if subject is None or not (prior > 0 and current > 0):
            return cls(math.nan, math.nan, spread)
        return cls((math.log(current / prior) - spread.bias) / spread.gain, spread.sd(subject), spread)

    @property
    def whole_sd(self) -> float:
        """With what isn't known of the gain: that grows with the change, and is nothing where there is none."""
        return math.hypot(self.sd, self.spread.gain_sd * self.log)

    def ends(self, confidence: float) -> tuple[float, float]:
        reach = self.spread.quantile((1 + confidence) / 2) * self.whole_sd
        return self.log - reach, self.log + reach

    def probability_above(self, log: float) -> float:
        if math.isnan(self.log):
            return math.nan
        return self.spread.share_below((self.log - log) / (self.whole_sd if log else self.sd))


def _rate(ratio: _Ratio, days: float, confidence: float) -> Figure:
    if not days > 0:
        raise MeasureError(f"growth needs a later date than the first, got {days:g} days between.")
    low, high = ratio.ends(confidence)
    value, low, high = (one / math.log(2) * DAYS_A_YEAR / days for one in (ratio.log, low, high))
    return Figure("doublings_a_year", value, low, high)


def _changes(prior: AtDate, current: AtDate, volumes: _Ratio, how: HowSure) -> Iterator[Change]:
    subject = _subject(prior, current, how)
    yield _change(GrowthQuantity.VOLUME, prior.volume_mm3, current.volume_mm3, volumes, how)
    others = how.known.others
    for quantity, kind, before, after in (
        (GrowthQuantity.MEAN_DIAMETER, Kind.MEAN_DIAMETER, prior.mean_diameter_mm, current.mean_diameter_mm),
        (GrowthQuantity.LONG_AXIS, Kind.LONG_AXIS, prior.long_axis_mm, current.long_axis_mm),
        (GrowthQuantity.MASS, Kind.MASS, prior.mass_mg, current.mass_mg),
    ):
        if kind in others and not math.isnan(before + after):
            yield _change(quantity, before, after, _Ratio.of(before, after, others[kind], subject), how)
    before, after = prior.solid_volume_mm3, current.solid_volume_mm3
    if not math.isnan(before + after):  # measured at both dates, its error by nobody
        unknown = _Ratio(math.log(after / before) if min(before, after) > 0 else math.nan, math.nan, volumes.spread)
        yield _change(GrowthQuantity.SOLID_VOLUME, before, after, unknown, how)


def _change(quantity: GrowthQuantity, before: float, after: float, ratio: _Ratio, how: HowSure) -> Change:
    low, high = (100 * math.expm1(one) for one in ratio.ends(how.confidence))
    percent = Figure(f"{quantity}_change_percent", 100 * math.expm1(ratio.log), low, high)
    value, low, high = (one / 100 * before for one in (percent.value, percent.low, percent.high))
    return Change(quantity, before, after, Figure(f"{quantity}_difference", value, low, high), percent)


def _subject(prior: AtDate, current: AtDate, how: HowSure) -> Subject | None:
    """What the error depends on; None without both volumes."""
    volumes = (prior.volume_mm3, current.volume_mm3)
    if not all(one > 0 for one in volumes):
        return None
    diameter = sum(equivalent_diameter_mm(one) for one in volumes) / 2
    textures = [one.texture for one in (prior, current) if one.texture is not None]
    return how.comparability.subject(
        diameter, max(prior.slice_mm, current.slice_mm), min(textures) if textures else None
    )


def _require(prior: AtDate, current: AtDate, how: HowSure) -> None:
    if how.comparability.refusal:
        raise MeasureError(f"the two dates can't be compared: {how.comparability.refusal}.")
    if any(one.volume_mm3 < 0 for one in (prior, current)):
        raise MeasureError("a volume is negative.")


def _require_test(doubling_days: float, power: float) -> None:
    if not (doubling_days > 0 and 0 < power < 1):
        raise MeasureError(f"a doubling time of {doubling_days:g} days can't be told with a power of {power:g}.")
