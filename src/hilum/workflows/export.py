"""A network for other programs: ONNX or OpenVINO, checked against the network itself (`hilum export`)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hilum.core import ConfigError, InputError, MeasureError
from hilum.infer.exported import FILES, RUNTIMES, Format, Graph, Precision, open_graph
from hilum.infer.extras import require_packages
from hilum.infer.graph import SizeYx, require_size_if_fixed, write_onnx, write_openvino
from hilum.infer.int8 import write_int8
from hilum.infer.loaded import WEIGHTS
from hilum.infer.parity import Check
from hilum.infer.subject import Subject, subject_of
from hilum.io.json_file import read_json, write_json
from hilum.models.catalogue import ModelConfig
from hilum.workflows.export_card import write_papers
from hilum.workflows.export_parity import DiceCost, Parity, Pictures, checks, dice_cost, pictures_for
from hilum.workflows.output import Run, is_done, output_folder
from hilum.workflows.profile import require_size
from hilum.workflows.track import Track, silently
from hilum.workflows.train_data import data_hash

PARITY = "parity.json"
MAX_DICE_LOSS = 0.01
"""What 8 bits may cost, as source E's aims have it."""


@dataclass(frozen=True)
class ExportOptions:
    """What is exported, and how.

    Attributes:
        format: "onnx" or "openvino".
        int8: whether kernels and features get 8 bits.
        data: data set that the model was trained on: training pictures set the scales of int8, validation pictures
            say what it costs.
        size_yx: the one that the graph takes; None for any.
        max_dice_loss: from which loss of Dice on an int8 graph is refused.
    """

    format: Format = "onnx"
    int8: bool = False
    data: Path | None = None
    size_yx: SizeYx | None = None
    max_dice_loss: float = MAX_DICE_LOSS

    def __post_init__(self) -> None:
        if self.size_yx is not None:
            require_size(self.size_yx)
        if self.int8 and self.data is None:
            raise InputError(
                "int8 needs pictures: of training for its scales, of validation for what it costs.",
                "Name the data set that the model was trained on: --data DATASET",
            )

    @property
    def precision(self) -> Precision:
        """Of the graph."""
        return "int8" if self.int8 else "float32"


@dataclass(frozen=True)
class Export:
    """What was exported.

    Attributes:
        folder: with the graph, `export.json`, `config.json`, `card.md` and `parity.json`.
        file: of the graph.
        parity: with the network.
        was_done: whether the folder held this result already.
    """

    folder: Path
    file: str
    parity: Mapping[str, Any]
    was_done: bool


def run_export(
    model: str, out: Path, options: ExportOptions | None = None, *, force: bool = False, track: Track = silently
) -> Export:
    """Write a network as a graph, and check it.

    Args:
        model: a network's name in the catalogue, a shipped model, or a trained one's folder.
        out: folder for the graph and its papers.
        options: see there.
        force: replace what an earlier run of hilum left there.
        track: shows how far it is.

    Raises:
        MissingError: there is no such model, or a package of the extra `export` is not installed.
        ConfigError: it is exported already, or int8 is asked of a network that marks nothing yet.
        UnsupportedError: the network can't be written so.
        MeasureError: the graph gives something else than the network, or int8 costs more than it may.
        OutputError: `out` holds something else, or can't be written.
    """
    options = options or ExportOptions()
    subject = subject_of(model)
    require_packages("hilum export", *_packages(options))
    _require_exportable(subject, options)
    run = _run(subject, options)
    if not force and is_done(out, run):
        return Export(out, FILES[options.format], read_json(out / PARITY), was_done=True)
    pictures = pictures_for(subject, options.data)
    with output_folder(out, run, force=force) as folder:
        parity = _written(subject, folder, options, pictures, track)
        write_papers(subject, folder, _graph(subject, folder, options), parity)
        write_json(folder / PARITY, parity)
    return Export(out, FILES[options.format], read_json(out / PARITY), was_done=False)


