"""Why a model marked what it did on X-rays or CT slices (`hilum explain`)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hilum.core import ConfigError, Explanation, Failure, HilumError, InputError
from hilum.core.mask import Selection
from hilum.datasets.prepared import index_of, read_prepared
from hilum.explain.explained import METHOD, ExplainOptions
from hilum.explain.sanity import SanityRule
from hilum.io import read_mask
from hilum.io.json_file import read_json, write_json
from hilum.io.raster import write_png
from hilum.io.text_file import write_bytes
from hilum.metrics.probability import STORED_LEVELS
from hilum.workflows.explain_sources import Asked, Explained, Ready, asked
from hilum.workflows.journal import Journal, finished_note, journalled, was_finished
from hilum.workflows.output import Run
from hilum.workflows.predict_case import hash_of
from hilum.workflows.predict_left import FAILED
from hilum.workflows.predict_options import PredictOptions
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
    """Explain what a model marks on chest X-rays or CT slices; leaves `explanations.json` and a folder a case in `out`.

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
    wanted = asked(inputs, request.predict, request.options)
    truths = _truths(inputs)
    run = _run(wanted, request, truths)
    if was_finished(out, run) and not force:
        return replace(_as_left(out), note=finished_note(out, run))
    ready = wanted.ready()
    with journalled(out, run, force=force) as journal:
        done = journal.entries()
        for key in track([one for one in wanted.places if one not in done], "explaining"):
            path = wanted.places[key]
            journal.add(key, _one(key, path, ready, truths.get(path), out))
        _finish(out, journal, wanted, ready)
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


def _run(wanted: Asked, request: ExplainRequest, truths: Mapping[Path, Path]) -> Run:
    known = {key: truths[path] for key, path in wanted.places.items() if path in truths}
    hashes = {f"{key} truth": hash_of(path) for key, path in known.items()}
    settings, made = {"method": METHOD, **asdict(request.options)}, wanted.run
    return replace(made, command="explain", inputs={**made.inputs, **hashes}, options={**made.options, **settings})


def _one(key: str, path: Path, ready: Ready, truth: Path | None, out: Path) -> dict[str, object]:
    """Explain one picture and write its folder; what the index says about it, or why it failed."""
    try:
        explained = ready.one(key)
        known = None if truth is None else _known(truth, explained.found)
        return _write(out / key, explained, known)
    except ConfigError:  # about the options, not the picture
        raise
    except HilumError as error:
        return {"failure": Failure(str(path), error.message, error.remedy)}


def _known(truth: Path, found: Explanation) -> Selection:
    mask: Selection = read_mask(truth).labels > 0
    if mask.shape != found.heat.shape:
        raise InputError(f"{truth} has {mask.shape} pixels, its picture {found.heat.shape}.", "Prepare the data anew.")
    return mask


def _write(folder: Path, explained: Explained, truth: Selection | None) -> dict[str, object]:
    """Leave `panel.png`, `map.png`, `explanation.json` and, where it was made, `sanity.png`; what the index says."""
    from hilum.report.explanation import explanation_picture, sanity_picture

    found, step_mm = explained.found, explained.step_mm
    write_png((found.heat * STORED_LEVELS).round().astype("uint16"), folder / "map.png")
    write_bytes(folder / "panel.png", explanation_picture(explained.image, found, step_mm, truth))
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
    case = {"schema": CASE_SCHEMA, **about, **named, "pixel_mm": step_mm}
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


def _finish(out: Path, journal: Journal, wanted: Asked, ready: Ready) -> None:
    entries = journal.entries()
    cases = [entries[key] for key in wanted.places if "failure" not in entries[key]]
    write_json(out / FAILED, [entry["failure"] for entry in entries.values() if "failure" in entry])
    index = {
        "schema": SCHEMA,
        "what": wanted.what,
        "provenance": ready.provenance,
        "method": METHOD,
        "layer": ready.layer,
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
