"""A nodule's shape and density apart from any scanner, so that it can grow by a known share and be scanned again.

A nodule that is cut out of a CT brings that CT's blur along, and enlarging the cut-out enlarges the blur. Here the
surface and the inside are taken apart:

1. **Surface**: the signed distance to a reader's mask, smoothed, on steps of half a millimetre. What lies within it is
   the nodule; its volume is counted on finer steps, so the truth has no rounding of voxels.
2. **Inside**: the share of air that the nodule fills, from where the reader's mask is deepest, divided by what the
   cube's blur leaves there of the mask itself, and carried on to the surface by the nearest of it.
3. **Growth** by a factor g of volume scales surface and inside by g^(1/3) about the centroid (uniform expansion).
4. **Scanning**: the scaled nodule is sampled finer than the CT's voxels, blurred by the CT's own Gaussian in the slice
   and averaged over each voxel and slice, so its margin is as sharp as that scan has margins, whatever its size.

A nodule fills air: new = old + f (tissue - old), as for inserted ones (`hilum.datasets.inserted3d`).
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hilum.core import Geometry, InputError, Quantity, Volume
from hilum.core.geometry import Floats, Shape3, Triple
from hilum.core.mask import Selection
from hilum.datasets.inserted3d import CUBE_SIGMA_MM, CutOut
from hilum.measure import axial_axes, equivalent_diameter_mm
from hilum.ops import Interpolation, resample_to

Field = NDArray[np.float32]

STEP_MM = 0.5
"""Of the stored surface."""
_COUNTED_MM, _DRAWN_MM = 0.25, 0.1
_SMOOTH_MM = 0.7
"""Sigma of the surface's smoothing: a reader's pixels are no steps of the nodule."""
_CUBE_BLUR_MM = (1.01, CUBE_SIGMA_MM, CUBE_SIGMA_MM)
"""Blur of the published cubes along z, y, x (`inserted3d.CUBE_SLICE_MM`): the air beside a small nodule thins it."""
_LEAST_SEEN = 0.4
_CORE_MM = 1.3
"""Twice the blur of the cubes (`inserted3d.CUBE_SIGMA_MM`): deeper than that the edge is hardly seen."""
_LEAST_CORE = 20
_INSIDE_SMOOTH_MM = 0.8
_MARGIN_MM = 3.0
_FINE_MM = 0.3
"""Parts of a voxel when a nodule is scanned are at most so long."""
_REACH = 3.5
"""Sigmas of blur beyond the surface that are drawn."""
TISSUE_HU = {"solid": 40.0, "part-solid": 40.0, "ground-glass": 40.0}
_GLASS_SHARE, _SOLID_PART = 0.35, 0.55
"""Share of air that ground glass fills, and how much of a part-solid ball's diameter is solid."""


@dataclass(frozen=True, eq=False)
class Growable:
    """A nodule that can be drawn at any volume.

    Attributes:
        id: of the nodule.
        source: whose it is, or what it was made of, in words.
        depth_mm: distance to its surface, positive inside, on a grid whose zero is its centroid.
        filled: share of the air that it fills, on the same grid; defined outside, too.
        tissue_hu: of what fills it.
    """

    id: str
    source: str
    depth_mm: Volume
    filled: Volume
    tissue_hu: float

    @cached_property
    def own_mm3(self) -> float:
        """Volume within its surface as it was taken, counted on steps of a quarter of a millimetre."""
        grid = self.depth_mm.geometry
        fine = grid.with_spacing((_COUNTED_MM,) * 3)
        depth = resample_to(self.depth_mm, fine).array
        return float(_occupied(depth, _COUNTED_MM).sum(dtype=np.float64)) * fine.voxel_mm3

    @property
    def own_diameter_mm(self) -> float:
        """Equivalent diameter as it was taken."""
        return equivalent_diameter_mm(self.own_mm3)

    @cached_property
    def reach_mm(self) -> float:
        """From its centroid to its outermost point, as it was taken."""
        places = self.depth_mm.geometry.to_lps_mm(np.argwhere(self.depth_mm.array > 0))
        return float(np.linalg.norm(places, axis=1).max())

    @cached_property
    def axes_mm(self) -> tuple[float, float]:
        """Long and short axis on its largest axial slice, as it was taken, read on steps of a tenth of a millimetre."""
        inside = self.depth_mm.array > 0
        k = int(inside.sum(axis=(1, 2)).argmax())
        _, ny, nx = inside.shape
        plane = self.depth_mm.geometry.crop((k, 0, 0), (1, ny, nx)).with_spacing((STEP_MM, _DRAWN_MM, _DRAWN_MM))
        axes = axial_axes(resample_to(self.depth_mm, plane).array > 0, plane)
        return axes.long_mm, axes.short_mm

    def scale_to(self, volume_mm3: float) -> float:
        """Enlargement of lengths that gives it this volume."""
        if not volume_mm3 > 0:
            raise InputError(f"a nodule's volume is positive, got {volume_mm3:g} mm³.")
        return math.cbrt(volume_mm3 / self.own_mm3)


