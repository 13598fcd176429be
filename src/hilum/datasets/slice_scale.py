"""One brightness for CT slices, whether HU are known or a picture of 8 bit has lost them. numpy only.

A network meets slices of two kinds: crops that were each stretched from their darkest to their brightest pixel (0 to
255), so that a rib or a table at the edge changes every level; and CTs, whose HU are known. Both are brought to one
scale: HU from the window's lower to its upper end become 0 to 1. Of HU that is arithmetic, so a pixel looks the same
wherever a crop is taken. Of a picture the HU of its darkest and brightest pixel are estimated first.

The estimate is the most probable pair of ends: the histogram that they give has to be that of a chest. Chests are a
mixture of what they are made of (`TISSUES`), so air-filled lung, fat and muscle are landmarks wherever they are in the
picture, and a piece that lacks one is placed by the others, and by where slices usually begin (air, the floor of a
12-bit CT, padding around the scanned circle). `docs/explanation/slices.md` has what this costs against true HU.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilum.core import GeometryError, InputError, UnsupportedError
from hilum.core.geometry import Floats
from hilum.datasets.style2d import local_mean
from hilum.datasets.xray_sample import Picture

HU_RANGE = (-1024.0, 3071.0)
"""HU are cut to these first: what 12 bits hold, and what source E prescribes."""

WINDOWS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"lung": (-1000.0, 400.0), "mediastinum": (-160.0, 240.0), "full": HU_RANGE}
)
"""HU that become 0 and 1. Lung: from air to what bone begins with, as nodule detectors have it (LUNA16); mediastinum:
width 400 around 40."""

TISSUES = (
    (0.38, -860.0, 50.0),
    (0.10, -760.0, 120.0),
    (0.10, -100.0, 35.0),
    (0.14, 45.0, 30.0),
    (0.05, 20.0, 90.0),
    (0.05, 200.0, 150.0),
    (0.03, -1000.0, 25.0),
)
"""Share, mean and standard deviation in HU of: lung full of air, its denser parts, fat, muscle and blood, their noise
and edges, bone and contrast, air. The rest is anything. Means are those of textbooks (fat -100, muscle 45, lung
-860)."""

_ANYTHING = 0.15 / 4000
_LEAST_HU = -1150.0
"""Nothing but padding is below air and its noise."""
_FLOORS = ((0.35, -1024.0, 6.0), (0.5, -980.0, 60.0), (0.06, -2000.0, 30.0), (0.06, -3024.0, 10.0))
"""Of the darkest pixel: the floor of 12 bits, air with noise, padding of two makers. The rest is anything."""
_BRIGHTEST = 1000.0, 0.7
"""Of the brightest pixel, mostly bone: median, and standard deviation of the natural logarithm. Even a piece of lung
alone has vessels and noise above 100 HU."""
_WITNESSES = 50.0
"""As many independent pixels a histogram counts for against the ends' own probability: neighbours are alike."""
_MOST = 0.02
"""Largest share of the brightest level that is looked at; a larger one of the darkest is padding and none is."""
_LEVELS = 256
_LEAST_WIDTH = 150.0
_STEP_HU, _TABLE_HU = 2.0, (-3300.0, 3500.0)

Levels: TypeAlias = NDArray[np.unsignedinteger[Any]]


class Ends(NamedTuple):
    """What a picture's darkest and brightest pixel are in HU."""

    darkest_hu: float
    brightest_hu: float


def canonical(image: NDArray[Any], window: str = "lung") -> Picture:
    """A slice [y, x] on the one scale: 0 to 1 from the window's lower to its upper end, cut there.

    Args:
        image: unsigned integers are a picture of any linear scale of HU, mostly of 8 bit; all else is HU.
        window: a key of `WINDOWS`.

    Raises:
        GeometryError: it is no [y, x] with at least one pixel.
        InputError: HU are not finite, or what is given as HU are none; or there is no such window.
        UnsupportedError: a picture has one level only, so nobody knows what it shows.
    """
    if window not in WINDOWS:
        raise InputError(f"a window is {', '.join(WINDOWS)}, got {window!r}.", "Choose one of them.")
    if image.ndim != 2 or not image.size:
        raise GeometryError(f"a slice is [y, x] with at least one pixel, got the shape {image.shape}.")
    low, high = WINDOWS[window]
    hu = picture_hu(image) if image.dtype.kind == "u" else _checked_hu(image)
    return np.asarray(np.clip((hu - np.float32(low)) / np.float32(high - low), 0, 1), dtype=np.float32)


def _checked_hu(image: NDArray[Any]) -> Picture:
    """HU, cut to 12 bits.

    Raises:
        InputError: some are not finite, or none is below 0, so that they are levels or shares of something else.
    """
    if image.dtype.kind not in "if":
        raise InputError(f"HU are whole or floating-point numbers, got {image.dtype}.", "Give int16 or float32.")
    if not np.isfinite(image).all():
        raise InputError("some HU are not finite.", "Fill them, for example with -1024.")
    least, most = float(image.min()), float(image.max())
    if 0 <= least < most:
        raise InputError(
            f"numbers from {least:g} to {most:g} are no HU of a chest: lung and air are far below 0.",
            "Give levels of a picture as unsigned integers, and stored values of DICOM by slope and intercept.",
        )
    return np.asarray(np.clip(image, *HU_RANGE), dtype=np.float32)


