"""CT slices with their truth, to be looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hilum.core.mask import Selection
from hilum.core.radiograph import Pixels
from hilum.report.drawing import COLOURS, dark_figure, encoded, halo

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS, _SIDE = 8, 1.5
CONSENSUS_COLOUR, UNION_COLOUR = COLOURS[0], COLOURS[1]


@dataclass(frozen=True, eq=False)
class SliceShown:
    """One slice.

    Attributes:
        title: what it is.
        image: [y, x] 0 to 1, on the one scale.
        consensus: [y, x] what half of the readers have.
        union: [y, x] what any has.
    """

    title: str
    image: Pixels
    consensus: Selection
    union: Selection


def slice_sheet(slices: Sequence[SliceShown], caption: str = "solid: half of the readers; dashed: any reader") -> bytes:
    """PNG: slices in rows of eight; the consensus' outline is solid, that of any reader dashed."""
    rows = max(1, -(-len(slices) // _COLUMNS))
    figure = dark_figure(_COLUMNS * _SIDE, rows * (_SIDE + 0.2) + 0.3)
    figure.suptitle(caption, color="white", fontsize=8)
    places = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for place in places:
        place.axis("off")
    for place, one in zip(places, slices, strict=False):
        _draw(place, one)
    return encoded(figure)


def _draw(place: "Axes", one: SliceShown) -> None:
    place.set_title(one.title, color="#9fb3c8", fontsize=5)
    place.imshow(one.image, cmap="gray", vmin=0, vmax=1)
    for selection, colour, style in ((one.union, UNION_COLOUR, "dashed"), (one.consensus, CONSENSUS_COLOUR, "solid")):
        if selection.any():
            lines = place.contour(selection, [0.5], colors=colour, linewidths=0.7, linestyles=style)
            lines.set_path_effects(halo(1.2))
