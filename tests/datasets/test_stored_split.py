"""The stored split follows the one rule."""

import pytest

from hilum.core import InputError
from hilum.datasets.stored_split import StoredSplit, lidc_split

PATIENTS = [f"LIDC-IDRI-{number:04}" for number in range(1, 41) if number % 5]


def test_every_patient_is_where_the_rule_says():
    split = lidc_split([*PATIENTS, *PATIENTS[:3]])
    assert split.validation == tuple(p for p in PATIENTS if int(p[-4:]) % 5 == 1 and p[-4:] != "0001")
    assert split.train == tuple(p for p in PATIENTS if int(p[-4:]) % 5 in (2, 3, 4))
    assert split.test == ()


def test_the_demonstration_is_in_no_list():
    assert "LIDC-IDRI-0001" not in str(lidc_split(PATIENTS).record()).replace("0001, the demonstration", "")


def test_held_out_patients_and_strangers_are_refused():
    with pytest.raises(InputError, match="LIDC-IDRI-0010"):
        lidc_split([*PATIENTS, "LIDC-IDRI-0010"])
    with pytest.raises(InputError, match="is named"):
        lidc_split(["P1"])


def test_the_hash_knows_the_lists_not_their_order():
    assert lidc_split(PATIENTS).hash == lidc_split(PATIENTS[::-1]).hash
    assert lidc_split(PATIENTS).hash != lidc_split(PATIENTS[1:-1]).hash
    assert StoredSplit("r", ("a",), ("b",)).hash != StoredSplit("r", ("b",), ("a",)).hash
    assert StoredSplit("r", ("a",), ()).hash != StoredSplit("r", ("a",), (), seed=1).hash
