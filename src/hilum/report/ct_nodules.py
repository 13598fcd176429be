"""The nodules that were found in a CT as a picture: where they lie in the chest, and each on its own slice."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hilum.core import Mask, Nodule, Volume
from hilum.datasets.slice_scale import WINDOWS
from hilum.ops import to_lps_axes
from hilum.report.drawing import COLOURS, dark_figure, encoded, halo, notes_at_foot, outline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WINDOW_HU = WINDOWS["lung"]
"""Black and white: as networks see it."""
_SIDE_MM = 50.0
"""Of the piece of a slice that is shown; larger where the nodule is."""
_MARGIN_MM = 8.0
_MOST = 11
"""Nodules that are shown, beside the view of the chest."""
_COLUMNS = 4
_INCHES = 2.7
TEXTURES = {1.0: "non-solid", 3.0: "part-solid", 5.0: "solid"}


def ct_nodules_picture(volume: Volume, mask: Mask, nodules: Sequence[Nodule], notes: Sequence[str]) -> bytes:
    """PNG: the chest from the front with a ring about each nodule, and the slice through each nodule's middle.

    The patient's right is on the left of the picture; on slices the front is on top.

    Args:
        volume: in HU.
        mask: on the volume's grid; its labels are the nodules' ids.
        nodules: surest first, measured.
        notes: one line each.
    """
    axial, labels = to_lps_axes(volume), to_lps_axes(mask).labels
    shown = list(nodules[:_MOST])
    columns = min(_COLUMNS, len(shown) + 1)
    rows = -(-(len(shown) + 1) // columns)
    figure = dark_figure(_INCHES * columns, (_INCHES + 0.3) * rows + 0.4)
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for one in places:
        one.set_axis_off()
    _chest(places[0], axial, nodules)
    for place, nodule in zip(places[1:], shown, strict=False):
        _slice(place, axial, labels == int(nodule.id), nodule)
    more = len(nodules) - len(shown)
    rest = (f"{more} more nodules aren't shown; nodules.json has all",) if more > 0 else ()
    notes_at_foot(places[0], (*notes, *rest), _INCHES * columns)
    return encoded(figure)


def _chest(place: "Axes", axial: Volume, nodules: Sequence[Nodule]) -> None:
    """The mean along the line of sight from the front, where bone and air can't hide one another's level."""
    step_z, _, step_x = axial.geometry.spacing_zyx_mm
    picture = np.clip(axial.array, *_WINDOW_HU).mean(axis=1, dtype=np.float32)[::-1]
    height, width = picture.shape[0] * step_z, picture.shape[1] * step_x
    low, high = np.percentile(picture, (2, 99.5))
    place.imshow(picture, cmap="gray", vmin=low, vmax=high, extent=(0, width, height, 0), aspect="equal")
    for nodule in nodules:
        if nodule.centre_lps_mm is None:
            continue
        k, _, i = axial.geometry.to_index(nodule.centre_lps_mm).tolist()
        across, down = (i + 0.5) * step_x, height - (k + 0.5) * step_z
        colour = _colour(nodule)
        place.plot(across, down, "o", markersize=11, markerfacecolor="none", color=colour, markeredgewidth=1.6)
        place.annotate(
            nodule.id, (across, down), (7, 7), textcoords="offset points", color=colour, path_effects=halo(2)
        )
    count = f"{len(nodules)} nodule{'s' if len(nodules) != 1 else ''}" if nodules else "no nodule"
    place.set_title(f"{count}, from the front", color="white", fontsize=8)


def _slice(place: "Axes", axial: Volume, own: NDArray[np.bool_], nodule: Nodule) -> None:
    number = int(own.sum(axis=(1, 2)).argmax())
    _, row_mm, column_mm = axial.geometry.spacing_zyx_mm
    rows, columns = (_span(own[number].any(axis=axis), step) for axis, step in ((1, row_mm), (0, column_mm)))
    piece, marked = axial.array[number, rows, columns], own[number, rows, columns]
    extent = (0.0, piece.shape[1] * column_mm, piece.shape[0] * row_mm, 0.0)
    place.imshow(piece, cmap="gray", vmin=_WINDOW_HU[0], vmax=_WINDOW_HU[1], extent=extent)
    outline(place, marked, extent, colors=_colour(nodule), linewidths=1.4)
    place.set_title(_words(nodule, axial.geometry.to_lps_mm((number, 0, 0))[2]), color="white", fontsize=8)


def _words(nodule: Nodule, z_mm: float) -> str:
    size = "" if nodule.diameters_mm is None else f"{nodule.diameters_mm.mean_mm:.1f} mm"
    texture = "" if nodule.texture is None else TEXTURES.get(nodule.texture, "")
    volume = "" if nodule.volume_mm3 is None else f"{nodule.volume_mm3:.0f} mm³"
    score = "" if nodule.score is None else f"score {nodule.score:.2f}"
    first = ", ".join(one for one in (size, volume) if one)
    second = ", ".join(one for one in (texture, score, f"z {z_mm:.1f}") if one)
    return f"{nodule.id}: {first}\n{second}"


def _colour(nodule: Nodule) -> str:
    return COLOURS[(int(nodule.id) - 1) % len(COLOURS)]


def _span(there: NDArray[np.bool_], step_mm: float) -> slice:
    """Pixels along one axis: 50 mm about what is there, or all of it with a margin."""
    seen = np.flatnonzero(there)
    middle = (seen[0] + seen[-1]) / 2
    half = max(_SIDE_MM / 2, (seen[-1] - seen[0]) * step_mm / 2 + _MARGIN_MM) / step_mm
    return slice(max(0, round(middle - half)), min(len(there), round(middle + half) + 1))
