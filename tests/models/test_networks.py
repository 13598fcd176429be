"""What holds for every network in the catalogue."""

import re

import pytest
import torch
from torch.nn import Module

from hilum.core import GeometryError
from hilum.models.output import Segmentation
from tests.models.small import NAMES, VOLUMES, narrow, picture, size_of

EXACT = {"rtol": 1e-4, "atol": 1e-5}

pytestmark = pytest.mark.parametrize("name", [*NAMES, *VOLUMES])


def everything(output: Segmentation) -> list[torch.Tensor]:
    attention = [] if output.attention is None else [output.attention]
    return [output.logits, *attention, *output.deep]


def test_every_size_comes_back(name):
    network = narrow(name).eval()
    for yx in ((33, 70), (64, 64), (5, 3)):
        size = size_of(name, *yx)
        with torch.no_grad():
            output = network(picture(1, 1, *size))
        assert output.logits.shape == (1, 1, *size)
        assert output.attention is None or output.attention.shape == (1, 1, *size)


def test_a_batch_equals_a_loop(name):
    network, images = narrow(name).eval(), picture(3, 1, *size_of(name, 40, 36))
    priors = picture(3, 1, *size_of(name, 40, 36), seed=1)
    with torch.no_grad():
        together = everything(network(images, priors))
        alone = [everything(network(images[[i]], priors[[i]])) for i in range(3)]
    for whole, parts in zip(together, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(whole, torch.cat(parts), **EXACT)


def test_without_a_second_image_the_first_stands_for_it(name):
    network, image = narrow(name).eval(), picture(2, 1, *size_of(name, 40, 36))
    with torch.no_grad():
        for one, other in zip(everything(network(image)), everything(network(image, image)), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_second_image_is_looked_at(name):
    network, image = narrow(name).eval(), picture(1, 1, *size_of(name, 40, 36))
    with torch.no_grad():
        assert not torch.equal(network(image).logits, network(image, 1 - image).logits)


def learn(network: Module, name: str) -> None:
    """One backward pass through all outputs, each pixel with a weight of its own."""
    outputs = everything(network(picture(2, 1, *size_of(name, 70, 64)), picture(2, 1, *size_of(name, 70, 64), seed=1)))
    torch.stack([(one * picture(*one.shape, seed=2)).sum() for one in outputs]).sum().backward()


def test_gradients_reach_every_parameter(name):
    network = narrow(name)
    learn(network, name)
    assert [key for key, own in network.named_parameters() if own.grad is None or not own.grad.any()] == []


def test_every_parameter_is_in_one_part(name):
    network = narrow(name)
    in_parts = [id(own) for part in network.parts().values() for own in part.parameters()]
    assert sorted(in_parts) == sorted(id(own) for own in network.parameters())
    assert {"encoder", "decoder", "head"} <= set(network.parts())
    encoder = {id(own) for own in network.parts()["encoder"].parameters()}
    assert all(id(own) in encoder for stage in network.encoder_stages() for own in stage.parameters())


def test_channels_last_computes_the_same(name):
    network, image = narrow(name).eval(), picture(2, 1, *size_of(name, 40, 36))
    with torch.no_grad():
        plain = everything(network(image))
        last = everything(
            network.to(memory_format=network.memory_format)(image.to(memory_format=network.memory_format))
        )
    for one, other in zip(plain, last, strict=True):
        torch.testing.assert_close(one, other, **EXACT)


def test_bfloat16_is_finite_and_near(name):
    network = narrow(name)
    with torch.autocast("cpu", torch.bfloat16):
        learn(network, name)
    assert all(own.grad is not None and own.grad.isfinite().all() for own in network.parameters())
    network, image = narrow(name).eval(), picture(1, 1, *size_of(name, 40, 36))
    with torch.no_grad():
        exact = network(image).logits.sigmoid()
        with torch.autocast("cpu", torch.bfloat16):
            rough = network(image).logits.float().sigmoid()
    assert (exact - rough).abs().max() < 0.02


def test_inputs_of_another_shape_are_refused(name):
    network, other = narrow(name), size_of(name, 8, 9)
    for wrong in ((2, 3, *size_of(name, 8, 8)), (2, 1, 8, 8, 8)[: 7 - network.axes]):
        with pytest.raises(GeometryError, match=rf"H, W\], not {re.escape(str(list(wrong)))}"):
            network(picture(*wrong))
    with pytest.raises(GeometryError, match=rf"second image's shape {re.escape(str([1, 1, *other]))}"):
        network(picture(1, 1, *size_of(name, 8, 8)), picture(1, 1, *other))


def test_the_seed_decides(name):
    one, other, third = narrow(name).state_dict(), narrow(name).state_dict(), narrow(name, seed=1).state_dict()
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert any(not torch.equal(one[key], third[key]) for key in one)


def test_untrained_it_expects_few_nodules(name):
    with torch.no_grad():
        probability = narrow(name, start_probability=0.03)(picture(2, 1, *size_of(name, 64, 64))).logits.sigmoid()
    assert probability.mean().item() == pytest.approx(0.03, rel=0.3)
