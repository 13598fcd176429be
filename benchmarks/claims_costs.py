"""Multiply-accumulates and parameters of the networks that the sources name, counted layer by layer."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass

from claims_facts import Fact, factor, number, plain

ANALYTIC = "none: counted layer by layer"
RECEPTIVE = (7, 5, 3)
"""Kernels of source C's attention module."""


@dataclass(frozen=True)
class Layer:
    """A convolution as what it costs: weights, learnt numbers beside them, and output positions per input pixel."""

    weights: int
    extra: int
    positions: float


def macs(layers: tuple[Layer, ...], side: int) -> float:
    """Multiply-accumulates of one square image; biases, norms and activations are not counted."""
    return sum(layer.weights * layer.positions for layer in layers) * side**2


def parameters(layers: tuple[Layer, ...]) -> int:
    return sum(layer.weights + layer.extra for layer in layers)


def unet(widths: tuple[int, ...] = (32, 64, 128, 256, 512)) -> tuple[Layer, ...]:
    """The 2D U-Net: one channel in and out, two 3×3 convolutions a stage (bias, batch norm), 2×2 transposed ones up."""
    found, channels = [], 1
    for stage, width in enumerate(widths):
        found += _double(channels, width, 4.0**-stage)
        channels = width
    for stage in range(len(widths) - 2, -1, -1):
        width = widths[stage]
        # A 2×2 transposed convolution of stride 2 uses each weight once for each of its input positions.
        found.append(Layer(4 * channels * width, width, 4.0 ** -(stage + 1)))
        found += _double(2 * width, width, 4.0**-stage)
        channels = width
    return (*found, Layer(channels, 1, 1.0))


def _double(channels: int, width: int, positions: float) -> list[Layer]:
    return [Layer(9 * first * width, 3 * width, positions) for first in (channels, width)]


def enet() -> tuple[Layer, ...]:
    """ENet (Paszke 2016) with one channel in and out, no biases, batch norm, PReLU with one number each."""
    found = [Layer(9 * 15, 2 * 16 + 1, 1 / 4)]
    found += [*_down(16, 64, 1 / 16), *(layer for _ in range(4) for layer in _regular(64, 1 / 16, 9))]
    found += _down(64, 128, 1 / 64)
    for _ in range(2):
        for kernel in (9, 9, 10, 9, 9, 9, 10, 9):
            found += _regular(128, 1 / 64, kernel)
    found += [*_up(128, 64, 1 / 16), *_regular(64, 1 / 16, 9), *_regular(64, 1 / 16, 9)]
    found += [*_up(64, 16, 1 / 4), *_regular(16, 1 / 4, 9)]
    return (*found, Layer(9 * 16, 0, 1 / 4))


def _regular(width: int, positions: float, kernel: int) -> Iterator[Layer]:
    """1×1, then 3×3 (or 5×1 and 1×5: ten weights, one more norm), then 1×1."""
    inner = width // 4
    yield Layer(width * inner, 2 * inner + 1, positions)
    if kernel == 10:
        yield Layer(5 * inner * inner, 2 * inner + 1, positions)
        kernel = 5
    yield Layer(kernel * inner * inner, 2 * inner + 1, positions)
    yield Layer(inner * width, 2 * width + 2, positions)


def _down(width: int, out: int, positions: float) -> Iterator[Layer]:
    inner = width // 4
    yield Layer(4 * width * inner, 2 * inner + 1, positions)
    yield Layer(9 * inner * inner, 2 * inner + 1, positions)
    yield Layer(inner * out, 2 * out + 2, positions)


def _up(width: int, out: int, positions: float) -> Iterator[Layer]:
    inner = width // 4
    yield Layer(width * out, 2 * out, positions / 4)
    yield Layer(width * inner, 2 * inner + 1, positions / 4)
    yield Layer(4 * inner * inner, 2 * inner + 1, positions / 4)
    yield Layer(inner * out, 2 * out + 2, positions)


def receptive_field(kernels: tuple[int, ...]) -> int:
    """Pixels along one side that a stack of convolutions of stride 1 sees."""
    return 1 + sum(kernel - 1 for kernel in kernels)


def monai_parameters() -> dict[str, int]:
    """Source B's three 3D networks, built by MONAI as its code says."""
    from monai.networks.nets.attentionunet import AttentionUnet
    from monai.networks.nets.unet import UNet

    now = UNet(3, 1, 1, channels=(16, 32, 64, 128), strides=(2, 2, 2), num_res_units=2)
    wide = UNet(3, 1, 1, channels=(32, 64, 128, 256, 512), strides=(2, 2, 2, 2), num_res_units=3, dropout=0.3)
    attention = AttentionUnet(3, 1, 1, channels=(32, 64, 128, 256), strides=(2, 2, 2))
    return {
        name: sum(one.numel() for one in network.parameters())
        for name, network in (("now", now), ("wide", wide), ("attention", attention))
    }


def takes_focal_weight() -> bool:
    """Whether MONAI's DiceFocalLoss has the argument that source B gives it."""
    from monai.losses.dice import DiceFocalLoss

    return "focal_weight" in inspect.signature(DiceFocalLoss).parameters


def cost_facts() -> list[Fact]:
    u, e = unet(), enet()
    found = [
        number("costs-unet-parameters", "parameters of a plain U-Net, widths 32 … 512", parameters(u), 0),
        number("costs-enet-parameters", "parameters of ENet", parameters(e), 0),
    ]
    sides, what = (256, 480, 512), "multiply-accumulates of that"
    found += [_giga(f"costs-unet-{side}", f"{what} U-Net at {side}²", macs(u, side)) for side in sides]
    found += [_mega(f"costs-enet-{side}", f"{what} ENet at {side}²", macs(e, side)) for side in sides]
    side_u, side_e = (42.35e9 / macs(u, 1)) ** 0.5, (490.92e6 / macs(e, 1)) ** 0.5
    found += [
        number("costs-unet-side", "side at which the U-Net has source E's 42.35 G", side_u, 0),
        number("costs-enet-side", "side at which ENet has source E's 490.92 M", side_e, 0),
        factor("costs-ratio", "source E: MACs of U-Net / ENet with CBAM and skips", 42.35e9 / 549.04e6, 1),
        factor("costs-ratio-here", "the same at one size: U-Net / ENet", macs(u, 1) / macs(e, 1), 1),
        number("costs-field", "side of what source C's attention sees, pixels", receptive_field(RECEPTIVE)),
    ]
    return [Fact(one.name, one.what, one.value, one.shown, None, ANALYTIC) for one in found] + _monai_facts()


def _giga(name: str, what: str, value: float) -> Fact:
    return Fact(name, what, value, f"{plain(value / 1e9, 2)} G")


def _mega(name: str, what: str, value: float) -> Fact:
    return Fact(name, what, value, f"{plain(value / 1e6, 1)} M")


def _monai_facts() -> list[Fact]:
    import monai

    on = f"none: built with MONAI {monai.__version__}"
    counts = monai_parameters()
    what = {
        "now": "parameters of source B's present U-Net (two residual units a stage)",
        "wide": "parameters of its option A",
        "attention": "parameters of its option B, the attention U-Net",
    }
    found = [number(f"costs-3d-{key}", what[key], value, 0, None, on) for key, value in counts.items()]
    text = "arguments named focal_weight of DiceFocalLoss, which source B's snippet uses"
    return [*found, number("costs-focal-weight", text, takes_focal_weight(), 0, None, on)]
