"""Looking at several paths: one that fails doesn't cost the others."""

import numpy as np
import pytest

from hilum.core import Geometry, HilumError, Volume
from hilum.io import write_volume
from hilum.workflows.info import inspect


@pytest.fixture
def ct(tmp_path):
    array = (np.arange(60).reshape(3, 4, 5) * 20 - 1000).astype(np.int16)
    write_volume(Volume(array, Geometry.regular((3, 4, 5), (2.5, 0.7, 0.7))), tmp_path / "ct.nii.gz")
    return tmp_path / "ct.nii.gz"


def test_what_fails_is_recorded(ct, tmp_path):
    (tmp_path / "a.dcm").write_text("hello")
    found, failures = inspect([tmp_path / "a.dcm", ct, tmp_path / "nothing"])
    assert [description.path for description in found] == [str(ct)]
    assert [failure.input for failure in failures] == [str(tmp_path / "a.dcm"), str(tmp_path / "nothing")]


def test_one_file_that_fails_is_recorded_too(tmp_path):
    (tmp_path / "a.dcm").write_text("hello")
    found, failures = inspect([tmp_path / "a.dcm"])
    assert (found, len(failures)) == ([], 1)


def test_nothing_to_look_at_is_an_error(tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(HilumError):
            inspect([path])


def test_progress_is_told(ct):
    seen = []

    def track(items, label):
        seen.extend(items)
        return items

    inspect([ct, ct], track)
    assert seen == [ct, ct]
