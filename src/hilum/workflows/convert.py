"""From one file format to another, without a change of values or place unless another grid is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hilum.core import Geometry, GeometryError, Mask, OutputError, Radiograph, UnsupportedError, Volume
from hilum.io.atomic import output_error
from hilum.io.describe_volume import holds_labels
from hilum.io.dicom import read_dicom_radiograph, read_header, write_series
from hilum.io.kinds import VOLUMES, Kind, recognise
from hilum.io.raster import write_png
from hilum.io.read import files_in, read_mask, read_radiograph, read_repaired_volume, read_volume
from hilum.io.volumes import WRITABLE, read_stored, volume_suffix, write_mask, write_volume
from hilum.ops import resample_to


@dataclass(frozen=True, eq=False)
class Converted:
    """What was written, and what a person should know of how it came about.

    Attributes:
        image: what was written.
        notes: one line each: what was repaired or resampled.
    """

    image: Volume | Radiograph | Mask
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Loaded(Converted):
    """A CT or a mask."""

    image: Volume | Mask


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
        like: the CT whose grid the result is to have: that of an RTSTRUCT has none of its own; a mask takes the nearest
            voxel, a CT is interpolated linearly.
        structure: of a SEG or RTSTRUCT, the name of the one that is wanted; without it all, if none overlap.
        force: write over a file that is there (never over a folder that holds something).

    Raises:
        InputError: `src` can't be read, or an option doesn't apply to what it is.
        OutputError: `dst` exists, names no format for this, or can't be written.
    """
    _require_free(dst, force)
    options = {"--series": series, "--repair": repair or None, "--like": like, "--structure": structure}
    if dst.suffix.lower() == ".png":
        _refuse_options(f"{dst} will be a radiograph", options)
        return Converted(_to_png(src, dst))
    if volume_suffix(dst) is None and dst.suffix:
        raise OutputError(
            f"{dst} was not written: the ending {dst.suffix} names no format that hilum writes.",
            f"Use {', '.join(WRITABLE)}, .png, or no ending for a folder of DICOM slices.",
        )
    src = _mask_alone_in(src) or src
    is_dicom_mask = _is_dicom_mask(src)
    if is_dicom_mask and like is None:  # with it, they choose and mend the CT
        _refuse_options(f"{src} holds a mask", {name: options[name] for name in ("--series", "--repair")})
    if is_dicom_mask or structure is not None:
        made = _labels(src, like, series, structure, repair)
    else:
        made = _image(src, series, repair)
        made = made if like is None else _on_grid(made, read_volume(like).geometry, like)
    _write(made.image, dst)
    return made


def _refuse_options(what: str, options: Mapping[str, object]) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise UnsupportedError(f"{what}; {' and '.join(given)} can't be had for that.", "Leave it away.")


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


def _labels(src: Path, like: Path | None, series: str | None, structure: str | None, repair: bool) -> _Loaded:
    """A SEG or RTSTRUCT; with `like` on that CT's grid."""
    if like is None:
        return _Loaded(read_mask(src, None, structure))
    grid = read_volume(like, series=series, repair=repair).geometry
    has_own_grid = _is_dicom_mask(src) and read_header(src).text("Modality") == "SEG"
    if has_own_grid:
        return _on_grid(_Loaded(read_mask(src, None, structure)), grid, like)
    return _Loaded(read_mask(src, grid, structure))


def _image(src: Path, series: str | None, repair: bool) -> _Loaded:
    """A CT, or a volume file's labels where its numbers look like labels, as `hilum info` says."""
    if repair:
        volume, done = read_repaired_volume(src, series=series)
        return _Loaded(volume, (f"repaired: {done}",) if done else ())
    if series is None and recognise(src) in VOLUMES:
        stored = read_stored(src)
        return _Loaded(stored.mask(str(src)) if holds_labels(stored) else stored.volume(str(src)))
    return _Loaded(read_volume(src, series=series))


def _on_grid(loaded: _Loaded, grid: Geometry, like: Path) -> _Loaded:
    """Resampled, unless it is on that grid already."""
    image = loaded.image
    own = image.require_geometry() if isinstance(image, Mask) else image.geometry
    if own.is_same_grid(grid):
        return loaded
    if None not in (own.frame_uid, grid.frame_uid) and own.frame_uid != grid.frame_uid:
        raise GeometryError(
            f"{like} has another frame of reference: its millimetres are not the image's.",
            "Register the two first, or give the CT that the image was made on.",
        )
    moved = resample_to(image, grid)
    if isinstance(image, Mask) and isinstance(moved, Mask) and image.labels.any() and not moved.labels.any():
        raise GeometryError(
            f"no label lies on a voxel of {like}.",
            "Check that both are of one study, and that its voxels are as small.",
        )
    how = "the nearest voxel" if isinstance(image, Mask) else "linear interpolation"
    return _Loaded(moved, (*loaded.notes, f"resampled to the grid of {like} by {how}"))
