"""Pictures: PNG, JPEG and TIFF in, 8 and 16 bit; PNG out.

A picture knows no patient: its resolution entry (PNG pHYs, TIFF, JFIF) is about printing, never millimetres of a
chest, and its polarity can't be told. Pillow decodes; what it does silently (cut 16 bits to 8, spread 2-bit labels over
0 to 255) is undone or refused.
"""

import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from hilum.core import HilumError, Mask, OutputError, Radiograph, UnreadableError, UnsupportedError
from hilum.core.radiograph import Pixels
from hilum.io.atomic import atomic_file
from hilum.io.inputs import open_input
from hilum.io.stored import as_labels, is_whole

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = ("PNG", "JPEG", "TIFF")
_ORIENTATION = 274  # EXIF and TIFF tag
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # TIFF 6.0, section 8
_GREY_TOLERANCE = {"JPEG": 8}
"""JPEG's colour conversion rounds; a grey film saved in colour comes back with channels some levels apart."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded grey picture.

    Attributes:
        pixels: [y, x], unsigned integers as stored (or float32), turned upright when the file says how it lies.
        format: "PNG", "JPEG" or "TIFF".
        bits: of one pixel in the file.
        odd: what a person should know, one line each.
        is_indexed: whether the pixels are numbers into a palette, not brightness.
        has_alpha: whether the file says how transparent each pixel is, which the pixels here leave out.
    """

    pixels: Pixels
    format: str
    bits: int
    odd: tuple[str, ...] = ()
    is_indexed: bool = False
    has_alpha: bool = False


def read_picture(path: Path, *, keep_indices: bool = False) -> Picture:
    """Decode a PNG, JPEG or TIFF to one channel, exactly as stored.

    Args:
        path: the file; its content, not its name, chooses the decoder.
        keep_indices: give a palette's numbers (labels) instead of its colours.

    Raises:
        UnreadableError: damaged or truncated.
        UnsupportedError: coloured, several pages, too many pixels, or 16 bits in a form that can't be read exactly.
    """
    with open_input(path) as stream, _decoding(path) as remarks:
        from PIL import Image, ImageOps

        with Image.open(stream, formats=_FORMATS) as image:
            _require_single(image, path)
            bits = _bits(image, stream)
            with _quiet_libtiff(image):
                image.load()
            odd = _notes(image)
            turned = ImageOps.exif_transpose(image) if image.getexif().get(_ORIENTATION, 1) != 1 else image
            indexed = keep_indices and turned.mode == "P"
            pixels = _grey(turned, bits, indexed, str(image.format), path)
            pixels = _upright_polarity(pixels, image)
            odd += tuple(f"the decoder remarks: {str(remark.message).strip()}" for remark in remarks)
            return Picture(pixels, str(image.format), bits, odd, indexed, _has_alpha(image))


def read_raster_radiograph(path: Path) -> Radiograph:
    """A picture as a radiograph without millimetres.

    Dense is taken to be bright, as displayed: no picture says otherwise.

    Raises:
        UnreadableError: damaged or truncated.
        UnsupportedError: coloured, several pages, or too large.
    """
    return Radiograph(read_picture(path).pixels, None, source=path.name)


def read_raster_mask(path: Path) -> Mask:
    """A picture as labels [y, x]; a palette's numbers are the labels, as in PASCAL VOC.

    Raises:
        UnreadableError: damaged or truncated.
        UnsupportedError: coloured, several pages, too large, or JPEG, whose compression changes labels.
    """
    picture = read_picture(path, keep_indices=True)
    if picture.format == "JPEG":
        raise UnsupportedError(f"{path} is a JPEG, whose compression changes labels.", "Save the mask as PNG.")
    return Mask(as_labels(picture.pixels, str(path)))


def write_png(pixels: Pixels, path: Path) -> None:
    """Write a grey PNG of 8 or 16 bits, exactly.

    Args:
        pixels: [y, x], uint8, uint16 or bool (becomes 0 and 255). Whole numbers of other types are kept when they fit.
        path: where to.

    Raises:
        OutputError: negative numbers, fractions, more than 16 bits, or the place can't be written to.
    """
    encoded = png_bytes(pixels, str(path))
    # Pillow's encoder hides the system's reason (a full disk) when it writes to a file itself.
    with atomic_file(path) as temporary:
        temporary.write_bytes(encoded)


def png_bytes(pixels: Pixels, name: str = "the picture") -> bytes:
    """A grey PNG of 8 or 16 bits, exactly, as `write_png` writes it.

    Args:
        pixels: as for `write_png`.
        name: of the picture, for errors.

    Raises:
        OutputError: negative numbers, fractions, or more than 16 bits.
    """
    from PIL import Image

    encoded = io.BytesIO()
    Image.fromarray(_storable(pixels, name)).save(encoded, "PNG", compress_level=6)
    return encoded.getvalue()


