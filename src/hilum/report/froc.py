"""A free-response curve as a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hilum.core.geometry import Floats
from hilum.report.drawing import BAND, BLUE, encoded, label, light_figure

_NEAR_AXIS = 0.06
_SHADES = ("#440154", "#3b528b", "#21918c", "#5ec962", "#c9b000")
"""Of viridis, dark to bright, so that an order is seen."""


@dataclass(frozen=True, eq=False)
class FrocPicture:
    """What the picture shows; everything already computed.

    Attributes:
        rates: [n] false positives a scan, ascending and positive.
        sensitivity: [n] at these.
        low: [n] lower end of the interval; None draws no band.
        high: [n] upper end of the interval.
        points: sensitivity at each of the rates that are reported.
        title: what was judged, by which rule.
        label: what stands in the legend beside the curve, such as the CPM with its interval.
        unit: what false positives are counted on.
    """

    rates: Floats
    sensitivity: Floats
    low: Floats | None
    high: Floats | None
    points: Mapping[float, float]
    title: str
    label: str
    unit: str = "a scan"


def froc_picture(shown: FrocPicture) -> bytes:
    """PNG: sensitivity against false positives a scan on a logarithmic axis, with the interval and the points."""
    figure = light_figure(7.5, 5.2)
    place = figure.subplots()
    if shown.low is not None and shown.high is not None:
        place.fill_between(
            shown.rates, shown.low, shown.high, color=BAND, alpha=0.6, linewidth=0, label="95 % interval"
        )
    place.plot(shown.rates, shown.sensitivity, color=BLUE, linewidth=2, label=shown.label)
    place.plot(list(shown.points), list(shown.points.values()), "o", color=BLUE, clip_on=False, zorder=3)
    for rate, value in shown.points.items():
        # Beside the curve's lower right, where a rising curve leaves room; above it where the axis is near.
        beside = (5, -13) if value > _NEAR_AXIS else (5, 6)
        place.annotate(f"{value:.3f}", (rate, value), beside, textcoords="offset points", fontsize=9)
    place.set_xscale("log", base=2)
    place.set_xticks(list(shown.points), [fraction(rate) for rate in shown.points])
    place.set_xlim(min(shown.points) * 0.9, max(shown.points) * 1.5)
    place.set_ylim(0, 1.02)
    label(place, f"false positives {shown.unit}", "sensitivity", shown.title)
    place.legend(loc="lower right", frameon=False)
    return encoded(figure)


def froc_parts_picture(
    rates: Floats, panels: Mapping[str, Mapping[str, Floats]], ticks: Sequence[float], unit: str = "an image"
) -> bytes:
    """PNG: curves of parts of the lesions, one panel a way of parting them.

    Args:
        rates: [n] false positives, ascending and positive.
        panels: by title, and in each the sensitivities [n] by the part's name.
        ticks: rates that are labelled.
        unit: what false positives are counted on.
    """
    figure = light_figure(6.5 * len(panels), 5.0)
    for place, (title, parts) in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels.items(), strict=True):
        for number, (name, sensitivity) in enumerate(parts.items()):
            place.plot(rates, sensitivity, color=_SHADES[number % len(_SHADES)], linewidth=2, label=name)
        place.set_xscale("log", base=2)
        place.set_xticks(list(ticks), [fraction(rate) for rate in ticks])
        place.set_ylim(0, 1.02)
        label(place, f"false positives {unit}", "sensitivity", title)
        place.legend(frameon=False, fontsize=9)
    return encoded(figure)


def fraction(rate: float) -> str:
    """1/8 for 0.125, as these rates are written."""
    return f"1/{1 / rate:g}" if rate < 1 else f"{rate:g}"
