"""Radiographs with what was found or is known on them: silhouettes outlined, thickness beside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hilum.core import Radiograph
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.report.drawing import COLOURS, dark_figure, encoded, halo

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INCHES_HIGH = 7.5


@dataclass(frozen=True, eq=False)
class Silhouette:
    """One outline to draw on a radiograph: the pixels [y, x], and what it is called."""

    name: str
    selection: Selection


def outlined_xray(xray: Radiograph, silhouettes: Sequence[Silhouette], sides: tuple[str, str]) -> bytes:
    """PNG: a radiograph with silhouettes outlined and named.

    Args:
        xray: dense is bright.
        silhouettes: those that are empty are left out.
        sides: letters of the patient's directions at the left and right edge, such as ("R", "L").
    """
    rows, columns = xray.size_mm
    figure = dark_figure(width=_INCHES_HIGH * columns / rows, height=_INCHES_HIGH)
    place = figure.subplots()
    _show(place, xray)
    for number, one in enumerate(silhouettes):
        if one.selection.any():
            _outline(place, one, xray, COLOURS[number % len(COLOURS)])
    for letter, x in zip(sides, (0.02, 0.98), strict=True):
        style: dict[str, Any] = {"color": "#9fe8ff", "ha": "center", "fontsize": 11, "path_effects": halo(2)}
        place.text(x, 0.97, letter, transform=place.transAxes, va="top", **style)
    _ruler(place, (0.03 * columns, 0.97 * rows), 50.0)
    return encoded(figure)


def shadow_detail(xray: Radiograph, silhouette: Silhouette, chord_mm: Floats, half_mm: float = 35.0) -> bytes:
    """PNG: a nodule's surroundings, the same with its silhouette outlined, and the path through it in mm.

    Args:
        xray: dense is bright.
        silhouette: the nodule's shadow, not empty.
        chord_mm: [row, column] path through the nodule.
        half_mm: half the width of each picture, in the radiograph's millimetres.
    """
    row_mm, column_mm = xray.require_pixel_mm()
    rows, columns = np.nonzero(silhouette.selection)
    x, y = (columns.mean() + 0.5) * column_mm, (rows.mean() + 0.5) * row_mm
    figure = dark_figure(width=12, height=4.3)
    plain, outlined, thick = figure.subplots(1, 3)
    for place in (plain, outlined):
        _show(place, xray)
    _outline(outlined, silhouette, xray, COLOURS[1], named=False)
    map_mm = np.ma.masked_where(chord_mm <= 0, chord_mm)
    shown = thick.imshow(map_mm, cmap="viridis", extent=_extent(xray), vmin=0, interpolation="nearest")
    bar = figure.colorbar(shown, ax=thick, shrink=0.9)
    bar.set_label("path through the nodule, mm", color="white")
    bar.ax.tick_params(colors="white")
    for place, title in ((plain, "radiograph"), (outlined, silhouette.name), (thick, "thickness")):
        place.set_xlim(x - half_mm, x + half_mm)
        place.set_ylim(y + half_mm, y - half_mm)
        place.set_title(title, color="white", fontsize=11)
        place.set_facecolor("black")
    _ruler(plain, (x - 0.95 * half_mm, y + 0.9 * half_mm), 10.0)
    return encoded(figure)


def _show(place: "Axes", xray: Radiograph) -> None:
    brightest = np.iinfo(xray.array.dtype).max if xray.array.dtype.kind == "u" else xray.array.max()
    place.imshow(xray.array, cmap="gray", vmin=0, vmax=brightest, extent=_extent(xray))
    place.set_xticks([])
    place.set_yticks([])


def _extent(xray: Radiograph) -> tuple[float, float, float, float]:
    height, width = xray.size_mm
    return 0.0, width, height, 0.0


def _outline(place: "Axes", one: Silhouette, xray: Radiograph, colour: str, *, named: bool = True) -> None:
    """The edges of the silhouette's own pixels would be steps; the contour at half height runs between centres."""
    row_mm, column_mm = xray.require_pixel_mm()
    rows, columns = one.selection.shape
    x, y = (np.arange(columns) + 0.5) * column_mm, (np.arange(rows) + 0.5) * row_mm
    lines = place.contour(x, y, one.selection, [0.5], colors=colour, linewidths=1.4)
    lines.set_path_effects(halo(2.4))
    if named:
        hit_rows, hit_columns = np.nonzero(one.selection)
        beside = (x[hit_columns.max()], y[hit_rows].mean())
        style: dict[str, Any] = {"color": colour, "va": "center", "path_effects": halo(2)}
        place.annotate(one.name, beside, (6, 0), textcoords="offset points", **style)


def _ruler(place: "Axes", start_mm: tuple[float, float], length_mm: float) -> None:
    x, y = start_mm
    place.plot((x, x + length_mm), (y, y), color="white", linewidth=2, path_effects=halo(4))
    style: dict[str, Any] = {"color": "white", "fontsize": 9, "va": "bottom", "path_effects": halo(2)}
    place.annotate(f"{length_mm:g} mm", (x, y), (0, 4), textcoords="offset points", **style)
