"""Temperatures between evaluations: one of validation fits it, others apply it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.core import HilumError, InputError, UnreadableError
from hilum.core.evaluation import Temperature
from hilum.evaluate.alarms import ChosenOn
from hilum.evaluate.calibration import CalibrationRule, CaseCalibration, temperature_of
from hilum.io import read_json
from hilum.workflows.evaluate_data import TruthSource
from hilum.workflows.evaluate_read import EVALUATION, read_temperature
from hilum.workflows.evaluate_threshold import chosen_on

VALIDATION = "validation"


@dataclass(frozen=True)
class Applied:
    """A temperature, and the cases it was fitted on.

    Attributes:
        temperature: None leaves probabilities as they are.
        source: None without a temperature.
    """

    temperature: Temperature | None = None
    source: ChosenOn | None = None

    @property
    def value(self) -> float | None:
        """What logits are divided by; None leaves them."""
        return None if self.temperature is None else self.temperature.value


def applied_temperature(evaluated: Path | None) -> Applied:
    """The temperature that an evaluation fitted; none when no evaluation was named.

    Raises:
        InputError: that evaluation fitted none.
        UnreadableError: it is no evaluation.
    """
    if evaluated is None:
        return Applied()
    folder = evaluated.parent if evaluated.name == EVALUATION else evaluated
    content = read_json(folder / EVALUATION)
    try:
        fitted = read_temperature(content["fitted_temperature"])
        if fitted is None:
            raise _none_there(folder, content)
        return Applied(fitted, chosen_on(folder, content))
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableError(f"{folder / EVALUATION} is no evaluation of hilum.", "Evaluate again.") from error


def _none_there(folder: Path, content: Mapping[str, Any]) -> InputError:
    split = str(content["split"])
    if split != VALIDATION:
        return InputError(
            f"{folder} is of the split {split!r}, and a temperature is fitted on validation only.",
            "Evaluate the probabilities of a data set's validation split: --split validation.",
        )
    return InputError(
        f"{folder} fitted no temperature: some of its predictions are masks, or its report says what else it was.",
        "Evaluate the probabilities on validation.",
    )


def calibration_rule(source: TruthSource, applied: Applied) -> CalibrationRule:
    """How probabilities are looked at: pixels are kept where a temperature is to be fitted."""
    return CalibrationRule(applied.value, keeps_pixels=source.split == VALIDATION)


def fitted_temperature(
    source: TruthSource, cases: Sequence[CaseCalibration | None]
) -> tuple[Temperature | None, tuple[str, ...]]:
    """What validation cases would like, and notes.

    Args:
        source: whose cases they are.
        cases: None for a mask, of which there is nothing to fit.
    """
    known = [case for case in cases if case is not None]
    if source.split != VALIDATION or len(known) < len(cases):
        return None, ()
    try:
        return temperature_of(known, split=source.split, source=source.data), ()
    except HilumError as error:
        return None, (f"no temperature was fitted: {error.message}",)
