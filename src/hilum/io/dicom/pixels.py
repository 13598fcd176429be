"""DICOM pixel data: the one place where frames are decoded, by a fast path or by its plain twin, pydicom."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilum.core import UnreadableError, UnsupportedError
from hilum.io.dicom.files import EXPLICIT_LITTLE, IMPLICIT_LITTLE, Header, guarded, uid_name

Stored: TypeAlias = NDArray[np.integer[Any]]

_PIXEL_DATA = b"\xe0\x7f\x10\x00"
_UNDEFINED_LENGTH = 0xFFFFFFFF
_NATIVE = (IMPLICIT_LITTLE, EXPLICIT_LITTLE, "1.2.840.10008.1.2.2")
_LARGEST_COMPRESSION = 1000
"""Deflate can't pack tighter than 1:1032; lossless codecs come near it on empty images only."""
_SMALLEST_CLAIM_BYTES = 4 << 20
"""Below this, a file may claim any compression: blank test images do, and they harm nobody."""


@dataclass(frozen=True, slots=True)
class PixelSource:
    """What is needed to get the frames of one file (PS3.3 C.7.6.3, Image Pixel Module).

    Attributes:
        path: the file.
        syntax: Transfer Syntax UID.
        offset: where PixelData begins in the file, for uncompressed little-endian files.
        shape_yx: Rows and Columns.
        frames: how many frames.
        samples: values per pixel; 1 for grey.
        photometric: PhotometricInterpretation.
        bits_allocated: bits that a value takes in the file.
        bits_stored: bits that are used.
        high_bit: the highest bit used.
        signed: two's complement, or not.
    """

    path: Path
    syntax: str
    offset: int
    shape_yx: tuple[int, int]
    frames: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool

    @property
    def frame_bytes(self) -> int:
        """Size of one decoded frame."""
        return self.shape_yx[0] * self.shape_yx[1] * self.samples * self.bits_allocated // 8

    @property
    def range(self) -> tuple[int, int]:
        """The smallest and the largest value that can be stored."""
        low = -(1 << (self.bits_stored - 1)) if self.signed else 0
        return low, low + (1 << self.bits_stored) - 1


def pixel_source(header: Header) -> PixelSource:
    """Read and check what a header says about its pixels.

    Raises:
        UnsupportedError: the file is a header without pixels.
        UnreadableError: the numbers contradict each other, or claim more than the file can hold.
    """
    if header.has_pixels is False:
        raise UnsupportedError(f"{header.path} holds no pixels, only a header.", "Get the image itself.")
    allocated = header.whole("BitsAllocated", 16)
    stored = header.whole("BitsStored", allocated)
    source = PixelSource(
        path=header.path,
        syntax=header.syntax,
        offset=header.pixel_offset,
        shape_yx=(header.whole("Rows", 0), header.whole("Columns", 0)),
        frames=header.whole("NumberOfFrames", 1),
        samples=header.whole("SamplesPerPixel", 1),
        photometric=header.text("PhotometricInterpretation") or "MONOCHROME2",
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=header.whole("HighBit", stored - 1),
        signed=header.whole("PixelRepresentation", 0) == 1,
    )
    _require_sound(source)
    return source


def _require_sound(source: PixelSource) -> None:
    rows, columns = source.shape_yx
    if min(rows, columns, source.frames, source.samples) < 1:
        raise UnreadableError(
            f"{source.path} holds no image: {columns} × {rows} pixels, number of frames {source.frames}."
        )
    bits = source.bits_allocated, source.bits_stored, source.high_bit
    if bits[0] not in (1, 8, 16, 32, 64) or not 1 <= bits[1] <= bits[0] or not bits[1] - 1 <= bits[2] < bits[0]:
        raise UnreadableError(
            f"{source.path} is damaged: bits allocated, stored and high bit don't fit together: {bits}."
        )
    with guarded(source.path):
        held = source.path.stat().st_size
    claimed = source.frame_bytes * source.frames
    after = held - source.offset
    if source.syntax in _NATIVE and claimed > after:
        raise UnreadableError(
            f"{source.path} is truncated: its header announces {claimed} bytes of pixels, {after} follow.",
            "Get a complete copy.",
        )
    if claimed > max(_SMALLEST_CLAIM_BYTES, held * _LARGEST_COMPRESSION):
        raise UnreadableError(f"{source.path} is damaged: it claims {claimed} bytes of pixels in a file of {held}.")


def read_frame(source: PixelSource, index: int = 0) -> Stored:
    """One grey frame [y, x], or a colour one [y, x, samples], as stored, before any rescaling. Raises like `frames`."""
    return next(frames(source, [index]))


