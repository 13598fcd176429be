"""Inserted nodules: what is added, where, what becomes truth, and from whom."""

import time
from dataclasses import replace

import numpy as np
import pytest

from hilum.core import InputError, TrainError
from hilum.datasets import nodule_bank
from hilum.datasets.insertion import (
    BankNodule,
    Gain,
    Insertion,
    NoduleBank,
    draw_insertions,
    inserted,
    shadow_patch,
    without_plane,
)
from hilum.datasets.lidc import lidc_nodules
from hilum.datasets.nodule_bank import Measured, Outlined, build_bank, fit_gain, place_map, require_training, shape_of
from hilum.datasets.odd import UPSIDE_DOWN
from hilum.datasets.xray_config import InsertionConfig
from hilum.datasets.xray_pack import XrayPack, read_pack, write_pack
from hilum.datasets.xray_sample import XraySample
from hilum.io.lidc import lidc_read
from tests.xrays import TRAINING, chest, disc, write_xrays

GAIN = Gain(0.01, -0.01, 0.06, 0.3, 99)


def ball(radius_mm=6.0, pixel_mm=0.5, readers=4):
    """Its chords are known; the extent is a pixel wider, as lines in are."""
    half = int(radius_mm / pixel_mm) + 3
    rows, columns = (np.indices((2 * half + 1, 2 * half + 1)) - half) * pixel_mm
    away = np.hypot(rows, columns)
    chords = 2 * np.sqrt(np.maximum(radius_mm**2 - away**2, 0))
    inside, extent = away <= radius_mm, away <= radius_mm + pixel_mm
    return BankNodule("LIDC-IDRI-0002", "1", readers, 2 * radius_mm, chords.astype(np.float32), inside, extent)


def bank(*nodules):
    places = np.zeros((10, 10))
    places[3:7, 3:7] = 1 / 16
    return NoduleBank(nodules or (ball(),), 0.5, GAIN, places)


def sample(shape=(160, 170), brightness=0.4, pixel_mm=0.7):
    plane = np.full(shape, brightness, np.float32)
    return XraySample("a", "LIDC-IDRI-0003", plane, np.zeros(shape, bool), np.ones(shape, np.float32), pixel_mm)


def at(*places, angle_deg=0.0, scale=1.0, density=1.0, is_flipped=False):
    return Insertion(0, angle_deg, is_flipped, scale, density, places)


@pytest.mark.parametrize("pixel_mm", [0.35, 0.7, 1.4])
@pytest.mark.parametrize("angle_deg", [0, 33, 180])
@pytest.mark.parametrize("scale", [0.8, 1.0, 1.3])
def test_a_ball_stays_a_ball(pixel_mm, angle_deg, scale):
    """Its volume goes with the third power of the enlargement, whatever the pixels."""
    patch = shadow_patch(ball(), at(angle_deg=angle_deg, scale=scale), 0.5, pixel_mm)
    assert patch.thickness_mm.sum() * pixel_mm**2 == pytest.approx(4 / 3 * np.pi * (6 * scale) ** 3, rel=0.04)
    assert patch.thickness_mm.max() == pytest.approx(12 * scale, rel=0.03)
    assert patch.extent.sum() * pixel_mm**2 == pytest.approx(np.pi * (6.5 * scale) ** 2, rel=0.15)
    assert patch.size_mm == pytest.approx(12 * scale)


