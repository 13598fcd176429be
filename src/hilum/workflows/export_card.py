"""What lies beside an exported graph, so that others can use it: `export.json`, `config.json` and the card."""

from pathlib import Path
from typing import Any

from hilum import __version__
from hilum.datasets.slice_point import SIGMA_MM
from hilum.infer.exported import EXPORT, SCHEMA, Graph
from hilum.infer.graph import IMAGE, OPSET, PRIOR, PROBABILITY
from hilum.infer.loaded import CARD, CONFIG, model_folder
from hilum.infer.loaded import SCHEMA as MODEL_SCHEMA
from hilum.infer.subject import Subject
from hilum.io.json_file import write_json
from hilum.io.text_file import write_text
from hilum.models.catalogue import ModelConfig
from hilum.workflows.export_parity import Parity

DOMAINS = {
    "xray": "frontal chest X-rays in the style of the published pairs: cut at percentiles 1 and 99, equalised tile by "
    "tile, head up, the patient's right on the left; hilum.infer.xray_domain.xray_input brings any radiograph there",
    "slices": "axial CT slices on hilum's one scale of brightness; hilum.datasets.slice_scale.canonical brings HU and "
    "pictures of 8 bit there",
}
"""What a trained network has to be shown, by the kind of its data."""
_POINT = (
    "; prior is where the nodule is: exp(-d²/(2 σ²)) of the distance d to the point, σ = "
    f"{SIGMA_MM:g} mm, or zeros where nobody says"
)
_UNTRAINED = "anything: the weights are random numbers"


def write_papers(subject: Subject, folder: Path, graph: Graph, parity: Parity) -> None:
    """Write `export.json`, `config.json` and `card.md`."""
    facts = _facts(subject, graph)
    write_json(folder / EXPORT, facts)
    write_json(folder / CONFIG, subject.config or _untrained(subject))
    write_text(folder / CARD, f"{_own_card(subject)}\n{_section(graph, facts, parity)}")


def _facts(subject: Subject, graph: Graph) -> dict[str, Any]:
    height, width = graph.size_yx or ("height", "width")
    inputs: dict[str, list[Any]] = {IMAGE: ["batch", 1, height, width]}
    if graph.channels:
        inputs[PRIOR] = ["batch", graph.channels, height, width]
    data = subject.config.get("config", {}).get("data", {})
    kind = data.get("kind", "xray") if subject.config else ""
    return {
        "schema": SCHEMA,
        "model": subject.name,
        "format": graph.format,
        "precision": graph.precision,
        "file": graph.path.name,
        "opset": OPSET if graph.format == "onnx" else None,
        "inputs": inputs,
        "outputs": {PROBABILITY: ["batch", 1, height, width]},
        "type": "float32",
        "channels": graph.channels,
        "size_yx": graph.size_yx,
        "range": [0, 1],
        "domain": DOMAINS.get(kind, _UNTRAINED) + (_POINT if data.get("point_share") else ""),
        "pixel_mm": data.get("pixel_mm"),
        "threshold": subject.config.get("threshold", {}).get("value"),
        "weights_hash": subject.loaded.weights_hash if subject.loaded else None,
        "hilum": __version__,
    }


def _untrained(subject: Subject) -> dict[str, Any]:
    return {"schema": MODEL_SCHEMA, "hash": "", "config": {"model": ModelConfig(name=subject.name)}}


def _own_card(subject: Subject) -> str:
    """The trained model's own card."""
    if subject.loaded is None:
        return f"# {subject.name}\n\nA network from scratch: its weights are random numbers; it marks nothing of use.\n"
    path = model_folder(subject.place) / CARD
    return path.read_text(encoding="utf-8") if path.is_file() else f"# {subject.name}\n"


def _section(graph: Graph, facts: dict[str, Any], parity: Parity) -> str:
    pixel = f"{facts['pixel_mm']:g} mm a pixel" if facts["pixel_mm"] else "pixels of any size"
    threshold = f"{facts['threshold']:g}" if facts["threshold"] is not None else "none"
    cost = ""
    if parity.dice is not None:
        dice = parity.dice
        cost = (
            f"\n- int8, scales from {dice.calibration} training pictures: Dice on {dice.cases} validation pictures "
            f"{dice.mean[0]:.4f} → {dice.mean[1]:.4f} (mean), {dice.pooled[0]:.4f} → {dice.pooled[1]:.4f} (pooled)"
        )
    return (
        f"## Exported\n\n- `{graph.path.name}`: {graph.format}, {graph.precision}; input `{IMAGE}` "
        f"[{', '.join(map(str, facts['inputs'][IMAGE]))}] float32, 0 to 1, dense is bright; output `{PROBABILITY}`\n"
        f"- input: {facts['domain']}; {pixel}\n- marked from a score of {threshold} on\n"
        f"- beside PyTorch, on {parity.inputs}: probabilities differ by {parity.max_difference:.1e} at most, "
        f"{parity.mean_difference:.1e} on average{cost}\n"
    )
