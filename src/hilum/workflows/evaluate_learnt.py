"""Whom a model has seen in training, by what its predictions say and the data set's stored folds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hilum.io import read_json
from hilum.workflows.evaluate_predictions import INDEX


def seen_patients(predictions: Path, parts: Mapping[str, Sequence[str]], split_hash: str) -> frozenset[str]:
    """Patients that the model has learnt from, or that its epoch was chosen on in another fold's stead.

    Nobody where the predictions don't say it, or the model comes from another data set.

    Args:
        predictions: folder of them.
        parts: patients of each split and fold of the data set.
        split_hash: of its stored split.

    Raises:
        UnreadableError: the predictions' index is damaged.
    """
    if not (predictions / INDEX).is_file():
        return frozenset()
    made_by = read_json(predictions / INDEX).get("provenance")
    learnt = made_by.get("learnt") if isinstance(made_by, Mapping) else None
    if not learnt or not split_hash or learnt.get("split_hash") != split_hash:
        return frozenset()
    fold = learnt.get("fold")
    if fold is None:
        return frozenset(parts.get("train", ()))
    kept_out = set(parts.get(f"fold-{fold}", ()))
    return frozenset(patient for patients in parts.values() for patient in patients if patient not in kept_out)
