"""Reads films and masks for a data set by classes; whatever could be taken for something else is refused."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from hilum.core import GeometryError, Radiograph, UnsupportedError
from hilum.core.mask import Labels, Selection
from hilum.core.radiograph import Pixels
from hilum.datasets.chest import fit_chest, layout_doubts
from hilum.datasets.frontal_film import require_frontal, require_greys
from hilum.datasets.xray_grid import PixelGrid
from hilum.drr.source_style import published_look
from hilum.io import read_mask, read_radiograph
from hilum.io.describe_picture import sides_are_brighter
from hilum.io.kinds import RASTERS, recognise
from hilum.io.raster import Picture, read_picture

_CHECKED_PX = 256
"""Side to which a suspected film is brought before its layout is looked at."""
_GREYS_SHOWN = 4


class Polarity(StrEnum):
    """What happens to films whose bright and dark look exchanged."""

    CHECK = "check"
    KEEP = "keep"
    INVERT = "invert"


class GreyMasks(StrEnum):
    """What happens to masks with more than two values."""

    REFUSE = "refuse"
    HALF = "half"


@dataclass(frozen=True)
class PictureRule:
    """How films and masks are read.

    Attributes:
        polarity: check refuses films that look inverted, keep takes all as they are, invert turns all over.
        grey_masks: refuse them, or take the pixels of at least half of the brightest value.
    """

    polarity: Polarity = Polarity.CHECK
    grey_masks: GreyMasks = GreyMasks.REFUSE


def read_film(path: Path, rule: PictureRule) -> Pixels:
    """A frontal film [y, x] of 8 or 16 bits, dense is bright.

    Raises:
        InputError: missing, damaged, coloured, with transparency, lateral, blank, tiny, of hardly any greys, or
            inverted as it looks.
    """
    film = replace(_radiograph(path), source=path.name)
    require_frontal(film)
    require_greys(film)
    pixels = film.array
    if pixels.dtype not in (np.uint8, np.uint16):
        raise UnsupportedError(f"{path.name} holds {pixels.dtype}; 8 or 16 bits were expected.", "Save it as PNG.")
    if rule.polarity is Polarity.INVERT:
        return np.asarray(np.iinfo(pixels.dtype).max - pixels)
    if rule.polarity is Polarity.CHECK:
        require_upright_greys(path, pixels)
    return pixels


def _radiograph(path: Path) -> Radiograph:
    if recognise(path) not in RASTERS:
        return read_radiograph(path)
    picture = read_picture(path)
    _require_opaque(path, picture)
    return Radiograph(picture.pixels, None, source=path.name)


def require_opaque(path: Path) -> None:
    """Refuse a picture with a transparency channel; other formats have none.

    Raises:
        InputError: it has one, or is missing or damaged.
    """
    if recognise(path) in RASTERS:
        _require_opaque(path, read_picture(path))


def _require_opaque(path: Path, picture: Picture) -> None:
    if picture.has_alpha:
        raise UnsupportedError(
            f"{path.name} has a transparency channel (RGBA): something was laid over the film, or cut out of it.",
            "Save it as a grey picture without transparency, if nothing is lost.",
        )


def require_upright_greys(path: Path, pixels: Pixels) -> None:
    """Two signs together: air beside the body is brighter, and the mean chest doubts the layout.

    Of 218 upright films and DRRs none has both; inverted, 205 of them do (`benchmarks/film_checks.py`).

    Raises:
        UnsupportedError: both are there.
    """
    if not sides_are_brighter(pixels):
        return
    small = PixelGrid((pixels.shape[0], pixels.shape[1]), (1.0, 1.0), max(1.0, max(pixels.shape) / _CHECKED_PX))
    look = published_look(small.mean(pixels))
    if doubts := list(layout_doubts(look, fit_chest(look).step_mm)):
        raise UnsupportedError(
            f"{path.name} looks inverted: its sides are brighter than its middle, and {doubts[0]}.",
            "Turn it over; or, if dense is bright there, --polarity keep; if all are inverted, --polarity invert.",
        )


def read_structure(path: Path, shape: tuple[int, ...], rule: PictureRule) -> Selection:
    """The mask [y, x] of one structure, of two values, or one where it is empty.

    Raises:
        InputError: missing, damaged, coloured, with transparency, or grey edges.
        GeometryError: another size than the film's.
    """
    labels = read_bits(path, shape)
    values = np.unique(labels)
    others = values[values > 0]
    if len(others) <= 1:
        return np.asarray(labels > 0)
    if rule.grey_masks is GreyMasks.HALF:
        return np.asarray(2 * labels.astype(np.uint32) >= int(others[-1]))
    shown = ", ".join(str(value) for value in others[:_GREYS_SHOWN]) + (", …" if len(others) > _GREYS_SHOWN else "")
    raise UnsupportedError(
        f"the mask {path.parent.name}/{path.name} has grey edges: {len(others)} values besides 0 ({shown}).",
        "Save it with two values; or --grey-masks half takes what is at least half as bright as the brightest.",
    )


def read_bits(path: Path, shape: tuple[int, ...]) -> Labels:
    """A mask [y, x] as stored, of the film's size.

    Raises:
        InputError: missing, damaged, coloured, or with transparency.
        GeometryError: another size than the film's.
    """
    if recognise(path) in RASTERS and read_picture(path, keep_indices=True).has_alpha:
        raise UnsupportedError(f"the mask {path.name} has a transparency channel (RGBA).", "Save it in grey.")
    labels = read_mask(path).labels
    if labels.shape != shape:
        here, there = (" × ".join(map(str, size)) for size in (labels.shape, shape))
        raise GeometryError(
            f"the mask {path.parent.name}/{path.name} has {here} pixels, its film {there}.",
            "Both show the whole film; resample the mask to its size.",
        )
    return labels
