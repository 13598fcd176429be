"""The human yardstick: scikit-learn as oracle, hand-worked readers, and LIDC's outlines themselves."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score

from hilum.core import InputError, Outline
from hilum.datasets.splits import is_held_out, is_validation
from hilum.evaluate.yardstick import Against, View, agreement, headline, reader_agreements, yardstick
from hilum.io.lidc import Mark, MarkKind, Read, lidc_reads
from hilum.workflows.yardstick import SPLITS, patients_yardstick, split_yardstick

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "yardstick.md"

readers = st.integers(2, 4).flatmap(lambda n: arrays(bool, (n, 3, 4, 5)))
slice_views = (View.SLICE, View.DRAWN_SLICE)


def f1(one, other):
    return f1_score(other.ravel(), one.ravel()) if one.any() or other.any() else math.nan


def truth_of(drawn, number, against):
    """The consensus that a reader is compared with, said in another way: voxel by voxel, in whole numbers."""
    voting = [mask for n, mask in enumerate(drawn) if against is Against.INSIDE or n != number]
    return 2 * np.sum(voting, axis=0) >= len(voting)


def plain(drawn, view, against):
    """What `agreement` gives, one reader and one slice at a time."""
    pairs = [(drawn[n], truth_of(drawn, n, against)) for n in range(len(drawn))]
    if against is Against.PAIRWISE:
        pairs = [(drawn[a], drawn[b]) for a in range(len(drawn)) for b in range(a)]
    if view is View.SILHOUETTE:
        pairs = [(one.max(axis=1), other.max(axis=1)) for one, other in pairs]
    cases = [pairs] if view not in slice_views else [[(a[k], b[k]) for a, b in pairs] for k in range(drawn.shape[1])]
    means = []
    for case in cases:
        values = [
            f1(one, other)
            for one, other in case
            if (other.any() or against is Against.PAIRWISE)
            and (view is not View.DRAWN_SLICE or (one.any() and other.any()))
        ]
        values = [value for value in values if not math.isnan(value)]
        means.append(np.mean(values) if values else math.nan)
    return means


@given(readers, st.sampled_from(View), st.sampled_from(Against))
def test_agreement_is_scikit_learns_f1_reader_by_reader(drawn, view, against):
    np.testing.assert_allclose(agreement(drawn, view, against), plain(drawn, view, against))


@given(readers, st.sampled_from(View), st.sampled_from(Against), st.randoms(use_true_random=False))
def test_who_is_called_first_changes_nothing(drawn, view, against, random):
    order = list(range(len(drawn)))
    random.shuffle(order)
    np.testing.assert_allclose(agreement(drawn, view, against), agreement(drawn[order], view, against))


def test_equal_readers_agree_fully_and_readers_apart_not_at_all():
    drawn = np.zeros((4, 2, 6, 6), bool)
    drawn[:, 0, 1:4, 1:4] = True
    for view in View:
        for against in Against:
            value = agreement(drawn, view, against)
            assert value[0] == 1
            assert len(value) == (2 if view in slice_views else 1)
            assert np.isnan(value[1:]).all()
    apart = np.zeros((2, 1, 1, 2), bool)
    apart[0, ..., 0] = apart[1, ..., 1] = True
    assert agreement(apart, View.VOLUME, Against.PAIRWISE) == 0
    assert agreement(apart, View.VOLUME, Against.OTHERS) == 0
    assert agreement(apart, View.VOLUME, Against.INSIDE) == pytest.approx(2 / 3)  # half of two readers: the union


def test_three_readers_by_hand():
    """Rows of 2, 4 and 6 pixels that start together. Of two others, one is enough."""
    drawn = np.zeros((3, 1, 1, 8), bool)
    for reader, length in enumerate((2, 4, 6)):
        drawn[reader, 0, 0, :length] = True
    others = [4 / 8, 8 / 10, 8 / 10]  # 2 with 6, 4 with 6, 6 with 4
    inside = [4 / 6, 1, 8 / 10]  # all with 4
    pairs = [4 / 6, 4 / 8, 8 / 10]
    for against, values in zip(Against, (others, inside, pairs), strict=True):
        assert agreement(drawn, View.VOLUME, against) == pytest.approx(np.mean(values))


def test_a_slice_that_one_reader_left_out_counts_0_or_not_at_all():
    drawn = np.ones((3, 2, 2, 2), bool)
    drawn[0, 1] = False
    assert agreement(drawn, View.SLICE, Against.OTHERS).tolist() == [1, pytest.approx(2 / 3)]
    assert agreement(drawn, View.DRAWN_SLICE, Against.OTHERS).tolist() == [1, 1]


def test_a_silhouettes_consensus_is_taken_before_it_is_projected():
    """Three readers at three depths: their shadows are equal, but no voxel has two votes."""
    drawn = np.zeros((4, 1, 4, 3), bool)
    for reader in range(4):
        drawn[reader, 0, reader] = True
    assert math.isnan(agreement(drawn, View.SILHOUETTE, Against.OTHERS)[0])  # none of 3 others' voxels has 1.5 votes
    assert agreement(drawn, View.SILHOUETTE, Against.PAIRWISE) == 1


def square(first, last, z_mm):
    return Outline(np.array([(first, first), (last, first), (last, last), (first, last)], float), z_mm)


def read_of(patient, *nodules):
    """Each nodule: the squares of its readers on two slices, as (first, last)."""
    marks = [
        Mark(MarkKind.NODULE, f"{n}", tuple(square(first, last, z) for z in (2.0, 4.0)))
        for n, readers in enumerate(nodules)
        for first, last in readers
    ]
    slices = tuple(2.0 * n for n in range(5))
    return Read(f"1.2.{patient[-4:]}", tuple(marks), patient, pixel_mm=0.5, slice_thickness_mm=2.0, slices_z_mm=slices)


def test_lines_are_out_and_sizes_are_of_the_consensus():
    found = reader_agreements([read_of("LIDC-IDRI-0002", [(10, 15), (10, 15), (10, 17)], [(40, 50)])])
    assert found.alone == 1
    (nodule,) = found.nodules
    volume_mm3 = 4 * 4 * 2 * 0.5 * 0.5 * 2.0
    assert nodule.size_mm[View.VOLUME] == pytest.approx((6 * volume_mm3 / math.pi) ** (1 / 3))
    assert nodule.size_mm[View.SILHOUETTE] == pytest.approx(2 * math.sqrt(4 * 2 * 0.5 * 2.0 / math.pi))
    expected = np.mean([2 * 16 / (16 + 36), 2 * 16 / (16 + 36), 2 * 16 / (16 + 36)])
    assert nodule.dice[View.VOLUME][Against.OTHERS] == pytest.approx(expected)


def test_groups_and_their_patients():
    reads = [
        read_of("LIDC-IDRI-0002", [(10, 15)] * 3, [(40, 80)] * 4),
        read_of("LIDC-IDRI-0003", [(10, 15), (10, 16)]),
    ]
    rows = yardstick(reader_agreements(reads).nodules, bootstraps=20)
    by_group = {row.group: row for row in rows if (row.view, row.against) == (View.VOLUME, Against.OTHERS)}
    assert set(by_group) == {"n ≥ 3", "n ≥ 3, < 6 mm", "n ≥ 3, 10–20 mm", "n = 4", "n = 3", "n = 2"}
    assert (by_group["n ≥ 3"].figure.n, by_group["n ≥ 3"].patients, by_group["n ≥ 3"].figure.value) == (2, 1, 1.0)
    assert math.isnan(by_group["n ≥ 3"].figure.low)  # one patient has no interval
    assert by_group["n = 2"].figure.value == pytest.approx(2 * 16 / (16 + 25))
    assert headline(rows, View.VOLUME) is by_group["n ≥ 3"]
    with pytest.raises(InputError, match="3 readers"):
        headline([], View.VOLUME)


def test_held_out_patients_and_strangers_are_refused():
    for read in (read_of("LIDC-IDRI-0005", [(10, 15)] * 3), Read("1.2.3", ())):
        with pytest.raises(InputError, match="held out"):
            reader_agreements([read])
    with pytest.raises(InputError, match="held out"):
        patients_yardstick(["LIDC-IDRI-0002", "LIDC-IDRI-0010"])
    with pytest.raises(InputError, match="no LIDC-IDRI-9999"):
        patients_yardstick(["LIDC-IDRI-9999"])
    with pytest.raises(InputError, match="a split is"):
        split_yardstick("test")
    with pytest.raises(InputError, match="bootstraps"):
        split_yardstick("validation", bootstraps=-1)


def test_no_split_has_a_held_out_patient():
    patients = {str(read.patient) for read in lidc_reads()}
    assert any(is_held_out(patient) for patient in patients)
    found = split_yardstick("validation", bootstraps=0, track=lambda reads, _: reads[:3])
    assert found.patients == sum(is_validation(patient) for patient in patients)
    assert all("held" not in role for roles in SPLITS.values() for role in roles)


@pytest.fixture(scope="module")
def validation():
    return split_yardstick("validation")


def test_validation_patients_are_where_they_are_expected(validation):
    assert headline(validation.rows, View.VOLUME).figure.value == pytest.approx(0.78, abs=0.02)
    assert headline(validation.rows, View.SILHOUETTE).figure.value == pytest.approx(0.85, abs=0.02)
    assert headline(validation.rows, View.SILHOUETTE, Against.PAIRWISE).figure.value == pytest.approx(0.83, abs=0.02)
    for view in View:
        pairwise, others, inside = (
            headline(validation.rows, view, against).figure.value
            for against in (Against.PAIRWISE, Against.OTHERS, Against.INSIDE)
        )
        assert pairwise < others < inside
    for row in validation.rows:
        assert row.figure.low <= row.figure.value <= row.figure.high
        assert row.patients <= validation.patients
    assert not len(validation.failures)


def test_the_page_shows_what_the_command_prints(validation):
    """Each row of the page's table: compared, against, group, then the validation patients' figure, interval and n."""
    rows = {(row.view, row.against, row.group): row for row in validation.rows}
    shown = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| (\.\d+) \((\.\d+)–(\.\d+)\), (\d+) \|", PAGE.read_text(), re.M)
    assert len(shown) >= 20
    for view, against, group, *numbers in shown:
        figure = rows[View(view), Against(against), group].figure
        mine = [f"{value:.3f}"[1:] for value in (figure.value, figure.low, figure.high)]
        assert numbers == [*mine, str(figure.n)], (view, against, group)
