"""What a person decides about a follow-up by editing a file."""

import json

import pytest

from hilum.core import InputError, UnreadableError
from hilum.followup.ct_tracks import NoduleKey, Override
from hilum.workflows.followup_corrections import SCHEMA, Corrections, offer_corrections, read_corrections


def write(path, **content):
    path.write_text(json.dumps({"schema": SCHEMA} | content))
    return path


def test_pairs_become_overrides_of_the_studies_names(tmp_path):
    found = read_corrections(write(tmp_path / "c.json", together=[[1, 2, "2", "5"]], apart=[["1", "1", "3", "1"]]))
    assert found.overrides(["a", "b", "c"]) == [
        Override(NoduleKey("a", "2"), NoduleKey("b", "5"), True),
        Override(NoduleKey("a", "1"), NoduleKey("c", "1"), False),
    ]


def test_masks_lie_beside_the_file(tmp_path):
    found = read_corrections(write(tmp_path / "c.json", masks={"2": "mine.nii.gz"}))
    assert found.masks == {"2": tmp_path / "mine.nii.gz"}


def test_an_offered_file_says_how_and_changes_nothing_and_is_never_written_over(tmp_path):
    path = tmp_path / "corrections.json"
    offer_corrections(path)
    assert "Edit, then run" in path.read_text()
    assert read_corrections(path) == Corrections()
    edited = write(path, apart=[["1", "1", "2", "1"]]).read_bytes()
    offer_corrections(path)
    assert path.read_bytes() == edited


def test_without_a_file_nothing_is_decided(tmp_path):
    assert read_corrections(tmp_path / "none.json").overrides(["a", "b"]) == []


@pytest.mark.parametrize("content", [{"together": [["1", "2"]]}, {"apart": ["1212"]}, {"masks": [1]}, {"together": 5}])
def test_what_cannot_be_understood_is_one_clear_line(tmp_path, content):
    with pytest.raises(UnreadableError, match="can't be understood"):
        read_corrections(write(tmp_path / "c.json", **content))


def test_another_file_and_another_study_are_refused(tmp_path):
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(UnreadableError, match="no corrections file"):
        read_corrections(tmp_path / "other.json")
    for study in ("0", "3", "x"):
        with pytest.raises(InputError, match=f"no study {study}"):
            Corrections(together=((study, "1", "2", "1"),)).overrides(["a", "b"])
