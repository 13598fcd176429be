"""Who is learnt from, and what a card says about it."""

from dataclasses import replace

import pytest

from hilum.core import TrainError
from hilum.datasets.odd import UPSIDE_DOWN
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


def test_nothing_left_is_said(tmp_path):
    drawn = [replace(chest(one), odd=(UPSIDE_DOWN,)) for one in (TRAINING[0], VALIDATION[0])]
    with pytest.raises(TrainError, match="1 are known to be misplaced, and none of the others") as error:
        read(write_xrays(tmp_path / "pairs", drawn))
    assert "leave_out_odd" in error.value.remedy
