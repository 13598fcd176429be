"""NIfTI-1 and NIfTI-2, in and out (Cox 2004; nifti1.h and nifti2.h of the NIfTI Data Format Working Group).

The header is nibabel's; the voxels are read in one go without a second copy. World space in the file is RAS+, here LPS.
"""

import gzip
import logging
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hilum.core import Geometry, Quantity, UnreadableError, UnsupportedError
from hilum.core.geometry import Floats
from hilum.core.volume import Voxels
from hilum.io.atomic import atomic_file
from hilum.io.block import GZIP_MAGIC, Block, Packing, read_block
from hilum.io.inputs import read_start, require_path
from hilum.io.stored import StoredVolume, grid_of

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MAGICS = {348: (slice(344, 348), (b"n+1\0", b"ni1\0")), 540: (slice(4, 8), (b"n+2\0", b"ni2\0"))}
_MM_PER_UNIT = {"unknown": 1.0, "mm": 1.0, "meter": 1000.0, "micron": 1e-3}
_DISAGREE_MM = 0.1
"""Float32 headers and quaternions agree to about 0.01 mm; a tenth is somebody's mistake."""
_GZIP_LEVEL = 1
"""On LIDC-IDRI-0001 level 6 takes five times as long and saves a tenth."""
_QUANTITY = re.compile(rb"hilum quantity: (\S+)")


def nifti_size(start: bytes) -> int | None:
    """Length of the NIfTI header that these bytes begin with (348 or 540); None when it is none."""
    for size, (where, magics) in _MAGICS.items():
        if start[where] in magics and size in (int.from_bytes(start[:4], order) for order in ("little", "big")):
            return size
    return None


def read_nifti(path: Path) -> StoredVolume:
    """Read a NIfTI file, `.nii`, `.nii.gz` or the header of a `.hdr`/`.img` pair.

    The sform is used when its code is above 0, else the qform, else the voxel sizes alone (and `odd` says so).

    Raises:
        UnreadableError: damaged or truncated.
        UnsupportedError: 2D, with more than one frame, or with colours or complex numbers.
        GeometryError: its affine is no grid.
    """
    start, packed = _decoded_start(path)
    size = nifti_size(start)
    if size is None or len(start) < size:
        raise UnreadableError(f"{path} is no NIfTI file: its header is damaged or cut off.", "Copy it again.")
    with _as_unreadable(path):
        import nibabel as nib

        header = (nib.Nifti1Header if size == 348 else nib.Nifti2Header)(start[:size], check=True)
        shape = tuple(int(n) for n in header.get_data_shape())
        dtype, offset = header.get_data_dtype(), int(header.get_data_offset())
        slope, intercept = header.get_slope_inter()
        affine, odd = _affine_lps(header)
        quantity = _quantity(header)
    nx, ny, nz = _require_3d(shape, path)
    if dtype.kind not in "iuf" or dtype.itemsize > 8 or offset < 0:
        raise UnsupportedError(f"{path} holds {dtype} values; plain numbers were expected.", "Convert it to int16.")
    single = b"+" in start[_MAGICS[size][0]]
    data, packed = (path, packed) if single else _data_of_pair(path)
    packing = Packing.GZIP if packed else Packing.RAW
    geometry = grid_of(path, (nz, ny, nx), affine)
    array = read_block(Block(data, (nz, ny, nx), dtype, skip=offset, packing=packing, may_have_more=True))
    return StoredVolume(array, geometry, "NIfTI", slope or 1.0, intercept or 0.0, odd, quantity=quantity)


def description_of(path: Path) -> str:
    """The header's free text (`descrip`); "" when the file is no NIfTI, or damaged.

    Raises:
        InputError: the file doesn't exist, or may not be read.
    """
    start, _ = _decoded_start(path)
    where = {348: slice(148, 228), 540: slice(240, 320)}.get(nifti_size(start) or 0)  # nifti1.h, nifti2.h
    return "" if where is None else start[where].partition(b"\0")[0].decode("utf-8", "replace").strip()


def write_nifti(
    array: Voxels, geometry: Geometry, path: Path, quantity: Quantity | None = None, *, remark: str = ""
) -> None:
    """Write `.nii` or `.nii.gz`, in mm, scanner coordinates (code 1), sform and qform alike.

    A sheared grid has no qform (a quaternion can't say it): its code is 0 then.

    Args:
        array: [z, y, x], uint8, uint16, int16 or float32.
        geometry: its grid. The affine is kept to float32, about 1e-5 mm.
        path: where to; compressed when it ends in `.gz`.
        quantity: what the numbers are, kept in the header's free text; None for masks.
        remark: to be added to that text, which ends after 79 bytes.

    Raises:
        OutputError: the place can't be written to.
    """
    import nibabel as nib

    affine = RAS_TO_LPS @ geometry.affine_lps
    header = nib.Nifti1Header(endianness="<")
    header.set_data_dtype(array.dtype)
    header.set_data_shape(array.shape[::-1])
    header.set_xyzt_units("mm")
    words = (f"hilum quantity: {quantity}" if quantity else "", remark)
    header["descrip"] = " ".join(filter(None, words)).encode()[:79]
    header.set_zooms(geometry.spacing_zyx_mm[::-1])
    header.set_sform(affine, code=1)
    axes = geometry.directions
    if np.allclose(axes.T @ axes, np.eye(3), atol=1e-5):
        header.set_qform(affine, code=1)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    body = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).data
    with atomic_file(path) as temporary, temporary.open("wb") as plain:
        if path.suffix.lower() != ".gz":
            plain.writelines((header.binaryblock, bytes(4), body))
            return
        with gzip.GzipFile("", "wb", compresslevel=_GZIP_LEVEL, fileobj=plain, mtime=0) as stream:
            stream.writelines((header.binaryblock, bytes(4), body))


