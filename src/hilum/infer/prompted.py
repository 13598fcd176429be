"""The nodule at a point of a CT, slice by slice: from the point's slice up and down as long as it goes on.

What the way in three dimensions (`hilum.infer.prompted_volume`) has in common with it is here, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.core import InputError, Mask, Nodule, Quantity, Volume
from hilum.core.geometry import Triple
from hilum.core.mask import Selection
from hilum.datasets.ct_lungs import block_grid, inside
from hilum.drr.patient import find_body
from hilum.infer.at_point import NEAR_MM, near
from hilum.infer.slices import SlicePredictor
from hilum.measure import centroid_lps_mm, diameters, volume_mm3
from hilum.ops import grown, label_parts, to_lps_axes

PIECE_PX = 128
"""Side of the piece of a slice that is looked at: that of the published slices, on the CT's own pixels."""
AIR_HU = -950.0
"""Where the mean around the point is below, there is only air: lung is denser."""
CHEST_MM = 200.0
"""Wide and deep at least where the body can be told from the table."""
AT_THE_END = "the mask reaches the CT's first or last slice: the nodule may go on beyond"
NOTHING = f"nothing is marked within {NEAR_MM:g} mm of the point"


@dataclass(frozen=True, eq=False)
class Prompted:
    """The nodule at a point.

    Attributes:
        mask: on the CT's own grid; empty when nothing was found.
        nodule: measured; None when nothing was found.
        notes: what a person who uses it should know, one line each.
    """

    mask: Mask
    nodule: Nodule | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Part:
    """What is marked on one slice, and how sure the surest pixel is."""

    mask: Selection
    score: float
    is_cut: bool


def nodule_at(volume: Volume, point_lps_mm: Triple, predictor: SlicePredictor) -> Prompted:
    """Segment the nodule at a point.

    Args:
        volume: a CT in HU.
        point_lps_mm: (x, y, z) in or beside the nodule.
        predictor: a model of slices.

    Raises:
        UnitError: the volume holds no HU.
        InputError: the point lies outside the CT, or in air outside the body.
    """
    volume.require(Quantity.HU)
    volume.require_finite()
    axial = to_lps_axes(volume)
    place = checked_place(axial, point_lps_mm)
    found = dict(_followed(axial, place, predictor))
    labels = np.zeros(volume.array.shape, dtype=np.uint8)
    mask = Mask(labels, volume.geometry, names={1: "nodule"})
    shown = to_lps_axes(mask).labels  # a view: what is written there is written to the CT's own grid
    for number, part in found.items():
        shown[number][part.mask] = 1
    if not found:
        return Prompted(mask, None, (NOTHING,))
    nodule = measured(mask, max(part.score for part in found.values()))
    return Prompted(mask, nodule, tuple(_notes(axial, found)))


def measured(mask: Mask, score: float) -> Nodule:
    """The nodule that a mask on a CT's grid marks, in mm and mm³.

    Args:
        mask: with a voxel at least.
        score: of its surest voxel.
    """
    marked, geometry = mask.labels > 0, mask.require_geometry()
    return Nodule(
        "1",
        centre_lps_mm=centroid_lps_mm(marked, geometry),
        volume_mm3=volume_mm3(marked, geometry),
        diameters_mm=diameters(marked, geometry),
        score=score,
    )


def _notes(axial: Volume, found: dict[int, _Part]) -> Iterator[str]:
    if any(part.is_cut for part in found.values()):
        _, row_mm, column_mm = axial.geometry.spacing_zyx_mm
        size = f"{PIECE_PX * row_mm:.0f} by {PIECE_PX * column_mm:.0f} mm"
        yield cut_by(size)
    if {0, axial.array.shape[0] - 1} & found.keys() and axial.array.shape[0] > 1:
        yield AT_THE_END


def cut_by(size: str) -> str:
    """The note that a nodule is larger than what the model sees of it."""
    return f"the mask reaches the edge of the piece of {size} that the model sees: look at it before it is used"


