"""The same patient scanned again: other noise, another breath, other slices.

Of one CT only one sample of noise is there. It is taken out where nothing but noise is seen, and new noise of the same
level and texture is added, so that two dates share what the patient has and not what the scanner adds. Where structure
is seen, the scan's own noise can't be told from it and stays; less new noise comes there, so the level is right
everywhere. What stays is the same at all dates, which makes them a little more alike than real ones.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from scipy import ndimage

from hilum.core import Geometry, InputError, Quantity, Volume
from hilum.core.geometry import Floats, Triple
from hilum.core.volume import Voxels
from hilum.datasets.ct_appearance import Appearance, Field, noise_field, noise_hu

_LUNG, _TISSUE = (-970.0, -700.0), (-50.0, 100.0)
_SMOOTHING_MM = 1.4
"""In the slice: what is finer is noise, or a vessel."""
_NOISE_UP_TO, _STRUCTURE_FROM = 2.0, 3.5
"""Local deviation over that of noise alone: below the first everything is noise, from the second on nothing is."""
_AROUND = (1, 5, 5)
_LEAST_HU = 1.0
_KNOTS_MM = 30.0
Order: TypeAlias = Literal[1, 3]
_FOLDING = 0.45
"""Steepest displacement in mm a mm: breath folds nothing."""


@dataclass(frozen=True, eq=False)
class Noise:
    """Of a scan.

    Attributes:
        lung_hu: in lung, by second differences.
        tissue_hu: in soft tissue.
        texture: as `ct_appearance.Appearance.texture`.
    """

    lung_hu: float
    tissue_hu: float
    texture: Field

    def level(self, hu: Field) -> Field:
        """[z, y, x] standard deviation: that of lung below -850 HU, of tissue above 0, in between in proportion."""
        share = np.clip((hu + 850) / 850, 0, 1)
        return np.asarray(self.lung_hu + share * (self.tissue_hu - self.lung_hu), dtype=np.float32)

    def times(self, factor: float) -> "Noise":
        """The same texture at another level."""
        return Noise(self.lung_hu * factor, self.tissue_hu * factor, self.texture)


@dataclass(frozen=True, eq=False)
class Background:
    """A CT without what is only noise.

    Attributes:
        ct: float32 HU, axes along the patient's.
        kept: [z, y, x] share of the scan's own noise that is left, 0 to 1.
        noise: that the scan had.
        sigma_mm: in-plane blur of the scan.
    """

    ct: Volume
    kept: Field
    noise: Noise
    sigma_mm: float


def background(ct: Volume, looks: Appearance, sigma_mm: float = 0.65) -> Background:
    """What a CT shows beside noise.

    Args:
        ct: in HU, axes along the patient's.
        looks: of it (`ct_appearance.appearance`).
        sigma_mm: blur where too few edges tell it.
    """
    hu = ct.array.astype(np.float32)
    noise = _noise_of(ct.array, looks)
    _, dy, dx = ct.geometry.spacing_zyx_mm
    smooth = ndimage.gaussian_filter(hu, (0, _SMOOTHING_MM / dy, _SMOOTHING_MM / dx))
    fine = hu - smooth
    alone = max(noise.tissue_hu, _LEAST_HU) * _fine_share(noise.texture, (dy, dx))
    local = np.sqrt(np.maximum(ndimage.uniform_filter(fine**2, _AROUND), 0)) / max(alone, _LEAST_HU)
    kept = np.clip((local - _NOISE_UP_TO) / (_STRUCTURE_FROM - _NOISE_UP_TO), 0, 1).astype(np.float32)
    sigma = looks.sigma_mm if math.isfinite(looks.sigma_mm) else sigma_mm
    return Background(Volume(smooth + kept * fine, ct.geometry), kept, noise, sigma)


def _noise_of(array: Voxels, looks: Appearance) -> Noise:
    planes = array[:: max(1, len(array) // 40)]
    found = [noise_hu(planes, (planes > low) & (planes < high)) for low, high in (_LUNG, _TISSUE)]
    whole = looks.noise_hu if math.isfinite(looks.noise_hu) else 0.0
    lung, tissue = (one if math.isfinite(one) else whole for one in found)
    return Noise(lung, tissue, looks.texture)


def _fine_share(texture: Field, steps: tuple[float, float]) -> float:
    """Deviation that is left of noise of a texture when what is smooth is taken off."""
    white = noise_field(np.random.default_rng(0), (1, 96, 96), texture)
    smooth = ndimage.gaussian_filter(white, (0, _SMOOTHING_MM / steps[0], _SMOOTHING_MM / steps[1]))
    return float((white - smooth).std())


def noised(seen: Background, rng: np.random.Generator, shown: Field | None = None) -> Volume:
    """A scan: new noise over a background.

    Args:
        seen: the background, with what was put into it.
        rng: of the noise.
        shown: [z, y, x] share of the background that was left by what was put into it; None for all of it.

    Returns:
        int16 HU.
    """
    kept = seen.kept if shown is None else seen.kept * shown
    level = seen.noise.level(seen.ct.array) * np.sqrt(1 - kept**2)
    noise = noise_field(rng, seen.ct.geometry.shape_zyx, seen.noise.texture) * level
    ends = np.iinfo(np.int16)
    array = np.clip(np.rint(seen.ct.array + noise), ends.min, ends.max).astype(np.int16)
    return Volume(array, seen.ct.geometry)


def with_slices(seen: Background, slice_mm: float) -> Background:
    """The same on slices of another thickness, which lie side by side; thinner ones are interpolated.

    A slice's noise falls with the square root of its thickness, and slices of another thickness share none.

    Args:
        seen: of a CT with axes along the patient's.
        slice_mm: distance and thickness of the new slices.

    Raises:
        InputError: no more than one slice would be left.
    """
    grid = seen.ct.geometry
    old = grid.spacing_zyx_mm[0]
    if math.isclose(old, slice_mm, abs_tol=1e-3):
        return seen
    target = _sliced(grid, slice_mm)
    ct, kept = (_averaged(one, target) for one in (seen.ct, Volume(seen.kept, grid, Quantity.DISPLAY)))
    middle = seen.noise.texture[len(seen.noise.texture) // 2][None]
    unit = noise_hu_of(middle)
    noise = Noise(seen.noise.lung_hu, seen.noise.tissue_hu, np.asarray(middle / unit, dtype=np.float32))
    return replace(seen, ct=ct, kept=np.clip(kept.array, 0, 1), noise=noise.times(math.sqrt(old / slice_mm)))


def noise_hu_of(texture: Field) -> float:
    """Deviation of second differences of what a filter makes of white noise."""
    from hilum.datasets.ct_appearance import second_differences

    padded = np.pad(texture, ((0, 0), (2, 2), (2, 2)))
    return float(np.sqrt((second_differences(padded) ** 2).sum()))


def _sliced(grid: Geometry, slice_mm: float) -> Geometry:
    old, y, x = grid.spacing_zyx_mm
    count = math.floor(grid.shape_zyx[0] * old / slice_mm + 1e-6)
    if count < 2:
        raise InputError(
            f"slices of {slice_mm:g} mm leave {count} of a CT of {grid.shape_zyx[0] * old:g} mm.", "Take thinner ones."
        )
    new = grid.with_spacing((slice_mm, y, x))
    return Geometry((count, *new.shape_zyx[1:]), new.affine_lps, new.frame_uid)


def _averaged(image: Volume, target: Geometry) -> Volume:
    """Means over the new slices' thickness, of a volume that is linear between the old slices."""
    ratio = target.spacing_zyx_mm[0] / image.geometry.spacing_zyx_mm[0]
    parts = max(1, 2 * math.ceil(ratio) - 1)
    offsets = (np.arange(parts) - (parts - 1) / 2) / parts
    total = np.zeros(target.shape_zyx, dtype=np.float32)
    for offset in offsets:
        affine = np.array(target.affine_lps)
        affine[:3, 3] = target.to_lps_mm((offset, 0, 0))
        total += _read(image, Geometry(target.shape_zyx, affine))
    return Volume(total / parts, target, image.quantity)


