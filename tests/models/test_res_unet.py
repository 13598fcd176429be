"""hilum's own network: sizes, where gradients go, and what its options mean."""

import pytest
import torch

from hilum.core import ConfigError
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


def test_half_precision_stays_finite():
    model = small().to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.isfinite(model(torch.rand(1, 1, 64, 64)).logits).all()


def test_stages_and_blocks_have_to_fit():
    with pytest.raises(ConfigError, match="2 widths and 3 counts"):
        build_model("res_unet", {"widths": (8, 16), "blocks": (1, 1, 1)})
