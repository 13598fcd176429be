"""Growth with its error: formulas, coverage on simulated measurements, what is refused and what is widened."""

import math

import numpy as np
import pytest
from scipy import stats

from hilum.core import GrowthQuantity, MeasureError
from hilum.followup.growth import AtDate, HowSure, growth, has_grown, power_after, told_after_days
from hilum.followup.volume_error import (
    Comparability,
    Kind,
    Method,
    ScanFacts,
    Spread,
    Subject,
    VolumeError,
    comparability,
    volume_error,
    volume_interval,
)

NORMAL = Spread(ln_sd=math.log(0.08))
TAILED = Spread(ln_sd=math.log(0.05), by_ln_diameter=-1.0, degrees=4.0)
SUBJECT = Subject(10.0, 2.5)
TEN_MM = math.pi / 6 * 1000


def known(spread: Spread) -> HowSure:
    others = {Kind.MASS: spread}
    error = VolumeError(made_by="a test", fitted_on="nothing", change={Method.PAIRED: spread}, single={}, others=others)
    return HowSure(error=error)


def at(volume: float, **more: float) -> AtDate:
    return AtDate(volume_mm3=volume, slice_mm=2.5, **more)


def test_doubling_time_is_that_of_exponential_growth() -> None:
    found = growth(at(TEN_MM), at(2 * TEN_MM), 200, known(NORMAL))
    assert found.doubling.days == pytest.approx(200)
    assert found.doublings_a_year.value == pytest.approx(365.25 / 200)
    assert found.changes[0].percent.value == pytest.approx(100)


def test_intervals_are_those_of_a_normal_logarithm() -> None:
    found = growth(at(500), at(600), 90, known(NORMAL))
    change = found.change(GrowthQuantity.VOLUME)
    assert change is not None
    reach = stats.norm.ppf(0.975) * 0.08
    assert change.percent.low == pytest.approx(100 * (1.2 * math.exp(-reach) - 1), rel=0.02, abs=0.2)
    assert change.percent.high == pytest.approx(100 * (1.2 * math.exp(reach) - 1), rel=0.02)
    assert found.probability_of_growth == pytest.approx(stats.norm.cdf(math.log(1.2) / 0.08), abs=1e-3)
    assert found.least_detectable_percent == pytest.approx(100 * math.expm1(reach), rel=1e-2)


@pytest.mark.parametrize("spread", [NORMAL, TAILED])
def test_intervals_cover_what_they_say_and_one_in_twenty_stable_ones_is_called_grown(spread: Spread) -> None:
    rng, true = np.random.default_rng(0), 1.25
    errors = spread.sd(SUBJECT) * rng.standard_t(spread.degrees, 2000)
    covered = grown = 0
    for error in errors.tolist():
        # volumes about 10 mm whose logarithms lie evenly about it: the spread is that of SUBJECT
        half = (math.log(true) + error) / 2
        percent = (
            growth(at(TEN_MM * math.exp(-half)), at(TEN_MM * math.exp(half)), 90, known(spread)).changes[0].percent
        )
        covered += percent.low <= 25 <= percent.high
        stable = growth(at(TEN_MM * math.exp(-error / 2)), at(TEN_MM * math.exp(error / 2)), 90, known(spread))
        grown += has_grown(stable)
    assert covered / len(errors) == pytest.approx(0.95, abs=0.015)
    assert grown / len(errors) == pytest.approx(0.05, abs=0.015)


def test_bias_and_gain_are_taken_off() -> None:
    spread = Spread(ln_sd=math.log(0.05), gain=0.9, bias=0.02)
    seen = math.exp(0.9 * math.log(1.5) + 0.02)
    assert growth(at(500), at(500 * seen), 90, known(spread)).changes[0].percent.value == pytest.approx(50)


def test_larger_nodules_are_surer_and_thicker_slices_and_other_scans_less_so() -> None:
    spread = Spread(ln_sd=-3.0, by_ln_diameter=-1.0, by_slice_mm=0.2, subsolid=0.3, other_scan=0.4)
    by_size = [spread.sd(Subject(one, 1.0)) for one in (5.0, 8.0, 12.0, 20.0)]
    assert by_size == sorted(by_size, reverse=True)
    least = spread.sd(Subject(10.0, 1.0))
    for other in (Subject(10, 2.5), Subject(10, 1, True), Subject(10, 1, False, True), Subject(10, 1, factor=2.0)):
        assert spread.sd(other) > least


def test_shipped_errors_fall_with_size_and_are_fitted_on_many_nodules() -> None:
    for method, spread in volume_error().change.items():
        sizes = [spread.sd(Subject(one, 2.5)) for one in (4.0, 6.0, 10.0, 20.0)]
        assert sizes == sorted(sizes, reverse=True)
        assert 0.001 < sizes[2] < 0.6
        assert spread.n >= 15 or method is Method.READER


def test_a_doubling_time_is_told_after_the_days_at_which_the_power_is_reached() -> None:
    days = told_after_days(400, TAILED, SUBJECT, power=0.8)
    assert power_after(days, 400, TAILED, SUBJECT) == pytest.approx(0.8, abs=1e-6)
    assert power_after(days * 2, 400, TAILED, SUBJECT) > 0.8
    assert told_after_days(400, TAILED, SUBJECT, power=0.95) > days
    with pytest.raises(MeasureError):
        power_after(0, 400, TAILED, SUBJECT)


