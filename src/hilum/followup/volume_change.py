"""How much a nodule's volume changed between two CTs, measured on both at once.

Each volume alone carries what its mask got wrong: a vessel taken in at one date and left out at the other is a growth
that never was. Here both dates are looked at over one common region, the nodule of either date and 2 mm around it:

1. The current CT's HU are brought over the prior ones by the shift, to fractions of a voxel, at which the surroundings
   within 4 mm of the nodule correlate best.
2. The change of volume is the integral of what HU rose by over that region, over the nodule's contrast to the lung.
   Blur moves HU about but keeps their integral, so the scanner's sharpness doesn't count, and what is in the region at
   both dates and didn't change, vessels and wall, cancels.
3. A nodule that grows lies over its surroundings, or pushes them out of the region, and either takes away what they
   had: with their mean share m of the nodule's contrast, 1 - m of the growth is seen. Where something dense is beside
   it, and left out of the region, nothing is. ΔV is divided by both.
4. The ratio of volumes is (V + ΔV/2) / (V - ΔV/2), with V the mean of the two by `hilum.measure.partial_volume`.

The lung's own level is taken off at each date, because lung is denser when less air is in it. The nodule's is the mean
of both dates: a nodule that grows denser without growing gains volume by this rule, as it gains mass; `contrast_ratio`
says so.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage, optimize

from hilum.core import Volume
from hilum.core.geometry import Floats, Triple
from hilum.core.mask import Selection
from hilum.measure.partial_volume import FACES, Edge, Field, edge_volume
from hilum.ops import grown

_REACH_MM = 2.0
_NEAR_MM = 4.0
_CUT_HU = (-150.0, 1000.0)
"""HU above the lung's; bone and metal beside a nodule don't decide how it is aligned."""
_FIRST_STEP_MM, _TOLERANCE_MM, _TRIES = 0.7, 0.1, 40
_LEAST_CORRELATION = 0.6
_FARTHEST_MM = 5.0
_BESIDE_MM, _BEYOND_MM = 1.2, 3.0
"""Where the nodule's own blur ends, and how far its surroundings are looked at for what they hold."""
_LEAST_SEEN = 0.5
_LEAST_SHARE = 0.05
"""Of the mean volume: a difference can't leave less than this at a date."""


@dataclass(frozen=True, eq=False)
class VolumeChange:
    """A nodule's volume at two dates.

    Attributes:
        prior: as its own HU show it.
        current: likewise.
        log_ratio: ln of current over prior volume.
        is_paired: whether it was measured over a common region; else it is that of the two volumes alone.
        shift_mm: by which the current nodule's surroundings lie elsewhere than the centroids say, LPS.
        correlation: of both dates' HU about the nodule, after that shift.
        notes: what a person should know, one line each.
    """

    prior: Edge
    current: Edge
    log_ratio: float
    is_paired: bool
    shift_mm: Triple
    correlation: float
    notes: tuple[str, ...] = ()

    @property
    def volumes_mm3(self) -> tuple[float, float]:
        """Prior and current, with the ratio measured here and the mean of both measured alone."""
        mean = (self.prior.volume_mm3 + self.current.volume_mm3) / 2
        share = math.exp(self.log_ratio)
        return 2 * mean / (1 + share), 2 * mean * share / (1 + share)

    @property
    def contrast_ratio(self) -> float:
        """The nodule's contrast to the lung now, over the earlier one."""
        return _contrast(self.current) / _contrast(self.prior)


def volume_change(prior: Volume, prior_mask: Selection, current: Volume, current_mask: Selection) -> VolumeChange:
    """Measure a nodule on two CTs.

    The CTs may lie anywhere in space and have other voxels; rows and slices should run alike to within some degrees.

    Args:
        prior: the earlier CT in HU, or a part of it with 12 mm around the nodule.
        prior_mask: [z, y, x] about where the nodule is.
        current: the later CT.
        current_mask: likewise.

    Raises:
        UnitError: a CT is not in HU.
        GeometryError: a mask is on another grid than its CT.
        MeasureError: a mask is empty.
    """
    return change_between(edge_volume(prior, prior_mask), edge_volume(current, current_mask))


def change_between(before: Edge, after: Edge) -> VolumeChange:
    """The same of nodules that were measured at each date already.

    Args:
        before: `edge_volume` of the earlier CT.
        after: of the later one.
    """
    alone = math.log(after.volume_mm3 / before.volume_mm3) if min(before.volume_mm3, after.volume_mm3) > 0 else math.nan
    pair = _Pair.of(before, after)
    shift, correlation = pair.aligned()
    moved = shift - pair.centres
    told = tuple(float(one) for one in moved)
    where = (told[0], told[1], told[2])
    if not correlation >= _LEAST_CORRELATION or np.linalg.norm(moved) > _FARTHEST_MM:
        note = "the two dates don't look alike about the nodule: each volume was measured alone"
        return VolumeChange(before, after, alone, False, where, correlation, (note,))
    return VolumeChange(before, after, pair.log_ratio(shift), True, where, correlation)


