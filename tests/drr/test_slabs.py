"""A CT projected slab by slab is the CT projected whole."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hilum.core import Geometry, GeometryError, Quantity, UnitError, View, Volume
from hilum.drr.attenuation import attenuation, attenuation_slabs
from hilum.drr.joseph import project_joseph
from hilum.drr.projection import Beam, Pose, Setup
from hilum.drr.slabs import project_ct

GRID = Geometry.regular((37, 30, 28), (2.5, 1.0, 1.2), (5, 6, 7))


@pytest.fixture(scope="module")
def ct():
    return Volume(np.random.default_rng(1).integers(-1024, 1500, GRID.shape_zyx).astype(np.int16), GRID)


def slices_along(axis, ct):
    """The same CT with another axis of the patient as the array's first."""
    affine = ct.geometry.affine_lps.copy()
    affine[:, [2, 2 - axis]] = affine[:, [2 - axis, 2]]
    array = ct.array.swapaxes(0, axis).copy()
    return Volume(array, Geometry(array.shape, affine))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("pose", [Pose(), Pose((8, -5, 12), (3, 2, -4)), Pose((80, 0, 0))])
@pytest.mark.parametrize("view", [View.AP, View.LATERAL])
@pytest.mark.parametrize("beam", Beam)
def test_slabs_add_up_to_the_whole(beam, view, pose, axis, ct):
    room = Setup(view=view, beam=beam, pose=pose, pixel_mm=1.1, source_detector_mm=900, source_patient_mm=700)
    turned = slices_along(axis, ct)
    projection = room.projection(turned.geometry)
    whole = project_joseph(attenuation(turned, 70), projection)
    assert_allclose(project_ct(turned, projection, 70), whole, rtol=1e-4, atol=1e-4)


def test_a_detector_that_sees_a_part_of_the_patient_sees_the_same(ct):
    whole = Setup(beam=Beam.CONE, pixel_mm=1.0).projection(GRID)
    part = replace(whole, shape_yx=(20, 9), corner_lps_mm=whole.to_lps_mm((30, 5)))
    assert_allclose(project_ct(ct, part), project_ct(ct, whole)[30:50, 5:14], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_slabs_of_attenuation_are_parts_of_the_whole(dtype, ct):
    whole = attenuation(ct.astype(dtype)).array
    slabs = list(attenuation_slabs(ct.astype(dtype), 16))
    assert [len(slab.array) for slab in slabs] == [16, 16, 5]
    np.testing.assert_array_equal(np.concatenate([slab.array for slab in slabs]), whole)
    assert_allclose(slabs[2].geometry.to_lps_mm((0, 0, 0)), GRID.to_lps_mm((32, 0, 0)))


def test_what_is_no_ct_or_not_hit_is_refused(ct):
    projection = Setup().projection(GRID)
    with pytest.raises(UnitError, match="in HU were expected"):
        project_ct(Volume(ct.array, GRID, Quantity.DISPLAY), projection)
    with pytest.raises(UnitError, match="holds air"):
        project_ct(Volume(np.full(GRID.shape_zyx, 128, np.int16), GRID), projection)
    with pytest.raises(GeometryError, match="miss"):
        project_ct(ct, replace(projection, corner_lps_mm=projection.corner_lps_mm + (900, 0, 0)))
