"""Who is learnt from, and what a card says about it."""

import json
from dataclasses import replace

import pytest

from hilum.core import InputError, TrainError
from hilum.datasets.odd import UPSIDE_DOWN
from hilum.datasets.stored_split import StoredSplit
from hilum.datasets.xray_pack import XrayPack, read_pack, write_pack
from hilum.train.card import ModelFacts, model_card
from hilum.train.fit import Fitted
from hilum.workflows.train_config import resolved_config
from hilum.workflows.train_data import read_data
from hilum.workflows.xray_pack import pack_xrays
from tests.xrays import TRAINING, VALIDATION, chest, write_xrays

REMARK = "the CT ends within the lung"


@pytest.fixture
def pairs(tmp_path):
    odd = {TRAINING[0]: (UPSIDE_DOWN,), TRAINING[1]: (REMARK,), VALIDATION[0]: (UPSIDE_DOWN,)}
    drawn = [replace(chest(one), odd=odd.get(one, ())) for one in (*TRAINING, *VALIDATION)]
    return write_xrays(tmp_path / "pairs", drawn)


def read(data, *settings):
    found = read_data(data, resolved_config("xray_unet", settings=settings))
    patients = ({one.patient for one in split} for split in (found.training, found.validation))
    return *patients, found.facts


def test_misplaced_pictures_teach_nothing_and_are_still_judged(pairs):
    """A remark that changes neither picture nor truth keeps nobody out."""
    taught, judged, facts = read(pairs)
    assert taught == set(TRAINING[1:])
    assert judged == set(VALIDATION)
    assert (facts.training, facts.validation) == ((2, 2), (2, 2))
    left_out, kept = facts.notes
    assert "1 training pictures, left out of training (LIDC-IDRI-0002)" in left_out
    assert "1 validation pictures" in kept


def test_it_can_be_asked_for_them(pairs):
    taught, _, facts = read(pairs, "data.leave_out_odd=false")
    assert taught == set(TRAINING)
    assert "learnt from all the same" in facts.notes[0]


def test_a_packed_cache_has_the_same_rule(pairs, tmp_path):
    path = tmp_path / "pairs.npz"
    pack_xrays(pairs, path, resolved_config("xray_unet"))
    assert read(path)[0] == set(TRAINING[1:])
    assert read(path)[2].notes == read(pairs)[2].notes
    assert read(path, "data.leave_out_odd=false")[0] == set(TRAINING)


def packed(pairs, path, **patients):
    """The set packed, then patients of its splits renamed."""
    pack_xrays(pairs, path, resolved_config("xray_unet"), force=True)
    pack = read_pack(path)

    def renamed(split, patient):
        return [replace(split[0], patient=patient or split[0].patient), *split[1:]]

    splits = {name: renamed(split, patients.get(name)) for name, split in pack.splits.items()}
    write_pack(path, XrayPack(splits, pack.about, pack.bank))
    return path


@pytest.mark.parametrize(
    ("patients", "said"),
    [
        ({"train": "LIDC-IDRI-0001"}, "LIDC-IDRI-0001 is for demonstration"),
        ({"train": "LIDC-IDRI-0016"}, "LIDC-IDRI-0016 is for validation"),
        ({"validation": "LIDC-IDRI-0005"}, "LIDC-IDRI-0005 is for held out"),
        ({"train": "somebody", "validation": "somebody"}, "somebody is in training and in validation"),
    ],
)
def test_nobody_is_where_they_may_not_be_in_a_packed_cache(patients, said, pairs, tmp_path):
    """One patient who is not LIDC's does not end the check of the others."""
    with pytest.raises(InputError, match=said):
        read(packed(pairs, tmp_path / "pairs.npz", **patients))
    if len(patients) == 1:
        other = {"train": "validation", "validation": "train"}[next(iter(patients))]
        with pytest.raises(InputError, match=said):
            read(packed(pairs, tmp_path / "pairs.npz", **patients, **{other: "nobody"}))


def test_a_patient_on_both_sides_is_refused(tmp_path):
    drawn = [replace(chest(TRAINING[0]), patient=name) for name in ("p1", "p2", "p3")]
    data = write_xrays(tmp_path / "pairs", drawn, {"train": ["p1", "p2"], "validation": ["p2", "p3"]})
    with pytest.raises(InputError, match="p2 is in training and in validation"):
        read(data)


def test_a_split_that_was_changed_by_hand_is_refused(pairs):
    split = StoredSplit("by hand", TRAINING, VALIDATION, seed=3)
    index = pairs / "dataset.json"
    content = json.loads(index.read_text())
    index.write_text(json.dumps({**content, "splits": json.loads(json.dumps(split.record()))}))
    assert read(pairs)[2].split_hash == split.hash
    changed = {**split.record(), "train": TRAINING[1:]}
    index.write_text(json.dumps({**content, "splits": changed}))
    with pytest.raises(InputError, match="not those that their hash was made of"):
        read(pairs)


def test_a_card_speaks_of_lidc_where_lidc_is(pairs, tmp_path):
    assert read(pairs)[2].has_lidc
    drawn = [replace(chest(TRAINING[0]), patient=name) for name in ("p1", "p2")]
    other = write_xrays(tmp_path / "other", drawn, {"train": ["p1"], "validation": ["p2"]})
    facts = read(other)[2]
    assert not facts.has_lidc
    fitted = Fitted(1, 1.0, {"epoch": 1, "explained": 0.1, "hidden_error": 1.0, "trivial_error": 1.0}, ())
    config = resolved_config("xray_pretrain")
    said = {one.has_lidc: model_card(ModelFacts(config, one, None, fitted, "", 1)) for one in (read(pairs)[2], facts)}
    assert ["divisible by 5" in said[has_lidc] for has_lidc in (True, False)] == [True, False]


def test_nothing_left_is_said(tmp_path):
    drawn = [replace(chest(one), odd=(UPSIDE_DOWN,)) for one in (TRAINING[0], VALIDATION[0])]
    with pytest.raises(TrainError, match="1 are known to be misplaced, and none of the others") as error:
        read(write_xrays(tmp_path / "pairs", drawn))
    assert "leave_out_odd" in error.value.remedy