def frames(source: PixelSource, indices: Sequence[int]) -> Iterator[Stored]:
    """The frames of one file as stored, before any rescaling, in the order asked for.

    Bits outside of those stored (old overlays, a sign that wasn't extended) are cleared (PS3.5 section 8.1.1).
    Uncompressed little-endian grey frames are read straight from the file; everything else goes through pydicom.

    Raises:
        UnreadableError: the pixels are missing, truncated or damaged.
        UnsupportedError: nothing here decodes the transfer syntax.
    """
    if source.syntax in (IMPLICIT_LITTLE, EXPLICIT_LITTLE) and source.samples == 1 and source.bits_allocated in (8, 16):
        return (_used_bits(_frame_from_file(source, index), source) for index in indices)
    if source.high_bit != source.bits_stored - 1:
        raise UnsupportedError(
            f"{source.path} keeps its values in bits {source.high_bit + 1 - source.bits_stored} to {source.high_bit}; "
            "only values from bit 0 up are taken when compressed, coloured or big endian."
        )
    return (_used_bits(frame, source) for frame in frames_by_pydicom(source, indices))


def _frame_from_file(source: PixelSource, index: int) -> Stored:
    """The fast path: find PixelData where the header ended, and read one frame's bytes."""
    dtype = np.dtype(f"<{'i' if source.signed else 'u'}{source.bits_allocated // 8}")
    with guarded(source.path, "PixelData"), source.path.open("rb", buffering=0) as file:
        file.seek(source.offset)
        start = file.read(12)
        if start[:4] != _PIXEL_DATA:
            raise UnreadableError(f"{source.path} holds no pixel data.", "Get a complete copy.")
        skip = 12 if source.syntax == EXPLICIT_LITTLE else 8
        held = int.from_bytes(start[skip - 4 : skip], "little")
        if held == _UNDEFINED_LENGTH or held < source.frames * source.frame_bytes:
            raise UnreadableError(
                f"{source.path} is damaged: its header describes {source.frames * source.frame_bytes} bytes of pixels, "
                f"and there are {'packed ones' if held == _UNDEFINED_LENGTH else held}."
            )
        file.seek(source.offset + skip + index * source.frame_bytes)
        values = np.fromfile(file, dtype, source.frame_bytes // dtype.itemsize)
    if values.nbytes < source.frame_bytes:
        raise UnreadableError(
            f"{source.path} is truncated: frame {index + 1} has {values.nbytes} of {source.frame_bytes} bytes.",
            "Get a complete copy.",
        )
    return values.reshape(source.shape_yx)


def _used_bits(frame: Stored, source: PixelSource) -> Stored:
    """Bring the used bits to the bottom, with the sign extended and everything else cleared."""
    width = frame.dtype.itemsize * 8
    above, unused = source.bits_allocated - 1 - source.high_bit, source.bits_allocated - source.bits_stored
    if width != source.bits_allocated or not unused:
        return frame
    typed = frame.view(f"{frame.dtype.byteorder}{'i' if source.signed else 'u'}{frame.dtype.itemsize}")
    return np.asarray((typed << above) >> unused)


def frames_by_pydicom(source: PixelSource, indices: Sequence[int]) -> Iterator[Stored]:
    """The plain twin: decode by pydicom with gdcm behind it (JPEG, JPEG-LS, JPEG 2000, RLE, deflated, big endian).

    Yields frames before unused bits are cleared; raises like `frames`.
    """
    with guarded(source.path, "PixelData"):
        import pydicom
        from pydicom.pixels.utils import iter_pixels

        _require_decoder(source)
        dataset = pydicom.dcmread(source.path, force=True)
        if "PixelData" not in dataset:
            raise UnreadableError(f"{source.path} holds no pixel data.", "Get a complete copy.")
        if not hasattr(dataset, "file_meta"):
            dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(source.syntax)
        decoded = iter_pixels(dataset, raw=True, indices=list(indices))
    for _ in indices:
        with guarded(source.path, "PixelData"):
            frame = next(decoded)
            if frame.shape[:2] != source.shape_yx:
                raise ValueError(f"the frame has {frame.shape} pixels, the header says {source.shape_yx}")
        yield frame


def _require_decoder(source: PixelSource) -> None:
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    try:
        usable = get_decoder(UID(source.syntax)).is_available
    except NotImplementedError:
        usable = False
    if not usable:
        raise UnsupportedError(
            f"{source.path} is stored as {uid_name(source.syntax)}, which nothing here decodes.",
            "Convert it first, for example with gdcmconv --raw.",
        )
    _silence_gdcm()


def _silence_gdcm() -> None:
    """Keep gdcm's C++ messages off stderr; what went wrong arrives as an exception all the same."""
    import gdcm

    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
