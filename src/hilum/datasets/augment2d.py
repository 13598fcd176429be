"""Changes to a picture and its truth together: drawn first, then applied. numpy only.

What moves is one map from the new pixels to the old ones (crop, turn, scale, shift, shear, mirror, elastic), read once:
the picture linearly, truth and weight by the nearest pixel. What changes brightness never touches the truth. Pixels
that come from beyond the picture's edge repeat it, belong to no lesion and weigh nothing. An earlier picture and its
lesions take the same way, but for a shift that may be left between the two, and its brightness changes apart.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from hilum.core.geometry import Floats
from hilum.datasets.class_sample import ClassSample
from hilum.datasets.slice_sample import SliceSample
from hilum.datasets.style2d import FilmStyle
from hilum.datasets.xray_sample import Picture, Truth, XraySample

if TYPE_CHECKING:
    from hilum.datasets.xray_config import AugmentConfig

Pair: TypeAlias = tuple[float, float]
Sample = TypeVar("Sample", XraySample, SliceSample, ClassSample)

_FILM_MM = 400.0
"""Height of a chest film whose pixels nobody knows: between the usual formats of 35 and 43 cm."""
_LATTICE = 16
"""Displacements drawn along each axis; a larger picture than 13 lattice steps repeats them."""


@dataclass(frozen=True)
class Crop:
    """The piece that is shown.

    Attributes:
        shape_yx: its rows and columns.
        place: where it lies, as shares of the way along rows and columns.
        on_lesion: whether it lies so that it holds a pixel of the truth, where there is one.
        pixel: which one, as a share of all of them.
    """

    shape_yx: tuple[int, int]
    place: Pair
    on_lesion: bool
    pixel: float


@dataclass(frozen=True, eq=False)
class Warp:
    """Where pixels go; the identity unless told otherwise.

    Attributes:
        angle_deg: turn, counter-clockwise as displayed.
        scale: enlargement.
        shift_mm: of what is seen, along rows and columns.
        is_flipped: left and right exchanged.
        lattice_mm: distance of the lattice's points.
        displacement_mm: [2, n, n] of each lattice point along rows and columns; None for none.
        shear_deg: how far lines that stood upright lean, before the turn; rows stay level.
        is_upside_down: up and down exchanged.
    """

    angle_deg: float = 0.0
    scale: float = 1.0
    shift_mm: Pair = (0.0, 0.0)
    is_flipped: bool = False
    lattice_mm: float = 40.0
    displacement_mm: Floats | None = None
    shear_deg: float = 0.0
    is_upside_down: bool = False


@dataclass(frozen=True)
class Tone:
    """What becomes of brightness; the identity unless told otherwise.

    Attributes:
        gamma: exponent.
        brightness: added.
        contrast: factor on the distance from middle grey.
        blur_mm: sigma.
        noise: standard deviation.
        noise_seed: of the noise.
    """

    gamma: float = 1.0
    brightness: float = 0.0
    contrast: float = 1.0
    blur_mm: float = 0.0
    noise: float = 0.0
    noise_seed: int = 0


@dataclass(frozen=True)
class PriorChange:
    """What becomes of an earlier picture alone; nothing unless told otherwise.

    Attributes:
        tone: of it.
        shift_mm: against the X-ray, along rows and columns, in the old pictures.
    """

    tone: Tone = Tone()
    shift_mm: Pair = (0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Augmentation:
    """Everything that was drawn for one picture; applied again, it gives the same.

    Attributes:
        warp: of picture and truth.
        tone: of the picture.
        crop: None shows the whole picture.
        prior: what becomes of an earlier picture beside the warp.
        style: of the picture, before its tone; what collimation covers belongs to no lesion and weighs nothing. None
            leaves it as it is.
    """

    warp: Warp = Warp()
    tone: Tone = Tone()
    crop: Crop | None = None
    prior: PriorChange = PriorChange()
    style: FilmStyle | None = None

    def __call__(self, sample: Sample) -> Sample:
        """The changed sample; where nodules now lie is not kept."""
        rows, columns = self._places(sample)
        pixel_mm = _side_mm(sample)
        truth, weight = _nearest((sample.truth, sample.weight), rows, columns)
        image = read_linearly(sample.image, rows, columns)
        if self.style is not None:
            image = self.style(image, pixel_mm)
            covered = ~self.style.shown(image.shape, pixel_mm)
            truth[covered], weight[covered] = False, 0
        image = toned(image, self.tone, pixel_mm)
        if isinstance(sample, ClassSample):
            return replace(sample, image=image, labels=truth, weight=weight, masks={})
        if isinstance(sample, SliceSample):
            return replace(sample, image=image, truth=truth, weight=weight, point_px=None, prior=None)
        prior, prior_lesions = self._earlier(sample, rows, columns)
        nodules = tuple(replace(nodule, centre_px=None) for nodule in sample.nodules)
        return replace(
            sample,
            image=image,
            truth=truth,
            weight=weight,
            nodules=nodules,
            prior=prior,
            prior_lesions=prior_lesions,
        )

    def _earlier(self, sample: XraySample, rows: Picture, columns: Picture) -> tuple[Picture | None, Truth | None]:
        """The earlier picture and its lesions, from the X-ray's places."""
        picture, lesions = sample.prior, sample.prior_lesions
        if self.prior.shift_mm != (0.0, 0.0):
            down, right = (np.float32(shift / sample.pixel_mm) for shift in self.prior.shift_mm)
            rows, columns = rows - down, columns - right
        if picture is not None:
            picture = toned(read_linearly(picture, rows, columns), self.prior.tone, sample.pixel_mm)
        if lesions is not None:
            (lesions,) = _nearest((lesions,), rows, columns)
        return picture, lesions

    def _places(self, sample: XraySample | SliceSample | ClassSample) -> tuple[Picture, Picture]:
        shape = self.crop.shape_yx if self.crop else sample.image.shape
        middle = _middle(sample, self.crop) if self.crop else tuple((size - 1) / 2 for size in shape)
        return source_places(self.warp, (shape[0], shape[1]), (middle[0], middle[1]), _side_mm(sample))


