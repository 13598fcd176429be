"""A training run as pictures: curves over epochs, and predictions beside the truth. Everything comes in computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.core.radiograph import Pixels
from hilum.report.drawing import BLUE, GREEN, NAVY, OCHRE, PURPLE, RED, SLATE, WINE, encoded, label, light_figure

_FIGURES = ("dice_mean", "dice_pooled", "lesion_sensitivity", "empty_false_positive_rate", "explained", "label_auc")
_COLOURS = (BLUE, RED, GREEN, PURPLE, OCHRE, SLATE, NAVY, WINE)


def training_curves(rows: Sequence[Mapping[str, float]]) -> bytes:
    """PNG: the loss and its parts, figures on validation, and learning rates, over epochs.

    Args:
        rows: one an epoch, with "epoch" and whatever there is: train_…, validation_…, figures, lr_….
    """
    figure = light_figure(16, 4.3)
    losses, figures, rates = figure.subplots(1, 3)
    names = list(dict.fromkeys(name for row in rows for name in row))
    for place, chosen, title in (
        (losses, [name for name in names if name.startswith(("train_", "validation_"))], "Loss and its parts"),
        (figures, [name for name in _FIGURES if name in names], "Validation"),
        (rates, [name for name in names if name.startswith("lr_")], "Learning rate"),
    ):
        parts = [name.partition("_")[2] for name in chosen]
        order = list(dict.fromkeys(parts))
        for name, part in zip(chosen, parts, strict=True):
            colour = _COLOURS[(order.index(part) if place is losses else chosen.index(name)) % len(_COLOURS)]
            dashed = "--" if name.startswith("validation_") else "-"
            values = [row.get(name, np.nan) for row in rows]
            place.plot(
                [row["epoch"] for row in rows], values, dashed, color=colour, marker=".", markersize=3, label=name
            )
        label(place, "epoch", "", title)
        if chosen:
            place.legend(frameon=False, fontsize=7)
    figures.set_ylim(0, 1)
    rates.set_yscale("log")
    return encoded(figure)


@dataclass(frozen=True, eq=False)
class Panel:
    """One validation case as a network sees it.

    Attributes:
        image: [y, x], 0 to 1.
        truth: [y, x].
        probability: [y, x].
        attention: [h, w], 0 to 1; None for networks that have none.
        prior: [y, x], the second image, 0 to 1; None where there is none.
        prior_lesions: [y, x], what is known of it; None where that is not shown.
    """

    image: Floats
    truth: Selection
    probability: Floats
    attention: Floats | None = None
    prior: Pixels | None = None
    prior_lesions: Selection | None = None


def prediction_panels(panels: Sequence[Panel], threshold: float, title: str) -> bytes:
    """PNG: a row a case: the image with the outlines of truth and prediction, probability, attention, second image."""
    words = ["truth green, prediction red", "probability"]
    words += ["attention"] if any(panel.attention is not None for panel in panels) else []
    words += ["second image, known lesions blue"] if any(panel.prior is not None for panel in panels) else []
    columns = len(words)
    figure = light_figure(4 * columns, 4 * max(len(panels), 1))
    places = np.asarray(figure.subplots(max(len(panels), 1), columns, squeeze=False))
    for row, panel in zip(places, panels, strict=False):
        row[0].imshow(panel.image, cmap="gray", vmin=0, vmax=1)
        for mask, colour in ((panel.truth, GREEN), (panel.probability >= threshold, RED)):
            if mask.any() and not mask.all():
                row[0].contour(mask, [0.5], colors=colour, linewidths=1)
        row[1].imshow(panel.probability, cmap="magma", vmin=0, vmax=1)
        if panel.attention is not None:
            row[2].imshow(panel.attention, cmap="viridis", vmin=0, vmax=1)
        if panel.prior is not None:
            row[-1].imshow(panel.prior, cmap="gray", vmin=0, vmax=1)
        if panel.prior_lesions is not None and panel.prior_lesions.any():
            row[-1].contour(panel.prior_lesions, [0.5], colors=BLUE, linewidths=1)
    for place in places.ravel():
        place.set_axis_off()
    for place, word in zip(places[0], words, strict=True):
        place.set_title(word, fontsize=10)
    figure.suptitle(title, fontsize=11)
    return encoded(figure)


def redrawn_panels(rows: Sequence[tuple[Pixels, Pixels, Pixels]], title: str) -> bytes:
    """PNG: a row a picture: as it was shown, as it was redrawn, as it is; all [y, x] from 0 to 1."""
    figure = light_figure(12, 4 * max(len(rows), 1))
    places = np.asarray(figure.subplots(max(len(rows), 1), 3, squeeze=False))
    for row, planes in zip(places, rows, strict=False):
        for place, plane in zip(row, planes, strict=True):
            place.imshow(plane, cmap="gray", vmin=0, vmax=1)
    for place in places.ravel():
        place.set_axis_off()
    for place, word in zip(places[0], ("shown", "redrawn", "as it is"), strict=True):
        place.set_title(word, fontsize=10)
    figure.suptitle(title, fontsize=11)
    return encoded(figure)


def rate_picture(rates: Floats, losses: Floats, suggested: float) -> bytes:
    """PNG: the loss while the learning rate rose, and the rate that is suggested (NaN for none)."""
    figure = light_figure(7, 4.3)
    place = figure.subplots()
    place.plot(rates, losses, color=BLUE)
    place.set_xscale("log")
    if np.isfinite(suggested):
        place.axvline(suggested, color=RED, linestyle="--", label=f"suggested: {suggested:.2g}")
        place.legend(frameon=False)
    label(place, "learning rate", "loss (smoothed)", "The loss while the rate rises")
    return encoded(figure)
