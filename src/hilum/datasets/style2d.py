"""Another look of the same picture, as other films and detectors give it: drawn first, then applied. numpy only.

A network that has seen one style of picture alone may take its contrast, its grain and its edges for what makes a
lesion. Here each of them is drawn anew: veil and shading first, as they act in the X-ray room, then collimation, the
film's characteristic curve, its grain, unsharp masking as computed radiography does it, and equalisation at last, as
the published style does it. Nothing moves, so a lesion stays where it is; only what collimation covers is no longer to
be learnt.
"""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilum.datasets.xray_sample import Picture

if TYPE_CHECKING:
    from hilum.datasets.xray_config import StyleConfig

Pair: TypeAlias = tuple[float, float]
Sides: TypeAlias = tuple[float, float, float, float]

_BENDS = 8
"""Places along the grey scale at which the slope of a curve is drawn."""
_LEVELS = 1024
_TILE_LEVELS = 128
_SOFTEN = 0.4
"""How much is taken away of the difference to the local mean, at most, for each 1 that is added."""
_LEAST_SQUARE_MM = 2.0
_CLIPS = (0.008, 0.1)
"""Lowest and highest clip limit that is drawn, each doubling as likely as any other; the published style has .03."""
_STRIP = 16
"""Rows that are equalised at a time."""
_GRAIN_PX = 160
"""Side of the grain's tile, which repeats itself without a seam."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A monotone curve of grey levels, from 0 to 0 and from 1 to 1; the identity unless told otherwise.

    Attributes:
        steepness: of the S; below 0 the S is the other way round: steep at both ends.
        middle: where the S is steepest; far above it lies the shoulder, far below the toe.
        bends: logarithms of further factors on the slope, at equal distances along the grey scale.
    """

    steepness: float = 0.0
    middle: float = 0.5
    bends: tuple[float, ...] = (0.0,) * _BENDS

    @property
    def is_identity(self) -> bool:
        """Whether it changes nothing."""
        return self.steepness == 0 and not any(self.bends)

    def levels(self, count: int = _LEVELS) -> Picture:
        """What becomes of `count` grey levels from 0 to 1.

        The S is the logistic function, much as a film's characteristic curve (Hurter and Driffield 1890) between toe
        and shoulder; its slope is proportional to 1 / cosh²(steepness (x − middle) / 2).
        """
        x = (np.arange(count - 1) + 0.5) / (count - 1)
        bent = np.interp(x, np.linspace(0, 1, len(self.bends)), self.bends)
        slope = np.exp(
            bent - math.copysign(2, self.steepness) * np.log(np.cosh(self.steepness * (x - self.middle) / 2))
        )
        summed = np.concatenate(([0.0], np.cumsum(slope)))
        return np.asarray(summed / summed[-1], dtype=np.float32)


@dataclass(frozen=True)
class Veil:
    """Scattered light, and shading towards a side or the corners; none unless told otherwise.

    Attributes:
        haze: largest share of the contrast that is lost to the veil.
        grey: the veil's own grey level.
        waves: of the veil's thickness, in periods across rows and columns.
        phases: where these begin, in radians.
        vignette: added in the corners, of the full range.
        centre: (row, column) of its middle, as shares of the picture.
        heel: added from one edge to the other along rows and columns.
    """

    haze: float = 0.0
    grey: float = 0.5
    waves: Pair = (0.0, 0.0)
    phases: Pair = (0.0, 0.0)
    vignette: float = 0.0
    centre: Pair = (0.5, 0.5)
    heel: Pair = (0.0, 0.0)


@dataclass(frozen=True)
class Equalisation:
    """Histogram equalisation, tile by tile (Zuiderveld 1994), mixed with the picture; none unless told otherwise.

    Attributes:
        mix: share of the equalised picture.
        tiles: along each side; 1 equalises the whole picture alike.
        clip: most of a tile's pixels that one of 256 grey levels may have, as a share; what is above is shared out.
    """

    mix: float = 0.0
    tiles: int = 8
    clip: float = 0.03


