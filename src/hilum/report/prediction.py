"""A prediction as a picture: the X-ray, what was marked, and where else something was thought of."""

import textwrap
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilum.core import Prediction, Radiograph
from hilum.core.mask import Selection
from hilum.core.radiograph import PixelMm
from hilum.report.drawing import COLOURS, dark_figure, encoded, halo

_INCHES_HIGH = 7.5
_SHOWN = 5
_LETTERS_AN_INCH = 17
"""That fit, of the size of notes, even wide ones."""

Extent: TypeAlias = tuple[float, float, float, float]
"""Left, right, bottom and top, in mm or pixels."""


def prediction_picture(xray: Radiograph, found: Prediction, known: Selection | None = None) -> bytes:
    """PNG: the X-ray with the mask outlined, the most likely nodules with their scores, and what is doubted.

    Nodules below the threshold are rings; what is known is outlined in white, dashed. An earlier X-ray stands on the
    left, laid over the current one, with the lesions known of it.

    Args:
        xray: dense is bright.
        found: on its pixels.
        known: [y, x] nodules that are there; None when nobody says.
    """
    rows, columns = xray.array.shape
    step = xray.pixel_mm or (1.0, 1.0)
    extent = (0.0, columns * step[1], rows * step[0], 0.0)
    width = _INCHES_HIGH * extent[1] / extent[2]
    columns_shown = 1 if found.prior is None else 2
    figure = dark_figure(width=columns_shown * width, height=_INCHES_HIGH)
    places = figure.subplots(1, columns_shown, squeeze=False)[0]
    place = places[-1]
    if found.prior is not None:
        _draw_prior(places[0], found, extent)
    place.imshow(xray.array, cmap="gray", extent=extent, interpolation="bilinear")
    place.set_axis_off()
    _outline(place, found.mask.labels, extent, colors=COLOURS[1], linewidths=1.4)
    if known is not None:
        _outline(place, known, extent, colors="white", linewidths=1.2, linestyles="dashed")
    _draw_nodules(place, found, step)
    _draw_notes(place, found.notes, width)
    return encoded(figure)


def _outline(place: Any, mask: NDArray[Any], extent: Extent, **line: Any) -> None:
    """Contour of a mask [y, x] that fills the extent; nothing where it is empty."""
    if not mask.any():
        return
    across, down = (
        (np.arange(count) + 0.5) * side / count for count, side in zip(mask.shape[::-1], extent[1:3], strict=True)
    )
    place.contour(across, down, mask, [0.5], **line)


def _draw_nodules(place: Any, found: Prediction, step: PixelMm) -> None:
    """The most likely ones' scores; a ring where the score is below the threshold."""
    threshold = found.provenance.thresholds["mask"]
    for nodule in found.nodules[:_SHOWN]:
        if nodule.centre_px is None or nodule.score is None:
            continue
        y, x = ((one + 0.5) * mm for one, mm in zip(nodule.centre_px, step, strict=True))
        is_marked = nodule.score >= threshold
        style: dict[str, Any] = {"color": COLOURS[1] if is_marked else COLOURS[0], "path_effects": halo(2)}
        if not is_marked:
            place.plot(
                x, y, "o", markersize=16, fillstyle="none", linestyle="none", markeredgecolor=COLOURS[0], alpha=0.7
            )
        place.annotate(f"{nodule.score:.2f}", (x, y), (10, 8), textcoords="offset points", fontsize=8, **style)


def _draw_notes(place: Any, notes: Sequence[str], width: float) -> None:
    """What was assumed or is doubted, at the foot of a picture so many inches wide."""
    letters = max(20, int(_LETTERS_AN_INCH * width))
    text = "\n".join(textwrap.fill(f"note: {note}", letters) for note in notes)
    style = {"color": COLOURS[1], "fontsize": 7, "va": "bottom", "path_effects": halo(2)}
    place.text(0.02, 0.01, text, transform=place.transAxes, **style)


def _draw_prior(place: Any, found: Prediction, extent: Extent) -> None:
    """The earlier X-ray, and outlines of what is known of it."""
    place.imshow(found.prior, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="bilinear")
    place.set_axis_off()
    place.text(0.02, 0.98, "earlier", color="white", va="top", transform=place.transAxes, path_effects=halo(2))
    if found.prior_lesions is not None:
        _outline(place, found.prior_lesions, extent, colors=COLOURS[0], linewidths=1.2)
