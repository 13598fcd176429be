"""The networks for CT slices: their sizes by hand, what their options do, every size of picture."""

import pytest
import torch
from torch import nn

from hilum.core import ConfigError
from hilum.models.bottlenecks import Down, Middle, Regular, Up
from hilum.models.catalogue import build_model
from hilum.models.macs import count_macs
from tests.models.small import NAMES, narrow, picture

SOURCE_E = {
    "unet": ({"widths": (64, 128, 256, 512), "stem": "full", "up": "bilinear", "norm": "none"}, 7_781_761),
    "segnet": ({"bias": True}, 9_374_593),
    "enet": ({}, 348_852 + 1),  # a bias of the head
}


def numbers(network: nn.Module) -> int:
    return sum(own.numel() for own in network.parameters())


@pytest.mark.parametrize("name", SOURCE_E)
def test_the_description_has_the_parameters_that_source_e_counts(name):
    options, count = SOURCE_E[name]
    with torch.device("meta"):
        assert numbers(build_model(name, options)) == count


def test_cbam_in_sixteen_bottlenecks_adds_what_source_e_counts():
    with torch.device("meta"):
        without, with_cbam = (build_model("enet", {"skips": True, "cbam": cbam}) for cbam in (False, True))
    assert numbers(with_cbam) - numbers(without) == 430_052 - 360_628


def test_skips_add_two_1x1_convolutions_with_their_norms():
    with torch.device("meta"):
        plain, skips = (build_model("enet", {"skips": skip}) for skip in (False, True))
    assert numbers(skips) - numbers(plain) == 128 * 64 + 2 * 64 + 32 * 16 + 2 * 16


def test_the_papers_segnet_has_the_convolutions_of_vgg16():
    options = {"widths": (64, 128, 256, 512, 512), "convolutions": (2, 2, 3, 3, 3), "bias": True}
    with torch.device("meta"):
        network = build_model("segnet", options)
    convolutions = [layer for layer in network.encoder.modules() if isinstance(layer, nn.Conv2d)]
    assert len(convolutions) == 13
    weights = 9 * (64 + 64**2 + 64 * 128 + 128**2 + 128 * 256 + 2 * 256**2 + 256 * 512 + 5 * 512**2)
    assert sum(layer.weight.numel() for layer in convolutions) == weights


@pytest.mark.parametrize("name", [one for one in NAMES if one not in ("original", "improved", "unet_skip")])
def test_every_size_comes_back_from_a_pixel_on(name):
    network = narrow(name).eval()
    for size in ((1, 1), (1, 9), (7, 8), (130, 97)):
        with torch.no_grad():
            logits = network(picture(1, 1, *size)).logits
        assert logits.shape == (1, 1, *size)
        assert logits.isfinite().all()


@pytest.mark.parametrize("name", ["segnet", "enet", "slim_unet"])
def test_a_shift_of_a_whole_stride_shifts_the_logits(name):
    network = narrow(name, inputs=1, **({"cbam": False} if name == "enet" else {})).eval()
    wide = torch.nn.functional.pad(picture(1, 1, 16, 16), (96, 96, 96, 96), value=0.5)
    step = network.stride
    with torch.no_grad():
        straight, moved = network(wide).logits, network(wide.roll((step, 2 * step), (2, 3))).logits
    inner = (..., slice(64, -64), slice(64, -64))
    torch.testing.assert_close(straight.roll((step, 2 * step), (2, 3))[inner], moved[inner], rtol=1e-4, atol=1e-5)


def test_bottlenecks_that_say_nothing_pass_on_what_comes_in():
    x = picture(1, 8, 6, 4)
    for middle in (Middle(), Middle(dilation=4), Middle(asymmetric=True)):
        block = quiet(Regular(8, middle, "relu", 0.0))
        assert torch.equal(block(x), x)
    down = quiet(Down((8, 12), "relu", 0.0))(x)
    pool = nn.MaxPool2d(2, return_indices=True)
    assert torch.equal(down[:, :8], pool(x)[0])
    assert not down[:, 8:].any()
    up = quiet(Up((8, 8), "relu", 0.0))
    up.straight = nn.Identity()
    assert torch.equal(up(down[:, :8], x), nn.MaxUnpool2d(2)(*pool(x)))


def quiet(block: nn.Module) -> nn.Module:
    """The block with nothing from its learnt branch."""
    nn.init.zeros_(block.widen[1].weight)
    return block.eval()


def test_dropout_drops_in_training_alone_and_none_at_zero():
    image = picture(2, 1, 64, 64)
    for dropout, kinds in ((0.5, 4), (0.0, 1)):
        network = narrow("enet", dropout=dropout, cbam=False)
        with torch.no_grad():
            assert len({network(image).logits.sum().item() for _ in range(4)}) == kinds
            network.eval()
            assert len({network(image).logits.sum().item() for _ in range(4)}) == 1


def test_mish_and_relu_have_no_slopes_to_learn():
    slopes = {}
    for kind in ("prelu", "relu", "mish"):
        with torch.device("meta"):
            slopes[kind] = numbers(build_model("enet", {"activation": kind, "decoder_activation": kind}))
    assert slopes["relu"] == slopes["mish"]
    # Stem 1, down 4 each, 21 regular ones 4 each, 4 of them asymmetric with one more; up 4 each.
    regular = 4 + 16 + 3
    assert slopes["prelu"] - slopes["relu"] == 1 + 2 * 4 + regular * 4 + 4 + 2 * 4


def test_a_prior_costs_one_more_input_channel():
    macs = [count_macs(narrow("segnet", inputs=inputs), (16, 16)).total for inputs in (1, 2)]
    assert macs[1] - macs[0] == 16 * 16 * 9 * 4


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("segnet", {"widths": [8, 8]}, "2 widths and 4 counts"),
        ("enet", {"widths": [16, 8, 4]}, "never fall"),
        ("enet", {"widths": [3, 8, 8], "inputs": 3}, "above inputs"),
        ("enet", {"dropout": 1}, "dropout"),
        ("enet", {"activation": "elu"}, "activation"),
        ("swin_unetr", {"features": 20}, "features"),
        ("unet", {"up": "nearest"}, "up"),
        ("slim_unet", {"blocks": [1, 1]}, "5 widths and 2 counts"),
        ("slim_unet", {"widths": [8, 8], "blocks": [1, 0]}, "only the finest stage"),
    ],
)
def test_options_that_cannot_be_are_named(name, options, says):
    with pytest.raises(ConfigError, match=says):
        build_model(name, options)


def test_slim_unet_stays_below_the_budget():
    network = build_model("slim_unet")
    assert count_macs(network, (512, 512)).total <= 700e6
    assert numbers(network) * 4 < 5e6  # bytes


def test_slim_unet_sees_more_than_a_hundred_pixels_around_each():
    network = build_model("slim_unet", {"norm": "none"}).eval()
    image = picture(1, 1, 256, 256).requires_grad_()
    network(image).logits[0, 0, 128, 128].backward()
    assert image.grad is not None
    rows, columns = image.grad[0, 0].nonzero().T
    for seen in (rows, columns):
        assert seen.min() <= 128 - 100
        assert seen.max() >= 128 + 100


def test_slim_unets_decoder_adds_what_the_encoder_saw():
    network = narrow("slim_unet", inputs=1).eval()
    for narrowing in network.decoder.narrow:
        nn.init.zeros_(narrowing[1].weight)  # nothing comes from below
    image = picture(1, 1, 16, 16)
    finest = network.encoder(image)[0]
    with torch.no_grad():
        torch.testing.assert_close(network.decoder(network.encoder(image)), network.decoder.stages[0](finest))