def checked_place(axial: Volume, point_lps_mm: Triple) -> tuple[int, int, int]:
    """The voxel (k, j, i) of a point in a CT with axes along the patient's.

    Raises:
        InputError: the point lies outside the CT, or in air, or beside the patient.
    """
    words = ", ".join(f"{one:g}" for one in point_lps_mm)
    if not axial.geometry.contains(point_lps_mm):
        corners = axial.geometry.corners_lps_mm()
        reach = ", ".join(
            f"{axis} {low:.0f} to {high:.0f}"
            for axis, low, high in zip("xyz", corners.min(axis=0), corners.max(axis=0), strict=True)
        )
        raise InputError(
            f"the point {words} lies outside the CT ({reach} mm, LPS).",
            "LPS: x grows to the patient's left, y to the back, z to the head; of RAS, x and y are negated.",
        )
    index = np.rint(axial.geometry.to_index(point_lps_mm)).astype(int)
    k, j, i = (int(np.clip(one, 0, size - 1)) for one, size in zip(index, axial.array.shape, strict=True))
    around = near(axial.array[k].shape, (j, i), axial.geometry.spacing_zyx_mm[1:])
    if float(axial.array[k][around].mean(dtype=np.float64)) < AIR_HU:
        raise InputError(
            f"there is only air within {NEAR_MM:g} mm of the point {words}: it lies outside the body or in an airway.",
            "Check the point: LPS mm, x to the patient's left, y to the back, z to the head.",
        )
    if _is_beside_the_body(axial, point_lps_mm):
        raise InputError(
            f"the point {words} lies outside the body, on the table or what else is beside the patient.",
            "Check the point: LPS mm, x to the patient's left, y to the back, z to the head.",
        )
    return k, j, i


def _is_beside_the_body(axial: Volume, point_lps_mm: Triple) -> bool:
    """Whether a point is farther than `NEAR_MM` from the patient; of a piece of a CT nobody knows."""
    if min(np.multiply(axial.array.shape, axial.geometry.spacing_zyx_mm)[1:]) < CHEST_MM:
        return False
    try:
        body = find_body(axial)
    except InputError:
        return False
    grid = block_grid(axial.geometry, body.factors)
    near_it = Mask.of(grown(body.blocks, NEAR_MM, grid.spacing_zyx_mm), grid, "body")
    return not inside(near_it, np.array([point_lps_mm]))[0]


def _followed(axial: Volume, place: tuple[int, int, int], predictor: SlicePredictor) -> Iterator[tuple[int, _Part]]:
    """The parts of the nodule by number of the slice."""
    k, j, i = place
    touching = near(axial.array[k].shape, (j, i), axial.geometry.spacing_zyx_mm[1:])
    first = _part(axial, k, (float(j), float(i)), touching, predictor)
    if first is None:
        return
    yield k, first
    for numbers in (range(k + 1, axial.array.shape[0]), range(k - 1, -1, -1)):
        part = first
        for number in numbers:
            row, column = np.argwhere(part.mask).mean(axis=0)
            following = _part(axial, number, (float(row), float(column)), part.mask, predictor)
            if following is None:
                break
            part = following
            yield number, part


def _part(
    axial: Volume, number: int, middle: tuple[float, float], touching: Selection, predictor: SlicePredictor
) -> _Part | None:
    """The marked part of a slice that shares most pixels with `touching` [y, x]; None where none does."""
    plane = axial.array[number]
    box = tuple(_piece(round(at), size) for at, size in zip(middle, plane.shape, strict=True))
    _, row_mm, column_mm = axial.geometry.spacing_zyx_mm
    row, column = (at - piece.start for at, piece in zip(middle, box, strict=True))
    probability = predictor.probability(plane[box], (row_mm, column_mm), (row, column))
    labels = label_parts(probability >= predictor.rule.threshold)
    shared = np.bincount(labels[touching[box]], minlength=2)
    shared[0] = 0
    if not shared.any():
        return None
    own: NDArray[np.bool_] = labels == shared.argmax()
    mask = np.zeros(plane.shape, dtype=bool)
    mask[box] = own
    return _Part(mask, float(probability[own].max()), _is_cut(own, box, plane.shape))


def _piece(at: int, size: int) -> slice:
    """`PIECE_PX` pixels around one, moved into the slice; all of a smaller one."""
    start = max(0, min(at - PIECE_PX // 2, size - PIECE_PX))
    return slice(start, min(size, start + PIECE_PX))


def _is_cut(own: Selection, box: tuple[slice, ...], shape: tuple[int, ...]) -> bool:
    """Whether a mask touches an edge of the piece that is none of the slice."""
    rows, columns = box
    edges = (
        (own[0], rows.start > 0),
        (own[-1], rows.stop < shape[0]),
        (own[:, 0], columns.start > 0),
        (own[:, -1], columns.stop < shape[1]),
    )
    return any(bool(line.any()) and is_inner for line, is_inner in edges)
