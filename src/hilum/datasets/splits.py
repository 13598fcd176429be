"""Who may be learnt from: the one rule, used everywhere (`definitions.md`, "Who may be learnt from")."""

import re
from enum import StrEnum

from hilum.core import InputError

_LIDC_PATIENT = re.compile(r"LIDC-IDRI-(\d{4})", re.ASCII)
_DEMONSTRATION = 1


class Role(StrEnum):
    """What a LIDC patient may be used for."""

    TRAIN = "train"
    """Everything is learnt from these: weights, priors, phantoms, shapes."""
    VALIDATION = "validation"
    """Choices are made on these: models, thresholds. Number mod 5 = 1, but for the demonstration."""
    HELD_OUT = "held out"
    """Looked at once, in the end. Number divisible by 5."""
    DEMONSTRATION = "demonstration"
    """LIDC-IDRI-0001, the sample CT: in no training and no validation set."""


def lidc_number(patient: str) -> int:
    """The number in a LIDC-IDRI patient's name: 78 of "LIDC-IDRI-0078".

    Raises:
        InputError: it is not such a name; nothing may be guessed here, or a held-out patient slips in.
    """
    match = _LIDC_PATIENT.fullmatch(patient)
    if match is None:
        raise InputError(
            f"a LIDC patient is named LIDC-IDRI- and four digits, got {patient!r}.",
            "A series UID leads to its patient: hilum.io.lidc.lidc_scans().",
        )
    return int(match[1])


def is_lidc_patient(patient: str) -> bool:
    """Whether this is the name of a LIDC-IDRI patient: "LIDC-IDRI-0078"."""
    return _LIDC_PATIENT.fullmatch(patient) is not None


def leading_lidc_patient(name: str) -> str | None:
    """The LIDC-IDRI patient that a name begins with: of "LIDC-IDRI-0078_01-01-2000"; None when it begins otherwise."""
    match = re.match(rf"{_LIDC_PATIENT.pattern}(?![0-9])", name)
    return None if match is None else match[0]


def role(patient: str) -> Role:
    """What this patient may be used for, wherever its images, marks or shapes appear.

    Raises:
        InputError: it is not the name of a LIDC patient.
    """
    number = lidc_number(patient)
    if number == _DEMONSTRATION:
        return Role.DEMONSTRATION
    return {0: Role.HELD_OUT, 1: Role.VALIDATION}.get(number % 5, Role.TRAIN)


def is_held_out(patient: str) -> bool:
    """Whether nothing may be learnt, chosen or tuned from this patient."""
    return role(patient) is Role.HELD_OUT


def is_validation(patient: str) -> bool:
    """Whether choices are made on this patient."""
    return role(patient) is Role.VALIDATION


def is_demonstration(patient: str) -> bool:
    """Whether this is the patient of the sample CT."""
    return role(patient) is Role.DEMONSTRATION
