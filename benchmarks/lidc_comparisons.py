"""LIDC's truth beside everything that says the same: XML and database, pylidc, LUNA16, the published DRR masks.

benchmarks/lidc_agreement.py makes tables of it, and the tests call the same functions, so that what
docs/explanation/lidc-truth.md says is what is tested.
"""

import csv
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.core import Geometry, Outline, UnsupportedError
from hilum.datasets.lidc import LidcNodule, cluster, enclosed, lidc_nodules
from hilum.io.lidc import Mark, MarkKind, Read, read_lidc_xml
from hilum.io.lidc.types import READERS
from hilum.measure import axial_axes, centroid_lps_mm, diameters, equivalent_diameter_mm, volume_mm3
from hilum.ops import OutlineRule

HERE = Path(__file__).resolve().parent
PYLIDC = HERE.parent / "tests" / "data" / "pylidc_measures.csv"

ONE_POINT = "outlines of one point are not in the database"
NOT_IN_DATABASE = "the whole mark is not in the database"
NOT_IN_XML = "the whole mark is not in the XML"
RATED_OTHERWISE = "the ratings differ"


# --- XML and database ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """One mark on which XML and database disagree, and how."""

    patient: str
    label: str
    what: str


@dataclass(frozen=True)
class XmlReads:
    """What a zip of reader XML holds: the first read of each series, and what else there was."""

    reads: Mapping[str, Read]
    ct_files: int
    xray_files: int
    read_again: Mapping[str, int]
    unequal_copies: tuple[str, ...]


def read_zip(path: Path) -> XmlReads:
    reads: dict[str, Read] = {}
    files: Counter[str] = Counter()
    xray_files, unequal = 0, []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            try:
                read = read_lidc_xml(archive.read(name))
            except UnsupportedError:
                xray_files += 1
                continue
            files[read.series_uid] += 1
            if [content(m) for m in reads.setdefault(read.series_uid, read).marks] != [content(m) for m in read.marks]:
                unequal.append(name)
    again = {series: number for series, number in files.items() if number > 1}
    return XmlReads(reads, sum(files.values()), xray_files, again, tuple(unequal))


def outline_key(outline: Outline) -> tuple[object, ...]:
    return round(outline.z_mm, 3), outline.is_hole, outline.points_xy.tobytes()


def content(mark: Mark) -> tuple[object, ...]:
    """Everything that a mark says, comparable."""
    outlines = frozenset(outline_key(outline) for outline in mark.outlines)
    return mark.kind, mark.label, mark.reader, mark.characteristics, outlines


def without_points(mark: Mark) -> frozenset[tuple[object, ...]]:
    """A mark's outlines without those of one point, comparable."""
    return frozenset(outline_key(outline) for outline in mark.outlines if len(outline.points_xy) > 1)


def pair(xml: Read, database: Read) -> list[tuple[Mark | None, Mark | None]]:
    """The marks ≥ 3 mm of both, paired by their outlines; None where the other has none.

    Readers who saw the others' marks sometimes took over an outline as it was; the database keeps the order of the
    XML, so the first of several equal ones belongs to the first.
    """
    waiting: dict[frozenset[tuple[object, ...]], list[Mark]] = defaultdict(list)
    for mark in database.of_kind(MarkKind.NODULE):
        waiting[without_points(mark)].append(mark)
    pairs: list[tuple[Mark | None, Mark | None]] = []
    for mark in xml.of_kind(MarkKind.NODULE):
        same = waiting[without_points(mark)]
        pairs.append((mark, same.pop(0) if same else None))
    return pairs + [(None, mark) for marks in waiting.values() for mark in marks]


def differences(xml: Read, database: Read) -> Iterator[Difference]:
    patient = str(database.patient)
    for one, other in pair(xml, database):
        if one is None or other is None:
            mark = one or other
            yield Difference(patient, mark.label if mark else "", NOT_IN_DATABASE if one else NOT_IN_XML)
            continue
        if any(len(outline.points_xy) == 1 for outline in one.outlines):
            yield Difference(patient, one.label, ONE_POINT)
        if one.characteristics != other.characteristics or one.label != other.label:
            yield Difference(patient, one.label, RATED_OTHERWISE)


