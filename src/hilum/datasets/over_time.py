"""What becomes of lesions between an earlier X-ray and the current one, in display space. numpy only.

A lesion's shadow is per_mm · thickness, as for inserted nodules (`hilum.datasets.insertion`): so the earlier picture is
the current one with per_mm · (thickness before - thickness now) added. Growing, shrinking, coming and going are this
one operation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilum.core import GeometryError
from hilum.core.changes import ChangeKind
from hilum.datasets.augment2d import blurred, read_linearly
from hilum.datasets.xray_sample import Picture, Truth

Labels: TypeAlias = NDArray[np.uint8]

_SOFTER_PX = 1.5
MOST_LESIONS = 255
"""Of one picture: a label image has 8 bits."""


@dataclass(frozen=True, eq=False)
class Shadow:
    """A lesion at one date, within its window.

    Attributes:
        thickness_mm: [row, column] path through it.
        extent: [row, column] its pixels in the truth.

    Raises:
        GeometryError: they are not of one size.
    """

    thickness_mm: Picture
    extent: Truth

    def __post_init__(self) -> None:
        if self.thickness_mm.shape != self.extent.shape or self.extent.ndim != 2:
            raise GeometryError(
                f"a lesion's thickness and extent are of one size [y, x], got {self.thickness_mm.shape} and "
                f"{self.extent.shape}."
            )

    @classmethod
    def nothing(cls, shape_yx: tuple[int, ...]) -> "Shadow":
        """No lesion."""
        return cls(np.zeros(shape_yx, np.float32), np.zeros(shape_yx, bool))

    def scaled(self, factor: float) -> "Shadow":
        """The same lesion with `factor` times its diameter, thickness included, about its middle, in the same window.

        As large an area as the factor says, however few its pixels are; at least one.
        """
        if factor == 1 or not self.extent.any():
            return self
        (height, width), (row, column) = self.extent.shape, np.argwhere(self.extent).mean(axis=0)
        rows = (np.arange(height, dtype=np.float32)[:, None] - row) / factor + row + np.zeros((1, width))
        columns = (np.arange(width, dtype=np.float32)[None] - column) / factor + column + np.zeros((height, 1))
        thickness, share = (
            read_linearly(np.asarray(plane, np.float32), rows.astype(np.float32), columns.astype(np.float32))
            for plane in (self.thickness_mm, self.extent)
        )
        if factor > 1:
            # What is enlarged shows the steps of slices and pixels, which no nodule has.
            thickness = blurred(thickness, _SOFTER_PX * (factor - 1))
        return Shadow(thickness * np.float32(factor), _most_covered(share, int(self.extent.sum()) * factor**2))


def _most_covered(share: Picture, area: float) -> Truth:
    """The pixels that are covered most, as many as the area makes, of those that are covered at all.

    Of pixels that are covered alike those come first whose neighbours are covered more, so that no side is preferred.
    """
    count = min(max(1, round(area)), int((share > 0).sum()))
    chosen = np.zeros(share.shape, dtype=bool)
    rank = share + np.float32(0.01) * blurred(share, 1.0)
    chosen.flat[np.argsort(-rank, axis=None, kind="stable")[:count]] = True
    return chosen


@dataclass(frozen=True, eq=False)
class Change:
    """One lesion at both dates.

    Attributes:
        kind: what became of it.
        corner: first row and column of its window.
        per_mm: what a mm of it adds to brightness (0 to 1).
        now: of the current picture; nothing when it is gone.
        before: of the earlier picture; nothing when it is new.
        is_synthetic: whether it was inserted.
        visibility: 0 to 1; NaN when unknown. Of the current picture, or of the earlier one when it is gone.
    """

    kind: ChangeKind
    corner: tuple[int, int]
    per_mm: float
    now: Shadow
    before: Shadow
    is_synthetic: bool = False
    visibility: float = float("nan")

    @property
    def window(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        (row, column), (height, width) = self.corner, self.now.extent.shape
        return slice(row, row + height), slice(column, column + width)

    @property
    def largest(self) -> Truth:
        """[row, column] its pixels at either date."""
        return np.asarray(self.now.extent | self.before.extent)


def with_inserted(picture: Picture, changes: Sequence[Change]) -> Picture:
    """The current picture [y, x], 0 to 1: the published one, with what was inserted and is there now."""
    result = picture.copy()
    for change in changes:
        if change.is_synthetic:
            result[change.window] += np.float32(change.per_mm) * change.now.thickness_mm
    return np.clip(result, 0, 1)


def as_before(picture: Picture, changes: Sequence[Change]) -> Picture:
    """The earlier state of the published picture [y, x], 0 to 1, in the same pose.

    Args:
        picture: as published: with real lesions as they are now, and without any inserted one.
        changes: of its lesions.
    """
    result = picture.copy()
    for change in changes:
        there = 0 if change.is_synthetic else change.now.thickness_mm
        result[change.window] += np.float32(change.per_mm) * (change.before.thickness_mm - there)
    return np.clip(result, 0, 1)


def labelled(changes: Sequence[Change], shape_yx: tuple[int, int], *, before: bool) -> Labels:
    """[y, x] which lesion each pixel belongs to, by its place in `changes`, from 1; 0 for none.

    Raises:
        GeometryError: there are more lesions than 8 bits tell apart.
    """
    if len(changes) > MOST_LESIONS:
        raise GeometryError(f"a picture has at most {MOST_LESIONS} lesions, got {len(changes)}.", "Leave it out.")
    labels = np.zeros(shape_yx, np.uint8)
    for number, change in enumerate(changes, 1):
        labels[change.window][(change.before if before else change.now).extent] = number
    return labels
