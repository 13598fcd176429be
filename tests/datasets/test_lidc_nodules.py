"""Clusters, consensus and sizes of readers' outlines, on shapes whose answers are known and on the sample CT."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hilum.core import Geometry, GeometryError, InputError, Outline, Volume
from hilum.datasets.lidc import LidcNodule, cluster, lidc_nodules
from hilum.io import read_volume
from hilum.io.installed import sample_ct_path
from hilum.io.lidc import Characteristics, Mark, MarkKind, Read, lidc_read
from hilum.ops import OutlineRule, place, to_lps_axes

GRID = Geometry.regular((8, 64, 64), (2.0, 0.5, 0.5), (-16, -16, 0))
RATED = Characteristics(5, 1, 6, 4, 3, 2, 1, 5, 4)


def square(x: int, y: int, side: int, z_mm: float = 4, *, is_hole: bool = False) -> Outline:
    """A closed square whose line runs through `side` + 1 pixels on each side."""
    corners = [(x, y), (x + side, y), (x + side, y + side), (x, y + side), (x, y)]
    return Outline(np.array(corners), z_mm, is_hole)


def mark(*outlines: Outline, reader: int | None = None, rated: Characteristics | None = RATED) -> Mark:
    return Mark(MarkKind.NODULE, "Nodule", outlines, reader, rated)


def box(x: int, y: int, side: int, reader: int | None = None, z_mm: tuple[float, ...] = (4, 6, 8)) -> Mark:
    return mark(*(square(x, y, side, z) for z in z_mm), reader=reader)


def sizes(clusters: tuple[tuple[Mark, ...], ...]) -> list[int]:
    return sorted(len(marks) for marks in clusters)


# --- clusters ---------------------------------------------------------------------------------------------------------


def test_readers_who_outlined_one_lesion_make_one_nodule() -> None:
    assert sizes(cluster([box(10, 10, 8, 0), box(11, 10, 8, 1), box(10, 12, 7, 2), box(12, 12, 5, 3)])) == [4]


def test_a_lesion_within_a_larger_outline_is_the_same_lesion() -> None:
    assert sizes(cluster([box(10, 10, 20, 0), box(14, 14, 5, 1, (6,))])) == [2]


def test_neighbours_whose_lines_touch_are_two() -> None:
    assert sizes(cluster([box(10, 10, 8, 0), box(18, 10, 8, 1)])) == [1, 1]


def test_what_lies_in_a_hole_is_another_lesion() -> None:
    ring = mark(square(10, 10, 20), square(14, 14, 10, is_hole=True), reader=0)
    assert sizes(cluster([ring, mark(square(17, 17, 4), reader=1)])) == [1, 1]
    assert sizes(cluster([mark(square(10, 10, 20), reader=0), mark(square(17, 17, 4), reader=1)])) == [2]


def test_other_slices_are_other_lesions() -> None:
    assert sizes(cluster([box(10, 10, 8, 0, (2, 4)), box(10, 10, 8, 1, (6, 8))])) == [1, 1]


def test_a_reader_counts_once_and_the_better_fitting_part_joins() -> None:
    whole, large, small = box(10, 10, 20, 0), box(10, 10, 14, 1), box(24, 24, 6, 1)
    assert {frozenset(map(id, marks)) for marks in cluster([small, whole, large])} == {
        frozenset({id(whole), id(large)}),
        frozenset({id(small)}),
    }


def test_unknown_readers_are_taken_for_different_ones_but_never_more_than_four() -> None:
    assert sizes(cluster([box(10, 10, 8) for _ in range(3)])) == [3]
    assert sizes(cluster([box(10, 10, 8) for _ in range(5)])) == [1, 4]


def test_touching_lesions_stay_apart_though_a_reader_joined_them() -> None:
    one = [box(10, 10, 10, reader) for reader in (0, 1, 2)]
    other = [box(22, 10, 10, reader) for reader in (0, 1, 2)]
    across = box(10, 10, 22, 3)
    assert sizes(cluster([*one, *other, across])) == [3, 4]


boxes = st.lists(
    st.builds(box, st.integers(0, 30), st.integers(0, 30), st.integers(2, 20), st.integers(0, 3)), max_size=7
)


@given(boxes, st.randoms(use_true_random=False))
def test_clusters_part_the_marks_and_hold_no_reader_twice(marks: list[Mark], order: object) -> None:
    clusters = cluster(marks)
    assert sorted(id(one) for members in clusters for one in members) == sorted(map(id, marks))
    for members in clusters:
        assert len({one.reader for one in members}) == len(members) <= 4


@given(st.permutations([box(10, 10, 9, 0), box(10, 11, 8, 1), box(12, 9, 7, 2), box(15, 15, 12, 1), box(20, 20, 9, 2)]))
def test_the_order_of_marks_changes_nothing(marks: list[Mark]) -> None:
    found = {frozenset((one.reader, one.outlines[0].points_xy[0, 0]) for one in members) for members in cluster(marks)}
    assert found == {frozenset({(0, 10.0), (1, 10.0), (2, 12.0)}), frozenset({(1, 15.0), (2, 20.0)})}


def test_nodules_are_numbered_from_foot_to_head_and_other_marks_stay_apart() -> None:
    point = Outline(np.array([(5, 5)]), 4)
    marks = (
        box(10, 10, 8, 0, (10, 12)),
        Mark(MarkKind.SMALL_NODULE, "s", (point,), 0),
        Mark(MarkKind.NON_NODULE, "n", (point,), 1),
        box(30, 10, 8, 1, (2, 4)),
    )
    read = Read("1.2", marks)
    assert [(one.id, one.marks) for one in lidc_nodules(read)] == [("1", (marks[3],)), ("2", (marks[0],))]
    assert read.of_kind(MarkKind.SMALL_NODULE) == (marks[1],)
    assert read.of_kind(MarkKind.NON_NODULE) == (marks[2],)


# --- masks, consensus, sizes --------------------------------------------------------------------------------------


def nested(*sides: int) -> LidcNodule:
    """Readers' squares around one centre."""
    return LidcNodule("1", tuple(box(30 - side // 2, 30 - side // 2, side, n) for n, side in enumerate(sides)))


def count(nodule: LidcNodule, level: float, rule: OutlineRule = OutlineRule.INSIDE) -> int:
    return int(nodule.consensus(GRID, level, rule).labels.sum())


@pytest.mark.parametrize(
    ("sides", "level", "side"),
    [
        ((4, 8, 12, 16), 0.5, 12),  # two of four: a tie, in
        ((4, 8, 12, 16), 0.51, 8),
        ((4, 8, 12, 16), 0.75, 8),
        ((4, 8, 12, 16), 1, 4),
        ((4, 8, 12, 16), 0, 16),
        ((4, 8, 12), 0.5, 8),  # two of three, one is less than half
        ((4, 8, 12), 1 / 3, 12),
        ((4, 8, 12), 2 / 3, 8),
        ((4, 8), 0.5, 8),  # one of two: a tie, in
        ((4, 8), 0.51, 4),
        ((8,), 0.5, 8),
    ],
)
def test_consensus_is_that_share_of_this_nodules_readers_with_ties_in(
    sides: tuple[int, ...], level: float, side: int
) -> None:
    assert count(nested(*sides), level) == 3 * (side - 1) ** 2
    assert count(nested(*sides), level, OutlineRule.OUTLINE) == 3 * (side + 1) ** 2


@given(st.lists(st.integers(2, 20), min_size=1, max_size=4), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_level_never_has_more(sides: list[int], one: float, other: float) -> None:
    nodule = nested(*sides)
    low, high = (nodule.consensus(GRID, level).select(1) for level in sorted((one, other)))
    assert not (high & ~low).any()


@pytest.mark.parametrize("level", [-0.1, 1.1, 50, float("nan")])
def test_a_level_that_is_no_share_is_refused(level: float) -> None:
    with pytest.raises(InputError, match="from 0 to 1"):
        nested(4).consensus(GRID, level)


def test_masks_are_the_readers_own_on_one_grid() -> None:
    nodule = nested(4, 8)
    first, second = nodule.masks(GRID)
    assert first.require_geometry().is_same_grid(second.require_geometry())
    assert [int(one.labels.sum()) for one in (first, second)] == [3 * 9, 3 * 49]
    assert (place(first, GRID).labels <= place(second, GRID).labels).all()


def test_holes_are_cut_from_their_own_readers_mask_only() -> None:
    ring = mark(square(10, 10, 12), square(13, 13, 6, is_hole=True), reader=0)
    full = mark(square(10, 10, 12), reader=1)
    first, second = (int(one.labels.sum()) for one in LidcNodule("1", (ring, full)).masks(GRID))
    assert (first, second) == (11**2 - 7**2, 11**2)


def test_a_box_measures_what_it_is() -> None:
    measured = LidcNodule("7", (box(20, 24, 11, 0, (2, 4, 6, 8)),)).measured(GRID)
    assert measured.volume_mm3 == pytest.approx(10 * 0.5 * 10 * 0.5 * 4 * 2)
    assert measured.centre_lps_mm == pytest.approx((-16 + 25.5 * 0.5, -16 + 29.5 * 0.5, 5))
    assert measured.diameters_mm is not None
    assert measured.diameters_mm.equivalent_mm == pytest.approx((6 * 200 / np.pi) ** (1 / 3))
    assert (measured.id, measured.reader_count, measured.texture) == ("7", 1, 5)


def test_an_outline_around_nothing_has_volume_zero_and_no_lengths() -> None:
    measured = LidcNodule("1", (mark(square(5, 5, 1)),)).measured(GRID)
    assert (measured.volume_mm3, measured.diameters_mm, measured.centre_lps_mm) == (0, None, None)


def test_a_nodule_off_the_grid_is_refused() -> None:
    with pytest.raises(GeometryError, match="no slice does"):
        LidcNodule("1", (mark(square(5, 5, 4, z_mm=90)),)).masks(GRID)


# --- characteristics --------------------------------------------------------------------------------------------------


def rated(**ratings: int) -> Mark:
    return mark(square(5, 5, 4), rated=replace(RATED, **ratings))


def test_scales_are_taken_by_their_median() -> None:
    nodule = LidcNodule("1", (rated(malignancy=1), rated(malignancy=2), rated(malignancy=5), rated(malignancy=5)))
    assert nodule.characteristics()["malignancy"] == 3.5


def test_kinds_are_taken_by_the_most_frequent_and_a_tie_is_none() -> None:
    three = LidcNodule("1", (rated(calcification=3), rated(calcification=6), rated(calcification=3)))
    two = LidcNodule("1", three.marks[:2])
    assert three.characteristics()["calcification"] == 3
    assert "calcification" not in two.characteristics()
    assert two.characteristics()["internal_structure"] == 1


def test_unrated_marks_don_t_count() -> None:
    unrated = mark(square(5, 5, 4), rated=None)
    assert LidcNodule("1", (unrated, rated(texture=2))).characteristics()["texture"] == 2
    assert LidcNodule("1", (unrated,)).characteristics() == {}
    assert LidcNodule("1", (unrated,)).measured(GRID).texture is None


# --- the sample CT ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample() -> Volume:
    return read_volume(sample_ct_path())


@pytest.fixture(scope="module")
def sample_nodule() -> LidcNodule:
    (nodule,) = lidc_nodules(lidc_read("LIDC-IDRI-0001"))
    return nodule


def test_the_sample_nodule_is_denser_than_its_line_and_no_mirror_image_of_it_is(
    sample: Volume, sample_nodule: LidcNodule
) -> None:
    upright = to_lps_axes(sample).geometry
    inside, full = (
        place(sample_nodule.consensus(upright, rule=rule), sample.geometry).select(1)
        for rule in (OutlineRule.INSIDE, OutlineRule.OUTLINE)
    )
    line = full & ~inside
    assert -150 < sample.array[inside].mean() < 50
    contrast = sample.array[inside].mean() - sample.array[line].mean()
    mirrored = [sample.array[np.flip(inside, n)].mean() - sample.array[np.flip(line, n)].mean() for n in range(3)]
    assert contrast > 400
    assert max(mirrored) < 150


def test_the_sample_nodule_is_where_luna16_has_it(
    sample: Volume, sample_nodule: LidcNodule, real_data: Callable[[str], Path]
) -> None:
    listed = (real_data("luna16") / "annotations.csv").read_text().splitlines()
    (row,) = [line.split(",") for line in listed if line.split(",")[0].endswith(".179049373636438705059720603192")]
    measured = sample_nodule.measured(to_lps_axes(sample).geometry)
    assert measured.centre_lps_mm == pytest.approx([float(value) for value in row[1:4]], abs=0.25)
    assert measured.diameters_mm is not None
    assert measured.diameters_mm.equivalent_mm == pytest.approx(float(row[4]), abs=0.1)


def test_the_union_casts_the_published_shadow(
    sample: Volume, sample_nodule: LidcNodule, real_data: Callable[[str], Path]
) -> None:
    (path,) = (real_data("lidc-drr") / "1-200").glob("LIDC-IDRI-0001_*_drr_mask.png")
    published = np.asarray(Image.open(path)) > 0
    upright = to_lps_axes(sample).geometry
    union = place(sample_nodule.consensus(upright, 0, OutlineRule.OUTLINE), upright)
    shadow = union.select(1).any(axis=1)[::-1]
    rows = ((np.arange(len(published)) + 0.5) * len(shadow) / len(published)).astype(int)
    np.testing.assert_array_equal(shadow[rows], published)
