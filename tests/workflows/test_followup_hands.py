"""Whose outlines a follow-up measures in is known at each date."""

from types import SimpleNamespace

import numpy as np
import pytest

from hilum.core import Geometry, GeometryError, InputError, Mask, Nodule, Volume
from hilum.io.nodules_file import write_nodules
from hilum.io.volumes import write_mask
from hilum.ops import to_lps_axes
from hilum.workflows.followup_nodules import GIVEN, _given, _hand, _labels_of

OWN = "hilum's one (abcd)"


@pytest.fixture
def reader():
    return SimpleNamespace(hand=OWN)


def folder_of(path, study, *, with_mask):
    path.mkdir()
    write_nodules(path / "nodules.json", study, [])
    if with_mask:
        write_mask(
            Mask(np.ones((2, 2, 2), np.uint8), Geometry.regular((2, 2, 2), (1.0, 1.0, 1.0))), path / "mask.nii.gz"
        )
    return path / "nodules.json"


def test_what_is_found_and_what_is_outlined_at_given_places_is_hilums(tmp_path, reader):
    assert _hand(None, reader) == OWN
    assert _hand(folder_of(tmp_path / "a", {"key": "a"}, with_mask=False), reader) == OWN


def test_a_given_mask_is_somebodys_unless_the_list_beside_it_says_whose(tmp_path, reader):
    named = folder_of(tmp_path / "a", {"key": "a", "outlined_by": "other 1.2"}, with_mask=True)
    assert _hand(named, reader) == "other 1.2"
    assert _hand(folder_of(tmp_path / "b", {"key": "b"}, with_mask=True), reader) == GIVEN
    assert _hand(tmp_path / "a" / "mask.nii.gz", reader) == GIVEN


def test_a_mask_on_the_cts_own_grid_is_taken_whichever_way_its_axes_run(tmp_path):
    """NIfTI often stores rows from right to left; a CT is turned upright before its nodules are looked at."""
    affine = np.diag([-1.0, -1.0, 2.0, 1.0])
    affine[:3, 3] = (20.0, 30.0, -5.0)
    grid = Geometry((4, 5, 6), affine)
    labels = np.zeros(grid.shape_zyx, np.uint8)
    labels[1, 1:3, 1], labels[2, 4, 5] = 1, 2
    write_mask(Mask(labels, grid), tmp_path / "mask.nii.gz")
    ct = to_lps_axes(Volume(np.zeros(grid.shape_zyx, np.int16), grid))
    found = _labels_of(tmp_path / "mask.nii.gz", ct)
    for label in (1, 2):
        there, here = grid.to_lps_mm(np.argwhere(labels == label)), ct.geometry.to_lps_mm(np.argwhere(found == label))
        assert here.mean(axis=0) == pytest.approx(there.mean(axis=0))
    other = Volume(np.zeros((4, 5, 6), np.int16), Geometry.regular((4, 5, 6), (2.0, 1.0, 1.0)))
    with pytest.raises(GeometryError):
        _labels_of(tmp_path / "mask.nii.gz", other)


@pytest.mark.parametrize(("ids", "lost"), [(("1", "2"), "1, 2"), (("n1",), "n1"), (("3", "9"), "9")])
def test_a_list_whose_ids_are_no_labels_of_the_mask_beside_it_is_refused(tmp_path, reader, ids, lost):
    labels = np.zeros((2, 2, 2), np.uint8)
    labels[0, 0, 0], labels[1, 1, 1] = 3, 8
    grid = Geometry.regular((2, 2, 2), (1.0, 1.0, 1.0))
    write_mask(Mask(labels, grid), tmp_path / "mask.nii.gz")
    write_nodules(tmp_path / "nodules.json", {"key": "a"}, [Nodule(one, centre_lps_mm=(0.0, 0.0, 0.0)) for one in ids])
    ct = to_lps_axes(Volume(np.zeros((2, 2, 2), np.int16), grid))
    with pytest.raises(InputError, match=rf"nodules {lost} have no label .* whose labels are: 3, 8"):
        _given(ct, tmp_path / "nodules.json", reader)