@dataclass(frozen=True, eq=False)
class FilmStyle:
    """Everything that was drawn for one picture's look; the identity unless told otherwise.

    Attributes:
        veil: of scatter, vignette and heel effect.
        border_mm: what collimation covers above, below, left and right.
        border_grey: the grey level there.
        curve: of grey levels.
        grain: standard deviation of the film's grain.
        grain_mm: sigma of its blur, so its coarseness.
        grain_seed: of the grain.
        sharpen: how much of the difference to the local mean is added; below 0 it is taken away.
        sharpen_mm: side of the square of that mean.
        equalisation: local or global.
    """

    veil: Veil = Veil()
    border_mm: Sides = (0.0, 0.0, 0.0, 0.0)
    border_grey: float = 0.0
    curve: Curve = field(default_factory=Curve)
    grain: float = 0.0
    grain_mm: float = 0.5
    grain_seed: int = 0
    sharpen: float = 0.0
    sharpen_mm: float = 5.0
    equalisation: Equalisation = Equalisation()

    def __call__(self, image: Picture, pixel_mm: float) -> Picture:
        """The picture [y, x], 0 to 1, in this style, cut to that range; what is given stays as it was.

        Args:
            image: dense is bright.
            pixel_mm: side of a pixel.
        """
        image = veiled(image, self.veil)
        if any(self.border_mm):
            image = np.where(self.shown(image.shape, pixel_mm), image, np.float32(self.border_grey))
        if not self.curve.is_identity:
            image = looked_up(self.curve.levels(), image)
        if self.grain > 0:
            image = image + grain(image.shape, self.grain_mm / pixel_mm, self.grain, self.grain_seed)
        if self.sharpen:
            image = sharpened(image, self.sharpen, max(3, round(self.sharpen_mm / pixel_mm)))
        return equalised(np.clip(image, 0, 1), self.equalisation)

    def shown(self, shape: tuple[int, ...], pixel_mm: float) -> NDArray[np.bool_]:
        """[y, x] what collimation leaves free."""
        above, below, left, right = (round(one / pixel_mm) for one in self.border_mm)
        free = np.zeros(shape, dtype=bool)
        free[above : max(shape[0] - below, 0), left : max(shape[1] - right, 0)] = True
        return free


def draw_style(rng: np.random.Generator, config: "StyleConfig") -> FilmStyle:
    """Draw a picture's look: its own one in 1 − share of all cases. The same number of draws whatever is wanted."""
    is_wanted = rng.random() < config.share
    has = (rng.random(7) < config.each).tolist()
    sides = rng.random(4) * (rng.random(4) < 0.5) * config.border_mm * has[0]
    style = FilmStyle(
        veil=_draw_veil(rng, config.haze * has[1], config.vignette * has[2]),
        border_mm=(float(sides[0]), float(sides[1]), float(sides[2]), float(sides[3])),
        border_grey=float(rng.random() < 0.5),
        curve=_draw_curve(rng, config.curve * has[3], config.bend * has[3]),
        grain=float(rng.random()) * config.grain * has[4],
        grain_mm=float(rng.uniform(0.3, 1)) * config.grain_mm,
        grain_seed=int(rng.integers(2**31)),
        sharpen=float(rng.uniform(-_SOFTEN, 1)) * config.sharpen * has[5],
        sharpen_mm=float(rng.uniform(min(_LEAST_SQUARE_MM, config.sharpen_mm), config.sharpen_mm)),
        equalisation=Equalisation(
            mix=float(rng.random()) * config.equalise * has[6],
            tiles=int(rng.integers(1, config.most_tiles + 1)),
            clip=float(np.exp(rng.uniform(*np.log(_CLIPS)))),
        ),
    )
    return style if is_wanted else FilmStyle()


