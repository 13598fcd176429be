"""X-rays that a training run reads: a prepared data set, or a packed cache of one; and how they are shown."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hilum.core import ConfigError, Failure, TrainError
from hilum.datasets.known_lesions import new_alone, views_of
from hilum.datasets.nodule_bank import build_bank
from hilum.datasets.odd import is_misplaced
from hilum.datasets.prepared import index_of, read_prepared
from hilum.datasets.xray_config import NEW_LESIONS, PICTURE, XrayDataConfig
from hilum.datasets.xray_load import load_samples
from hilum.datasets.xray_pack import read_pack
from hilum.datasets.xray_prior import shuffled_once, with_wanted_prior
from hilum.datasets.xray_sample import XraySample
from hilum.train.card import DataFacts
from hilum.train.config import TrainConfig, xrays_of
from hilum.train.films import FilmXrays
from hilum.train.fit import Cases
from hilum.train.pretext import HiddenXrays, hidden_once
from hilum.train.xrays import Xrays
from hilum.workflows.train_facts import PACK, TrainData, facts_of, loaded, require_apart, require_own_hash


def read_xrays(data: Path, config: TrainConfig) -> TrainData[XraySample]:
    """Both splits, and the nodules that are inserted.

    Raises:
        HilumError: as `hilum.workflows.train_data.read_data`.
    """
    if data.suffix == PACK and data.is_file():
        return _of_pack(data, config)
    prepared, wanted = read_prepared(data), xrays_of(config)
    require_own_hash(prepared)
    (training, missing), (validation, lost) = (
        loaded(load_samples, data, one, wanted) for one in ("train", "validation")
    )
    require_apart(training, validation)
    training, validation = _beside(training, validation, wanted)
    failures = (*missing, *lost)
    bank = build_bank(data) if config.insertion.share else None
    name = f"{prepared.kind} {index_of(data).parent.resolve().name}"
    taught, notes = _taught(training, validation, wanted)
    taught, validation, notes = _viewed(taught, validation, notes, wanted)
    facts = facts_of(name, prepared.split_hash, (taught, validation), failures)
    facts = replace(facts, notes=notes)
    return TrainData(taught, validation, _with_insertions(facts, config), failures, bank)


def xray_cases(read: TrainData[XraySample], config: TrainConfig) -> Cases:
    """How the X-rays are shown: with nodules inserted, beside films, or with squares hidden."""
    said = (read.facts.split_hash, read.facts.unlabeled)
    if config.adaptation.is_wanted:
        return Cases(FilmXrays(read.training, config, read.bank, read.films), read.validation, *said)
    xrays = Xrays(read.training, config, read.bank)
    if config.pretext is None:
        return Cases(xrays, read.validation, *said)
    hidden = HiddenXrays(xrays, config.pretext, config.trainer.seed)
    return Cases(hidden, hidden_once(read.validation, config.pretext), *said)


def _of_pack(path: Path, config: TrainConfig) -> TrainData[XraySample]:
    pack, wanted = read_pack(path), xrays_of(config)
    about: dict[str, Any] = dict(pack.about)
    training, validation = (list(pack.splits.get(one, ())) for one in ("train", "validation"))
    steps = {sample.pixel_mm for sample in (*training, *validation)}
    made = {"pixel_mm": steps.pop() if len(steps) == 1 else None}
    made |= {field: about.get(field, getattr(wanted, field)) for field in ("truth", "visibility_floor")}
    for field, value in made.items():
        if value != getattr(wanted, field):
            raise ConfigError(
                f"{path} was packed with data.{field} {value}; the configuration has {getattr(wanted, field)}.",
                f"Pack it again, or set data.{field}.",
            )
    require_apart(training, validation)
    training, validation = _beside(training, validation, wanted)
    name = f"{about.get('name', 'packed')} ({path.name})"
    failures = tuple(Failure(**one) for one in about.get("failures", ()))
    taught, notes = _taught(training, validation, wanted)
    taught, validation, notes = _viewed(taught, validation, notes, wanted)
    facts = facts_of(name, str(about.get("split_hash", "")), (taught, validation), failures)
    facts = replace(facts, notes=notes)
    return TrainData(taught, validation, _with_insertions(facts, config), failures, pack.bank)


def _beside(
    training: Sequence[XraySample], validation: Sequence[XraySample], config: XrayDataConfig
) -> tuple[list[XraySample], list[XraySample]]:
    """Both with the second image that the configuration wants; training pictures get others' when they are shown."""
    taught, judged = (with_wanted_prior(samples, config) for samples in (training, validation))
    return taught, shuffled_once(judged) if config.prior == "shuffled" else judged