@dataclass(frozen=True)
class Scanner:
    """How sharp a scan is.

    Attributes:
        sigma_mm: in-plane blur beside the voxel's own (`ct_appearance.Appearance.sigma_mm`).
        slice_mm: what a slice is a mean over; the distance of the slices when None.
    """

    sigma_mm: float = 0.65
    slice_mm: float | None = None


@dataclass(frozen=True, eq=False)
class Drawn:
    """A nodule on the voxels of a block.

    Attributes:
        filled: [z, y, x] share of the air that it fills there, with the scan's blur.
        covered: [z, y, x] share of each voxel that lies within its surface, without any blur.
        start_kji: where the block begins in the CT.
        grid: of the block.
    """

    filled: Field
    covered: Field
    start_kji: Shape3
    grid: Geometry

    @property
    def place(self) -> tuple[slice, slice, slice]:
        """Of the block in the CT."""
        z, y, x = (slice(start, start + size) for start, size in zip(self.start_kji, self.grid.shape_zyx, strict=True))
        return z, y, x

    @property
    def mask(self) -> Selection:
        """Voxels of the block that it covers most, as many as have its volume; one at least."""
        wanted = max(1, round(float(self.covered.sum(dtype=np.float64))))
        chosen = np.zeros(self.covered.size, dtype=bool)
        chosen[np.argsort(-self.covered, axis=None, kind="stable")[:wanted]] = True
        return np.asarray(chosen.reshape(self.covered.shape) & (self.covered > 0))


def growable(cut: CutOut) -> Growable:
    """The surface and the inside of a real nodule.

    Args:
        cut: out of its cube (`inserted3d.cut_out`).
    """
    mask = cut.mask.labels > 0
    grid = cut.mask.require_geometry()
    steps = grid.spacing_zyx_mm
    depth = ndimage.distance_transform_edt(mask, steps) - ndimage.distance_transform_edt(~mask, steps)
    depth -= np.sign(depth) * min(steps) / 2
    share = np.clip(cut.hu.array.astype(np.float32) - cut.level_hu, 0, None) / np.float32(cut.tissue_hu - cut.level_hu)
    blurred = ndimage.gaussian_filter(mask.astype(np.float32), np.divide(_CUBE_BLUR_MM, steps))
    inside = _carried_on(share / np.maximum(blurred, _LEAST_SEEN), depth, steps)
    centred = _about(grid, np.argwhere(mask).mean(axis=0))
    fine = centred.with_spacing((STEP_MM,) * 3)
    smooth = [sigma / STEP_MM for sigma in (_SMOOTH_MM,) * 3]
    surface = ndimage.gaussian_filter(
        resample_to(Volume(depth.astype(np.float32), centred, Quantity.DISPLAY), fine, Interpolation.CUBIC).array,
        smooth,
    )
    filled = resample_to(Volume(inside, centred, Quantity.DISPLAY), fine).array
    found = _tight(surface, np.clip(filled, 0, 1.1), fine)
    return Growable(cut.id, f"nodule of {cut.patient}, one reader's contour", *found, cut.tissue_hu)