def _decoded_start(path: Path) -> tuple[bytes, bool]:
    """The first 540 bytes, unpacked when the file is gzipped; and whether it is."""
    if read_start(path, 2) != GZIP_MAGIC:
        return read_start(path, 540), False
    return gunzipped_start(path, 540), True


def gunzipped_start(path: Path, size: int) -> bytes:
    """The first bytes of a gzipped file, decoded; fewer (or none) when it is damaged."""
    packed, start = read_start(path, 8192), b""
    while packed.startswith(GZIP_MAGIC) and len(start) < size:
        decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
        try:
            start += decoder.decompress(packed, size - len(start))
        except zlib.error:
            break
        packed = decoder.unused_data
    return start


@contextmanager
def _as_unreadable(path: Path) -> Iterator[None]:
    """What nibabel says about a broken header becomes one clear error, and nothing on stderr.

    nibabel attaches a handler to its own logger; notes on values that it mends are ours to give, in `odd`.
    """
    from nibabel.imageglobals import LoggingOutputSuppressor

    logger, level = logging.getLogger("nibabel.global"), logging.getLogger("nibabel.global").level
    try:
        with LoggingOutputSuppressor(), np.errstate(all="ignore"):
            logger.setLevel(logging.CRITICAL + 1)
            yield
    except Exception as error:  # nibabel and numpy document no list of what they raise on damaged headers
        reason = " ".join(str(error).split())[:120]
        raise UnreadableError(f"{path} has a damaged NIfTI header: {reason}.", "Export or copy it again.") from error
    finally:
        logger.setLevel(level)


def _affine_lps(header: Any) -> tuple[Floats, tuple[str, ...]]:
    """The LPS affine in mm, and what is odd about how the header gives it."""
    odd = []
    sform, qform = header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]
    affine = sform if sform is not None else qform
    if affine is None:
        affine = np.diag([*(float(step) for step in header["pixdim"][1:4]), 1.0])
        odd.append("the header doesn't say how the patient lies: right–left, front–back and place are assumed")
    elif sform is not None and qform is not None and (apart := _apart_mm(header, sform, qform)) > _DISAGREE_MM:
        odd.append(f"its two affines (sform and qform) lie up to {apart:.3g} apart; the sform is used")
    code = int(header["xyzt_units"]) & 7
    unit = {0: "unknown", 1: "meter", 2: "mm", 3: "micron"}.get(code, "unknown")
    if unit == "unknown":
        odd.append("the header doesn't name its unit of length; mm is assumed")
    elif unit != "mm":
        odd.append(f"lengths in the header are in {unit}s and were converted to mm")
    scale = np.diag([*[_MM_PER_UNIT[unit]] * 3, 1.0])
    return RAS_TO_LPS @ scale @ np.asarray(affine, dtype=np.float64), tuple(odd)


def _apart_mm(header: Any, sform: Floats, qform: Floats) -> float:
    """How far two affines put a corner of the grid apart, at most."""
    shape = (*header.get_data_shape(), 1, 1, 1)[:3]
    corners = np.stack([*np.meshgrid(*((0, n - 1) for n in shape)), np.ones((2, 2, 2))], axis=-1).reshape(8, 4)
    return float(np.linalg.norm((corners @ (sform - qform).T)[:, :3], axis=1).max())


def _quantity(header: Any) -> Quantity | None:
    found = _QUANTITY.match(bytes(header["descrip"].item()))
    known = {str(quantity).encode(): quantity for quantity in Quantity}
    return known.get(found[1]) if found else None


def _require_3d(shape: tuple[int, ...], path: Path) -> tuple[int, int, int]:
    """(x, y, z) sizes; empty trailing axes are dropped."""
    frames = int(np.prod(shape[3:], dtype=object)) if len(shape) > 3 else 1
    if len(shape) < 3 or min(shape, default=0) < 1:
        sizes = " × ".join(map(str, shape)) or "nothing"
        raise UnsupportedError(f"{path} is a {len(shape)}D NIfTI ({sizes}); a 3D one was expected.", "Give the volume.")
    if frames != 1:
        raise UnsupportedError(
            f"{path} holds {frames} frames (a {len(shape)}D NIfTI); one volume was expected.",
            "Split it, and give the frame that is meant.",
        )
    return shape[0], shape[1], shape[2]


def _data_of_pair(header: Path) -> tuple[Path, bool]:
    for suffix in (".img", ".img.gz"):
        data = header.with_name(header.name.removesuffix(".gz").removesuffix(".hdr") + suffix)
        if data.is_file():
            return data, read_start(data, 2) == GZIP_MAGIC
    missing = header.with_suffix(".img").name
    raise UnreadableError(
        f"{require_path(header)} is the header of a pair, and its voxels {missing} are missing.",
        f"Put {missing} beside it.",
    )
