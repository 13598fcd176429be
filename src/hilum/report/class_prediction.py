"""A film by classes as a picture: what was marked, a legend, how much of each lung is involved, and the label."""

import math
from typing import Any

import numpy as np

from hilum.core import Radiograph
from hilum.core.films import ClassPrediction
from hilum.report.classes import class_style
from hilum.report.drawing import dark_figure, encoded, halo, notes_at_foot

_INCHES_HIGH = 7.5
_FILL = 0.25


def class_picture(film: Radiograph, found: ClassPrediction) -> bytes:
    """PNG: the film, each class filled faintly and outlined in a colour and a line of its own, with a legend.

    Colours are Okabe's and Ito's (2008), which people who see fewer colours tell apart; lines differ, too.

    Args:
        film: dense is bright.
        found: on its pixels.
    """
    rows, columns = film.array.shape
    width = max(4.0, _INCHES_HIGH * columns / rows)
    figure = dark_figure(width, _INCHES_HIGH + 0.6)
    place = figure.subplots()
    place.imshow(film.array, cmap="gray", interpolation="bilinear")
    place.set_axis_off()
    if found.mask is not None:
        _draw(place, found)
    style: dict[str, Any] = {"color": "white", "fontsize": 9, "va": "top", "path_effects": halo(2)}
    place.text(0.02, 0.99, "\n".join(_words(found)), transform=place.transAxes, **style)
    notes_at_foot(place, found.notes, width)
    handles = _handles(found)
    if handles:
        figure.legend(
            handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, labelcolor="white"
        )
    return encoded(figure)


def _draw(place: Any, found: ClassPrediction) -> None:
    if found.mask is None:
        return
    for number in found.mask.names:
        here = found.mask.labels == number
        if here.any() and not here.all():
            colour, line = class_style(number)
            place.contourf(here, [0.5, 1.5], colors=[colour], alpha=_FILL)
            drawn = place.contour(here, [0.5], colors=colour, linewidths=1.2, linestyles=line)
            drawn.set_path_effects(halo(1.6))


def _handles(found: ClassPrediction) -> list[Any]:
    from matplotlib.lines import Line2D

    names = {} if found.mask is None else found.mask.names
    there = set() if found.mask is None else set(np.unique(found.mask.labels).tolist())
    handles = []
    for number, name in names.items():
        colour, line = class_style(number)
        words = name if number in there else f"{name} (none)"
        handles.append(Line2D([], [], color=colour, linestyle=line, linewidth=2, label=words))
    return handles


def _words(found: ClassPrediction) -> list[str]:
    """Sides are the patient's."""
    lines = [
        f"{side} lung{'s' if side == 'both' else ''}: {value:.0f} % involved"
        for side, value in found.involved_percent.items()
        if not math.isnan(value)
    ]
    if found.labels:
        said = ", ".join(f"{name} {value:.2f}" for name, value in found.labels.items())
        lines.append(f"{found.label or 'unsure'} ({said})")
    return lines
