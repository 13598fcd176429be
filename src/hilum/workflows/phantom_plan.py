"""What a growth phantom is to be: which nodules, where, how they grow, and how the dates are scanned."""

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from hilum.core import InputError
from hilum.core.geometry import Triple

Shape: TypeAlias = Literal["real", "ball", "ellipsoid"]
Texture: TypeAlias = Literal["solid", "part-solid", "ground-glass"]
SCHEMA, TRUTH = "hilum.phantom/1", "truth.json"
SYNTHETIC = "SYNTHETIC growth phantom: nodules put into this CT by computer; no patient was scanned at these dates"
FIRST_DAY = datetime.date(2020, 1, 1)
_MOST_PERCENT = 5000.0
_LARGEST_MM, _SMALLEST_MM = 60.0, 2.0
_SLICES_MM = (0.4, 10.0)
_ELLIPSOID = (1.0, 1.25, 0.8)
T = TypeVar("T")


@dataclass(frozen=True)
class NodulePlan:
    """One nodule.

    Attributes:
        at: its centroid in the CT as it is, LPS mm; None to be drawn.
        diameter_mm: of the ball with its volume at the first date; None for a real nodule's own.
        doubling_days: of its volume; negative for halving, infinite for a stable one.
    """

    at: Triple | None
    diameter_mm: float | None
    doubling_days: float

    def volume_mm3(self, first_mm3: float, days: float) -> float:
        """So many days after the first date: V₀ 2^(days / doubling time)."""
        return first_mm3 * math.exp2(days / self.doubling_days)


@dataclass(frozen=True)
class NoduleSource:
    """What the nodules are made of.

    Attributes:
        cubes: data set of `prepare_cubes`, for real ones; None for drawn shapes.
        split: whose nodules of it are taken.
        shape: "ball" or "ellipsoid" where there is no data set.
        texture: of these.
    """

    cubes: Path | None = None
    split: Literal["train", "validation"] = "validation"
    shape: Literal["ball", "ellipsoid"] = "ball"
    texture: Texture = "solid"

    @property
    def axes(self) -> Triple:
        """Of a drawn shape, along x, y, z."""
        return (1.0, 1.0, 1.0) if self.shape == "ball" else _ELLIPSOID


@dataclass(frozen=True)
class Dates:
    """When and how the phantom is scanned.

    Attributes:
        days: of each scan after the first one, which is 0.
        first: calendar day of the first.
        slice_mm: thickness of slices, of each date; None for the CT's own.
        shift_mm: longest displacement by breath at each date but the first.
    """

    days: tuple[int, ...] = (0, 90)
    first: datetime.date = FIRST_DAY
    slice_mm: tuple[float | None, ...] = (None,)
    shift_mm: float = 0.0

    def __post_init__(self) -> None:
        if not self.days or self.days[0] != 0 or any(a >= b for a, b in zip(self.days, self.days[1:], strict=False)):
            raise InputError(
                f"days begin with 0 and grow, got {' '.join(map(str, self.days))}.", "For example --days 0 90 365."
            )
        if any(one is not None and not _SLICES_MM[0] <= one <= _SLICES_MM[1] for one in self.slice_mm):
            raise InputError(f"slices are from {_SLICES_MM[0]} to {_SLICES_MM[1]:g} mm thick.", "Change --thickness.")
        if not 0 <= self.shift_mm <= 30:
            raise InputError(f"a breath moves the lung by 0 to 30 mm, got {self.shift_mm:g}.", "Change --shift-mm.")
        self.slices()

    def slices(self) -> tuple[float | None, ...]:
        """Thickness at each date."""
        return each(self.slice_mm, len(self.days), "--thickness", "dates")

    def on(self, day: int) -> datetime.date:
        """The calendar day of a scan."""
        return self.first + datetime.timedelta(days=day)


