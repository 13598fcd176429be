"""What all pictures share: figures on white and on black, their colours, and how they become PNG."""

import io
from typing import TYPE_CHECKING

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

_DPI = 110


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


def encoded(figure: "Figure") -> bytes:
    """The figure as PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()