def ball(texture: str = "solid", axes: Triple = (1.0, 1.0, 1.0), diameter_mm: float = 10.0) -> Growable:
    """A ball, or an ellipsoid, of even density.

    Args:
        texture: "solid", "part-solid" (a solid ball of .55 of the diameter within ground glass) or "ground-glass".
        axes: lengths along x, y and z in proportion to each other.
        diameter_mm: of the ball with the same volume.

    Raises:
        InputError: there is no such texture, or an axis that is not positive.
    """
    if texture not in TISSUE_HU or min(axes) <= 0:
        raise InputError(
            f"there is no {texture} nodule with axes of {axes}.", f"Textures: {', '.join(TISSUE_HU)}; axes above 0."
        )
    radii = np.array(axes[::-1]) / math.prod(axes) ** (1 / 3) * diameter_mm / 2
    half = np.ceil((radii + _MARGIN_MM) / STEP_MM).astype(int)
    z, y, x = (2 * half + 1).tolist()
    low = (-half[::-1] * STEP_MM).tolist()
    grid = Geometry.regular((z, y, x), (STEP_MM,) * 3, (low[0], low[1], low[2]))
    places = (np.moveaxis(np.indices((z, y, x)), 0, -1) - half) * STEP_MM
    depth = _ellipsoid_depth(places, radii).astype(np.float32)
    share = np.full_like(depth, 1.0 if texture == "solid" else _GLASS_SHARE)
    if texture == "part-solid":
        share[_ellipsoid_depth(places, radii * _SOLID_PART) > 0] = 1.0
    display = [Volume(one, grid, Quantity.DISPLAY) for one in (depth, share)]
    kind = "ball" if len(set(axes)) == 1 else "ellipsoid"
    return Growable(
        f"{texture} {kind}", f"{texture} {kind} of even density", display[0], display[1], TISSUE_HU[texture]
    )


def drawn(nodule: Growable, volume_mm3: float, centre_lps_mm: Triple, ct: Geometry, scanner: Scanner) -> Drawn | None:
    """A nodule of a volume on a CT's grid, as that scan would show it; None where it lies outside of the CT.

    Args:
        nodule: see there.
        volume_mm3: within its surface.
        centre_lps_mm: of its centroid.
        ct: the grid, axes along the patient's.
        scanner: how sharp it is.
    """
    scale = nodule.scale_to(volume_mm3)
    block = _block(ct, centre_lps_mm, nodule.reach_mm * scale, scanner)
    if block is None:
        return None
    start, grid = block
    parts = _parts(grid)
    fine = grid.with_spacing(_triple(np.array(grid.spacing_zyx_mm) / parts))
    own = _scaled(nodule.depth_mm.geometry, scale, centre_lps_mm)
    depth = resample_to(Volume(nodule.depth_mm.array + _FAR, own, Quantity.DISPLAY), fine).array - _FAR
    inside = resample_to(Volume(nodule.filled.array, own, Quantity.DISPLAY), fine).array
    occupied = _occupied(np.asarray(depth * scale, dtype=np.float32), float(np.cbrt(fine.voxel_mm3)))
    steps = np.array(fine.spacing_zyx_mm)
    seen = ndimage.gaussian_filter(occupied * inside, (0, *(scanner.sigma_mm / steps[1:])), mode="constant")
    width = (scanner.slice_mm or grid.spacing_zyx_mm[0]) / steps[0]
    seen = _means(seen, (1, *parts[1:]))
    filled = _slices(seen, width, parts[0])
    return Drawn(filled, _means(occupied, parts), start, grid)


_FAR = 1000.0
"""Added while resampling, so that what lies outside of the stored surface reads as far outside of the nodule."""


def _block(ct: Geometry, centre_lps_mm: Triple, reach_mm: float, scanner: Scanner) -> tuple[Shape3, Geometry] | None:
    """The part of a CT's grid that a nodule may reach with its blur."""
    steps = np.array(ct.spacing_zyx_mm)
    thick = scanner.slice_mm or steps[0]
    beyond = reach_mm + np.array([thick / 2, _REACH * scanner.sigma_mm, _REACH * scanner.sigma_mm]) + STEP_MM
    middle = ct.to_index(centre_lps_mm)
    low = np.clip(np.floor(middle - beyond / steps), 0, ct.shape_zyx).astype(int)
    high = np.clip(np.ceil(middle + beyond / steps) + 1, 0, ct.shape_zyx).astype(int)
    if (high <= low).any():
        return None
    (k, j, i), (nz, ny, nx) = low.tolist(), (high - low).tolist()
    return (k, j, i), ct.crop((k, j, i), (nz, ny, nx))


