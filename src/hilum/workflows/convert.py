"""From one file format to another, without a change of values or place."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hilum.core import Mask, OutputError, Radiograph, Volume
from hilum.io.atomic import output_error
from hilum.io.dicom import read_dicom_radiograph, read_header, write_series
from hilum.io.kinds import VOLUMES, Kind, recognise
from hilum.io.raster import write_png
from hilum.io.read import files_in, read_mask, read_radiograph, read_volume, volume_repair
from hilum.io.volumes import WRITABLE, read_stored, volume_suffix, write_mask, write_volume


@dataclass(frozen=True, eq=False)
class Converted:
    """What was written, and what a person should know of how it came about.

    Attributes:
        image: what was written.
        notes: one line each: what was repaired.
    """

    image: Volume | Radiograph | Mask
    notes: tuple[str, ...] = ()


def convert(
    src: Path,
    dst: Path,
    *,
    series: str | None = None,
    repair: bool = False,
    like: Path | None = None,
    structure: str | None = None,
    force: bool = False,
) -> Converted:
    """Write `src` in the format that the ending of `dst` names.

    Volumes go to NIfTI, MHA, MHD with RAW or NRRD, and to a folder of DICOM slices when `dst` has no ending; DICOM SEG,
    RTSTRUCT and 8-bit label volumes go to the same volume formats as masks; radiographs go to PNG.

    Args:
        src: what to convert; a folder stands for the one volume, DICOM series, SEG or RTSTRUCT in it.
        dst: where to.
        series: which DICOM series, where there are several.
        repair: for DICOM, resample what is unevenly spaced rather than refuse it.
        like: the CT whose grid an RTSTRUCT is drawn on.
        structure: of a SEG or RTSTRUCT, the name of the one that is wanted; without it all, if none overlap.
        force: write over a file that is there (never over a folder that holds something).

    Raises:
        InputError: `src` can't be read.
        OutputError: `dst` exists, names no format for this, or can't be written.
    """
    _require_free(dst, force)
    if dst.suffix.lower() == ".png":
        return Converted(_to_png(src, dst))
    if volume_suffix(dst) is None and dst.suffix:
        raise OutputError(
            f"{dst} was not written: the ending {dst.suffix} names no format that hilum writes.",
            f"Use {', '.join(WRITABLE)}, .png, or no ending for a folder of DICOM slices.",
        )
    src = _mask_alone_in(src) or src
    image = _load(src, like, series, structure, repair)
    _write(image, dst)
    done = volume_repair(src, series) if repair and isinstance(image, Volume) else None
    return Converted(image, (f"repaired: {done}",) if done else ())


def _to_png(src: Path, dst: Path) -> Radiograph:
    """Pixels as stored, not as a DICOM's window would show them: nothing is lost."""
    radiograph = read_dicom_radiograph(src, voi=False) if recognise(src) is Kind.DICOM else read_radiograph(src)
    write_png(radiograph.array, dst)
    return radiograph


def _write(image: Volume | Mask, dst: Path) -> None:
    if volume_suffix(dst) is None and isinstance(image, Mask):
        raise OutputError(f"{dst} was not written: labels are no CT series.", f"Use {', '.join(WRITABLE)}.")
    if isinstance(image, Mask):
        write_mask(image, dst)
    elif volume_suffix(dst) is not None:
        write_volume(image, dst)
    else:
        write_series(image, dst)


def _require_free(dst: Path, force: bool) -> None:
    try:
        holds_something = dst.is_dir() and any(dst.iterdir())
        files = [dst, dst.with_suffix(".raw")] if dst.suffix.lower() == ".mhd" else [dst]
        taken = [file for file in files if file.is_file() and not force]
    except OSError as error:
        raise output_error(dst, error) from error
    if holds_something:
        raise OutputError(f"{dst} is a folder that holds something already.", "Choose another name.")
    for file in taken:
        raise OutputError(f"{file} exists already.", "Choose another name, or write over it with --force.")


def _mask_alone_in(folder: Path) -> Path | None:
    """The SEG or RTSTRUCT that is all that a folder holds."""
    files = files_in(folder) if recognise(folder) is Kind.FOLDER else []
    return files[0] if len(files) == 1 and _is_dicom_mask(files[0]) else None


def _is_dicom_mask(path: Path) -> bool:
    return recognise(path) is Kind.DICOM and read_header(path).text("Modality") in ("SEG", "RTSTRUCT")


def _load(src: Path, like: Path | None, series: str | None, structure: str | None, repair: bool) -> Volume | Mask:
    """Labels from what holds labels: SEG and RTSTRUCT by their modality, volume files by their 8-bit unsigned type."""
    if structure is not None or _is_dicom_mask(src):
        return read_mask(src, read_volume(like, series=series).geometry if like else None, structure)
    if recognise(src) in VOLUMES:
        stored = read_stored(src)
        return stored.mask(str(src)) if stored.array.dtype == np.uint8 else stored.volume(str(src))
    return read_volume(src, series=series, repair=repair)
