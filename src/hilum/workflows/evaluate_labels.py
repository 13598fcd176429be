"""Predictions that give films labels and mark nothing, as a classifier's: judged by these labels alone."""

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from hilum.core import Failure, HilumError, InputError
from hilum.core.evaluation import CaseRow, Evaluation, Threshold
from hilum.core.films import UNKNOWN_LABEL, FilmFigures
from hilum.datasets.class_source import LABELS, label_number
from hilum.datasets.prepared import CaseSource
from hilum.evaluate import alarms
from hilum.evaluate.bootstrap import resample_patients
from hilum.evaluate.film_labels import FilmLabel, FilmSaid, with_labels
from hilum.io import write_json
from hilum.io.text_file import write_bytes, write_text
from hilum.report.film_labels import LabelReport, label_page
from hilum.report.films import label_picture
from hilum.report.page import render
from hilum.workflows.evaluate_data import TruthSource
from hilum.workflows.evaluate_files import FAILED, REPORT, Material, provenance, record, table, training_of
from hilum.workflows.evaluate_films import CLASSES_FILE, said_of_film
from hilum.workflows.evaluate_found import material, raised_by_inputs
from hilum.workflows.evaluate_plan import EvaluateOptions, Plan, is_there
from hilum.workflows.evaluate_read import CASES, EVALUATION

TRUTH, CHOSEN = "labels of films", "none: the likeliest label of each film"


def gives_labels_alone(plan: Plan) -> bool:
    """Whether films have labels in their `classes.json`, and none has a mask or map."""
    if not plan.source.is_by_class:
        return False
    keys = [case.key for case in _films(plan.source)]
    has_labels = any((plan.folder / key / CLASSES_FILE).is_file() for key in keys)
    return has_labels and not any(is_there(plan.folder, key) for key in keys)


def labels_found(plan: Plan) -> tuple[Evaluation, Material]:
    """All figures of labels; a film whose class is unknown in some pixels has a label, too, and counts.

    Raises:
        InputError: an option is for pixels, or not one film can be judged.
    """
    _require_fitting(plan.options)
    wanted = [case for case in _films(plan.source) if label_of(case) != UNKNOWN_LABEL]
    judged: list[tuple[CaseSource, FilmSaid]] = []
    failures: list[Failure] = []
    for case in wanted:
        try:
            judged.append((case, _said(plan.folder, case.key)))
        except HilumError as error:
            failures.append(Failure(case.key, error.message, error.remedy))
    if not judged:
        why = f"; the first: {failures[0].error}" if failures else ": nobody says what they show."
        raise InputError(f"none of {len(wanted) or len(_films(plan.source))} films could be judged by its label{why}")
    found = _evaluation(plan, judged, failures)
    unlabelled = len(_films(plan.source)) - len(wanted)
    notes = (f"{unlabelled} films left out: nobody says what they show",) if unlabelled else ()
    return found, material(plan, (), tuple(failures), notes)


def with_all_labels(found: Evaluation, plan: Plan) -> Evaluation:
    """With labels of those films, too, whose pixels can't be judged, since the class of some of them is unknown."""
    if found.films is None or not plan.source.unknown:
        return found
    said = [(case, said_of_film(plan.folder, case.key)) for case in _films(plan.source)]
    return replace(found, films=_figures(found.films, said, plan.options))


def write_labels(folder: Path, found: Evaluation, made_of: Material) -> None:
    """`evaluation.json`, `cases.csv`, `failures.json`, the confusion as a picture, and `report.html`."""
    training = training_of(made_of.predictions)
    write_json(folder / EVALUATION, record(found, made_of, None) | {"training": dict(training), "recommendations": ()})
    write_text(folder / CASES, table(found))
    write_json(folder / FAILED, made_of.failures)
    if found.films is not None:
        write_bytes(folder / "labels.png", label_picture(found.films).png)
    report = LabelReport(
        title=f"{made_of.predictions.resolve().name}: how good are these labels?",
        training=training,
        failures=made_of.failures,
        notes=made_of.notes,
        provenance=provenance(found, made_of),
    )
    write_text(folder / REPORT, render(label_page(found, report)))


def label_of(case: CaseSource) -> int:
    """A film's label by number; `UNKNOWN_LABEL` when nobody says."""
    return UNKNOWN_LABEL if case.film is None else label_number(case.film.image_label)


def _films(source: TruthSource) -> tuple[CaseSource, ...]:
    return (*source.cases, *source.unknown)


def _require_fitting(options: EvaluateOptions) -> None:
    asked = {
        "--threshold": options.threshold,
        "--threshold-from": options.threshold_from,
        "--temperature-from": options.temperature_from,
    }
    if given := [name for name, value in asked.items() if value is not None]:
        raise InputError(f"{given[0]} is for pixels, and these predictions give labels alone.", "Leave it out.")


def _said(folder: Path, key: str) -> FilmSaid:
    if not (folder / key / CLASSES_FILE).is_file():
        raise InputError(f"{key} has no prediction.", f"It would be {CLASSES_FILE} in a folder of that name.")
    said = said_of_film(folder, key)
    if said.labels is None:
        raise InputError(f"the prediction of {key} gives no label.", "Predict it with a model that gives labels.")
    return said


def _figures(found: FilmFigures, said: Iterable[tuple[CaseSource, FilmSaid]], options: EvaluateOptions) -> FilmFigures:
    pairs = tuple(said)
    draw = resample_patients(
        [case.patient for case, _ in pairs], np.random.default_rng(options.seed), options.bootstraps
    )
    films = [FilmLabel(label_of(case), one) for case, one in pairs]
    return with_labels(found, films, [str(one) for one in LABELS], draw)


def _evaluation(plan: Plan, judged: list[tuple[CaseSource, FilmSaid]], failures: list[Failure]) -> Evaluation:
    films = _figures(FilmFigures((), ()), judged, plan.options)
    figures, asked = films.label_figures, len(judged) + len(failures)
    return Evaluation(
        data=plan.source.data,
        split=plan.source.split,
        split_hash=plan.source.split_hash,
        truth=TRUTH,
        threshold=Threshold(chosen_on=CHOSEN),
        figures=figures,
        films=films,
        cases=tuple(_row(case, said) for case, said in judged),
        alarms=(
            *alarms.cases_failed([one.input for one in failures], asked),
            *raised_by_inputs(plan, ()),
            *alarms.few_patients(len({case.patient for case, _ in judged})),
            *alarms.undefined_figures(figures.values(), len(judged)),
        ),
        n_failed=len(failures),
    )


def _row(case: CaseSource, said: FilmSaid) -> CaseRow:
    """1 for a right answer, NaN where none is given; and the probability of each label."""
    truth, answer = label_of(case), said.answer
    values = {
        "label_right": math.nan if answer == UNKNOWN_LABEL else float(answer == truth),
        "label_unsure": float(answer == UNKNOWN_LABEL),
        "label": float(truth),
        "answer": math.nan if answer == UNKNOWN_LABEL else float(answer),
    }
    chances = () if said.labels is None else said.labels.tolist()
    values |= {f"probability_{label}": float(one) for label, one in zip(LABELS, chances, strict=False)}
    return CaseRow(case.key, case.patient, values)
