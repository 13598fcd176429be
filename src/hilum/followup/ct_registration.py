"""Laying an earlier CT of the chest over a later one, and saying how well it fits.

Both lungs are brought to cubic voxels of 3 mm, their density evened out (`ct_scene`), laid over each other (rigid, then
affine) and bent by demons (`ct_alignment`), once from prior to current and once the other way. The two know nothing of
each other, so how far they disagree says how sure they are; what is used is their mean, and its inverse.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray

from hilum.config import FrozenConfig
from hilum.core import Geometry, InputError, Mask, Volume
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.datasets.ct_lungs import find_lungs
from hilum.followup.ct_alignment import CtAlignmentConfig, bent, find_affine
from hilum.followup.ct_misfit import CtMisfit, ct_misfit, mean_way
from hilum.followup.ct_scene import Scene, scene
from hilum.ops import Deformation

_THICK_MM = 3.0
"""Slices farther apart than this are called thick: Fleischner 2017 asks for 1.5 mm and less, and never above 3."""

_STRAIGHT = "lungs lie over each other by an affine map: a bend explained hardly more and was left out"


class CtLimits(FrozenConfig):
    """What a registration's figures have to keep."""

    least_dice: float
    """Overlap of the lungs, where both CTs reach."""
    least_similarity: float
    """Correlation of what is in the lungs: vessels and their forks."""
    most_apart_mm: float
    """95 % of the lung's places: how far registration from prior to current and back ends from where it began."""
    most_folded: float
    """Share of the lung in which the map folds."""


class CtRegistrationConfig(CtAlignmentConfig):
    """How two CTs are laid over each other, and when that has failed."""

    least_common: float = 0.25
    """Lung that both CTs show, as a share of the larger one's: below, they show different regions."""
    limits: CtLimits = CtLimits(least_dice=0.85, least_similarity=0.7, most_apart_mm=10.0, most_folded=0.02)
    """Beyond these it has failed, and is refused."""
    usual: CtLimits = CtLimits(least_dice=0.92, least_similarity=0.85, most_apart_mm=4.0, most_folded=0.002)
    """Beyond these it is doubted."""
    least_gain: float = 0.5
    """Share of what the affine map leaves unexplained (1 - similarity) that the bend has to explain, or it is left out:
    of what lies well already it would only follow noise and the reading between voxels."""
    floor_mm: float = 1.0
    """Error at a place that 95 % stay below, where both ways agree."""
    slope: float = 3.0
    """By how much that grows with each mm that both ways disagree there."""


