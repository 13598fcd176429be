"""Chest X-rays by classes that a training run reads: a split, or stored folds; and how they are shown."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hilum.core import ConfigError, Failure, TrainError
from hilum.datasets.class_config import ClassDataConfig
from hilum.datasets.class_map import ClassMap
from hilum.datasets.class_sample import ClassSample
from hilum.datasets.class_source import LABELS
from hilum.datasets.classes_load import Fold, load_class_pictures, require_classes
from hilum.datasets.prepared import Prepared, index_of, read_prepared
from hilum.io.json_file import read_json
from hilum.train.card import DataFacts
from hilum.train.class_facts import ClassFacts
from hilum.train.class_films import ClassFilms
from hilum.train.config import TrainConfig
from hilum.train.fit import Cases
from hilum.workflows.train_facts import TrainData, facts_of, loaded, require_apart, require_own_hash


def read_classes(data: Path, config: TrainConfig) -> TrainData[ClassSample]:
    """Films to learn from, and those on which the best epoch is chosen.

    Raises:
        HilumError: as `hilum.workflows.train_data.read_data`; a declared class has no pixel in training, too.
    """
    prepared, wanted = read_prepared(data), _classes_of(config)
    require_own_hash(prepared)
    _require_outputs(prepared, config)
    training, validation, failures = _split(data, prepared, wanted)
    require_apart(training, validation)
    if config.model.options["finds"] != "classes":
        _require_labels(training)
    name = f"{prepared.kind} {index_of(data).parent.resolve().name}"
    facts = facts_of(name, prepared.split_hash, (training, validation), failures)
    facts = _about(facts, prepared, training, wanted)
    return TrainData(training, validation, facts, failures, classes=ClassFacts(prepared.labels, prepared.roles))


def class_cases(read: TrainData[ClassSample], config: TrainConfig) -> Cases:
    """How the films are shown."""
    names, findings = ({}, ()) if read.classes is None else (read.classes.names, read.classes.roles.findings)
    return Cases(ClassFilms(read.training, config, findings), read.validation, read.facts.split_hash, names=names)


def renamed(films: Sequence[ClassSample], theirs: ClassFacts, ours: ClassFacts, where: str) -> list[ClassSample]:
    """Films of another data set with the numbers that this one gives the same classes.

    Raises:
        ConfigError: one of their classes is none of ours.
    """
    number_of = {name: number for number, name in ours.names.items()}
    if unknown := [name for name in theirs.names.values() if name not in number_of]:
        raise ConfigError(
            f"the class {unknown[0]!r} of {where} is none of this run's ({', '.join(number_of)}).",
            "Prepare it with a layout that names the same classes.",
        )
    new = {number: number_of[name] for number, name in theirs.names.items()}
    if all(number == other for number, other in new.items()):
        return list(films)
    return [replace(film, labels=_mapped(film, new)) for film in films]


def _mapped(film: ClassSample, new: Mapping[int, int]) -> ClassMap:
    found = film.labels.copy()
    for number, other in new.items():
        found[film.labels == number] = other
    return found


def _split(
    data: Path, prepared: Prepared, wanted: ClassDataConfig
) -> tuple[list[ClassSample], list[ClassSample], tuple[Failure, ...]]:
    if wanted.fold is None:
        (training, missing), (validation, lost) = (
            loaded(load_class_pictures, data, one, wanted) for one in ("train", "validation")
        )
        return training, validation, (*missing, *lost)
    rest, failures = load_class_pictures(data, Fold(wanted.fold), wanted)
    chosen_on = set(prepared.folds[wanted.fold % len(prepared.folds)])
    training, validation = ([one for one in rest if (one.patient in chosen_on) is is_in] for is_in in (False, True))
    if wanted.require_classes:
        require_classes(training, prepared.labels, f"all folds but {wanted.fold} and the next")
    return training, validation, tuple(failures)


def _require_outputs(prepared: Prepared, config: TrainConfig) -> None:
    """Check that the network has one class for each that the data set declares, and the background.

    Raises:
        ConfigError: it has others.
    """
    has, wanted = config.model.options["classes"], 1 + max(prepared.labels, default=0)
    if config.model.options["finds"] != "labels" and has != wanted:
        names = ", ".join(["background", *prepared.labels.values()])
        raise ConfigError(
            f"the data set declares {wanted} classes ({names}), and the network has {has}.",
            f"--set model.options.classes={wanted}, and as many class weights, if any are set.",
        )


def _require_labels(training: Sequence[ClassSample]) -> None:
    """Check that two labels can be told apart at all.

    Raises:
        TrainError: there is one alone, or none.
    """
    there = {film.image_label for film in training} - {None}
    if len(there) < 2:
        said = f"one label alone ({', '.join(map(str, there))})" if there else "no label"
        raise TrainError(f"{len(training)} training films have {said}, so nothing can be told apart.", "Add others.")


def _about(facts: DataFacts, prepared: Prepared, training: Sequence[ClassSample], config: ClassDataConfig) -> DataFacts:
    """With licences, how many training films have which class and label, and which folds are which."""
    licences = [str(one) for one in read_json(prepared.index).get("licences") or [facts.licence]]
    with_class = (f"{name} {sum(one.has_class(k) for one in training)}" for k, name in prepared.labels.items())
    labels = Counter(one.image_label for one in training)
    with_label = (f"{label} {labels[label]}" for label in LABELS)
    notes = [f"training films with: {', '.join(with_class)}; labelled: {', '.join(with_label)}"]
    if config.fold is not None:
        chosen = config.fold % len(prepared.folds) + 1
        notes.append(f"fold {config.fold} was not looked at; the best epoch was chosen on fold {chosen}")
    return replace(facts, licence="; ".join(licences), notes=(*prepared.notes, *notes))


def _classes_of(config: TrainConfig) -> ClassDataConfig:
    if not isinstance(config.data, ClassDataConfig):
        raise ConfigError(
            f"a run on films by classes is needed, and data.kind is {config.data.kind}.", "Choose another recipe."
        )
    return config.data
