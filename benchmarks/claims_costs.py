"""Multiply-accumulates and parameters of the networks that the sources name."""

import inspect
from collections.abc import Mapping
from typing import Any

from claims_facts import Fact, factor, number, plain
from torch import Tensor, nn

from hilum.models.catalogue import build_model
from hilum.models.macs import count_macs
from hilum.models.network import Network

BUILT = "none: the network, built"
RECEPTIVE = (7, 5, 3)
"""Kernels of source C's attention module."""
SLICE_NETWORKS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "unet": ("unet", {"widths": [64, 128, 256, 512], "stem": "full", "up": "bilinear", "norm": "none"}),
    "segnet": ("segnet", {"bias": True}),
    "enet": ("enet", {}),
    "skips": ("enet", {"skips": True}),
    "cbam": ("enet", {"skips": True, "cbam": True}),
    "slim": ("slim_unet", {}),
}
"""Source E's networks, as options of this house's, and this house's own."""
NAMES = {
    "unet": "the U-Net",
    "segnet": "SegNet",
    "enet": "ENet",
    "skips": "ENet with skips",
    "cbam": "ENet with skips and CBAM",
    "slim": "slim_unet",
}


def slice_network(key: str) -> Network:
    """One of `SLICE_NETWORKS`, from scratch; ENet without the bias of its head, which the source's hasn't."""
    network = build_model(*SLICE_NETWORKS[key])
    if network.parts()["head"].__class__ is nn.ConvTranspose2d:
        network.parts()["head"].bias = None
    return network.eval()


def parameters(network: nn.Module) -> int:
    return sum(one.numel() for one in network.parameters())


def summarised(network: Network, side: int) -> int:
    """What torchinfo calls multiply-adds of one square picture, and source E multiply-accumulates.

    Weights and biases of a convolution times the places of its *output*, of a transposed one too, where each weight is
    used at a quarter of them only; every other layer's numbers once a call.
    """
    total = 0

    def add(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        own = sum(one.numel() for one in layer.parameters(recurse=False))
        total += own * (output.shape[2:].numel() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) else 1)

    hooks = [layer.register_forward_hook(add) for layer in network.modules() if not [*layer.children()]]
    count_macs(network, (side, side))  # runs it on shapes alone
    for hook in hooks:
        hook.remove()
    return total


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
    networks = {key: slice_network(key) for key in SLICE_NETWORKS}
    counts = {key: parameters(one) for key, one in networks.items()}
    macs = {key: count_macs(one, (512, 512)).total for key, one in networks.items()}
    seen = {key: summarised(one, 256) for key, one in networks.items()}
    found = [number(f"costs-{key}-parameters", f"parameters of {NAMES[key]}", counts[key]) for key in networks]
    more = counts["cbam"] - counts["skips"]
    found.append(number("costs-cbam-more", "what CBAM adds in 16 bottlenecks, reduction 8", more))
    for side in (256, 512):
        what = f"multiply-accumulates at {side}² of"
        part = side**2 / 512**2
        found += [_mega(f"costs-{key}-{side}", f"{what} {NAMES[key]}", macs[key] * part) for key in networks]
    what = "multiply-adds at 256², as torchinfo counts, of"
    found += [_giga(f"costs-{key}-seen", f"{what} {NAMES[key]}", seen[key]) for key in ("unet", "segnet")]
    found += [_mega(f"costs-{key}-seen", f"{what} {NAMES[key]}", seen[key], 2) for key in ("enet", "skips", "cbam")]
    found += [
        _mega("costs-cbam-seen-more", "the same of what CBAM adds", seen["cbam"] - seen["skips"], 2),
        factor("costs-ratio", "source E: MACs of U-Net / ENet with CBAM and skips", 42.35e9 / 549.04e6, 1),
        factor("costs-ratio-here", "the same by the rule, at one size", macs["unet"] / macs["cbam"], 1),
        number("costs-field", "side of what source C's attention sees, pixels", receptive_field(RECEPTIVE)),
    ]
    return [Fact(one.name, one.what, one.value, one.shown, None, BUILT) for one in found] + _monai_facts()


def _mega(name: str, what: str, value: float, digits: int = 1) -> Fact:
    return Fact(name, what, value, f"{plain(value / 1e6, digits)} M")


def _giga(name: str, what: str, value: float) -> Fact:
    return Fact(name, what, value, f"{plain(value / 1e9, 2)} G")


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
