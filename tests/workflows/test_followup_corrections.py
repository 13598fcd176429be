"""What a person decides about a follow-up by editing a file."""

import json
from dataclasses import replace

import pytest

from hilum.core import InputError, UnreadableError
from hilum.followup.ct_tracks import NoduleKey, Override
from hilum.workflows import followup_match
from hilum.workflows.followup import _is_continued
from hilum.workflows.followup_corrections import (
    SCHEMA,
    Corrections,
    corrections_files,
    offer_corrections,
    read_corrections,
    set_aside,
)
from hilum.workflows.followup_match import matched
from hilum.workflows.followup_view import _decided, _ids
from hilum.workflows.output import Run, write_run
from tests.workflows.test_followup_advice import HERE, THERE, followed, nodule


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
    assert read_corrections(path) == Corrections(is_there=True)
    edited = write(path, apart=[["1", "1", "2", "1"]]).read_bytes()
    offer_corrections(path)
    assert path.read_bytes() == edited


def test_without_a_file_nothing_is_decided(tmp_path):
    assert read_corrections(tmp_path / "none.json").overrides(["a", "b"]) == []


@pytest.mark.parametrize(
    "content",
    [{"together": [["1", "2"]]}, {"apart": ["1212"]}, {"masks": [1]}, {"together": 5}, {"not_nodules": ["13"]}],
)
def test_what_cannot_be_understood_is_one_clear_line(tmp_path, content):
    with pytest.raises(UnreadableError, match="can't be understood"):
        read_corrections(write(tmp_path / "c.json", **content))


def test_a_misspelt_key_is_named_with_those_that_are_known(tmp_path):
    with pytest.raises(UnreadableError, match=r"nobody knows 'togehter'; known are .*together"):
        read_corrections(write(tmp_path / "c.json", togehter=[["1", "1", "2", "1"]]))


@pytest.mark.parametrize("name", ["", 5, None])
def test_a_mask_without_a_name_is_one_clear_line(tmp_path, name):
    with pytest.raises(UnreadableError, match="the name of a mask was expected"):
        read_corrections(write(tmp_path / "c.json", masks={"2": name}))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"masks": {"2": "."}}, r"the mask of study 2, .*, is no file"),
        ({"masks": {"2": "missing.nii.gz"}}, r"the mask of study 2, .*missing.nii.gz, is no file"),
        ({"masks": {"3": "here.nii.gz"}}, "no study 3; there are 2"),
        ({"together": [["1", "1", "4", "1"]]}, "no study 4"),
        ({"not_nodules": [["3", "1"]]}, "no study 3"),
        ({"not_nodules": [["1", "3"]], "apart": [["1", "3", "2", "1"]]}, "nodule 3 of study 1 is in not_nodules and"),
        ({"apart": [["2", "1", "2", "3"]]}, "nodules 1 and 3 are both of study 2"),
        (
            {"together": [["1", "1", "2", "3"]], "apart": [["2", "3", "1", "1"]]},
            "nodule 1 of study 1 and nodule 3 of study 2 are put together and kept apart",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_computed(tmp_path, content, words):
    (tmp_path / "here.nii.gz").touch()
    with pytest.raises(InputError, match=words):
        read_corrections(write(tmp_path / "c.json", **content)).require(2)
    read_corrections(write(tmp_path / "d.json", masks={"2": "here.nii.gz"}, apart=[[1, 1, 2, 3]])).require(2)


def test_a_nodule_that_is_not_there_is_named_by_its_studys_number(tmp_path):
    told = read_corrections(write(tmp_path / "c.json", together=[["1", "9", "2", "1"]]))
    with pytest.raises(InputError, match=r"study 1 has no nodule 9. Its nodules are: 1, 2, 10"):
        told.require_nodules([{"1", "2", "10"}, None])
    none = read_corrections(write(tmp_path / "d.json", not_nodules=[[1, 9]]))
    with pytest.raises(InputError, match="study 1 has no nodule 9"):
        none.require_nodules([{"1"}, None])
    told.require_nodules([{"9"}, None])
    told.require_nodules([None, None])


def test_another_file_and_another_study_are_refused(tmp_path):
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(UnreadableError, match="no corrections file"):
        read_corrections(tmp_path / "other.json")
    for study in ("0", "3", "x"):
        with pytest.raises(InputError, match=f"no study {study}"):
            Corrections(together=((study, "1", "2", "1"),)).overrides(["a", "b"])


@pytest.mark.parametrize(("cts", "counts"), [("ab", True), ("abc", True), ("ba", False), ("a", False), ("xab", False)])
def test_what_was_decided_counts_on_where_later_cts_are_added(tmp_path, cts, counts):
    def run(names):
        return Run("followup", {f"study {at}": one for at, one in enumerate(names, start=1)} | {"nodules 1": names}, {})

    write_run(tmp_path, run("ab"))
    assert _is_continued(tmp_path, run(cts)) is counts


def test_what_is_set_aside_is_never_written_over(tmp_path):
    for at in ("1", "2", "3"):
        write(tmp_path / "corrections.json", apart=[["1", at, "2", "1"]])
        assert "is kept as corrections.old" in set_aside(tmp_path)
    kept = [read_corrections(one).apart[0][1] for one in corrections_files(tmp_path) if one.is_file()]
    assert sorted(kept) == ["1", "2", "3"]


def test_the_page_shows_the_ids_that_corrections_ask_for_what_was_looked_for_again_and_what_is_doubtful():
    key = NoduleKey("1.2.1", "2")
    found = replace(followed([nodule("4", HERE, 8.0)], [nodule("2", HERE, 8.0)]), seen_again=frozenset({key}))
    (one,) = found.matching.decisions
    assert _ids(found, one) == ("study 1, id 4", "study 2, id 2 (looked for again)")
    assert _ids(found, replace(one, current=None)) == ("study 1, id 4", "–")
    assert (_decided(one), _decided(replace(one, doubtful=True))) == ("matched", "matched, doubtful")


def test_what_is_no_nodule_is_left_out_and_so_is_what_was_only_looked_for_because_of_it(monkeypatch):
    real, false = nodule("1", HERE, 8.0), nodule("2", THERE, 8.0)
    start = followed([real, false], [nodule("1", HERE, 8.0)])

    def look(study, point, within, reader):
        return replace(study, nodules=(*study.nodules, nodule("2", point, 8.0)))

    monkeypatch.setattr(followup_match, "looked_again", look)
    told = Corrections(not_nodules=(("1", "2"),))
    before = matched(start.studies, start.maps, [], None)
    after = matched(start.studies, start.maps, [], None, told.refused(["1.2.0", "1.2.1"]))
    assert [dict(one.nodules) for one in before.matching.tracks] == [
        {"1.2.0": "1", "1.2.1": "1"},
        {"1.2.0": "2", "1.2.1": "2"},
    ]
    assert [dict(one.nodules) for one in after.matching.tracks] == [{"1.2.0": "1", "1.2.1": "1"}]
    assert before.seen_again
    assert not after.seen_again
    assert [len(one.nodules) for one in after.studies] == [1, 1]
    with pytest.raises(InputError, match="nodule 7 of study 2, which is not there"):
        matched(start.studies, start.maps, [], None, {NoduleKey("1.2.1", "7")})
