"""Nodules of several dates: the best pairs by trying all, what becomes of the others, and a person's word."""

from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core import InputError, Nodule
from hilum.followup.ct_likeness import best_pairs, diameter_mm, likeness
from hilum.followup.ct_matching import match_nodules
from hilum.followup.ct_tracks import DatedNodules, Fate, MatchConfig, NoduleKey, Override, tracking_uid

BALL = np.pi / 6


@dataclass(frozen=True)
class Shift:
    """A registration that shifts, and two CTs that show what lies between heights."""

    way: tuple[float, float, float] = (0.0, 0.0, 0.0)
    error: float = 1.0
    prior_z: tuple[float, float] = (-500.0, 500.0)
    current_z: tuple[float, float] = (-500.0, 500.0)

    def to_current_mm(self, points):
        return points + np.array(self.way)

    def to_prior_mm(self, points):
        return points - np.array(self.way)

    def error_mm(self, points):
        return np.full(np.shape(points)[:-1], self.error)

    def shown_on_current(self, points):
        return (points[..., 2] > self.current_z[0]) & (points[..., 2] < self.current_z[1])

    def shown_on_prior(self, points):
        return (points[..., 2] > self.prior_z[0]) & (points[..., 2] < self.prior_z[1])


def nodule(name, place, diameter=8.0, texture=5.0):
    return Nodule(name, tuple(map(float, place)), volume_mm3=BALL * diameter**3, texture=texture)


def dated(*lists):
    return [DatedNodules(f"1.2.{number}", tuple(nodules)) for number, nodules in enumerate(lists)]


def matched(lists, maps=None, **more):
    return match_nodules(dated(*lists), maps or {(n, n + 1): Shift() for n in range(len(lists) - 1)}, **more)


def fates(found):
    return [(one.fate, one.prior and one.prior.nodule, one.current and one.current.nodule) for one in found.decisions]


def least_by_trying_all(cost):
    """The least sum over all sets of pairs, ½ for each row and column left out."""
    rows, columns = cost.shape
    best = np.inf
    for order in permutations([*range(columns), *[None] * rows], rows):
        pairs = [(row, column) for row, column in enumerate(order) if column is not None]
        best = min(best, sum(cost[pair] for pair in pairs) + 0.5 * (rows + columns - 2 * len(pairs)))
    return best


@given(st.integers(0, 3), st.integers(0, 4), st.integers(0, 10**6))
def test_the_best_pairs_are_those_of_trying_all(rows, columns, seed):
    rng = np.random.default_rng(seed)
    cost = rng.uniform(0, 1.6, (rows, columns))
    cost[rng.random(cost.shape) < 0.2] = np.inf
    pairs = best_pairs(cost)
    total = sum(cost[pair] for pair in pairs) + 0.5 * (rows + columns - 2 * len(pairs))
    assert total == pytest.approx(least_by_trying_all(cost))
    assert all(cost[pair] <= 1 for pair in pairs)
    assert all(len({pair[side] for pair in pairs}) == len(pairs) for side in (0, 1))


def test_nearest_first_would_be_wrong_and_is_not_done():
    """b lies nearest to 1, but then a has no partner."""
    one, two = nodule("1", (0, 0, 0)), nodule("2", (6, 0, 0))
    later = [nodule("a", (-3, 0, 0)), nodule("b", (2.5, 0, 0))]
    assert fates(matched(([one, two], later))) == [(Fate.MATCHED, "1", "a"), (Fate.MATCHED, "2", "b")]


def test_matched_new_and_gone_each_with_its_reason():
    found = matched(
        ([nodule("1", (0, 0, 0)), nodule("2", (80, 0, 0))], [nodule("a", (1, 2, 2)), nodule("b", (0, 60, 0))])
    )
    assert fates(found) == [(Fate.MATCHED, "1", "a"), (Fate.GONE, "2", None), (Fate.NEW, None, "b")]
    same, gone, new = found.decisions
    assert "3.0 mm from where it is expected" in same.reason
    assert "nodule b" in same.reason
    assert same.rival == NoduleKey("1.2.1", "b")
    assert "too far" in gone.reason
    assert "too far" in new.reason
    assert not any(one.doubtful for one in found.decisions)


def test_the_registration_says_where_a_nodule_is_expected():
    lists = [nodule("1", (0, 0, 0))], [nodule("a", (30, 0, 0))]
    assert [one for one, _, _ in fates(matched(lists))] == [Fate.GONE, Fate.NEW]
    assert fates(matched(lists, {(0, 1): Shift((29, 0, 0))})) == [(Fate.MATCHED, "1", "a")]


