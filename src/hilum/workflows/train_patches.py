"""Pieces of a CT that a training run reads, and how they are shown."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hilum.core import ConfigError
from hilum.datasets.patch_config import PatchDataConfig
from hilum.datasets.patch_load import load_patches
from hilum.datasets.patch_sample import PatchSample
from hilum.datasets.prepared import Prepared, index_of, read_prepared
from hilum.io.json_file import read_json
from hilum.train.card import DataFacts
from hilum.train.config import TrainConfig
from hilum.train.fit import Cases
from hilum.train.patches import Patches
from hilum.workflows.train_facts import TrainData, facts_of, loaded, nodules_of, require_apart, require_own_hash


def read_patches(data: Path, config: TrainConfig) -> TrainData[PatchSample]:
    """Both splits of a data set of pieces of CTs.

    Raises:
        HilumError: as `hilum.workflows.train_data.read_data`.
    """
    prepared, wanted = read_prepared(data), _patches_of(config)
    require_own_hash(prepared)
    (training, missing), (validation, lost) = (
        loaded(load_patches, data, one, wanted) for one in ("train", "validation")
    )
    if not prepared.is_single_scan:
        require_apart(training, validation)
    failures = (*missing, *lost)
    name = f"{prepared.kind} {index_of(data).parent.resolve().name}"
    facts = facts_of(name, prepared.split_hash, (training, validation), failures)
    return TrainData(training, validation, _about(facts, prepared, (training, validation)), failures)


def _about(facts: DataFacts, prepared: Prepared, splits: Sequence[Sequence[PatchSample]]) -> DataFacts:
    """With the data set's licences, what its truth was made of, and how many pieces show what."""
    index = read_json(prepared.index)
    licences = [part for one in index.get("licences") or [facts.licence] for part in str(one).split("; ")]
    odd = index.get("odd") or ()
    made_of = Counter(one.truth_type for split in splits for one in split)
    training = splits[0]
    nodules = len({(one.patient, one.nodule) for one in training if one.nodule})
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(one.kind for one in training).most_common())
    notes = (
        *prepared.notes,
        f"training pieces are of {nodules} nodules: {kinds}",
        "truth was made of: " + "; ".join(f"{words} ({count} pieces)" for words, count in made_of.most_common()),
        *(str(one) for one in odd),
    )
    return replace(facts, licence="; ".join(dict.fromkeys(licences)), notes=(*facts.notes, *notes))


def patch_cases(read: TrainData[PatchSample], config: TrainConfig) -> Cases:
    """How the pieces are shown; pieces of one nodule are judged together, too."""
    shown = Patches(read.training, config, _patches_of(config))
    return Cases(shown, read.validation, read.facts.split_hash, groups=nodules_of(read.validation))


def _patches_of(config: TrainConfig) -> PatchDataConfig:
    if not isinstance(config.data, PatchDataConfig):
        raise ConfigError(
            f"a run on pieces of a CT is needed, and data.kind is {config.data.kind}.", "Choose another recipe."
        )
    return config.data
