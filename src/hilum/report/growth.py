"""Nodules over time as pictures: when the patient was seen, how each nodule grew, and how it looks at each date."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from hilum.core.figures import Figure
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.datasets.slice_scale import WINDOWS
from hilum.report.drawing import (
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    NAVY,
    OCHRE,
    ORANGE,
    PURPLE,
    SLATE,
    WINE,
    dark_figure,
    encoded,
    label,
    light_figure,
    outline,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ON_WHITE = (BLUE, ORANGE, GREEN, PURPLE, WINE, OCHRE, NAVY, SLATE)
_REFERENCE_DAYS = 400.0
"""Doubling time that is drawn beside each nodule: faster is suspicious (Horeweg 2014; BTS 2015)."""
_LEAST_SPAN = 1.5
"""Least factor between the ends of the volume's axis, so that noise doesn't fill it."""
_INCHES = 2.6


@dataclass(frozen=True)
class Curve:
    """One nodule's volume over time.

    Attributes:
        name: in the legend.
        dates: of its measurements, ascending.
        volumes_mm3: of the same, with their intervals; NaN where it could not be measured.
    """

    name: str
    dates: Sequence[date]
    volumes_mm3: Sequence[Figure]


@dataclass(frozen=True, eq=False)
class Glance:
    """A nodule on one slice at one date.

    Attributes:
        words: date and size, one or two lines.
        hu: [y, x]; None where nothing is to be shown, and `words` says why.
        mask: [y, x] the nodule.
        pixel_mm: row and column step.
    """

    words: str
    hu: Floats | None = None
    mask: Selection | None = None
    pixel_mm: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class Appointment:
    """When a next step is due.

    Attributes:
        words: whose advice it is.
        earliest: from when.
        latest: by when.
    """

    words: str
    earliest: date
    latest: date


def timeline(studies: Sequence[tuple[date, str]], due: Sequence[Appointment]) -> bytes:
    """PNG: studies on a line of time, and what is due."""
    figure = light_figure(8.0, 1.3 + 0.28 * len(due))
    place = figure.subplots()
    days = [_day(when) for when, _ in studies]
    place.plot(days, [0.0] * len(days), "o-", color=BLUE, markersize=9, linewidth=2)
    for (when, words), day in zip(studies, days, strict=True):
        place.annotate(
            f"{when}\n{words}", (day, 0), (0, 9), textcoords="offset points", ha="center", va="bottom", fontsize=8
        )
    for row, one in enumerate(due, start=1):
        first, last = _day(one.earliest), _day(one.latest)
        place.plot([first, last], [-row, -row], color=ORANGE, linewidth=6, solid_capstyle="butt")
        place.plot([first, last], [-row, -row], "|", color=WINE, markersize=9)
        words = f"{one.words}: {one.earliest} to {one.latest}" if last > first else f"{one.words}: {one.earliest}"
        place.annotate(words, (last, -row), (6, 0), textcoords="offset points", va="center", fontsize=8)
    _dates(place)
    place.set_ylim(-len(due) - 0.6, 1.6)
    place.set_yticks([])
    for side in ("left", "right", "top"):
        place.spines[side].set_visible(False)
    place.margins(x=0.18)
    return encoded(figure)


def growth_curves(curves: Sequence[Curve]) -> bytes:
    """PNG: volumes over time on a scale of doublings, with their intervals as bands.

    From each nodule's first date a dotted line shows a doubling in 400 days.
    """
    figure = light_figure(8.0, 4.2)
    place = figure.subplots()
    for number, curve in enumerate(curves):
        _curve(place, curve, _ON_WHITE[number % len(_ON_WHITE)])
    place.set_yscale("log", base=2)
    place.yaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    low, high = place.get_ylim()
    if high / low < _LEAST_SPAN:
        middle = math.sqrt(low * high)
        place.set_ylim(middle / math.sqrt(_LEAST_SPAN), middle * math.sqrt(_LEAST_SPAN))
    label(place, "", "volume, mm³ (each line is a doubling)", "Volume with its 95 % interval")
    _dates(place)
    if curves:
        place.legend(fontsize=8, loc="best")
    return encoded(figure)


def _curve(place: "Axes", curve: Curve, colour: str) -> None:
    known = [(_day(at), one) for at, one in zip(curve.dates, curve.volumes_mm3, strict=True) if one.value > 0]
    if not known:
        return
    days = [day for day, _ in known]
    values = [one.value for _, one in known]
    lows = [one.low if one.low > 0 else one.value for _, one in known]
    highs = [one.high if one.high > 0 else one.value for _, one in known]
    place.plot(days, values, "o-", color=colour, label=curve.name, linewidth=1.8, markersize=5)
    place.fill_between(days, lows, highs, color=colour, alpha=0.18, linewidth=0)
    place.vlines(days, lows, highs, color=colour, linewidth=1.2)
    if days[-1] > days[0]:
        grown = values[0] * 2 ** ((days[-1] - days[0]) / _REFERENCE_DAYS)
        place.plot([days[0], days[-1]], [values[0], grown], ":", color=GREY, linewidth=1)
        end = (days[-1], grown)
        place.annotate("400 d", end, (-5, 3), textcoords="offset points", fontsize=7, color=GREY, ha="right")


def side_by_side(rows: Sequence[tuple[str, Sequence[Glance]]]) -> bytes:
    """PNG: each nodule in a row, each date in a column, all in one window and at one scale.

    Args:
        rows: a nodule's name and its glances, one for each date.
    """
    columns = max(len(glances) for _, glances in rows)
    figure = dark_figure(_INCHES * columns, (_INCHES + 0.35) * len(rows))
    places = figure.subplots(len(rows), columns, squeeze=False)
    for number, (name, glances) in enumerate(rows):
        for place in places[number]:
            place.set_axis_off()
        for place, glance in zip(places[number], glances, strict=False):
            _glance(place, glance, COLOURS[number % len(COLOURS)])
        places[number][0].text(
            -0.04, 0.5, name, transform=places[number][0].transAxes, rotation=90, color="white", va="center", ha="right"
        )
    return encoded(figure)


def _glance(place: "Axes", glance: Glance, colour: str) -> None:
    place.set_title(glance.words, color="white", fontsize=8)
    if glance.hu is None:
        place.text(0.5, 0.5, "–", color="white", ha="center", va="center", transform=place.transAxes)
        return
    low, high = WINDOWS["lung"]
    height, width = np.array(glance.hu.shape) * glance.pixel_mm
    extent = (0.0, float(width), float(height), 0.0)
    place.imshow(glance.hu, cmap="gray", vmin=low, vmax=high, extent=extent)
    if glance.mask is not None:
        outline(place, glance.mask, extent, colors=colour, linewidths=1.3)


def _day(when: date) -> float:
    return float(when.toordinal())


def _dates(place: "Axes") -> None:
    """Days as dates."""
    from matplotlib.ticker import MaxNLocator

    place.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    place.xaxis.set_major_formatter(lambda day, _: date.fromordinal(max(1, round(day))).isoformat())
    place.tick_params(axis="x", labelsize=8)