def test_an_unsure_gain_widens_large_changes_and_says_nothing_of_whether_there_is_one() -> None:
    unsure = TAILED.model_copy(update={"gain_sd": 0.05})
    for after in (TEN_MM * 1.05, TEN_MM * 3):
        plain, wide = (growth(at(TEN_MM), at(after), 90, known(spread)) for spread in (TAILED, unsure))
        assert wide.probability_of_growth == plain.probability_of_growth
        lost = wide.doublings_a_year.high - plain.doublings_a_year.high
        share = lost / wide.doublings_a_year.value
        assert 0 < share < stats.t.ppf(0.975, 4) * 0.05
    assert share > 0.5 * stats.t.ppf(0.975, 4) * 0.05  # of the large one


def test_a_measurement_says_when_a_doubling_in_400_days_will_be_told() -> None:
    found = growth(at(TEN_MM), at(TEN_MM), 90, known(TAILED))
    assert power_after(found.told_after_days, 400, TAILED, SUBJECT) == pytest.approx(0.8, abs=1e-6)
    assert math.isnan(growth(AtDate(), at(500), 90, known(NORMAL)).told_after_days)


def test_what_was_not_measured_is_nan_and_no_growth() -> None:
    found = growth(AtDate(), at(500), 90, known(NORMAL))
    assert math.isnan(found.probability_of_growth)
    assert math.isnan(found.doubling.days)
    assert math.isnan(found.changes[0].percent.value)
    assert not has_grown(found)


def test_a_solid_part_has_a_change_and_no_interval() -> None:
    found = growth(at(500, solid_volume_mm3=50.0), at(500, solid_volume_mm3=100.0), 90, known(NORMAL))
    change = found.change(GrowthQuantity.SOLID_VOLUME)
    assert change is not None
    assert change.percent.value == pytest.approx(100)
    assert math.isnan(change.percent.low)


def test_mass_has_its_own_change() -> None:
    found = growth(at(500, mass_mg=300.0), at(500, mass_mg=450.0), 90, known(NORMAL))
    change = found.change(GrowthQuantity.MASS)
    assert change is not None
    assert change.percent.value == pytest.approx(50)
    assert change.difference.value == pytest.approx(150)


@pytest.mark.parametrize("days", [0.0, -90.0, math.nan])
def test_dates_have_to_be_in_order(days: float) -> None:
    with pytest.raises(MeasureError, match="later date"):
        growth(at(500), at(500), days, known(NORMAL))


def test_thick_slices_and_other_software_are_refused() -> None:
    assert comparability(ScanFacts(1.0), ScanFacts(5.0)).refusal
    refused = comparability(ScanFacts(1.0, software="A 1"), ScanFacts(1.0, software="B 2"))
    assert refused.refusal
    with pytest.raises(MeasureError, match="can't be compared"):
        growth(at(500), at(600), 90, HowSure(comparability=refused))
    assert comparability(ScanFacts(3.0), ScanFacts(3.0)).refusal is None


@pytest.mark.parametrize(
    "other",
    [
        ScanFacts(2.5, "B30f", "A", False),
        ScanFacts(1.0, "B70f", "A", False),
        ScanFacts(1.0, None, "A", False),
        ScanFacts(1.0, "B30f", "B", False),
        ScanFacts(1.0, "B30f", "A", True),
        ScanFacts(1.0, "B30f", "A", None),
    ],
)
def test_what_differs_is_said_and_widens(other: ScanFacts) -> None:
    found = comparability(ScanFacts(1.0, "B30f", "A", False), other)
    spread = Spread(ln_sd=-3.0, other_scan=0.4)
    assert found.warnings
    assert spread.sd(found.subject(10, 1.0)) > spread.sd(Comparability().subject(10, 1.0))


def test_outlines_by_another_hand_are_said_and_widen_by_more_than_nothing() -> None:
    """What lies within is measured by one rule at both dates, so it isn't refused."""
    own, given = (ScanFacts(1.0, software="hilum", outlined_by=one) for one in ("hilum", "a reader"))
    found = comparability(given, own)
    assert found.refusal is None
    assert any("outlined by a reader, then by hilum" in one for one in found.warnings)
    assert NORMAL.sd(found.subject(10, 1.0)) > 1.2 * NORMAL.sd(Comparability().subject(10, 1.0))
    assert comparability(given, given) == Comparability()
    assert comparability(own, ScanFacts(1.0, software="hilum")).warnings


def test_alike_scans_widen_nothing() -> None:
    facts = ScanFacts(1.25, "B30f", "A", False, "hilum 1")
    assert comparability(facts, ScanFacts(1.0, "b30f ", "A", False, "hilum 1")) == Comparability()


def test_a_volumes_interval_allows_for_bias() -> None:
    found = volume_interval(500, Spread(ln_sd=math.log(0.1), bias=0.05), SUBJECT)
    assert found.value == 500
    assert math.sqrt(found.low * found.high) == pytest.approx(500 * math.exp(-0.05))
    assert math.isnan(volume_interval(0.0, NORMAL, SUBJECT).value)