@dataclass(frozen=True, eq=False)
class _Pair:
    """Both dates, to be read at the prior one's voxels.

    Attributes:
        before: the prior one.
        after: the current one.
        points: [n, 3] LPS mm of all of the prior block's voxels.
        rise: HU above the lung's, of the prior one.
        risen: the same of the current one.
        spline: its coefficients.
        centres: [3] from the prior centroid to the current one.
    """

    before: Edge
    after: Edge
    points: Floats
    rise: Field
    risen: Field
    spline: Field
    centres: Floats

    @classmethod
    def of(cls, before: Edge, after: Edge) -> "_Pair":
        grid = before.block.geometry
        points = grid.to_lps_mm(np.moveaxis(np.indices(grid.shape_zyx), 0, -1).reshape(-1, 3))
        risen = _rise(after)
        spline = ndimage.spline_filter(risen, 3, output=np.float32)
        return cls(before, after, points, _rise(before), risen, spline, _centre(after) - _centre(before))

    def read(self, shift: Floats, where: Selection | None = None) -> Field:
        """The current HU above the lung's where the prior voxels are, moved by a shift.

        Args:
            shift: [3] in LPS mm.
            where: voxels that are wanted, linearly; None for all, by the spline.
        """
        points = self.points if where is None else self.points[where]
        at = self.after.block.geometry.to_index(points + shift).T
        if where is None:
            return np.asarray(ndimage.map_coordinates(self.spline, at, order=3, prefilter=False, mode="nearest"))
        return np.asarray(ndimage.map_coordinates(self.risen, at, order=1, mode="nearest"))

    def carried(self, selection: Selection, shift: Floats) -> Selection:
        """Voxels of the current block, on the prior one's."""
        at = self.after.block.geometry.to_index(self.points + shift).T
        share = ndimage.map_coordinates(selection.astype(np.float32), at, order=1, mode="constant")
        return np.asarray(share.reshape(self.rise.shape) > 0.5)

    def aligned(self) -> tuple[Floats, float]:
        """The shift with the best correlation, and that."""
        away = ndimage.distance_transform_edt(~self.before.inside, self.before.block.geometry.spacing_zyx_mm)
        near = (away < _NEAR_MM).ravel()
        wanted = self.rise.ravel()[near]

        def cost(shift: Floats) -> float:
            found = self.read(shift, near)
            return -float(np.corrcoef(found, wanted)[0, 1]) if found.std() > 0 and wanted.std() > 0 else 0.0

        simplex = self.centres + _FIRST_STEP_MM * np.vstack([np.zeros(3), np.eye(3)])
        best = optimize.minimize(
            cost,
            self.centres.tolist(),
            method="Nelder-Mead",
            options={"initial_simplex": simplex, "xatol": _TOLERANCE_MM, "fatol": 1e-5, "maxfev": _TRIES},
        )
        return np.asarray(best.x), -float(best.fun)

    def log_ratio(self, shift: Floats) -> float:
        """Of current over prior volume, over the common region."""
        grid = self.before.block.geometry
        steps = grid.spacing_zyx_mm
        either = self.before.inside | self.carried(self.after.inside, shift)
        others = self.before.others | self.carried(self.after.others, shift)
        reach = grown(either, _REACH_MM, [min(step, _REACH_MM) for step in steps])  # a voxel at least, however large
        region = reach & (either | ~ndimage.binary_dilation(others, FACES))
        now = self.read(shift).reshape(self.rise.shape)
        contrast = (_contrast(self.before) + _contrast(self.after)) / 2
        change = float((now - self.rise)[region].sum(dtype=np.float64)) / contrast * grid.voxel_mm3
        change /= _seen_share(either, region, np.asarray((now + self.rise) / (2 * contrast)), steps)
        mean = (self.before.volume_mm3 + self.after.volume_mm3) / 2
        least = _LEAST_SHARE * mean
        return math.log(max(mean + change / 2, least) / max(mean - change / 2, least))


def _seen_share(either: Selection, region: Selection, share: Field, steps: Triple) -> float:
    """How much of a growth rises in HU.

    Args:
        either: [z, y, x] the nodule at either date.
        region: that HU are compared over.
        share: of the nodule's contrast in each voxel, mean of both dates.
        steps: of the voxels, in mm.
    """
    away = ndimage.distance_transform_edt(~either, steps)
    beside = (away > 0) & (away <= _BESIDE_MM)
    beyond = (away > _BESIDE_MM) & (away <= _BEYOND_MM) & region
    free = float(region[beside].mean()) if beside.any() else 1.0
    there = float(np.clip(share[beyond], 0, 1).mean()) if beyond.any() else 0.0
    return max(free * (1 - there), _LEAST_SEEN)


def _rise(edge: Edge) -> Field:
    return np.asarray(np.clip(edge.block.array - edge.lung_hu, *_CUT_HU), dtype=np.float32)


def _contrast(edge: Edge) -> float:
    return max(edge.nodule_hu - edge.lung_hu, 1.0)


def _centre(edge: Edge) -> Floats:
    return edge.block.geometry.to_lps_mm(np.argwhere(edge.inside).mean(axis=0))
