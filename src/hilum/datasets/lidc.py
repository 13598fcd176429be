"""LIDC's truth: which readers' outlines are one nodule, and what most of them agree on.

A nodule is a cluster of readers' outlines of one lesion; its reader count is how many readers outlined it
(`definitions.md`, "Readers and consensus"). `docs/explanation/lidc-truth.md` shows how the rules do on all of LIDC.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from statistics import median

import numpy as np
from numpy.typing import NDArray

from hilum.core import Geometry, Mask, Nodule, Outline
from hilum.core.mask import Selection
from hilum.io.lidc import NOMINAL, Characteristics, Mark, MarkKind, Read
from hilum.io.lidc.types import READERS
from hilum.measure import centroid_lps_mm, diameters, volume_mm3
from hilum.ops import OutlineRule, consensus, crop_to_outlines, fill_polygon, rasterise, require_level

SAME_LESION = 0.25
"""Two outlines are of one lesion when they share this part of the smaller one. In the reads of LIDC the share is below
.1 (touching neighbours) or above .3, never between (`benchmarks/lidc_agreement.py`), so the number hardly matters."""

_ROW = 4096
"""Larger than any image's side: row and column make one number."""


@dataclass(frozen=True, eq=False)
class LidcNodule:
    """One nodule as up to four readers outlined it.

    Attributes:
        id: "1", "2", … from foot to head within its series.
        marks: one mark of each reader who outlined it.
    """

    id: str
    marks: tuple[Mark, ...]

    @property
    def reader_count(self) -> int:
        """How many readers outlined it, 1 to 4."""
        return len(self.marks)

    @property
    def outlines(self) -> tuple[Outline, ...]:
        """All outlines of all its readers."""
        return tuple(outline for mark in self.marks for outline in mark.outlines)

    def characteristics(self) -> dict[str, float]:
        """The readers' ratings together: the median of each of the seven scales.

        Internal structure and calcification are names, not degrees: the most frequent counts, and where two are
        equally frequent the entry is missing. So is every entry when no reader rated.
        """
        rated = [mark.characteristics for mark in self.marks if mark.characteristics is not None]
        together = {name: _together(name, [getattr(one, name) for one in rated]) for name in Characteristics.names()}
        return {name: value for name, value in together.items() if value is not None}

    def masks(self, geometry: Geometry, rule: OutlineRule = OutlineRule.INSIDE) -> tuple[Mask, ...]:
        """Each reader's mask, in the order of `marks`, on the block of the grid that holds all of them.

        `hilum.ops.place(mask, grid)` puts one on the whole grid, and on the same voxels in another order.

        Args:
            geometry: the CT's grid in DICOM's order of rows and columns; of a volume that was stored otherwise
                (NIfTI often is) that is `to_lps_axes(volume).geometry`.
            rule: what pixels under the line are; `INSIDE` to measure (the line is the first pixel outside).

        Raises:
            GeometryError: an outline lies on no slice of the grid, or the slices are not axial.
        """
        block, moved = crop_to_outlines(self.outlines, geometry)
        remaining = iter(moved)
        of_reader = [[next(remaining) for _ in mark.outlines] for mark in self.marks]
        return tuple(Mask.of(rasterise(outlines, block, rule), block) for outlines in of_reader)

    def consensus(self, geometry: Geometry, level: float = 0.5, rule: OutlineRule = OutlineRule.INSIDE) -> Mask:
        """The voxels that at least `level` of this nodule's readers have; ties are in (`definitions.md`).

        Args:
            geometry: as in `masks`; the result is on the same block.
            level: share of the readers who outlined this nodule; 0 for the union, 1 for what all have.
            rule: as in `masks`.

        Raises:
            InputError: the level is not from 0 to 1.
            GeometryError: as in `masks`.
        """
        require_level(level)
        masks = self.masks(geometry, rule)
        votes = np.sum([mask.labels for mask in masks], axis=0)
        return Mask.of(consensus(votes, self.reader_count, level), masks[0].require_geometry())

    def measured(self, geometry: Geometry, level: float = 0.5, rule: OutlineRule = OutlineRule.INSIDE) -> Nodule:
        """The consensus mask's size and place, with reader count, ratings, and the range of its readers.

        A consensus may be empty (outlines so small that nothing is inside them): then the volume is 0, and place and
        lengths are None. `uncertainty` holds the lowest and highest volume and mean diameter of the readers' own masks.

        Raises:
            InputError, GeometryError: as in `consensus`.
        """
        mask = self.consensus(geometry, level, rule)
        nodule = _measured(self.id, mask, self.reader_count, self.characteristics())
        return replace(nodule, uncertainty=_range(self.by_reader(geometry, rule)))

    def by_reader(self, geometry: Geometry, rule: OutlineRule = OutlineRule.INSIDE) -> tuple[Nodule, ...]:
        """What each reader's own outlines measure, with that reader's ratings, in the order of `marks`.

        Raises:
            GeometryError: as in `masks`.
        """
        masks = zip(self.marks, self.masks(geometry, rule), strict=True)
        return tuple(
            _measured(f"{self.id}.{number}", mask, 1, _ratings(mark))
            for number, (mark, mask) in enumerate(masks, start=1)
        )


def _ratings(mark: Mark) -> dict[str, float]:
    return {name: float(value) for name, value in asdict(mark.characteristics).items()} if mark.characteristics else {}


