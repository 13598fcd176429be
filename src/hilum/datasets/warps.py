"""Made-up changes of the chest between two CTs, with the truth kept: breath, posture, and what is random.

Known warps stand in for two dates of one patient, of which there are none here. Where lungs move and how far is as
reported of breathing: mainly along the body, most at the diaphragm, little at the apex, the front more outwards than
the back (Seppenwoolde 2002; Castillo 2009 has 4 to 15 mm on average between the ends of a breath).
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from hilum.core import Geometry, InputError, Mask, Quantity, Volume
from hilum.core.geometry import Floats, Triple
from hilum.core.mask import Selection
from hilum.ops import Deformation, resample_to

_CELL_MM, _MARGIN_MM = 8.0, 64.0
_QUANTILE = 95
_LUNG_HU = -500.0
"""What is thinner loses or gains density as it is stretched or pressed; the rest keeps its own."""


@dataclass(frozen=True)
class WarpRule:
    """What is drawn.

    Attributes:
        size_mm: of the bend: 95 % of the region's places are moved by less, before posture.
        random_share: of the random field in the bend, by quadratic mean, beside the breath.
        detail_mm: sigma of the Gaussian window by which the random field is smooth.
        turn_deg: posture: standard deviation of the turn about each axis.
        shift_mm: posture: standard deviation of the shift along each axis.

    Raises:
        InputError: a number is negative, or the detail so fine or the size so large that the bend may fold.
    """

    size_mm: float
    random_share: float = 0.4
    detail_mm: float = 25.0
    turn_deg: float = 2.0
    shift_mm: float = 10.0

    def __post_init__(self) -> None:
        if min(self.size_mm, self.random_share, self.turn_deg, self.shift_mm) < 0 or self.random_share > 1:
            raise InputError(f"a warp's size, share, turn and shift are not negative, the share at most 1; got {self}.")
        if self.detail_mm < max(10.0, self.size_mm * self.random_share):
            raise InputError(
                f"a bend of {self.size_mm:g} mm with details of {self.detail_mm:g} mm may fold.",
                "Take larger details or a smaller size.",
            )


def draw_warp(box_lps_mm: tuple[Triple, Triple], rule: WarpRule, rng: np.random.Generator) -> Deformation:
    """A map from places at one date to places at another.

    Args:
        box_lps_mm: lowest and highest x, y, z of the lungs; the size counts there.
        rule: see there.
        rng: of all that is drawn.
    """
    low, high = np.array(box_lps_mm)
    grid = _grid(low, high)
    points = grid.to_lps_mm(np.moveaxis(np.indices(grid.shape_zyx), 0, -1))
    within = ((points >= low) & (points <= high)).all(axis=-1)
    breath = _breath((points - low) / (high - low), rng)
    free = gaussian_filter(rng.normal(size=(*grid.shape_zyx, 3)), (*[rule.detail_mm / _CELL_MM] * 3, 0), mode="wrap")
    bend = np.sqrt(1 - rule.random_share**2) * _evened(breath, within) + rule.random_share * _evened(free, within)
    bend *= rule.size_mm / np.percentile(np.linalg.norm(bend[within], axis=-1), _QUANTILE)
    bend *= _fading(points, low, high)[..., None]
    return Deformation(_posture((low + high) / 2, rule, rng), bend.astype(np.float32), grid)


def warped(ct: Volume, back: Deformation, geometry: Geometry | None = None, threads: int = 1) -> Volume:
    """The CT at the other date, float32 HU: aerated lung is denser where it is pressed together.

    Args:
        ct: in HU.
        back: from places at the other date to places on `ct`.
        geometry: of the result; None for that of `ct`.
        threads: of SimpleITK.
    """
    grid = geometry or ct.geometry
    hu = back.pulled(ct, grid, threads).array
    ratio = resample_to(Volume(back.volume_change(), back.geometry, Quantity.DISPLAY), grid).array
    pressed = (hu + 1000.0) * np.where(ratio > 0, ratio, 1.0) - 1000.0
    thin = np.clip((_LUNG_HU - hu) / 100.0, 0.0, 1.0) * (hu > -1000.0)
    return Volume(np.asarray(hu + thin * (pressed - hu), dtype=np.float32), grid, ct.quantity)


def lungs_box_mm(lungs: Mask) -> tuple[Triple, Triple]:
    """Lowest and highest x, y, z of a mask's voxels.

    Raises:
        InputError: it is empty.
    """
    places = lungs.require_geometry().to_lps_mm(np.argwhere(lungs.labels))
    if not len(places):
        raise InputError("the lungs are empty.", "Give a CT of the chest.")
    (x, y, z), (to_x, to_y, to_z) = places.min(axis=0).tolist(), places.max(axis=0).tolist()
    return (x, y, z), (to_x, to_y, to_z)


def _grid(low: Floats, high: Floats) -> Geometry:
    nx, ny, nz = np.ceil((high - low + 2 * _MARGIN_MM) / _CELL_MM).astype(int) + 1
    x, y, z = (low - _MARGIN_MM).tolist()
    return Geometry.regular((int(nz), int(ny), int(nx)), (_CELL_MM,) * 3, (x, y, z))


def _breath(shares: Floats, rng: np.random.Generator) -> Floats:
    """[..., 3] footwards, most at the base and the back; the front forwards, both sides outwards. In or out.

    Args:
        shares: [..., 3] places as shares of the lungs' box along x (left), y (back), z (head).
        rng: of how much each part counts.
    """
    x, y, z = np.moveaxis(np.clip(shares, 0, 1), -1, 0)
    base = (1 - z) ** rng.uniform(0.8, 1.6)
    down = -base * (1 + rng.uniform(0, 0.5) * y + rng.uniform(-0.2, 0.2) * (2 * x - 1))
    forwards = -rng.uniform(0.1, 0.35) * (1 - y) * np.sin(np.pi * np.clip(z, 0.05, 0.95))
    outwards = rng.uniform(0.0, 0.15) * (2 * x - 1) * base
    return np.asarray(rng.choice((-1.0, 1.0)) * np.stack((outwards, forwards, down), axis=-1))


def _evened(ways: Floats, within: Selection) -> Floats:
    return np.asarray(ways / np.sqrt((ways[within] ** 2).sum(axis=-1).mean()))


def _fading(points: Floats, low: Floats, high: Floats) -> Floats:
    """[...] 1 within the box, 0 at the grid's faces, smooth between."""
    beyond = np.maximum(np.maximum(low - points, points - high), 0).max(axis=-1)
    share = np.clip(1 - beyond / (_MARGIN_MM - _CELL_MM), 0, 1)
    return np.asarray(share**2 * (3 - 2 * share))


def _posture(centre: Floats, rule: WarpRule, rng: np.random.Generator) -> Floats:
    """4×4: turned about the centre, then shifted."""
    turns, shift = rng.normal(0, np.radians(rule.turn_deg), 3), rng.normal(0, rule.shift_mm, 3)
    matrix = np.eye(3)
    for axis, angle in enumerate(turns):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[one, one] = turn[other, other] = np.cos(angle)
        turn[one, other], turn[other, one] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = centre + shift - matrix @ centre
    return affine
