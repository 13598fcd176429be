"""How a CT looks, as far as an inserted nodule could give itself away by it: sharpness, level and texture of noise.

- **Sharpness**: standard deviation in mm of the Gaussian that blurs a step. At an edge between lung and soft tissue
  that crosses an axis squarely, the step Δ and the steepest slope g, of the Gaussian through three neighbouring
  differences, give Δ / (g √(2π)); a difference is a mean over a voxel, so h² / 12 is taken off its square. Anatomy's
  own edges are never sharper than the scanner, and often blunter, so the lower quartile of all edges counts.
- **Noise**: second differences along rows and columns of a slice, which a plane and most anatomy leave at 0 (Immerkær,
  Comput. Vis. Image Underst. 64, 1996), by their median deviation, over voxels that are lung or soft tissue.
- **Texture**: the mean power spectrum of the quietest blocks of soft tissue.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from hilum.core import Volume
from hilum.core.geometry import Shape3
from hilum.core.mask import Selection
from hilum.core.volume import Voxels

Field = NDArray[np.float32]

_ENDS_MM = 4.0
"""How far from an edge its two levels are read."""
_LUNG_BELOW, _TISSUE = -700.0, (-130.0, 250.0)
_SQUARE = 0.4
"""Slope beside an edge's own direction, as a share of it."""
_LEAST_SLOPE = 1e-3
_LEAST_EDGES, _QUANTILE = 50, 0.25
_MOST_PLANES = 60
_FLAT = ((-970.0, -700.0), (-50.0, 100.0))
"""HU of lung and of soft tissue, where noise is looked for."""
_SECOND = np.array([1.0, -2.0, 1.0])
_MAD = 1.4826
"""Median deviation to standard deviation, of a normal distribution."""
_BLOCK_MM = (20.0, 16.0, 16.0)
_LEAST_BLOCKS, _MOST_BLOCKS = 4, 24
_NOTHING = 1e-6
"""HU squared below which noise is rounding."""


@dataclass(frozen=True, eq=False)
class Appearance:
    """How a CT looks.

    Attributes:
        sigma_mm: in-plane blur; NaN where too few edges say it.
        noise_hu: of all of it, by second differences; NaN where too little is lung or soft tissue.
        texture: [z, y, x] filter that turns white noise of 1 into noise whose second differences have deviation 1.
        has_own_texture: whether the filter is of this CT's tissue; else its noise is taken for uncorrelated.
    """

    sigma_mm: float
    noise_hu: float
    texture: Field
    has_own_texture: bool