def _draw_veil(rng: np.random.Generator, haze: float, vignette: float) -> Veil:
    """Less than one period of the haze across the picture; shading both ways."""
    up, down = (float(one) * vignette for one in rng.uniform(-1, 1, 2))
    return Veil(
        haze=float(rng.random()) * haze,
        grey=float(rng.random()),
        waves=(float(rng.random()), float(rng.random())),
        phases=(float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(0, 2 * math.pi))),
        vignette=float(rng.uniform(-1, 1)) * vignette,
        centre=(float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.3, 0.7))),
        heel=(up, down),
    )


def _draw_curve(rng: np.random.Generator, steepness: float, bend: float) -> Curve:
    return Curve(
        steepness=float(rng.uniform(-0.5, 1)) * steepness,
        middle=float(rng.uniform(0.25, 0.75)),
        bends=tuple((rng.uniform(-1, 1, _BENDS) * bend).tolist()),
    )


def veiled(image: Picture, veil: Veil) -> Picture:
    """A picture [y, x] behind a veil of slowly changing thickness, then shaded.

    Contrast is lost where the veil is thick, as where scattered quanta add to the primary ones; it may then be below 0
    or above 1.
    """
    down, across = (np.linspace(0, 1, size, dtype=np.float32) for size in image.shape)
    if veil.haze:
        wave = [
            np.cos(2 * np.pi * periods * along + phase)
            for along, periods, phase in zip((down, across), veil.waves, veil.phases, strict=True)
        ]
        thickness = np.multiply.outer(wave[0], (veil.haze / 2) * wave[1]).astype(np.float32)
        thickness += np.float32(veil.haze / 2)
        image = image + thickness * (np.float32(veil.grey) - image)
    if veil.vignette or any(veil.heel):
        # Both are sums of a function of the row and one of the column; the far corners are at a squared distance of 2.
        shades = [
            (veil.vignette * 2 * (along - middle) ** 2 + heel * (along - 0.5)).astype(np.float32)
            for along, middle, heel in zip((down, across), veil.centre, veil.heel, strict=True)
        ]
        image = image + shades[0][:, None] + shades[1][None]
    return image


def looked_up(levels: Picture, image: Picture) -> Picture:
    """What a table of grey levels makes of a picture, at the nearest of them."""
    places = np.clip(image * np.float32(len(levels) - 1) + np.float32(0.5), 0, len(levels) - 1).astype(np.intp)
    return np.asarray(levels.take(places), dtype=np.float32)


