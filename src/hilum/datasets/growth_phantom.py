"""Nodules of known volume in a CT at one date, scanned with that date's breath, slices and noise."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hilum.core import InputError, Mask, Volume
from hilum.core.geometry import Triple
from hilum.datasets.growth_shape import Drawn, Growable, Scanner, drawn
from hilum.datasets.rescan import Background, Breath, noised, with_slices

DENSE_HU = -500.0
MOST_DENSE = 0.1
"""Share of a nodule that may lie on what is dense already: small vessels are everywhere."""
_WHOLE = 0.995


@dataclass(frozen=True, eq=False)
class Placed:
    """A nodule at a date.

    Attributes:
        nodule: its shape.
        volume_mm3: within its surface.
        centre_lps_mm: of its centroid, in the CT as it is.
    """

    nodule: Growable
    volume_mm3: float
    centre_lps_mm: Triple


@dataclass(frozen=True)
class How:
    """How a date is scanned.

    Attributes:
        slice_mm: thickness of slices; None for the CT's own.
        sigma_mm: in-plane blur; None for the CT's own, and never less than that of the background.
        noise_hu: in soft tissue of this scan; None for the CT's own.
        breath: displacement; None for none.
    """

    slice_mm: float | None = None
    sigma_mm: float | None = None
    noise_hu: float | None = None
    breath: Breath | None = None


@dataclass(frozen=True, eq=False)
class Scanned:
    """A CT at a date.

    Attributes:
        ct: int16 HU.
        nodules: as drawn, on the CT's voxels.
        centres_lps_mm: where their centroids lie at that date.
    """

    ct: Volume
    nodules: tuple[Drawn, ...]
    centres_lps_mm: tuple[Triple, ...]

    @property
    def mask(self) -> Mask:
        """Label 1 is the first nodule, 2 the second, …; as many voxels as have each nodule's volume."""
        labels = np.zeros(self.ct.array.shape, dtype=np.uint8)
        for number, one in enumerate(self.nodules, start=1):
            labels[one.place][one.mask & (labels[one.place] == 0)] = number
        names = {number: f"nodule {number} (synthetic)" for number in range(1, len(self.nodules) + 1)}
        return Mask(labels, self.ct.geometry, names=names)


def scanned(seen: Background, nodules: Sequence[Placed], how: How, rng: np.random.Generator) -> Scanned:
    """Put nodules into a background and scan it.

    Args:
        seen: the CT without noise.
        nodules: at this date.
        how: it is scanned.
        rng: of the noise.

    Raises:
        InputError: a nodule leaves the CT.
    """
    seen = seen if how.breath is None else how.breath.applied(seen)
    seen = _blurred(seen if how.slice_mm is None else with_slices(seen, how.slice_mm), how.sigma_mm)
    array, shown = np.array(seen.ct.array), np.ones(seen.ct.array.shape, dtype=np.float32)
    found, centres = [], []
    for one in nodules:
        centre = one.centre_lps_mm if how.breath is None else how.breath.place_of(one.centre_lps_mm)
        there = whole(drawn(one.nodule, one.volume_mm3, centre, seen.ct.geometry, Scanner(seen.sigma_mm)), one)
        old = array[there.place]
        array[there.place] = old + there.filled * (one.nodule.tissue_hu - old)
        shown[there.place] *= 1 - np.clip(there.filled, 0, 1)
        found.append(there)
        centres.append(centre)
    noise = seen.noise if how.noise_hu is None else seen.noise.times(how.noise_hu / max(seen.noise.tissue_hu, 1e-6))
    filled = replace(seen, ct=Volume(array, seen.ct.geometry), noise=noise)
    return Scanned(noised(filled, rng, shown), tuple(found), tuple(centres))


def whole(there: Drawn | None, nodule: Placed) -> Drawn:
    """The nodule as drawn, if all of it lies in the CT.

    Raises:
        InputError: it doesn't.
    """
    inside = 0.0 if there is None else float(there.covered.sum(dtype=np.float64)) * there.grid.voxel_mm3
    if there is None or inside < _WHOLE * nodule.volume_mm3:
        words = ", ".join(f"{one:.0f}" for one in nodule.centre_lps_mm)
        raise InputError(
            f"the nodule at {words} leaves the CT: {inside:.0f} of its {nodule.volume_mm3:.0f} mm³ are in it.",
            "Choose a place farther from its ends.",
        )
    return there


def dense_share(seen: Background, there: Drawn) -> float:
    """Share of a drawn nodule's volume that lies on what is dense already: vessels, wall, another nodule."""
    dense = seen.ct.array[there.place] > DENSE_HU
    return float(there.covered[dense].sum(dtype=np.float64) / there.covered.sum(dtype=np.float64))


def _blurred(seen: Background, sigma_mm: float | None) -> Background:
    from scipy import ndimage

    if sigma_mm is None:
        return seen
    more = max(sigma_mm**2 - seen.sigma_mm**2, 0.0) ** 0.5
    _, dy, dx = seen.ct.geometry.spacing_zyx_mm
    smooth = ndimage.gaussian_filter(seen.ct.array, (0, more / dy, more / dx)) if more else seen.ct.array
    return replace(seen, ct=Volume(smooth, seen.ct.geometry), sigma_mm=sigma_mm)
