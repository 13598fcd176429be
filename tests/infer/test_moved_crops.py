"""The mask belongs to the tissue: it hardly changes when the crop is moved, whichever numbers the crop comes in.

The network is made by hand: what is soft tissue on average over a disc. It reaches as far as the disc and no farther,
so all that moving a crop can change is its edge, and for pictures of 8 bit the estimated scale.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from hilum.datasets.slice_scale import WINDOWS, canonical
from hilum.infer.loaded import load_model
from hilum.infer.slices import SlicePredictor
from hilum.metrics.overlap import confusion, dice
from hilum.models.network import Network, padded
from hilum.models.output import Segmentation
from tests.ct_slices import chest_hu, stretched
from tests.slices import slice_model

pytestmark = pytest.mark.usefixtures("one_thread")
SIDE, REACH, NODULE = 128, 3, (60.0, 50.0, 8.0)
MOVES = (1, 2, 5, 15, 30)
HALF = (-350 - WINDOWS["lung"][0]) / (WINDOWS["lung"][1] - WINDOWS["lung"][0])
"""Halfway between lung and soft tissue, on the scale from 0 to 1."""

STEEP = 12.0
"""Of the sigmoid; so that no probability is rounded to 1."""


class SoftTissue(Network):
    """Logits of the mean over a disc of radius `REACH`; a stride of 4, so that crops of any size are padded."""

    stride = 4

    def __init__(self, config=None):
        super().__init__(config or Network.Config())
        rows, columns = np.indices((2 * REACH + 1,) * 2) - REACH
        disc = torch.from_numpy((np.hypot(rows, columns) <= REACH).astype(np.float32))
        self.kernel = (disc / disc.sum())[None, None]

    def forward(self, xray, prior=None):  # noqa: ARG002
        image = nn.functional.pad(padded(xray, self.stride), (REACH,) * 4, mode="replicate")
        mean = nn.functional.conv2d(image, self.kernel)[..., : xray.shape[-2], : xray.shape[-1]]
        return Segmentation(STEEP * (mean - HALF))

    def parts(self):
        return {}

    def encoder_stages(self):
        return []


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    loaded = load_model(str(slice_model(tmp_path_factory.mktemp("m") / "tiny")))
    return SlicePredictor(replace(loaded, network=SoftTissue(), threshold=0.5))


@pytest.fixture(scope="module", params=[1, 2])
def strip(request):
    """HU [y, x] that a crop and all its moves fit into: with each more of the chest wall comes in."""
    return chest_hu((SIDE, SIDE + max(MOVES)), wall=48, nodule=NODULE, seed=request.param)


def shared(of_crop, strip, step):
    """What is said of a crop, and of the same moved to the right, on the tissue that both show."""
    still, moved = of_crop(strip[:, :SIDE]), of_crop(strip[:, step : step + SIDE])
    return still[:, step:], moved[:, : SIDE - step]


@pytest.mark.parametrize("step", MOVES)
def test_of_hu_the_mask_stays_where_the_tissue_is(predictor, strip, step):
    """Only pixels whose surroundings were cut off can change."""
    still, moved = shared(lambda hu: predictor("one", hu).mask.labels > 0, strip, step)
    assert dice(confusion(moved, still)) > 0.98
    inside = (slice(None), slice(REACH, still.shape[1] - REACH - 4))
    np.testing.assert_array_equal(moved[inside], still[inside])
    assert still[round(NODULE[0]), round(NODULE[1]) - step], "the nodule is marked"


@pytest.mark.parametrize("step", MOVES)
def test_of_levels_the_mask_changes_by_no_more_than_the_scale(predictor, strip, step):
    """A mean over a disc moves by no more than the levels do, so a mask lies between those at two thresholds."""
    off = np.subtract(*shared(lambda hu: canonical(stretched(hu)), strip, step))
    most = float(np.abs(off).max()) + 1e-5
    assert most < 0.05, "70 HU"
    still, moved = shared(lambda hu: predictor.probability(stretched(hu)), strip, step)
    logits = np.log(still.astype(np.float64) / (1 - still)) / STEEP
    inside = (slice(None), slice(REACH, still.shape[1] - REACH - 4))
    sure, possible = logits[inside] >= most, logits[inside] >= -most
    mask = moved[inside] >= 0.5
    assert (mask[sure]).all()
    assert possible[mask].all()
    assert dice(confusion(moved >= 0.5, still >= 0.5)) > 0.95


def test_levels_as_they_are_would_move_the_mask(strip):
    """What the scale is for: metal that comes in at the edge darkens everything else of a stretched crop."""
    metal = strip.copy()
    metal[:, -8:] = 3000
    disc = np.hypot(*(np.indices((SIDE, SIDE)) - np.array(NODULE[:2])[:, None, None])) < NODULE[2] - 2

    def plain(hu):
        return ndimage.uniform_filter(stretched(hu) / 255, 5) >= HALF

    still, moved = shared(plain, metal, max(MOVES))
    scaled = shared(lambda hu: ndimage.uniform_filter(canonical(stretched(hu)), 5) >= HALF, metal, max(MOVES))
    seen = disc[:, max(MOVES) :]
    assert not (moved & seen).any()
    assert (still & seen).sum() > 0.9 * seen.sum()
    assert all((one & seen).sum() > 0.9 * seen.sum() for one in scaled)