def grain(shape: tuple[int, ...], sigma_px: float, level: float, seed: int) -> Picture:
    """Correlated noise [y, x] of a standard deviation: white noise after a Gaussian, on a tile that repeats itself.

    Args:
        shape: rows and columns.
        sigma_px: of the Gaussian.
        level: standard deviation of what comes out.
        seed: of the noise.
    """
    tile = np.random.default_rng(seed).standard_normal((_GRAIN_PX, _GRAIN_PX), dtype=np.float32)
    reach = min(math.ceil(2.5 * sigma_px), _GRAIN_PX // 4)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma_px, 1e-6)) ** 2)
    kernel *= math.sqrt(level) / math.sqrt(float((kernel**2).sum()))  # twice applied, so the level's root each time
    for axis in (0, 1):
        tile = np.asarray(
            sum(np.float32(weight) * np.roll(tile, step, axis) for step, weight in enumerate(kernel, -reach))
        )
    repeats = [-(-size // _GRAIN_PX) for size in shape]
    return np.tile(tile, repeats)[: shape[0], : shape[1]]


def sharpened(image: Picture, amount: float, side_px: int) -> Picture:
    """Unsharp masking with the mean over a square, as computed radiography has it (Ishida 1983); the edge repeated."""
    return image + np.float32(amount) * (image - local_mean(image, side_px))


def local_mean(image: Picture, side_px: int) -> Picture:
    """Mean [y, x] over squares of an odd side around each pixel, by running sums; the edge repeated."""
    reach = side_px // 2
    for axis in (0, 1):
        margin = [(reach + 1, reach) if one == axis else (0, 0) for one in (0, 1)]
        summed = np.pad(image, margin, mode="edge")
        np.cumsum(summed, axis=axis, out=summed)
        size, window = image.shape[axis], 2 * reach + 1
        image = _piece(summed, window, size, axis) - _piece(summed, 0, size, axis)
        image *= np.float32(1 / window)
    return image


def _piece(array: Picture, first: int, size: int, axis: int) -> Picture:
    return array[first : first + size] if axis == 0 else array[:, first : first + size]


def equalised(image: Picture, how: Equalisation) -> Picture:
    """A picture [y, x], 0 to 1, mixed with what contrast-limited adaptive equalisation makes of it (Zuiderveld 1994).

    Each tile's histogram is cut at the clip limit and what is above shared out; between the middles of tiles their
    curves are interpolated. Grey levels are sorted into 128.
    """
    if how.mix <= 0:
        return image
    level = (image * np.float32(_TILE_LEVELS - 1) + np.float32(0.5)).astype(np.uint8)
    curves = _tile_curves(level, how)
    result = np.empty_like(image)
    # A few rows at a time stay in the cache, and need no memory from the system: most of the time would go there.
    for first in range(0, len(image), _STRIP):
        strip = slice(first, first + _STRIP)
        result[strip] = _equalised_rows(level, curves, strip)
        result[strip] -= image[strip]
        result[strip] *= np.float32(how.mix)
        result[strip] += image[strip]
    return result


def _equalised_rows(level: NDArray[np.uint8], curves: Picture, strip: slice) -> Picture:
    """Some rows of a picture by the curves [tiles, tiles, levels] of the tiles around each pixel."""
    tiles = len(curves)
    above, below, down = (one[strip] for one in _between_tiles(level.shape[0], tiles))
    before, after, across = _between_tiles(level.shape[1], tiles)
    of_row = curves[above] + down[:, None, None] * (curves[below] - curves[above])
    place = level[strip] + (np.arange(len(above)) * (tiles * _TILE_LEVELS))[:, None]
    left = of_row.ravel().take(place + before * _TILE_LEVELS)
    if tiles > 1:
        right = of_row.ravel().take(place + after * _TILE_LEVELS)
        right -= left
        right *= across
        left += right
    return left


def _tile_curves(level: NDArray[np.uint8], how: Equalisation) -> Picture:
    """[tiles, tiles, levels] what each tile makes of the grey levels, from 0 to 1."""
    tiles = [np.arange(size) * how.tiles // size for size in level.shape]
    place = (tiles[0][:, None] * how.tiles + tiles[1][None]) * _TILE_LEVELS + level
    counts = np.bincount(place.ravel(), minlength=how.tiles**2 * _TILE_LEVELS).astype(np.float32)
    shares: NDArray[np.floating] = counts.reshape(how.tiles, how.tiles, _TILE_LEVELS)
    shares = shares / np.maximum(shares.sum(axis=-1, keepdims=True), 1)
    most = how.clip * 256 / _TILE_LEVELS
    excess = np.maximum(shares - most, 0).sum(axis=-1, keepdims=True)
    summed = np.cumsum(np.minimum(shares, most) + excess / _TILE_LEVELS, axis=-1)
    first = summed[..., :1]
    return np.asarray((summed - first) / np.maximum(summed[..., -1:] - first, 1e-6), dtype=np.float32)


def _between_tiles(size: int, tiles: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Picture]:
    """For each of `size` pixels the tiles whose middles lie before and after it, and how far it is beyond the first."""
    place = np.clip((np.arange(size) + 0.5) * tiles / size - 0.5, 0, tiles - 1)
    before = np.minimum(place.astype(np.intp), max(tiles - 2, 0))
    return before, np.minimum(before + 1, tiles - 1), (place - before).astype(np.float32)
