"""Where a threshold comes from: stated by a person, or the best one of an earlier evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.core import InputError, UnreadableError
from hilum.core.evaluation import STATED, Threshold
from hilum.evaluate.alarms import ChosenOn
from hilum.io import read_json
from hilum.workflows.evaluate_predictions import INDEX
from hilum.workflows.evaluate_read import EVALUATION, read_rows


@dataclass(frozen=True)
class Chosen:
    """A threshold, and the cases it was chosen on.

    Attributes:
        threshold: the number, and who says so.
        source: None when it was stated, or when predictions are masks.
    """

    threshold: Threshold
    source: ChosenOn | None = None


def chosen_threshold(stated: float | None, evaluated: Path | None) -> Chosen:
    """The threshold that was asked for; NaN when none was.

    Raises:
        InputError: it is out of range, or the evaluation has none.
    """
    if stated is not None:
        if not 0 < stated <= 1:
            raise InputError(f"a threshold is above 0 and at most 1, got {stated:g}.", "With 0, every pixel is in.")
        return Chosen(Threshold(stated, STATED))
    return Chosen(Threshold()) if evaluated is None else _of_evaluation(evaluated)


def predicted_threshold(predictions: Path) -> Chosen:
    """The threshold that a model of hilum brought along, by the predictions' index; NaN without one.

    Raises:
        UnreadableError: the index is damaged.
    """
    if not (predictions / INDEX).is_file():
        return Chosen(Threshold())
    content = read_json(predictions / INDEX)
    try:
        made_by = content["provenance"]
        value, chosen = float(made_by["thresholds"]["mask"]), made_by["chosen"]
    except (KeyError, TypeError, ValueError):  # of another tool, or of nothing that has a threshold
        return Chosen(Threshold())
    patients = frozenset(str(patient) for one in (chosen, _second(made_by)) for patient in one.get("patients", ()))
    source = ChosenOn(str(chosen.get("split", "")), str(chosen.get("split_hash", "")), patients)
    return Chosen(Threshold(value, str(chosen.get("chosen_on", "unknown"))), source if patients else None)


def _second(made_by: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the thresholds of a model of known lesions were chosen on; nothing without one."""
    known = made_by.get("options", {}).get("known_lesions")
    return known.get("threshold_chosen", {}) if isinstance(known, Mapping) else {}


def _of_evaluation(path: Path) -> Chosen:
    folder = path.parent if path.name == EVALUATION else path
    content = read_json(folder / EVALUATION)
    try:
        scan, split = content["threshold_scan"], str(content["split"])
        if not scan:
            raise InputError(
                f"{folder} knows no best threshold: all its predictions are masks, or none of its maps has a lesion.",
                "Evaluate the probabilities on validation.",
            )
        return Chosen(Threshold(float(scan["best"]), f"{split} of {content['data']}"), chosen_on(folder, content))
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableError(f"{folder / EVALUATION} is no evaluation of hilum.", "Evaluate again.") from error


def chosen_on(folder: Path, content: Mapping[str, Any]) -> ChosenOn:
    """The cases of an evaluation, on which something was chosen.

    Raises:
        InputError: its table of cases can't be read.
        KeyError: its record says nothing of its split.
    """
    patients = frozenset(row.patient for row in read_rows(folder))
    return ChosenOn(str(content["split"]), str(content["split_hash"]), patients)
