"""Whole volumes cube by cube: what blending, mirror images and other voxels change, and what they must not."""

import math
from dataclasses import replace
from itertools import chain, combinations

import numpy as np
import pytest
import torch

from hilum.core import ConfigError, Geometry, InputError, Quantity, UnitError, Volume
from hilum.datasets.slice_point import point_map
from hilum.infer.loaded import load_model
from hilum.infer.symmetry import mirror_images
from hilum.infer.volumes import PatchPredictor, VolumeOptions, cubes_of
from hilum.models.output import Segmentation
from tests.patches import patch_model
from tests.slices import LUNG_HU, NODULE_HU, ball, slice_model

pytestmark = pytest.mark.usefixtures("one_thread")


class Watched(torch.nn.Module):
    """Marks what is above about -500 HU, .357 of the lung window, and remembers what it has seen."""

    finds_boxes = False

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, xray, prior=None):
        self.seen.append((tuple(xray.shape[2:]), prior))
        return Segmentation((xray - 0.357) * 40)


class Leaning(torch.nn.Module):
    """Answers with what lies beside a voxel: no mirror image of it answers alike."""

    def forward(self, xray, prior=None):
        del prior
        return Segmentation(xray.roll((1, 2), (2, 4)) + 0.5 * xray.roll(3, 3))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(str(patch_model(tmp_path_factory.mktemp("m") / "tiny")))


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return load_model(str(patch_model(tmp_path_factory.mktemp("m") / "told", point_share=0.8)))


def with_network(model, network, **options):
    return PatchPredictor(replace(model, network=network, threshold=0.5), VolumeOptions(**options))


def noise(*shape):
    return np.random.default_rng(0).uniform(-1000, 400, shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(20, 20, 20), (50, 33, 41), (7, 64, 30), (1, 40, 16)])
def test_a_network_that_looks_at_single_voxels_sees_no_cubes(model, shape):
    """Weights of overlapping cubes sum to one everywhere, at the edges too; and no cube is larger than it may be."""
    hu = noise(*shape)
    slid, whole = (with_network(model, Watched(), cube=cube) for cube in (16, 100))
    found = slid.probability(hu)
    np.testing.assert_allclose(found, whole.probability(hu), atol=1e-5)
    expected = 1 / (1 + np.exp(-40 * ((hu.astype(np.float64) + 1000) / 1400 - 0.357)))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert {size for size, _ in slid._networks[0].seen} == {cubes_of(shape, 16)}
    assert len(whole._networks[0].seen) == 1


def test_a_real_network_in_cubes_says_nearly_what_it_says_at_once(model):
    """Far from all edges cubes and the whole agree: Gaussian weights let a cube's middle decide."""
    hu = noise(40, 40, 40)
    slid = PatchPredictor(model, VolumeOptions(cube=32, overlap=0.75)).probability(hu)
    whole = PatchPredictor(model, VolumeOptions(cube=64)).probability(hu)
    inner = (slice(12, 28),) * 3
    np.testing.assert_allclose(slid[inner], whole[inner], atol=0.01)


def test_mirror_images_are_turned_back_exactly():
    """An image of whole numbers comes back to the bit from all eight, whatever its sizes."""
    images = torch.arange(2 * 3 * 4 * 5, dtype=torch.float32).reshape(1, 2, 3, 4, 5)
    assert torch.equal(mirror_images(lambda one: one, images), images)
    flat = images[:, :, 0]
    assert torch.equal(mirror_images(lambda one: one, flat), flat)
    seen = []
    mirror_images(lambda one: seen.append(one) or one, images)
    axes = list(chain.from_iterable(combinations((2, 3, 4), count) for count in range(4)))
    each = torch.cat(seen)
    assert len(each) == 8
    assert all(any(torch.equal(one, images.flip(view)[0]) for one in each) for view in axes)


@pytest.mark.parametrize("flipped", [(0,), (1, 2), (0, 1, 2)])
def test_with_all_mirror_images_the_answer_mirrors_with_the_ct(model, flipped):
    hu = noise(12, 9, 14)
    lean = with_network(model, Leaning(), tta=True)
    straight, mirrored = lean.probability(hu), lean.probability(np.flip(hu, flipped))
    np.testing.assert_allclose(mirrored, np.flip(straight, flipped), atol=1e-6)
    plain = with_network(model, Leaning())
    assert np.abs(plain.probability(np.flip(hu, flipped)) - np.flip(plain.probability(hu), flipped)).max() > 0.01


