"""Grad-CAM: by hand on a linear network, beside MONAI's on a classifier, and where a map comes to lie."""

import numpy as np
import pytest
import torch
from torch import nn

from hilum.core import ConfigError, GeometryError
from hilum.explain.explained import ExplainOptions, checked_layer, explained
from hilum.explain.gradcam import LayerMap, Shown, grad_cam
from hilum.explain.layers import default_layer, layer_names
from tests.explain.tiny import linear
from tests.models.small import NAMES, narrow, picture

pytestmark = pytest.mark.usefixtures("one_thread")


def everywhere(shown):
    return np.ones(shown.size, dtype=bool)


def test_a_linear_network_by_hand():
    """Features are a·x and b·x, the logit c·a·x + d·b·x; a channel's gradient is c/(pixels of the picture) a pixel.

    The target is the mean logit over n of the N pixels, so the gradient is c/n there and 0 elsewhere; averaged over all
    N cells it is c/N, whichever pixels they are. The map is relu((c·a + d·b)·x)/N.
    """
    network = linear(channels=(2.0, -1.0), head=(3.0, 4.0))
    shown = Shown(picture(1, 1, 5, 6) - 0.5)
    target = np.zeros(shown.size, dtype=bool)
    target[1:3, 2:4] = True
    expected = np.maximum((3 * 2 - 4 * 1) * shown.image[0, 0].numpy(), 0) / 30
    for pixels in (target, everywhere(shown)):
        np.testing.assert_allclose(grad_cam(network, shown, "encoder.0", pixels).values, expected, rtol=1e-5, atol=1e-8)


def test_it_is_monais_where_the_target_is_a_class():
    """MONAI takes the gradient of one class' score; with the target as the only class they have to agree."""
    from monai.visualize import GradCAM

    network, shown = narrow("unet", inputs=1).eval(), Shown(picture(1, 1, 32, 40))
    target = np.zeros(shown.size, dtype=bool)
    target[4:11, 8:20] = True

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network

        def forward(self, x):
            return self.inner(x).logits[:, :, torch.from_numpy(target)].mean(dim=2)

    for layer in ("encoder.stages.2", "encoder.stages.0", "decoder.stages.0"):
        ours = grad_cam(network, shown, layer, target).values
        theirs = (
            GradCAM(Classifier().eval(), f"inner.{layer}").compute_map(shown.image, class_idx=0)[0, 0].detach().numpy()
        )
        assert ours.max() > 0
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-7 * ours.max())


@pytest.mark.parametrize("name", NAMES)
def test_every_network_can_be_explained(name):
    network = narrow(name).eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    layer = checked_layer(network, None)
    shown = Shown(picture(1, 1, 50, 70))
    found = grad_cam(network, shown, layer, everywhere(shown))
    assert found.on_picture().shape == (50, 70)
    assert found.values.min() >= 0
    assert all(side >= 1 and network.stride % side == 0 for side in found.cell_px)
    assert layer in layer_names(network)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_it_works_where_nothing_learns_and_no_gradients_are_kept():
    network, shown = narrow("res_unet", inputs=1).eval(), Shown(picture(1, 1, 48, 48))
    expected = grad_cam(network, shown, "encoder.stages.2", everywhere(shown)).values
    network.requires_grad_(False)
    with torch.no_grad():
        np.testing.assert_array_equal(grad_cam(network, shown, "encoder.stages.2", everywhere(shown)).values, expected)


def test_a_hot_cell_lies_on_its_own_pixels():
    """Padding is below and on the right only, so cell (1, 2) of stride 8 is rows 8 to 15 and columns 16 to 23."""
    values = np.zeros((3, 4), np.float32)
    values[1, 2] = 5
    placed = LayerMap(values, size=(19, 30), stride=8).on_picture()
    assert placed.shape == (19, 30)
    assert placed.max() == 1
    rows, columns = np.nonzero(placed == placed.max())
    assert (rows.mean(), columns.mean()) == (11.5, 19.5)
    assert placed[8:16, 16:24].min() > 0.2
    assert not placed[:4].any()


def test_a_prior_is_explained_with():
    network = narrow("unet").eval()
    image, prior = picture(1, 1, 32, 32), picture(1, 1, 32, 32, seed=1)
    layer = default_layer(network)
    with_it, without = (
        grad_cam(network, shown, layer, everywhere(shown)) for shown in (Shown(image, prior), Shown(image))
    )
    assert not np.array_equal(with_it.values, without.values)


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        ("encoder.stages.9", "no layer 'encoder.stages.9'"),
        ("", "no layer ''"),
        ("encoder", "no features"),
        ("encoder.stages", "used 0 times"),
        ("encoder.pool", "used 2 times"),
    ],
)
def test_a_layer_that_cannot_be_explained_is_said(layer, says):
    with pytest.raises(ConfigError, match=says) as caught:
        checked_layer(narrow("unet").eval(), layer)
    if "no layer" in says:
        assert "encoder.stages.2" in caught.value.remedy


def test_a_layer_that_nothing_depends_on_is_said():
    network = narrow("unet").eval()  # its deep heads give logits of their own
    with pytest.raises(ConfigError, match="doesn't depend on"):
        checked_layer(network, "deep_heads.0")


def test_the_target_is_what_is_marked_and_else_all_pixels():
    network, shown = linear((1.0, 0.0), (1.0, 0.0)), Shown(picture(1, 1, 4, 4))
    scores = np.zeros((4, 4), np.float32)
    nothing = explained(network, shown, scores, 0.5, ExplainOptions())
    assert nothing.target == "mean logit of all pixels, since no score reaches 0.5"
    assert "nothing is marked" in nothing.notes[0]
    scores[1, 1:3] = 0.5
    marked = explained(network, shown, scores, 0.5, ExplainOptions())
    assert marked.target == "mean logit of the 2 pixels with a score of at least 0.5"
    assert marked.notes == ()
    assert marked.sanity is None


def test_an_empty_map_is_said():
    network, shown = linear((-1.0, 0.0), (1.0, 0.0)), Shown(picture(1, 1, 4, 4))
    found = explained(network, shown, np.ones((4, 4), np.float32), 0.5, ExplainOptions())
    assert not found.map.on_picture().any()
    assert "the map is empty" in found.notes[0]


def test_shapes_that_cannot_be_are_refused():
    with pytest.raises(GeometryError, match="one picture"):
        Shown(picture(2, 1, 8, 8))
    shown = Shown(picture(1, 1, 8, 8))
    for target in (np.zeros((8, 8), bool), np.ones((4, 8), bool)):
        with pytest.raises(GeometryError, match="target"):
            grad_cam(linear((1.0, 1.0), (1.0, 1.0)), shown, "encoder.0", target)
