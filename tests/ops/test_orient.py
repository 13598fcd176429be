"""Reordering axes moves no voxel in the patient."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hilum.core import Geometry, Mask, Quantity, Volume
from hilum.ops import to_lps_axes
from tests.strategies import flips, geometries


@given(geometry=geometries(shape=(3, 4, 5)), order=st.permutations([0, 1, 2]), flip=flips)
def test_every_voxel_stays_at_its_place(geometry, order, flip):
    affine = np.array(geometry.affine_lps)
    affine[:3, :3] = affine[:3, order] * flip
    geometry = Geometry(geometry.shape_zyx, affine, "1.2.3")
    volume = Volume(np.arange(60).reshape(3, 4, 5), geometry, Quantity.DISPLAY)
    found = to_lps_axes(volume)
    assert_allclose(_place_of_each_number(found), _place_of_each_number(volume), atol=1e-6)
    assert found.geometry.frame_uid == "1.2.3"
    assert np.shares_memory(found.array, volume.array)
    mask = to_lps_axes(Mask(volume.array.astype(np.uint8), geometry, names={7: "seven"}))
    assert_array_equal(mask.labels, found.array)
    assert mask.names == {7: "seven"}


def _place_of_each_number(volume):
    points = volume.geometry.to_lps_mm(np.moveaxis(np.indices(volume.geometry.shape_zyx), 0, -1))
    return points.reshape(-1, 3)[volume.array.ravel().argsort()]


@given(geometry=geometries(shape=(3, 4, 5), turned=False), order=st.permutations([0, 1, 2]))
def test_straight_axes_become_left_posterior_superior(geometry, order):
    affine = np.array(geometry.affine_lps)
    affine[:3, :3] = affine[:3, order]
    volume = Volume(np.zeros((3, 4, 5), np.int16), Geometry((3, 4, 5), affine))
    assert to_lps_axes(volume).geometry.axis_codes == "LPS"
