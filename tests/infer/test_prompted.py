"""The nodule at a point, with a network that marks what is dense: physics of a ball in lung."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from hilum.core import Geometry, InputError, Quantity, UnitError, Volume
from hilum.infer.loaded import load_model
from hilum.infer.prompted import NOTHING, PIECE_PX, nodule_at
from hilum.infer.slices import SlicePredictor
from hilum.models.output import Segmentation
from tests.slices import LUNG_HU, NODULE_HU, ball, slice_model

pytestmark = pytest.mark.usefixtures("one_thread")
SPACING = (1.5, 0.7, 0.7)
CENTRE, RADIUS_MM = (12, 100, 70), 8.0


class Dense(torch.nn.Module):
    """Marks what is above about -500 HU: .357 of the window from -1000 to 400."""

    def forward(self, xray, prior=None):
        del prior
        return Segmentation((xray - 0.357) * 40)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    model = load_model(str(slice_model(tmp_path_factory.mktemp("m") / "tiny")))
    return SlicePredictor(replace(model, network=Dense(), threshold=0.5))


def lung(geometry=None, centre=CENTRE, radius_mm=RADIUS_MM):
    geometry = geometry or Geometry.regular((24, 160, 150), SPACING, (-50.0, -60.0, -200.0))
    places = np.indices(geometry.shape_zyx)
    offsets = [(axis - at) * step for axis, at, step in zip(places, centre, geometry.spacing_zyx_mm, strict=True)]
    hu = np.full(geometry.shape_zyx, LUNG_HU, np.int16)
    hu[sum(one**2 for one in offsets) <= radius_mm**2] = NODULE_HU
    return Volume(hu, geometry)


def point_of(volume, place=CENTRE):
    x, y, z = volume.geometry.to_lps_mm(place)
    return float(x), float(y), float(z)


def test_a_ball_has_its_volume_and_its_place(predictor):
    volume = lung()
    found = nodule_at(volume, point_of(volume), predictor)
    np.testing.assert_array_equal(found.mask.labels > 0, volume.array > -400)
    assert found.nodule.volume_mm3 == pytest.approx(4 / 3 * math.pi * RADIUS_MM**3, rel=0.03)
    assert found.nodule.diameters_mm.equivalent_mm == pytest.approx(2 * RADIUS_MM, rel=0.01)
    assert found.nodule.centre_lps_mm == pytest.approx(point_of(volume), abs=0.05)
    assert found.notes == ()


def test_the_same_nodule_from_any_point_in_it_and_a_little_beside(predictor):
    volume = lung()
    masks = [nodule_at(volume, point_of(volume, place), predictor).mask.labels for place in (CENTRE, (9, 96, 74))]
    beside = point_of(volume, (12, 100, 70 + round((RADIUS_MM + 3) / 0.7)))
    masks.append(nodule_at(volume, beside, predictor).mask.labels)
    assert all((one == masks[0]).all() for one in masks)


@pytest.mark.parametrize("axes", [(2, 1, 0), (0, 2, 1)])
def test_a_ct_with_other_axes_gets_the_mask_on_its_own_grid(predictor, axes):
    """The same patient, stored with axes exchanged and backwards: the same voxels are marked."""
    plain = lung()
    affine = np.array(plain.geometry.affine_lps)
    array = plain.array.transpose(axes)[::-1]
    columns = [2 - axes[2 - one] for one in range(3)]
    turned = np.eye(4)
    turned[:3, :3] = affine[:3, columns]
    turned[:3, 3] = affine[:3, 3] + turned[:3, 2] * (array.shape[0] - 1)
    turned[:3, 2] *= -1
    volume = Volume(array, Geometry(array.shape, turned))
    found = nodule_at(volume, point_of(plain), predictor)
    assert found.mask.geometry.is_same_grid(volume.geometry)
    np.testing.assert_array_equal(found.mask.labels > 0, volume.array > -400)


def test_another_lesion_is_left_alone(predictor):
    volume = lung()
    other = ball(volume.array.shape, (12, 40, 40), 6)
    volume.array[other] = NODULE_HU
    found = nodule_at(volume, point_of(volume), predictor)
    assert not (found.mask.labels[other] > 0).any()


def test_nothing_at_the_point_is_said(predictor):
    volume = lung(radius_mm=0.0)
    volume.array[CENTRE] = LUNG_HU
    found = nodule_at(volume, point_of(volume), predictor)
    assert (found.nodule, found.notes) == (None, (NOTHING,))
    assert not found.mask.labels.any()


def test_a_nodule_that_leaves_the_ct_or_the_piece_is_doubted(predictor):
    volume = lung(centre=(1, 100, 70))
    assert "first or last slice" in nodule_at(volume, point_of(volume, (1, 100, 70)), predictor).notes[0]
    wide = lung()
    wide.array[12, 100, :] = NODULE_HU
    assert wide.array.shape[2] > PIECE_PX
    assert "edge of the piece" in nodule_at(wide, point_of(wide), predictor).notes[0]


def test_points_where_no_nodule_can_be_are_refused(predictor):
    volume = lung()
    x, y, z = point_of(volume)
    with pytest.raises(InputError, match=r"outside the CT \(x -50 to 54, y -60 to 51, z -200 to -166 mm, LPS\)"):
        nodule_at(volume, (x + 500, y, z), predictor)
    air = lung()
    air.array[:, :50] = -1000
    with pytest.raises(InputError, match="only air within 5 mm"):
        nodule_at(air, point_of(air, (12, 20, 70)), predictor)
    with pytest.raises(UnitError, match="HU"):
        nodule_at(Volume(volume.array, volume.geometry, Quantity.DISPLAY), (x, y, z), predictor)


def test_one_slice_is_a_ct_too(predictor):
    geometry = Geometry.regular((1, 40, 60), SPACING)
    volume = lung(geometry, (0, 20, 30), 5.0)
    found = nodule_at(volume, point_of(volume, (0, 20, 30)), predictor)
    assert (found.mask.labels > 0).sum() == (volume.array > -400).sum()
