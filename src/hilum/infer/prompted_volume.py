"""The nodule at a point of a CT in three dimensions: the piece around the point, on the voxels that a model has learnt.

The probability goes back to the CT's own grid, where the mask is made and measured.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from hilum.core import Geometry, Mask, Quantity, Volume
from hilum.core.geometry import Shape3, Triple
from hilum.core.mask import Selection
from hilum.infer.at_point import near
from hilum.infer.postprocess import PostRule, post_processed
from hilum.infer.prompted import AT_THE_END, NOTHING, Prompted, checked_place, cut_by, measured
from hilum.infer.volumes import PatchPredictor
from hilum.measure import THICK_MM, is_thick
from hilum.ops import label_parts, resample_to, to_lps_axes
from hilum.ops.repeated import resample_repeating

PIECES_PX = (64, 96, 128)
"""Sides of the cube around the point, in the model's voxels; a larger one is looked at where a nodule leaves it."""
_ROUNDED = 1e-6
Place: TypeAlias = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Part:
    """The part at a point, on a block of the CT's own voxels.

    Attributes:
        place: of the block in the CT.
        mask: of the block.
        grid: of the block.
        score: of its surest voxel.
        is_cut: whether it touches a face of the block that is none of the CT.
        side_mm: of the cube that the model saw.
    """

    place: Place
    mask: Selection
    grid: Geometry
    score: float
    is_cut: bool
    side_mm: float

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know who uses it, one line each."""
        side = f"{self.side_mm:.0f}"
        return (cut_by(f"{side} by {side} by {side} mm"),) if self.is_cut else ()


def nodule_in_volume(volume: Volume, point_lps_mm: Triple, predictor: PatchPredictor) -> Prompted:
    """Segment the nodule at a point.

    Args:
        volume: a CT in HU.
        point_lps_mm: (x, y, z) in or beside the nodule.
        predictor: a model of pieces of a CT.

    Raises:
        UnitError: the volume holds no HU.
        InputError: the point lies outside the CT, or in air outside the body.
    """
    volume.require(Quantity.HU)
    volume.require_finite()
    axial = to_lps_axes(volume)
    checked_place(axial, point_lps_mm)
    found = part_at(axial, point_lps_mm, predictor)
    mask = Mask(np.zeros(volume.array.shape, dtype=np.uint8), volume.geometry, names={1: "nodule"})
    if found is None:
        return Prompted(mask, None, (NOTHING, *thick(axial)))
    shown = to_lps_axes(mask).labels  # a view: what is written there is written to the CT's own grid
    shown[found.place][found.mask] = 1
    notes = list(found.notes)
    if len(shown) > 1 and (shown[0].any() or shown[-1].any()):
        notes.append(AT_THE_END)
    nodule = measured(mask, found.score)
    if is_thick(axial.geometry):
        nodule = replace(nodule, volume_mm3=None)
    return Prompted(mask, nodule, (*notes, *thick(axial)))


def part_at(axial: Volume, point_lps_mm: Triple, predictor: PatchPredictor) -> Part | None:
    """What a model marks at a point; None where it marks nothing there. A larger piece is looked at where it is cut.

    Args:
        axial: a CT in HU, axes along the patient's.
        point_lps_mm: (x, y, z) in the CT.
        predictor: a model of pieces of a CT.
    """
    found = None
    for side in PIECES_PX:
        larger = _in_piece(axial, point_lps_mm, side, predictor)
        if larger is None:
            break  # what a smaller piece shows stays, with its doubt
        found = larger
        if not found.is_cut:
            break
    return found


def thick(axial: Volume) -> Iterator[str]:
    """The note that slices lie too far apart for volumes, where they do."""
    if is_thick(axial.geometry):
        step_mm = max(axial.geometry.spacing_zyx_mm)
        yield f"slices are {step_mm:g} mm apart, more than {THICK_MM:g} mm: no volume is given"


def _in_piece(axial: Volume, point_lps_mm: Triple, side: int, predictor: PatchPredictor) -> Part | None:
    """The part at the point in a cube of so many of the model's voxels; None where nothing is marked there."""
    grid = _grid(axial.geometry, point_lps_mm, side, predictor.model.pixel_mm)
    seen = resample_repeating(axial, grid)  # beyond the CT's ends as it was in training
    k, j, i = (float(one) for one in grid.to_index(point_lps_mm))
    probability = Volume(predictor.probability(seen.array, (k, j, i)), grid, Quantity.DISPLAY)
    place = _within(axial.geometry, grid)
    block = axial.geometry.crop(_starts(place), tuple(one.stop - one.start for one in place))
    back = resample_to(probability, block).array
    marked = post_processed(back, block.spacing_zyx_mm, PostRule(predictor.threshold))
    own = _part_at(marked, block, point_lps_mm)
    if own is None:
        return None
    is_cut = _is_cut(own, place, axial.array.shape)
    return Part(place, own, block, float(back[own].max()), is_cut, side * predictor.model.pixel_mm)


def _grid(axial: Geometry, point_lps_mm: Triple, side: int, voxel_mm: float) -> Geometry:
    """A cube of voxels around the point along the CT's axes, moved into the CT; where that is thinner, as thin."""
    steps, last = np.array(axial.spacing_zyx_mm), np.array(axial.shape_zyx) - 1
    sizes = np.minimum(side, np.floor(last * steps / voxel_mm + _ROUNDED) + 1)
    reach = (sizes - 1) / 2 * voxel_mm / steps
    # From a voxel of the CT on: between voxels of its own size, everything would be blurred for nothing.
    start = np.rint(np.clip(axial.to_index(point_lps_mm) - reach, 0, np.maximum(last - 2 * reach, 0)))
    affine = np.array(axial.affine_lps)
    affine[:3, :3] = axial.directions * voxel_mm
    affine[:3, 3] = axial.to_lps_mm(start)
    z, y, x = sizes.astype(int).tolist()
    return Geometry((z, y, x), affine, axial.frame_uid)


def _within(axial: Geometry, grid: Geometry) -> Place:
    """The CT's voxels that lie within a cube of other ones."""
    corners = axial.to_index(grid.corners_lps_mm())
    low = np.maximum(np.ceil(corners.min(axis=0) - _ROUNDED), 0).astype(int)
    high = np.minimum(np.floor(corners.max(axis=0) + _ROUNDED), np.array(axial.shape_zyx) - 1).astype(int)
    z, y, x = (slice(int(first), int(last) + 1) for first, last in zip(low, high, strict=True))
    return z, y, x


def _starts(place: Place) -> Shape3:
    z, y, x = (one.start for one in place)
    return z, y, x


def _part_at(marked: Selection, block: Geometry, point_lps_mm: Triple) -> Selection | None:
    """The marked part with most voxels within `NEAR_MM` of the point; None where there is none."""
    labels = label_parts(marked)
    shared = np.bincount(
        labels[near(block.shape_zyx, block.to_index(point_lps_mm).tolist(), block.spacing_zyx_mm)], minlength=2
    )
    shared[0] = 0
    return np.asarray(labels == shared.argmax()) if shared.any() else None


def _is_cut(own: Selection, place: Place, shape: tuple[int, ...]) -> bool:
    """Whether a mask touches a face of its block that is none of the CT."""
    for axis, (part, size) in enumerate(zip(place, shape, strict=True)):
        ends = np.moveaxis(own, axis, 0)
        if (part.start > 0 and ends[0].any()) or (part.stop < size and ends[-1].any()):
            return True
    return False
