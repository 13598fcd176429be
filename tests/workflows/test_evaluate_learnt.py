"""Whom a model has seen: its own fold is kept out, all others are seen; of another data set nobody is."""

import pytest

from hilum.io.json_file import write_json
from hilum.workflows.evaluate_learnt import seen_patients

SPLIT, PARTS = (
    "5ca1ab1e",
    {
        "train": ["b", "c", "d"],
        "validation": ["a"],
        "fold-1": ["a"],
        "fold-2": ["b"],
        "fold-3": ["c", "d"],
        "folds": ["a", "b", "c", "d"],
    },
)


@pytest.mark.parametrize(
    ("learnt", "seen"),
    [
        ({"split_hash": SPLIT, "fold": 2}, {"a", "c", "d"}),
        ({"split_hash": SPLIT, "fold": None}, {"b", "c", "d"}),
        ({"split_hash": "another", "fold": 2}, set()),
        ({}, set()),
    ],
)
def test_a_kept_out_fold_is_the_only_one_that_was_not_seen(learnt, seen, tmp_path):
    write_json(tmp_path / "predictions.json", {"provenance": {"model": "m", "learnt": learnt}})
    assert seen_patients(tmp_path, PARTS, SPLIT) == seen


def test_predictions_of_other_tools_say_nothing(tmp_path):
    assert seen_patients(tmp_path, PARTS, SPLIT) == set()
    write_json(tmp_path / "predictions.json", {"cases": []})
    assert seen_patients(tmp_path, PARTS, SPLIT) == set()
