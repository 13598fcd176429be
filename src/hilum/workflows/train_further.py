"""Further data sets that a run learns from, beside the one that it is judged on (`hilum train --also`)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hilum.core import ConfigError, InputError
from hilum.workflows.train_classes import renamed
from hilum.workflows.train_facts import TrainData


def with_further(read: TrainData[Any], further: Sequence[TrainData[Any]]) -> TrainData[Any]:
    """The first data set with the training splits of others; judged are its own validation patients alone.

    Args:
        read: the data set of the run.
        further: of the same kind.

    Raises:
        InputError: a patient on whom the run is judged is among those that another data set is learnt from.
        ConfigError: nodules of one data set are inserted into pictures, so there are two banks of them.
    """
    judged = {sample.patient for sample in read.validation}
    for one in further:
        if one.bank is not None or read.bank is not None:
            raise ConfigError(
                "with further data sets no nodules are inserted: each would have its own.", "--set insertion.share=0"
            )
        if both := sorted(judged & {sample.patient for sample in one.training}):
            raise InputError(
                f"{both[0]} is judged in {read.facts.name}, and stands in the training split of {one.facts.name} "
                f"({len(both)} patients do), so figures would flatter.",
                "Split both by one rule.",
            )
        read = _joined(read, one)
    return read


def _joined(read: TrainData[Any], more: TrainData[Any]) -> TrainData[Any]:
    further = more.training
    if read.classes is not None and more.classes is not None:
        further = renamed(further, more.classes, read.classes, more.facts.name)
    training = (*read.training, *further)
    ours, theirs = read.facts, more.facts
    samples, patients = theirs.training
    split = f", split {theirs.split_hash[:8]}" if theirs.split_hash else ""
    words = f"also learnt from the training split of {theirs.name}{split}: {samples} samples of {patients} patients"
    facts = replace(
        ours,
        name=f"{ours.name}, with training samples of {theirs.name}",
        licence="; ".join(dict.fromkeys((*ours.licence.split("; "), *theirs.licence.split("; ")))),
        training=(len(training), len({sample.patient for sample in training})),
        failed=(*ours.failed, *theirs.failed),
        notes=(*ours.notes, words, *(f"{theirs.name}: {note}" for note in theirs.notes)),
        has_lidc=ours.has_lidc or theirs.has_lidc,
    )
    return replace(read, training=training, facts=facts, failures=(*read.failures, *more.failures))
