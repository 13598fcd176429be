"""The nodule at a point of a CT as a picture: its slices, with the mask outlined."""

from collections.abc import Sequence

import numpy as np

from hilum.core import Mask, Volume
from hilum.core.geometry import Triple
from hilum.datasets.slice_scale import WINDOWS
from hilum.ops import to_lps_axes
from hilum.report.drawing import COLOURS, dark_figure, encoded, notes_at_foot, outline

_WINDOW_HU = WINDOWS["lung"]
"""Black and white: as networks see it."""
_MARGIN_MM = 20.0
_MOST = 8
"""Slices that are shown."""
_INCHES = 2.6


def prompted_picture(volume: Volume, mask: Mask, point_lps_mm: Triple, notes: Sequence[str]) -> bytes:
    """PNG: pieces of axial slices around the nodule, evenly chosen from foot to head, and what is doubted.

    The patient's right is on the left of the picture, the front on top. The point's own slice bears a cross.

    Args:
        volume: in HU.
        mask: of the nodule, on the volume's grid; empty where nothing was found.
        point_lps_mm: where it was looked for.
        notes: one line each.
    """
    axial, marked = to_lps_axes(volume), to_lps_axes(mask).labels > 0
    place = np.rint(axial.geometry.to_index(point_lps_mm)).astype(int)
    k, j, i = np.clip(place, 0, np.array(axial.array.shape) - 1).tolist()
    numbers = sorted({k, *_chosen(marked)})
    top, bottom, left, right = _box(axial, marked, (j, i))
    columns = min(len(numbers), _MOST // 2)
    rows = -(-len(numbers) // columns)
    figure = dark_figure(width=_INCHES * columns, height=_INCHES * rows + 0.5)
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    _, row_mm, column_mm = axial.geometry.spacing_zyx_mm
    extent = (0.0, (right - left) * column_mm, (bottom - top) * row_mm, 0.0)
    for shown, number in zip(places, numbers, strict=False):
        piece = axial.array[number, top:bottom, left:right]
        shown.imshow(piece, cmap="gray", vmin=_WINDOW_HU[0], vmax=_WINDOW_HU[1], extent=extent)
        outline(shown, marked[number, top:bottom, left:right], extent, colors=COLOURS[1], linewidths=1.4)
        if number == k:
            shown.plot((i - left + 0.5) * column_mm, (j - top + 0.5) * row_mm, "+", color=COLOURS[0])
        z_mm = axial.geometry.to_lps_mm((number, j, i))[2]
        shown.set_title(f"z {z_mm:.1f} mm", color="white", fontsize=8)
    for one in places:
        one.set_axis_off()
    notes_at_foot(places[0], notes, _INCHES * columns)
    return encoded(figure)


def _chosen(marked: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> list[int]:
    """Slices with something marked, evenly chosen, the outermost among them."""
    seen = np.flatnonzero(marked.any(axis=(1, 2)))
    if not len(seen):
        return []
    places = np.linspace(0, len(seen) - 1, min(len(seen), _MOST - 1)).round().astype(int)
    return [int(one) for one in seen[places]]


def _box(
    axial: Volume, marked: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]", place_yx: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of what is shown: the nodule and the point, with a margin."""
    seen = np.argwhere(marked.any(axis=0))
    points = np.vstack((seen, [place_yx]))
    margin = [int(np.ceil(_MARGIN_MM / step)) for step in axial.geometry.spacing_zyx_mm[1:]]
    low = np.maximum(points.min(axis=0) - margin, 0)
    high = np.minimum(points.max(axis=0) + margin + 1, axial.array.shape[1:])
    return int(low[0]), int(high[0]), int(low[1]), int(high[1])
