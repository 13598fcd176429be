"""A network as a graph in a file, ONNX or OpenVINO: pictures in, probabilities out, without hilum."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hilum.core import UnsupportedError
from hilum.infer.extras import require_packages
from hilum.infer.loaded import PriorWanted
from hilum.models.network import Network

SizeYx = tuple[int, int]

IMAGE, PRIOR, PROBABILITY = "image", "prior", "probability"
"""What a graph's inputs and its output are called."""
OPSET = 18
"""Of ONNX: the one that PyTorch writes without converting."""
TRACED = (128, 192)
"""Size of the picture that a graph of any size is traced with; its sides differ, so that none stands for the other."""


class ProbabilityGraph(nn.Module):
    """What a file holds: a network with its sigmoid, and for pictures of any size the padding before it.

    Networks pad inside only when a size is no multiple of their stride. In a graph nothing may depend on that, so the
    last row and column are repeated here, by a number that may be 0.
    """

    def __init__(self, network: Network, *, any_size: bool) -> None:
        super().__init__()
        self.network, self.any_size = network, any_size

    def forward(self, image: Tensor, prior: Tensor | None = None) -> Tensor:
        """Probabilities [B, 1, H, W] of pictures [B, 1, H, W], 0 to 1, and of what the network sees beside them."""
        if not self.any_size:
            return self.network(image, prior).logits.sigmoid()  # type: ignore[no-any-return]
        height, width = image.shape[-2:]
        beside = None if prior is None else self._padded(prior)
        logits: Tensor = self.network(self._padded(image), beside).logits
        return logits.sigmoid()[..., :height, :width]

    def _padded(self, image: Tensor) -> Tensor:
        for axis in (-2, -1):
            size, stride = image.shape[axis], self.network.stride
            places = torch.arange((size + stride - 1) // stride * stride).clamp(max=size - 1)
            image = image.index_select(axis, places)
        return image


def second_channels(network: Network, wants: PriorWanted) -> int:
    """How many images stand beside the picture as an input of the graph; 0 where it has none."""
    if wants.picture:
        return 1 + wants.lesions
    channels = network.config.prior_channels
    return 0 if wants.is_xray or 0 in channels else max(channels)


def write_onnx(network: Network, path: Path, channels: int = 0, size_yx: SizeYx | None = None) -> None:
    """Write a network as ONNX: `image` and, with second images, `prior` to `probability`, all float32 of any batch.

    Args:
        network: in evaluation mode, on the CPU.
        path: of the file.
        channels: of second images.
        size_yx: of all pictures; None for a graph that takes any.

    Raises:
        MissingError: a package of the extra `export` is not installed.
        UnsupportedError: PyTorch can't write this network so.
    """
    require_packages("a graph in ONNX", "onnx", "onnxscript", "onnxruntime")
    graph = ProbabilityGraph(network, any_size=size_yx is None).eval()
    height, width = size_yx or TRACED
    shown = (torch.zeros(2, 1, height, width), *([torch.zeros(2, channels, height, width)] if channels else []))
    names = [IMAGE, PRIOR][: len(shown)]
    try:
        with _silenced(), torch.no_grad():
            program = torch.onnx.export(
                graph,
                shown,
                dynamo=True,
                input_names=names,
                output_names=[PROBABILITY],
                dynamic_shapes={name: _free_axes(free=size_yx is None) for name in names},
                opset_version=OPSET,
                verbose=False,
            )
            assert program is not None  # noqa: S101 for the type checker
            program.save(str(path))
    except Exception as error:  # PyTorch's own tree of errors is not public
        raise _unsupported(network, error, size_yx) from error


def require_size_if_fixed(network: Network, size_yx: SizeYx | None) -> None:
    """Check that a network that a graph can hold for one size alone is given one.

    Raises:
        UnsupportedError: there is none. PyTorch would write it all the same, and it would fail on other sizes.
    """
    if size_yx is None and not network.any_size_in_a_graph:
        name = type(network).__name__
        raise UnsupportedError(f"a graph of {name} takes pictures of one size alone.", "Give it: --size HxW")


def _free_axes(*, free: bool) -> Mapping[int, Any]:
    axis = torch.export.Dim
    batch = {0: axis("batch")}
    return {**batch, 2: axis("height"), 3: axis("width")} if free else batch


def _unsupported(network: Network, error: Exception, size_yx: SizeYx | None) -> UnsupportedError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    how = "any size" if size_yx is None else f"{size_yx[0]}×{size_yx[1]} pixels"
    remedy = "Give one size: --size HxW" if size_yx is None else "Use it through hilum."
    return UnsupportedError(f"PyTorch can't write {type(network).__name__} for pictures of {how}: {reason}", remedy)


@contextmanager
def _silenced() -> Iterator[None]:
    """PyTorch's exporter tells on all channels how it gets on, and warns of its own deprecations."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def write_openvino(onnx: Path, path: Path) -> None:
    """Bring a graph in ONNX to OpenVINO's IR: `path` (.xml) and a file .bin beside it, numbers in float32.

    Raises:
        MissingError: OpenVINO is not installed.
    """
    require_packages("a graph of OpenVINO", "openvino")
    import openvino

    openvino.save_model(openvino.convert_model(onnx), path, compress_to_fp16=False)