def picture_hu(image: Levels) -> Picture:
    """What the levels of a picture [y, x] probably are in HU.

    Raises:
        UnsupportedError: it has one level only.
    """
    return stretched_hu(image, *estimated_ends(image))


def stretched_hu(image: Levels, darkest_hu: float, brightest_hu: float) -> Picture:
    """The levels of a picture [y, x] in HU, by what its darkest and its brightest pixel are.

    Raises:
        UnsupportedError: it has one level only.
    """
    return np.asarray(np.float32(darkest_hu) + np.float32(brightest_hu - darkest_hu) * _shares(image), dtype=np.float32)


def estimated_ends(image: Levels) -> Ends:
    """HU of the darkest and the brightest pixel of a picture [y, x]: the most probable ones.

    The density of HU x = a + b v is that of levels v divided by b; so the logarithm of b, for each pixel, stands
    beside the histogram's own, or the widest scale would always win.

    Raises:
        UnsupportedError: it has one level only.
    """
    counts = _histogram(image)
    coarse = _candidates()
    score = coarse.prior + _WITNESSES * (coarse.table @ counts)
    row, column = np.unravel_index(int(score.argmax()), score.shape)
    darkest, brightest = float(coarse.darkest[row]), float(coarse.brightest[column])
    fine_low = darkest + np.linspace(-10, 10, 11)
    fine_high = brightest + np.linspace(-20, 20, 11)
    fine = _scored(fine_low, fine_high)
    score = fine.prior + _WITNESSES * (fine.table @ counts)
    row, column = np.unravel_index(int(score.argmax()), score.shape)
    return Ends(float(fine_low[row]), float(fine_high[column]))


def _shares(image: Levels) -> Picture:
    """Levels from 0 to 1 between the darkest and the brightest."""
    least, most = int(image.min()), int(image.max())
    if least == most:
        raise UnsupportedError(
            f"every pixel of the picture has the level {least}, so nobody knows what it shows.",
            "Leave empty slices out, or give HU.",
        )
    return np.asarray((image - np.asarray(least, image.dtype)) / np.float32(most - least), dtype=np.float32)


def _histogram(image: Levels) -> Floats:
    """[256] shares of the levels that say something: padding, and what was cut at the bright end, don't.

    Levels are means of three by three pixels, so that noise hides no landmark.
    """
    smoothed = local_mean(_shares(image), 3)
    places = np.clip(np.rint(smoothed * (_LEVELS - 1)), 0, _LEVELS - 1).astype(np.intp)
    counts = np.bincount(places.ravel(), minlength=_LEVELS) / image.size
    if counts[0] > _MOST:
        counts[0] = 0
    counts[-1] = min(counts[-1], _MOST)
    return np.asarray(counts / counts.sum())


class _Candidates(NamedTuple):
    """Pairs of ends.

    Attributes:
        darkest: [n] HU.
        brightest: [m] HU.
        table: [n, m, 256] log density of each level.
        prior: [n, m] log probability of the pair itself.
    """

    darkest: Floats
    brightest: Floats
    table: NDArray[np.float32]
    prior: Floats


@lru_cache(maxsize=1)
def _candidates() -> _Candidates:
    """A lattice over all pairs that slices have."""
    padding = [centre for _, centre, _ in _FLOORS] + [-2048.0]
    darkest = np.unique(np.concatenate((np.arange(-1100, -300, 10), np.arange(-250, -50, 50), padding)))
    return _scored(darkest, np.concatenate((np.arange(15, 900, 15), np.arange(900, 3200, 40))))


def _scored(darkest: Floats, brightest: Floats) -> _Candidates:
    low, high = darkest[:, None], brightest[None]
    width = np.maximum(high - low, 1.0)
    hu = low[..., None] + width[..., None] * np.linspace(0, 1, _LEVELS)
    tissue = _log_tissue()
    places = np.clip(np.rint((hu - _TABLE_HU[0]) / _STEP_HU), 0, len(tissue) - 1).astype(np.intp)
    table = tissue[places] + np.log(width)[..., None]
    median, sigma = _BRIGHTEST
    above = np.log(np.maximum(high, 1) / median) / sigma
    prior = np.log(_mixture(low, _FLOORS) + 0.03 / 4000) - 0.5 * above**2
    return _Candidates(darkest, brightest, table.astype(np.float32), np.where(width < _LEAST_WIDTH, -np.inf, prior))


@lru_cache(maxsize=1)
def _log_tissue() -> Floats:
    hu = np.arange(*_TABLE_HU, _STEP_HU)
    return np.asarray(np.log(_mixture(hu, TISSUES) + np.where(hu < _LEAST_HU, _ANYTHING / 1000, _ANYTHING)))


def _mixture(values: Floats, parts: tuple[tuple[float, float, float], ...]) -> Floats:
    """Density of a mixture of Gaussians (share, mean, standard deviation)."""
    return np.asarray(
        sum(
            share / (sigma * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((values - mean) / sigma) ** 2)
            for share, mean, sigma in parts
        )
    )
