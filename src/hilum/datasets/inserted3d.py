"""Real nodules of one CT inserted into the lung of another.

Each step is something that a scanner or a lung does, and can be tested:

1. **Out of its cube.** Around the nodule the lung has a level, the median of lung voxels 2 to 8 mm from its mask. What
   the nodule has above it, within a soft edge half a millimetre outside of the mask (readers' own outlines are in it),
   is the nodule; the share of air that it fills is f = (HU - level) / (tissue - level).
2. **To the CT's grid**, mirrored, turned by quarters in the slice and enlarged by what was drawn, never more. A
   slice is a mean over its thickness, as far as the cube's own slices were thinner; a blunter CT's blur is added in the
   slice. A CT that is sharper than the cube gets no sharpness that the cube doesn't have.
3. **Noise.** What of the CT's noise is missing where the nodule fills the air is added in the CT's own texture; a
   noisier cube is smoothed in the slice until it has no more than the CT.
4. **Blended by what tissue does to air**: new = old + f (tissue - old). Where the old lung is as the cube's, this is
   the nodule to the digit; a vessel that crosses stays what it was, because no air is left in it, and a solid nodule
   can't become brighter by it. The plain sum would make a vessel in a nodule 900 HU, plain replacement would cut it
   with a dark rim, and the brighter of both would lift the mean of noise at every edge.

Voxels that the edge doesn't reach are not touched.
"""

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import ndimage
from scipy.special import ndtr

from hilum.core import Geometry, Mask, Nodule, Quantity, Volume
from hilum.core.geometry import Shape3, Triple
from hilum.core.mask import Selection
from hilum.datasets.ct_appearance import Appearance, Field, noise_field, noise_hu
from hilum.measure import centroid_lps_mm, diameters, volume_mm3
from hilum.ops import Interpolation, largest_part, resample_to

INSERTED = "one reader's contour, inserted (synthetic)"
"""Truth of a nodule that was cut out of one CT and put into another."""

CUBE_SIGMA_MM = 0.65
"""In-plane blur of LIDC's published cubes of 1 mm: the lower quartile of 144,110 edges of all training patients' cubes
by `edge_sigma_mm`."""
CUBE_SLICE_MM = 2.7
"""Thickness of slices that explains their blur from foot to head, 1.01 mm of 28,542 edges: √(12 (1.01² - .65²))."""

SCALES = (0.85, 1.2)
TISSUE_HU = 50.0
_RING_MM = (2.0, 8.0)
_LUNG_HU = -500.0
_EMPTY_HU = -850.0
"""Lung, where a cube shows too little of it."""
_EDGE_MM, _EDGE_SIGMA_MM = 0.5, 0.6
_FAINT = 0.02
"""Shares below this are none."""
_MARGIN_MM = 4.0
_FINE_MM = 0.5
_SHARES = 3
"""Parts of a pixel's side at which the mask is read to tell how much of a voxel it covers."""
_SMOOTHING_PX = (0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2)
_NOISIER = 1.1
_AROUND_MM = 20.0


@dataclass(frozen=True, eq=False)
class CutOut:
    """A nodule cut out of its cube.

    Attributes:
        id: of the case that it is of.
        patient: whose it is.
        hu: the cube.
        filled: [z, y, x] share of the air that it fills, on the cube's grid; 0 outside of its soft edge.
        edge: [z, y, x] the soft edge, 1 within the nodule.
        mask: its voxels.
        level_hu: of the lung around it.
        tissue_hu: that fills the air.
        nodule: as its source has measured and rated it.
    """

    id: str
    patient: str
    hu: Volume
    filled: Volume
    edge: Volume
    mask: Mask
    level_hu: float
    tissue_hu: float
    nodule: Nodule

    @property
    def volume_mm3(self) -> float:
        """Of its mask."""
        return volume_mm3(self.mask.labels > 0, self.mask.require_geometry())

    @property
    def reach_mm(self) -> float:
        """From its centroid to the outermost voxel's edge."""
        grid = self.mask.require_geometry()
        places = grid.to_lps_mm(np.argwhere(self.mask.labels))
        return float(np.linalg.norm(places - places.mean(axis=0), axis=1).max()) + max(grid.spacing_zyx_mm) / 2


