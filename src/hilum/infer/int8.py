"""Post-training quantisation of a graph to 8 bits, by NNCF: kernels a scale per channel, features a scale per layer."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from hilum.core import UnsupportedError
from hilum.infer.exported import Batch, Format
from hilum.infer.extras import require_packages
from hilum.infer.graph import IMAGE, PRIOR

Inputs = tuple[Batch, Batch | None]
"""A picture [1, 1, H, W], and what the network sees beside it."""


def write_int8(source: Path, path: Path, kind: Format, pictures: Sequence[Inputs]) -> None:
    """Quantise a graph (Jacob 2018: integer arithmetic for kernels and features) on pictures that it has learnt from.

    Features are quantised asymmetrically and kernels symmetrically (NNCF's preset "mixed"), since not every network's
    features are at least 0; biases are corrected for the mean error.

    Args:
        source: the graph in float32.
        path: of the file to write.
        kind: of both files.
        pictures: whose features set the scales.

    Raises:
        MissingError: a package of the extra `export` is not installed.
        UnsupportedError: NNCF can't quantise this graph.
    """
    require_packages("int8", "nncf", "openvino" if kind == "openvino" else "onnx")
    import nncf

    shown = [{IMAGE: image} if prior is None else {IMAGE: image, PRIOR: prior} for image, prior in pictures]
    graph = _read(source, kind)
    try:
        with _silenced():
            found: Any = nncf.quantize(
                graph, nncf.Dataset(shown), preset=nncf.QuantizationPreset.MIXED, subset_size=len(shown)
            )
    except Exception as error:  # NNCF's errors have no root of their own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UnsupportedError(f"NNCF can't quantise this network: {reason}", "Leave --int8 out.") from error
    _write(found, path, kind)


def _read(path: Path, kind: Format) -> Any:
    if kind == "onnx":
        import onnx

        return onnx.load(path)
    import openvino

    return openvino.Core().read_model(path)


def _write(graph: Any, path: Path, kind: Format) -> None:
    if kind == "onnx":
        import onnx

        onnx.save(graph, path)
        return
    import openvino

    openvino.save_model(graph, path, compress_to_fp16=False)


@contextmanager
def _silenced() -> Iterator[None]:
    logger = logging.getLogger("nncf")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            yield
    finally:
        logger.setLevel(level)