def test_cubes_and_their_mirror_images_go_together(model):
    found = with_network(model, Watched(), tta=True, cube=16).probability(hu := noise(20, 24, 18))
    np.testing.assert_allclose(found, with_network(model, Watched()).probability(hu), atol=1e-5)


def test_a_ball_on_thick_slices_is_found_on_its_own_grid(model):
    grid = Geometry.regular((20, 64, 64), (2.5, 0.7, 0.7), (-30.0, 40.0, -200.0))
    offsets = (np.indices(grid.shape_zyx).T - (10, 30, 33)) * grid.spacing_zyx_mm
    truth = (np.square(offsets).sum(axis=-1) <= 8**2).T
    volume = Volume(np.where(truth, NODULE_HU, LUNG_HU).astype(np.int16), grid)
    found = with_network(model, Watched())(volume)
    assert found.geometry.is_same_grid(grid)
    marked = (found.array >= 0.5).sum() * grid.voxel_mm3
    assert marked == pytest.approx(4 / 3 * math.pi * 8**3, rel=0.06)


def test_a_point_is_told_where_it_is_wanted(told, model):
    predictor = with_network(told, Watched())
    predictor.probability(noise(9, 8, 7), (4, 3, 2))
    predictor.probability(noise(9, 8, 7))
    (_, prior), (_, dark) = predictor._networks[0].seen
    np.testing.assert_array_equal(prior[0, 0].numpy(), point_map((9, 8, 7), (4, 3, 2), (1.0, 1.0, 1.0)))
    assert not dark.any()
    without = with_network(model, Watched())
    without.probability(noise(9, 8, 7), (4, 3, 2))
    assert without._networks[0].seen[0][1] is None
    real = PatchPredictor(told)
    hu = noise(16, 16, 16)
    assert not np.array_equal(real.probability(hu, (8, 8, 8)), real.probability(hu))


def test_in_cubes_the_point_stays_where_it_is(told):
    class Echo(torch.nn.Module):
        def forward(self, xray, prior=None):
            del xray
            return Segmentation(prior * 4 - 2)

    told_of = with_network(told, Echo(), cube=16).probability(noise(30, 20, 24), (21, 8, 5))
    assert np.unravel_index(told_of.argmax(), told_of.shape) == (21, 8, 5)


def test_what_it_cannot_do_is_said(model, tmp_path):
    with pytest.raises(ConfigError, match="of the kind slices, not in pieces of a CT"):
        PatchPredictor(load_model(str(slice_model(tmp_path / "slices"))))
    with pytest.raises(InputError, match="no cubes of 0 voxels"):
        VolumeOptions(cube=0)
    grid = Geometry.regular((4, 4, 4), (1.0, 1.0, 1.0))
    with pytest.raises(UnitError, match="HU"):
        PatchPredictor(model)(Volume(np.zeros((4, 4, 4), np.float32), grid, Quantity.DISPLAY))
    stated = PatchPredictor(model, VolumeOptions(threshold=0.7)).provenance
    assert (stated.thresholds, stated.options["tta"]) == ({"mask": 0.7}, False)
    assert ball((3, 3, 3), (1, 1, 1), 1).sum() == 7


class Constant(torch.nn.Module):
    """Says the same of every voxel."""

    def __init__(self, probability):
        super().__init__()
        self.logit = math.log(probability / (1 - probability))

    def forward(self, xray, prior=None):
        del prior
        return Segmentation(torch.full_like(xray, self.logit))


def test_several_models_say_the_mean_of_what_each_says(model, told):
    """One of them is told of the point, and the others are asked without."""
    models = [replace(one, network=Constant(p), threshold=t) for one, p, t in ((model, 0.2, 0.3), (told, 0.5, 0.5))]
    both = PatchPredictor(models[0], None, models[1:])
    np.testing.assert_allclose(both.probability(noise(20, 20, 20), (3.0, 4.0, 5.0)), 0.35, atol=1e-6)
    assert both.threshold == pytest.approx(0.4)
    assert both.takes_point
    assert both.name == "tiny + told"
    assert both.provenance.options["ensemble"] == {"told": told.weights_hash}
    assert "ensemble" not in PatchPredictor(models[0]).provenance.options


def test_models_on_other_voxels_are_not_averaged(model, told):
    with pytest.raises(ConfigError, match=r"voxels of 2 mm .* can't be averaged"):
        PatchPredictor(model, None, [replace(told, pixel_mm=2.0)])


def test_a_probability_is_never_above_one(model):
    """Means by weights that sum to one but for rounding."""
    sure = with_network(model, Constant(1 - 1e-12), cube=12).probability(noise(31, 29, 30))
    assert sure.max() <= 1
    assert sure.min() > 0.999
