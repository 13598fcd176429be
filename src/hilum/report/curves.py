"""Curves and distributions of an evaluation as pictures. Everything comes in computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hilum.core.geometry import Floats
from hilum.core.radiograph import Pixels
from hilum.metrics.calibration import Reliability
from hilum.metrics.probability import PrecisionRecall, Roc
from hilum.report.drawing import BAND, BLUE, GREEN, GREY, RED, encoded, label, light_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Spot:
    """A lesion on the picture of places: centre as shares of height and width, and whether it was found."""

    row: float
    column: float
    size_mm: float
    is_found: bool


def ranking_picture(roc: Roc, curve: PrecisionRecall, areas: tuple[float, float], prevalence: float) -> bytes:
    """PNG: ROC, and precision against recall with the precision of a coin.

    Args:
        roc: of all pixels.
        curve: of all pixels.
        areas: under the ROC curve, and average precision.
        prevalence: share of pixels that are lesion.
    """
    figure = light_figure(11, 4.6)
    left, right = figure.subplots(1, 2)
    left.plot(roc.false_positive_rate, roc.sensitivity, color=BLUE, linewidth=2, label=f"AUC {areas[0]:.4f}")
    left.plot((0, 1), (0, 1), color=GREY, linestyle=":", label="chance")
    label(left, "false positive rate of pixels", "sensitivity of pixels", "ROC")
    right.plot(curve.recall, curve.precision, color=BLUE, linewidth=2, label=f"average precision {areas[1]:.3f}")
    right.axhline(prevalence, color=GREY, linestyle=":", label=f"chance {prevalence:.4f}")
    label(right, "recall of pixels", "precision of pixels", "Precision and recall")
    for place in (left, right):
        place.set_xlim(0, 1)
        place.set_ylim(0, 1.02)
        place.legend(frameon=False)
    return encoded(figure)


def threshold_picture(
    thresholds: Floats,
    dice: Mapping[str, Floats],
    used: float,
    binned: Mapping[str, Reliability],
) -> bytes:
    """PNG: Dice at every threshold, and the reliability diagram.

    Args:
        thresholds: [n].
        dice: [n] by name.
        used: the threshold of the evaluation; NaN for none.
        binned: what stands on the reliability diagram, by name, the main one first.
    """
    figure = light_figure(11, 4.6)
    left, right = figure.subplots(1, 2)
    for (name, values), colour in zip(dice.items(), (BLUE, GREEN), strict=False):
        left.plot(thresholds, values, color=colour, linewidth=2, label=name)
    if np.isfinite(used):
        left.axvline(used, color=RED, linestyle="--", label=f"used: {used:g}")
    label(left, "threshold", "Dice", "Dice at other thresholds")
    left.legend(frameon=False)
    _reliability(right, binned)
    return encoded(figure)


def _reliability(place: "Axes", diagrams: Mapping[str, Reliability]) -> None:
    place.plot((0, 1), (0, 1), color=GREY, linestyle=":", label="perfect")
    for (name, binned), colour in zip(diagrams.items(), (BLUE, RED), strict=False):
        known = binned.count > 0
        sizes = 12 + 180 * binned.count[known] / max(float(binned.count.max()), 1)
        place.plot(binned.mean_probability[known], binned.observed[known], color=colour, linewidth=1)
        place.scatter(binned.mean_probability[known], binned.observed[known], s=sizes, color=colour, label=name)
    place.set_xlim(0, 1)
    place.set_ylim(0, 1.02)
    label(place, "predicted probability", "share that is lesion", "Reliability near lesions")
    place.legend(frameon=False, loc="upper left")


@dataclass(frozen=True, eq=False)
class Spread:
    """How one figure spreads over cases.

    Attributes:
        words: what it is.
        values: of the cases that have it.
        top: the scale runs from 0 to this.
        mean: of the values.
        median: of the values.
    """

    words: str
    values: Floats
    top: float
    mean: float
    median: float


def distribution_picture(spreads: Sequence[Spread]) -> bytes:
    """PNG: how figures spread over the cases, side by side; at least one."""
    figure = light_figure(7 if len(spreads) == 1 else 5.5 * len(spreads), 3.8)
    for place, spread in zip(np.atleast_1d(figure.subplots(1, len(spreads))), spreads, strict=True):
        _histogram(place, spread)
    return encoded(figure)


def _histogram(place: "Axes", spread: Spread) -> None:
    place.hist(spread.values, bins=np.linspace(0, spread.top, 21).tolist(), color=BAND, edgecolor=BLUE)
    if len(spread.values):
        place.axvline(spread.mean, color=RED, linestyle="-", label=f"mean {spread.mean:.3g}")
        place.axvline(spread.median, color=GREEN, linestyle="--", label=f"median {spread.median:.3g}")
        place.legend(frameon=False)
    label(place, spread.words, "cases", "")


def groups_picture(groups: Mapping[str, Sequence[tuple[str, float, float, float, int]]]) -> bytes:
    """PNG: sensitivity of parts with its interval.

    Args:
        groups: title of each panel, and in it name, value, low, high and number of each part.
    """
    figure = light_figure(4.2 * max(len(groups), 1), 3.8)
    places = np.atleast_1d(figure.subplots(1, max(len(groups), 1)))
    for place, (title, parts) in zip(places, groups.items(), strict=True):
        for x, (_, value, low, high, n) in enumerate(parts):
            place.bar(x, value, color=BAND, edgecolor=BLUE)
            if np.isfinite(low):
                place.plot((x, x), (low, high), color=BLUE, linewidth=2)
            place.annotate(f"{value:.2f}\nn {n}", (x, 1.03), ha="center", va="bottom", fontsize=9)
        place.set_xticks(range(len(parts)), [part[0] for part in parts])
        place.set_ylim(0, 1.22)
        place.set_yticks(np.linspace(0, 1, 6))
        label(place, "", "found", title)
    return encoded(figure)


def places_picture(spots: Sequence[Spot], background: Pixels | None) -> bytes:
    """PNG: where lesions lie that were found and missed, over one of the images; size of a spot: of the lesion."""
    shape = (1, 1) if background is None else background.shape
    height = 6.0
    figure = light_figure(height * shape[1] / shape[0] + 0.4, height)
    place = figure.subplots()
    if background is not None:
        place.imshow(background, cmap="gray", extent=(0, 1, 1, 0), aspect="auto", alpha=0.55)
    for is_found, colour, marker, name in ((True, GREEN, "o", "found"), (False, RED, "X", "missed")):
        some = [spot for spot in spots if spot.is_found is is_found]
        sizes = [30 + 6 * (spot.size_mm if np.isfinite(spot.size_mm) else 5) for spot in some]
        style: dict[str, Any] = {"color": colour, "marker": marker, "edgecolor": "white", "linewidth": 0.6}
        place.scatter(
            [spot.column for spot in some], [spot.row for spot in some], s=sizes, label=f"{name}: {len(some)}", **style
        )
    place.set_xlim(0, 1)
    place.set_ylim(1, 0)
    place.set_xticks([])
    place.set_yticks([])
    place.legend(loc="lower center", ncols=2, framealpha=0.9)
    return encoded(figure)
