"""The sources' networks: the fusion's formula, the steps from one to the other, the sizes counted by hand."""

import pytest
import torch
from torch.nn.functional import avg_pool2d

from hilum.models.attention import Attention, DeepAttention, Fusion, NoduleRow, ShallowAttention
from hilum.models.catalogue import ModelConfig, build_model
from hilum.models.resnet import ResNetEncoder, ResNetShape
from tests.models.small import narrow, picture


def numbers(module: torch.nn.Module) -> int:
    return sum(own.numel() for own in module.parameters())


def test_fusion_is_f1_times_one_plus_alpha_f2():
    fusion = Fusion(0.5, "area")
    features = torch.tensor([2.0, -4.0]).reshape(1, 1, 1, 2)
    attention = torch.tensor([[1.0, 0.0, 0.2, 0.4], [0.0, 1.0, 0.6, 0.8]]).reshape(1, 1, 2, 4)
    expected = torch.tensor([2 * (1 + 0.5 * 0.5), -4 * (1 + 0.5 * 0.5)]).reshape(1, 1, 1, 2)
    torch.testing.assert_close(fusion(features, attention), expected)


def test_alpha_learns_by_what_it_multiplies():
    fusion = Fusion(0.3, "area")
    features, attention = picture(1, 3, 2, 2), picture(1, 1, 8, 8, seed=1)
    fusion(features, attention).sum().backward()
    torch.testing.assert_close(fusion.alpha.grad, (features * avg_pool2d(attention, 4)).sum())


def test_area_looks_at_every_pixel_and_bilinear_does_not():
    features, corner = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 32, 32)
    corner[..., 0, 0] = 1
    assert Fusion(1.0, "area")(features, corner).item() == pytest.approx(1 + 1 / 1024)
    assert Fusion(1.0, "bilinear")(features, corner).item() == 1
    assert Fusion(1.0, "bilinear")(features, torch.ones(1, 1, 32, 32)).item() == 2


def test_the_original_is_its_parts_put_together_by_the_formula():
    network, image, second = narrow("original", alpha=0.7).eval(), picture(2, 1, 64, 96), picture(2, 1, 64, 96, seed=1)
    with torch.no_grad():
        output = network(image, second)
        parts = network.parts()
        f1 = parts["adaptation"](parts["encoder"](image)[-1])
        f2 = torch.sigmoid(parts["attention"](second))
        # Bilinear by 32, aligned as pixels are areas: the mean of the four pixels around a cell's centre.
        small = avg_pool2d(f2[..., 15:-15, 15:-15], 2, 32)
        by_hand = parts["head"](parts["decoder"](f1 * (1 + 0.7 * small), []))
    torch.testing.assert_close(output.logits, by_hand)
    torch.testing.assert_close(output.attention.sigmoid(), f2)


@pytest.mark.parametrize("name", ["original", "improved", "unet_skip"])
def test_at_alpha_zero_the_second_image_changes_nothing_but_the_attention(name):
    network, image = narrow(name, alpha=0.0).eval(), picture(1, 1, 64, 64)
    with torch.no_grad():
        one, other = network(image), network(image, 1 - image)
    assert torch.equal(one.logits, other.logits)
    assert not torch.equal(one.attention, other.attention)


@pytest.mark.parametrize("name", ["original", "improved", "unet_skip"])
def test_without_attention_the_rest_is_what_is_multiplied_by_one(name):
    """A learned α of 0 is no such network: it has a slope, and leaves 0 at the first step."""
    attended, plain = narrow(name, alpha=0.0).eval(), narrow(name, seed=1, attention=[]).eval()
    rest = {key: value for key, value in attended.state_dict().items() if not key.startswith(("attention.", "fusion."))}
    plain.load_state_dict(rest)
    image = picture(1, 1, 64, 64)
    with torch.no_grad():
        assert torch.equal(plain(image).logits, attended(image).logits)
    assert plain(image).attention is None
    assert set(attended.parts()) - set(plain.parts()) == {"attention", "fusion"}
    attended(image).logits.sum().backward()
    assert attended.fusion.alpha.grad != 0


def test_without_attention_there_is_no_second_image():
    assert ModelConfig(name="unet_skip", options={"attention": []}).prior_channels == (0,)
    assert 1 in ModelConfig(name="unet_skip").prior_channels


def test_the_improved_with_its_steps_taken_back_is_the_original():
    back = {"attention": ["shallow"], "attention_resize": "bilinear", "decoder": "progressive", "adapted": 64}
    improved, original = narrow("improved", seed=1, **back).eval(), narrow("original").eval()
    improved.load_state_dict(original.state_dict())
    image, second = picture(1, 1, 64, 64), picture(1, 1, 64, 64, seed=1)
    with torch.no_grad():
        assert torch.equal(improved(image, second).logits, original(image, second).logits)


