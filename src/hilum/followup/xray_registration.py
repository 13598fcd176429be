"""Laying an earlier chest X-ray over the current one, and saying how well it fits.

Both pictures are first evened out in a window (`alignment.structure`), since tone, contrast and equalisation differ
between dates. Then the best shift of all within reach, an affine map by correlation, and a smooth field by demons
(Thirion 1998; Vercauteren 2009), so stiff that a nodule which is new or gone keeps its size.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from hilum.core import InputError
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.datasets.xray_grid import PixelGrid
from hilum.datasets.xray_sample import Picture
from hilum.followup.alignment import Alignment, AlignmentConfig, align
from hilum.followup.misfit import Misfit, misfit

_LEAST_SIDE_MM = 100.0
_LEAST_SPREAD = 0.02


class XrayRegistrationConfig(AlignmentConfig):
    """How an earlier X-ray is laid over the current one, and when it is said not to fit."""

    least_correlation: float = 0.35
    """Local correlation within the body, below which the registration has not converged."""
    area_change: tuple[float, float] = (0.4, 2.5)
    """Local change of area that is still taken for a real one."""


@dataclass(frozen=True, eq=False)
class XrayRegistration:
    """An earlier picture laid over a current one.

    Attributes:
        alignment: where each place of the current picture lies in the earlier one.
        pixel_mm: side of both pictures' pixels.
        prior_shape: rows and columns of the earlier picture.
        current_shape: of the current one.
        misfit: how well they fit.
        converged: whether they fit well enough to be compared.
        notes: what a person should know, one sentence each.
    """

    alignment: Alignment
    pixel_mm: float
    prior_shape: tuple[int, int]
    current_shape: tuple[int, int]
    misfit: Misfit
    converged: bool
    notes: tuple[str, ...] = ()

    def places_px(self, points_px: Floats) -> Floats:
        """Where points [..., 2] (row, column) of the current picture lie in the earlier one; whole: centres."""
        there_mm = self.alignment.places_mm((np.asarray(points_px, dtype=np.float64) + 0.5) * self.pixel_mm)
        return np.asarray(there_mm / self.pixel_mm - 0.5)

    def moved(self, picture: NDArray[np.generic], *, nearest: bool = False) -> NDArray[np.generic]:
        """Something on the earlier picture's pixels, on those of the current one; 0 where it doesn't reach.

        Args:
            picture: [y, x], of the earlier picture's size: the picture itself, a mask, labels.
            nearest: take the nearest pixel and keep the type, as labels need; else interpolate linearly, to float32.

        Raises:
            InputError: it is of another size.
        """
        if picture.shape != self.prior_shape:
            raise InputError(f"what is moved is of the earlier picture's size {self.prior_shape}, got {picture.shape}.")
        rows, columns = (np.arange(size) for size in self.current_shape)
        places = np.moveaxis(self.places_px(np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)), -1, 0)
        if nearest:
            return _nearest(picture, places)
        read = map_coordinates(picture.astype(np.float32), places, order=1, mode="nearest")
        return np.asarray(np.where(_within(places, picture.shape), read, 0), dtype=np.float32)


def _within(places: Floats, shape: tuple[int, ...]) -> Selection:
    """Whether places (row, column) lie on a picture's pixels, the outer halves of those at its edge included."""
    ways = zip(places, shape, strict=True)
    return np.asarray(np.all([(one >= -0.5) & (one < size - 0.5) for one, size in ways], axis=0))


def _nearest(picture: NDArray[np.generic], places: Floats) -> NDArray[np.generic]:
    within = _within(places, picture.shape)
    index = [
        np.rint(one[within]).astype(np.intp).clip(0, size - 1) for one, size in zip(places, picture.shape, strict=True)
    ]
    found = np.zeros(within.shape, picture.dtype)
    found[within] = picture[index[0], index[1]]
    return found


def register_xray(
    prior: Picture, current: Picture, pixel_mm: float, config: XrayRegistrationConfig | None = None
) -> XrayRegistration:
    """Lay an earlier chest X-ray over the current one. The same pictures give the same result.

    Args:
        prior: the earlier picture [y, x], 0 to 1, dense is bright.
        current: the current one; its size may be another.
        pixel_mm: side of the pixels of both.
        config: how; None for the usual way.

    Raises:
        InputError: a picture is not [y, x], holds numbers that are none, shows one grey level, or is too small.
    """
    config = config or XrayRegistrationConfig()
    for name, picture in (("earlier", prior), ("current", current)):
        _require_picture(name, picture, pixel_mm)
    cells = [
        PixelGrid((one.shape[0], one.shape[1]), (pixel_mm, pixel_mm), config.cell_mm).mean(one)
        for one in (prior, current)
    ]
    alignment = align(cells[0], cells[1], config)
    figures = misfit(cells[0], cells[1], alignment)
    notes = tuple(_notes(figures, config))
    shapes = [(one.shape[0], one.shape[1]) for one in (prior, current)]
    return XrayRegistration(alignment, pixel_mm, shapes[0], shapes[1], figures, not notes, notes)


def _require_picture(name: str, picture: Picture, pixel_mm: float) -> None:
    if picture.ndim != 2 or min(picture.shape) * pixel_mm < _LEAST_SIDE_MM:
        raise InputError(
            f"the {name} picture is to be [y, x] and at least {_LEAST_SIDE_MM:g} mm wide and high, "
            f"got {picture.shape} pixels of {pixel_mm:g} mm.",
            "Give a whole chest X-ray.",
        )
    if not np.isfinite(picture).all():
        raise InputError(f"the {name} picture holds numbers that are none.", "Give a picture without NaN.")
    if float(np.std(picture)) < _LEAST_SPREAD:
        raise InputError(f"the {name} picture is blank: it shows hardly any contrast.", "Give a chest X-ray.")


def _notes(figures: Misfit, config: XrayRegistrationConfig) -> list[str]:
    """What speaks against the registration."""
    notes = []
    if not figures.correlation >= config.least_correlation:
        notes.append(
            f"after registration the earlier picture correlates with the current one by {figures.correlation:.2f} only "
            f"({config.least_correlation:g} or more is usual)"
        )
    low, high = config.area_change
    if not low <= figures.least_area <= figures.most_area <= high:
        notes.append(
            f"the registration changes areas by factors of {figures.least_area:.2f} to {figures.most_area:.2f}, "
            "more than breathing and standing otherwise would"
        )
    return notes
