"""Where the nodules of a DRR come from: LIDC's readers, a nodules.json, or a mask."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from hilum.core import Geometry, GeometryError, InputError, Mask, Nodule, UnreadableError, Volume
from hilum.core.volume import Voxels
from hilum.datasets.lidc import LidcNodule, lidc_nodules
from hilum.datasets.phantoms import ball
from hilum.datasets.scan_match import matching_read, require_same_scan
from hilum.drr.figures import Subject
from hilum.io.installed import lidc_database_path
from hilum.io.lidc import Read, lidc_reads, read_lidc_xml
from hilum.io.lidc.types import IMAGE_SIZE
from hilum.io.nodules_file import StudyNodules, read_nodules
from hilum.io.read import read_mask
from hilum.measure import centroid_lps_mm, diameters, equivalent_diameter_mm, volume_mm3
from hilum.ops import OutlineRule, label_parts, to_lps_axes
from hilum.workflows.output import sha256_of

LIDC = "lidc:"
STRUCTURES = "structures.csv"
"""Names the labels of an organ mask that lies beside it."""


def nodule_inputs(source: str) -> dict[str, str]:
    """SHA-256 by name of what a source of nodules is read from.

    Raises:
        InputError: there is no such file.
        MissingError: LIDC's outlines are not installed.
    """
    path = lidc_database_path() if source.startswith(LIDC) else Path(source)
    if not path.is_file():
        raise InputError(
            f"the nodules {source} don't exist.",
            "Give lidc:LIDC-IDRI-0001, a reader's XML, a nodules.json, or a mask on the CT's grid.",
        )
    return {path.name: sha256_of(path)}


def find_subjects(
    source: str,
    ct: Volume,
    consensus: float = 0.5,
    rule: OutlineRule = OutlineRule.INSIDE,
    series_uid: str | None = None,
) -> tuple[Subject, ...]:
    """The nodules of a CT.

    Args:
        source: `lidc:` and a patient, LIDC's XML, a nodules.json, or a mask (one label: each connected part is a
            nodule; several: each label is).
        ct: the CT that they belong to.
        consensus: share of a nodule's readers who need to have a voxel; 0 for what any of them has.
        rule: what pixels under the readers' lines are.
        series_uid: the CT's Series Instance UID; None when its format has none.

    Raises:
        InputError: the source can't be read, or two of LIDC's series fit the CT.
        GeometryError: a mask is not on the CT's grid, or outlines were drawn on another CT.
    """
    if source.startswith(LIDC):
        read = matching_read(lidc_reads(source.removeprefix(LIDC)), ct, series_uid)
        return subjects_of_read(read, ct, consensus, rule)
    path = Path(source)
    if path.suffix.lower() == ".xml":
        return subjects_of_read(require_same_scan(read_lidc_xml(path), ct, series_uid), ct, consensus, rule)
    if path.suffix.lower() == ".json":
        return _of_file(read_nodules(path), path, ct.geometry)
    return subjects_of_mask(read_mask(path, ct.geometry), ct.geometry)


def subjects_of_read(
    read: Read, ct: Volume, consensus: float = 0.5, rule: OutlineRule = OutlineRule.INSIDE
) -> tuple[Subject, ...]:
    """The nodules that LIDC's readers outlined on a CT.

    Args:
        read: the readers' marks.
        ct: the CT that they marked.
        consensus: share of a nodule's readers who need to have a voxel; 0 for what any of them has.
        rule: what pixels under the readers' lines are.

    Raises:
        GeometryError: it is not the whole CT: outlines count its rows and columns.
    """
    grid = to_lps_axes(ct).geometry
    if grid.shape_zyx[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        raise GeometryError(
            f"LIDC's outlines count pixels of {IMAGE_SIZE} × {IMAGE_SIZE}; this CT has {grid.shape_zyx[1:]}.",
            "Give the original CT, not cropped or resampled.",
        )
    return tuple(_of_outlines(nodule, grid, consensus, rule) for nodule in lidc_nodules(read))


def _of_outlines(nodule: LidcNodule, grid: Geometry, consensus: float, rule: OutlineRule) -> Subject:
    """A nodule whose outlines lie on no slice of the CT is kept, without a mask."""
    try:
        mask = nodule.consensus(grid, consensus, rule)
        readers = nodule.masks(grid, rule)
        measured = nodule.measured(grid, consensus, rule)
    except GeometryError as error:
        lost = Nodule(nodule.id, reader_count=nodule.reader_count, characteristics=nodule.characteristics())
        return Subject(lost, None, note=f"it lies outside the CT: {error.message}")
    note = "" if mask.labels.any() else "its readers agree on no voxel"
    return Subject(measured, mask, readers, note)


def subjects_of_mask(mask: Mask, grid: Geometry) -> tuple[Subject, ...]:
    """The nodules of a mask: of one label each connected part, of several each label.

    Raises:
        InputError: the mask is flat, or empty.
    """
    if mask.geometry is None:
        raise InputError(
            "a flat mask says nothing about the CT; a 3D one on its grid was expected.",
            "hilum info says what a file is.",
        )
    labels = [int(label) for label in np.unique(mask.labels) if label]
    if not labels:
        raise InputError("the mask of the nodules is empty.", "Check that it is the right file.")
    parts: Voxels = mask.labels.astype(np.int32)
    if len(labels) == 1:
        parts = label_parts(mask.labels > 0)
        labels = list(range(1, int(parts.max()) + 1))
    boxes = ndimage.find_objects(parts)
    return tuple(_of_voxels(str(label), parts, boxes[label - 1], grid) for label in labels)


def _of_voxels(name: str, parts: Voxels, box: tuple[slice, ...], grid: Geometry) -> Subject:
    """The nodule with this label, on the block that holds it."""
    inside = parts[box] == int(name)
    (k, j, i), (nz, ny, nx) = (part.start for part in box), inside.shape
    block = grid.crop((k, j, i), (nz, ny, nx))
    nodule = Nodule(
        name,
        centre_lps_mm=centroid_lps_mm(inside, block),
        volume_mm3=volume_mm3(inside, block),
        diameters_mm=diameters(inside, block),
    )
    return Subject(nodule, Mask.of(inside, block))


def _of_file(found: StudyNodules, path: Path, grid: Geometry) -> tuple[Subject, ...]:
    try:
        pairs = zip(found.nodules, found.entries, strict=True)
        return tuple(_of_entry(nodule, _diameter_mm(entry), grid) for nodule, entry in pairs)
    except (TypeError, ValueError) as error:
        raise UnreadableError(f"{path} is damaged: {type(error).__name__}, {error}.", "Write it anew.") from error


def _of_entry(nodule: Nodule, diameter_mm: float | None, grid: Geometry) -> Subject:
    """A ball of the stated size at the stated place; without either, a nodule without a mask."""
    if nodule.centre_lps_mm is None:
        return Subject(nodule, None, note="its file doesn't say where it is in the patient (centre_lps_mm)")
    x, y, z = nodule.centre_lps_mm
    if not bool(grid.contains((x, y, z))):
        return Subject(nodule, None, note=f"its centre ({x:.1f}, {y:.1f}, {z:.1f}) mm lies outside the CT")
    if diameter_mm is None:
        return Subject(nodule, None, note="its file doesn't say how large it is (a diameter or volume)")
    return Subject(nodule, ball((x, y, z), diameter_mm), note=f"drawn as a ball of {diameter_mm:.1f} mm")


def _diameter_mm(entry: Mapping[str, Any]) -> float | None:
    for name in ("equivalent_diameter_mm", "mean_diameter_mm", "long_axis_mm"):
        if (value := entry.get(name)) is not None and float(value) > 0:
            return float(value)
    volume = entry.get("volume_mm3")
    return equivalent_diameter_mm(float(volume)) if volume else None


def organs_of(path: Path, ct: Volume) -> Mask:
    """An organ mask on the CT's grid, with TotalSegmentator's names.

    The names are the file's own, or those of `structures.csv` beside it (columns `structure` and `id`).

    Raises:
        InputError: it can't be read, or no label has a name.
        GeometryError: it is not on the CT's grid.
    """
    mask = read_mask(path, ct.geometry)
    table = path.parent / STRUCTURES
    if table.is_file():
        mask = Mask(mask.labels, mask.geometry, names=_names(table))
    if not mask.names:
        raise InputError(
            f"{path} doesn't say which label is which organ.", f"Put {STRUCTURES} (columns structure, id) beside it."
        )
    return mask


def _names(table: Path) -> dict[int, str]:
    import csv

    try:
        with table.open(encoding="utf-8", newline="") as stream:
            return {int(row["id"]): row["structure"] for row in csv.DictReader(stream)}
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UnreadableError(
            f"{table} can't be read as a table of structures: {error}.", "It has the columns id and structure."
        ) from error
