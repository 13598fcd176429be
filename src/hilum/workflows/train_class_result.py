"""What a model of films by classes comes to: judged from its files on validation."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hilum.core.evaluation import Evaluation, Threshold
from hilum.core.films import FilmFigures
from hilum.core.mask import Labels
from hilum.datasets.class_sample import ClassSample
from hilum.datasets.class_source import LABELS
from hilum.evaluate.bootstrap import Resamples, resample_patients
from hilum.evaluate.cases import JudgeRule, Pair, judge_case
from hilum.evaluate.evaluation import Judged, evaluation
from hilum.evaluate.film_labels import FilmLabel, FilmSaid, with_labels
from hilum.evaluate.films import FilmResult, film_figures, judge_film
from hilum.infer.device import resolved_device
from hilum.infer.loaded import load_network
from hilum.train.card import ModelFacts, hardware
from hilum.train.class_facts import Calibrated, ClassFacts, calibrated, said_of
from hilum.train.config import Machine, TrainConfig
from hilum.train.fit import Fitted, quiet
from hilum.train.stored import VALIDATION
from hilum.workflows.train_facts import TrainData

LIKELIEST = "none: the likeliest class of each pixel, of findings where there is enough of them"


def class_model_facts(
    folder: Path, config: TrainConfig, read: TrainData[ClassSample], fitted: Fitted, machine: Machine
) -> ModelFacts:
    """Judge a stored model on the validation films; fits its temperatures, and chooses its gate and limits, there, too.

    Args:
        folder: of the model.
        config: of its run.
        read: the data.
        fitted: what the run came to.
        machine: where to compute.
    """
    network = load_network(str(folder)).network
    films, about = read.validation, read.classes or ClassFacts({})
    with quiet(machine.threads):
        said = said_of(network, films, resolved_device(machine.device))
    seen = calibrated(said, films, about, gates=bool(config.model.options["gates"]))
    known = [place for place, film in enumerate(films) if film.is_known and seen.said.classes]
    found = (
        _evaluation(seen, [(seen.marked(place, films[place]), films[place]) for place in known], read)
        if known
        else None
    )
    facts = replace(_with_films(seen, films, config), unknown_films=len(films) - len(known))
    learnt = sum(one.numel() for one in network.parameters())
    origin = network.weights_origin
    return ModelFacts(config, read.facts, found, fitted, origin, learnt, hardware(machine.processes), classes=facts)


def _evaluation(
    seen: Calibrated, films: Sequence[tuple[Labels, ClassSample]], read: TrainData[ClassSample]
) -> Evaluation:
    rule = JudgeRule(dict(seen.facts.names), with_surfaces=False)
    about = Judged(read.facts.name, VALIDATION, read.facts.split_hash, "classes", Threshold(math.nan, LIKELIEST), rule)
    return evaluation([judge_case(_pair(pred, film), rule) for pred, film in films], about)


def _pair(pred: Labels, film: ClassSample) -> Pair:
    step = None if film.pixel_mm is None else film.step_mm
    return Pair(film.key, film.patient, pred, film.labels, step)


def _with_films(seen: Calibrated, films: Sequence[ClassSample], config: TrainConfig) -> ClassFacts:
    """With figures of films as a whole: their pixels where all of them are known, their labels in any case."""
    seed, labels = config.trainer.seed, [str(one) for one in LABELS]
    said = [_said(seen, place, film) for place, film in enumerate(films)]
    found = FilmFigures((), ())
    known = [place for place, film in enumerate(films) if film.is_known and seen.said.classes]
    if known:
        results = [_judged(seen, place, films[place], said[place]) for place in known]
        found = film_figures(results, seen.facts.names, labels, _draw([films[place] for place in known], seed))
    every = [FilmLabel(film.label_number, one) for film, one in zip(films, said, strict=True)]
    return replace(seen.facts, films=with_labels(found, every, labels, _draw(films, seed)))


def _judged(seen: Calibrated, place: int, film: ClassSample, said: FilmSaid) -> FilmResult:
    pred = seen.marked(place, film)
    return judge_film(pred, film.labels, tuple(seen.facts.names), seen.facts.roles, film.label_number, said)


def _said(seen: Calibrated, place: int, film: ClassSample) -> FilmSaid:
    """What the network says of a film as a whole."""
    labels = None if seen.said.labels is None else seen.said.labels[place]
    gate = seen.facts.gate
    is_unsure = gate is not None and labels is not None and gate.is_unsure(labels)
    scores: dict[int, float] = {}
    if seen.said.classes:
        maps = seen.said.classes[place]
        scores = {number: float(maps[number][film.weight > 0].max(initial=0)) for number in seen.facts.names}
    return FilmSaid(scores, labels, is_unsure)


def _draw(films: Sequence[ClassSample], seed: int) -> Resamples:
    return resample_patients([film.patient for film in films], np.random.default_rng(seed))
