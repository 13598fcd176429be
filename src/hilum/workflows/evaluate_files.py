"""What an evaluation leaves: `evaluation.json`, `cases.csv`, `failures.json`, pictures, `report.html`."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum import __version__
from hilum.core import Failure
from hilum.core.evaluation import Evaluation, Group, ReaderYardstick, Temperature, Threshold
from hilum.core.figures import Figure
from hilum.core.films import FilmFigures
from hilum.evaluate.candidates import CANDIDATES
from hilum.evaluate.case_lesions import LesionResult
from hilum.evaluate.cases import JudgeRule, with_pixels
from hilum.evaluate.changes import FEWEST, RIM_MM
from hilum.evaluate.curves import Curves, curves
from hilum.evaluate.points import PointRule
from hilum.evaluate.recommend import recommendations
from hilum.io import read_json, write_json
from hilum.io.text_file import write_bytes, write_text
from hilum.report.changes import changes_section
from hilum.report.evaluation import EvaluationReport, evaluation_page
from hilum.report.films import film_section
from hilum.report.free_response import free_response_section
from hilum.report.page import Picture, render
from hilum.workflows.changes_table import CHANGES, changes_table
from hilum.workflows.evaluate_case import CaseJob, predicted_mask
from hilum.workflows.evaluate_changes import change_pictures, shown_keys
from hilum.workflows.evaluate_data import TruthSource
from hilum.workflows.evaluate_lesion_pictures import (
    free_response_parts_picture,
    free_response_picture,
    point_example_pictures,
)
from hilum.workflows.evaluate_marks import MarksFrom
from hilum.workflows.evaluate_pictures import curve_pictures, example_pictures
from hilum.workflows.evaluate_predictions import INDEX, Reading
from hilum.workflows.evaluate_read import CASES, EVALUATION, SCHEMA, read_evaluation
from hilum.workflows.lesions_table import LESIONS, lesions_table
from hilum.workflows.marks_table import MARKS, marks_table
from hilum.workflows.track import Track

FAILED, REPORT = "failures.json", "report.html"
_LISTED = 5


@dataclass(frozen=True, eq=False)
class EvaluateRun:
    """What a run left.

    Attributes:
        folder: where.
        evaluation: what came out.
        failures: cases that could not be judged.
        was_done: whether an earlier run had left all of it.
    """

    folder: Path
    evaluation: Evaluation
    failures: tuple[Failure, ...]
    was_done: bool


@dataclass(frozen=True, eq=False)
class Material:
    """What files are made of, besides the evaluation.

    Attributes:
        source: the truth.
        predictions: their folder.
        reading: how they were understood.
        rule: how cases were judged.
        results: of the judged cases.
        failures: cases that could not be judged.
        notes: what else a reader should know.
        resampled: keys of predictions that lay on another grid.
        bootstrap: draws and their seed.
        hit_words: when a lesion is found.
        point_rule: when a mark hits a lesion of point truth.
        marks: where the marks of free-response figures come from.
        counts_by_masks: whether against points masks say what was predicted.
    """

    source: TruthSource
    predictions: Path
    reading: Reading
    rule: JudgeRule
    results: Sequence[LesionResult]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    resampled: tuple[str, ...]
    bootstrap: tuple[int, int]
    hit_words: str
    point_rule: PointRule
    marks: MarksFrom
    counts_by_masks: bool


def left(out: Path) -> EvaluateRun:
    """What an earlier run left in a folder."""
    failures = tuple(Failure(**one) for one in read_json(out / FAILED))
    return EvaluateRun(out, read_evaluation(out), failures, was_done=True)


def write_evaluation(folder: Path, found: Evaluation, made_of: Material, track: Track) -> None:
    """All files."""
    drawn = curves(with_pixels(made_of.results))
    best = None if drawn is None or drawn.scan is None else (drawn.scan.best, float(drawn.scan.dice_mean.max()))
    advice = recommendations(found, best)
    training = training_of(made_of.predictions)
    beside = {"training": dict(training), "recommendations": advice}
    write_json(folder / EVALUATION, record(found, made_of, drawn) | beside)
    write_text(folder / CASES, table(found))
    if found.marks:
        write_text(folder / MARKS, marks_table(found))
    if found.is_of_points:
        write_text(folder / LESIONS, lesions_table(made_of.results))
    if found.changed:
        write_text(folder / CHANGES, changes_table(found.changed))
    write_json(folder / FAILED, made_of.failures)
    whole = curve_pictures(found, made_of.results, drawn, made_of.source)
    froc = free_response_picture(found, made_of.results, made_of.bootstrap)
    single = _examples(found, made_of, track)
    changes = _change_pictures(found, made_of)
    parts = free_response_parts_picture(found, made_of.results)
    curve = {name: one for name, one in (("froc", froc), ("froc-parts", parts)) if one is not None}
    for name, picture in (whole | changes | single | curve).items():
        write_bytes(folder / f"{name}.png", picture.png)
    report = EvaluationReport(
        title=f"{made_of.predictions.resolve().name}: how good are these predictions?",
        training=training,
        recommendations=advice,
        curves=tuple(whole.values()),
        films=None if found.films is None else film_section(found.films),
        free_response=free_response_section(found, froc, _free_response_words(made_of), parts),
        changes=changes_section(found, RIM_MM, FEWEST),
        changed=tuple(changes.values()),
        hit_words=made_of.hit_words,
        examples=tuple(single.values()),
        failures=made_of.failures,
        notes=made_of.notes,
        provenance=provenance(found, made_of),
    )
    write_text(folder / REPORT, render(evaluation_page(found, report)))


def _films(films: FilmFigures) -> dict[str, Any]:
    """What stands in `evaluation.json` of films as a whole."""
    return {
        "classes": films.classes,
        "pixels": films.pixels,
        "lungs": _figures(films.lungs),
        "involved": _figures(films.involved),
        "present": {name: _figures(one) for name, one in films.present.items()},
        "labels": films.labels,
        "label_counts": films.label_counts,
        "label_figures": _figures(films.label_figures),
    }


def _examples(found: Evaluation, made_of: Material, track: Track) -> dict[str, Picture]:
    job = _job(found, made_of)
    if made_of.source.is_points:
        return point_example_pictures(made_of.results, made_of.source, job, track)
    return example_pictures(found, made_of.source, job, track)


def _change_pictures(found: Evaluation, made_of: Material) -> dict[str, Picture]:
    job, cases = _job(found, made_of), {case.key: case for case in made_of.source.cases}
    masks = {key: predicted_mask(cases[key], job) for key in shown_keys(found.changed)}
    return change_pictures(found.changed, cases, masks)


def _job(found: Evaluation, made_of: Material) -> CaseJob:
    return CaseJob(
        folder=made_of.predictions,
        reading=made_of.reading,
        threshold=found.threshold.value,
        rule=made_of.rule,
        resample=True,
        marks=made_of.marks,
        point_rule=made_of.point_rule,
        counts_by_masks=made_of.counts_by_masks,
    )


def _free_response_words(made_of: Material) -> str:
    marks = (
        "Marks are the nodules of each case's nodules.json, with their own scores"
        if made_of.marks is MarksFrom.NODULES
        else f"Marks are the peaks of each probability map: the highest pixel within {CANDIDATES.apart_mm:g} mm, from "
        f"{CANDIDATES.lowest:g} on, whatever the threshold of the masks"
    )
    return f"{marks}. A hit: {mark_words(made_of)}."


def record(found: Evaluation, made_of: Material, drawn: Curves | None) -> dict[str, object]:
    """`evaluation.json` (schema hilum.evaluation/1)."""
    scan = None if drawn is None else drawn.scan
    samples, seed = made_of.bootstrap
    return {
        "schema": SCHEMA,
        "data": found.data,
        "split": found.split,
        "split_hash": found.split_hash,
        "truth": found.truth,
        "truth_hash": found.truth_hash,
        "threshold": found.threshold,
        "temperature": found.temperature,
        "fitted_temperature": found.fitted,
        "labels": dict(made_of.rule.labels),
        "n_cases": found.n_cases,
        "n_empty_truth": found.n_empty_truth,
        "n_failed": found.n_failed,
        "n_patients": len({row.patient for row in found.cases}),
        "figures": _figures(found.figures),
        "by_truth": _truths(found),
        "by_size": _groups(found.by_size),
        "by_place": _groups(found.by_place),
        "places": found.places,
        "by_class": _groups(found.by_class),
        "films": None if found.films is None else _films(found.films),
        "by_reader": _groups(found.by_reader),
        "by_readers": _groups(found.by_readers),
        "by_stack": _groups(found.by_stack),
        "by_visibility": _groups(found.by_visibility),
        "by_subtlety": _groups(found.by_subtlety),
        "by_change": _changes(found),
        "over_copied_prior": _groups(found.over_prior),
        "froc": _froc(found, made_of),
        "rivals": _groups(found.rivals),
        "yardstick": None if found.yardstick is None else yardstick_record(found.yardstick),
        "threshold_scan": None
        if scan is None
        else {
            "thresholds": scan.thresholds,
            "dice_mean": scan.dice_mean,
            "dice_pooled": scan.dice_pooled,
            "best": scan.best,
        },
        "alarms": found.alarms,
        "match": made_of.hit_words,
        "bootstrap": {"unit": "patient", "samples": samples, "seed": seed, "confidence": 0.95},
        "resampled": made_of.resampled,
        "notes": made_of.notes,
        "hilum": __version__,
    }


def _figures(figures: Mapping[str, Figure]) -> dict[str, dict[str, float]]:
    return {name: {"value": one.value, "low": one.low, "high": one.high, "n": one.n} for name, one in figures.items()}


def _froc(found: Evaluation, made_of: Material) -> dict[str, object] | None:
    """Sensitivities at false positives an image; what a mark is stands beside. None without scores."""
    if not found.froc:
        return None
    marks: dict[str, object] = {
        "from": "peaks",
        "probability_from": CANDIDATES.lowest,
        "apart_mm": CANDIDATES.apart_mm,
        "at_most": CANDIDATES.most,
        "score": "probability",
    }
    if made_of.marks is MarksFrom.NODULES:
        marks = {"from": "nodules.json", "probability_from": None, "score": "as stated"}
    return {"sensitivity": _figures(found.froc), "candidates": marks | {"match": mark_words(made_of)}}


def mark_words(made_of: Material) -> str:
    """When a mark of the free-response figures hits a lesion."""
    if not made_of.source.is_points:
        return f"a mark's pixel lies on the lesion, {made_of.rule.match.assignment}"
    return made_of.hit_words


def _truths(found: Evaluation) -> list[dict[str, object]]:
    groups = _groups(found.by_truth)
    return [one | {"rivals": _groups(found.rivals_by_truth.get(str(one["name"]), ()))} for one in groups]


def _changes(found: Evaluation) -> list[dict[str, object]]:
    """Each kind of change with its parts, and with the rivals' figures of the same lesions."""
    entries: list[dict[str, object]] = []
    for group in found.by_change:
        parts = {f"by_{by}": _groups(some) for by, some in group.apart.items()}
        rivals = [
            {"name": name, "figures": _figures(one.figures)}
            for name, groups in found.rivals_by_change.items()
            for one in groups
            if one.name == group.name
        ]
        entries.append({"name": group.name, "figures": _figures(group.figures), **parts, "rivals": rivals})
    return entries


