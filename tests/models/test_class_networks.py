"""Networks of films by classes: shapes, probabilities, parts, and what is shared."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve1d

from hilum.core import ConfigError
from hilum.models.blocks import evened
from hilum.models.catalogue import build_model
from hilum.models.parts import part_of, train_only

NARROW = {
    "class_unet": {"resnet": {"width": 4, "blocks": [1, 1, 1, 1]}, "widths": [16, 12, 8, 8, 4]},
    "class_slim": {"slim": {"widths": [4, 8, 12], "blocks": [0, 1, 1]}},
}


def narrow(name, **options):
    torch.manual_seed(0)
    return build_model(name, {**NARROW[name], **options}).eval()


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("finds", ["classes", "labels", "both"])
def test_each_pixel_and_each_film_has_probabilities_that_add_up(name, finds):
    with torch.inference_mode():
        said = narrow(name, finds=finds, classes=5)(torch.rand(2, 1, 37, 50))
    assert (said.logits is None, said.labels is None) == (finds == "labels", finds == "classes")
    if said.logits is None:
        with pytest.raises(ConfigError, match="gives pixels no class"):
            said.probability()
    else:
        assert said.probability().shape == (2, 5, 37, 50)
        assert torch.allclose(said.probability().sum(1), torch.ones(2, 37, 50), atol=1e-5)
    if said.labels is not None:
        assert torch.allclose(said.label_probability().sum(1), torch.ones(2), atol=1e-5)


@pytest.mark.parametrize("name", NARROW)
def test_a_film_is_seen_alike_alone_and_beside_others(name):
    network, films = narrow(name, finds="both"), torch.rand(2, 1, 32, 32)
    with torch.inference_mode():
        together, alone = network(films), network(films[:1])
    assert torch.allclose(together.logits[:1], alone.logits, rtol=1e-4, atol=1e-2)
    assert torch.allclose(together.labels[:1], alone.labels, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("name", NARROW)
def test_parts_are_all_of_a_network(name):
    network = narrow(name, finds="both", own_classifier=True, gates=True)
    parts = network.parts()
    assert list(parts) == ["encoder", "decoder", "head", "own_encoder", "classifier"]
    in_parts = [id(one) for part in parts.values() for one in part.parameters()]
    assert sorted(in_parts) == sorted(id(one) for one in network.parameters())


@pytest.mark.parametrize("name", NARROW)
def test_a_hybrids_two_halves_share_nothing_and_the_multi_tasks_share_the_encoder(name):
    """The gradient of the label reaches the segmenter's encoder in the second only."""
    for own, reaches in ((True, False), (False, True)):
        network = narrow(name, finds="both", own_classifier=own).train()
        network(torch.rand(2, 1, 32, 32)).labels.sum().backward()
        grads = [one.grad for one in part_of(network, "encoder").parameters()]
        assert any(one is not None and bool(one.abs().sum() > 0) for one in grads) is reaches


def test_the_decoder_learns_alone_first():
    network = narrow("class_unet")
    train_only(network, ("decoder", "head"))
    assert not any(one.requires_grad for one in network.encoder.parameters())
    assert all(one.requires_grad for one in part_of(network, "decoder").parameters())


@pytest.mark.parametrize("fold", [2, 4])
def test_evened_out_logits_have_no_pattern_of_the_folds_period(fold):
    """Whatever the head's biases are: on an empty film each of the pixels that were one gets its own."""
    even, dotted = (
        narrow("class_slim", evens_out=on, slim={**NARROW["class_slim"]["slim"], "fold": fold}) for on in (True, False)
    )
    with torch.inference_mode():
        for network in (even, dotted):
            network.head.weight.zero_()
            network.head.bias.copy_(torch.randn(len(network.head.bias), generator=torch.Generator().manual_seed(0)))
        smooth, rough = even(torch.zeros(1, 1, 32, 48)).logits, dotted(torch.zeros(1, 1, 32, 48)).logits
    inside = smooth[..., fold:-fold, fold:-fold]
    assert inside.std(dim=(2, 3)).max() < 1e-5
    assert torch.allclose(inside.mean(dim=(2, 3)), rough.mean(dim=(2, 3)), atol=1e-5)
    assert rough.std(dim=(2, 3)).min() > 0.1


@pytest.mark.parametrize(("side", "weights"), [(1, [1]), (2, [1, 2, 1]), (3, [1, 1, 1]), (4, [1, 2, 2, 2, 1])])
def test_evening_out_is_a_convolution_that_stays_in_place(side, weights):
    """Against SciPy; a constant picture stays as it is, up to its rim."""
    picture = torch.rand(1, 1, 12, 9, dtype=torch.float64)
    once = convolve1d(picture[0, 0].numpy(), np.array(weights) / sum(weights), axis=0, mode="nearest")
    wanted = convolve1d(once, np.array(weights) / sum(weights), axis=1, mode="nearest")
    assert evened(picture, side)[0, 0].numpy() == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"gates": True}, "set finds to both"), ({"own_classifier": True}, "own_classifier to false")],
)
def test_what_makes_no_sense_is_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        build_model("class_slim", options)
