"""The mean chest: how wide is a picture that doesn't say, and does it show an upright chest with dense bright?

A template, the mean of the training patients' pictures (`experiments/chest_template.py`), is laid over the picture at
many sizes; where they correlate best, the size is taken to be right. On the validation pairs the width is then within
13 % in nine of ten cases (`benchmarks/chest_width.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hilum.core.geometry import Floats
from hilum.datasets.xray_grid import axis_weights

CELL_MM = 6.0
"""Side of the template's cells."""

SHAPE = (44, 54)
"""Its rows and columns: 264 by 324 mm, the lungs of most adults."""

LEAST_CORRELATION = 0.4
"""With the mean chest, below which a picture is doubted; 95 % of validation pairs and of films lie above .69."""

_WIDTHS_MM = np.geomspace(240, 560, 15)
_MARGIN = 8
_LEAST_SPREAD = 1e-6


@dataclass(frozen=True)
class ChestFit:
    """Where the mean chest fits best.

    Attributes:
        step_mm: side of a pixel at that size.
        correlation: of picture and template there, at most 1.
    """

    step_mm: float
    correlation: float


@cache
def _template() -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.load(Path(__file__).with_name("chest.npy"))
    return found


def coarse(picture: NDArray[np.floating], step_mm: float) -> Floats:
    """Mean of the picture [y, x] over cells of `CELL_MM`.

    Args:
        picture: any grey levels.
        step_mm: side of its pixels.
    """
    rows, columns = (axis_weights(size, step_mm, CELL_MM) for size in picture.shape)
    return np.asarray(rows @ picture @ columns.T)


def correlation(picture: NDArray[np.floating], step_mm: float) -> float:
    """Pearson's correlation with the mean chest where it fits best, for pixels of this size.

    −1 where the mean chest is larger than the picture.

    Args:
        picture: [y, x] in the published style, dense is bright.
        step_mm: side of its pixels.
    """
    cells = np.pad(coarse(picture, step_mm), _MARGIN, mode="edge").astype(np.float32)
    if any(size < wanted for size, wanted in zip(cells.shape, SHAPE, strict=True)):
        return -1.0
    template = _template()
    pattern = (template - template.mean()) / template.std() / template.size
    places = sliding_window_view(cells, SHAPE).reshape(-1, template.size)
    return float(np.max(places @ pattern.ravel() / _spreads(cells)))


def _spreads(cells: NDArray[np.float32]) -> Floats:
    """Standard deviation of the cells below the template at each place, by sums over rectangles (Crow 1984)."""
    means = []
    for power in (1, 2):
        summed = np.pad(np.cumsum(np.cumsum(cells.astype(np.float64) ** power, 0), 1), ((1, 0), (1, 0)))
        rows = summed[SHAPE[0] :] - summed[: -SHAPE[0]]
        means.append((rows[:, SHAPE[1] :] - rows[:, : -SHAPE[1]]) / (SHAPE[0] * SHAPE[1]))
    return np.asarray(np.sqrt(np.maximum(means[1] - means[0] ** 2, _LEAST_SPREAD**2)).ravel())


def fit_chest(picture: NDArray[np.floating]) -> ChestFit:
    """The pixel size at which the mean chest fits a picture best.

    Args:
        picture: [y, x] in the published style, dense is bright; its width is taken to be 240 to 560 mm.
    """
    likeness = np.array([correlation(picture, float(width) / picture.shape[1]) for width in _WIDTHS_MM])
    best = int(likeness.argmax())
    width_mm = float(_WIDTHS_MM[best])
    if 0 < best < len(likeness) - 1:  # the top of a parabola through three neighbours, on the scale of logarithms
        before, top, after = likeness[best - 1 : best + 2]
        bend = before - 2 * top + after
        width_mm *= (_WIDTHS_MM[1] / _WIDTHS_MM[0]) ** (0.5 * (before - after) / bend if bend else 0.0)
    return ChestFit(float(width_mm / picture.shape[1]), float(likeness[best]))


def layout_doubts(picture: NDArray[np.floating], pixel_mm: float) -> Iterator[str]:
    """Whether the mean chest fits better when the picture is turned, or hardly at all; one sentence each.

    Args:
        picture: [y, x] in the published style, 0 to 1, dense is bright.
        pixel_mm: side of its pixels.
    """
    as_it_is = correlation(picture, pixel_mm)
    turned = {
        "bright and dark look exchanged: dense should be bright": correlation(1 - picture, pixel_mm),
        "the picture looks as if it stood on its head": correlation(picture[::-1], pixel_mm),
        "the picture looks as if it lay on its side": _on_a_side(picture, pixel_mm),
    }
    best = max(turned, key=lambda doubt: turned[doubt])
    if turned[best] > as_it_is:
        yield best
    elif as_it_is < LEAST_CORRELATION:
        yield "the picture doesn't look like a frontal chest X-ray (of a CT slice, name the model: slices)"


def _on_a_side(picture: NDArray[np.floating], pixel_mm: float) -> float:
    """Correlation of the better quarter turn; −1 where even that is no chest, as with laterals."""
    found = max(correlation(np.rot90(picture, turns), pixel_mm) for turns in (1, 3))
    return found if found >= LEAST_CORRELATION else -1.0
