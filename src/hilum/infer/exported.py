"""A folder with an exported network: what it holds, and how it is run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilum.core import ConfigError, UnreadableError
from hilum.infer.extras import require_packages
from hilum.infer.graph import IMAGE, PRIOR, PROBABILITY, SizeYx
from hilum.io.json_file import read_json

EXPORT, SCHEMA = "export.json", "hilum.export/1"
Format: TypeAlias = Literal["onnx", "openvino"]
Precision: TypeAlias = Literal["float32", "int8"]
Batch: TypeAlias = NDArray[np.float32]
FILES: Mapping[Format, str] = {"onnx": "model.onnx", "openvino": "model.xml"}
"""What the graph's file is called; OpenVINO's numbers lie beside it."""
RUNTIMES: Mapping[Format, str] = {"onnx": "onnxruntime", "openvino": "openvino"}


class Runner(Protocol):
    """A graph that is ready: probabilities [B, 1, H, W] of pictures and of what it sees beside them."""

    def __call__(self, image: Batch, prior: Batch | None = None) -> Batch:
        """Both float32; `prior` [B, 1 or 2, H, W] for a graph that takes one."""


@dataclass(frozen=True)
class Graph:
    """An exported network.

    Attributes:
        path: of its file.
        format: who runs it.
        precision: of its kernels and features.
        channels: of second images; 0 without.
        size_yx: the one that it takes; None for any.
    """

    path: Path
    format: Format
    precision: Precision = "float32"
    channels: int = 0
    size_yx: SizeYx | None = None


def read_graph(folder: Path) -> Graph:
    """What lies in an exported folder.

    Raises:
        UnreadableError: `export.json` or the graph's file is damaged or missing.
        ConfigError: it is of another kind.
    """
    stored = read_json(folder / EXPORT)
    schema = stored.get("schema") if isinstance(stored, Mapping) else None
    if schema != SCHEMA:
        raise ConfigError(f"{folder / EXPORT} is {schema!r}; {SCHEMA!r} was expected.", "Export the model again.")
    try:
        size, kind = stored["size_yx"], stored["format"]
        size_yx = None if size is None else (int(size[0]), int(size[1]))
        graph = Graph(folder / FILES[kind], kind, stored["precision"], int(stored["channels"]), size_yx)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ConfigError(
            f"{folder / EXPORT} doesn't say what the graph is: {error} is missing or wrong.", "Export the model again."
        ) from error
    if not graph.path.is_file():
        raise UnreadableError(f"{graph.path} is missing.", "Export the model again.")
    return graph


def open_graph(graph: Graph, threads: int = 1) -> Runner:
    """The graph, ready to run on the processor with so many threads.

    Raises:
        MissingError: what runs it is not installed.
        UnreadableError: its file is damaged.
    """
    require_packages(f"running {graph.path.name}", RUNTIMES[graph.format])
    opened = _in_onnxruntime if graph.format == "onnx" else _in_openvino
    try:
        return opened(graph.path, threads)
    except Exception as error:  # neither runtime has a public tree of errors
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UnreadableError(f"{graph.path} can't be run: {reason}", "Export the model again.") from error


def _inputs(image: Batch, prior: Batch | None) -> dict[str, Batch]:
    return {IMAGE: image} if prior is None else {IMAGE: image, PRIOR: prior}


def _in_onnxruntime(path: Path, threads: int) -> Runner:
    import onnxruntime

    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors alone
    session: Any = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(image: Batch, prior: Batch | None = None) -> Batch:
        found: Batch = session.run([PROBABILITY], _inputs(image, prior))[0]
        return found

    return run


def _in_openvino(path: Path, threads: int) -> Runner:
    import openvino

    # Without the hint processors that have AMX would compute in bfloat16.
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    compiled: Any = openvino.Core().compile_model(path, "CPU", settings)

    def run(image: Batch, prior: Batch | None = None) -> Batch:
        return np.array(compiled(_inputs(image, prior))[PROBABILITY], dtype=np.float32)

    return run
