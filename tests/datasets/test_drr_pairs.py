"""LIDC's truth on the published pictures."""

import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hilum.core import GeometryError, InputError, Nodule, UnitError
from hilum.datasets.drr_pairs import (
    PairGrid,
    PairNodule,
    Placing,
    consensus_mask,
    nodule_size_mm,
    pair_folder,
    pair_name,
    pair_nodules,
    read_of,
    size_band,
    union_mask,
    with_visibility,
)
from hilum.datasets.lidc import lidc_nodules
from hilum.io.lidc import lidc_read, lidc_reads
from hilum.ops import OutlineRule

NAME = "LIDC-IDRI-0001_01-01-2000-NA-NA-30178_3000566.000000-NA-03192"
ODD = ("0123", "0267", "0442", "0514", "0572")


@pytest.fixture(scope="module")
def patient_1():
    return lidc_read("LIDC-IDRI-0001")


@pytest.fixture(scope="module")
def several():
    """A patient with nodules of one to four readers."""
    return lidc_read("LIDC-IDRI-0006")


def published_masks(real_data, pattern):
    for path in sorted(real_data("lidc-drr").rglob(f"LIDC-IDRI-{pattern}_*_drr_mask.png")):
        name = pair_name(path.name)
        with Image.open(path) as picture:
            yield name, read_of(name, lidc_reads(name.patient)), np.asarray(picture) > 0


@pytest.mark.parametrize("pattern", ["000?", *ODD])
def test_outlines_give_the_published_masks_to_the_pixel(real_data, pattern):
    found = list(published_masks(real_data, pattern))
    assert found
    for name, read, mask in found:
        assert PairGrid.of(read).shape_yx == mask.shape, name
        assert np.array_equal(union_mask(read, Placing.PUBLISHED), mask), name


@pytest.mark.parametrize(("pattern", "is_there"), [("0001", True), ("0442", True), ("0123", False), ("0572", False)])
def test_only_odd_stacks_are_shown_elsewhere(real_data, pattern, is_there):
    for _, read, mask in published_masks(real_data, pattern):
        assert np.array_equal(union_mask(read), mask) is is_there


def test_a_picture_on_its_head_shows_the_nodule_as_far_from_the_top_as_it_is_from_the_feet():
    read = lidc_read("LIDC-IDRI-0572")
    grid = PairGrid.of(read)
    shown = np.flatnonzero(union_mask(read).any(axis=1))
    z = [outline.z_mm for mark in read.marks for outline in mark.outlines]
    expected = (np.array([min(z), max(z)]) - grid.slices_z_mm[0]) / grid.pixel_mm[0]
    assert [shown[0], shown[-1]] == pytest.approx(expected, abs=2)
    assert set(np.flatnonzero(union_mask(read, Placing.PUBLISHED).any(axis=1))) == {grid.shape_yx[0] - 1}


def test_a_name_says_patient_and_series(patient_1):
    name = pair_name(f"{NAME}_drr.png")
    assert name == pair_name(f"{NAME}_drr_mask.png")
    assert (name.key, name.patient, name.series_ending) == (NAME, "LIDC-IDRI-0001", "03192")
    assert read_of(name, [patient_1]) is patient_1


@pytest.mark.parametrize("bad", ["scan_drr.png", "LIDC-IDRI-0001_drr.png", f"{NAME}.png", f"x{NAME}_drr.png"])
def test_other_names_are_refused(bad):
    with pytest.raises(InputError, match="not named like a published pair"):
        pair_name(bad)


def test_of_two_series_the_name_tells_which():
    reads = lidc_reads("LIDC-IDRI-0332")
    assert {len(read.slices_z_mm) for read in reads} == {181, 292}
    name = pair_name("LIDC-IDRI-0332_01-01-2000-NA-NA-07398_30242.000000-NA-57094_drr.png")
    assert len(read_of(name, reads).slices_z_mm) == 181
    with pytest.raises(InputError, match="0 series"):
        read_of(replace(name, series_ending="00000"), reads)


@pytest.mark.parametrize(("patient", "folder"), [("0001", "1-200"), ("0200", "1-200"), ("0201", "201-400")])
def test_folders_hold_two_hundred_patients(patient, folder):
    assert pair_folder(f"LIDC-IDRI-{patient}") == folder