@pytest.mark.parametrize("change", [{"diameter": 40.0}, {"diameter": 2.0}])
def test_another_size_at_the_same_place_is_another_nodule(change):
    assert [one for one, _, _ in fates(matched(([nodule("1", (0, 0, 0))], [nodule("a", (0, 0, 0), **change)])))] == [
        Fate.GONE,
        Fate.NEW,
    ]


def test_texture_decides_between_equal_ones():
    later = [nodule("solid", (3, 0, 0), texture=5.0), nodule("glass", (-3, 0, 0), texture=1.0)]
    assert fates(matched(([nodule("1", (0, 0, 0), texture=1.0)], later)))[0] == (Fate.MATCHED, "1", "glass")


def test_what_the_other_ct_does_not_show_is_neither_new_nor_gone():
    low, high = nodule("low", (0, 0, -90)), nodule("high", (0, 0, 90))
    maps = {(0, 1): Shift(prior_z=(-100, 50), current_z=(-50, 100))}
    assert fates(matched(([low], [high]), maps)) == [(Fate.NOT_COVERED, "low", None), (Fate.NOT_COVERED, None, "high")]
    edge = nodule("edge", (0, 0, 49.5))
    assert fates(matched(([], [edge]), maps)) == [(Fate.NOT_COVERED, None, "edge")]
    assert fates(matched(([], [replace(edge, centre_lps_mm=(0.0, 0.0, 40.0))]), maps)) == [(Fate.NEW, None, "edge")]


def test_not_covered_says_which_study_does_not_show_the_place():
    low, high = nodule("low", (0, 0, -90)), nodule("high", (0, 0, 90))
    maps = {(0, 1): Shift(prior_z=(-100, 50), current_z=(-50, 100))}
    gone, new = (one.reason for one in matched(([low], [high]), maps).decisions)
    assert gone.startswith("study 2 doesn't show its place, or")
    assert new.startswith("no earlier study shows its place, or")


def test_two_that_grow_together_are_merged_and_one_that_falls_apart_is_split():
    parts = [nodule("1", (0, 0, 0), 12.0), nodule("2", (9, 0, 0), 8.0)]
    whole = nodule("whole", (3, 0, 0), 15.0)
    merged = matched((parts, [whole]))
    assert fates(merged) == [(Fate.MATCHED, "1", "whole"), (Fate.MERGED, "2", "whole")]
    assert merged.tracks[1].merged_into == merged.tracks[0].uid
    split = matched(([whole], parts))
    assert fates(split) == [(Fate.MATCHED, "whole", "1"), (Fate.SPLIT, "whole", "2")]
    assert split.tracks[1].split_from == split.tracks[0].uid


def test_a_small_one_that_vanishes_beside_a_large_one_is_gone():
    found = matched(([nodule("mass", (0, 0, 0), 20.0), nodule("2", (14, 0, 0), 6.0)], [nodule("a", (0, 0, 0), 20.0)]))
    assert fates(found) == [(Fate.MATCHED, "mass", "a"), (Fate.GONE, "2", None)]


def test_a_nodule_keeps_its_id_over_dates_also_when_missed_at_one():
    lists = [nodule("x", (0, 0, 0))], [], [nodule("y", (1, 0, 20))], [nodule("z", (2, 0, 20))]
    maps = {(0, 1): Shift((0, 0, 10)), (1, 2): Shift((0, 0, 10)), (2, 3): Shift()}
    found = matched(lists, maps)
    (track,) = found.tracks
    assert dict(track.nodules) == {"1.2.0": "x", "1.2.2": "y", "1.2.3": "z"}
    assert track.uid == tracking_uid(NoduleKey("1.2.0", "x"))
    assert track.uid.startswith("2.25.")
    assert len(track.uid) <= 64
    earlier = matched(lists[:3], {key: maps[key] for key in ((0, 1), (1, 2))})
    assert earlier.tracks[0].uid == track.uid
    assert found.of(NoduleKey("1.2.2", "y")) is track


def test_a_direct_registration_is_used_in_place_of_a_chain():
    lists = [nodule("x", (0, 0, 0))], [], [nodule("y", (0, 0, 0))]
    chain = {(0, 1): Shift((30, 0, 0)), (1, 2): Shift((30, 0, 0))}
    assert len(matched(lists, chain).tracks) == 2
    assert len(matched(lists, {**chain, (0, 2): Shift()}).tracks) == 1


def test_a_persons_word_wins():
    lists = [nodule("1", (0, 0, 0)), nodule("2", (50, 0, 0))], [nodule("a", (0, 0, 0)), nodule("b", (0, 0, 70))]
    one, a, b = NoduleKey("1.2.0", "1"), NoduleKey("1.2.1", "a"), NoduleKey("1.2.1", "b")
    together = matched(lists, overrides=[Override(one, b, together=True)])
    assert fates(together) == [(Fate.MATCHED, "1", "b"), (Fate.GONE, "2", None), (Fate.NEW, None, "a")]
    assert together.decisions[0].by_hand
    assert "set by hand" in together.decisions[0].reason
    apart = matched(lists, overrides=[Override(a, one, together=False)])
    assert [fate for fate, _, _ in fates(apart)] == [Fate.GONE, Fate.GONE, Fate.NEW, Fate.NEW]
    assert "set by hand" in apart.decisions[0].reason