def appearance(ct: Volume) -> Appearance:
    """How a CT in HU looks; its first axis runs along the patient (`hilum.ops.to_lps_axes`)."""
    planes = ct.array[:: max(1, len(ct.array) // _MOST_PLANES)]
    kernel = _texture(ct)
    return Appearance(
        sigma_mm=edge_sigma_mm(Volume(planes, ct.geometry.crop((0, 0, 0), planes.shape)), (1, 2)),
        noise_hu=noise_hu(planes),
        texture=_of_unit_noise(np.ones((1, 1, 1)) if kernel is None else kernel),
        has_own_texture=kernel is not None,
    )


def edge_sigma_mm(ct: Volume, axes: tuple[int, ...]) -> float:
    """Blur of the sharper edges along some axes of the array, in mm; NaN where too few edges say it.

    Args:
        ct: in HU.
        axes: 1 and 2 for edges within a slice, 0 for those across slices.
    """
    found = np.concatenate([one for axis in axes for one in squared_blurs(ct, axis)])
    return math.sqrt(max(float(np.quantile(found, _QUANTILE)), 0.0)) if len(found) >= _LEAST_EDGES else math.nan


def squared_blurs(ct: Volume, axis: int) -> Iterator[NDArray[np.float64]]:
    """Squared blur at the edges along an axis, plane by plane."""
    across, over = (1, 2) if axis == 0 else (3 - axis, 0)
    steps = ct.geometry.spacing_zyx_mm
    first = axis if axis < over else axis - 1
    for plane in np.moveaxis(ct.array, over, 0):
        yield _edges_in(np.moveaxis(plane, first, 0).astype(np.float32), steps[axis], steps[across])


def _edges_in(plane: Field, step_mm: float, across_mm: float) -> NDArray[np.float64]:
    """Squared blur in mm² where an edge crosses the first axis squarely."""
    n = max(1, round(_ENDS_MM / step_mm))
    many = len(plane) - 1
    if many < 2 * n + 1 or plane.shape[1] < 2:
        return np.empty(0)
    slope = np.asarray(np.abs(np.diff(plane, axis=0)) / step_mm, dtype=np.float32)
    beside = np.abs(np.gradient((plane[1:] + plane[:-1]) / 2, across_mm, axis=1))
    before, own, after = (slope[n + shift : many - n + shift] for shift in (-1, 0, 1))
    top = (own >= before) & (own > after)
    ends = plane[: many - 2 * n], plane[2 * n + 1 :]
    low, high = np.minimum(*ends), np.maximum(*ends)
    chosen = top & (beside[n : many - n] < _SQUARE * own) & (low < _LUNG_BELOW) & (high > _TISSUE[0])
    chosen &= high < _TISSUE[1]
    steepest = _between(before[chosen], own[chosen], after[chosen])
    return np.asarray(((high - low)[chosen] / steepest) ** 2 / (2 * math.pi) - step_mm**2 / 12, dtype=np.float64)


def _between(before: Field, top: Field, after: Field) -> Field:
    """The highest value of a Gaussian through three neighbours, the middle one of which is the highest."""
    a, b, c = (np.log(np.maximum(one, _LEAST_SLOPE)) for one in (before, top, after))
    return np.asarray(np.exp(b + (a - c) ** 2 / np.maximum(8 * (2 * b - a - c), _LEAST_SLOPE)))


def noise_hu(planes: Voxels, where: Selection | None = None) -> float:
    """Noise of slices [z, y, x] in HU, by second differences; NaN where too little is lung or soft tissue.

    Args:
        planes: HU; rows and columns are the second and third axis.
        where: [z, y, x] voxels that count; None for all.
    """
    values = second_differences(planes)
    inner = planes[:, 1:-1, 1:-1]
    flat = np.logical_or.reduce([(inner > low) & (inner < high) for low, high in _FLAT])
    chosen = values[flat if where is None else flat & where[:, 1:-1, 1:-1]]
    return float(np.median(np.abs(chosen)) * _MAD) if len(chosen) >= _LEAST_EDGES else math.nan


def second_differences(planes: Voxels) -> Field:
    """[z, y - 2, x - 2] along rows and columns, scaled so that white noise of 1 gives 1."""
    values = planes.astype(np.float32)
    for axis in (1, 2):
        a, b, c = (np.take(values, np.arange(start, values.shape[axis] - 2 + start), axis) for start in range(3))
        values = a - 2 * b + c
    return np.asarray(values / np.float32((_SECOND**2).sum()))


def noise_field(rng: np.random.Generator, shape: Shape3, texture: Field) -> Field:
    """[z, y, x] noise of a texture, whose second differences have a standard deviation of 1."""
    white = rng.standard_normal(tuple(np.add(shape, texture.shape) - 1)).astype(np.float32)
    return np.asarray(signal.fftconvolve(white, texture, mode="valid"), dtype=np.float32)


def _texture(ct: Volume) -> NDArray[np.float64] | None:
    """Filter of the mean spectrum of the quietest blocks of soft tissue; None of too few, or without noise."""
    shape = tuple(max(1, round(mm / step)) for mm, step in zip(_BLOCK_MM, ct.geometry.spacing_zyx_mm, strict=True))
    blocks = list(_tissue_blocks(ct.array, shape))
    if len(blocks) < _LEAST_BLOCKS:
        return None
    quiet = sorted(blocks, key=lambda block: float(block.std()))[:_MOST_BLOCKS]
    power = np.mean([np.abs(np.fft.fftn(block)) ** 2 for block in quiet], axis=0)
    if power.max() < _NOTHING:
        return None
    kernel = np.fft.fftshift(np.fft.ifftn(np.sqrt(power)).real)
    window = [np.hanning(n + 2)[1:-1] if n > 2 else np.ones(n) for n in shape]
    return np.asarray(kernel * window[0][:, None, None] * window[1][:, None] * window[2])


def _tissue_blocks(array: Voxels, shape: tuple[int, ...]) -> Iterator[NDArray[np.float64]]:
    """Blocks that are all soft tissue, less what varies slowly in them."""
    low, high = _FLAT[1]
    wide = (low - 60, high + 60)
    if any(size < n for size, n in zip(array.shape, shape, strict=True)):
        return
    starts = [range(0, size - n + 1, max(1, n // 2)) for size, n in zip(array.shape, shape, strict=True)]
    for k in starts[0]:
        for j in starts[1]:
            for i in starts[2]:
                block = array[k : k + shape[0], j : j + shape[1], i : i + shape[2]]
                middle = float(block[len(block) // 2].mean())
                if low < middle < high and np.mean((block > wide[0]) & (block < wide[1])) > 0.98:
                    values = block.astype(np.float64)
                    yield values - ndimage.uniform_filter(values, [min(n, 9 if n > 8 else n) for n in shape])


def _of_unit_noise(kernel: NDArray[np.float64]) -> Field:
    second = kernel
    for axis in (1, 2):
        second = ndimage.convolve1d(np.pad(second, [(2, 2) if a == axis else (0, 0) for a in range(3)]), _SECOND, axis)
    unit = math.sqrt(float((second**2).sum())) / float((_SECOND**2).sum())
    return np.asarray(kernel / unit, dtype=np.float32)
