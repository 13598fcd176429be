"""Pairs of X-rays over time, to be looked at: what was, what is, and what is said to have changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hilum.core.changes import ChangeKind
from hilum.core.mask import Labels, Selection
from hilum.core.radiograph import Pixels
from hilum.report.drawing import COLOURS, dark_figure, encoded, halo

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

KIND_COLOURS: Mapping[ChangeKind, str] = dict(zip(ChangeKind, COLOURS, strict=False))

_HEADS = ("current", "earlier, as taken", "earlier, registered", "current - earlier", "current", "earlier, registered")
_WIDTH, _HEIGHT = 2.1, 2.1


@dataclass(frozen=True, eq=False)
class PairOverTime:
    """One lesion of one pair.

    Attributes:
        title: what it is.
        kinds: of all lesions of the pair, by number.
        current: [y, x] the current picture.
        earlier: [y, x] the earlier one as taken.
        prior: [y, x] the earlier one, registered.
        labels: [y, x] lesions now.
        earlier_mask: [y, x] lesions of the earlier picture as taken.
        prior_labels: [y, x] earlier lesions, registered.
        rows: of the piece that is shown larger.
        columns: likewise.
    """

    title: str
    kinds: Mapping[int, ChangeKind]
    current: Pixels
    earlier: Pixels
    prior: Pixels
    labels: Labels
    earlier_mask: Selection
    prior_labels: Labels
    rows: slice
    columns: slice


def contact_sheet(pairs: Sequence[PairOverTime]) -> bytes:
    """PNG: a row for each lesion: both pictures, the registered one, the difference, and the place larger.

    Solid lines are lesions now, dashed ones those of the earlier picture, coloured by what became of them.
    """
    figure = dark_figure(len(_HEADS) * _WIDTH, max(1, len(pairs)) * (_HEIGHT + 0.25) + 0.3)
    heights = [0.3, *([_HEIGHT + 0.25] * max(1, len(pairs)))]
    rows = np.ravel(np.asarray(figure.subfigures(len(heights), 1, height_ratios=heights)))
    _legend(rows[0])
    for row, pair in zip(rows[1:], pairs, strict=False):
        row.set_facecolor("black")
        row.suptitle(pair.title, color="white", fontsize=8)
        places = row.subplots(1, len(_HEADS))
        for place, head in zip(places, _HEADS, strict=True):
            place.set_title(head, color="#9fb3c8", fontsize=7)
            place.axis("off")
        _draw(places, pair)
    return encoded(figure)


def _legend(place: "SubFigure") -> None:
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=colour, label=str(kind)) for kind, colour in KIND_COLOURS.items()]
    place.set_facecolor("black")
    place.legend(handles=lines, loc="center", ncols=len(lines), frameon=False, labelcolor="white", fontsize=9)


def _draw(places: "Sequence[Axes]", pair: PairOverTime) -> None:
    difference = pair.current.astype(np.int16) - pair.prior
    for place, picture in zip(places[:3], (pair.current, pair.earlier, pair.prior), strict=True):
        place.imshow(picture, cmap="gray", vmin=0, vmax=255)
    places[3].imshow(difference, cmap="RdBu_r", vmin=-90, vmax=90)
    for place, picture in zip(places[4:], (pair.current, pair.prior), strict=True):
        shown = picture[pair.rows, pair.columns]
        place.imshow(shown, cmap="gray", vmin=int(shown.min()), vmax=max(int(shown.max()), int(shown.min()) + 1))
    if pair.earlier_mask.any():
        places[1].contour(pair.earlier_mask, [0.5], colors="white", linewidths=0.6)
    for number, kind in pair.kinds.items():
        for place in (places[0], places[2], places[3]):
            _outline(place, pair.labels == number, KIND_COLOURS[kind], "solid")
            _outline(place, pair.prior_labels == number, KIND_COLOURS[kind], "dashed")


def _outline(place: "Axes", selection: Selection, colour: str, style: str) -> None:
    if selection.any():
        lines = place.contour(selection, [0.5], colors=colour, linewidths=0.8, linestyles=style)
        lines.set_path_effects(halo(1.4))
