"""Differences between models with their intervals as a picture: a panel for each pair, a line for each figure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hilum.core.figures import Figure
from hilum.report.drawing import BLUE, GREY, GRID, ORANGE, SLATE, encoded, light_figure
from hilum.report.page import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ABREAST = 3
_SECOND, _FIRST, _NEITHER = BLUE, ORANGE, GREY


@dataclass(frozen=True)
class Strip:
    """One figure of one pair.

    Attributes:
        words: the figure in words.
        models: first and second; the difference is second minus first.
        difference: with its interval.
        better: the model that is seen to be better; "" when no difference is seen.
    """

    words: str
    models: tuple[str, str]
    difference: Figure
    better: str


def differences_picture(strips: Sequence[Strip], axis: str) -> Picture:
    """A panel a pair, at most three abreast, all on one scale, so that a figure stands on one line across a row.

    Args:
        strips: at least one.
        axis: words under the scale, with the unit.
    """
    pairs = list(dict.fromkeys(one.models for one in strips))
    figures = list(dict.fromkeys(one.words for one in strips))
    columns = min(ABREAST, len(pairs))
    rows = -(-len(pairs) // columns)
    drawing = light_figure(10, rows * (1.0 + 0.26 * len(figures)))
    places = drawing.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for place, pair in zip(places.flat, pairs, strict=False):
        _panel(place, [one for one in strips if one.models == pair], figures)
    for place in places.flat[len(pairs) :]:
        place.set_visible(False)
    above_gap = places.flat[max(0, len(pairs) - columns) : len(pairs)]
    for place in above_gap:
        place.tick_params(labelbottom=True)
        place.set_xlabel(axis)
    return Picture(
        encoded(drawing),
        f"{axis[0].upper()}{axis[1:]}, with 95 % intervals, second minus first model of each panel's heading. "
        "Blue: the second is better, orange: the first is (p < .05 after Holm), grey: no difference seen.",
    )


def _panel(place: "Axes", strips: Sequence[Strip], figures: Sequence[str]) -> None:
    first, second = strips[0].models
    for one in strips:
        y = figures.index(one.words)
        colour = {second: _SECOND, first: _FIRST}.get(one.better, _NEITHER)
        place.plot((one.difference.low, one.difference.high), (y, y), color=colour, linewidth=2)
        place.plot(one.difference.value, y, "o", color=colour, markersize=5)
    place.axvline(0, color=SLATE, linewidth=1)
    place.set_title(f"{second} − {first}", fontsize=10)
    place.set_yticks(range(len(figures)), figures, fontsize=9)
    place.set_ylim(len(figures) - 0.5, -0.5)
    place.grid(axis="x", color=GRID)
