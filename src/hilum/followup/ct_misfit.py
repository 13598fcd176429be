"""How well one CT lies over another, in figures."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from hilum.core import Mask, Volume
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.core.volume import Quantity
from hilum.followup.ct_scene import Scene
from hilum.ops import Deformation

_WINDOW_MM = 10.0
"""Sigma of the window in which the disagreement of both ways is averaged: it says how sure a neighbourhood is."""


@dataclass(frozen=True)
class CtMisfit:
    """Figures of a registration; places are the voxels of the earlier CT's lungs, about 3 mm; undefined ones are NaN.

    Attributes:
        apart_median_mm: from a place to the later CT and back, each way registered for itself, to where it began.
        apart_p95_mm: the same, 95 % of places.
        common: lung that both CTs show, as a share of the larger one's.
        dice: overlap of both lungs, where both CTs reach.
        dice_affine: the same before the bend.
        similarity: Pearson's correlation of structure within both lungs (`ct_scene`).
        similarity_affine: the same before the bend.
        similarity_centred: the same with the lungs' centres on each other, without turn.
        shift_mm: mean length of the way from where the affine map puts places.
        least_volume: 1 % of places change their volume by a smaller factor, later over earlier.
        most_volume: 1 % by a larger one.
        folded: share of places at which the map folds.
    """

    apart_median_mm: float
    apart_p95_mm: float
    common: float
    dice: float
    dice_affine: float
    similarity: float
    similarity_affine: float
    similarity_centred: float
    shift_mm: float
    least_volume: float
    most_volume: float
    folded: float

    def figures(self) -> dict[str, float]:
        """All by name."""
        return asdict(self)


def ct_misfit(
    prior: Scene, current: Scene, forward: Deformation, ways: tuple[Deformation, Deformation], common: float
) -> CtMisfit:
    """How well two scenes fit.

    Args:
        prior: the earlier CT's.
        current: the later one's.
        forward: what is used: from prior to current.
        ways: prior to current, and current to prior, each registered for itself.
        common: lung that both show.
    """
    places = prior.places_mm()
    apart = np.linalg.norm(ways[1].places_mm(ways[0].places_mm(places)) - places, axis=-1)
    dice, similarity = _fit(prior, current, forward)
    dice_affine, similarity_affine = _fit(prior, current, Deformation.of_affine(forward.affine))
    volumes = forward.volume_change()[prior.lungs]
    return CtMisfit(
        apart_median_mm=float(np.median(apart)),
        apart_p95_mm=float(np.percentile(apart, 95)),
        common=common,
        dice=dice,
        dice_affine=dice_affine,
        similarity=similarity,
        similarity_affine=similarity_affine,
        similarity_centred=_fit(prior, current, _centred(prior, current))[1],
        shift_mm=float(np.linalg.norm(forward.bends_mm(places), axis=-1).mean()),
        least_volume=float(np.percentile(volumes, 1)),
        most_volume=float(np.percentile(volumes, 99)),
        folded=float((volumes <= 0).mean()),
    )


def mean_way(there: Deformation, back: Deformation, lungs: Selection) -> tuple[Deformation, NDArray[np.float32]]:
    """The mean of a map and of the inverse of one that was found the other way round, and how far they disagree.

    Errors of both are partly independent, so the mean is nearer to the truth than either.

    Args:
        there: the map; its affine part is the inverse of the other's.
        back: the other way round.
        lungs: [z, y, x] where the disagreement counts, on there's grid.

    Returns:
        The mean, on there's grid; and on it, in mm, the quadratic mean of the disagreement in a Gaussian window.
    """
    grid, straight = there.geometry, np.linalg.inv(there.affine)
    points = grid.to_lps_mm(np.moveaxis(np.indices(grid.shape_zyx), 0, -1))
    other = back.origins_mm(points) @ straight[:3, :3].T + straight[:3, 3] - points
    both = np.where(np.isnan(other), there.bend_mm, (there.bend_mm + other) / 2)
    apart = np.linalg.norm(there.bend_mm - np.nan_to_num(other), axis=-1)
    window = _windowed(apart, lungs, _WINDOW_MM / grid.spacing_zyx_mm[0])
    return Deformation(there.affine, both.astype(np.float32), grid), window


def _windowed(values: Floats, where: Selection, sigma: float) -> NDArray[np.float32]:
    weight = gaussian_filter(where.astype(np.float32), sigma) + 1e-6
    return np.asarray(np.sqrt(gaussian_filter(np.where(where, values**2, 0), sigma) / weight), dtype=np.float32)


def _centred(prior: Scene, current: Scene) -> Deformation:
    affine = np.eye(4)
    affine[:3, 3] = current.places_mm().mean(axis=0) - prior.places_mm().mean(axis=0)
    return Deformation.of_affine(affine)


def _fit(prior: Scene, current: Scene, way: Deformation) -> tuple[float, float]:
    """Dice of the lungs where both scenes reach, and correlation within both."""
    lungs = way.pulled(Mask.of(current.lungs, current.geometry), prior.geometry).labels > 0
    reached = way.pulled(Mask.of(np.ones_like(current.lungs), current.geometry), prior.geometry).labels > 0
    own = prior.lungs & reached
    both = own & lungs
    total = int(own.sum()) + int(lungs.sum())
    if both.sum() < 2:
        return float(2 * both.sum() / total) if total else np.nan, np.nan
    moved = way.pulled(Volume(current.structure, current.geometry, Quantity.DISPLAY), prior.geometry).array
    return 2 * int(both.sum()) / total, float(np.corrcoef(moved[both], prior.structure[both])[0, 1])