def clusters_by_annotation(xml: Read, database: Read) -> set[frozenset[object]]:
    """The XML's clusters in the database's annotation numbers; marks that it doesn't have go by reader and label."""
    names = {
        id(one): other.annotation if other else (one.reader, one.label) for one, other in pair(xml, database) if one
    }
    return {frozenset(names[id(mark)] for mark in marks) for marks in cluster(xml.of_kind(MarkKind.NODULE))}


def shares(read: Read) -> Iterator[float]:
    """What each two overlapping marks of different readers have in common, as a share of the smaller one."""
    marks = read.of_kind(MarkKind.NODULE)
    voxels = enclosed(marks)
    for (one, a), (other, b) in combinations(zip(marks, voxels, strict=True), 2):
        if one.reader != other.reader and (common := np.intersect1d(a, b, assume_unique=True).size):
            yield common / min(len(a), len(b))


# --- pylidc -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PylidcRow:
    """One annotation as pylidc's own code measures and clusters it."""

    annotation: int
    scan: int
    patient: str
    volume_mm3: float
    diameter_mm: float
    centre_index: tuple[float, float, float]
    cluster: int


def pylidc_table(path: Path) -> list[PylidcRow]:
    with path.open(newline="") as file:
        return [
            PylidcRow(
                int(row["annotation"]),
                int(row["scan"]),
                f"LIDC-IDRI-{int(row['patient']):04d}",
                float(row["volume_mm3"]),
                float(row["diameter_mm"]),
                (float(row["slice"]), float(row["row"]), float(row["column"])),
                int(row["cluster"]),
            )
            for row in csv.DictReader(file)
        ]


def pylidc_clusters(table: Iterable[PylidcRow]) -> set[frozenset[int]]:
    found: dict[tuple[int, int], set[int]] = defaultdict(set)
    for row in table:
        found[row.scan, row.cluster].add(row.annotation)
    return {frozenset(members) for members in found.values()}


def polygon_area_px(outline: Outline) -> float:
    """Area within the line through an outline's pixel centres (shoelace formula), in pixels."""
    x, y = outline.points_xy.T
    return 0.5 * abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1)))


def polygon_volume_mm3(mark: Mark, pixel_mm: float, slice_thickness_mm: float) -> float:
    """`pylidc.Annotation.volume`, said again: polygons' areas times half the distance of the outlines next to them.

    At the ends the nearest distance counts on both sides, and a single outline counts with the slice thickness. pylidc
    has no answer for several outlines on one only slice; neither has this.
    """
    z_mm = np.unique([outline.z_mm for outline in mark.outlines])
    if len(mark.outlines) == 1:
        heights = {float(z_mm[0]): slice_thickness_mm}
    else:
        padded = np.concatenate([[2 * z_mm[0] - z_mm[1]], z_mm, [2 * z_mm[-1] - z_mm[-2]]])
        heights = dict(zip(z_mm.tolist(), ((padded[2:] - padded[:-2]) / 2).tolist(), strict=True))
    areas = [(-1 if o.is_hole else 1) * polygon_area_px(o) * heights[o.z_mm] for o in mark.outlines]
    return sum(areas) * pixel_mm**2


def polygon_diameter_mm(mark: Mark, pixel_mm: float) -> float:
    """`pylidc.Annotation.diameter`, said again: the longest distance between two points of one outline."""
    spans = [_span(outline.points_xy) for outline in mark.outlines if len(outline.points_xy) > 1]
    return max(spans, default=-np.inf) * pixel_mm


def _span(points: NDArray[np.float64]) -> float:
    return float(np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2).max()))


