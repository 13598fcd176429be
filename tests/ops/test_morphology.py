"""Growing and shrinking by millimetres, held against distance maps."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from hilum.ops import grown, shrunk


@pytest.mark.parametrize("radius_mm", [0, 3, 5.0, 6, 9])
@pytest.mark.parametrize("shape", [(9, 12, 14), (30, 40)])
def test_a_ball_grows_and_shrinks_by_distance(radius_mm, shape):
    rng = np.random.default_rng(3)
    for share in (0.02, 0.5, 0.98):
        selection, steps_mm = rng.random(shape) < share, rng.uniform(1, 4, len(shape))
        beyond_mm = distance_transform_edt(~selection, sampling=steps_mm)
        within_mm = distance_transform_edt(selection, sampling=steps_mm)
        np.testing.assert_array_equal(grown(selection, radius_mm, steps_mm), beyond_mm <= radius_mm)
        np.testing.assert_array_equal(shrunk(selection, radius_mm, steps_mm), within_mm > radius_mm)
    nothing = np.zeros((3, 3, 3), bool)
    assert not grown(nothing, radius_mm, np.ones(3)).any()
    assert shrunk(~nothing, radius_mm, np.ones(3)).all(), "the ends of the image are no edges"
