"""What a picture costs a network: multiply-accumulates by rule, counted in two ways that have to agree."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from hilum.models.blocks import CONVOLUTIONS
from hilum.models.network import Network

RULE = "multiply-accumulates of convolutions, transposed convolutions, linear layers and products of attention"
"""What is counted. Biases, normalisations, activations, pooling, interpolation and element-wise sums are not."""


_Cost = tuple[int, int, int]
"""Multiply-accumulates, and numbers that are read and written."""


@dataclass(frozen=True)
class LayerMacs:
    """What one layer costs, all of its calls together.

    Attributes:
        name: as in `network.named_modules()`.
        kind: its class, such as "Conv2d".
        macs: multiply-accumulates.
        parameters: numbers that it learns, biases included.
        reads: numbers of features that go in.
        writes: that come out.
    """

    name: str
    kind: str
    macs: int
    parameters: int
    reads: int = 0
    writes: int = 0


@dataclass(frozen=True)
class MacCount:
    """What one picture costs, by `RULE`.

    Attributes:
        size: pixels of the picture along each axis.
        total: all multiply-accumulates: half of what PyTorch's counter of operations says.
        layers: every convolution and linear layer that was called, counted by hooks, in the network's own order.
    """

    size: tuple[int, ...]
    total: int
    layers: tuple[LayerMacs, ...]

    @property
    def in_layers(self) -> int:
        """The layers' sum."""
        return sum(layer.macs for layer in self.layers)

    @property
    def elsewhere(self) -> int:
        """What belongs to no layer: products of queries, keys and values."""
        return self.total - self.in_layers

    @property
    def per_pixel(self) -> float:
        """Multiply-accumulates for each pixel of the picture."""
        return self.total / math.prod(self.size)

    def heaviest(self, count: int) -> tuple[LayerMacs, ...]:
        """The layers that cost most, the costliest first."""
        return tuple(sorted(self.layers, key=lambda layer: -layer.macs)[:count])


def count_macs(network: Network, size: tuple[int, ...]) -> MacCount:
    """Count the multiply-accumulates of one picture [1, 1, *size], with a prior beside it where the network takes one.

    Nothing is computed: the network runs on tensors that have shapes only (the device "meta"), in evaluation mode, and
    is left as it was.

    Raises:
        GeometryError: a size that the network refuses.
    """
    channels = max(network.config.prior_channels)
    prior = torch.empty(1, channels, *size, device="meta") if channels else None
    inputs = (torch.empty(1, 1, *size, device="meta"), prior)
    shapes = {name: own.to("meta") for name, own in (*network.named_parameters(), *network.named_buffers())}
    called: dict[str, _Cost] = {}
    with _evaluating(network), _counted(network, called), torch.no_grad(), FlopCounterMode(display=False) as counter:
        functional_call(network, shapes, inputs)
    layers = tuple(
        LayerMacs(name, type(layer).__name__, called[name][0], _learned(layer), *called[name][1:])
        for name, layer in network.named_modules()
        if name in called
    )
    return MacCount(size, counter.get_total_flops() // 2, layers)


def _learned(layer: nn.Module) -> int:
    return sum(own.numel() for own in layer.parameters())


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; each module is in the mode that it was in afterwards."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _counted(network: nn.Module, called: dict[str, _Cost]) -> Iterator[None]:
    """Add to `called` what every convolution and linear layer costs, reads and writes whenever it is called."""

    def counting(name: str) -> object:
        def hook(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            macs, reads, writes = called.get(name, (0, 0, 0))
            called[name] = macs + _cost(layer, inputs[0], output), reads + inputs[0].numel(), writes + output.numel()

        return hook

    kinds = (*CONVOLUTIONS, nn.Linear)
    hooks = [
        layer.register_forward_hook(counting(name))  # type: ignore[arg-type]
        for name, layer in network.named_modules()
        if isinstance(layer, kinds)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _cost(layer: nn.Module, given: Tensor, output: Tensor) -> int:
    """Each number of a convolution's output is a sum over a kernel and its group's channels.

    A transposed convolution spreads each number of its input over a kernel and its group's channels instead.
    """
    if isinstance(layer, nn.Linear):
        return output.numel() * layer.in_features
    assert isinstance(layer, CONVOLUTIONS)  # noqa: S101 for the type checker
    transposed = isinstance(layer, nn.ConvTranspose2d | nn.ConvTranspose3d)
    numbers, across = (given, layer.out_channels) if transposed else (output, layer.in_channels)
    return numbers.numel() * (across // layer.groups) * math.prod(layer.kernel_size)