@dataclass(frozen=True)
class Sizes:
    """One mark, measured from its mask (`INSIDE`) and from its polygons as pylidc does."""

    annotation: int
    mask_mm3: float
    polygon_mm3: float
    line_mm3: float
    """What Pick's theorem says the polygon has more than the mask: half its line's pixels, less one, a slice."""
    mask_long_mm: float
    """Long axis on the largest axial slice."""
    mask_longest_mm: float
    """The longest of all slices' long axes."""
    polygon_long_mm: float
    centre_kji: tuple[float, float, float]
    """The mask's centroid as slice, row and column; NaN when nothing is inside."""
    pixel_mm: float
    is_plain: bool
    """Neither holes, nor several outlines a slice, nor skipped slices, nor one slice only."""


def sizes(read: Read) -> Iterator[Sizes]:
    for mark in read.of_kind(MarkKind.NODULE):
        if read.pixel_mm is None or read.slice_thickness_mm is None or mark.annotation is None:
            continue
        grid = read.relative_grid(mark.outlines)
        (mask,) = LidcNodule("1", (mark,)).masks(grid)
        selection, block = mask.select(1), mask.require_geometry()
        slices = {outline.z_mm for outline in mark.outlines}
        is_plain = not any(outline.is_hole for outline in mark.outlines) and (
            1 < len(mark.outlines) == len(slices) == grid.shape_zyx[0]
        )
        yield Sizes(
            mark.annotation,
            volume_mm3(selection, block),
            polygon_volume_mm3(mark, read.pixel_mm, read.slice_thickness_mm),
            sum(len({*map(tuple, o.points_xy.tolist())}) / 2 - 1 for o in mark.outlines) * block.voxel_mm3,
            diameters(selection, block).long_axis_mm if selection.any() else np.nan,
            _longest_mm(selection, block),
            polygon_diameter_mm(mark, read.pixel_mm),
            _centre_kji(selection, block, read),
            read.pixel_mm,
            is_plain,
        )


def _longest_mm(selection: NDArray[np.bool_], block: Geometry) -> float:
    one_slice = block.crop((0, 0, 0), (1, *block.shape_zyx[1:]))
    return max((axial_axes(part[None], one_slice).long_mm for part in selection if part.any()), default=np.nan)


def _centre_kji(selection: NDArray[np.bool_], block: Geometry, read: Read) -> tuple[float, float, float]:
    if not selection.any() or read.pixel_mm is None:
        return np.nan, np.nan, np.nan
    x, y, z = centroid_lps_mm(selection, block)
    return float(np.interp(z, read.slices_z_mm, range(len(read.slices_z_mm)))), y / read.pixel_mm, x / read.pixel_mm


def line_centre_kji(mark: Mark, read: Read) -> tuple[float, float, float]:
    """`pylidc.Annotation.centroid`, said again: the mean of all points of all lines, as slice, row and column."""
    slice_of = {z: k for k, z in enumerate(read.slices_z_mm)}
    points = np.concatenate([np.insert(o.points_xy[:, ::-1], 0, slice_of[o.z_mm], axis=1) for o in mark.outlines])
    k, row, column = points.mean(axis=0)
    return float(k), float(row), float(column)


def clustering_reason(theirs: frozenset[int], marks: Mapping[int, Mark]) -> str:
    """Why pylidc's cluster is not one of ours."""
    if len(theirs) > READERS:
        return "pylidc joins neighbours: more marks than readers"
    if len(cluster([marks[number] for number in sorted(theirs)])) > 1:
        return "pylidc joins marks without a common voxel: lines less than a slice thickness apart"
    return "pylidc parts marks, one within the other: lines more than a slice thickness apart"


# --- LUNA16 and the published DRR masks ---------------------------------------------------------------------------


@dataclass(frozen=True)
class LunaPair:
    """A nodule of LUNA16's list and the nearest of hilum's in z, in the same series."""

    series_uid: str
    z_apart_mm: float
    luna_mm: float
    equivalent_mm: float
    reader_mean_mm: float
    reader_count: int


