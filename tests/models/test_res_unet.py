"""hilum's own network: sizes, where gradients go, and what its options mean."""

import pytest
import torch

from hilum.core import ConfigError, GeometryError
from hilum.models.catalogue import build_model

SMALL = {"widths": (8, 16), "blocks": (1, 1), "fold": 2}


def small(**options: object) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_model("res_unet", {**SMALL, **options}).eval()


@pytest.mark.parametrize("size", [(32, 48), (33, 47), (5, 7)])
@pytest.mark.parametrize("fold", [1, 2, 4])
def test_logits_have_the_size_of_the_input(size, fold):
    assert small(fold=fold)(torch.rand(2, 1, *size)).logits.shape == (2, 1, *size)


def test_a_batch_is_its_images_one_by_one():
    model, images = small(), torch.rand(3, 1, 32, 32)
    together = model(images).logits
    apart = torch.cat([model(image[None]).logits for image in images])
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-5)


def test_gradients_reach_every_number():
    model = small().train()
    model(torch.rand(2, 1, 32, 32)).logits.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_it_starts_out_expecting_few_nodules():
    probability = torch.sigmoid(small(start_probability=0.02)(torch.rand(1, 1, 64, 64)).logits).detach()
    assert float(probability.mean()) == pytest.approx(0.02, rel=0.3)


def test_parameters_by_hand():
    # Convolutions without bias; each normalisation has two numbers a channel; a shortcut where the width changes.
    stem, fine, coarse = 4 * 8 * 9, 2 * 8 * 8 * 9 + 32, (8 + 16) * 16 * 9 + 64 + 128
    up, head = (24 + 8) * 8 * 9 + 32 + 24 * 8, 36
    assert sum(p.numel() for p in small().parameters()) == stem + fine + coarse + up + head


def test_a_second_input_is_looked_at_when_it_is_asked_for():
    xray, prior = torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 32)
    one, two = small(), small(inputs=2)
    assert torch.equal(one(xray, prior).logits, one(xray).logits)
    assert not torch.equal(two(xray, prior).logits, two(xray).logits)
    assert torch.equal(two(xray, xray).logits, two(xray).logits)


def test_known_lesions_are_a_third_input():
    xray, prior = torch.rand(1, 1, 32, 32), torch.rand(1, 2, 32, 32)
    three = small(inputs=3)
    assert not torch.equal(three(xray, prior).logits, three(xray, prior.flip(1)).logits)
    with pytest.raises(GeometryError, match=r"\[B, 2, H, W\], and there is none"):
        three(xray)
    with pytest.raises(GeometryError, match=r"\[1, 1, 32, 32\] is not \[1, 2, 32, 32\]"):
        three(xray, xray)


@pytest.mark.parametrize("inputs", [2, 3])
def test_attention_is_the_sources_formula(inputs):
    """With α 0 nothing of the prior comes through; else features grow by 1 + α·σ(logits)."""
    xray, prior = torch.rand(2, 1, 33, 47), torch.rand(2, inputs - 1, 33, 47)
    model, alone = small(inputs=inputs, fusion="attention"), small()
    alone.load_state_dict({key: one for key, one in model.state_dict().items() if not key.startswith("attention")})
    output = model(xray, prior)
    assert output.attention.shape == (2, 1, 17, 24)
    assert not torch.equal(output.logits, alone(xray).logits)
    features, pixels = [torch.ones(2, 8, 16, 24), torch.ones(2, 16, 8, 12)], torch.rand(2, inputs - 1, 32, 48)
    fused, _ = model.attention(features, pixels)
    below = torch.nn.functional.pixel_unshuffle(pixels, 2)
    for number, one in enumerate(fused):
        below = model.attention.stages[number](torch.nn.functional.max_pool2d(below, 2) if number else below)
        expected = 1 + 0.3 * model.attention.maps[number](below).sigmoid()
        torch.testing.assert_close(one, expected.expand_as(one))
    for fusion in model.attention.fusions:
        torch.nn.init.zeros_(fusion.alpha)
    torch.testing.assert_close(model(xray, prior).logits, alone(xray).logits)


def test_attention_is_a_part_that_learns():
    model = small(inputs=3, fusion="attention").train()
    output = model(torch.rand(2, 1, 32, 32), torch.rand(2, 2, 32, 32))
    (output.logits.square().mean() + output.attention.square().mean()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    in_parts = [id(own) for part in model.parts().values() for own in part.parameters()]
    assert sorted(in_parts) == sorted(map(id, model.parameters()))
    assert "attention" in model.parts()
    assert "attention" not in small(inputs=3).parts()


def test_half_precision_stays_finite():
    model = small().to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.isfinite(model(torch.rand(1, 1, 64, 64)).logits).all()


def test_stages_and_blocks_have_to_fit():
    with pytest.raises(ConfigError, match="2 widths and 3 counts"):
        build_model("res_unet", {"widths": (8, 16), "blocks": (1, 1, 1)})