def test_a_turned_shape_is_the_shape_turned():
    rng = np.random.default_rng(0)
    nodule = replace(
        ball(),
        thickness_mm=rng.random((9, 13), dtype=np.float32) + 1,
        silhouette=np.ones((9, 13), bool),
        extent=np.ones((9, 13), bool),
    )
    turned = shadow_patch(nodule, at(angle_deg=90), 0.7, 0.7).thickness_mm
    np.testing.assert_allclose(turned[turned.shape[0] // 2 - 6 : turned.shape[0] // 2 + 7].shape[0], 13)
    assert turned.sum() == pytest.approx(nodule.thickness_mm.sum(), rel=1e-3)


def test_what_is_added_is_gain_times_thickness():
    before = sample(brightness=0.4)
    after = inserted(before, [at((0.5, 0.5))], bank())
    added = after.image - before.image
    assert added.max() == pytest.approx((0.01 - 0.01 * 0.4) * 12, rel=0.03)
    assert added.sum() * 0.49 == pytest.approx(0.006 * 4 / 3 * np.pi * 6**3, rel=0.04)
    assert not added[~after.truth].any()  # no shadow lies beside the truth
    (nodule,) = after.nodules
    assert nodule.is_synthetic
    assert after.is_synthetic
    assert nodule.centre_px == pytest.approx((80, 85), abs=1)
    np.testing.assert_array_equal(before.truth, False)  # the sample that came in is as it was


def test_brighter_surroundings_show_less():
    dark, bright = (inserted(sample(brightness=b), [at((0.5, 0.5))], bank()).image.max() - b for b in (0.2, 0.6))
    assert dark == pytest.approx(2 * bright, rel=0.01)


def test_consensus_truth_is_the_shadow_alone():
    after = {truth: inserted(sample(), [at((0.5, 0.5))], bank(), truth) for truth in ("union", "consensus")}
    assert after["consensus"].truth.sum() < after["union"].truth.sum()
    assert (after["union"].truth | ~after["consensus"].truth).all()
    assert after["consensus"].truth.sum() * 0.49 == pytest.approx(np.pi * 6**2, rel=0.1)


def test_it_keeps_off_lesions_edges_and_air():
    lesion = sample()
    lesion.truth[disc(lesion.truth.shape, (80, 85), 5)] = True
    assert inserted(lesion, [at((0.5, 0.5))], bank()) is lesion
    assert inserted(lesion, [at((0.5, 0.5), (0.2, 0.2))], bank()).nodules[0].centre_px == pytest.approx((32, 34), abs=1)
    assert inserted(sample(), [at((0.0, 0.5), (0.5, 1.0))], bank()).nodules == ()
    assert inserted(sample(brightness=0.0), [at((0.5, 0.5))], bank()).nodules == ()
    assert inserted(sample(brightness=0.95), [at((0.5, 0.5))], bank()).nodules == ()


def test_lesions_that_are_hard_to_see_weigh_less():
    grain = np.random.default_rng(0).normal(0, 0.03, (160, 170)).astype(np.float32)
    plain = replace(sample(), image=sample().image + grain)
    (nodule,) = inserted(plain, [at((0.5, 0.5))], bank()).nodules
    assert nodule.contrast == pytest.approx(0.006 * 8 / 0.03, rel=0.15)  # a ball's mean chord is 4/3 of its radius
    after = inserted(plain, [at((0.5, 0.5))], bank(), "union", 0.2)
    np.testing.assert_allclose(after.weight[after.truth], 0.2 + 0.8 * nodule.visibility)
    assert (after.weight[~after.truth] == 1).all()


def test_draws_follow_the_configuration_and_can_be_replayed():
    shapes = bank(ball(6, readers=4), ball(1.5, readers=4), ball(6, readers=2), ball(7, readers=3))
    config = InsertionConfig(share=0.5, most=3)
    drawn = [draw_insertions(np.random.default_rng(seed), shapes, config, "LIDC-IDRI-0003") for seed in range(300)]
    again = [draw_insertions(np.random.default_rng(seed), shapes, config, "LIDC-IDRI-0003") for seed in range(300)]
    assert drawn == again
    counts = np.bincount([len(one) for one in drawn], minlength=4)
    assert counts[0] == pytest.approx(150, abs=30)
    assert (counts[1:] > 25).all()
    assert {one.nodule for many in drawn for one in many} == {0, 3}
    places = np.array([one.places for many in drawn for one in many]).reshape(-1, 2)
    assert (places >= 0.3).all()
    assert (places <= 0.7).all()
    assert draw_insertions(np.random.default_rng(0), shapes, InsertionConfig(), "") == ()


def test_a_picture_never_gets_a_nodule_of_its_own_patient():
    shapes = bank(ball(), replace(ball(), patient="LIDC-IDRI-0003"))
    config = InsertionConfig(share=1, most=2)
    for patient, others in (("LIDC-IDRI-0002", {1}), ("LIDC-IDRI-0003", {0}), ("LIDC-IDRI-0004", {0, 1})):
        drawn = [draw_insertions(np.random.default_rng(seed), shapes, config, patient) for seed in range(40)]
        assert {one.nodule for many in drawn for one in many} == others
    assert draw_insertions(np.random.default_rng(0), bank(), config, "LIDC-IDRI-0002") == ()


@pytest.mark.parametrize("patient", ["LIDC-IDRI-0005", "LIDC-IDRI-0006", "LIDC-IDRI-0001"])
def test_no_shape_of_anybody_who_is_not_for_training(patient, tmp_path):
    with pytest.raises(InputError, match=patient):
        require_training(["LIDC-IDRI-0002", patient])
    with pytest.raises(InputError, match=patient):
        build_bank(write_xrays(tmp_path, [chest(patient)], {"train": [patient]}))


def test_only_misplaced_pictures_give_no_shapes(tmp_path, monkeypatch):
    """As in training: a remark that changes neither picture nor truth keeps nobody out."""
    drawn = [
        replace(chest(patient), odd=odd)
        for patient, odd in zip(TRAINING, ((UPSIDE_DOWN,), ("the CT ends within the lung",), ()), strict=True)
    ]
    seen = []

    def measured(case, *_):
        seen.append(case.patient)
        rows = [Measured(0.1 * n, float(n), 0.3 + 0.01 * n * n) for n in range(1, 11)]
        return nodule_bank._Found([], rows, [(0.5, 0.5)])

    monkeypatch.setattr(nodule_bank, "_of_case", measured)
    monkeypatch.setattr(nodule_bank, "reads_by_patient", dict)
    build_bank(write_xrays(tmp_path, drawn))
    assert seen == [*TRAINING[1:]]


def test_a_real_shape_has_its_nodules_volume():
    read = lidc_read("LIDC-IDRI-0003")
    for nodule in lidc_nodules(read):
        shape = shape_of(Outlined.of(nodule, read), "LIDC-IDRI-0003", 0.7)
        volume_mm3 = nodule.measured(read.relative_grid(nodule.outlines)).volume_mm3
        assert shape.thickness_mm.sum() * 0.7**2 == pytest.approx(volume_mm3, rel=0.03)
        assert shape.thickness_mm[shape.extent].sum() > 0.9 * shape.thickness_mm.sum()


def test_the_gain_is_found_again():
    rng = np.random.default_rng(1)
    thickness, brightness = rng.uniform(2, 15, 400), rng.uniform(0.1, 0.6, 400)
    contrast = (0.011 - 0.015 * brightness) * thickness + rng.normal(0, 0.02, 400)
    gain = fit_gain([Measured(*one) for one in zip(contrast, thickness, brightness, strict=True)])
    assert gain.in_dark == pytest.approx(0.011, abs=0.001)
    assert gain.scatter == pytest.approx(0.02, rel=0.1)
    assert gain.at(0.9) == 0
    with pytest.raises(TrainError, match="too few"):
        fit_gain([Measured(0.1, 2.0, 0.3)])


def test_places_are_where_lesions_were():
    places = place_map([(0.25, 0.25)] * 3 + [(0.75, 0.75)])
    assert places.sum() == pytest.approx(1)
    half = places.shape[0] // 2
    assert places[:half, :half].sum() == pytest.approx(0.75, abs=0.01)


def test_a_plane_is_no_noise():
    rows, columns = np.indices((30, 44))
    grain = np.random.default_rng(0).normal(size=(30, 44)).astype(np.float32)
    assert np.abs(without_plane((rows * 2 - columns / 3).astype(np.float32))).max() < 1e-3
    assert without_plane((grain + rows - columns).astype(np.float32)).std() == pytest.approx(grain.std(), rel=0.01)


def test_a_bank_travels_in_the_pack(tmp_path):
    one = bank(ball(), ball(3, readers=2))
    write_pack(tmp_path / "a.npz", XrayPack({"train": []}, bank=one))
    back = read_pack(tmp_path / "a.npz").bank
    assert back.gain == one.gain
    for was, now in zip(one.nodules, back.nodules, strict=True):
        np.testing.assert_array_equal(was.thickness_mm, now.thickness_mm, strict=True)
        np.testing.assert_array_equal(was.extent, now.extent, strict=True)
        assert (was.patient, was.size_mm) == (now.patient, now.size_mm)
    assert back.pixel_mm == 0.5


def test_it_is_fast_enough_to_do_on_the_way():
    shapes, seconds = bank(ball(10)), []
    for seed in range(20):
        drawn = draw_insertions(np.random.default_rng(seed), shapes, InsertionConfig(share=1, most=1), "")
        start = time.process_time()
        inserted(sample((480, 512)), drawn, shapes)
        seconds.append(time.process_time() - start)
    assert np.median(seconds) < 0.005