def _parts(grid: Geometry) -> Shape3:
    """Into how many parts each voxel is divided; odd numbers, so that a voxel's centre is the middle one's."""
    z, y, x = (2 * math.ceil((step / _FINE_MM - 1) / 2) + 1 if step > _FINE_MM else 1 for step in grid.spacing_zyx_mm)
    return z, y, x


def _slices(fine: Field, width: float, parts: int) -> Field:
    """Running mean along the first axis over so many parts, at every slice's middle."""
    n = max(0, math.ceil((width - 1) / 2))
    weights = np.ones(2 * n + 1)
    if n:
        weights[[0, -1]] = (width - (2 * n - 1)) / 2
    smooth = ndimage.convolve1d(fine, weights / weights.sum(), axis=0, mode="constant")
    return np.asarray(smooth[parts // 2 :: parts], dtype=np.float32)


def _means(fine: Field, parts: Shape3) -> Field:
    nz, ny, nx = (size // part for size, part in zip(fine.shape, parts, strict=True))
    blocks = fine.reshape(nz, parts[0], ny, parts[1], nx, parts[2])
    return np.asarray(blocks.mean(axis=(1, 3, 5)), dtype=np.float32)


def _occupied(depth_mm: Field, step_mm: float) -> Field:
    """Share of a small voxel within a surface whose distance from its centre is known."""
    return np.asarray(np.clip(depth_mm / np.float32(step_mm) + np.float32(0.5), 0, 1), dtype=np.float32)


def _scaled(grid: Geometry, scale: float, centre_lps_mm: Triple) -> Geometry:
    """A grid about zero, enlarged and moved to a place."""
    affine = np.array(grid.affine_lps)
    affine[:3] *= scale
    affine[:3, 3] += centre_lps_mm
    return replace(grid, affine_lps=affine)


def _about(grid: Geometry, middle_kji: Floats) -> Geometry:
    """A grid moved so that a place between its voxels lies at zero."""
    affine = np.array(grid.affine_lps)
    affine[:3, 3] -= grid.to_lps_mm(middle_kji)
    return Geometry(grid.shape_zyx, affine)


def _carried_on(share: Field, depth: Floats, steps: Triple) -> Field:
    """What the deep voxels have, smoothed among themselves, and elsewhere that of the nearest of them."""
    deep = depth > _CORE_MM
    if deep.sum() < _LEAST_CORE:
        deep = depth >= np.sort(depth, axis=None)[-_LEAST_CORE]
    sigma = [_INSIDE_SMOOTH_MM / step for step in steps]
    among = ndimage.gaussian_filter(deep.astype(np.float32), sigma)
    smooth = ndimage.gaussian_filter(np.where(deep, share, 0), sigma) / np.maximum(among, 1e-6)
    nearest = ndimage.distance_transform_edt(~deep, steps, return_distances=False, return_indices=True)
    return np.asarray(smooth[tuple(nearest)], dtype=np.float32)


def _tight(surface: Field, filled: Field, grid: Geometry) -> tuple[Volume, Volume]:
    """Both on the part of the grid that holds the nodule and a margin."""
    inside = np.argwhere(surface > 0)
    margin = math.ceil(_MARGIN_MM / STEP_MM)
    low = np.maximum(inside.min(axis=0) - margin, 0)
    high = np.minimum(inside.max(axis=0) + margin + 1, surface.shape)
    (k, j, i), (nz, ny, nx) = low.tolist(), (high - low).tolist()
    whole = (Volume(one.astype(np.float32), grid, Quantity.DISPLAY) for one in (surface, filled))
    depth, share = (one.crop((k, j, i), (nz, ny, nx)) for one in whole)
    return depth, share


def _ellipsoid_depth(places: Floats, radii: Floats) -> Floats:
    """Distance to an ellipsoid's surface to first order, exact for a ball: k0 (1 - k0) / k1."""
    k0 = np.linalg.norm(places / radii, axis=-1)
    k1 = np.maximum(np.linalg.norm(places / radii**2, axis=-1), 1e-9)
    return np.asarray(np.where(k0 < 1e-9, radii.min(), k0 * (1 - k0) / k1))


def _triple(values: Floats) -> Triple:
    z, y, x = values.tolist()
    return float(z), float(y), float(x)
