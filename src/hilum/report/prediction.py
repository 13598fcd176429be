"""A prediction as a picture: the X-ray, what was marked, and where else something was thought of."""

from typing import Any

from hilum.core import Prediction, Radiograph
from hilum.core.mask import Selection
from hilum.core.radiograph import PixelMm
from hilum.report.drawing import COLOURS, Extent, dark_figure, encoded, halo, notes_at_foot, outline

_INCHES_HIGH = 7.5
_SHOWN = 5


def prediction_picture(xray: Radiograph, found: Prediction, known: Selection | None = None) -> bytes:
    """PNG: the X-ray with the mask outlined, the most likely nodules with their scores, and what is doubted.

    Nodules below the threshold are rings; what is known is outlined in white, dashed, and where a lesion known from
    before is called gone, in the colour of what is known, dashed. An earlier X-ray stands on the
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
    outline(place, found.mask.labels, extent, colors=COLOURS[1], linewidths=1.4)
    if known is not None:
        outline(place, known, extent, colors="white", linewidths=1.2, linestyles="dashed")
    _draw_nodules(place, found, step)
    _draw_gone(place, found, extent, step)
    notes_at_foot(place, found.notes, width)
    return encoded(figure)


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


def _draw_gone(place: Any, found: Prediction, extent: Extent, step: PixelMm) -> None:
    """Where known lesions were that are called gone."""
    for lesion in (one for one in found.known or () if one.is_gone):
        outline(place, lesion.area, extent, colors=COLOURS[0], linewidths=1.4, linestyles="dashed")
        y, x = ((one + 0.5) * mm for one, mm in zip(lesion.centre_px, step, strict=True))
        style: dict[str, Any] = {"color": COLOURS[0], "path_effects": halo(2)}
        place.annotate(f"gone {lesion.score:.2f}", (x, y), (10, -14), textcoords="offset points", fontsize=8, **style)


def _draw_prior(place: Any, found: Prediction, extent: Extent) -> None:
    """The earlier X-ray, and outlines of what is known of it."""
    place.imshow(found.prior, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="bilinear")
    place.set_axis_off()
    place.text(0.02, 0.98, "earlier", color="white", va="top", transform=place.transAxes, path_effects=halo(2))
    if found.prior_lesions is not None:
        outline(place, found.prior_lesions, extent, colors=COLOURS[0], linewidths=1.2)
