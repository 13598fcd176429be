"""What all pictures share: figures on white and on black, their colours, and how they become PNG."""

import io
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patheffects import AbstractPathEffect

BLUE, BAND, RED, GREY, GREEN = "#1f6feb", "#9ec5fe", "#d1242f", "#8b949e", "#1a7f37"
ORANGE, PURPLE, OCHRE, SLATE, NAVY, WINE = "#d97706", "#8250df", "#bf8700", "#57606a", "#0550ae", "#a40e26"
GRID = "#e3e6ea"
"""On white. `BAND` is `BLUE`'s interval."""

COLOURS = ("#4cc9f0", "#f9c74f", "#90be6d", "#f78c6b", "#c77dff", "#ff6fa3")
"""On a grey image: told apart there, and by most people who see fewer colours; the order is fixed."""

Extent: TypeAlias = tuple[float, float, float, float]
"""Left, right, bottom and top, in mm or pixels."""

_DPI = 110
_LETTERS_AN_INCH = 17
"""That fit, of the size of notes, even wide ones."""


def light_figure(width: float, height: float) -> "Figure":
    """An empty white figure, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def dark_figure(width: float, height: float) -> "Figure":
    """An empty black figure, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), facecolor="black", layout="constrained")


def label(place: "Axes", x: str, y: str, title: str) -> None:
    """Name the axes and what is shown, over a faint grid."""
    place.set_xlabel(x)
    place.set_ylabel(y)
    place.set_title(title, fontsize=11)
    place.grid(color=GRID, linewidth=0.8)
    place.set_axisbelow(True)


def halo(width: float) -> "list[AbstractPathEffect]":
    """A dark rim, so that a line or word is seen on bright and dark alike."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground="#000000b0")]


def outline(place: "Axes", mask: NDArray[Any], extent: Extent, **line: Any) -> None:
    """Contour of a mask [y, x] that fills the extent; nothing where it is empty."""
    if not mask.any():
        return
    across, down = (
        (np.arange(count) + 0.5) * side / count for count, side in zip(mask.shape[::-1], extent[1:3], strict=True)
    )
    place.contour(across, down, mask, [0.5], **line)


def notes_at_foot(place: "Axes", notes: Sequence[str], width: float) -> None:
    """What was assumed or is doubted, at the foot of a picture so many inches wide."""
    letters = max(20, int(_LETTERS_AN_INCH * width))
    text = "\n".join(textwrap.fill(f"note: {note}", letters) for note in notes)
    style: dict[str, Any] = {"color": COLOURS[1], "fontsize": 7, "va": "bottom", "path_effects": halo(2)}
    place.text(0.02, 0.01, text, transform=place.transAxes, **style)


def encoded(figure: "Figure") -> bytes:
    """The figure as PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()