def cut_out(ct: Volume, mask: Mask, patient: str, nodule: Nodule) -> CutOut:
    """Step 1.

    Args:
        ct: the cube, in HU.
        mask: its nodule, on the same grid.
        patient: whose it is.
        nodule: with its id and ratings.
    """
    inside: Selection = mask.labels > 0
    steps = ct.geometry.spacing_zyx_mm
    away = ndimage.distance_transform_edt(~inside, steps) - ndimage.distance_transform_edt(inside, steps)
    away -= np.sign(away) * min(steps) / 2
    hu = ct.array.astype(np.float32)
    lung = hu[(away > _RING_MM[0]) & (away < _RING_MM[1]) & (hu < _LUNG_HU)]
    level = float(np.median(lung)) if len(lung) > 50 else _EMPTY_HU
    core = hu[away < -1] if (away < -1).any() else hu[inside]
    tissue = max(TISSUE_HU, float(np.quantile(core, 0.9)))
    edge = ndtr((_EDGE_MM - away) / _EDGE_SIGMA_MM).astype(np.float32)
    edge[edge < _FAINT] = 0
    filled = edge * (hu - level) / np.float32(tissue - level)
    share = partial(Volume, geometry=ct.geometry, quantity=Quantity.DISPLAY)
    return CutOut(nodule.id, patient, ct, share(filled), share(edge), mask, level, tissue, nodule)


@dataclass(frozen=True)
class Turn:
    """How a nodule is changed before it is inserted.

    Attributes:
        quarters: quarter turns in the slice.
        mirrored: along x, y, z.
        scale: enlargement.
    """

    quarters: int = 0
    mirrored: tuple[bool, bool, bool] = (False, False, False)
    scale: float = 1.0

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Turn":
        """Any of 16 orientations, and a scale within `SCALES`, small and large alike."""
        low, high = np.log(SCALES)
        x, y, z = (bool(one) for one in rng.random(3) < 0.5)
        return cls(int(rng.integers(4)), (x, y, z), float(np.exp(rng.uniform(low, high))))

    def grid(self, mask: Mask, centre_lps_mm: Triple) -> Geometry:
        """The cube's grid where the nodule's centroid lies at a point, turned and enlarged about it."""
        grid = mask.require_geometry()
        quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        turn = np.linalg.matrix_power(quarter, self.quarters) @ np.diag([-1.0 if one else 1.0 for one in self.mirrored])
        affine = np.eye(4)
        affine[:3, :3] = self.scale * turn @ grid.affine_lps[:3, :3]
        middle = np.argwhere(mask.labels).mean(axis=0)
        affine[:3, 3] = centre_lps_mm - affine[:3, :3] @ middle[::-1]
        return Geometry(grid.shape_zyx, affine)


@dataclass(frozen=True, eq=False)
class Inserted:
    """A nodule in a CT.

    Attributes:
        block: the part of the CT that it changes, with it.
        start_kji: where the block begins.
        mask: voxels of the block that it covers most, as many as have its volume; without those that were wall before.
        noise_hu: standard deviation of second differences that was missing where it fills all air; 0 for none.
        smoothing_mm: by which a noisier cube was smoothed; 0 for none.
        wall_share: share of its voxels that fell on the lung's wall.
    """

    block: Volume
    start_kji: Shape3
    mask: Mask
    noise_hu: float
    smoothing_mm: float
    wall_share: float = 0.0

    def measured(self, name: str, like: Nodule) -> Nodule:
        """The nodule on the CT's grid, with its source's ratings."""
        selection, grid = self.mask.labels > 0, self.mask.require_geometry()
        return replace(
            like,
            id=name,
            centre_lps_mm=centroid_lps_mm(selection, grid),
            volume_mm3=volume_mm3(selection, grid),
            diameters_mm=diameters(selection, grid),
        )