def _taught(
    training: Sequence[XraySample], validation: Sequence[XraySample], config: XrayDataConfig
) -> tuple[list[XraySample], tuple[str, ...]]:
    """What is learnt from, and what a card says of pictures that are known to be misplaced.

    Raises:
        TrainError: nothing is left that has a lesion.
    """
    odd, judged = ([one for one in some if is_misplaced(one.odd)] for some in (training, validation))
    leaves = config.leave_out_odd
    taught = [one for one in training if not (leaves and is_misplaced(one.odd))]
    if not any(one.has_lesion for one in taught):
        raise TrainError(
            f"of {len(training)} training pictures {len(odd)} are known to be misplaced, and none of the others has a "
            "lesion.",
            "Learn from them all the same: data.leave_out_odd=false.",
        )
    notes = []
    if odd:
        words = "left out of training" if leaves else "learnt from all the same"
        patients = ", ".join(sorted({one.patient for one in odd}))
        notes.append(f"upside down, or truth and picture don't fit: {len(odd)} training pictures, {words} ({patients})")
    if judged:
        patients = ", ".join(sorted({one.patient for one in judged}))
        notes.append(f"the same of {len(judged)} validation pictures, which are judged as they are ({patients})")
    return taught, tuple(notes)


def _viewed(
    training: list[XraySample], validation: list[XraySample], notes: tuple[str, ...], config: XrayDataConfig
) -> tuple[list[XraySample], list[XraySample], tuple[str, ...]]:
    """What the network sees at a time, and what a card says of it.

    Raises:
        TrainError: there is no known lesion, or none that is new, to learn from, or to judge on.
    """
    if config.view == PICTURE:
        return training, validation, notes
    if config.view == NEW_LESIONS:
        return *_new_alone(training, validation), (*notes, "truth: the lesions that are new since the earlier picture")
    taught, judged = views_of(training), views_of(validation)
    if not judged or not any(view.has_lesion for view in taught):
        raise TrainError(
            f"{len(training)} training and {len(validation)} validation pictures have {len(taught)} and {len(judged)} "
            "known lesions, and one that is still there is needed in training, one of any kind in validation.",
            "Prepare more pairs over time.",
        )
    pictures = " and ".join(
        f"{len(some)} {name}" for some, name in ((training, "training"), (validation, "validation"))
    )
    gone = " and ".join(str(sum(not view.has_lesion for view in views)) for views in (taught, judged))
    note = f"views of known lesions, one each, of {pictures} pictures; of {gone} of them the lesion is gone"
    return taught, judged, (*notes, note)


def _new_alone(
    training: Sequence[XraySample], validation: Sequence[XraySample]
) -> tuple[list[XraySample], list[XraySample]]:
    """Both with the lesions alone that are new.

    Raises:
        TrainError: one of them has none.
    """
    taught, judged = ([new_alone(one) for one in some] for some in (training, validation))
    if not all(any(one.has_lesion for one in some) for some in (taught, judged)):
        raise TrainError("no lesion is new in training, or none in validation.", "Prepare more pairs over time.")
    return taught, judged


def _with_insertions(facts: DataFacts, config: TrainConfig) -> DataFacts:
    share = config.insertion.share
    if not share:
        return facts
    note = (
        f"synthetic: shadows of other training patients' real nodules were added to {share:.0%} of the pictures "
        "shown in training, in display space; validation pictures are as published"
    )
    return replace(facts, notes=(*facts.notes, note))