def _storable(pixels: Pixels, name: str) -> Pixels:
    if pixels.ndim != 2:
        raise OutputError(f"{name} was not written: a grey picture is [y, x], got the shape {pixels.shape}.", "")
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * 255
    if pixels.dtype in (np.uint8, np.uint16):
        return np.ascontiguousarray(pixels)
    low, high = float(pixels.min()), float(pixels.max())
    if not (is_whole(pixels) and low >= 0 and high <= np.iinfo(np.uint16).max):
        raise OutputError(
            f"{name} was not written: PNG holds whole numbers 0 to 65535, got {pixels.dtype}, {low:g} to {high:g}.",
            "Scale it first, or choose DICOM or NIfTI.",
        )
    return pixels.astype(np.uint16)


@contextmanager
def _decoding(path: Path) -> Iterator[list[warnings.WarningMessage]]:
    """What Pillow raises on a broken file becomes one error, and its warnings are handed over, not printed."""
    from PIL import Image

    logger, silent = logging.getLogger("PIL"), logging.NullHandler()
    try:
        logger.addHandler(silent)  # without any handler, Python prints to stderr
        with warnings.catch_warnings(record=True) as remarks:
            warnings.simplefilter("always")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield remarks
    except HilumError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnsupportedError(
            f"{path} says that it has more than {Image.MAX_IMAGE_PIXELS or 0:,} pixels, far above any radiograph.",
            "If that is true, shrink it; if not, it is damaged.",
        ) from error
    except Exception as error:  # Pillow documents OSError and SyntaxError, and raises more on damaged files
        raise UnreadableError(f"{path} is damaged or truncated: {_reason(error)}.", "Copy it again.") from error
    finally:
        logger.removeHandler(silent)


@contextmanager
def _quiet_libtiff(image: "Image") -> Iterator[None]:
    """Libtiff writes what it thinks of a file to the process's stderr, and Pillow has no switch for that.

    What matters comes as an exception. The stream is turned away for the whole process, so only while it decodes.
    """
    if not any(tile[0] == "libtiff" for tile in getattr(image, "tile", ())):
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _reason(error: Exception) -> str:
    """Pillow's reason without the decoder object that it sometimes prints."""
    text = " ".join(str(error).split())
    return "it is no PNG, JPEG or TIFF" if "cannot identify" in text else text[:120].rstrip(".") or type(error).__name__


def _require_single(image: "Image", path: Path) -> None:
    frames = int(getattr(image, "n_frames", 1))
    if frames != 1:
        raise UnsupportedError(f"{path} holds {frames} pictures; one was expected.", "Save the one that is meant.")


def _bits(image: "Image", stream: BinaryIO) -> int:
    """Bits of one sample in the file: Pillow's mode doesn't say."""
    if image.format == "PNG":
        here = stream.tell()
        stream.seek(24)
        depth = stream.read(1)[0]
        stream.seek(here)
        return int(depth)
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS_PER_SAMPLE, 8 if image.mode != "1" else 1)
    return int(max(bits) if isinstance(bits, tuple) else bits)


def _has_alpha(image: "Image") -> bool:
    return "A" in image.mode.upper() or "transparency" in image.info


def _notes(image: "Image") -> tuple[str, ...]:
    notes = []
    if image.info.get("dpi"):
        notes.append("it names a resolution for printing, which says nothing about millimetres in the patient")
    if image.getexif().get(_ORIENTATION, 1) != 1:
        notes.append("it is stored turned or mirrored, and was brought upright as its EXIF entry says")
    if image.format == "JPEG":
        notes.append("JPEG has changed its grey values")
    return tuple(notes)


def _grey(image: "Image", bits: int, indexed: bool, name: str, path: Path) -> Pixels:
    """[y, x] as stored."""
    if indexed or image.mode in ("L", "1"):
        pixels = np.asarray(image).astype(np.uint8)
        spread = image.mode == "L" and bits in (2, 4) and name == "PNG"
        return pixels // (255 // (2**bits - 1)) if spread else pixels  # Pillow spreads them over 0…255
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if image.mode in ("I", "F"):
        return np.array(image)
    if bits > 8:
        raise UnsupportedError(
            f"{path} has {bits} bits in several channels, which can't be read exactly.",
            "Save it as a grey picture without transparency.",
        )
    return _from_channels(image, name, path)


def _from_channels(image: "Image", name: str, path: Path) -> Pixels:
    """Grey from LA, RGB, RGBA or a palette; transparency is dropped."""
    if image.mode not in ("P", "PA", "LA", "La", "RGB", "RGBA", "RGBX", "RGBa", "YCbCr"):
        raise UnsupportedError(f"{path} has the colour model {image.mode}; grey was expected.", "Save it in grey.")
    colours = np.asarray(image.convert("RGB"))
    apart = int((colours.max(axis=-1) - colours.min(axis=-1)).max())
    if apart > _GREY_TOLERANCE.get(name, 0):
        raise UnsupportedError(
            f"{path} is coloured (its channels are up to {apart} of 255 levels apart); a grey picture was expected.",
            "If the colours are marks or labels, use the original without them.",
        )
    return np.ascontiguousarray(colours[..., 1])


def _upright_polarity(pixels: Pixels, image: "Image") -> Pixels:
    """TIFF may say that 0 is white; Pillow turns 8 bits around and leaves 16 as they are."""
    tags = getattr(image, "tag_v2", None)
    if tags is None or tags.get(_PHOTOMETRIC) != _WHITE_IS_ZERO or pixels.dtype != np.uint16:
        return pixels
    return np.iinfo(np.uint16).max - pixels
