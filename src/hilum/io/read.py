"""The front door: reads what a path is, whatever it is called."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hilum.core import AmbiguousError, Geometry, InputError, Mask, Radiograph, UnsupportedError, Volume
from hilum.io.inputs import files_in as files_in  # also for those who read
from hilum.io.kinds import RASTERS, VOLUMES, Kind, recognise
from hilum.io.words import listed

if TYPE_CHECKING:
    from hilum.io.dicom import Repair
    from hilum.io.stored import StoredVolume

_FORMATS = "DICOM, NIfTI, MHD/MHA or NRRD"


def read_volume(path: Path, *, series: str | None = None, repair: bool = False) -> Volume:
    """A CT from a DICOM series (file or folder), NIfTI, MHD/MHA or NRRD.

    Only DICOM says what its numbers are; in the others they are taken to be HU, because a volume is a CT here
    (`describe` notes when they don't look like HU). Files that hilum wrote from another quantity say so and keep it.

    Args:
        path: a file, a folder with a DICOM series, or a folder with one volume file.
        series: which DICOM series, where a folder holds several.
        repair: for DICOM, resample what is unevenly spaced rather than refuse it.

    Returns:
        The volume, [z, y, x], int16 where that is exact, float32 otherwise, on a grid in LPS mm.

    Raises:
        InputError: nothing there, damaged, not a volume, 2D, several series and none chosen; or no DICOM, and a
            series or a repair is asked for.
        GeometryError: its header gives no grid.
    """
    if repair:
        return read_repaired_volume(path, series=series)[0]
    from hilum.io.dicom import read_series

    path, kind = _volume_at(path, series, repair=False)
    return _stored(path).volume(str(path)) if kind in VOLUMES else read_series(path, series=series)


def read_repaired_volume(path: Path, *, series: str | None = None) -> tuple[Volume, "Repair | None"]:
    """A CT as `read_volume` with `repair` reads it, and what was done to which slices; None when nothing had to be.

    Raises:
        InputError: as `read_volume`.
        GeometryError: as `read_volume`.
    """
    from hilum.io.dicom.series import choose_ct
    from hilum.io.dicom.volume import repaired_volume_of

    path, _ = _volume_at(path, series, repair=True)
    return repaired_volume_of(choose_ct(path, series))


def _volume_at(path: Path, series: str | None, *, repair: bool) -> tuple[Path, Kind]:
    """The volume file or the place of DICOM that a path stands for; options that only DICOM has are refused."""
    kind = recognise(path)
    if kind is Kind.FOLDER:
        path, kind = _only_volume_in(path)
    if kind not in VOLUMES and kind not in (Kind.DICOM, Kind.FOLDER):
        raise _not("a CT volume", path, kind, f"Give {_FORMATS}.")
    given = [name for name, there in (("--series", series is not None), ("--repair", repair)) if there]
    if given and kind in VOLUMES:
        raise UnsupportedError(
            f"{path} is {kind.phrase}; {' and '.join(given)} {'is' if len(given) == 1 else 'are'} for DICOM series.",
            "Leave it away." if len(given) == 1 else "Leave them away.",
        )
    return path, kind


def read_radiograph(path: Path) -> Radiograph:
    """A chest X-ray from DICOM, PNG, JPEG or TIFF; pictures have no millimetres.

    Raises:
        InputError: nothing there, damaged, coloured, or not a radiograph.
    """
    kind = recognise(path)
    if kind in RASTERS:
        from hilum.io.raster import read_raster_radiograph

        return read_raster_radiograph(path)
    if kind in (Kind.DICOM, Kind.FOLDER):
        from hilum.io.dicom import read_dicom_radiograph

        return read_dicom_radiograph(_only_file_in(path) if kind is Kind.FOLDER else path)
    raise _not("a radiograph", path, kind, "Give DICOM, PNG, JPEG or TIFF.")


def read_mask(path: Path, reference: Geometry | None = None, structure: str | None = None) -> Mask:
    """Labels from NIfTI, MHD/MHA, NRRD, PNG, TIFF, DICOM SEG or RTSTRUCT.

    Segments of a SEG and structures of an RTSTRUCT become labels 1, 2, … with their names.

    Args:
        path: the file.
        reference: the grid that the mask has to lie on; an RTSTRUCT, which has no grid of its own, needs it.
        structure: of a SEG or RTSTRUCT, the name of the one that is wanted.

    Raises:
        InputError: nothing there, damaged, values that are no labels, structures that overlap, or none of that name.
        GeometryError: the mask's grid is not `reference`.
    """
    kind = recognise(path)
    if structure is not None and kind is not Kind.DICOM:
        raise UnsupportedError(
            f"{path} is {kind.phrase}; a structure can be chosen of a DICOM SEG or RTSTRUCT.", "Leave --structure away."
        )
    if kind in RASTERS:
        from hilum.io.raster import read_raster_mask

        mask = read_raster_mask(path)
    elif kind in VOLUMES:
        mask = _stored(path).mask(str(path))
    elif kind is Kind.DICOM:
        mask = _dicom_mask(path, reference, structure)
    else:
        raise _not("a mask", path, kind, "Give NIfTI, MHD/MHA, NRRD, PNG, TIFF, DICOM SEG or RTSTRUCT.")
    if reference is not None and mask.geometry is not None:
        reference.require_same_grid(mask.geometry)
    return mask


def _stored(path: Path) -> "StoredVolume":
    from hilum.io.volumes import read_stored

    return read_stored(path)


def _only_volume_in(folder: Path) -> tuple[Path, Kind]:
    """A folder stands for the one volume file in it; with DICOM, or with none, for itself."""
    files = files_in(folder)
    if not files:
        raise InputError(f"{folder} is an empty folder.", "Name the folder that holds the images.")
    volumes = []
    for path in files:
        if (kind := recognise(path)) is Kind.DICOM:
            return folder, Kind.FOLDER
        if kind in VOLUMES:
            volumes.append((path, kind))
    if not volumes:
        return folder, Kind.FOLDER
    if len(volumes) > 1:
        raise AmbiguousError(
            f"{folder} holds {len(volumes)} volumes ({listed((path.name for path, _ in volumes), 3)}).",
            "Name the one file.",
        )
    return volumes[0]


def _only_file_in(folder: Path) -> Path:
    files = files_in(folder)
    if len(files) != 1:
        raise AmbiguousError(f"{folder} is a folder with {len(files)} files; one radiograph was expected.", "Name it.")
    return files[0]


def _dicom_mask(path: Path, reference: Geometry | None, structure: str | None) -> Mask:
    from hilum.io.dicom import read_header, read_rtstruct, read_seg

    modality = read_header(path).text("Modality")
    if modality == "SEG":
        return combine(read_seg(path, structure), path)
    if modality == "RTSTRUCT":
        if reference is None:
            raise InputError(f"{path} holds outlines without a grid.", "Name the CT that they were drawn on: --like CT")
        return combine(list(read_rtstruct(path, reference, structure).values()), path, "--like CT")
    raise _not("a mask", path, Kind.DICOM, f"Its modality is {modality or 'not given'}; SEG or RTSTRUCT hold masks.")


def combine(masks: Sequence[Mask], path: Path, options: str = "") -> Mask:
    """One mask with labels 1, 2, … of several on one grid that don't overlap.

    Args:
        masks: of one file.
        path: the file, for errors.
        options: what else `hilum convert` needs for it, for errors.

    Raises:
        AmbiguousError: they overlap, so that a voxel would need two labels.
        InputError: there are none.
        GeometryError: their grids differ.
    """
    if not masks:
        raise InputError(f"{path} holds no segment.", "")
    if len(masks) == 1:
        return masks[0]
    grid = masks[0].require_geometry()
    labels, names = np.zeros(grid.shape_zyx, dtype=np.uint16), dict[int, str]()
    for mask in masks:
        grid.require_same_grid(mask.require_geometry())
        for label, name in _labels(mask).items():
            where = mask.select(label)
            if labels[where].any():
                raise AmbiguousError(
                    f"{path} holds structures that overlap ({name} with another); a mask has one label a voxel.",
                    f"Write one at a time: {_command(path, name, options)}",
                )
            names[len(names) + 1] = name
            labels[where] = len(names)
    return Mask(labels.astype(np.min_scalar_type(len(names))), grid, names=names)


def _command(path: Path, structure: str, options: str) -> str:
    words = ("hilum", "convert", str(path), "mask.nii.gz", "--structure", structure)
    return f"{shlex.join(words)} {options}".rstrip()


def _labels(mask: Mask) -> Mapping[int, str]:
    found = (int(label) for label in np.unique(mask.labels) if label)
    return mask.names or {label: f"label {label}" for label in found}


def _not(wanted: str, path: Path, kind: Kind, remedy: str) -> InputError:
    """The error for a sound file of another kind; a file whose name promises DICOM gets told so."""
    called = " (its name says DICOM)" if path.suffix.lower() in (".dcm", ".dicom") and kind is not Kind.DICOM else ""
    if path.suffix.lower() in (".raw", ".zraw", ".img") and kind is Kind.BINARY:
        remedy = "Give the header that describes these voxels (.mhd, .nhdr, .hdr)."
    return UnsupportedError(f"{path} is {kind.phrase}{called}; {wanted} was expected.", remedy)
