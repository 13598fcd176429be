"""Who may be learnt from."""

from dataclasses import fields

import pytest

from hilum.core import InputError
from hilum.datasets.splits import (
    Role,
    is_demonstration,
    is_held_out,
    is_validation,
    leading_lidc_patient,
    lidc_number,
    role,
)
from hilum.datasets.stored_split import StoredSplit
from hilum.io.lidc import lidc_scans


@pytest.mark.parametrize(
    ("patient", "expected"),
    [
        ("LIDC-IDRI-0001", Role.DEMONSTRATION),
        ("LIDC-IDRI-0002", Role.TRAIN),
        ("LIDC-IDRI-0005", Role.HELD_OUT),
        ("LIDC-IDRI-0006", Role.VALIDATION),
        ("LIDC-IDRI-0011", Role.VALIDATION),
        ("LIDC-IDRI-0510", Role.HELD_OUT),
        ("LIDC-IDRI-1001", Role.VALIDATION),
        ("LIDC-IDRI-1010", Role.HELD_OUT),
        ("LIDC-IDRI-1012", Role.TRAIN),
    ],
)
def test_the_number_decides(patient: str, expected: Role) -> None:
    assert role(patient) is expected


def test_a_name_may_begin_with_a_patient() -> None:
    names = ("LIDC-IDRI-0006_01-01-2000-NA-NA", "LIDC-IDRI-0006", "LIDC-IDRI-00067", "a LIDC-IDRI-0006", "LIDC-IDRI-6")
    assert [leading_lidc_patient(name) for name in names] == ["LIDC-IDRI-0006", "LIDC-IDRI-0006", None, None, None]


def test_every_patient_has_one_role_and_both_ends_of_zero_are_held_out() -> None:
    patients = sorted({scan.patient for scan in lidc_scans()})
    held_out = {patient for patient in patients if is_held_out(patient)}
    assert held_out == {patient for patient in patients if patient[-1] in "05"}
    assert [patient for patient in patients if is_demonstration(patient)] == ["LIDC-IDRI-0001"]
    assert not any(is_validation(patient) for patient in held_out | {"LIDC-IDRI-0001"})
    assert all(lidc_number(patient) == int(patient[-4:]) for patient in patients)


@pytest.mark.parametrize(
    "name", ["", "5", "0005", "LIDC-IDRI-5", "LIDC-IDRI-00050", "lidc-idri-0005", "LIDC-IDRI-0005 ", "LIDC-IDRI-٠٠٠٥"]
)
def test_a_name_that_is_none_is_never_guessed_at(name: str) -> None:
    with pytest.raises(InputError, match="four digits"):
        is_held_out(name)


def test_a_role_is_called_like_its_split():
    split = {field.name for field in fields(StoredSplit)} & set(Role)
    assert split == {Role.TRAIN, Role.VALIDATION} == {"train", "validation"}
