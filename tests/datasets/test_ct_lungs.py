"""Lungs on a CT, and where pieces without a nodule are taken."""

import numpy as np
import pytest

from hilum.core import InputError, UnitError, Volume
from hilum.datasets.ct_lungs import find_lungs, inside
from hilum.datasets.patch_places import (
    Known,
    Marked,
    PieceRule,
    blobs,
    free_places,
    is_free,
    negative_places,
    random_places,
)
from hilum.io import read_mask, read_volume
from hilum.io.installed import sample_ct_path, sample_organs_path
from hilum.ops import resample_to, to_lps_axes
from tests.ct_patches import GRID, chest
from tests.shapes import ellipsoid

NODULE = (-60.0, 10.0, 20.0)
RULE = PieceRule(size=24, random=3, hard=4)


def overlap(one, other):
    """Dice of two masks."""
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.fixture(scope="module")
def seen():
    ct = chest()
    return ct, find_lungs(ct)


def test_lungs_hold_their_nodules_and_vessels(seen):
    ct, lungs = seen
    truth = ellipsoid(GRID, (-60, 0, 0), (50, 75, 95)) | ellipsoid(GRID, (60, 0, 0), (50, 75, 95))
    found = resample_to(lungs, ct.geometry).labels > 0
    assert overlap(found, truth) > 0.9
    assert inside(lungs, np.array([NODULE, (0.0, 0.0, 0.0), (60.0, 0.0, 0.0), (900.0, 0.0, 0.0)])).tolist() == [
        True,
        False,
        True,
        False,
    ]


def test_gas_in_the_stomach_is_no_lung():
    ct = chest()
    ct.array[ellipsoid(GRID, (40, 0, -105), (30, 40, 12))] = -1000
    assert not inside(find_lungs(ct), np.array([(40.0, 0.0, -108.0)])).any()


def test_a_ct_without_lungs_and_one_that_is_none_are_refused():
    solid = np.where(ellipsoid(GRID, (0, 0, 0), (140, 100, 400)), 40, -1000).astype(np.int16)
    with pytest.raises(InputError, match="no lungs"):
        find_lungs(Volume(solid, GRID))
    with pytest.raises(UnitError):
        find_lungs(Volume(np.full(GRID.shape_zyx, 40, np.int16), GRID))


def test_lungs_of_a_real_ct_are_the_published_masks():
    lungs, organs = find_lungs(to_lps_axes(read_volume(sample_ct_path()))), read_mask(sample_organs_path())
    labels = resample_to(organs, lungs.require_geometry()).labels
    assert overlap(lungs.labels > 0, (labels >= 10) & (labels <= 14)) > 0.93


def test_blobs_are_what_is_round_and_dense(seen):
    ct, lungs = seen
    places = blobs(ct, lungs)
    away = np.linalg.norm(places - np.array(NODULE), axis=1)
    assert away.min() < 5
    assert inside(lungs, places).mean() > 0.95


def test_pieces_without_a_nodule_show_none_and_lie_in_the_lungs(seen):
    ct, lungs = seen
    marks = [Marked(NODULE, 10.0), Marked((60.0, 0.0, 0.0), 0.0, is_nodule=False)]
    found = list(negative_places(ct, lungs, Known(marks), RULE, np.random.default_rng(3)))
    assert [kind for kind, _ in found] == ["hard"] * 4 + ["random"] * 3
    places = np.array([place for _, place in found])
    assert inside(lungs, places).all()
    assert (np.abs(places - NODULE).max(axis=1) > RULE.side_mm / 2 + 10).all()
    assert (np.linalg.norm(places - (60.0, 0.0, 0.0), axis=1) >= RULE.apart_mm).all()
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)[np.triu_indices(len(places), 1)]
    assert apart.min() >= RULE.apart_mm
    again = list(negative_places(ct, lungs, Known(marks), RULE, np.random.default_rng(3)))
    assert again == found


def test_listed_candidates_go_before_what_is_found_here(seen):
    ct, lungs = seen
    listed = np.array([(60.0, 30.0, 30.0), (0.0, 0.0, 0.0), NODULE])
    marks = [Marked(NODULE, 10.0)]
    found = list(negative_places(ct, lungs, Known(marks, listed=listed), RULE, np.random.default_rng(0)))
    assert [place for kind, place in found if kind == "hard"] == [(60.0, 30.0, 30.0)]


def test_what_readers_called_no_nodule_goes_first_and_the_rest_is_found_here(seen):
    ct, lungs = seen
    first = np.array([(60.0, 30.0, 30.0), NODULE])
    found = negative_places(ct, lungs, Known([Marked(NODULE, 10.0)], first), RULE, np.random.default_rng(0))
    hard = [place for kind, place in found if kind == "hard"]
    assert hard[0] == (60.0, 30.0, 30.0)
    assert len(hard) == RULE.hard


def test_a_place_is_free_as_soon_as_the_piece_shows_no_part_of_the_nodule():
    mark, rule = Marked((0.0, 0.0, 0.0), 5.0), PieceRule(size=20)
    assert not is_free(np.array((15.9, 0.0, 0.0)), [mark], rule)
    assert is_free(np.array((16.1, 0.0, 0.0)), [mark], rule)
    assert free_places(np.array([(16.1, 0, 0), (17.0, 0, 0), (40.0, 0, 0)]), [mark], (), rule, 9) == [
        (16.1, 0.0, 0.0),
        (40.0, 0.0, 0.0),
    ]


def test_random_places_are_all_over_the_lungs(seen):
    _, lungs = seen
    places = random_places(lungs, np.random.default_rng(1), 5)
    assert inside(lungs, places).mean() > 0.99
    assert 0.35 < (places[:, 0] > 0).mean() < 0.65


def test_a_rule_that_can_not_be_is_refused():
    with pytest.raises(InputError, match="can't be"):
        PieceRule(size=4)
    with pytest.raises(InputError, match="can't be"):
        PieceRule(hard=-1)
