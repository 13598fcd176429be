"""One case of an evaluation as a picture: the image, and its lesion enlarged, with truth and prediction outlined."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hilum.core.mask import Selection
from hilum.core.radiograph import Pixels
from hilum.report.drawing import COLOURS, dark_figure, encoded, halo

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRUTH_COLOUR, PREDICTION_COLOUR = COLOURS[:2]
_HIGH = 4.6


@dataclass(frozen=True)
class Frame:
    """A square part of a picture: its centre and half its side, in pixels."""

    row: float
    column: float
    half: float


@dataclass(frozen=True, eq=False)
class Example:
    """What is to be shown.

    Attributes:
        title: case and figure.
        image: [y, x], dense is bright; None where there is none.
        truth: [y, x].
        pred: [y, x].
        frame: the part that is shown enlarged.
        marks: (row, column) of points that were predicted, the surest first, each with its score.
    """

    title: str
    image: Pixels | None
    truth: Selection
    pred: Selection
    frame: Frame
    marks: Sequence[tuple[float, float, float]] = ()


def example_picture(shown: Example) -> bytes:
    """PNG: truth in blue, prediction in yellow."""
    rows, columns = shown.truth.shape
    ratio = min(max(columns / rows, 0.5), 2.0)
    figure = dark_figure(width=_HIGH * (1 + ratio) + 0.4, height=_HIGH + 0.5)
    whole, part = figure.subplots(1, 2, width_ratios=(ratio, 1))
    grey = np.zeros(shown.truth.shape, dtype=np.uint8) if shown.image is None else shown.image
    low, high = (float(value) for value in np.quantile(grey, (0.005, 0.995)))
    for place in (whole, part):
        place.imshow(grey, cmap="gray", vmin=low, vmax=max(high, low + 1), interpolation="nearest")
        _outline(place, shown.truth, TRUTH_COLOUR)
        _outline(place, shown.pred, PREDICTION_COLOUR)
        _crosses(place, shown.marks)
        place.set_xticks([])
        place.set_yticks([])
        place.set_facecolor("black")
    row, column, half = shown.frame.row, shown.frame.column, shown.frame.half
    _scores(part, [mark for mark in shown.marks if abs(mark[0] - row) < half and abs(mark[1] - column) < half])
    part.set_xlim(column - half, column + half)
    part.set_ylim(row + half, row - half)
    whole.plot(
        np.array([-1, 1, 1, -1, -1]) * half + column, np.array([-1, -1, 1, 1, -1]) * half + row, color="white", lw=0.6
    )
    figure.suptitle(shown.title, color="white", fontsize=11)
    return encoded(figure)


def _outline(place: "Axes", mask: Selection, colour: str) -> None:
    if mask.any() and not mask.all():
        lines = place.contour(mask, [0.5], colors=colour, linewidths=1.3)
        lines.set_path_effects(halo(2.2))


def _crosses(place: "Axes", marks: Sequence[tuple[float, float, float]]) -> None:
    rows, columns = [mark[0] for mark in marks], [mark[1] for mark in marks]
    place.plot(columns, rows, "+", color=PREDICTION_COLOUR, markersize=9, path_effects=halo(2.2))


def _scores(place: "Axes", marks: Sequence[tuple[float, float, float]]) -> None:
    for row, column, score in marks:
        place.annotate(
            f"{score:.2g}",
            (column, row),
            (5, 5),
            textcoords="offset points",
            color=PREDICTION_COLOUR,
            fontsize=9,
            path_effects=halo(2.2),
        )