def _packages(options: ExportOptions) -> tuple[str, ...]:
    more = [*(["openvino"] if options.format == "openvino" else []), *(["nncf"] if options.int8 else [])]
    return ("onnx", "onnxscript", "onnxruntime", *more)


def _require_exportable(subject: Subject, options: ExportOptions) -> None:
    if subject.graph is not None:
        raise ConfigError(f"{subject.name} is exported already.", "Export the model that it came from.")
    if subject.network.gives_classes:
        raise ConfigError(
            f"{subject.name} gives pixels classes, and graphs are written of networks that mark nodules.",
            "Predict with the model itself: hilum predict FILMS OUT --model MODEL.",
        )
    require_size_if_fixed(subject.network, options.size_yx)
    if options.data is not None and "threshold" not in subject.config:
        raise ConfigError(
            f"{subject.name} marks nothing yet: it has no threshold, and was trained on no data set.",
            "Export it without --data and --int8, or a trained model (hilum models).",
        )


def _run(subject: Subject, options: ExportOptions) -> Run:
    settings = {name: value for name, value in asdict(options).items() if name != "data"}
    inputs: dict[str, str] = {}
    if subject.loaded is not None:
        inputs = {WEIGHTS: subject.loaded.weights_hash, "config": subject.loaded.config_hash}
    else:
        settings["network"] = ModelConfig(name=subject.name).plain()
    if options.data is not None:
        inputs["data"] = data_hash(options.data)
    return Run("export", inputs, settings)


def _graph(subject: Subject, folder: Path, options: ExportOptions) -> Graph:
    kind = options.format
    return Graph(folder / FILES[kind], kind, options.precision, subject.channels, options.size_yx)


def _written(subject: Subject, folder: Path, options: ExportOptions, pictures: Pictures, track: Track) -> Parity:
    """Write the graph's file; the one in float32 is made first, checked, and for int8 is what that is held against."""
    kind, place = options.format, FILES[options.format]
    with TemporaryDirectory(prefix="hilum-export-") as name:
        workshop = Path(name)
        exact = workshop / place if options.int8 else folder / place
        onnx = exact if kind == "onnx" else workshop / FILES["onnx"]
        write_onnx(subject.network, onnx, subject.channels, options.size_yx)
        if kind == "openvino":
            write_openvino(onnx, exact)
        graph = Graph(exact, kind, "float32", subject.channels, options.size_yx)
        found = checks(subject, open_graph(graph), pictures, options.size_yx)
        _require_same(subject.name, found, kind)
        parity = Parity.of(graph, pictures, found)
        if not options.int8:
            return parity
        write_int8(exact, folder / place, kind, pictures.calibration(options.size_yx))
        rounded = _graph(subject, folder, options)
        cost = dice_cost(subject, graph, rounded, pictures, track)
        _require_cheap(subject.name, cost, options.max_dice_loss)
        found = checks(subject, open_graph(rounded), pictures, options.size_yx)
        return Parity.of(rounded, pictures, found, cost)


def _require_same(name: str, found: Sequence[Check], kind: Format) -> None:
    for check in found:
        if not check.is_same:
            height, width = check.size_yx
            raise MeasureError(
                f"{name} in {RUNTIMES[kind]} is off by {check.max_difference:.2g} on {check.batch} × {height}x{width} "
                f"pixels, where {check.taken:.2g} is taken: it is not the same network.",
                "Try the other --format, or use it through hilum.",
            )


def _require_cheap(name: str, cost: DiceCost, most: float) -> None:
    if not cost.loss <= most:
        raise MeasureError(
            f"{name} loses {cost.loss:.4f} of Dice in int8 on {cost.cases} validation pictures; up to {most:g} is "
            f"taken (mean {cost.mean[0]:.4f} to {cost.mean[1]:.4f}, pooled {cost.pooled[0]:.4f} to "
            f"{cost.pooled[1]:.4f}).",
            "Leave --int8 out, or allow more with --max-dice-loss.",
        )
