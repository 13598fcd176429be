"""Detections in LUNA16's files to FROC figures and a picture."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hilum.core import InputError
from hilum.core.figures import Figure
from hilum.core.geometry import Floats
from hilum.evaluate.bootstrap import require_draws
from hilum.io.json_file import read_json, write_json
from hilum.io.luna16 import DIAMETER, PROBABILITY, SeriesPoints, read_points, read_series_list
from hilum.io.text_file import write_bytes
from hilum.metrics.froc import (
    RATES,
    FalseFrom,
    Reading,
    average_precision,
    bootstrap_sensitivities,
    competition_performance,
    froc_curve,
    interval,
    resampled_curves,
    sensitivity_at,
    wafroc,
)
from hilum.metrics.luna16 import MARKS_A_SCAN, Judged, Places, judge
from hilum.report.froc import FrocPicture, froc_picture
from hilum.workflows.output import Run, is_done, output_folder, sha256_of

RULES = {"luna16": Reading.INTERPOLATED, "nearest": Reading.NEAREST}
"""How the curve is read; hits are LUNA16's under both."""

_PICTURE_RATES = np.geomspace(RATES[0], RATES[-1], 121)


@dataclass(frozen=True)
class FrocFiles:
    """LUNA16's files; only predictions and annotations have to be there.

    Attributes:
        predictions: marks with probabilities.
        annotations: nodules that have to be found, with diameters.
        excluded: findings on which marks don't count.
        seriesuids: the scans that count; None for those that the other files name.
    """

    predictions: Path
    annotations: Path
    excluded: Path | None = None
    seriesuids: Path | None = None

    @property
    def given(self) -> dict[str, Path]:
        """The files by name."""
        return {name: path for name, path in asdict(self).items() if path is not None}


@dataclass(frozen=True)
class FrocOptions:
    """How figures are taken.

    Attributes:
        rule: a key of `RULES`.
        bootstraps: draws of scans with replacement; 0 for no intervals.
        seed: of the draws.
    """

    rule: str = "luna16"
    bootstraps: int = 1000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class FrocInput:
    """The files as the rule takes them: series by number.

    Attributes:
        series: the scans that count.
        marks: predictions on these.
        nodules: annotations on these.
        excluded: excluded findings on these.
        notes: what was odd, each a sentence with its count.
    """

    series: tuple[str, ...]
    marks: Places
    nodules: Places
    excluded: Places
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class FrocResult:
    """Every figure of `froc.json`.

    Attributes:
        sensitivity: at each of the seven rates, with intervals.
        cpm: their mean.
        others: average precision, wAFROC and wAFROC1 without intervals; those that don't exist here are missing.
        judged: the marks after the rule.
        picture: the curve with its band.
        notes: what was odd.
    """

    sensitivity: dict[float, Figure]
    cpm: Figure
    others: dict[str, float]
    judged: Judged
    picture: FrocPicture
    notes: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True)
class FrocRun:
    """What `run_froc` left, and whether it was there already."""

    folder: Path
    content: dict[str, object]
    was_done: bool


def run_froc(files: FrocFiles, out: Path, options: FrocOptions | None = None, *, force: bool = False) -> FrocRun:
    """Judge predictions by LUNA16's rule; leaves `froc.json` and `froc.png` in `out`.

    Args:
        files: the tables.
        out: folder for the results.
        options: how the curve is read, and the bootstrap.
        force: replace what an earlier run of hilum left there.

    Raises:
        InputError: a file can't be used, an option is out of range, or no nodule lies on the scans.
        OutputError: `out` holds something else, or can't be written.
    """
    options = options or FrocOptions()
    _require(options)
    given = read_froc_files(files)
    run = Run("froc", {name: sha256_of(path) for name, path in files.given.items()}, asdict(options))
    if is_done(out, run) and not force:
        return FrocRun(out, read_json(out / "froc.json"), was_done=True)
    result = froc_figures(given, options)
    content = record(result, options)
    with output_folder(out, run, force=force) as folder:
        write_json(folder / "froc.json", content)
        write_bytes(folder / "froc.png", froc_picture(result.picture))
    return FrocRun(out, content, was_done=False)