def _measured(name: str, mask: Mask, reader_count: int, ratings: Mapping[str, float]) -> Nodule:
    selection, block = mask.select(1), mask.require_geometry()
    return Nodule(
        id=name,
        centre_lps_mm=centroid_lps_mm(selection, block) if selection.any() else None,
        volume_mm3=volume_mm3(selection, block),
        diameters_mm=diameters(selection, block) if selection.any() else None,
        texture=ratings.get("texture"),
        reader_count=reader_count,
        characteristics=ratings,
    )


def _range(readers: Sequence[Nodule]) -> dict[str, float]:
    """Lowest and highest of the readers' volumes and mean diameters."""
    volumes = [one.volume_mm3 for one in readers if one.volume_mm3 is not None]
    means = [one.diameters_mm.mean_mm for one in readers if one.diameters_mm]
    spread = {"volume_mm3": volumes, "mean_diameter_mm": means}
    return {
        f"{name}_{word}": value
        for name, values in spread.items()
        if values
        for word, value in (("low", min(values)), ("high", max(values)))
    }


def lidc_nodules(read: Read) -> tuple[LidcNodule, ...]:
    """The nodules of one CT series, from foot to head. Marks of the other two kinds stay in `read.of_kind`."""
    clusters = sorted(cluster(read.of_kind(MarkKind.NODULE)), key=_place)
    return tuple(LidcNodule(str(number), marks) for number, marks in enumerate(clusters, start=1))


def cluster(marks: Sequence[Mark]) -> tuple[tuple[Mark, ...], ...]:
    """Which outlined marks are of one lesion. Every mark is in exactly one cluster; their order is the marks'.

    Two marks meet when the voxels that they enclose (lines in, holes out) have at least `SAME_LESION` of the smaller
    one in common. Starting with each mark alone, clusters that meet are joined, the pair with the highest
    intersection over union first, unless the result would hold one reader twice, or more marks than there were
    readers. So when a reader outlined two parts of what another outlined as one, the better fitting part joins, and
    the other is a nodule with one reader. Marks whose reader is unknown are taken to be of different readers.
    """
    voxels = enclosed(marks)
    clusters = [[number] for number in range(len(marks))]
    for _, first, second in sorted(_meeting(voxels), key=lambda link: (-link[0], *link[1:])):
        one = next(members for members in clusters if first in members)
        other = next(members for members in clusters if second in members)
        if one is not other and _may_be_one([marks[number] for number in (*one, *other)]):
            clusters.remove(other)
            one.extend(other)
    return tuple(tuple(marks[number] for number in sorted(members)) for members in clusters)


def _may_be_one(marks: Sequence[Mark]) -> bool:
    readers = [mark.reader for mark in marks if mark.reader is not None]
    return len(marks) <= READERS and len(set(readers)) == len(readers)


def _meeting(voxels: Sequence[NDArray[np.int64]]) -> Iterator[tuple[float, int, int]]:
    """(intersection over union, number, number) of each pair of marks that meet."""
    for first, second in combinations(range(len(voxels)), 2):
        one, other = voxels[first], voxels[second]
        common = len(np.intersect1d(one, other, assume_unique=True))
        if common and common >= SAME_LESION * min(len(one), len(other)):
            yield common / (len(one) + len(other) - common), first, second


def enclosed(marks: Sequence[Mark]) -> list[NDArray[np.int64]]:
    """For each mark the voxels that it encloses, each as one number."""
    z_mm = sorted({round(outline.z_mm, 2) for mark in marks for outline in mark.outlines})
    slice_of = {z: number for number, z in enumerate(z_mm)}
    found = []
    for mark in marks:
        filled = [(o.is_hole, _numbers(o, slice_of[round(o.z_mm, 2)])) for o in mark.outlines]
        solid = [numbers for is_hole, numbers in filled if not is_hole]
        holes = [numbers for is_hole, numbers in filled if is_hole]
        found.append(np.setdiff1d(_joined(solid), _joined(holes), assume_unique=True))
    return found


def _joined(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)


def _numbers(outline: Outline, slice_number: int) -> NDArray[np.int64]:
    corner, region = _filled(outline)
    rows, columns = np.nonzero(region)
    return np.asarray((slice_number * _ROW + rows + corner[1]) * _ROW + columns + corner[0], dtype=np.int64)


def _filled(outline: Outline) -> tuple[NDArray[np.int64], Selection]:
    """The pixels [y, x] of one outline within its own bounding box, and the box's corner (column, row)."""
    rule = OutlineRule.INSIDE if outline.is_hole else OutlineRule.OUTLINE
    corner = np.floor(outline.points_xy.min(axis=0)).astype(np.int64)
    columns, rows = np.ceil(outline.points_xy.max(axis=0)).astype(np.int64) - corner + 1
    return corner, fill_polygon(outline.points_xy - corner, (int(rows), int(columns)), rule)


def _place(marks: Sequence[Mark]) -> tuple[float, ...]:
    """Mean z, row and column of a cluster's outlines: what nodules are numbered by."""
    means = [(outline.z_mm, *outline.points_xy.mean(axis=0)[::-1]) for mark in marks for outline in mark.outlines]
    return tuple(np.mean(means, axis=0).tolist())


def _together(name: str, ratings: Sequence[int]) -> float | None:
    """One number for several readers' ratings of one characteristic; None when there is none."""
    if not ratings:
        return None
    if name not in NOMINAL:
        return float(median(ratings))
    (first, count), *others = Counter(ratings).most_common(2)
    return None if others and others[0][1] == count else float(first)
