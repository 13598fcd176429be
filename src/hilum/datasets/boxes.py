"""Rectangles that somebody drew around a tumour, slice by slice, as nodules of a CT."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hilum.core import Geometry, Mask, UnreadableError
from hilum.core.geometry import Triple
from hilum.datasets.slice_negatives import Box
from hilum.ops import label_parts


@dataclass(frozen=True, eq=False)
class Boxed:
    """What rectangles enclose that overlap from slice to slice.

    Attributes:
        centre_lps_mm: middle of the box around all of them.
        diameter_mm: mean of height and width of the largest rectangle: more than the tumour's own, which fills it
            rarely.
        mask: all of what they enclose, on the block of the CT's grid that holds it.
    """

    centre_lps_mm: Triple
    diameter_mm: float
    mask: Mask


def boxed(boxes: Mapping[int, Sequence[Box]], grid: Geometry) -> list[Boxed]:
    """The tumours of a CT.

    Args:
        boxes: by index of the slice; both ends are in.
        grid: of the CT, rows and columns as the boxes count them.

    Raises:
        UnreadableError: a box leaves its slice, or ends before it begins.
    """
    filled = np.zeros(grid.shape_zyx, dtype=bool)
    for k, several in boxes.items():
        for x0, x1, y0, y1 in several:
            if not (0 <= x0 <= x1 < grid.shape_zyx[2] and 0 <= y0 <= y1 < grid.shape_zyx[1]):
                raise UnreadableError(f"a box from column {x0} to {x1}, row {y0} to {y1} leaves its slice.", "Mend it.")
            filled[k, y0 : y1 + 1, x0 : x1 + 1] = True
    parts = label_parts(filled)
    return [_one(np.argwhere(parts == number), grid) for number in range(1, int(parts.max()) + 1)]


def _one(places: np.ndarray[tuple[int, ...], np.dtype[np.intp]], grid: Geometry) -> Boxed:
    low, high = places.min(axis=0), places.max(axis=0) + 1
    (k, j, i), (nz, ny, nx) = low.tolist(), (high - low).tolist()
    block = grid.crop((k, j, i), (nz, ny, nx))
    inside = np.zeros(block.shape_zyx, dtype=bool)
    inside[tuple((places - low).T)] = True
    _, row_mm, column_mm = grid.spacing_zyx_mm
    sides = [
        (np.ptp(rows) + 1) * row_mm / 2 + (np.ptp(columns) + 1) * column_mm / 2
        for rows, columns in (np.nonzero(plane) for plane in inside if plane.any())
    ]
    x, y, z = grid.to_lps_mm((low + high - 1) / 2).tolist()
    return Boxed((x, y, z), float(max(sides)), Mask.of(inside, block))