def _require(options: FrocOptions) -> None:
    if options.rule not in RULES:
        raise InputError(f"a rule is {' or '.join(RULES)}, got {options.rule!r}.")
    require_draws(options.bootstraps)
    if options.seed < 0:
        raise InputError(f"a seed is a whole number from 0, got {options.seed}.")


def read_froc_files(files: FrocFiles) -> FrocInput:
    """The tables, with series as numbers; rows on other scans than those that count are left out and counted.

    Raises:
        InputError: a file can't be used, or no annotation lies on the scans.
    """
    predictions = read_points(files.predictions, PROBABILITY)
    annotations = read_points(files.annotations, DIAMETER)
    excluded = read_points(files.excluded, DIAMETER) if files.excluded else None
    tables = {"predictions": predictions, "annotations": annotations}
    tables |= {"excluded": excluded} if excluded else {}
    # A finding that is excluded twice is excluded; a nodule or mark that is listed twice counts twice.
    notes = [
        f"{name}: {table.repeated} rows repeat another; kept, so they count again"
        for name, table in tables.items()
        if table.repeated and table is not excluded
    ]
    series, said = _series(files, list(tables.values()))
    number = {uid: n for n, uid in enumerate(series)}
    placed = {name: _placed(table, number) for name, table in tables.items()}
    for name, table in tables.items():
        if beside := len(table.series) - len(placed[name].scan):
            others = len(set(table.series) - number.keys())
            notes.append(f"{name}: {beside} rows on {others} series that don't count here; left out")
    given = FrocInput(
        series, placed["predictions"], placed["annotations"], placed.get("excluded", Places.none()), (*said, *notes)
    )
    if not len(given.nodules.scan):
        raise InputError(
            f"{files.annotations} has no nodule on the {len(series)} scans that count, so there is no sensitivity.",
            "Check that annotations and series belong together.",
        )
    return replace(given, notes=(*given.notes, *_odd(given)))


def _series(files: FrocFiles, tables: Sequence[SeriesPoints]) -> tuple[tuple[str, ...], list[str]]:
    """The scans that count, and what there is to say about them."""
    if files.seriesuids is None:
        named = tuple(dict.fromkeys(uid for table in tables for uid in table.series))
        return named, [
            f"no list of series: the {len(named)} scans that the files name count; scans that none names are missing "
            "from the false positives a scan"
        ]
    listed = read_series_list(files.seriesuids)
    return listed.series, [f"seriesuids: {listed.repeated} lines repeat another; left out"] if listed.repeated else []


def _placed(table: SeriesPoints, number: dict[str, int]) -> Places:
    scan = np.array([number.get(uid, -1) for uid in table.series], dtype=np.intp)
    counts = scan >= 0
    return Places(scan[counts], table.centre_lps_mm[counts], table.value[counts])


def _odd(given: FrocInput) -> list[str]:
    """What a person may not have meant."""
    found = []
    if not len(given.marks.scan):
        found.append("predictions: no mark on the scans that count; every sensitivity is 0")
    if negative := int((given.nodules.value < 0).sum()):
        found.append(f"annotations: {negative} diameters are negative; taken as 10 mm")
    if zero := int((np.concatenate([given.nodules.value, given.excluded.value]) == 0).sum()):
        found.append(f"{zero} findings have a diameter of 0; no mark can be inside them")
    return found


