"""Grids of every kind: oblique, flipped, anisotropic, far from the origin."""

import numpy as np
from hypothesis import strategies as st

from hilum.core import Geometry
from tests.shapes import rotation

angles = st.tuples(*(st.floats(-180, 180) for _ in range(3)))
spacings = st.tuples(*(st.floats(0.2, 6) for _ in range(3)))
origins = st.tuples(*(st.floats(-500, 500) for _ in range(3)))
flips = st.tuples(*(st.sampled_from([-1, 1]) for _ in range(3)))


@st.composite
def geometries(draw, shape=None, turned=True):
    """Any grid that a scanner or a file format could give; `shape` fixes its size."""
    turn = rotation(draw(angles)) if turned else np.eye(3)
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(np.multiply(draw(spacings), draw(flips)))
    affine[:3, 3] = draw(origins)
    return Geometry(shape or draw(st.tuples(*(st.integers(1, 40) for _ in range(3)))), affine)
