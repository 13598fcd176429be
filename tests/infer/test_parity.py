"""When a graph counts as the same as its network."""

import numpy as np
import pytest
import torch

from hilum.infer.graph import ProbabilityGraph, second_channels
from hilum.infer.loaded import PriorWanted
from hilum.infer.parity import compared, evenly, fitted
from tests.models.small import NAMES, narrow

pytestmark = pytest.mark.usefixtures("one_thread")
PICTURE = np.random.default_rng(1).random((2, 1, 40, 50), dtype=np.float32)


def as_graph(network, change=lambda found: found):
    """The network itself in a graph's place, with a mistake."""

    def run(image, prior=None):
        with torch.inference_mode():
            return change(network(torch.from_numpy(image), None).logits.sigmoid().numpy())

    return run


@pytest.fixture
def network():
    return narrow("res_unet", inputs=1, start_probability=0.0005).eval()


def test_the_network_is_the_same_as_itself(network):
    found = compared(network, as_graph(network), PICTURE)
    assert found.is_same
    assert (found.batch, found.size_yx) == (2, (40, 50))
    assert found.max_difference == found.mean_difference == 0


@pytest.mark.parametrize(
    "mistake",
    [
        lambda found: np.roll(found, 1, axis=-1),
        lambda found: np.full_like(found, found.mean()),
        lambda found: found[::-1],
        lambda found: np.where(np.arange(50) == 7, np.nan, found),
    ],
    ids=["a pixel aside", "nothing but the mean", "pictures exchanged", "one column undefined"],
)
def test_a_wrong_graph_of_a_network_that_says_little_is_told(network, mistake):
    """From scratch all probabilities are low, so an absolute bound of .001 would take anything."""
    right = as_graph(network)(PICTURE)
    assert np.ptp(right) < 0.01
    assert not compared(network, as_graph(network, mistake), PICTURE).is_same


def test_rounding_is_taken(network):
    assert compared(network, as_graph(network, lambda found: found + np.float32(2e-6)), PICTURE).is_same


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1, 1), (33, 17)])
def test_padding_before_the_network_is_its_own_padding(name, size):
    """A graph for any size pads before; at every size that is what the network does inside."""
    network = narrow(name).eval()
    channels = second_channels(network, PriorWanted())
    image = torch.from_numpy(fitted(PICTURE, size))
    prior = image.repeat(1, channels, 1, 1) if channels else None
    with torch.inference_mode():
        wanted = network(image, prior).logits.sigmoid()
        found = ProbabilityGraph(network, any_size=True)(image, prior)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


def test_second_inputs_are_those_that_the_model_wants():
    needs, can = narrow("res_unet", inputs=3), narrow("original")
    assert second_channels(needs, PriorWanted()) == 2
    assert second_channels(needs, PriorWanted("earlier", lesions=True)) == 2
    assert second_channels(can, PriorWanted()) == 0
    assert second_channels(can, PriorWanted("earlier")) == 1
    assert second_channels(narrow("res_unet", inputs=2), PriorWanted("same")) == 0


def test_pictures_are_cut_from_the_middle_and_mirrored_on():
    row = np.arange(6, dtype=np.float32)[None]
    assert fitted(row, (1, 2)).tolist() == [[2, 3]]
    assert fitted(row, (1, 10)).tolist() == [[1, 0, 0, 1, 2, 3, 4, 5, 5, 4]]
    assert fitted(row, (3, 6)).tolist() == [row[0].tolist()] * 3
    assert fitted(row, (1, 30)).min() == 0


def test_places_are_spread_over_all():
    assert evenly(3, range(11)) == [0, 5, 10]
    assert evenly(48, range(4)) == [0, 1, 2, 3]
    assert evenly(3, []) == []
