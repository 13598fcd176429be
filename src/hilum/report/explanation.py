"""An explanation as pictures: where the network looked, beside what it marked; and what its sanity check found."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hilum.core import Explanation, Sanity
from hilum.core.mask import Selection
from hilum.core.radiograph import PixelMm
from hilum.report.drawing import (
    BAND,
    BLUE,
    COLOURS,
    GREY,
    RED,
    dark_figure,
    encoded,
    halo,
    label,
    light_figure,
    notes_at_foot,
    outline,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

_INCHES_HIGH = 6.5
_BAR_INCHES = 0.9
_MAP = "viridis"
"""Even in brightness and told apart with fewer colours."""
_OPAQUE, _FULL_FROM = 0.65, 0.4
"""How much of the picture the map hides at most, and from which value on."""


def explanation_picture(
    image: NDArray[np.generic], found: Explanation, step: PixelMm | None, truth: Selection | None = None
) -> bytes:
    """PNG: the picture with what is marked, and beside it the same under the map, with a bar of its colours.

    Args:
        image: [y, x] grey levels, on the explanation's pixels.
        found: the explanation.
        step: row and column step in mm; None for square pixels of unknown size.
        truth: [y, x] what is there, drawn white and dashed; None when nobody says.
    """
    rows, columns = image.shape
    step = step or (1.0, 1.0)
    extent = (0.0, columns * step[1], rows * step[0], 0.0)
    width = _INCHES_HIGH * extent[1] / extent[2]
    figure = dark_figure(width=2 * width + _BAR_INCHES, height=_INCHES_HIGH + 0.5)
    places = figure.subplots(1, 2)
    for place in places:
        place.imshow(image, cmap="gray", extent=extent, interpolation="bilinear")
        place.set_axis_off()
        outline(place, found.marked, extent, colors=COLOURS[3], linewidths=1.3)
        if truth is not None:
            outline(place, truth, extent, colors="white", linewidths=1.1, linestyles="dashed")
    shade = _OPAQUE * np.clip(found.heat / _FULL_FROM, 0, 1)
    places[1].imshow(found.heat, cmap=_MAP, vmin=0, vmax=1, alpha=shade, extent=extent)
    bar = figure.colorbar(_colours(), ax=places, fraction=0.03, pad=0.01)
    bar.set_label("speaks for the target, share of the highest", color="white", fontsize=8)
    bar.ax.tick_params(colors="white", labelsize=8)
    _say(places, found, truth is not None and bool(truth.any()))
    notes_at_foot(places[0], found.notes, width)
    return encoded(figure)


def _colours() -> "ScalarMappable":
    """The map's colours, without the picture that shines through."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(0, 1), _MAP)


def _say(places: "NDArray[np.object_]", found: Explanation, has_truth: bool) -> None:
    """What the lines are, which layer it is, and whether the map can be believed."""
    style = {"color": "white", "fontsize": 8, "va": "top", "path_effects": halo(2)}
    lines = ["solid: marked" if found.marked.any() else "nothing is marked"]
    lines += ["dashed: truth"] if has_truth else []
    places[0].text(0.02, 0.98, "\n".join(lines), transform=places[0].transAxes, **style)
    rows, columns = found.cell_px
    said = [f"Grad-CAM of {found.layer}, {rows:.0f} × {columns:.0f} pixels a cell", found.target]
    if found.sanity is not None:
        said.append(f"sanity check {found.sanity.verdict.split(':')[0]}")
    places[1].text(0.02, 0.98, "\n".join(said), transform=places[1].transAxes, **style)


def sanity_picture(sanity: Sanity) -> bytes:
    """PNG: how much the map still resembles the trained network's, while part after part forgets."""
    figure = light_figure(9.5, 4.8)
    place: Axes = figure.subplots()
    across = np.arange(len(sanity.steps) + 1)
    for name, colour, means in (
        ("rank correlation (Spearman), mean of the draws", BLUE, [step.rank_correlation for step in sanity.steps]),
        ("SSIM, mean of the draws", GREY, [step.similarity for step in sanity.steps]),
    ):
        place.plot(across, [1.0, *means], "o-", color=colour, label=name)
    for number, step in enumerate(sanity.steps, 1):
        place.plot([number] * len(step.rank_correlations), step.rank_correlations, "_", color=BAND, markersize=12)
    place.axhline(sanity.most, color=RED, linestyle="--", label=f"at the end at most {sanity.most:g}")
    if not math.isnan(sanity.floor):
        place.axhline(sanity.floor, color=GREY, linestyle=":", label="two random networks with each other")
    place.set_xticks(across, ["trained", *(step.part for step in sanity.steps)], rotation=25, ha="right", fontsize=8)
    place.set_ylim(-1.05, 1.05)
    label(place, "random down to", "likeness to the trained network's map", sanity.verdict)
    place.title.set_fontsize(9)
    place.legend(frameon=False, fontsize=8, loc="lower left")
    return encoded(figure)
