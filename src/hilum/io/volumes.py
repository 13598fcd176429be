"""Volumes in files: NIfTI, MetaImage (MHD with RAW, MHA) and NRRD, in and out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from hilum.core import Mask, OutputError, UnsupportedError, Volume
from hilum.core.volume import Voxels
from hilum.io.kinds import Kind, recognise
from hilum.io.stored import StoredVolume

WRITABLE = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd")
"""File names by which a format is chosen when writing."""
_STORED_TYPES = (np.uint8, np.uint16, np.int16, np.float32)
"""What every one of the formats and of the tools that read them takes."""


def read_stored(path: Path) -> StoredVolume:
    """Read a volume file as it is, whatever it is called; the format is told by its content.

    Raises:
        UnreadableError: damaged, truncated, incomplete.
        UnsupportedError: no volume, or none that hilum takes.
        GeometryError: its header gives no grid.
    """
    kind = recognise(path)
    if kind not in _readers():
        raise UnsupportedError(f"{path} is {kind.phrase}; a NIfTI, MHD, MHA or NRRD volume was expected.", "")
    return _readers()[kind](path)


def _readers() -> dict[Kind, Callable[[Path], StoredVolume]]:
    from hilum.io.metaimage import read_metaimage
    from hilum.io.nifti import read_nifti
    from hilum.io.nrrd import read_nrrd

    return {Kind.NIFTI: read_nifti, Kind.METAIMAGE: read_metaimage, Kind.NRRD: read_nrrd}


def volume_suffix(path: Path) -> str | None:
    """The ending by which `write_volume` chooses a format, ".nii.gz" in one piece; None when it is none of those."""
    name = path.name.lower()
    return next((suffix for suffix in WRITABLE if name.endswith(suffix) and name != suffix), None)


def write_volume(volume: Volume, path: Path) -> None:
    """Write a volume; its ending chooses NIfTI, MHA, MHD with RAW, or NRRD.

    int16, uint8, uint16 and float32 are kept bit for bit. Other whole numbers are written as int16 or uint16 when all
    of them fit, other fractions as float32. The grid is kept exactly in NRRD, to 1e-12 mm in MHA and MHD, to float32
    (about 1e-5 mm) in NIfTI. The frame of reference has no place in these formats.

    Raises:
        OutputError: the ending is none of these, the numbers don't fit, or the place can't be written to.
    """
    _writer(path)(storable(volume.array, path), volume)


def write_mask(mask: Mask, path: Path) -> None:
    """Write a 3D mask like a volume, in the type of its labels; NRRD keeps their names.

    Raises:
        OutputError: the ending is none that is written, or the place can't be written to.
        UnitError: the mask is 2D.
    """
    mask.require_geometry()
    _writer(path)(storable(mask.labels, path), mask)


def storable(array: Voxels, path: Path) -> Voxels:
    """The same numbers in a type that files have; `path` is for the error.

    Raises:
        OutputError: whole numbers that neither int16 nor uint16 holds.
    """
    if array.dtype.type in _STORED_TYPES:
        return array
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    low, high = (int(array.min()), int(array.max())) if array.dtype.kind in "iu" else (0, 2**64)
    for dtype in (np.int16, np.uint16):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return array.astype(dtype)
    raise OutputError(f"{path} was not written: values of {array.dtype} up to {high} don't fit 16 bits.", "")


def _writer(path: Path) -> Callable[[Voxels, Volume | Mask], None]:
    suffix = volume_suffix(path)
    if suffix is None:
        raise OutputError(f"{path} was not written: its ending names no format.", f"Use one of {', '.join(WRITABLE)}.")

    def write(array: Voxels, image: Volume | Mask) -> None:
        from hilum.io.metaimage import write_metaimage
        from hilum.io.nifti import write_nifti
        from hilum.io.nrrd import write_nrrd

        geometry = image.geometry if isinstance(image, Volume) else image.require_geometry()
        quantity = image.quantity if isinstance(image, Volume) else None
        if suffix in (".nii", ".nii.gz"):
            write_nifti(array, geometry, path, quantity)
        elif suffix == ".nrrd":
            write_nrrd(array, geometry, path, quantity, image.names if isinstance(image, Mask) else None)
        else:
            write_metaimage(array, geometry, path, quantity)

    return write
