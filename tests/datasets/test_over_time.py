"""Pairs over time: what a changed lesion is, in which shares lesions change, and how the earlier picture was taken."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core import ChangeKind, ConfigError, GeometryError
from hilum.datasets.insertion import BankNodule, Gain, NoduleBank
from hilum.datasets.odd import UPSIDE_DOWN
from hilum.datasets.over_time import Change, Shadow, as_before, labelled, with_inserted
from hilum.datasets.over_time_config import (
    ChangeShares,
    EarlierPoseConfig,
    EarlierToneConfig,
    LesionChangeConfig,
)
from hilum.datasets.over_time_plan import plan, unchanged_of, wanted_counts
from hilum.datasets.over_time_survey import Fit, Lesion, Survey, fit
from hilum.datasets.over_time_view import (
    EarlierView,
    breathing,
    draw_view,
    grain,
    labels_before,
    places_before,
    seen_before,
)
from hilum.datasets.prepared import CaseSource
from tests.xrays import disc

STILL = EarlierPoseConfig(rotate_deg=0, scale=0, shift_mm=0, breathing_mm=0, elastic_mm=0)
PLAIN = EarlierToneConfig(gamma=0, brightness=0, contrast=0, equalised=0, blur_mm=0, noise=0)


def ball(radius_px=8.0, half=20):
    """Chords of a ball, in pixels of 1 mm."""
    rows, columns = np.indices((2 * half + 1, 2 * half + 1)) - half
    away = np.hypot(rows, columns)
    chords = 2 * np.sqrt(np.maximum(radius_px**2 - away**2, 0))
    return Shadow(chords.astype(np.float32), away <= radius_px)


def change(kind, now, before, *, is_synthetic=False, corner=(10, 15)):
    return Change(kind, corner, 0.01, now, before, is_synthetic)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 2.0])
def test_a_ball_grows_in_all_three_directions(factor):
    lesion = ball()
    grown = lesion.scaled(factor)
    assert grown.thickness_mm.sum() == pytest.approx(lesion.thickness_mm.sum() * factor**3, rel=0.03)
    assert grown.extent.sum() == pytest.approx(lesion.extent.sum() * factor**2, abs=1)
    assert grown.thickness_mm.max() == pytest.approx(16 * factor, rel=0.05)
    assert np.argwhere(grown.extent).mean(axis=0) == pytest.approx([20, 20], abs=0.5)


def test_as_large_as_it_was_is_the_same():
    assert ball().scaled(1.0).extent.sum() == ball().extent.sum()
    assert not Shadow.nothing((5, 6)).scaled(2.0).extent.any()


def test_the_smallest_lesion_keeps_a_pixel():
    tiny = Shadow(np.pad(np.ones((1, 1), np.float32), 3), np.pad(np.ones((1, 1), bool), 3))
    assert tiny.scaled(0.5).extent.sum() == 1


def test_what_is_there_now_is_published_and_what_was_there_before_is_the_difference():
    published = np.full((80, 90), 0.4, np.float32)
    lesion, smaller = ball(), ball().scaled(0.6)
    real = change(ChangeKind.GROWN, lesion, smaller)
    published[real.window] += 0.01 * lesion.thickness_mm
    assert with_inserted(published, [real]) == pytest.approx(published)
    before = as_before(published, [real])
    assert before[real.window] == pytest.approx(0.4 + 0.01 * smaller.thickness_mm, abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "now", "before"),
    [(ChangeKind.GONE, False, True), (ChangeKind.NEW, True, False), (ChangeKind.UNCHANGED, True, True)],
)
def test_what_is_inserted_is_there_when_it_is_said_to_be(kind, now, before):
    published, none = np.full((80, 90), 0.4, np.float32), Shadow.nothing((41, 41))
    one = change(kind, ball() if now else none, ball() if before else none, is_synthetic=True)
    for picture, there in ((with_inserted(published, [one]), now), (as_before(published, [one]), before)):
        assert (picture.max() > 0.5) == there
    assert labelled([one], (80, 90), before=False).any() == now
    assert labelled([one], (80, 90), before=True).any() == before


def test_more_lesions_than_a_label_image_holds_are_refused():
    one = change(ChangeKind.UNCHANGED, ball(), ball())
    with pytest.raises(GeometryError, match="at most 255"):
        labelled([one] * 256, (80, 90), before=False)


@given(st.floats(0.002, 0.03), st.floats(-0.004, 0.004), st.floats(-0.004, 0.004))
def test_what_a_mm_adds_is_found_on_any_slope(per_mm, down, right):
    lesion = np.zeros((80, 80), bool)
    thickness = np.zeros((80, 80))
    lesion[20:61, 20:61], thickness[20:61, 20:61] = ball().extent, ball().thickness_mm
    rows, columns = np.indices((80, 80))
    noise = np.random.default_rng(0).normal(0, 0.005, (80, 80))
    picture = 0.5 + down * (rows - 40) + right * (columns - 40) + per_mm * thickness + noise
    found = fit(picture, thickness, lesion, np.zeros_like(lesion), (1.0, 1.0))
    assert found.per_mm == pytest.approx(per_mm, abs=0.0005)
    assert found.contrast == pytest.approx(per_mm * thickness[thickness > 8].mean() / 0.005, rel=0.25)
    assert found.likeness > 0.8


def test_a_lesion_darker_than_its_surroundings_adds_nothing():
    lesion = np.pad(ball().extent, 20)
    thickness = np.pad(ball().thickness_mm, 20).astype(float)
    assert fit(0.8 - 0.01 * thickness, thickness, lesion, np.zeros_like(lesion), (1.0, 1.0)) == Fit()


def lesion(contrast, *, has_room=True, size_mm=16.0):
    return Lesion((10, 10), ball(), Fit(0.01, contrast, 0.6) if contrast else Fit(), has_room, size_mm)


def surveys(changeable, fixed, pictures=40, empty=10):
    every = [lesion(2.0)] * changeable + [lesion(0.0)] * fixed
    parts = [every[number::pictures] for number in range(pictures)] + [[]] * empty
    return [Survey(CaseSource(f"k{number}", "LIDC-IDRI-0002", Path("t")), part) for number, part in enumerate(parts)]


def bank():
    shape = BankNodule("LIDC-IDRI-0003", "1", 4, 12.0, ball().thickness_mm, ball().extent, ball().extent)
    return NoduleBank([shape], 0.7, Gain(0.01, -0.01, 0.06, 0.3, 99), np.ones((4, 4)) / 16)


@given(st.integers(0, 300), st.integers(0, 300))
def test_every_kind_has_its_share(changeable, fixed):
    counts = wanted_counts(changeable + fixed, changeable, LesionChangeConfig())
    total = sum(counts.values())
    for kind, share in ChangeShares().plain().items():
        assert counts[ChangeKind(kind)] == pytest.approx(share * total, abs=2.5)
    assert counts[ChangeKind.UNCHANGED] >= fixed
    of_real, of_inserted = unchanged_of(counts, changeable + fixed, changeable)
    assert of_real + of_inserted + fixed == counts[ChangeKind.UNCHANGED]
    assert of_real >= 0.15 * changeable
    assert of_inserted >= 0.15 * (total - changeable - fixed)
    assert total - counts[ChangeKind.GONE] >= changeable + fixed - 1


@pytest.mark.parametrize(("changeable", "fixed"), [(100, 100), (150, 20), (30, 60)])
def test_the_plan_has_the_counts_and_never_touches_what_cannot_be_seen(changeable, fixed):
    pictures = surveys(changeable, fixed)
    plans = plan(pictures, bank(), LesionChangeConfig(), np.random.default_rng(0))
    kinds = [one.kind for each in plans for one in each.real] + [
        one.change.kind for each in plans for one in each.inserted
    ]
    wanted = wanted_counts(changeable + fixed, changeable, LesionChangeConfig())
    assert {kind: kinds.count(kind) for kind in ChangeKind} == wanted
    planned = [one for each in plans for one in each.real if one.can_change]
    inserted = [one.change for each in plans for one in each.inserted]
    for some in (planned, inserted):
        assert sum(one.kind is ChangeKind.UNCHANGED for one in some) >= 0.15 * len(some)
    for picture, each in zip(pictures, plans, strict=True):
        for found, planned in zip(picture.lesions, each.real, strict=True):
            assert planned.kind is not ChangeKind.GONE
            assert found.fit.contrast > 0 or planned.kind is ChangeKind.UNCHANGED
            assert planned.can_change == (found.fit.contrast > 0)
    assert sum(not each.inserted for each in plans[-10:]) >= 5


def test_factors_lie_within_growth_and_nothing_was_smaller_than_3_mm():
    small = [Survey(CaseSource(f"k{n}", "LIDC-IDRI-0002", Path("t")), [lesion(2.0, size_mm=4.5)]) for n in range(60)]
    for each in plan(small, bank(), LesionChangeConfig(), np.random.default_rng(1)):
        for one in each.real:
            if one.kind is ChangeKind.GROWN:
                assert 1.25 <= one.factor <= 1.5
            elif one.kind is ChangeKind.SHRUNK:
                assert 1.25 <= one.factor <= 2
            else:
                assert one.factor == 1


@pytest.mark.parametrize(("odd", "gets"), [(UPSIDE_DOWN, False), ("the CT ends within the lung", True)])
def test_only_misplaced_pictures_get_nothing(odd, gets):
    pictures = [replace(one, case=replace(one.case, odd=(odd,))) for one in surveys(40, 10)]
    plans = plan(pictures, bank(), LesionChangeConfig(), np.random.default_rng(0))
    assert any(each.inserted for each in plans) == gets


def test_shares_that_are_not_whole_are_refused():
    with pytest.raises(ConfigError, match="1 together"):
        ChangeShares(unchanged=0.6)
    with pytest.raises(ConfigError, match="below the share of unchanged"):
        LesionChangeConfig(least_unchanged=0.5)


def picture(shape=(100, 110)):
    rows, columns = np.indices(shape)
    return (0.3 + 0.2 * np.sin(rows / 9) * np.cos(columns / 7)).astype(np.float32)


def test_the_same_pose_and_tone_is_the_same_picture():
    view = draw_view(np.random.default_rng(0), STILL, PLAIN)
    places = places_before(view, (100, 110), 0.7)
    assert seen_before(picture(), view, places, 0.7) == pytest.approx(picture(), abs=1e-5)


def test_a_view_is_drawn_once_and_stays_within_bounds():
    pose, tone = EarlierPoseConfig(), EarlierToneConfig()
    for seed in range(50):
        one, again = (draw_view(np.random.default_rng(seed), pose, tone).figures() for _ in range(2))
        assert one == again
        assert abs(one["angle_deg"]) <= 3
        assert max(abs(one["down_mm"]), abs(one["right_mm"])) <= 10
        assert abs(one["breathing_mm"]) <= 15
        assert 1 / 1.03 <= one["scale"] <= 1.03


def test_breathing_moves_the_diaphragm_most_and_never_folds():
    down = np.linspace(0, 1, 400, dtype=np.float32)
    share = breathing(down, np.full_like(down, 0.3))
    assert share[0] == 0
    assert share[-1] == pytest.approx(1, abs=0.01)
    assert (np.diff(share) >= 0).all()
    assert 15 * np.diff(share).max() < 0.9 * 350 * np.diff(down)[0]  # 15 mm on a picture 350 mm high
    assert breathing(np.float32([0.9]), np.float32([0.5]))[0] == pytest.approx(0.5, abs=0.01)


def test_a_deeper_breath_shows_the_diaphragm_lower():
    edge = np.zeros((300, 100), np.float32)
    edge[200:] = 1
    view = EarlierView(breathing_mm=15.0)
    seen = seen_before(edge, view, places_before(view, (300, 100), 1.0), 1.0)
    assert np.flatnonzero(seen[:, 30] > 0.5)[0] > 205


def test_lesions_go_where_the_picture_goes():
    labels = disc((200, 210), (90, 80), 9).astype(np.uint8) * 3
    view = replace(draw_view(np.random.default_rng(5), EarlierPoseConfig(), PLAIN), breathing_mm=12.0)
    places = places_before(view, (200, 210), 1.0)
    seen = seen_before((labels / 3).astype(np.float32), view, places, 1.0)
    moved = labels_before(labels, places)
    assert set(np.unique(moved)) == {0, 3}
    assert np.mean((seen > 0.5) == (moved > 0)) > 0.998
    assert np.hypot(*(np.argwhere(moved).mean(axis=0) - (90, 80))) > 1


def test_grain_is_as_coarse_as_it_says():
    def neighbours(grain_mm):
        noise = grain(EarlierView(noise=0.1, grain_mm=grain_mm), (128, 128), 0.7)
        assert noise.std() == pytest.approx(1, abs=1e-3)
        return np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]

    assert abs(neighbours(0.0)) < 0.05
    # of a Gaussian of sigma s px, neighbours correlate by exp(-1 / (4 s²))
    assert neighbours(1.4) == pytest.approx(np.exp(-1 / 16), abs=0.03)
