"""Crops of a tumour CT that show lung and no marked tumour: what a network that only ever saw nodules lacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hilum.core import InputError, Volume
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.datasets.slice_scale import HU_RANGE
from hilum.drr.patient import body_mask

Box = tuple[int, int, int, int]
"""First and last column, first and last row: xmin, xmax, ymin, ymax of Pascal VOC, both ends in."""

_LUNG_HU = (-960.0, -500.0)


@dataclass(frozen=True)
class NegativeRule:
    """Where crops are taken.

    Attributes:
        each: crops of a slice, at most.
        away_mm: distance that is kept from every box, on its slice and from it.
        least_lung: share of a crop that is lung.
        tries: places that are drawn for each crop.
        seed: of the places.
    """

    each: int = 4
    away_mm: float = 15.0
    least_lung: float = 0.15
    tries: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.each, self.tries) < 1 or min(self.away_mm, self.seed) < 0 or not 0 <= self.least_lung <= 1:
            raise InputError(f"there is no such rule of negatives: {self}.", "Take 1 or more crops of a slice.")


@dataclass(frozen=True, eq=False)
class NegativeCrop:
    """One crop.

    Attributes:
        slice_index: of the CT's array.
        corner: (row, column) of its first pixel.
        hu: [y, x] cut to 12 bits.
    """

    slice_index: int
    corner: tuple[int, int]
    hu: Floats


def negative_crops(
    ct: Volume, boxes: Mapping[int, Sequence[Box]], shape_yx: tuple[int, int], rule: NegativeRule
) -> list[NegativeCrop]:
    """Crops at random places with lung, none of which comes near a box.

    A tumour goes on between and beyond the slices that have a box, so each box is kept away from within `away_mm`
    along z, too, and between the first and the last of them everywhere.

    Args:
        ct: axes along the image's rows and columns, as the boxes are.
        boxes: by index of the slice.
        shape_yx: of a crop.
        rule: see there.

    Raises:
        InputError: no slice has a box, or the crop is larger than a slice.
        UnitError: the CT is not in HU.
    """
    if not any(boxes.values()):
        raise InputError("no slice of the CT has a box, so nobody knows where its tumour is.", "Check the folders.")
    rows, columns = ct.array.shape[1:]
    if rows < shape_yx[0] or columns < shape_yx[1]:
        raise InputError(f"a crop of {shape_yx} is larger than a slice of {(rows, columns)}.", "Take another CT.")
    lung = body_mask(ct) & (ct.array > _LUNG_HU[0]) & (ct.array < _LUNG_HU[1])
    rng, found = np.random.default_rng(rule.seed), []
    for k in range(len(ct.array)):
        near = _near(k, boxes, ct, rule.away_mm)
        for corner in _corners(lung[k], near, shape_yx, rule, rng):
            piece = ct.array[k, corner[0] : corner[0] + shape_yx[0], corner[1] : corner[1] + shape_yx[1]]
            found.append(NegativeCrop(k, corner, np.clip(piece, *HU_RANGE).astype(np.float64)))
    return found


def _near(k: int, boxes: Mapping[int, Sequence[Box]], ct: Volume, away_mm: float) -> list[Box]:
    """The boxes that a crop of slice k may not meet, each with its margin."""
    z_mm, row_mm, column_mm = ct.geometry.spacing_zyx_mm
    marked = [index for index, some in boxes.items() if some]
    reach = away_mm / z_mm
    within = min(marked) - reach <= k <= max(marked) + reach
    down, right = round(away_mm / row_mm), round(away_mm / column_mm)
    every = [box for some in boxes.values() for box in some] if within else []
    return [(box[0] - right, box[1] + right, box[2] - down, box[3] + down) for box in every]


def _corners(
    lung: Selection, near: Sequence[Box], shape_yx: tuple[int, int], rule: NegativeRule, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """First pixels of crops that show enough lung; the same number of draws whatever the slice shows."""
    summed = np.pad(lung.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    most = [size - side for size, side in zip(lung.shape, shape_yx, strict=True)]
    places = (rng.random((rule.each, rule.tries, 2)) * (np.array(most) + 1)).astype(int)
    chosen = []
    for tries in places.tolist():
        for row, column in tries:
            end_row, end_column = row + shape_yx[0], column + shape_yx[1]
            inside = summed[end_row, end_column] - summed[row, end_column] - summed[end_row, column]
            share = (inside + summed[row, column]) / (shape_yx[0] * shape_yx[1])
            meets = any(column <= x1 and x0 < end_column and row <= y1 and y0 < end_row for x0, x1, y0, y1 in near)
            if share >= rule.least_lung and not meets:
                chosen.append((row, column))
                break
    return chosen
