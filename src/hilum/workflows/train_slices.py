"""CT slices that a training run reads, and how they are shown."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hilum.core import ConfigError
from hilum.datasets.prepared import Prepared, index_of, read_prepared
from hilum.datasets.slice_config import SliceDataConfig
from hilum.datasets.slice_load import load_slices
from hilum.datasets.slice_sample import SliceSample
from hilum.io.json_file import read_json
from hilum.train.card import DataFacts
from hilum.train.config import TrainConfig
from hilum.train.fit import Cases
from hilum.train.slices import Slices
from hilum.workflows.train_facts import TrainData, facts_of, loaded, nodules_of, require_apart, require_own_hash


def read_slices(data: Path, config: TrainConfig) -> TrainData[SliceSample]:
    """Both splits of a data set of CT slices.

    Raises:
        HilumError: as `hilum.workflows.train_data.read_data`.
    """
    prepared, wanted = read_prepared(data), _slices_of(config)
    require_own_hash(prepared)
    (training, missing), (validation, lost) = (
        loaded(load_slices, data, one, wanted) for one in ("train", "validation")
    )
    require_apart(training, validation)
    failures = (*missing, *lost)
    name = f"{prepared.kind} {index_of(data).parent.resolve().name}"
    facts = facts_of(name, prepared.split_hash, (training, validation), failures)
    return TrainData(training, validation, _about_slices(facts, prepared, training), failures)


def _about_slices(facts: DataFacts, prepared: Prepared, training: Sequence[SliceSample]) -> DataFacts:
    """With the licences that the data set names, and how many of the slices show no nodule of anybody."""
    named = read_json(prepared.index).get("licences") or [facts.licence]
    without = sum(not one.nodule for one in training)
    nodules = len({(one.patient, one.nodule) for one in training if one.nodule})
    counted = (f"training slices are of {nodules} nodules; {without} are of places without one",)
    return replace(facts, licence="; ".join(dict.fromkeys(map(str, named))), notes=(*facts.notes, *counted))


def slice_cases(read: TrainData[SliceSample], config: TrainConfig) -> Cases:
    """How the slices are shown; slices of one nodule are judged together, too."""
    shown = Slices(read.training, config, _slices_of(config))
    return Cases(shown, read.validation, read.facts.split_hash, groups=nodules_of(read.validation))


def _slices_of(config: TrainConfig) -> SliceDataConfig:
    if not isinstance(config.data, SliceDataConfig):
        raise ConfigError(f"a run on slices is needed, and data.kind is {config.data.kind}.", "Choose another recipe.")
    return config.data
