"""From one file format to another, without a change of values or place."""

from pathlib import Path

from hilum.core import InputError, Mask, OutputError, Radiograph, Volume
from hilum.io.atomic import output_error
from hilum.io.dicom import read_dicom_radiograph, read_header, write_series
from hilum.io.kinds import RASTERS, VOLUMES, Kind, recognise
from hilum.io.raster import write_png
from hilum.io.read import read_mask, read_radiograph, read_volume
from hilum.io.volumes import WRITABLE, read_stored, volume_suffix, write_mask, write_volume


def convert(
    src: Path,
    dst: Path,
    *,
    series: str | None = None,
    repair: bool = False,
    like: Path | None = None,
    force: bool = False,
) -> Volume | Radiograph | Mask:
    """Write `src` in the format that the ending of `dst` names.

    Volumes go to NIfTI, MHA, MHD with RAW or NRRD, and to a folder of DICOM slices when `dst` has no ending; DICOM SEG,
    RTSTRUCT and 8-bit label volumes go to the same volume formats as masks; radiographs go to PNG.

    Args:
        src: what to convert.
        dst: where to.
        series: which DICOM series, where there are several.
        repair: for DICOM, resample what is unevenly spaced rather than refuse it.
        like: the CT whose grid an RTSTRUCT is drawn on.
        force: write over a file that is there (never over a folder that holds something).

    Returns:
        What was written.

    Raises:
        InputError: `src` can't be read.
        OutputError: `dst` exists, names no format for this, or can't be written.
    """
    _require_free(dst, force)
    recognise(src)
    if dst.suffix.lower() == ".png":
        return _to_png(src, dst)
    if volume_suffix(dst) is not None and _is_mask(src):
        mask = read_mask(src, read_volume(like, series=series).geometry if like else None)
        write_mask(mask, dst)
        return mask
    if volume_suffix(dst) is None and dst.suffix:
        raise OutputError(
            f"{dst} was not written: the ending {dst.suffix} names no format that hilum writes.",
            f"Use {', '.join(WRITABLE)}, .png, or no ending for a folder of DICOM slices.",
        )
    volume = read_volume(src, series=series, repair=repair)
    _write(volume, dst)
    return volume


def _to_png(src: Path, dst: Path) -> Radiograph:
    """Pixels as stored, not as a DICOM's window would show them: nothing is lost."""
    radiograph = read_dicom_radiograph(src, voi=False) if recognise(src) is Kind.DICOM else read_radiograph(src)
    write_png(radiograph.array, dst)
    return radiograph


def _write(volume: Volume, dst: Path) -> None:
    if volume_suffix(dst) is not None:
        write_volume(volume, dst)
        return
    write_series(volume, dst)


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


def _is_mask(src: Path) -> bool:
    """Whether a source holds labels: SEG and RTSTRUCT by their modality, volume files by their 8-bit unsigned type."""
    kind = recognise(src)
    if kind in VOLUMES:
        return read_stored(src).array.dtype.name == "uint8"
    if kind in RASTERS:
        raise InputError(f"{src} is {kind.phrase}; it can't become a volume.", "")
    if kind is not Kind.DICOM:
        return False
    return read_header(src).text("Modality") in ("SEG", "RTSTRUCT")
