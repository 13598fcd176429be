"""True values from stored ones: exact, small, and the same however often they are asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hilum.core import Geometry
from hilum.io.stored import StoredVolume

GRID = Geometry.regular((2, 1, 2), (1, 1, 1))


def stored(values, dtype, slope=1.0, intercept=0.0):
    return StoredVolume(np.array(values, dtype).reshape(2, 1, 2), GRID, "NIfTI", slope, intercept)


@given(
    values=st.lists(st.integers(-32768, 32767), min_size=4, max_size=4),
    offset=st.integers(-70000, 70000),
    dtype=st.sampled_from([np.int16, np.int32, np.float32, np.float64]),
)
def test_whole_offsets_are_exact_in_the_smallest_type_that_holds_them(values, offset, dtype):
    expected = np.array(values, dtype=np.int64).reshape(2, 1, 2) + offset
    fits = (np.abs(expected + 0.5) < 32768).all()
    volume = stored(values, dtype, intercept=offset)
    found = volume.values()
    assert_array_equal(found, expected)
    assert found.dtype == (np.int16 if fits else np.float32)
    assert_array_equal(volume.values(), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, ">i2"])
def test_other_whole_types_become_int16(dtype):
    found = stored([0, 1, 200, 7], dtype, intercept=-1024).values()
    assert found.dtype == np.int16
    assert found.ravel().tolist() == [-1024, -1023, -824, -1017]


def test_slopes_and_fractions_are_float32():
    assert stored([0, 1, 2, 3], np.int16, slope=0.5).values().dtype == np.float32
    found = stored([0.25, 1, 2, 3], np.float64, slope=2, intercept=-1.5).values()
    assert_allclose(found.ravel(), [-1, 0.5, 2.5, 4.5])
    assert found.dtype == np.float32