@dataclass(frozen=True, eq=False)
class CtRegistration:
    """An earlier CT laid over a later one. Places are in LPS mm of their own CT.

    Attributes:
        forward: from places on the earlier CT to those on the later one.
        inverse_grid: on which the bend of its inverse lies.
        disagreement_mm: [z, y, x] on forward's grid, how far both ways disagree about a place.
        prior_field: the earlier CT's grid: what it shows.
        current_field: the later one's.
        misfit: how well they fit.
        config: of the registration.
        doubts: what speaks against it, one sentence each.
        notes: what else a person should know.
    """

    forward: Deformation
    inverse_grid: Geometry
    disagreement_mm: NDArray[np.float32]
    prior_field: Geometry
    current_field: Geometry
    misfit: CtMisfit
    config: CtRegistrationConfig
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def backward(self) -> Deformation:
        """The inverse of `forward`."""
        return self.forward.inverted(self.inverse_grid)

    @property
    def converged(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.doubts

    def to_current_mm(self, points_lps_mm: Floats) -> Floats:
        """Where places [..., 3] of the earlier CT lie on the later one."""
        return self.forward.places_mm(points_lps_mm)

    def to_prior_mm(self, points_lps_mm: Floats) -> Floats:
        """Where places [..., 3] of the later CT lie on the earlier one; NaN where the map has no inverse."""
        return self.forward.origins_mm(points_lps_mm)

    def error_mm(self, points_lps_mm: Floats) -> Floats:
        """[...] how far off `to_current_mm` of places [..., 3] on the earlier CT may be: 95 % lie nearer.

        Grows with the disagreement of both ways; set on known warps (`docs/explanation/follow-up-on-ct.md`). It says
        nothing of places beyond the lungs, where the bend fades and the affine map goes on.
        """
        from scipy.ndimage import map_coordinates

        index = self.forward.geometry.to_index(points_lps_mm).reshape(-1, 3).T
        apart = map_coordinates(self.disagreement_mm, index, order=1, mode="nearest").reshape(points_lps_mm.shape[:-1])
        return np.asarray(np.hypot(self.config.floor_mm, self.config.slope * apart), dtype=np.float64)

    def shown_on_current(self, points_lps_mm: Floats) -> Selection:
        """Which places [..., 3] on the later CT lie within what it shows."""
        return self.current_field.contains(points_lps_mm)

    def shown_on_prior(self, points_lps_mm: Floats) -> Selection:
        """Which places [..., 3] on the earlier CT lie within what it shows."""
        return self.prior_field.contains(points_lps_mm)

    @overload
    def prior_on_current(self, image: Volume, geometry: Geometry | None = ..., threads: int = ...) -> Volume: ...
    @overload
    def prior_on_current(self, image: Mask, geometry: Geometry | None = ..., threads: int = ...) -> Mask: ...
    def prior_on_current(
        self, image: Volume | Mask, geometry: Geometry | None = None, threads: int = 1
    ) -> Volume | Mask:
        """What lies on the earlier CT, on the later one's grid, or a part of it (`Deformation.pulled`)."""
        return self.backward.pulled(image, geometry or self.current_field, threads)

    @overload
    def current_on_prior(self, image: Volume, geometry: Geometry | None = ..., threads: int = ...) -> Volume: ...
    @overload
    def current_on_prior(self, image: Mask, geometry: Geometry | None = ..., threads: int = ...) -> Mask: ...
    def current_on_prior(
        self, image: Volume | Mask, geometry: Geometry | None = None, threads: int = 1
    ) -> Volume | Mask:
        """What lies on the later CT, on the earlier one's grid, or a part of it (`Deformation.pulled`)."""
        return self.forward.pulled(image, geometry or self.prior_field, threads)


def register_ct(
    prior: Volume,
    current: Volume,
    *,
    lungs: tuple[Mask | None, Mask | None] = (None, None),
    config: CtRegistrationConfig | None = None,
    threads: int = 1,
) -> CtRegistration:
    """Lay an earlier CT of the chest over a later one. The same CTs give the same result.

    Args:
        prior: the earlier CT, in HU; spacing and direction are its own.
        current: the later one.
        lungs: of both, on any grid; found where None.
        config: how; None for the usual way.
        threads: of SimpleITK.

    Raises:
        InputError: one shows no lungs, they show different regions, or the registration failed: lungs don't overlap,
            the map folds, or both ways disagree.
        UnitError: one is not in HU.
    """
    config = config or CtRegistrationConfig()
    cts = (prior, current)
    masks = [_lungs(name, ct, mask) for name, ct, mask in zip(("earlier", "later"), cts, lungs, strict=True)]
    scenes = [scene(ct, mask, config.cell_mm) for ct, mask in zip(cts, masks, strict=True)]
    affine = find_affine(scenes[0], scenes[1], config, threads)
    common = _common_share(scenes, cts, affine)
    _require_common(common, scenes, config)
    there = bent(scenes[0], scenes[1], affine, config, threads)
    back = bent(scenes[1], scenes[0], np.asarray(np.linalg.inv(affine)), config, threads)
    forward, apart = mean_way(there, back, scenes[0].lungs)
    figures = ct_misfit(scenes[0], scenes[1], forward, (there, back), common)
    is_bent = 1 - figures.similarity <= (1 - config.least_gain) * (1 - figures.similarity_affine)
    if not is_bent:
        forward = Deformation(affine, np.zeros_like(forward.bend_mm), forward.geometry)
        figures = ct_misfit(scenes[0], scenes[1], forward, (there, back), common)
    _require_success(figures, config)
    fields = (prior.geometry, current.geometry)
    doubts, notes = tuple(wrongs(figures, config.usual)), (*thick_slices(*fields), *(() if is_bent else (_STRAIGHT,)))
    return CtRegistration(forward, scenes[1].geometry, apart, *fields, figures, config, doubts, notes)


def wrongs(figures: CtMisfit, limits: CtLimits) -> list[str]:
    """Which limits the figures don't keep, each in words; a figure that is undefined keeps none."""
    found = []
    if not figures.dice >= limits.least_dice:
        found.append(f"the lungs overlap by {figures.dice:.2f} only (Dice; {limits.least_dice:g} or more is expected)")
    if not figures.similarity >= limits.least_similarity:
        found.append(
            f"vessels correlate by {figures.similarity:.2f} only ({limits.least_similarity:g} or more is expected)"
        )
    if not figures.apart_p95_mm <= limits.most_apart_mm:
        found.append(
            f"registered from the later CT to the earlier, places come out up to {figures.apart_p95_mm:.1f} mm from "
            f"where they do the other way round ({limits.most_apart_mm:g} mm or less is expected)"
        )
    if not figures.folded <= limits.most_folded:
        found.append(
            f"the map folds in {figures.folded:.1%} of the lung ({limits.most_folded:.1%} or less is expected)"
        )
    return found


def thick_slices(prior: Geometry, current: Geometry) -> tuple[str, ...]:
    """What is to be said of slices far apart, one sentence a CT."""
    return tuple(
        f"the {name} CT's slices are {step:.3g} mm apart: places along the body are uncertain by about half of that, "
        "and nodules smaller than two slices may be missed or measured wrongly"
        for name, step in (("earlier", _slice_mm(prior)), ("later", _slice_mm(current)))
        if step > _THICK_MM
    )


def _slice_mm(grid: Geometry) -> float:
    return grid.spacing_zyx_mm[grid.axial_axis]


def _lungs(name: str, ct: Volume, mask: Mask | None) -> Mask:
    if mask is None:
        try:
            return find_lungs(ct)
        except InputError as error:
            raise InputError(f"the {name} CT can't be registered: {error.message}", error.remedy) from error
    if not mask.labels.any():
        raise InputError(f"the {name} CT's mask of the lungs is empty.", "Leave it out to have the lungs found.")
    mask.require_geometry()
    return mask


def _common_share(scenes: list[Scene], cts: tuple[Volume, Volume], affine: Floats) -> float:
    """Lung that both CTs show, as a share of the larger one's."""
    there = Deformation.of_affine(affine)
    back = Deformation.of_affine(np.asarray(np.linalg.inv(affine)))
    own, other = (one.places_mm() for one in scenes)
    shown = cts[1].geometry.contains(there.places_mm(own)).sum(), cts[0].geometry.contains(back.places_mm(other)).sum()
    return float(min(shown) / max(len(own), len(other)))


def _require_common(common: float, scenes: list[Scene], config: CtRegistrationConfig) -> None:
    if common < config.least_common:
        litres = [int(one.lungs.sum()) * one.geometry.voxel_mm3 / 1e6 for one in scenes]
        raise InputError(
            f"the CTs show different regions: {common:.0%} of the lung is on both ({config.least_common:.0%} needed; "
            f"there are {litres[0]:.2g} litres on the earlier and {litres[1]:.2g} on the later one).",
            "Give two CTs of the whole chest, or compare them by eye.",
        )


def _require_success(figures: CtMisfit, config: CtRegistrationConfig) -> None:
    wrong = wrongs(figures, config.limits)
    if wrong:
        raise InputError(
            "the CTs can't be laid over each other: " + "; ".join(wrong) + ".",
            "Check that they are of one patient, and that both show the chest; compare them by eye if they do.",
        )
