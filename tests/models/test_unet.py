"""The plain U-Net: its size by hand, its stems, its deep supervision."""

from itertools import pairwise

import pytest
import torch

from hilum.core import ConfigError
from hilum.models.catalogue import build_model
from tests.models.small import picture

STEMS = ("full", "stride2", "unshuffle2", "unshuffle4")
FACTOR = {"full": 1, "stride2": 2, "unshuffle2": 2, "unshuffle4": 4}


def by_hand(widths: tuple[int, ...], stem: str, inputs: int = 1, *, deep: bool = False) -> int:
    """3×3 convolutions without bias, two numbers a normalised channel, 2×2 ones up and 1×1 ones with bias."""

    def double(first: int, width: int) -> int:
        return 9 * first * width + 9 * width * width + 4 * width

    first, factor = widths[0], FACTOR[stem]
    if stem == "stride2":
        count, into = 9 * inputs * first + 2 * first, first
    else:
        count, into = 0, inputs * factor**2
    for width in widths:
        count, into = count + double(into, width), width
    for fine, coarse in pairwise(widths):
        count += 4 * coarse * fine + fine + double(2 * fine, fine)
    out = factor**2 if stem.startswith("unshuffle") else 1
    count += (first + 1) * out
    return count + (sum(width + 1 for width in widths[1:-1]) if deep else 0)


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("inputs", [1, 2])
def test_the_number_of_parameters_is_that_counted_by_hand(stem, inputs):
    widths = (24, 48, 80, 120, 160)
    network = build_model("unet", {"widths": widths, "stem": stem, "inputs": inputs, "deep_supervision": True})
    assert sum(own.numel() for own in network.parameters()) == by_hand(widths, stem, inputs, deep=True)


@pytest.mark.parametrize("stem", STEMS)
def test_deep_logits_are_halved_finest_first(stem):
    network = build_model("unet", {"widths": (4, 4, 4, 4), "stem": stem, "deep_supervision": True}).eval()
    with torch.no_grad():
        output = network(picture(1, 1, 70, 50))
    steps = [FACTOR[stem] * 2, FACTOR[stem] * 4]
    assert [tuple(one.shape[-2:]) for one in output.deep] == [(-(-70 // step), -(-50 // step)) for step in steps]
    assert output.logits.shape == (1, 1, 70, 50)
    assert network(picture(1, 1, 16, 16)).attention is None


@pytest.mark.parametrize("norm", ["instance", "group"])
def test_without_batch_norm_training_mode_computes_the_same(norm):
    network = build_model("unet", {"widths": (6, 12), "norm": norm})
    image = picture(2, 1, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(network.train()(image).logits, network.eval()(image).logits)
    assert not [key for key, _ in network.named_buffers()]


def test_one_input_does_not_look_at_a_second():
    network, image = build_model("unet", {"widths": (4, 4)}).eval(), picture(1, 1, 16, 16)
    with torch.no_grad():
        assert torch.equal(network(image).logits, network(image, 1 - image).logits)


def test_dropout_drops_in_training_alone():
    network, image = build_model("unet", {"widths": (4, 4), "norm": "group", "dropout": 0.5}), picture(1, 1, 16, 16)
    with torch.no_grad():
        assert len({network(image).logits.sum().item() for _ in range(8)}) > 1
        network.eval()
        assert len({network(image).logits.sum().item() for _ in range(8)}) == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"widths": [8]}, "widths"),
        ({"widths": [8, 0]}, "widths.1"),
        ({"stem": "half"}, "stem"),
        ({"inputs": 4}, "inputs"),
        ({"dropout": 1.0}, "dropout"),
        ({"start_probability": 0}, "start_probability"),
    ],
)
def test_options_that_cannot_be_are_named(options, says):
    with pytest.raises(ConfigError, match=f"model unet: {says}"):
        build_model("unet", options)
