"""Nobody learns from what is judged: copies and near-copies, splits and folds."""

from itertools import product

import numpy as np
import pytest

from hilum.core import InputError
from hilum.datasets.class_split import SHARES, SPLITS, FilmFacts, seeded_units, sort_films
from hilum.datasets.film_hash import Twins
from hilum.datasets.stored_folds import StoredFolds, folds_by_patient, spread


def film(key, split="train", label="covid", *, outlined=True, patient=None):
    return FilmFacts(key, split, label, outlined, patient or key)


def test_nothing_that_is_used_is_near_anything_in_another_split():
    rng = np.random.default_rng(0)
    films = [film(f"f{number:02}", SPLITS[rng.integers(3)]) for number in range(40)]
    split_of = {one.key: one.split for one in films}
    keys = sorted(split_of)
    pairs = [Twins(a, b, int(rng.integers(-1, 20))) for a, b in product(keys, keys) if a < b and rng.random() < 0.04]
    found = sort_films(films, pairs)
    for pair in pairs:
        if pair.first in found.unit_of and pair.second in found.unit_of:
            assert not pair.is_exact
            assert split_of[pair.first] == split_of[pair.second]
            assert found.unit_of[pair.first] == found.unit_of[pair.second]
    gone = [key for listed in found.left_out.values() for key in listed]
    assert sorted([*gone, *found.unit_of]) == keys


def test_a_film_that_is_gone_takes_nobody_with_it():
    films = [film("a", "train"), film("b", "validation"), film("c", "test")]
    found = sort_films(films, [Twins("a", "b", 5), Twins("b", "c", 5)])
    assert found.left_out == {"nearly the same picture is in test": ["b"]}
    assert set(found.unit_of) == {"a", "c"}


def test_without_a_split_near_copies_only_bind_patients():
    films = [film("a", "", patient="p"), film("b", "", patient="q"), film("c", "", patient="q"), film("d", "")]
    found = sort_films(films, [Twins("a", "b", 5)])
    assert found.left_out == {}
    assert found.unit_of == {"a": "p", "b": "p", "c": "p", "d": "d"}


def test_a_seeded_split_has_its_shares_of_each_stratum():
    strata = {f"u{number}": "covid" if number % 4 else "healthy" for number in range(400)}
    found = seeded_units(strata, seed=1)
    for split, share in zip(SPLITS, SHARES, strict=True):
        for stratum, size in (("covid", 300), ("healthy", 100)):
            assert sum(strata[unit] == stratum for unit in found[split]) == pytest.approx(share * size, abs=1)
    assert sorted(unit for units in found.values() for unit in units) == sorted(strata)


def test_folds_are_even_stratum_by_stratum_and_hold_everybody_once():
    strata = {f"p{number}": "abc"[number % 3] for number in range(39)}
    folds = folds_by_patient(strata, seed=5)
    assert sorted(one for fold in folds.folds for one in fold) == sorted(strata)
    for stratum in "abc":
        counts = [sum(strata[one] == stratum for one in fold) for fold in folds.folds]
        assert max(counts) - min(counts) <= 1
    assert StoredFolds.of_record(folds.record()) == folds
    assert folds.patients(2, held_out=True) | folds.patients(2, held_out=False) == set(strata)
    assert not folds.patients(2, held_out=True) & folds.patients(2, held_out=False)
    with pytest.raises(InputError, match="folds 1 to 5"):
        folds.patients(6, held_out=True)


def test_members_go_where_their_unit_goes():
    folds = folds_by_patient({"u": "a", "v": "a"}, seed=0, count=2)
    members = spread(folds, {"u": ["x", "w"], "v": ["y"]})
    assert sorted(members.folds) == [("w", "x"), ("y",)]