def _side_mm(sample: XraySample | SliceSample | ClassSample) -> float:
    """Side of a pixel; of a film that doesn't say it, as if it were 400 mm high."""
    return _FILM_MM / len(sample.image) if sample.pixel_mm is None else sample.pixel_mm


def draw_augmentation(rng: np.random.Generator, config: "AugmentConfig") -> Augmentation:
    """Draw what becomes of one picture. The same number of draws whatever the configuration."""
    crop = Crop(
        config.crop_px or (1, 1), (rng.random(), rng.random()), rng.random() < config.crop_on_lesion, rng.random()
    )
    tone = _draw_tone(rng, config)
    warp = Warp(
        angle_deg=float(rng.uniform(-1, 1)) * config.rotate_deg,
        scale=_factor(rng, config.scale),
        shift_mm=(float(rng.uniform(-1, 1)) * config.shift_mm, float(rng.uniform(-1, 1)) * config.shift_mm),
        is_flipped=bool(rng.random() < config.flip),
        lattice_mm=config.elastic_lattice_mm,
        displacement_mm=rng.uniform(-1, 1, (2, _LATTICE, _LATTICE)) * config.elastic_mm if config.elastic_mm else None,
    )
    # What came later is drawn last, so that earlier runs can be made again.
    leaning, turned_over = float(rng.uniform(-1, 1)) * config.shear_deg, bool(rng.random() < config.flip_up_down)
    warp = replace(warp, shear_deg=leaning, is_upside_down=turned_over)
    if config.crop_px is None:
        return Augmentation(warp, tone)
    return Augmentation(replace(warp, shift_mm=(0.0, 0.0)), tone, crop)


def draw_prior_change(rng: np.random.Generator, config: "AugmentConfig") -> PriorChange:
    """Draw what becomes of an earlier picture alone; as many draws whatever the configuration."""
    tone = _draw_tone(rng, config)
    down, right = rng.uniform(-1, 1, 2) * config.prior_shift_mm
    return PriorChange(tone, (float(down), float(right)))


def _draw_tone(rng: np.random.Generator, config: "AugmentConfig") -> Tone:
    return Tone(
        gamma=_factor(rng, config.gamma),
        brightness=float(rng.uniform(-1, 1)) * config.brightness,
        contrast=_factor(rng, config.contrast),
        blur_mm=float(rng.random() * config.blur_mm * (rng.random() < config.blur)),
        noise=float(rng.random() * config.noise_level * (rng.random() < config.noise)),
        noise_seed=int(rng.integers(2**31)),
    )


def _factor(rng: np.random.Generator, most: float) -> float:
    """From 1 / (1 + most) to 1 + most, as often above 1 as below."""
    return float((1 + most) ** rng.uniform(-1, 1))


def _middle(sample: XraySample | SliceSample | ClassSample, crop: Crop) -> Pair:
    """The middle (row, column) of the piece; a picture smaller than it lies in its middle."""
    lesion = np.flatnonzero(sample.truth) if crop.on_lesion else ()
    wanted = None
    if len(lesion):
        wanted = divmod(int(lesion[int(crop.pixel * len(lesion))]), sample.truth.shape[1])
    firsts = []
    for axis, (size, piece) in enumerate(zip(sample.image.shape, crop.shape_yx, strict=True)):
        low, high = 0.0, float(size - piece)
        if high <= 0:
            firsts.append(high / 2)
            continue
        if wanted is not None:
            low, high = max(low, wanted[axis] - piece + 1), min(high, wanted[axis])
        firsts.append(float(np.floor(low + crop.place[axis] * (high - low) + 0.5)))
    row, column = (first + (piece - 1) / 2 for first, piece in zip(firsts, crop.shape_yx, strict=True))
    return row, column


