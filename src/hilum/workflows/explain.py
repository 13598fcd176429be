"""Why a model marked what it did on X-rays (`hilum explain`)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hilum.core import ConfigError, Explanation, Failure, HilumError, InputError, Radiograph
from hilum.core.mask import Selection
from hilum.datasets.prepared import index_of, read_prepared
from hilum.explain.explained import METHOD, ExplainOptions
from hilum.explain.sanity import SanityRule
from hilum.explain.xray import XrayExplainer
from hilum.infer.device import resolved_device
from hilum.infer.loaded import LoadedModel, load_model
from hilum.infer.xray import XrayOptions
from hilum.infer.xray_domain import XrayStyle
from hilum.io import read_mask
from hilum.io.json_file import read_json, write_json
from hilum.io.raster import write_png
from hilum.io.text_file import write_bytes
from hilum.metrics.probability import STORED_LEVELS
from hilum.workflows.journal import Journal, finished_note, journalled, was_finished
from hilum.workflows.output import Run, sha256_of
from hilum.workflows.predict import (
    DEFAULT,
    DEFAULT_XRAY,
    FAILED,
    PredictOptions,
    XraySource,
    predict_run,
    read_source,
    xray_sources,
)
from hilum.workflows.predict_prior import with_priors
from hilum.workflows.track import Track, silently

SCHEMA, CASE_SCHEMA = "hilum.explanations/1", "hilum.explanation/1"
INDEX, CASE = "explanations.json", "explanation.json"
UNITS = {
    "map": "share of the map's highest value; map.png: 65535 = 1",
    "highest": "logits: the gradient of the target by a channel, averaged over all cells, times the channel, summed",
    "cell_px": "rows and columns of the picture that one cell of the layer stands for",
    "rank_correlations": "Spearman's, -1 to 1, of the layer's cells; null where a map is the same everywhere",
    "similarities": "SSIM, -1 to 1, on the picture",
}


@dataclass(frozen=True)
class ExplainRequest:
    """What is explained, and how.

    Attributes:
        predict: the model, and what the pictures are.
        layer: whose features are looked at; None takes the encoder's last stage.
        sanity: whether the check by weight randomisation is made.
        seed: of its random weights.
    """

    predict: PredictOptions = field(default_factory=PredictOptions)
    layer: str | None = None
    sanity: bool = False
    seed: int = 0

    @property
    def options(self) -> ExplainOptions:
        """How one picture is explained."""
        return ExplainOptions(self.layer, SanityRule(seed=self.seed) if self.sanity else None)


@dataclass(frozen=True)
class ExplainedXrays:
    """What was explained.

    Attributes:
        folder: with `explanations.json` and a folder a case.
        index: what `explanations.json` says.
        failures: inputs that could not be explained.
        was_done: whether the folder held this result already.
        note: that other code of hilum has made some of it; "" when it hasn't.
    """

    folder: Path
    index: Mapping[str, Any] = field(repr=False)
    failures: tuple[Failure, ...] = ()
    was_done: bool = False
    note: str = ""


def run_explain(
    inputs: Sequence[Path],
    out: Path,
    request: ExplainRequest | None = None,
    *,
    force: bool = False,
    track: Track = silently,
) -> ExplainedXrays:
    """Explain what a model marks on chest X-rays; leaves `explanations.json` and a folder a case in `out`.

    A killed run goes on where it was.

    Args:
        inputs: pictures, DICOM files, folders of them, or a prepared data set.
        out: folder for the results.
        request: see there.
        force: replace what an earlier run of hilum left there.
        track: shows how far it is.

    Raises:
        InputError: there is nothing to explain, or no such split.
        MissingError: there is no such model.
        ConfigError: no such layer or device, or an earlier X-ray is missing or given in vain.
        OutputError: `out` holds something else, or can't be written.
    """
    request = request or ExplainRequest()
    name = DEFAULT_XRAY if request.predict.model == DEFAULT else request.predict.model
    sources = with_priors(xray_sources(inputs, request.predict), name)
    truths = _truths(inputs)
    run = _run(sources, name, request, truths)
    if was_finished(out, run) and not force:
        return replace(_as_left(out), note=finished_note(out, run))
    model = load_model(name)
    explainers = _explainers(model, sources, request)
    with journalled(out, run, force=force) as journal:
        done = journal.entries()
        for source in track([one for one in sources if one.key not in done], "explaining"):
            journal.add(source.key, _one(source, explainers[source.style], truths.get(source.path), out))
        _finish(out, journal, sources, next(iter(explainers.values())))
        journal.finish(run)
    return replace(_as_left(out), was_done=False, note=journal.note)


def _truths(inputs: Sequence[Path]) -> dict[Path, Path]:
    """The true mask of each picture of a data set that has masks."""
    found: dict[Path, Path] = {}
    for path in inputs:
        if not index_of(path).is_file():
            continue
        data = read_prepared(path)
        name = data.truth_name()
        if not data.is_points(name):
            found |= {case.image: case.truth for case in data.cases(name) if case.image is not None}
    return found


def _run(sources: Sequence[XraySource], model: str, request: ExplainRequest, truths: Mapping[Path, Path]) -> Run:
    made = predict_run(sources, model, request.predict)
    known = {one.key: truths[one.path] for one in sources if one.path in truths}
    hashes = {f"{key} truth": sha256_of(path) if path.is_file() else "missing" for key, path in known.items()}
    settings = {"method": METHOD, **asdict(request.options)}
    return replace(made, command="explain", inputs={**made.inputs, **hashes}, options={**made.options, **settings})


def _explainers(
    model: LoadedModel, sources: Sequence[XraySource], request: ExplainRequest
) -> dict[XrayStyle, XrayExplainer]:
    """The model for pictures of each style."""
    device, threshold = resolved_device(request.predict.device), request.predict.threshold
    styles = dict.fromkeys(source.style for source in sources)
    return {
        style: XrayExplainer(model, XrayOptions(style, threshold, device=device), request.options) for style in styles
    }


def _one(source: XraySource, explainer: XrayExplainer, truth: Path | None, out: Path) -> dict[str, object]:
    """Explain one X-ray and write its folder; what the index says about it, or why it failed."""
    try:
        xray, earlier = read_source(source)
        known = None if truth is None else _known(truth, xray)
        found = explainer(source.key, xray, earlier)
        return _write(out / source.key, xray, found, known)
    except ConfigError:  # about the options, not the picture
        raise
    except HilumError as error:
        return {"failure": Failure(str(source.path), error.message, error.remedy)}


def _known(truth: Path, xray: Radiograph) -> Selection:
    mask: Selection = read_mask(truth).labels > 0
    if mask.shape != xray.array.shape:
        raise InputError(f"{truth} has {mask.shape} pixels, its X-ray {xray.array.shape}.", "Prepare the data anew.")
    return mask


def _write(folder: Path, xray: Radiograph, found: Explanation, truth: Selection | None) -> dict[str, object]:
    """Leave `panel.png`, `map.png`, `explanation.json` and, where it was made, `sanity.png`; what the index says."""
    from hilum.report.explanation import explanation_picture, sanity_picture

    write_png((found.heat * STORED_LEVELS).round().astype("uint16"), folder / "map.png")
    write_bytes(folder / "panel.png", explanation_picture(xray.array, found, xray.pixel_mm, truth))
    sanity, checked = found.sanity, None
    if sanity is not None:
        write_bytes(folder / "sanity.png", sanity_picture(sanity))
        checked = {"passes": sanity.passes, "left": sanity.left, "floor": sanity.floor, "verdict": sanity.verdict}
    about: dict[str, object] = {
        "key": found.key,
        "marked": int(found.marked.any()),
        "target": found.target,
        "sanity": checked,
        "truth": None if truth is None else pointing(found, truth),
        "notes": found.notes,
    }
    named = {"method": found.method, "layer": found.layer, "cell_px": found.cell_px, "highest": found.highest}
    steps = None if sanity is None else {**(checked or {}), **asdict(sanity)}
    case = {"schema": CASE_SCHEMA, **about, **named, "pixel_mm": xray.pixel_mm}
    write_json(folder / CASE, {**case, "sanity": steps, "units": UNITS, "provenance": found.provenance})
    return about


def pointing(found: Explanation, truth: Selection) -> dict[str, object] | None:
    """The pointing game (Zhang 2018) without its tolerance, and two rivals; None where there is nothing to point at.

    Returns:
        Whether the map's hottest pixel is in the truth, whether the pixel with the highest score is, which share of the
        picture is truth (what chance reaches), and which share of the map's sum lies there. None for a map of zeros.
    """
    if not truth.any():
        return None
    heat, total = found.heat, float(found.heat.sum())
    return {
        "hottest_in": bool(truth.flat[int(np.argmax(heat))]) if total > 0 else None,
        "likeliest_in": bool(truth.flat[int(np.argmax(found.probability))]),
        "area_share": float(truth.mean()),
        "heat_share": float(heat[truth].sum()) / total if total > 0 else None,
    }


def _finish(out: Path, journal: Journal, sources: Sequence[XraySource], explainer: XrayExplainer) -> None:
    entries = journal.entries()
    cases = [entries[one.key] for one in sources if "failure" not in entries[one.key]]
    write_json(out / FAILED, [entry["failure"] for entry in entries.values() if "failure" in entry])
    index = {
        "schema": SCHEMA,
        "provenance": explainer.provenance,
        "method": METHOD,
        "layer": explainer.layer,
        "summary": _summary(cases),
        "cases": cases,
    }
    write_json(out / INDEX, index)


def _summary(cases: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """Counts over the cases: what passed the check, and of those with a truth how often the hottest pixel is in it."""
    checks = [case["sanity"]["passes"] for case in cases if case["sanity"] is not None]
    pointed = [case["truth"] for case in cases if case["truth"] is not None]
    shares = [one["area_share"] for one in pointed]
    return {
        "cases": len(cases),
        "marked": sum(case["marked"] for case in cases),
        "sanity": {"passed": checks.count(True), "failed": checks.count(False), "undecided": checks.count(None)},
        "pointing": {
            "cases": len(pointed),
            "hottest_in": sum(one["hottest_in"] is True for one in pointed),
            "likeliest_in": sum(one["likeliest_in"] for one in pointed),
            "by_chance": sum(shares) if shares else None,
        },
    }


def _as_left(out: Path) -> ExplainedXrays:
    """What a finished run's folder says."""
    failures = tuple(Failure(one["input"], one["error"], one["remedy"]) for one in read_json(out / FAILED))
    return ExplainedXrays(out, read_json(out / INDEX), failures, was_done=True)
