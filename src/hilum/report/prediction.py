"""A prediction as a picture: the X-ray, what was marked, and where else something was thought of."""

from typing import Any

import numpy as np

from hilum.core import Prediction, Radiograph
from hilum.core.mask import Selection
from hilum.report.drawing import COLOURS, dark_figure, encoded, halo

_INCHES_HIGH = 7.5
_SHOWN = 5


def prediction_picture(xray: Radiograph, found: Prediction, known: Selection | None = None) -> bytes:
    """PNG: the X-ray with the mask outlined, and the most likely nodules with their scores.

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
    columns_shown = 1 if found.prior is None else 2
    figure = dark_figure(width=columns_shown * _INCHES_HIGH * extent[1] / extent[2], height=_INCHES_HIGH)
    places = figure.subplots(1, columns_shown, squeeze=False)[0]
    place = places[-1]
    if found.prior is not None:
        _draw_prior(places[0], found, extent)
    place.imshow(xray.array, cmap="gray", extent=extent, interpolation="bilinear")
    place.set_axis_off()
    if found.mask.labels.any():
        across, down = (np.arange(n) + 0.5 for n in (columns, rows))
        place.contour(across * step[1], down * step[0], found.mask.labels, [0.5], colors=COLOURS[1], linewidths=1.4)
    if known is not None and known.any():
        across, down = (np.arange(n) + 0.5 for n in (columns, rows))
        line: dict[str, Any] = {"colors": "white", "linewidths": 1.2, "linestyles": "dashed"}
        place.contour(across * step[1], down * step[0], known, [0.5], **line)
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
    return encoded(figure)


def _draw_prior(place: Any, found: Prediction, extent: tuple[float, float, float, float]) -> None:
    """The earlier X-ray, and outlines of what is known of it."""
    place.imshow(found.prior, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="bilinear")
    place.set_axis_off()
    place.text(0.02, 0.98, "earlier", color="white", va="top", transform=place.transAxes, path_effects=halo(2))
    if found.prior_lesions is not None and found.prior_lesions.any():
        rows, columns = found.prior_lesions.shape
        across = (np.arange(columns) + 0.5) * extent[1] / columns
        down = (np.arange(rows) + 0.5) * extent[2] / rows
        place.contour(across, down, found.prior_lesions, [0.5], colors=COLOURS[0], linewidths=1.2)