def _groups(groups: Iterable[Group]) -> list[dict[str, object]]:
    return [{"name": group.name, "figures": _figures(group.figures)} for group in groups]


def yardstick_record(one: ReaderYardstick) -> dict[str, object]:
    """The readers' agreement as it stands in JSON."""
    return {
        "compared": one.compared,
        "against": one.against,
        "group": one.group,
        "patients": one.patients,
        "dice": _figures({"dice": one.dice})["dice"],
        "by_size": [{"name": of.name, "dice": _figures(of.figures)["dice"]} for of in one.by_size],
    }


def table(found: Evaluation) -> str:
    """`cases.csv`: one row a case, every figure, "nan" where undefined."""
    names = list(dict.fromkeys(name for row in found.cases for name in row.values))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["key", "patient", *names])
    for row in found.cases:
        writer.writerow([row.key, row.patient, *(_cell(row.values.get(name, math.nan)) for name in names)])
    return text.getvalue()


def _cell(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return str(int(value)) if float(value).is_integer() and abs(value) > 1 else repr(float(value))


def training_of(predictions: Path) -> tuple[tuple[str, str], ...]:
    """What the predictions' own index says of the model that made them."""
    if not (predictions / INDEX).is_file():
        return ()
    content = read_json(predictions / INDEX)
    made_by: Any = content.get("provenance") if isinstance(content, dict) else None
    if not isinstance(made_by, dict):
        return ()
    return tuple((str(name).replace("_", " "), _in_words(value)) for name, value in made_by.items())


def _in_words(value: object) -> str:
    """What an index says, in a cell of a table: names with their values, a long list by its length."""
    if isinstance(value, dict):
        return "; ".join(f"{str(name).replace('_', ' ')}: {_in_words(one)}" for name, one in value.items())
    if isinstance(value, list):
        return f"{len(value)} of them" if len(value) > _LISTED else ", ".join(str(one) for one in value)
    return str(value)


def _threshold(used: Threshold) -> str:
    return used.chosen_on if math.isnan(used.value) else f"{used.value:g}, {used.chosen_on}"


def _temperature(applied: Temperature | None) -> str:
    return "none" if applied is None else f"{applied.value:.4g}, fitted on {applied.fitted_on}"


def provenance(found: Evaluation, made_of: Material) -> tuple[tuple[str, str], ...]:
    """What the page says of what it was made of and by."""
    samples, seed = made_of.bootstrap
    return (
        ("made by", f"hilum {__version__}, hilum evaluate"),
        ("predictions", made_of.predictions.resolve().name),
        ("data", found.data),
        ("split", f"{found.split}{f', hash {found.split_hash}' if found.split_hash else ''}"),
        ("truth", found.truth),
        ("SHA-256 of the true masks' content", found.truth_hash),
        ("threshold", _threshold(found.threshold)),
        ("temperature", _temperature(found.temperature)),
        ("a lesion is found by", made_of.hit_words),
        ("intervals", f"95 %, bootstrap over patients, {samples} draws, seed {seed}"),
        ("SHA-256 of the data set's index", made_of.source.hash),
    )