def insert(
    ct: Volume, looks: Appearance, cut: CutOut, turn: Turn, centre_lps_mm: Triple, rng: np.random.Generator
) -> Inserted:
    """Steps 2 to 4: the changed block of a CT; the CT itself is not touched.

    Args:
        ct: in HU, axes along the patient's (`hilum.ops.to_lps_axes`).
        looks: of it.
        cut: the nodule.
        turn: as drawn.
        centre_lps_mm: where its centroid comes.
        rng: of the noise.
    """
    grid = turn.grid(cut.mask, centre_lps_mm)
    start, block = _block(ct, cut, grid)
    ways = _Way(block.geometry, looks, turn.scale)
    edge = np.clip(ways.brought(Volume(cut.edge.array, grid, Quantity.DISPLAY)), 0, 1)
    filled = ways.brought(Volume(cut.filled.array, grid, Quantity.DISPLAY))
    cubes_noise, wanted = _noise_of_cube(cut, grid, ways), _local_noise(ct, looks, centre_lps_mm)
    smoothing = _smoothing(cubes_noise, wanted)
    if smoothing:
        filled, edge = (ndimage.gaussian_filter(one, (0, smoothing, smoothing)) for one in (filled, edge))
    filled = np.where(edge > _FAINT, filled, 0)
    missing = wanted**2 * (1 - (1 - np.clip(filled, 0, 1)) ** 2) - (edge * cubes_noise[smoothing]) ** 2
    noise = noise_field(rng, block.geometry.shape_zyx, looks.texture) * np.sqrt(np.maximum(missing, 0))
    old = block.array.astype(np.float32)
    new = old + filled * (cut.tissue_hu - old) + np.where(edge > _FAINT, noise, 0)
    array = np.where(edge > _FAINT, _as(new, block), block.array)
    mask = _covered(cut.mask, grid, block.geometry)
    return Inserted(
        Volume(array, block.geometry),
        start,
        Mask.of(mask, block.geometry),
        math.sqrt(max(wanted**2 - cubes_noise[smoothing] ** 2, 0.0)),
        smoothing * block.geometry.spacing_zyx_mm[1],
    )


def _block(ct: Volume, cut: CutOut, grid: Geometry) -> tuple[Shape3, Volume]:
    """The part of the CT that the soft edge may reach, and a margin."""
    places = grid.to_lps_mm(np.argwhere(cut.edge.array > 0))
    index = ct.geometry.to_index([places.min(axis=0), places.max(axis=0)])
    margin = np.ceil(_MARGIN_MM / np.array(ct.geometry.spacing_zyx_mm)) + 1
    low = np.clip(np.floor(index.min(axis=0)) - margin, 0, ct.geometry.shape_zyx).astype(int)
    high = np.clip(np.ceil(index.max(axis=0)) + margin + 1, 0, ct.geometry.shape_zyx).astype(int)
    (k, j, i), (nz, ny, nx) = low.tolist(), (high - low).tolist()
    return (k, j, i), ct.crop((k, j, i), (nz, ny, nx))


