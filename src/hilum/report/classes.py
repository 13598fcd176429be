"""Chest X-rays with a class for each pixel, to be looked at, in colours and lines that everybody can tell apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hilum.core.mask import Labels
from hilum.core.radiograph import Pixels
from hilum.report.drawing import dark_figure, encoded, halo

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLASS_COLOURS = ("#56b4e9", "#e69f00", "#cc79a7", "#009e73", "#f0e442", "#d55e00")
"""Of classes 1, 2, …: sky blue, orange, purple, green, yellow, vermilion (Okabe and Ito 2008)."""
Line = Literal["solid", "dashed", "dotted", "dashdot"]
_LINES: tuple[Line, ...] = ("solid", "dashed", "dotted", "dashdot")
"""Of the same, so that nobody needs the colours."""
_UNKNOWN_COLOUR = "#bbbbbb"
_COLUMNS, _SIDE, _FILL = 6, 2.0, 0.22


@dataclass(frozen=True, eq=False)
class ClassesShown:
    """One film.

    Attributes:
        title: what it is.
        image: [y, x] 0 to 1.
        classes: [y, x] its classes by number.
    """

    title: str
    image: Pixels
    classes: Labels


def class_style(number: int) -> tuple[str, Line]:
    """Colour and line of a class, from 1."""
    return CLASS_COLOURS[(number - 1) % len(CLASS_COLOURS)], _LINES[(number - 1) % len(_LINES)]


def class_sheet(films: Sequence[ClassesShown], names: Mapping[int, str], unknown: int) -> bytes:
    """PNG: films in rows of six, each class filled faintly and outlined; a legend names the classes.

    Args:
        films: to be shown.
        names: of the classes by number.
        unknown: the number of pixels whose class nobody knows; they are hatched.
    """
    rows = max(1, -(-len(films) // _COLUMNS))
    figure = dark_figure(_COLUMNS * _SIDE, rows * (_SIDE + 0.25) + 0.5)
    places = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for place in places:
        place.set_axis_off()
        place.set_xticks([])
        place.set_yticks([])
    for place, film in zip(places, films, strict=False):
        _draw(place, film, names, unknown)
    _legend(figure, names, has_unknown=any(bool((film.classes == unknown).any()) for film in films))
    return encoded(figure)


def _draw(place: "Axes", film: ClassesShown, names: Mapping[int, str], unknown: int) -> None:
    place.set_title(film.title, color="#9fb3c8", fontsize=5)
    place.imshow(film.image, cmap="gray", vmin=0, vmax=1)
    for number in names:
        here = film.classes == number
        if here.any():
            colour, line = class_style(number)
            place.contourf(here, [0.5, 1.5], colors=[colour], alpha=_FILL)
            lines = place.contour(here, [0.5], colors=colour, linewidths=0.8, linestyles=line)
            lines.set_path_effects(halo(1.3))
    nowhere = film.classes == unknown
    if nowhere.all():
        style: dict[str, Any] = {"color": _UNKNOWN_COLOUR, "fontsize": 6, "ha": "center", "path_effects": halo(2)}
        place.text(0.5, 0.5, "no pixel has a class", transform=place.transAxes, **style)
    elif nowhere.any():
        hatched = place.contourf(nowhere, [0.5, 1.5], colors="none", hatches=["////"])
        hatched.set_edgecolor(_UNKNOWN_COLOUR)
        hatched.set_linewidth(0.0)


def _legend(figure: "Figure", names: Mapping[int, str], *, has_unknown: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Line2D | Patch] = []
    for number, name in names.items():
        colour, line = class_style(number)
        handles.append(Line2D([], [], color=colour, linestyle=line, linewidth=2, label=f"{number} {name}"))
    if has_unknown:
        handles.append(Patch(facecolor="none", edgecolor=_UNKNOWN_COLOUR, hatch="////", label="class unknown"))
    style: dict[str, Any] = {"frameon": False, "labelcolor": "white", "fontsize": 9}
    figure.legend(handles=handles, loc="outside lower center", ncols=max(1, len(handles)), **style)