def _read(image: Volume, grid: Geometry) -> Field:
    """Linear along the first axis alone; the ends are repeated."""
    places = grid.to_lps_mm([(k, 0, 0) for k in range(grid.shape_zyx[0])])
    at = np.clip(image.geometry.to_index(places)[:, 0], 0, len(image.array) - 1)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, len(image.array) - 1)
    share = (at - low).astype(np.float32)[:, None, None]
    return np.asarray(image.array[low] * (1 - share) + image.array[high] * share, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Breath:
    """A smooth displacement.

    Attributes:
        moved_mm: [z, y, x, 3] in LPS mm, by which what lies at a place was moved there, on a coarse grid.
        grid: of it.
    """

    moved_mm: Floats
    grid: Geometry

    @classmethod
    def draw(cls, ct: Geometry, most_mm: float, rng: np.random.Generator) -> "Breath":
        """A random one, at most so long, and never so steep that anything folds.

        Raises:
            InputError: the length is negative.
        """
        if most_mm < 0:
            raise InputError(f"a displacement is not negative, got {most_mm:g} mm.")
        grid = ct.with_spacing((_KNOTS_MM / 2,) * 3)
        values = rng.standard_normal((*grid.shape_zyx, 3))
        smooth = ndimage.gaussian_filter(values, (1.5, 1.5, 1.5, 0), mode="nearest")
        smooth *= most_mm / max(float(np.linalg.norm(smooth, axis=-1).max()), 1e-9)
        steepest = max(
            float(np.abs(np.diff(smooth, axis=axis)).max()) / step if smooth.shape[axis] > 1 else 0.0
            for axis, step in enumerate(grid.spacing_zyx_mm)
        )
        return cls(smooth * min(1.0, _FOLDING / max(steepest, 1e-9)), grid)

    def at(self, points_lps_mm: Floats) -> Floats:
        """[n, 3] displacement at places [n, 3]."""
        index = self.grid.to_index(points_lps_mm).T
        parts = [ndimage.map_coordinates(self.moved_mm[..., axis], index, order=1, mode="nearest") for axis in range(3)]
        return np.stack(parts, axis=-1)

    def place_of(self, point_lps_mm: Triple) -> Triple:
        """Where a point of the CT comes to lie: q = p + u(q), by iteration."""
        start = np.array(point_lps_mm)
        place = start
        for _ in range(50):
            place = start + self.at(place[None])[0]
        x, y, z = place.tolist()
        return x, y, z

    def applied(self, seen: Background, order: Order = 3) -> Background:
        """What the scanner sees of a CT then: new(q) = old(q - u(q)), by splines; order 1 is quick and blunter."""
        ct = self._moved(seen.ct, order)
        kept = self._moved(Volume(seen.kept, seen.ct.geometry, Quantity.DISPLAY), order=1)
        return replace(seen, ct=ct, kept=np.clip(kept.array, 0, 1))

    def _moved(self, image: Volume, order: Order) -> Volume:
        grid = image.geometry
        inverse = np.linalg.inv(grid.affine_lps[:3, :3])
        values = np.asarray(image.array, dtype=np.float32)
        coefficients = values if order == 1 else ndimage.spline_filter(values, 3, output=np.float32)
        out = np.empty(grid.shape_zyx, dtype=np.float32)
        plane = np.moveaxis(np.indices((1, *grid.shape_zyx[1:]), dtype=np.float64), 0, -1).reshape(-1, 3)
        for k in range(grid.shape_zyx[0]):
            index = plane + np.array([k, 0, 0])
            since = index - (self.at(grid.to_lps_mm(index)) @ inverse.T)[:, ::-1]
            found = ndimage.map_coordinates(coefficients, since.T, order=order, mode="nearest", prefilter=False)
            out[k] = found.reshape(grid.shape_zyx[1:])
        return Volume(out, grid, image.quantity)
