"""CT slices with outlines, as a radiologist looks at them: patient right on the left of the picture, head up.

Pictures are drawn in patient millimetres, so that anisotropic voxels keep their shape. Everything comes in already
computed; nothing is measured here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from hilum.core import Geometry, GeometryError, Volume
from hilum.core.geometry import Floats, Triple
from hilum.core.mask import Selection
from hilum.core.volume import Voxels
from hilum.report.drawing import dark_figure, encoded, halo

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

Plane: TypeAlias = Literal["axial", "coronal", "sagittal"]
Segment: TypeAlias = tuple[Triple, Triple]

LUNG_WINDOW_HU = (-1350.0, 150.0)
"""Level −600, width 1500: the window that lung nodules are read in."""

_AXIS_COLOUR = "#ff4d8d"

_LETTERS: Mapping[Plane, tuple[str, str, str, str]] = {
    "axial": ("R", "L", "A", "P"),
    "coronal": ("R", "L", "S", "I"),
    "sagittal": ("A", "P", "S", "I"),
}
_HORIZONTAL_VERTICAL: Mapping[Plane, tuple[int, int]] = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}


@dataclass(frozen=True)
class Layer:
    """One outline to draw: the voxels [z, y, x] on the volume's grid, and what it is called in the legend."""

    name: str
    selection: Selection
    colour: str
    width: float = 1.2


def three_planes(
    volume: Volume, centre_lps_mm: Triple, layers: Sequence[Layer], lines: Sequence[Segment] = (), half_mm: float = 30.0
) -> bytes:
    """PNG: axial, coronal and sagittal slice through a point, with outlines.

    Args:
        volume: HU with axes in LPS order (`hilum.ops.to_lps_axes`).
        centre_lps_mm: the point, within the volume.
        layers: what to outline; a legend names each.
        lines: segments in LPS mm, drawn on the axial slice (the diameters).
        half_mm: half the width of each picture.

    Raises:
        GeometryError: the axes are not in LPS order, or the point is outside.
    """
    _require_lps_axes(volume.geometry, centre_lps_mm)
    figure = dark_figure(width=12, height=4.5)
    axes = figure.subplots(1, 3)
    index = np.clip(np.rint(volume.geometry.to_index(centre_lps_mm)), 0, np.array(volume.geometry.shape_zyx) - 1)
    for plane, place in zip(_LETTERS, axes, strict=True):
        _draw_plane(place, plane, volume, index.astype(int), layers)
        _frame(place, plane, centre_lps_mm, half_mm)
    for start, end in lines:
        ends = ((start[0], end[0]), (start[1], end[1]))
        axes[0].plot(*ends, color=_AXIS_COLOUR, linewidth=1.3, linestyle="--", path_effects=halo(2.2))
    for place in axes:
        _scale_bar(place, 10)
    handles = [_legend_line(layer) for layer in layers]
    figure.legend(
        handles=handles, loc="lower center", ncols=len(handles), frameon=False, labelcolor="white", fontsize=12
    )
    return encoded(figure)


def _draw_plane(place: "Axes", plane: Plane, volume: Volume, index: Voxels, layers: Sequence[Layer]) -> None:
    across, up = _HORIZONTAL_VERTICAL[plane]
    normal = 3 - across - up
    extent = (*_extent(volume.geometry, across), *_extent(volume.geometry, up))
    fixed = 2 - normal
    picture = np.take(volume.array, index[fixed], axis=fixed)
    low, high = LUNG_WINDOW_HU
    place.imshow(picture, cmap="gray", vmin=low, vmax=high, origin="lower", extent=extent, interpolation="nearest")
    horizontal, vertical = (_centres(volume.geometry, axis) for axis in (across, up))
    for layer in layers:
        section = np.take(layer.selection, index[fixed], axis=fixed)
        if section.any():
            lines = place.contour(horizontal, vertical, section, [0.5], colors=layer.colour, linewidths=layer.width)
            lines.set_path_effects(halo(layer.width + 1))


def _frame(place: "Axes", plane: Plane, centre_lps_mm: Triple, half_mm: float) -> None:
    across, up = _HORIZONTAL_VERTICAL[plane]
    place.set_xlim(centre_lps_mm[across] - half_mm, centre_lps_mm[across] + half_mm)
    vertical = (centre_lps_mm[up] - half_mm, centre_lps_mm[up] + half_mm)
    place.set_ylim(*(vertical[::-1] if plane == "axial" else vertical))
    place.set_facecolor("black")
    place.set_title(plane, color="white", fontsize=13)
    place.set_xticks([])
    place.set_yticks([])
    _letters(place, plane)


def _letters(place: "Axes", plane: Plane) -> None:
    left, right, top, bottom = _LETTERS[plane]
    for letter, x, y in ((left, 0.03, 0.5), (right, 0.97, 0.5), (top, 0.5, 0.96), (bottom, 0.5, 0.04)):
        style: dict[str, Any] = {
            "color": "#9fe8ff",
            "ha": "center",
            "va": "center",
            "fontsize": 9,
            "path_effects": halo(2),
        }
        place.text(x, y, letter, transform=place.transAxes, **style)


def _scale_bar(place: "Axes", length_mm: float) -> None:
    (left, right), (bottom, top) = place.get_xlim(), place.get_ylim()
    x, y = left + 0.06 * (right - left), bottom + 0.07 * (top - bottom)
    place.plot((x, x + length_mm), (y, y), color="white", linewidth=2, path_effects=halo(4))
    words = f"{length_mm:g} mm"
    place.text(x, y + 0.02 * (top - bottom), words, color="white", fontsize=10, va="bottom", path_effects=halo(2))


def _extent(geometry: Geometry, axis: int) -> tuple[float, float]:
    """From the first voxel's edge to the last one's along x, y or z, in LPS mm."""
    half = geometry.affine_lps[axis, axis] / 2
    centres = _centres(geometry, axis)
    return float(centres[0] - half), float(centres[-1] + half)


def _centres(geometry: Geometry, axis: int) -> Floats:
    count = geometry.shape_zyx[2 - axis]
    return np.asarray(geometry.affine_lps[axis, 3] + geometry.affine_lps[axis, axis] * np.arange(count))


def _require_lps_axes(geometry: Geometry, centre_lps_mm: Triple) -> None:
    if geometry.axis_codes != "LPS":
        raise GeometryError(
            f"a picture needs axes in LPS order, these are {geometry.axis_codes}.",
            "Turn it first: ops.to_lps_axes(volume).",
        )
    if not geometry.contains(centre_lps_mm):
        raise GeometryError(f"the point {centre_lps_mm} is outside the volume.")


def _legend_line(layer: Layer) -> "Line2D":
    from matplotlib.lines import Line2D

    return Line2D([], [], color=layer.colour, linewidth=2, label=layer.name)
