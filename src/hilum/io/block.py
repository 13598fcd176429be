"""The block of voxels that a volume file holds after its header, raw or compressed.

Everything is checked before memory is asked for, so that a header that lies about its size costs one clear line and
never the process, and a file that is too short is never filled up with zeros.
"""

import bz2
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hilum.core import UnreadableError, UnsupportedError
from hilum.core.geometry import Shape3
from hilum.core.volume import Voxels
from hilum.io.inputs import open_input, require_path

MAX_VOXELS = 2**31
"""A ceiling against headers that lie: 1024 × 1024 × 2048, several times the largest chest CT."""

_PIECE = 1 << 16
_MOST_PER_BYTE = {"gzip": 1032, "bzip2": 50_000}
"""How far one byte can expand: deflate's limit (zlib's technical notes), and above bzip2's best on zeros."""

GZIP_MAGIC = b"\x1f\x8b"


class Packing(StrEnum):
    """How the bytes are compressed."""

    RAW = "raw"
    GZIP = "gzip"
    """A gzip or zlib stream: the decoder tells them apart."""
    BZIP2 = "bzip2"


@dataclass(frozen=True)
class Block:
    """Where a volume's numbers lie.

    Attributes:
        path: the file that holds them.
        shape_zyx: voxels; the file has x running fastest.
        dtype: type of one number, with its byte order.
        start: bytes of the file before the (compressed) stream; None for a raw block that ends with the file.
        skip: bytes of the decoded stream before the first voxel.
        packing: how the stream is compressed.
        may_have_more: whether bytes after the last voxel are the format's business and not a sign of a wrong header.
    """

    path: Path
    shape_zyx: Shape3
    dtype: np.dtype[np.generic]
    start: int | None = 0
    skip: int = 0
    packing: Packing = Packing.RAW
    may_have_more: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of all voxels, decoded."""
        nz, ny, nx = self.shape_zyx
        return nz * ny * nx * self.dtype.itemsize


def read_block(block: Block) -> Voxels:
    """The voxels, [z, y, x], in the machine's byte order and the type that the file has.

    Raises:
        UnreadableError: the file is shorter (or longer) than its header says, or its compression is damaged.
        UnsupportedError: it has more voxels than fit.
    """
    file_bytes = require_path(block.path).stat().st_size
    start = file_bytes - block.nbytes if block.start is None else block.start
    _require_plausible(block, file_bytes, start)
    try:
        buffer = np.empty(block.nbytes, dtype=np.uint8)
    except MemoryError as error:
        raise UnsupportedError(
            f"{block.path} needs {block.nbytes / 1e9:.1f} GB of memory, which this machine doesn't have.",
            "Crop it, or use a larger machine.",
        ) from error
    with open_input(block.path) as stream:
        stream.seek(start)
        _fill(buffer, stream, block)
    voxels = buffer.view(block.dtype).reshape(block.shape_zyx)
    return voxels if block.dtype.isnative else voxels.byteswap(inplace=True).view(block.dtype.newbyteorder("="))


def _require_plausible(block: Block, file_bytes: int, start: int) -> None:
    voxels = block.nbytes // block.dtype.itemsize
    if voxels > MAX_VOXELS:
        raise UnsupportedError(
            f"{block.path} says that it has {voxels:,} voxels, more than the {MAX_VOXELS:,} that hilum takes.",
            "If that is true, crop it; if not, its header is damaged.",
        )
    held = file_bytes - start - block.skip
    if block.packing is not Packing.RAW:
        if block.nbytes > (file_bytes - start + 1) * _MOST_PER_BYTE[block.packing]:
            raise _wrong_size(block, f"{max(0, file_bytes - start)} compressed bytes, too few for")
    elif start < 0 or held < block.nbytes or (held > block.nbytes and not block.may_have_more):
        held = file_bytes if start < 0 else max(0, held)
        raise _wrong_size(block, f"{held} bytes of voxels, but its header describes")


def _fill(buffer: Voxels, stream: BinaryIO, block: Block) -> None:
    filled, skip, target = 0, block.skip, buffer.data
    try:
        for piece in _pieces(stream, block.packing):
            part = memoryview(piece)[skip:]
            skip -= min(skip, len(piece))
            if len(part) > len(target) - filled and not block.may_have_more:
                raise _wrong_size(block, "more bytes of voxels than")
            part = part[: len(target) - filled]
            target[filled : filled + len(part)] = part
            filled += len(part)
            if filled == len(target) and block.may_have_more:
                break
    except (zlib.error, EOFError, ValueError) as error:
        raise UnreadableError(
            f"{block.path} is damaged: its {block.packing} stream breaks off.", "Copy it again."
        ) from error
    if filled < len(target):
        raise _wrong_size(block, f"{filled} bytes of voxels, but its header describes")


def _pieces(stream: BinaryIO, packing: Packing) -> Iterator[bytes]:
    if packing is Packing.RAW:
        return iter(lambda: stream.read(_PIECE * 16), b"")
    return _inflate(stream) if packing is Packing.GZIP else _bunzip(stream)


def _inflate(stream: BinaryIO) -> Iterator[bytes]:
    """The decoded pieces of a zlib or gzip stream (RFC 1950, 1952), all its members; checksums are verified.

    Raises:
        zlib.error: the stream is damaged.
        EOFError: the stream breaks off.
    """
    decoder, packed = zlib.decompressobj(zlib.MAX_WBITS | 32), b""
    while packed or (packed := stream.read(_PIECE)):
        if decoder.eof:
            if not packed.startswith(GZIP_MAGIC):
                return  # padding after the last member
            decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
        yield decoder.decompress(packed)
        packed = decoder.unused_data
    if not decoder.eof:
        raise EOFError


def _bunzip(stream: BinaryIO) -> Iterator[bytes]:
    decoder = bz2.BZ2Decompressor()
    while not decoder.eof:
        packed = stream.read(_PIECE) if decoder.needs_input else b""
        if decoder.needs_input and not packed:
            raise EOFError
        try:
            yield decoder.decompress(packed, _PIECE * 64)
        except OSError as error:  # bz2's word for damage; it must not pass for the disk's
            raise ValueError(str(error)) from error


def _wrong_size(block: Block, what: str) -> UnreadableError:
    nz, ny, nx = block.shape_zyx
    return UnreadableError(
        f"{block.path} holds {what} {nx} × {ny} × {nz} × {block.dtype.itemsize} = {block.nbytes} bytes.",
        "The file is truncated or belongs to another header: copy it again from its source.",
    )
