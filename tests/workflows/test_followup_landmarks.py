"""Places that a person has found on both CTs: how far off a registration is there."""

import numpy as np
import pytest

from hilum.core import Geometry, InputError, UnreadableError, Volume
from hilum.followup.ct_landmarks import landmark_error
from hilum.workflows.followup_landmarks import read_landmarks, require_shown

NAMES = "prior_x,prior_y,prior_z,current_x,current_y,current_z"


class Shift:
    """A registration that shifts by (1, 2, 3) mm, and says that it is off by 1 mm."""

    def to_current_mm(self, points):
        return points + np.array([1.0, 2.0, 3.0])

    def error_mm(self, points):
        return np.ones(points.shape[:-1])


def table(path, *rows, names=NAMES):
    path.write_text("\n".join([names, *rows]) + "\n")
    return path


def test_errors_are_the_distances_that_are_left():
    prior = np.zeros((4, 3))
    current = np.array([[1, 2, 3], [1, 2, 3.5], [1, 4, 3], [4, 2, 7.0]])
    found = landmark_error(Shift(), prior, current)
    assert (found.count, found.within_stated) == (4, 2)
    assert found.median_mm == pytest.approx(1.25)
    assert found.largest_mm == pytest.approx(5.0)
    assert found.p95_mm == pytest.approx(np.percentile([0, 0.5, 2, 5], 95))
    assert "4 landmarks lie 1.2 mm off" in found.words
    with pytest.raises(InputError):
        landmark_error(Shift(), prior[:0], current[:0])


def test_a_table_is_read_by_its_columns_and_pairs(tmp_path):
    path = table(tmp_path / "a.csv", "a,1,2,3,4,5,6", names=f"who,{NAMES}")
    (pair,) = read_landmarks(path, 2).items()
    assert pair[0] == (0, 1)
    assert pair[1].prior_lps_mm.tolist() == [[1, 2, 3]]
    assert pair[1].current_lps_mm.tolist() == [[4, 5, 6]]
    three = read_landmarks(table(tmp_path / "b.csv", "1,2,3,4,5,6,2-3", "0,0,0,0,0,0,1-2", names=f"{NAMES},pair"), 3)
    assert set(three) == {(0, 1), (1, 2)}


@pytest.mark.parametrize(
    ("names", "rows", "words"),
    [
        (NAMES, [], "no landmark"),
        (NAMES.replace("prior_z", "z"), ["1,2,3,4,5,6"], "line 2: the column 'prior_z' is missing"),
        (NAMES, ["1,2,3,4,5,6", "1,2,x,4,5,6"], "line 3: could not convert"),
        (NAMES, ["1,2,3,4,5"], "line 2"),
        (NAMES, ["1,2,3,4,5,nan"], "not finite"),
        (f"{NAMES},pair", ["1,2,3,4,5,6,1-3"], "a pair of 1-2 was expected, got '1-3'"),
    ],
)
def test_what_is_no_table_of_landmarks_is_one_clear_line(tmp_path, names, rows, words):
    with pytest.raises(UnreadableError, match=words):
        read_landmarks(table(tmp_path / "a.csv", *rows, names=names), 2)


def test_of_three_cts_each_row_says_which_two(tmp_path):
    with pytest.raises(UnreadableError, match="a pair of 1-2, 2-3 was expected"):
        read_landmarks(table(tmp_path / "a.csv", "1,2,3,4,5,6"), 3)


def test_a_place_outside_of_its_ct_is_named_by_its_line(tmp_path):
    volumes = [Volume(np.zeros((10, 10, 10), np.int16), Geometry.regular((10, 10, 10), (1.0, 1.0, 1.0)))] * 2
    inside = read_landmarks(table(tmp_path / "a.csv", "1,2,3,4,5,6"), 2)
    require_shown(inside, volumes)
    marks = read_landmarks(table(tmp_path / "b.csv", "1,2,3,4,5,6", "1,2,3,4,5,60"), 2)
    with pytest.raises(InputError, match=r"line 3, 4, 5, 60, lies outside of study 2"):
        require_shown(marks, volumes)
