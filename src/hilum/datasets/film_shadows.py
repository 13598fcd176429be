"""What lies over the lungs on films and not on X-rays of CTs: clavicles, shoulder blades, breasts. Drawn, then applied.

CTs are taken lying down with the arms raised: clavicles stand steep beside the apices, shoulder blades are turned away,
and breasts lie flat. On films of standing people clavicles cross the apices, shoulder blades reach over the sides, and
breasts veil the bases; a network that has not seen that takes their edges for the lungs'. Shapes and sizes here are
rough; what counts is that an edge across the lung is none of the lung's.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.core.radiograph import PixelMm

_EDGE_MM = 0.8
"""How soft the edges are."""
_AIR = 0.05
"""Brightness below which there is no patient, unless it lies within him, as lungs do."""


@dataclass(frozen=True)
class SideShadows:
    """What lies over one lung. Amounts are shares of the way to white.

    Attributes:
        clavicle: amount.
        inner_mm: of the clavicle's inner end, below the apex.
        outer_mm: of its outer end, below the apex.
        bend_mm: how far its middle lies above the line between them.
        width_mm: of the clavicle.
        blade: amount of the shoulder blade.
        blade_mm: how far it reaches over the lung's side.
        breast: amount.
        breast_at: its middle, as shares of the lung's width and height.
        breast_mm: its radii across and along.
    """

    clavicle: float = 0.0
    inner_mm: float = 30.0
    outer_mm: float = 0.0
    bend_mm: float = 0.0
    width_mm: float = 12.0
    blade: float = 0.0
    blade_mm: float = 15.0
    breast: float = 0.0
    breast_at: tuple[float, float] = (0.5, 0.75)
    breast_mm: tuple[float, float] = (60.0, 60.0)


def draw_side(rng: np.random.Generator) -> SideShadows:
    """One side's: a clavicle always, the others on every other film."""
    shares = rng.random(12)
    has_blade, has_breast = rng.random(2) < 0.5
    return SideShadows(
        clavicle=0.05 + 0.35 * shares[0],
        inner_mm=10 + 45 * shares[1],
        outer_mm=-30 + 60 * shares[2],
        bend_mm=-12 + 24 * shares[3],
        width_mm=8 + 8 * shares[4],
        blade=0.3 * shares[5] * has_blade,
        blade_mm=40 * shares[6],
        breast=0.35 * shares[7] * has_breast,
        breast_at=(0.3 + 0.6 * shares[8], 0.65 + 0.3 * shares[9]),
        breast_mm=(40 + 45 * shares[10], 40 + 45 * shares[11]),
    )


def shadowed(image: Floats, fields: Selection, sides: tuple[SideShadows, SideShadows], pixel_mm: PixelMm) -> Floats:
    """The picture with what lies over both lungs.

    Args:
        image: [y, x] 0 to 1, dense is bright.
        fields: [y, x] both lungs, the patient's right one on the left.
        sides: of the lung on the picture's left and of that on its right.
        pixel_mm: row and column step.
    """
    columns = np.flatnonzero(fields.any(axis=0))
    if not len(columns):
        return image
    middle = (columns[0] + columns[-1]) / 2
    x = np.arange(fields.shape[1])
    found = image
    for shadows, own in zip(sides, (x < middle, x >= middle), strict=True):
        lung = fields & own
        if lung.any():
            found = found + _amount(shadows, lung, middle, pixel_mm) * (1 - found)
    body = ndimage.binary_fill_holes((image > _AIR) | fields)
    return np.asarray(np.where(body, found, image))


def _amount(shadows: SideShadows, lung: Selection, middle: float, pixel_mm: PixelMm) -> Floats:
    """[y, x] share of the way to white."""
    rows, columns = (np.flatnonzero(lung.any(axis=axis)) for axis in (1, 0))
    outwards = -1.0 if columns.mean() < middle else 1.0
    y = np.asarray((np.arange(lung.shape[0])[:, None] - rows[0]) * pixel_mm[0], dtype=np.float64)
    x = np.asarray((np.arange(lung.shape[1])[None, :] - middle) * pixel_mm[1] * outwards, dtype=np.float64)
    height = float(np.ptp(rows)) * pixel_mm[0]
    side = float(np.max((columns - middle) * outwards)) * pixel_mm[1]
    parts = (
        shadows.clavicle * _clavicle(x, y, side, shadows),
        shadows.blade * _blade(x, y, (side, height), shadows),
        shadows.breast * _breast(x, y, (side, height), shadows),
    )
    clear = np.ones(lung.shape)
    for part in parts:
        clear = clear * (1 - part)
    return np.asarray(1 - clear)


def _step(distance_mm: Floats) -> Floats:
    """1 far below 0, 0 far above."""
    return np.asarray(1 / (1 + np.exp(np.clip(distance_mm / _EDGE_MM, -50, 50))))


def _clavicle(x: Floats, y: Floats, side_mm: float, shadows: SideShadows) -> Floats:
    """A bent band from beside the spine to beyond the side; .7 of the amount in its middle, all of it at its edges."""
    inner, outer = 15.0, side_mm + 40.0
    way = np.clip((x - inner) / (outer - inner), 0, 1)
    line = shadows.inner_mm + (shadows.outer_mm - shadows.inner_mm) * way - 4 * shadows.bend_mm * way * (1 - way)
    slope = (shadows.outer_mm - shadows.inner_mm - 4 * shadows.bend_mm * (1 - 2 * way)) / (outer - inner)
    away = np.abs(y - line) / np.sqrt(1 + slope**2)
    band = _step(away - shadows.width_mm / 2) * _step(inner - x) * _step(x - outer)
    return np.asarray(band * (0.7 + 0.3 * np.clip(2 * away / shadows.width_mm, 0, 1)))


def _blade(x: Floats, y: Floats, lung_mm: tuple[float, float], shadows: SideShadows) -> Floats:
    """Beyond a line along the side, over the upper half; it fades outwards."""
    side, height = lung_mm
    edge = side - shadows.blade_mm
    fading = np.exp(-np.maximum(x - edge, 0) / 60.0)
    return np.asarray(_step(edge - x) * _step(y - 0.55 * height) * fading)


def _breast(x: Floats, y: Floats, lung_mm: tuple[float, float], shadows: SideShadows) -> Floats:
    """The chord of a ball."""
    side, height = lung_mm
    across = (x - shadows.breast_at[0] * side) / shadows.breast_mm[0]
    along = (y - shadows.breast_at[1] * height) / shadows.breast_mm[1]
    return np.asarray(np.sqrt(np.maximum(1 - across**2 - along**2, 0)))
