"""Folds joined: each film's prediction comes from a model that has not seen it."""

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from hilum.datasets.bit_masks import read_layout
from hilum.datasets.prepared import read_prepared
from hilum.io.json_file import write_json
from hilum.workflows.prepare_cxr_masks import MaskOptions, prepare_cxr_masks
from tests.classes import bit_films


@pytest.fixture(scope="module")
def films():
    sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
    yield import_module("xray_classes")
    sys.path.pop()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    prepare_cxr_masks(bit_films(folder / "src"), folder / "data", MaskOptions(read_layout("cxr-infection")))
    return folder / "data"


def said(folder, data, fold, kept_out):
    """What a model that kept out one fold says of another's films."""
    prepared = read_prepared(data)
    own = set(prepared.parts[f"fold-{fold}"])
    for case in (one for one in prepared.cases("classes") if one.patient in own):
        write_json(folder / case.key / "classes.json", {"fold": fold})
    learnt = {"split_hash": prepared.split_hash, "fold": kept_out}
    write_json(folder / "predictions.json", {"provenance": {"model": "m", "learnt": learnt}})
    return folder


def test_folds_that_were_kept_out_come_together(films, data, tmp_path):
    films.join(data, tmp_path / "joined", *(said(tmp_path / str(fold), data, fold, fold) for fold in range(1, 6)))
    assert {one.name for one in (tmp_path / "joined").iterdir()} == {
        one.key for one in read_prepared(data).cases("classes")
    }


def test_films_that_their_model_has_seen_are_refused(films, data, tmp_path):
    with pytest.raises(SystemExit, match="has seen"):
        films.join(data, tmp_path / "joined", said(tmp_path / "wrong", data, 2, 1))
    assert not (tmp_path / "joined").exists()


def test_ranks_within_a_fold_keep_its_order_and_forget_its_zero(films):
    scores = np.random.default_rng(0).normal(5, 2, 9)
    assert films.ranks(scores) == pytest.approx(films.ranks(scores - 100))
    assert np.array_equal(np.argsort(films.ranks(scores)), np.argsort(scores))
