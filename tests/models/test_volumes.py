"""Networks of three axes: sizes by hand, every size of piece, gates, and what they share with those of two."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from hilum.core import ConfigError
from hilum.models.attention_unet3d import Gate
from hilum.models.blocks import folded, unfolded
from hilum.models.catalogue import build_model
from hilum.models.macs import count_macs
from hilum.models.network import Network, cropped, padded
from tests.models.small import VOLUMES, narrow, picture


def numbers(name: str, **options: object) -> int:
    with torch.device("meta"):
        return sum(own.numel() for own in build_model(name, options).parameters())


def unit(first: int, width: int, kernel: int = 3) -> int:
    """A convolution without bias, and two numbers a normalised channel."""
    return kernel**3 * first * width + 2 * width


def unet_by_hand(widths: tuple[int, ...], units: int, *, inputs: int, full: bool) -> int:
    count, into = 0, inputs
    for level, width in enumerate(widths):
        kernel = 1 if full and not level else 3
        count += unit(into, width) + (units - 1) * unit(width, width) + kernel**3 * into * width + width
        into = width
    for fine, coarse in pairwise(widths):
        count += unit(coarse, fine, 2) + unit(2 * fine, fine) + unit(fine, fine)
    return count + sum(width + 1 for width in widths[:-1])


@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize("stem", ["full", "stride2"])
def test_unet3d_by_hand(inputs, stem):
    widths = (32, 64, 128, 256, 512)
    found = numbers("unet3d", inputs=inputs, stem=stem, deep_supervision=True)
    assert found == unet_by_hand(widths, 3, inputs=inputs, full=stem == "full")


def attention_by_hand(widths: tuple[int, ...], inputs: int, *, gate_finest: bool) -> int:
    count, into = 0, inputs
    for width in widths:
        count, into = count + unit(into, width) + unit(width, width), width
    for level, (fine, coarse) in enumerate(pairwise(widths)):
        half = fine // 2
        gate = 8 * fine * half + (coarse + 1) * half + half + 1 + unit(fine, fine, 1)
        count += unit(coarse, fine) + unit(2 * fine, fine) + unit(fine, fine)
        count += gate if level or gate_finest else 0
    return count + sum(width + 1 for width in widths[:-1])


@pytest.mark.parametrize("gate_finest", [True, False])
def test_attention_unet3d_by_hand(gate_finest):
    found = numbers("attention_unet3d", inputs=2, gate_finest=gate_finest, deep_supervision=True)
    assert found == attention_by_hand((32, 64, 128, 256), 2, gate_finest=gate_finest)


def slim_by_hand(widths: tuple[int, ...], blocks: tuple[int, ...], inputs: int, fold: int) -> int:
    def block(first: int, width: int) -> int:
        return unit(first, width) + unit(width, width) + (first * width if first != width else 0)

    count, into = unit(inputs * fold**3, widths[0]), widths[0]
    for width, many in zip(widths, blocks, strict=True):
        count += sum(block(width if step else into, width) for step in range(many))
        into = width
    for fine, coarse in pairwise(widths):
        count += unit(coarse, fine, 1) + block(fine, fine)
    return count + (widths[0] + 1) * fold**3


@pytest.mark.parametrize("inputs", [1, 2])
def test_slim_unet3d_by_hand_and_small_enough(inputs):
    found = numbers("slim_unet3d", inputs=inputs)
    assert found == slim_by_hand((16, 32, 64, 96), (1, 1, 2, 1), inputs, 2) <= 1_500_000


@pytest.mark.parametrize("name", VOLUMES)
def test_every_size_comes_back_from_a_voxel_on(name):
    network = narrow(name).eval()
    for size in ((1, 1, 1), (1, 9, 2), (7, 8, 13), (25, 3, 40)):
        with torch.no_grad():
            output = network(picture(1, 1, *size))
        assert output.logits.shape == (1, 1, *size)
        assert output.logits.isfinite().all()
        for level, deep in enumerate(output.deep, start=1):
            step = 2**level * (2 if name == "unet3d" else 1)
            assert deep.shape[2:] == tuple(-(-length // step) for length in size)
    assert len(output.deep) == (0 if name == "slim_unet3d" else 1)


@pytest.mark.parametrize("name", VOLUMES)
def test_a_shift_of_a_whole_stride_shifts_the_logits(name):
    network = narrow(name, inputs=1, norm="batch").eval()
    step = network.stride
    wide = torch.full((1, 1, 48, 48, 48), 0.5)
    wide[..., 20:28, 20:28, 20:28] = picture(8, 8, 8)
    moves = ((step, 0, -step), (2, 3, 4))
    with torch.no_grad():
        straight, moved = network(wide).logits, network(wide.roll(*moves)).logits
    inner = (..., *(slice(18, 30),) * 3)
    torch.testing.assert_close(straight.roll(*moves)[inner], moved[inner], rtol=1e-4, atol=1e-5)


def test_padding_stays_at_the_corner():
    """Voxel (z, y, x) stays where it is; the last planes are repeated behind it."""
    image = picture(1, 2, 3, 5, 4)
    larger = padded(image, 4)
    assert larger.shape == (1, 2, 4, 8, 4)
    assert torch.equal(cropped(larger, image), image)
    assert torch.equal(larger[:, :, 3], larger[:, :, 2])
    assert torch.equal(larger[:, :, :, 7], larger[:, :, :, 4])
    assert padded(larger, 4) is larger


def test_cells_become_channels_and_come_back():
    image = picture(2, 3, 4, 6, 8)
    cells = folded(image, 2)
    assert cells.shape == (2, 24, 2, 3, 4)
    assert torch.equal(unfolded(cells, 2), image)
    assert torch.equal(cells[0, 8:16, 1, 2, 3], image[0, 1, 2:4, 4:6, 6:8].flatten())
    flat = picture(2, 3, 6, 8)
    assert torch.equal(unfolded(folded(flat, 2), 2), flat)
    assert torch.equal(folded(flat[:, :, None].repeat_interleave(2, 2), 2)[:, ::2, 0][:, :2], folded(flat, 2)[:, :4:2])


def test_a_gate_lets_through_between_nothing_and_all():
    gate = Gate((4, 8), "none").eval()
    skip, below = picture(1, 4, 6, 4, 8), picture(1, 8, 3, 2, 4)
    share = gate.coefficients(skip, below)
    assert share.shape == (1, 1, 6, 4, 8)
    assert 0 < share.min() < share.max() < 1
    for bias, expected in ((-100.0, 0.0), (100.0, 1.0)):
        nn.init.constant_(gate.psi.bias, bias)  # type: ignore[arg-type]
        torch.testing.assert_close(gate.coefficients(skip, below), torch.full((1, 1, 6, 4, 8), expected))
    assert torch.equal(gate(skip, below), gate.out(skip))


def test_a_gate_looks_at_what_is_above_and_below():
    gate = Gate((4, 8), "none").eval()
    skip, below = picture(1, 4, 4, 4, 4), picture(1, 8, 2, 2, 2)
    with torch.no_grad():
        plain = gate.coefficients(skip, below)
        assert not torch.equal(plain, gate.coefficients(1 - skip, below))
        assert not torch.equal(plain, gate.coefficients(skip, 1 - below))


def middle_is_reached(network: Network, side: int) -> list[tuple[int, int]]:
    """First and last voxel along each axis that the middle one's answer depends on."""
    image = picture(1, 1, side, side, side).requires_grad_()
    network(image).logits[(0, 0, *(side // 2,) * 3)].backward()
    assert image.grad is not None
    seen: Tensor = image.grad[0, 0]
    return [(int(places.min()), int(places.max())) for places in seen.nonzero().T]


def test_slim_unet3d_sees_a_nodule_of_30_mm_around_each_voxel():
    for low, high in middle_is_reached(build_model("slim_unet3d", {"norm": "none"}).eval(), 64):
        assert low <= 32 - 16
        assert high >= 32 + 15


def test_eight_times_the_voxels_cost_eight_times_as_much():
    for name in VOLUMES:
        network = narrow(name)
        assert count_macs(network, (32, 32, 32)).total == 8 * count_macs(network, (16, 16, 16)).total


def test_dropout_drops_in_training_alone():
    for name in VOLUMES:
        network = narrow(name, dropout=0.5, norm="group")
        with torch.no_grad():
            assert len({network(picture(1, 1, 16, 16, 16)).logits.sum().item() for _ in range(4)}) > 1
            network.eval()
            assert len({network(picture(1, 1, 16, 16, 16)).logits.sum().item() for _ in range(4)}) == 1


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("unet3d", {"widths": [8]}, "widths"),
        ("unet3d", {"units": 0}, "units"),
        ("unet3d", {"stem": "half"}, "stem"),
        ("attention_unet3d", {"dropout": 1.0}, "dropout"),
        ("slim_unet3d", {"blocks": [1, 1]}, "4 widths and 2 counts"),
    ],
)
def test_options_that_cannot_be_are_named(name, options, says):
    with pytest.raises(ConfigError, match=says):
        build_model(name, options)
