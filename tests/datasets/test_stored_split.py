"""The stored split follows the one rule."""

import pytest

from hilum.core import InputError
from hilum.datasets.stored_split import OTHERS_RULE, StoredSplit, lidc_split, split_of_any

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


def test_strangers_are_split_by_their_names_a_fifth_to_judge_on():
    strangers = [f"P{number}" for number in range(500)]
    split = split_of_any([*strangers, *PATIENTS])
    assert sorted((*split.train, *split.validation)) == sorted(
        {*strangers, *lidc_split(PATIENTS).train} | {*lidc_split(PATIENTS).validation}
    )
    assert 60 < sum(name in split.validation for name in strangers) < 140
    alone = split_of_any(strangers[:100])
    assert alone.rule == OTHERS_RULE
    assert set(alone.validation) == set(split.validation) & set(strangers[:100])  # whoever else is there
    assert split_of_any(PATIENTS).hash == lidc_split(PATIENTS).hash
    with pytest.raises(InputError, match="LIDC-IDRI-0010"):
        split_of_any(["P1", "LIDC-IDRI-0010"])