@pytest.mark.parametrize("level", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_a_threshold_on_the_votes_is_the_shadow_of_the_consensus(several, level):
    grid = PairGrid.of(several)
    for outlined, nodule in zip(lidc_nodules(several), pair_nodules(several), strict=True):
        block = several.relative_grid(outlined.outlines)
        mask = outlined.consensus(block, level)
        geometry, flat = mask.require_geometry(), mask.select(1).any(axis=1)
        z = geometry.origin_lps_mm[2] + np.arange(len(flat)) * geometry.spacing_zyx_mm[0]
        shadow = np.zeros((len(several.slices_z_mm), 512), dtype=bool)
        first = round(geometry.origin_lps_mm[0] / geometry.spacing_zyx_mm[2])
        for one, row in zip(z, flat, strict=True):
            k = several.slices_z_mm.index(min(several.slices_z_mm, key=lambda s, one=one: abs(s - one)))
            shadow[k, first : first + flat.shape[1]] = row
        nearest = ((np.arange(grid.shape_yx[0]) + 0.5) * len(shadow) / grid.shape_yx[0]).astype(int)
        assert np.array_equal(nodule.silhouette(level), shadow[::-1][nearest])


def test_readers_and_votes_tell_the_same_union(several):
    for nodule in pair_nodules(several):
        union = np.any([nodule.of_reader(k) for k in range(nodule.reader_count)], axis=0)
        assert np.array_equal(union, nodule.silhouette(0.0))
        assert np.array_equal(nodule.readers > 0, union)
        assert nodule.votes.max() <= nodule.reader_count


def test_with_lines_in_all_nodules_together_are_the_published_union(several):
    nodules = pair_nodules(several, OutlineRule.OUTLINE)
    together = np.any([nodule.silhouette(0.0) for nodule in nodules], axis=0)
    assert np.array_equal(together, union_mask(several))


def test_sizes_and_ratings_are_the_cts_and_the_centre_is_the_pictures(patient_1):
    (nodule,) = pair_nodules(patient_1)
    assert nodule.reader_count == 4
    assert nodule_size_mm(nodule) == pytest.approx(23.35, abs=0.1)  # LUNA16's diameter
    assert nodule.nodule.centre_lps_mm is None
    rows, columns = np.nonzero(nodule.silhouette())
    assert nodule.nodule.centre_px == pytest.approx((rows.mean(), columns.mean()))
    assert nodule.nodule.characteristics["malignancy"] == 5


def test_levels_are_shares(patient_1):
    with pytest.raises(InputError, match="from 0 to 1"):
        pair_nodules(patient_1)[0].silhouette(1.5)


def test_the_consensus_truth_has_nodules_of_three_readers_only(several):
    nodules = pair_nodules(several)
    counts = {nodule.reader_count for nodule in nodules}
    assert min(counts) < 3 <= max(counts)
    mask = consensus_mask(nodules, nodules[0].votes.shape)
    expected = np.any([n.silhouette() for n in nodules if n.reader_count >= 3], axis=0)
    assert np.array_equal(mask, expected)
    assert not consensus_mask([], (4, 5)).any()


def test_a_brighter_nodule_stands_out_more(patient_1):
    (nodule,) = pair_nodules(patient_1)
    noise = np.random.default_rng(1).normal(100, 5, nodule.votes.shape)
    for lift in (0, 10, 50):
        (seen,) = with_visibility([nodule], noise + lift * nodule.silhouette(), (0.7, 0.7))
        # 5 is the noise that was put in; the ring is finite.
        assert seen.contrast_to_noise == pytest.approx(lift / 5, abs=0.1 * lift / 5 + 0.3)
    assert math.isnan(nodule.contrast_to_noise)


def test_neighbours_are_no_background():
    rows, columns = np.indices((80, 80))
    discs = [((rows - 40) ** 2 + (columns - c) ** 2 <= 25).astype(np.uint8) for c in (35, 48)]
    pair = [PairNodule(Nodule(str(n), reader_count=1), disc, disc) for n, disc in enumerate(discs)]
    picture = np.random.default_rng(1).normal(100, 5, discs[0].shape)
    alone = with_visibility(pair, picture, (0.7, 0.7))[0].contrast_to_noise
    beside = with_visibility(pair, picture + 1000.0 * discs[1], (0.7, 0.7))[0].contrast_to_noise
    unknown = with_visibility(pair[:1], picture + 1000.0 * discs[1], (0.7, 0.7))[0].contrast_to_noise
    assert beside == pytest.approx(alone)
    assert unknown != pytest.approx(alone, abs=0.2)


def test_rows_are_nearly_square_but_where_slices_are_missing():
    row, column = PairGrid.of(lidc_read("LIDC-IDRI-0001")).pixel_mm
    assert row == pytest.approx(column, rel=0.003)
    row, column = PairGrid.of(lidc_read("LIDC-IDRI-0514")).pixel_mm
    assert (row, column) == (pytest.approx(2.0 * 142 / 512), 0.625)


def test_a_picture_of_another_size_and_a_read_without_slices_are_refused(patient_1):
    with pytest.raises(GeometryError, match="512 × 512 pixels, its CT gives 472 × 512"):
        PairGrid.of(patient_1).require_shape((512, 512))
    with pytest.raises(UnitError):
        PairGrid.of(replace(patient_1, slices_z_mm=()))


@pytest.mark.parametrize(("mm", "band"), [(7.99, "< 8 mm"), (8, "8–15 mm"), (14.99, "8–15 mm"), (15, "≥ 15 mm")])
def test_bands_hold_their_lower_bound(mm, band):
    assert size_band(mm) == band
