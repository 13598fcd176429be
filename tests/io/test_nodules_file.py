"""`nodules.json` there and back, and what is none."""

import json

import pytest

from hilum.core import Diameters, InputError, Nodule, UnreadableError
from hilum.io.nodules_file import SCHEMA, read_nodules, write_nodules

NODULES = (
    Nodule("a", (1.0, -2.0, 3.5), None, 113.1, Diameters(8.0, 5.0, 6.0), 4.5, 3, None, {"subtlety": 5.0}, {}),
    Nodule("b", centre_px=(20.0, 31.5), score=0.25, uncertainty={"volume_mm3": 12.0}),
    Nodule("c"),
)


def test_what_is_written_is_read(tmp_path):
    write_nodules(tmp_path / "n.json", {"key": "one", "consensus": 0.5}, NODULES, {"a": [NODULES[2]]})
    found = read_nodules(tmp_path / "n.json")
    assert found.nodules == NODULES
    assert found.study == {"key": "one", "consensus": 0.5}
    assert [entry["id"] for entry in found.entries] == ["a", "b", "c"]
    assert found.entries[0]["readers"][0]["id"] == "c"
    assert found.entries[0]["mean_diameter_mm"] == 6.5


def test_lengths_that_are_not_all_known_are_none(tmp_path):
    entry = {"id": 7, "long_axis_mm": 8, "short_axis_mm": None, "equivalent_diameter_mm": 6}
    (tmp_path / "n.json").write_text(json.dumps({"schema": SCHEMA, "nodules": [entry]}))
    (nodule,) = read_nodules(tmp_path / "n.json").nodules
    assert (nodule.id, nodule.diameters_mm) == ("7", None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"nodules": []}, "is no nodules.json"),
        ([], "is no nodules.json"),
        ({"schema": SCHEMA}, "damaged: KeyError"),
        ({"schema": SCHEMA, "nodules": [{}]}, "damaged: KeyError"),
        ({"schema": SCHEMA, "nodules": [3]}, "damaged: AttributeError"),
        ({"schema": SCHEMA, "nodules": [{"id": 1, "centre_lps_mm": [1, 2]}]}, "centre_lps_mm has 3 numbers, not 2"),
        ({"schema": SCHEMA, "nodules": [{"id": 1, "centre_px": ["x", 2]}]}, "damaged: ValueError"),
        ({"schema": SCHEMA, "nodules": [{"id": 1, "volume_mm3": "large"}]}, "damaged: ValueError"),
    ],
)
def test_what_is_none_is_said(content, said, tmp_path):
    (tmp_path / "n.json").write_text(json.dumps(content))
    with pytest.raises(UnreadableError, match=said) as error:
        read_nodules(tmp_path / "n.json")
    assert error.value.remedy


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="exist"):
        read_nodules(tmp_path / "none.json")