def test_attention_of_two_kinds_adds_logits():
    both = Attention(("deep", "multiscale"), 8, 0.1).eval()
    image = picture(1, 1, 16, 16)
    with torch.no_grad():
        each = [kind((image - 0.5) / 0.25) for kind in both.kinds.values()]
        torch.testing.assert_close(both(image), each[0] + each[1])


def test_sizes_counted_by_hand():
    # 7×7, 5×5 without bias before a batch norm of two numbers a channel, 3×3 with bias
    assert numbers(ShallowAttention()) == 49 * 32 + 64 + 25 * 32 * 16 + 32 + 9 * 16 + 1
    h = 64
    kernels = (9 * h) + 25 * h * h + 49 * h * h + 3 * 2 * h
    refine = 9 * h * h + 2 * h + 9 * h * h // 2 + h + 9 * (h // 2) * (h // 4) + h // 2 + h // 4 + 1
    assert numbers(DeepAttention()) == kernels + 3 * h * h + 2 * h + refine
    with torch.device("meta"):
        # torchvision's ResNet-50 has 25,557,032, with 1000 classes of 2048 features, and three channels into 64 of 7×7
        assert numbers(ResNetEncoder(ResNetShape())) == 25_557_032 - 1000 * 2049 - 2 * 64 * 49
        parts = build_model("original").parts()
        assert numbers(parts["adaptation"]) == 9 * 2048 * 256 + 512 + 256 * 128 + 256
        steps = ((128, 64), (64, 32), (32, 16), (16, 8))
        assert numbers(parts["decoder"]) == sum(9 * a * b + 2 * b for a, b in steps)
        assert numbers(parts["head"]) == 9
        assert numbers(parts["fusion"]) == 1
        ups = ((2048, 256), (256, 128), (128, 64), (64, 32), (32, 16))
        transposed = sum(4 * a * b + b + 18 * b * b + 4 * b for a, b in ups) + 9 * 16 * 8 + 16
        assert numbers(build_model("improved").parts()["decoder"]) == transposed
        skips = ((2048, 1024), (1024, 512), (512, 256), (256, 64))
        climbs = sum(a * b + 2 * b + 9 * 2 * b * b + 9 * b * b + 4 * b for a, b in skips)
        assert numbers(build_model("unet_skip").parts()["decoder"]) == climbs + 9 * 64 * 32 + 64


def test_the_pyramid_has_the_strides_and_channels_of_resnet_50():
    with torch.device("meta"):
        features = ResNetEncoder(ResNetShape())(torch.empty(1, 1, 512, 512))
    assert [tuple(one.shape[1:]) for one in features] == [
        (64, 256, 256),
        (256, 128, 128),
        (512, 64, 64),
        (1024, 32, 32),
        (2048, 16, 16),
    ]


def test_the_encoder_gets_the_values_that_its_weights_were_trained_on():
    encoder, seen = ResNetEncoder(ResNetShape(width=4, blocks=(1, 1, 1, 1))), []
    encoder.conv1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    encoder.eval()(torch.tensor([0.0, 0.5, 1.0]).repeat(32, 11)[None, None, :, :32])
    assert seen[0][0, 0, 0, :3].tolist() == [-1024, 0, 1024]


def test_the_nodule_row_answers_as_the_classifier_does_and_never_learns():
    nodule, deepest = NoduleRow(5, 3), picture(2, 5, 4, 4)
    row, bias = picture(1, 5, seed=1) - 0.5, torch.tensor([0.25])
    assert not nodule(deepest).any()
    nodule.set_row(row, bias)
    torch.nn.init.ones_(nodule.spread.weight)
    probability = torch.sigmoid(torch.einsum("oc,bchw->bohw", row, deepest) + bias)
    torch.testing.assert_close(nodule(deepest), (2 * probability - 1).expand(2, 3, 4, 4))
    assert [key for key, _ in nodule.named_parameters()] == ["spread.weight"]
    assert {"row", "bias"} < set(nodule.state_dict())


def test_a_loaded_nodule_row_moves_the_features_as_far_as_was_learned_and_is_kept():
    network, image = narrow("original", nodule_row=True).eval(), picture(1, 1, 64, 64)
    channels = network.config.resnet.channels[-1]
    before = network(image).logits
    network.nodule.set_row(picture(1, channels, seed=1), torch.zeros(1))
    assert torch.equal(network(image).logits, before)  # its spread starts at zero
    (network(image).logits * picture(1, 1, 64, 64, seed=2)).sum().backward()
    assert network.parts()["nodule"].spread.weight.grad.any()
    torch.nn.init.ones_(network.nodule.spread.weight)
    assert not torch.equal(network(image).logits, before)
    again = narrow("original", seed=1, nodule_row=True).eval()
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(image).logits, network(image).logits)