def luna_pairs(annotations: Path, reads: Mapping[str, Read]) -> Iterator[LunaPair]:
    with annotations.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["seriesuid"] in reads]
    by_series: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        by_series[row["seriesuid"]].append((float(row["coordZ"]), float(row["diameter_mm"])))
    for series_uid, entries in by_series.items():
        found = [_luna_measures(n, reads[series_uid]) for n in lidc_nodules(reads[series_uid]) if n.reader_count >= 3]
        for z_mm, diameter_mm in entries:
            if found:
                near = min(found, key=lambda one: abs(one[0] - z_mm) + abs(one[2] - diameter_mm))
                yield LunaPair(series_uid, near[0] - z_mm, diameter_mm, *near[1:])


def luna_counts(folder: Path, reads: Mapping[str, Read]) -> Iterator[tuple[str, int, int]]:
    """Patient, number of LUNA16's nodules, and of ours with 3 or 4 readers, for every series of LUNA16's list."""
    with (folder / "annotations.csv").open(newline="") as file:
        listed = Counter(row["seriesuid"] for row in csv.DictReader(file))
    for series_uid in (folder / "seriesuids.csv").read_text().split():
        if series_uid in reads:
            read = reads[series_uid]
            yield str(read.patient), listed[series_uid], sum(n.reader_count >= 3 for n in lidc_nodules(read))


def _luna_measures(nodule: LidcNodule, read: Read) -> tuple[float, float, float, int]:
    grid = read.relative_grid(nodule.outlines)
    measured = nodule.measured(grid)
    z_mm = measured.centre_lps_mm[2] if measured.centre_lps_mm else np.nan
    volumes = [volume_mm3(mask.select(1), mask.require_geometry()) for mask in nodule.masks(grid)]
    mean_mm = float(np.mean([equivalent_diameter_mm(volume) for volume in volumes if volume]))
    size_mm = measured.diameters_mm.equivalent_mm if measured.diameters_mm else np.nan
    return z_mm, size_mm, mean_mm, nodule.reader_count


def union_shadow(read: Read, shape_yx: tuple[int, int]) -> NDArray[np.bool_]:
    """All readers' nodules, outlines in, seen from the front: [row, column], head up, patient right on the left.

    Slices become rows of `shape_yx` by the nearest one.
    """
    z_mm = np.array(read.slices_z_mm)
    shadow = np.zeros((len(z_mm), shape_yx[1]), dtype=bool)
    for mark in read.of_kind(MarkKind.NODULE):
        (mask,) = LidcNodule("1", (mark,)).masks(read.relative_grid(mark.outlines), OutlineRule.OUTLINE)
        block = mask.require_geometry()
        k = int(np.abs(z_mm - block.origin_lps_mm[2]).argmin())
        i = round(block.origin_lps_mm[0] / block.spacing_zyx_mm[2])
        nz, _, nx = block.shape_zyx
        shadow[k : k + nz, i : i + nx] |= mask.select(1).any(axis=1)
    rows = ((np.arange(shape_yx[0]) + 0.5) * len(z_mm) / shape_yx[0]).astype(int)
    return np.asarray(shadow[::-1][rows])


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else float("nan")


def drr_dices(folder: Path, reads: Sequence[Read]) -> Iterator[tuple[str, float]]:
    """The file's name and the Dice of its published mask with ours, the best of a patient's series."""
    from PIL import Image

    by_patient: dict[str, list[Read]] = defaultdict(list)
    for read in reads:
        by_patient[str(read.patient)].append(read)
    for path in sorted(folder.rglob("*_drr_mask.png")):
        with Image.open(path) as picture:
            mask = np.asarray(picture.convert("L")) > 0
        patient = path.name[:14]
        yield path.name, max((dice(union_shadow(r, mask.shape), mask) for r in by_patient[patient]), default=np.nan)
