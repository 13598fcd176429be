"""RT structure sets as masks on a CT's grid."""

import math
from collections.abc import Collection, Container, Iterator
from pathlib import Path

import numpy as np

from hilum.core import Geometry, GeometryError, Mask, UnreadableError, UnsupportedError
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.io.dicom.files import Header, Item, guarded, read_header
from hilum.io.dicom.instances import STRUCTURE_SET
from hilum.io.words import listed, number
from hilum.ops import OutlineRule, fill_polygon

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_FLAT_SLICES = 0.1
"""How far, in slices, a contour's points may lie apart across the slices: more is no contour of this grid."""


def read_rtstruct(path: Path, geometry: Geometry, structure: str | None = None) -> dict[str, Mask]:
    """The structures of an RT structure set (PS3.3 A.19), by name, on a grid.

    A voxel belongs to a structure when its centre is inside (rule CENTRE of `ops.fill_polygon`). Several contours of
    one structure on one slice combine by exclusive or, so that an inner contour cuts a hole and "keyholes" work. Each
    contour goes to the slice nearest to it; nothing is filled in between contours drawn on every other slice.

    Contours that enclose nothing (points, open lines) are passed over, and so is a structure that has no other. Two
    structures of one name are told apart by " (2)".

    Args:
        path: the file.
        geometry: the CT's grid; tilted and oblique ones included.
        structure: the one that is wanted; None for all. The others are not looked at then.

    Raises:
        GeometryError: the contours are of another frame of reference, or don't lie on the grid's slices.
        UnsupportedError: it is no RT structure set, has no closed contour, or none of that name.
        UnreadableError: the file is damaged.
    """
    header = read_header(path)
    if header.sop_class != STRUCTURE_SET:
        raise UnsupportedError(
            f"{path} is no RT structure set, its modality is {header.text('Modality') or 'unknown'}."
        )
    drawn: dict[str, tuple[str, list[Floats]]] = {}
    for name, frame_uid, contours in structures(header):
        if contours:
            drawn[unique(name, drawn)] = frame_uid, contours
    if not drawn:
        raise UnsupportedError(f"{path} holds no closed contour, so nothing to make a mask of.")
    masks: dict[str, Mask] = {}
    for name in chosen(structure, drawn, path):
        frame_uid, contours = drawn[name]
        _require_frame(header, name, frame_uid, geometry)
        masks[name] = Mask.of(_fill(header, name, contours, geometry), geometry, name)
    return masks


def structures(header: Header) -> Iterator[tuple[str, str, list[Floats]]]:
    """Each structure's name, Frame of Reference UID ("" unless given) and closed contours, [n, 3] in LPS mm.

    Raises:
        UnreadableError: the file is damaged.
    """
    drawn = {item.text("ReferencedROINumber"): item for item in header.items("ROIContourSequence")}
    frames = [item.text("FrameOfReferenceUID") for item in header.items("ReferencedFrameOfReferenceSequence")]
    for region in header.items("StructureSetROISequence"):
        number = region.text("ROINumber")
        frame_uid = region.text("ReferencedFrameOfReferenceUID") or (frames[0] if len(frames) == 1 else "")
        contours = drawn[number].items("ContourSequence") if number in drawn else []
        closed = [contour for contour in contours if contour.text("ContourGeometricType") in _CLOSED]
        yield region.text("ROIName") or f"structure {number}", frame_uid, [_points(contour) for contour in closed]


def _points(contour: Item) -> Floats:
    value = contour.value("ContourData")
    with guarded(contour.path, "ContourData"):
        numbers = np.array([float(part) for part in value or ()], dtype=np.float64)
    if len(numbers) < 9 or len(numbers) % 3 or not np.isfinite(numbers).all():
        raise UnreadableError(
            f"{contour.path} is damaged: a closed contour is three points or more, got {len(numbers)} numbers."
        )
    return numbers.reshape(-1, 3)


def _require_frame(header: Header, name: str, frame_uid: str, geometry: Geometry) -> None:
    if frame_uid and geometry.frame_uid and frame_uid != geometry.frame_uid:
        raise GeometryError(
            f"{header.path}: {name!r} was drawn in the frame of reference {frame_uid}, the image's is "
            f"{geometry.frame_uid}.",
            "Give the CT that it was drawn on.",
        )


def _fill(header: Header, name: str, contours: list[Floats], geometry: Geometry) -> Selection:
    selection = np.zeros(geometry.shape_zyx, dtype=bool)
    planes: dict[int, float] = {}
    for points in contours:
        index = geometry.to_index(points)
        low, high = float(index[:, 0].min()), float(index[:, 0].max())
        k = math.floor((low + high) / 2 + 0.5)
        if high - low > _FLAT_SLICES or not 0 <= k < geometry.shape_zyx[0]:
            raise GeometryError(
                f"{header.path}: a contour of {name!r} lies across slices {number(low, 2)} to {number(high, 2)} "
                f"of an image that has 0 to {geometry.shape_zyx[0] - 1}.",
                "Give the CT that it was drawn on.",
            )
        if abs(planes.setdefault(k, low) - low) > _FLAT_SLICES:
            raise GeometryError(
                f"{header.path}: contours of {name!r} lie in several planes at slice {k}: its slices are finer.",
                "Give the CT that it was drawn on.",
            )
        selection[k] ^= fill_polygon(index[:, :0:-1], geometry.shape_zyx[1:], OutlineRule.CENTRE)
    return selection


def unique(name: str, taken: Container[str]) -> str:
    """The name, or with " (2)", " (3)", … where it is taken."""
    copy, free = 1, name
    while free in taken:
        copy += 1
        free = f"{name} ({copy})"
    return free


def chosen(structure: str | None, names: Collection[str], path: Path) -> Collection[str]:
    """The one name that is wanted, or all.

    Raises:
        UnsupportedError: none is called so.
    """
    if structure is None:
        return names
    if structure not in names:
        raise UnsupportedError(
            f"{path} holds no structure {structure!r}, but {listed(names, 12)}.",
            "Choose one of these: --structure NAME",
        )
    return [structure]
