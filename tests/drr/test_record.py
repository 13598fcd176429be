"""geometry.json: points to pixels and pixels to rays, there and back, by its own words alone."""

import json

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose

from hilum.core import UnreadableError, View
from hilum.drr.projection import Beam, Pose, Setup
from hilum.drr.record import from_record, orientation, position, to_record
from hilum.io.json_file import to_json
from tests.drr.test_projection import GRID, setups, shares


def through_a_file(projection, setup=None):
    return json.loads(to_json(to_record(projection, setup)))


@given(setups, shares)
def test_there_and_back(setup, share):
    projection = setup.projection(GRID)
    back = from_record(through_a_file(projection, setup))
    point = GRID.to_lps_mm(np.array(share) * (np.array(GRID.shape_zyx) - 1))
    assert_allclose(back.to_pixel(point), projection.to_pixel(point), atol=1e-7)
    for one, other in zip(back.rays((3.5, 7)), projection.rays((3.5, 7)), strict=True):
        assert_allclose(one, other, atol=1e-9)
    assert (back.shape_yx, back.view, back.beam) == (projection.shape_yx, projection.view, projection.beam)


@given(setups, shares)
def test_the_files_words_are_enough_without_hilum(setup, share):
    """As another program would: the matrix for point to pixel; corner, steps and source for pixel to ray."""
    record = through_a_file(setup.projection(GRID))
    point = GRID.to_lps_mm(np.array(share) * (np.array(GRID.shape_zyx) - 1))
    u, v, w = np.array(record["matrix"]) @ (*point, 1)
    column, row = u / w, v / w
    detector = {name: np.array(value) for name, value in record["detector"].items()}
    on_detector = (
        detector["corner_lps_mm"] + row * detector["row_step_lps_mm"] + column * detector["column_step_lps_mm"]
    )
    ray = np.array(record["direction_lps"])
    if record["source_lps_mm"] is not None:
        ray = on_detector - record["source_lps_mm"]
    away = np.cross(point - on_detector, ray / np.linalg.norm(ray))
    assert np.linalg.norm(away) < 1e-6


@pytest.mark.parametrize(
    ("setup", "letters", "name"),
    [
        (Setup(view=View.AP), ("L", "F"), "AP"),
        (Setup(view=View.PA, beam=Beam.CONE), ("L", "F"), "PA"),
        (Setup(view=View.LATERAL), ("P", "F"), "LL"),
        (Setup(view=View.LATERAL, pose=Pose((0, 0, 180))), ("A", "F"), "RL"),
        (Setup(view=View.OBLIQUE, oblique_deg=45), None, "RPO"),
        (Setup(view=View.OBLIQUE, oblique_deg=-45), None, "LPO"),
        (Setup(view=View.OBLIQUE, oblique_deg=135), None, "RAO"),
        (Setup(view=View.OBLIQUE, oblique_deg=-135), None, "LAO"),
        (Setup(view=View.AP, pose=Pose((3, -5, 8))), ("L", "F"), "AP"),
    ],
)
def test_dicoms_words_for_how_the_picture_lies(setup, letters, name):
    projection = setup.projection(GRID)
    assert position(projection) == name
    if letters:
        assert orientation(projection) == letters
    else:
        assert {len(word) for word in orientation(projection)} == {2, 1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": "hilum.nodules/1"}, "no geometry of a projection"),
        ({"detector": None}, "damaged"),
        ({"shape_yx": [3]}, "damaged"),
        ({"view": "upside down"}, "damaged"),
        ({"direction_lps": [0, 0, 1]}, "damaged: the detector has no area"),
        ({"matrix": np.ones((3, 4)).tolist()}, "matrix doesn't belong"),
        ({"matrix": [[1, 2], [3]]}, "damaged"),
    ],
)
def test_damage_is_told(change, words):
    record = through_a_file(Setup().projection(GRID)) | change
    with pytest.raises(UnreadableError, match=words):
        from_record(record)
    with pytest.raises(UnreadableError):
        from_record([])