def froc_figures(given: FrocInput, options: FrocOptions) -> FrocResult:
    """Every figure, computed.

    Raises:
        MeasureError: there is no nodule.
    """
    judged = judge(given.marks, given.nodules, given.excluded, len(given.series))
    reading = RULES[options.rule]
    curve = froc_curve(judged.found)
    values = sensitivity_at(curve, RATES, reading)
    wanted = np.concatenate([RATES, _PICTURE_RATES])
    drawn = bootstrap_sensitivities(resampled_curves(judged.found, options.bootstraps, options.seed), wanted, reading)
    drawn = drawn.reshape(-1, len(wanted))
    low, high = interval(drawn)
    cpm = competition_performance(values)
    cpm_low, cpm_high = interval(drawn[:, : len(RATES)].mean(axis=1))
    notes = list(given.notes)
    if judged.over_limit:
        notes.append(f"predictions: {judged.over_limit} marks beyond {MARKS_A_SCAN} a scan; left out by the rule")
    if lost := int(np.isnan(drawn[:, 0]).sum()):
        notes.append(f"{lost} bootstrap draws had no nodule; left out")
    n = len(given.nodules.scan)
    figure = Figure("cpm", cpm, float(cpm_low), float(cpm_high), n)
    return FrocResult(
        {
            rate: Figure(f"sensitivity_at_{rate:g}", float(value), float(low[k]), float(high[k]), n)
            for k, (rate, value) in enumerate(zip(RATES, values, strict=True))
        },
        figure,
        _others(judged),
        judged,
        _picture(sensitivity_at(curve, _PICTURE_RATES, reading), (low, high), figure, values, given),
        tuple(notes),
    )


def _others(judged: Judged) -> dict[str, float]:
    found = {"average_precision": average_precision(judged.found), "wafroc1": wafroc(judged.found, FalseFrom.ALL)}
    return found | ({"wafroc": wafroc(judged.found)} if (judged.found.lesions == 0).any() else {})


def _picture(
    sensitivity: Floats, bounds: tuple[Floats, Floats], cpm: Figure, values: Floats, given: FrocInput
) -> FrocPicture:
    low, high = (bound[len(RATES) :] for bound in bounds)
    has_band = bool(np.isfinite(low).all())
    words = f"CPM {cpm.value:.3f}" + (f" ({cpm.low:.3f}–{cpm.high:.3f})" if has_band else "")
    return FrocPicture(
        _PICTURE_RATES,
        sensitivity,
        low if has_band else None,
        high if has_band else None,
        dict(zip(RATES, values.tolist(), strict=True)),
        f"{cpm.n} nodules on {len(given.series)} scans, {len(given.marks.scan)} marks",
        words,
    )


def record(result: FrocResult, options: FrocOptions) -> dict[str, object]:
    """`froc.json` (schema hilum.froc/1)."""
    found = result.judged.found
    return {
        "schema": "hilum.froc/1",
        "rule": options.rule,
        "sensitivity": {f"{rate:g}": one.value for rate, one in result.sensitivity.items()},
        "sensitivity_interval": {
            f"{rate:g}": {"low": one.low, "high": one.high} for rate, one in result.sensitivity.items()
        },
        "cpm": {"value": result.cpm.value, "low": result.cpm.low, "high": result.cpm.high},
        "counts": result.judged.counts,
        "further": result.others,
        "scans": found.scans,
        "scans_without_nodule": int((found.lesions == 0).sum()),
        "nodules": int(found.lesions.sum()),
        "marks_inside_a_found_nodule_again": result.judged.doubles,
        "marks_over_limit": result.judged.over_limit,
        "bootstrap": {"unit": "scan", "samples": options.bootstraps, "seed": options.seed, "confidence": 0.95},
        "notes": result.notes,
    }


def summary(content: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What a person reads of `froc.json`: result lines, and notes."""
    cpm, counts = content["cpm"], content["counts"]
    # An unread bound is NaN before it was written and null after.
    has_interval = cpm["low"] is not None and math.isfinite(cpm["low"])
    between = f" ({cpm['low']:.3f}–{cpm['high']:.3f})" if has_interval else ""
    lines = [
        f"{content['nodules']} nodules on {content['scans']} scans: {counts['tp']} found, {counts['fn']} missed, "
        f"{counts['fp']} false marks, {counts['ignored']} on excluded findings",
        "false positives a scan  " + "  ".join(f"{rate:>5}" for rate in content["sensitivity"]),
        "sensitivity             " + "  ".join(f"{value:.3f}" for value in content["sensitivity"].values()),
        f"CPM {cpm['value']:.3f}{between}",
    ]
    return lines, list(content["notes"])