@dataclass(frozen=True)
class PhantomOptions:
    """What `make_phantom` may be told.

    Attributes:
        nodules: to be put in.
        source: what they are made of.
        dates: when and how they are scanned.
        annotations: nodules that the CT has of its own; None for none.
        touching: whether they may lie on vessels, on the wall or on the CT's own nodules.
        as_dicom: DICOM series; else NIfTI.
        series: which DICOM series of the CT, where there are several.
        seed: of all that is drawn.
    """

    nodules: tuple[NodulePlan, ...] = (NodulePlan(None, 10.0, 200.0),)
    source: NoduleSource = field(default_factory=NoduleSource)
    dates: Dates = field(default_factory=Dates)
    annotations: Path | None = None
    touching: bool = False
    as_dicom: bool = True
    series: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.nodules:
            raise InputError("a phantom has one nodule at least.", "Give --at, or --count from 1.")
        if self.seed < 0:
            raise InputError(f"a seed is a whole number from 0, got {self.seed}.")
        for one in self.nodules:
            if one.diameter_mm is not None and not _SMALLEST_MM <= one.diameter_mm <= _LARGEST_MM:
                raise InputError(
                    f"a nodule is {_SMALLEST_MM:g} to {_LARGEST_MM:g} mm wide, got {one.diameter_mm:g}.",
                    "Change --diameter-mm.",
                )
            if one.diameter_mm is None and self.source.cubes is None:
                raise InputError("a ball has no size of its own.", "Give --diameter-mm.")


@dataclass(frozen=True)
class Growing:
    """How nodules are said to grow; one way for all of them, or one for each.

    Attributes:
        doubling_days: negative for halving.
        percent: of volume, from the first date to the last.
        stable: that nothing grows.
    """

    doubling_days: tuple[float, ...] = ()
    percent: tuple[float, ...] = ()
    stable: bool = False

    def doubling(self, last_day: int) -> tuple[float, ...]:
        """Doubling times in days; infinite for what is stable.

        Raises:
            InputError: it is said in no way or in two, or can't be.
        """
        if sum((bool(self.doubling_days), bool(self.percent), self.stable)) != 1:
            raise InputError("how nodules grow is said in one way.", "--doubling-days, --growth-percent or --stable.")
        if self.stable:
            return (math.inf,)
        if self.doubling_days:
            if any(not math.isfinite(one) or abs(one) < 1 for one in self.doubling_days):
                raise InputError("a doubling time is a day at least; negative to halve.", "--stable for no growth.")
            return self.doubling_days
        if last_day < 1:
            raise InputError("one date shows no growth.", "Give --days, such as 0 90.")
        return tuple(_of_percent(one, last_day) for one in self.percent)


def _of_percent(percent: float, last_day: int) -> float:
    if not -95 <= percent <= _MOST_PERCENT:
        raise InputError(f"a volume grows by -95 to {_MOST_PERCENT:g} %, got {percent:g}.", "Change --growth-percent.")
    return last_day * math.log(2) / math.log1p(percent / 100) if percent else math.inf


def plans(
    at: Sequence[Triple], count: int | None, diameters: Sequence[float], doubling: Sequence[float]
) -> tuple[NodulePlan, ...]:
    """The nodules, of what was said of all or of each.

    Args:
        at: places; none to have them drawn.
        count: of nodules that are drawn; one when not given.
        diameters: one, or one for each; none for real nodules' own.
        doubling: one, or one for each.

    Raises:
        InputError: places and a count, or numbers that don't fit.
    """
    if at and count is not None:
        raise InputError("places are given (--at), and a count of drawn ones (--count).", "Leave one out.")
    places: Sequence[Triple | None] = tuple(at) or (None,) * (1 if count is None else count)
    size = len(places)
    wide: Sequence[float | None] = (
        each(tuple(diameters), size, "--diameter-mm", "nodules") if diameters else [None] * size
    )
    rates = each(tuple(doubling), size, "--doubling-days or --growth-percent", "nodules")
    return tuple(NodulePlan(*one) for one in zip(places, wide, rates, strict=True))


def each(values: tuple[T, ...], count: int, name: str, of: str) -> tuple[T, ...]:
    """One value for all, or one for each.

    Raises:
        InputError: it is neither.
    """
    if len(values) == 1:
        return values * count
    if len(values) != count:
        raise InputError(f"{name} takes one number, or one for each of {count} {of}, got {len(values)}.", "")
    return values