def source_places(warp: Warp, shape_yx: tuple[int, int], middle: Pair, pixel_mm: float) -> tuple[Picture, Picture]:
    """For each new pixel the (row, column) of the old picture that it shows; two arrays [y, x].

    Args:
        warp: where pixels go.
        shape_yx: of the result.
        middle: (row, column) of the old picture that its middle shows, before any shift.
        pixel_mm: side of a pixel.
    """
    height, width = shape_yx
    angle = math.radians(warp.angle_deg)
    cosine, sine = math.cos(angle) / warp.scale, math.sin(angle) / warp.scale
    mirror, over = (-1.0 if is_so else 1.0 for is_so in (warp.is_flipped, warp.is_upside_down))
    down = (np.arange(height, dtype=np.float32) - np.float32((height - 1) / 2) - warp.shift_mm[0] / pixel_mm)[:, None]
    right = (np.arange(width, dtype=np.float32) - np.float32((width - 1) / 2) - warp.shift_mm[1] / pixel_mm)[None]
    if warp.shear_deg:
        right = right + np.float32(math.tan(math.radians(warp.shear_deg))) * down
    rows = (cosine * over * down + middle[0]).astype(np.float32) + (sine * over * right).astype(np.float32)
    columns = (-sine * mirror * down + middle[1]).astype(np.float32) + (cosine * mirror * right).astype(np.float32)
    if warp.displacement_mm is not None:
        for places, lattice in zip((rows, columns), warp.displacement_mm / pixel_mm, strict=True):
            across = _splined(lattice.T.astype(np.float32), width, warp.lattice_mm / pixel_mm).T
            places += _splined(across, height, warp.lattice_mm / pixel_mm)
    return rows, columns


def _splined(lattice: Picture, size: int, lattice_px: float) -> Picture:
    """[points, n] to [size, n] by uniform cubic B-splines (de Boor 1978), points repeated past the last.

    A sum of four, not a matrix product: BLAS would wake its threads for it, which costs more than it saves.
    """
    place = np.arange(size, dtype=np.float32) / np.float32(lattice_px)
    first = place.astype(np.intp)
    t = (place - first)[:, None]
    pieces = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    result = np.zeros((size, lattice.shape[1]), dtype=np.float32)
    for number, piece in enumerate(pieces):
        result += (piece / 6) * lattice[(first + number) % len(lattice)]
    return result


def read_linearly(image: Picture, rows: Picture, columns: Picture) -> Picture:
    """The picture between its pixels; beyond the edge, the edge."""
    height, width = image.shape
    row, down = _whole_and_rest(rows, height)
    column, right = _whole_and_rest(columns, width)
    values, first = image.ravel(), row * width + column
    below, beside = (width if height > 1 else 0), (1 if width > 1 else 0)
    upper = _between(values.take(first), values.take(first + beside), right)
    first += below
    return _between(upper, _between(values.take(first), values.take(first + beside), right), down)


def _whole_and_rest(places: Picture, size: int) -> tuple[NDArray[np.intp], Picture]:
    """The pixel before each place within the picture, never the last one, and how far it is beyond it."""
    clipped = np.clip(places, 0, size - 1)
    whole = clipped.astype(np.intp)
    np.minimum(whole, max(size - 2, 0), out=whole)
    clipped -= whole
    return whole, clipped


def _between(one: Picture, other: Picture, share: Picture) -> Picture:
    """`one` where the share is 0, `other` where it is 1; the second array is overwritten."""
    other -= one
    other *= share
    other += one
    return other


def _nearest(planes: "Sequence[NDArray[Any]]", rows: Picture, columns: Picture) -> "list[NDArray[Any]]":
    """Planes of one size, such as truth and weight, at the nearest pixel; 0 beyond the edge."""
    height, width = planes[0].shape
    row, column = np.rint(rows).astype(np.intp), np.rint(columns).astype(np.intp)
    beyond = (row < 0) | (row >= height) | (column < 0) | (column >= width)
    flat = row * width + column
    flat[beyond] = 0
    taken = [plane.ravel().take(flat) for plane in planes]
    for plane in taken:
        plane[beyond] = 0
    return taken


def toned(image: Picture, tone: Tone, pixel_mm: float) -> Picture:
    """A picture [y, x] from 0 to 1 with another tone, cut to that range."""
    if tone.blur_mm > 0:
        image = blurred(image, tone.blur_mm / pixel_mm)
    if tone.gamma != 1:
        image = np.power(image, np.float32(tone.gamma))
    if tone.contrast != 1 or tone.brightness != 0:
        image = image * np.float32(tone.contrast) + np.float32(tone.brightness + 0.5 - 0.5 * tone.contrast)
    if tone.noise > 0:
        grain = np.random.default_rng(tone.noise_seed).standard_normal(image.shape, dtype=np.float32)
        image = image + np.float32(tone.noise) * grain
    return np.clip(image, 0, 1)


def blurred(image: Picture, sigma_px: float) -> Picture:
    """Gaussian blur [y, x], cut off at three sigma, the edge repeated."""
    reach = max(1, math.ceil(3 * sigma_px))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_px) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    for axis in (0, 1):
        margin = [(reach, reach) if one == axis else (0, 0) for one in (0, 1)]
        padded = np.pad(image, margin, mode="edge")
        size = image.shape[axis]
        windows = (padded[k : k + size] if axis == 0 else padded[:, k : k + size] for k in range(len(kernel)))
        image = np.asarray(sum(weight * window for weight, window in zip(kernel, windows, strict=True)))
    return image