@dataclass(frozen=True, eq=False)
class _Way:
    """From a cube to a block of the CT.

    Attributes:
        target: the block's grid.
        looks: of the CT.
        scale: enlargement, which blunts the cube as well.
    """

    target: Geometry
    looks: Appearance
    scale: float

    def brought(self, source: Volume) -> Field:
        """[z, y, x] numbers of the cube on the block, as blunt as the CT and as thick as its slices."""
        slice_mm, pixel_mm = self.target.spacing_zyx_mm[0], self.target.spacing_zyx_mm[1]
        parts = 2 * math.ceil(slice_mm / _FINE_MM / 2) + 1
        fine = _split(self.target, (parts, 1, 1))
        values = resample_to(source, fine, Interpolation.CUBIC).array
        width = math.sqrt(max(slice_mm**2 - (self.scale * CUBE_SLICE_MM) ** 2, 0.0)) * parts / slice_mm
        values = _box_mean(values, width)[parts // 2 :: parts]
        sigma = self.looks.sigma_mm if math.isfinite(self.looks.sigma_mm) else 0.0
        more_mm = math.sqrt(max(sigma**2 - (self.scale * CUBE_SIGMA_MM) ** 2, 0.0))
        return np.asarray(ndimage.gaussian_filter(values, (0, more_mm / pixel_mm, more_mm / pixel_mm)))


def _split(grid: Geometry, parts: Shape3) -> Geometry:
    """Each voxel divided into equal parts."""
    steps = np.array(grid.spacing_zyx_mm) / parts
    return grid.with_spacing((float(steps[0]), float(steps[1]), float(steps[2])))


def _box_mean(values: Field, width: float) -> Field:
    """Running mean along the first axis over so many voxels, parts of voxels at its ends."""
    if width <= 1:
        return values
    n = math.ceil((width - 1) / 2)
    weights = np.ones(2 * n + 1)
    weights[[0, -1]] = (width - (2 * n - 1)) / 2
    return np.asarray(ndimage.convolve1d(values, weights / weights.sum(), axis=0, mode="nearest"))


def _covered(mask: Mask, grid: Geometry, target: Geometry) -> Selection:
    """The voxels that the nodule covers most, as many as have its volume, one at least.

    A fixed half would take a tenth off nodules below 8 mm on slices of 2.5 mm, and half of some: convex ends cover less
    than half of their slice.
    """
    slice_parts = 2 * math.ceil(target.spacing_zyx_mm[0] / _FINE_MM / 2) + 1
    parts = (slice_parts, _SHARES, _SHARES)
    fine = resample_to(Mask(mask.labels, grid), _split(target, parts)).labels > 0
    nz, ny, nx = target.shape_zyx
    share = fine.reshape(nz, parts[0], ny, parts[1], nx, parts[2]).mean(axis=(1, 3, 5))
    wanted = max(1, round(volume_mm3(mask.labels > 0, grid) / target.voxel_mm3))
    chosen = np.zeros(share.size, dtype=bool)
    chosen[np.argsort(-share, axis=None, kind="stable")[:wanted]] = True
    return np.asarray(chosen.reshape(share.shape) & (share > 0))


def _noise_of_cube(cut: CutOut, grid: Geometry, ways: _Way) -> dict[float, float]:
    """Its noise in HU on the block, by each smoothing in pixels; 0 where too little of it is lung or tissue."""
    there = Volume(cut.hu.array.astype(np.float32) - np.float32(cut.level_hu), grid, Quantity.DISPLAY)
    values = ways.brought(there) + np.float32(cut.level_hu)
    found = (noise_hu(ndimage.gaussian_filter(values, (0, px, px))) for px in _SMOOTHING_PX)
    return {px: one if math.isfinite(one) else 0.0 for px, one in zip(_SMOOTHING_PX, found, strict=True)}


def _smoothing(by_pixels: dict[float, float], wanted: float) -> float:
    """The least smoothing after which a cube is hardly noisier than the CT."""
    return next((px for px, noise in by_pixels.items() if noise <= _NOISIER * wanted), _SMOOTHING_PX[-1])


def _local_noise(ct: Volume, looks: Appearance, centre_lps_mm: Triple) -> float:
    """The CT's noise around a place; 0 where nothing says it."""
    centre = np.rint(ct.geometry.to_index(centre_lps_mm)).astype(int)
    reach = np.ceil(_AROUND_MM / np.array(ct.geometry.spacing_zyx_mm)).astype(int)
    near = tuple(slice(max(c - r, 0), c + r + 1) for c, r in zip(centre.tolist(), reach.tolist(), strict=True))
    found = noise_hu(ct.array[near])
    return next((one for one in (found, looks.noise_hu) if math.isfinite(one)), 0.0)


def _as(values: Field, block: Volume) -> Field:
    """In the CT's own type of numbers."""
    if block.array.dtype.kind != "i":
        return values
    ends = np.iinfo(block.array.dtype)
    return np.asarray(np.clip(np.rint(values), ends.min, ends.max).astype(block.array.dtype))


def without_wall(inserted: Inserted, wall: Selection) -> Inserted:
    """The nodule's largest part that is not on the lung's wall (block's [z, y, x])."""
    mask = inserted.mask.labels > 0
    left = largest_part(mask & ~wall) if (mask & ~wall).any() else mask & ~wall
    share = 1 - float(left.sum()) / float(mask.sum())
    return replace(inserted, mask=Mask.of(left, inserted.block.geometry), wall_share=share)
