"""Where pieces of a CT are taken that show no nodule: at random in the lungs, and where something looks like one.

What looks like a nodule is found by a plain rule, so that hard negatives don't depend on any network: in the lungs, on
voxels of 1.5 mm cut to -1000 to 200 HU, the Laplacian of a Gaussian, times its variance (Lindeberg 1998), of three
widths that fit balls of 5, 9 and 14 mm; its peaks 8 mm apart. Vessels' ends and forks, scars and hilar nodes make them,
and nodules, so places near a mark are left out. Of the highest peaks, ten times as many as are wanted, some are drawn:
the very highest are all vessels of the hilum.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hilum.core import Geometry, InputError, Mask, Volume
from hilum.core.geometry import Floats, Triple
from hilum.datasets.ct_lungs import inside
from hilum.datasets.patch_grid import crop_around
from hilum.datasets.patch_sample import HARD, RANDOM
from hilum.ops import PeakRule, peaks, resample_to

_STEP_MM = 1.5
_CUT_HU = (-1000.0, 200.0)
_SIGMAS_MM = (1.4, 2.6, 4.0)
"""Of a ball of diameter d the Laplacian's peak is highest at d / (2 √3)."""
_BLOBS = PeakRule(lowest=100.0, apart_mm=8.0, most=300)
_AMONG = 10
"""Peaks among which each hard negative is drawn."""
_TRIES = 200
"""Places that are drawn for each random one."""


@dataclass(frozen=True)
class PieceRule:
    """Which pieces are taken of a CT.

    Attributes:
        size: voxels along each side.
        voxel_mm: side of a voxel.
        random: pieces at random places in the lungs.
        hard: pieces where something looks like a nodule and is none.
        seed: of the random places.
        apart_mm: distance of two pieces' centres that show none, at least, and of such a one to a mark that is neither
            nodule nor nothing.

    Raises:
        InputError: a number that can't be.
    """

    size: int = 64
    voxel_mm: float = 1.0
    random: int = 3
    hard: int = 6
    seed: int = 0
    apart_mm: float = 15.0

    def __post_init__(self) -> None:
        if not (8 <= self.size <= 256 and 0.2 <= self.voxel_mm <= 5 and min(self.random, self.hard, self.seed) >= 0):
            raise InputError(
                f"pieces of {self.size} voxels of {self.voxel_mm:g} mm, {self.random} random and {self.hard} hard, "
                "can't be.",
                "Take 8 to 256 voxels of 0.2 to 5 mm.",
            )

    @property
    def side_mm(self) -> float:
        """Of a piece."""
        return self.size * self.voxel_mm


@dataclass(frozen=True)
class Marked:
    """A place that somebody has marked.

    Attributes:
        centre_lps_mm: its middle.
        radius_mm: its half size; 0 of a point.
        is_nodule: whether no piece without a nodule may show any of it; else such a piece's middle keeps away from it.
    """

    centre_lps_mm: Triple
    radius_mm: float
    is_nodule: bool = True


def blobs(ct: Volume, lungs: Mask) -> Floats:
    """[n, 3] places in LPS mm that look like nodules, most so first, by the rule above.

    Raises:
        InputError: the lungs are empty.
    """
    grid = _grid_around(lungs)
    hu = np.clip(resample_to(crop_around(ct, grid), grid).array, *_CUT_HU)
    found = np.full(hu.shape, -np.inf, dtype=np.float32)
    for sigma_mm in _SIGMAS_MM:
        np.maximum(found, -(sigma_mm**2) * _laplacian(hu, sigma_mm), out=found)
    found[resample_to(lungs, grid).labels == 0] = 0
    return grid.to_lps_mm(peaks(found, grid.spacing_zyx_mm, _BLOBS).places)


def _laplacian(hu: Floats, sigma_mm: float) -> Floats:
    return np.asarray(ndimage.gaussian_laplace(hu, sigma_mm / _STEP_MM, mode="nearest") / _STEP_MM**2)


def _grid_around(lungs: Mask) -> Geometry:
    places = np.argwhere(lungs.labels)
    if not len(places):
        raise InputError("the lungs are empty.", "Give a CT of the chest.")
    low, high = places.min(axis=0), places.max(axis=0) + 1
    (k, j, i), (nz, ny, nx) = low.tolist(), (high - low).tolist()
    return lungs.require_geometry().crop((k, j, i), (nz, ny, nx)).with_spacing((_STEP_MM,) * 3)


def free_places(
    places: Floats, marks: Sequence[Marked], taken: Sequence[Triple], rule: PieceRule, most: int
) -> list[Triple]:
    """The first of some places at which a piece shows no nodule, apart from each other and from those taken."""
    chosen: list[Triple] = []
    for place in places:
        if len(chosen) >= most:
            break
        beside = [*taken, *chosen]
        if is_free(place, marks, rule) and all(np.linalg.norm(place - one) >= rule.apart_mm for one in beside):
            chosen.append(_triple(place))
    return chosen


def is_free(place: Floats, marks: Sequence[Marked], rule: PieceRule) -> bool:
    """Whether a piece there shows no part of a nodule, however it is turned, and is not about another mark."""
    reach = rule.side_mm / 2 * np.sqrt(3)
    for mark in marks:
        away = np.abs(place - np.array(mark.centre_lps_mm))
        if mark.is_nodule and (away <= rule.side_mm / 2 + mark.radius_mm + rule.voxel_mm).all():
            return False
        if not mark.is_nodule and np.linalg.norm(away) < min(rule.apart_mm + mark.radius_mm, reach):
            return False
    return True


def random_places(lungs: Mask, rng: np.random.Generator, count: int) -> Floats:
    """[n, 3] places in the lungs in LPS mm, so many times more than wanted that enough of them are free."""
    voxels = np.argwhere(lungs.labels)
    drawn = voxels[rng.integers(len(voxels), size=count * _TRIES)] + rng.uniform(-0.5, 0.5, (count * _TRIES, 3))
    return lungs.require_geometry().to_lps_mm(drawn)


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of places on a CT.

    Attributes:
        marks: nodules, and what is neither nodule nor nothing.
        first: [n, 3] places in LPS mm that readers called no nodule: the first hard negatives.
        listed: [n, 3] places that somebody's finder took for nodules; None finds them here.
    """

    marks: Sequence[Marked] = ()
    first: Floats | None = None
    listed: Floats | None = None


def negative_places(
    ct: Volume, lungs: Mask, known: Known, rule: PieceRule, rng: np.random.Generator
) -> Iterator[tuple[str, Triple]]:
    """Kind and centre of each piece without a nodule: hard ones first, which keep their places.

    Args:
        ct: in HU.
        lungs: `find_lungs`.
        known: of it.
        rule: see there.
        rng: of all that is drawn.
    """
    first = np.empty((0, 3)) if known.first is None else rng.permutation(known.first)
    hard = free_places(first, known.marks, (), rule, rule.hard)
    if len(hard) < rule.hard:
        listed = known.listed
        looks = blobs(ct, lungs)[: _AMONG * rule.hard] if listed is None else listed[inside(lungs, listed)]
        hard += free_places(rng.permutation(looks), known.marks, hard, rule, rule.hard - len(hard))
    yield from ((HARD, place) for place in hard)
    drawn = random_places(lungs, rng, rule.random)
    yield from ((RANDOM, place) for place in free_places(drawn, known.marks, hard, rule, rule.random))


def _triple(place: Floats) -> Triple:
    x, y, z = place.tolist()
    return x, y, z
