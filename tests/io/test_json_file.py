"""JSON that any reader takes."""

import json
import math
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core import Diameters, InputError, OutputError, UnreadableError
from hilum.io import read_json, write_json
from hilum.io.json_file import plain, to_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@dataclass(frozen=True)
class Finding:
    where: Path
    day: date
    size: Diameters


class Side(StrEnum):
    LEFT = "left"


def test_what_the_project_holds(tmp_path):
    content = {
        "z": Finding(Path("a/b"), date(2020, 2, 1), Diameters(7.5, 5.0, math.nan)),
        "a": np.arange(4, dtype=np.int16).reshape(2, 2),
        "number": np.float32(0.5),
        "whole": np.int64(7),
        "flag": np.bool_(True),
        "side": Side.LEFT,
        "names": MappingProxyType({1: "nodule", 2: "λ"}),
        "set": {"b", "a"},
        "tuple": (1, math.inf, -math.inf),
    }
    write_json(tmp_path / "new" / "a.json", content)
    assert read_json(tmp_path / "new" / "a.json") == {
        "z": {
            "where": "a/b",
            "day": "2020-02-01",
            "size": {"long_axis_mm": 7.5, "short_axis_mm": 5.0, "equivalent_mm": None},
        },
        "a": [[0, 1], [2, 3]],
        "number": 0.5,
        "whole": 7,
        "flag": True,
        "side": "left",
        "names": {"1": "nodule", "2": "λ"},
        "set": ["a", "b"],
        "tuple": [1, None, None],
    }
    assert list(read_json(tmp_path / "new" / "a.json"))[:2] == ["z", "a"], "keys keep their order"


@given(values)
def test_always_strict_json(content):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    assert json.loads(to_json(content), parse_constant=refuse) == plain(content)


def test_what_has_no_json_form_leaves_nothing(tmp_path):
    with pytest.raises(OutputError, match="object has no JSON form"):
        write_json(tmp_path / "a.json", {"a": object()})
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_json(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(InputError, match="doesn't exist"):
        read_json(path)
    for content, word in [(b'{"a": 1,}', "line 1, column"), (b"\xff\xfe\x00", "not UTF-8"), (b"[" * 100_000, "nested")]:
        path.write_bytes(content)
        with pytest.raises(UnreadableError, match=word):
            read_json(path)