def test_corrections_that_contradict_or_name_nobody_are_refused():
    lists = [nodule("1", (0, 0, 0)), nodule("2", (50, 0, 0))], [nodule("a", (0, 0, 0))]
    one, two, a = NoduleKey("1.2.0", "1"), NoduleKey("1.2.0", "2"), NoduleKey("1.2.1", "a")
    with pytest.raises(InputError, match="both put together and kept apart"):
        matched(lists, overrides=[Override(one, a, together=True), Override(a, one, together=False)])
    with pytest.raises(InputError, match="by way of other dates"):
        matched(lists, overrides=[Override(one, a, together=True), Override(two, a, together=True)])
    with pytest.raises(InputError, match="two nodules of one date"):
        matched(lists, overrides=[Override(one, two, together=True)])
    with pytest.raises(InputError, match="not there"):
        matched(lists, overrides=[Override(one, NoduleKey("1.2.1", "z"), together=True)])


def test_dates_and_nodules_that_cannot_be_matched_are_refused():
    with pytest.raises(InputError, match="at least two dates"):
        match_nodules(dated([]), {})
    with pytest.raises(InputError, match="registration of dates 0 and 1"):
        match_nodules(dated([], []), {})
    with pytest.raises(InputError, match="the same study"):
        match_nodules([DatedNodules("1", ()), DatedNodules("1", ())], {(0, 1): Shift()})
    with pytest.raises(InputError, match="without a centre"):
        DatedNodules("1", (Nodule("lost"),))
    with pytest.raises(InputError, match="one id"):
        DatedNodules("1", (nodule("1", (0, 0, 0)), nodule("1", (9, 0, 0))))


def test_what_is_unknown_parts_nobody():
    config = MatchConfig()
    bare = Nodule("1", (0.0, 0.0, 0.0))
    found = likeness(bare, np.zeros(3), 1.0, nodule("a", (0, 0, 0)), config)
    assert np.isnan(diameter_mm(bare))
    assert np.isnan(found.size_ratio)
    assert np.isnan(found.texture_change)
    assert found.unlikeness == 0


@given(st.integers(0, 10**6))
def test_every_nodule_is_on_one_track_and_tells_its_fate(seed):
    rng = np.random.default_rng(seed)
    lists = [
        [nodule(str(n), rng.uniform(-30, 30, 3), rng.uniform(4, 20), float(rng.integers(1, 6))) for n in range(count)]
        for count in rng.integers(0, 6, 3)
    ]
    found = matched(lists)
    for number, nodules in enumerate(lists):
        for one in nodules:
            key = NoduleKey(f"1.2.{number}", one.id)
            assert sum(track.nodules.get(key.study) == one.id for track in found.tracks) == 1
            if number:
                assert sum(d.current == key and d.fate is not Fate.MERGED for d in found.decisions) == 1
    assert len({track.uid for track in found.tracks}) == len(found.tracks)


@pytest.mark.parametrize("residual_mm", [0.5, 3.0])
def test_drawn_nodules_with_jitter_additions_and_removals_are_matched_rightly(residual_mm):
    """Counted against the truth that was drawn: at least 97 % right, at most 1 % wrong of 600 nodules."""
    rng = np.random.default_rng(4)
    right = wrong = both = 0
    for _ in range(60):
        places, sizes = rng.uniform(-110, 110, (10, 3)), rng.uniform(4, 20, 10)
        kept, jitter = rng.random(10) > 0.1, rng.normal(0, 1, (10, 3)) + rng.normal(0, residual_mm / 1.6, (10, 3))
        later = [nodule(str(n), places[n] + jitter[n], sizes[n] * rng.lognormal(0, 0.15)) for n in np.flatnonzero(kept)]
        later += [nodule(f"new{n}", rng.uniform(-110, 110, 3), rng.uniform(4, 20)) for n in range(2)]
        earlier = [nodule(str(n), place, size) for n, (place, size) in enumerate(zip(places, sizes, strict=True))]
        found = matched((earlier, later), {(0, 1): Shift(error=1.6 * residual_mm)})
        pairs = [(d.prior.nodule, d.current.nodule) for d in found.decisions if d.fate is Fate.MATCHED]
        right += sum(a == b for a, b in pairs)
        wrong += sum(a != b for a, b in pairs)
        both += int(kept.sum())
    assert right / both >= 0.97
    assert wrong / both <= 0.01
