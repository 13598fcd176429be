"""A free-response curve as a picture."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

from hilum.core.geometry import Floats

_CURVE, _BAND = "#1f6feb", "#9ec5fe"
_NEAR_AXIS = 0.06


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
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 5.2), layout="constrained")
    place = figure.subplots()
    if shown.low is not None and shown.high is not None:
        place.fill_between(
            shown.rates, shown.low, shown.high, color=_BAND, alpha=0.6, linewidth=0, label="95 % interval"
        )
    place.plot(shown.rates, shown.sensitivity, color=_CURVE, linewidth=2, label=shown.label)
    place.plot(list(shown.points), list(shown.points.values()), "o", color=_CURVE, clip_on=False, zorder=3)
    for rate, value in shown.points.items():
        # Beside the curve's lower right, where a rising curve leaves room; above it where the axis is near.
        beside = (5, -13) if value > _NEAR_AXIS else (5, 6)
        place.annotate(f"{value:.3f}", (rate, value), beside, textcoords="offset points", fontsize=9)
    place.set_xscale("log", base=2)
    place.set_xticks(list(shown.points), [fraction(rate) for rate in shown.points])
    place.set_xlim(min(shown.points) * 0.9, max(shown.points) * 1.5)
    place.set_ylim(0, 1.02)
    place.set_xlabel(f"false positives {shown.unit}")
    place.set_ylabel("sensitivity")
    place.set_title(shown.title, fontsize=11)
    place.grid(color="#dddddd", linewidth=0.8)
    place.set_axisbelow(True)
    place.legend(loc="lower right", frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def fraction(rate: float) -> str:
    """1/8 for 0.125, as these rates are written."""
    return f"1/{1 / rate:g}" if rate < 1 else f"{rate:g}"
