"""Where in the lungs of a CT nodules of another are inserted, and which half of the patient a voxel belongs to.

The two lungs are apart where a sagittal plane between them meets least of the lungs' mask; the CT is cut there, so no
voxel belongs to both halves. How deep a place lies in the lung is its distance from what is thick: the chest's wall,
the mediastinum, the diaphragm, large vessels, a tumour; that is what is dense on blocks of about 3 mm and survives an
opening with a ball of 4 mm, so vessels up to 8 mm may cross a nodule, as they do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import ndimage

from hilum.core import Geometry, InputError, Mask, Volume
from hilum.core.geometry import Floats, Triple
from hilum.core.mask import Selection
from hilum.datasets.patch_places import Marked, PieceRule, is_free
from hilum.drr.patient import block_means
from hilum.ops import grown, resample_to, shrunk

_DENSE_HU, _OPENING_MM = -500.0, 4.0
_WALL_HU, _WALL_MM = -400.0, 4.0
_GAP_MM = 1.5
_TOUCHING = (0.7, 1.0)
"""Depth of a nodule's centre that touches the wall, as shares of its radius."""
_THIRD = 3


class Side(StrEnum):
    """Of the patient."""

    LEFT = "left"
    RIGHT = "right"
    BOTH = "both"
    NONE = "none"

    def meets(self, other: "Side") -> bool:
        """Whether some voxel is of both."""
        return Side.NONE not in (self, other) and (self is other or Side.BOTH in (self, other))


@dataclass(frozen=True)
class InsertionRule:
    """How places are drawn.

    Attributes:
        apart_mm: between a nodule's edge and another's, or that of a known one.
        touching: share of nodules that may touch the lung's wall.
        most_wall: share of such a nodule's voxels that may fall on the wall, at most; how much of it is drawn.
        tries: places that are drawn before a nodule is left out.
    """

    apart_mm: float = 10.0
    touching: float = 0.2
    most_wall: float = 0.15
    tries: int = 2000


def dividing_column(lungs: Mask) -> float:
    """The x in LPS mm between the lungs: what lies beyond it is the patient's left.

    Raises:
        InputError: the lungs are empty.
    """
    places = lungs.require_geometry().to_lps_mm(np.argwhere(lungs.labels))
    if not len(places):
        raise InputError("the lungs are empty.", "Give a CT of the chest.")
    low, high = float(places[:, 0].min()), float(places[:, 0].max())
    third = (high - low) / _THIRD
    counts, ends = np.histogram(places[:, 0], bins=max(6, round((high - low) / 6)), range=(low, high))
    middles = (ends[:-1] + ends[1:]) / 2
    central = (middles > low + third) & (middles < high - third)
    return float(middles[central][counts[central].argmin()])


def half(ct: Volume, side: Side, x_mm: float) -> Volume:
    """The columns of a CT (axes along the patient's) on one side of a plane; all of it for both sides."""
    if side is Side.BOTH:
        return ct
    grid = ct.geometry
    columns = grid.to_lps_mm(np.array([[0, 0, i] for i in range(grid.shape_zyx[2])]))[:, 0]
    split = int(np.searchsorted(columns, x_mm))
    if not 0 < split < len(columns):
        raise InputError("the plane between the lungs lies outside of the CT.", "Give a CT of both lungs.")
    first, stop = (0, split) if side is Side.RIGHT else (split, len(columns))
    return ct.crop((0, 0, first), (*grid.shape_zyx[:2], stop - first))


def on_side(lungs: Mask, side: Side, x_mm: float) -> Mask:
    """The lungs' voxels on one side of a plane, on the same grid."""
    grid = lungs.require_geometry()
    if side is Side.BOTH:
        return lungs
    x = grid.to_lps_mm(np.moveaxis(np.indices(grid.shape_zyx), 0, -1))[..., 0]
    return Mask.of((lungs.labels > 0) & ((x > x_mm) if side is Side.LEFT else (x < x_mm)), grid, "lung")


@dataclass(frozen=True, eq=False)
class Depths:
    """How deep places lie in the lungs of a side.

    Attributes:
        depth_mm: [z, y, x] distance from what is thick, and from the other side; 0 there.
        thick: [z, y, x] what is thick, or no lung.
        grid: of both.
    """

    depth_mm: Floats
    thick: Selection
    grid: Geometry


def depths(ct: Volume, lungs: Mask) -> Depths:
    """How deep places lie in lungs (`find_lungs`, or one side of them).

    Args:
        ct: in HU, whose blocks the lungs' grid has.
        lungs: on that grid.
    """
    grid = lungs.require_geometry()
    nz, ny, nx = np.rint(np.divide(grid.spacing_zyx_mm, ct.geometry.spacing_zyx_mm)).astype(int).tolist()
    dense = block_means(ct, (nz, ny, nx)) > _DENSE_HU
    steps = grid.spacing_zyx_mm
    thick = grown(shrunk(dense, _OPENING_MM, steps), _OPENING_MM, steps) | (lungs.labels == 0)
    return Depths(ndimage.distance_transform_edt(~thick, steps) - min(steps) / 2, thick, grid)


@dataclass(frozen=True)
class Taken:
    """What a nodule keeps away from.

    Attributes:
        inserted: nodules inserted before it: edges keep apart.
        known: the CT's own: besides, no piece about the new one shows any of them.
        rule: of the pieces.
    """

    inserted: Sequence[Marked]
    known: Sequence[Marked]
    rule: PieceRule

    def leaves(self, place: Floats, radius_mm: float, apart_mm: float) -> bool:
        """Whether a nodule of this radius may lie at a place."""
        wider = [replace(one, radius_mm=one.radius_mm + apart_mm) for one in self.known]
        return is_free(place, wider, self.rule) and all(
            np.linalg.norm(place - np.array(one.centre_lps_mm)) >= radius_mm + one.radius_mm + apart_mm
            for one in self.inserted
        )


def draw_place(
    within: Depths, radius_mm: float, taken: Taken, how: InsertionRule, rng: np.random.Generator
) -> Triple | None:
    """A place for a nodule's centre; None where none of those drawn fits.

    Args:
        within: where it may lie.
        radius_mm: from its centre to its outermost voxel.
        taken: what it keeps away from.
        how: see there.
        rng: of all that is drawn.
    """
    touches = rng.random() < how.touching
    low, high = np.multiply(radius_mm, _TOUCHING) if touches else (radius_mm + _GAP_MM, np.inf)
    fitting = np.argwhere((within.depth_mm >= low) & (within.depth_mm <= high))
    if not len(fitting):
        return None
    drawn = fitting[rng.integers(len(fitting), size=how.tries)] + rng.uniform(-0.5, 0.5, (how.tries, 3))
    for place in within.grid.to_lps_mm(drawn):
        if taken.leaves(place, radius_mm, how.apart_mm):
            x, y, z = place.tolist()
            return x, y, z
    return None


def wall_on(ct: Volume, within: Depths) -> Selection:
    """[z, y, x] voxels of a block of the CT that are dense and lie on what is thick."""
    near = Mask.of(grown(within.thick, _WALL_MM, within.grid.spacing_zyx_mm), within.grid)
    return np.asarray((ct.array > _WALL_HU) & (resample_to(near, ct.geometry).labels > 0))
