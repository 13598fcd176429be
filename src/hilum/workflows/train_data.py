"""What a training run reads: a prepared data set, or a packed cache of one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hilum.core import ConfigError, Failure, Failures, InputError, TooManyFailuresError, TrainError
from hilum.datasets.insertion import NoduleBank
from hilum.datasets.nodule_bank import build_bank
from hilum.datasets.odd import is_misplaced
from hilum.datasets.prepared import Prepared, index_of, read_prepared
from hilum.datasets.splits import is_lidc_patient
from hilum.datasets.stored_split import StoredSplit
from hilum.datasets.xray_load import load_samples, require_learnable
from hilum.datasets.xray_pack import read_pack
from hilum.datasets.xray_prior import shuffled_once, with_wanted_prior
from hilum.datasets.xray_sample import XraySample
from hilum.io.json_file import read_json
from hilum.train.card import LIDC_LICENCE, DataFacts
from hilum.train.config import TrainConfig
from hilum.workflows.output import sha256_of

PACK = ".npz"
UNKNOWN_LICENCE = "as the data set's source says"


@dataclass(frozen=True, eq=False)
class TrainData:
    """Samples of both splits, and what a card says of them.

    Attributes:
        training: to learn from.
        validation: to judge on.
        facts: for the card.
        bank: nodules to insert; None where none are inserted.
        failures: cases that could not be read.
        films: unlabeled ones to adapt to.
    """

    training: Sequence[XraySample]
    validation: Sequence[XraySample]
    facts: DataFacts
    bank: NoduleBank | None = None
    failures: tuple[Failure, ...] = ()
    films: Sequence[XraySample] = ()


def data_hash(data: Path) -> str:
    """SHA-256 of a data set's index, which holds those of its pictures, or of a packed cache.

    Raises:
        InputError: there is neither.
    """
    if data.suffix == PACK and data.is_file():
        return sha256_of(data)
    return sha256_of(read_prepared(data).index)


def read_data(data: Path, config: TrainConfig) -> TrainData:
    """Both splits, and the nodules that are inserted.

    Raises:
        InputError: there is no such data set, or its splits overlap, are not those of its hash, or hold somebody who
            may not be there.
        ConfigError: a packed cache has other pixels or another truth than the configuration.
        TrainError: nothing to learn from.
    """
    if data.suffix == PACK and data.is_file():
        return _of_pack(data, config)
    prepared = read_prepared(data)
    _require_own_hash(prepared)
    (training, missing), (validation, lost) = (_loaded(data, one, config) for one in ("train", "validation"))
    require_apart(training, validation)
    training, validation = _beside(training, validation, config)
    failures = (*missing, *lost)
    bank = build_bank(data) if config.insertion.share else None
    name = f"{prepared.kind} {index_of(data).parent.resolve().name}"
    taught, notes = _taught(training, validation, config)
    facts = _facts(name, prepared.split_hash, (taught, validation), failures)
    facts = replace(facts, notes=notes)
    return TrainData(taught, validation, _with_insertions(facts, config), bank, failures)


def require_apart(training: Sequence[XraySample], validation: Sequence[XraySample]) -> None:
    """Check that nobody is on both sides, and no patient of LIDC where the one rule doesn't put them.

    Raises:
        InputError: names the first who is.
    """
    taught, judged = ({sample.patient for sample in split} for split in (training, validation))
    if both := sorted(taught & judged):
        raise InputError(
            f"{both[0]} is in training and in validation ({len(both)} patients are), so figures would flatter.",
            "Split the data set anew, by patient.",
        )
    require_learnable(taught, "train")
    require_learnable(judged, "validation")


def _require_own_hash(prepared: Prepared) -> None:
    """Check that the patients of a data set's splits are those that its hash was made of; the card shows it.

    Raises:
        InputError: they aren't.
    """
    record = read_json(prepared.index)["splits"]
    if prepared.split_hash and StoredSplit.of_record(record).hash != prepared.split_hash:
        raise InputError(
            f"{prepared.index}: its splits are not those that their hash was made of: somebody changed them.",
            "Prepare the data set again.",
        )


def _loaded(data: Path, split: str, config: TrainConfig) -> tuple[list[XraySample], Failures]:
    try:
        return load_samples(data, split, config.data)
    except TooManyFailuresError as error:
        remedy = "Mend what failed, or allow more: --set data.max_failures=NUMBER"
        raise TooManyFailuresError(error.message, remedy) from error


def _of_pack(path: Path, config: TrainConfig) -> TrainData:
    pack = read_pack(path)
    about: dict[str, Any] = dict(pack.about)
    training, validation = (list(pack.splits.get(one, ())) for one in ("train", "validation"))
    steps = {sample.pixel_mm for sample in (*training, *validation)}
    made = {"pixel_mm": steps.pop() if len(steps) == 1 else None}
    made |= {field: about.get(field, getattr(config.data, field)) for field in ("truth", "visibility_floor")}
    for field, value in made.items():
        if value != getattr(config.data, field):
            raise ConfigError(
                f"{path} was packed with data.{field} {value}; the configuration has {getattr(config.data, field)}.",
                f"Pack it again, or set data.{field}.",
            )
    require_apart(training, validation)
    training, validation = _beside(training, validation, config)
    name = f"{about.get('name', 'packed')} ({path.name})"
    failures = tuple(Failure(**one) for one in about.get("failures", ()))
    taught, notes = _taught(training, validation, config)
    facts = _facts(name, str(about.get("split_hash", "")), (taught, validation), failures)
    facts = replace(facts, notes=notes)
    return TrainData(taught, validation, _with_insertions(facts, config), pack.bank, failures)


def _beside(
    training: Sequence[XraySample], validation: Sequence[XraySample], config: TrainConfig
) -> tuple[list[XraySample], list[XraySample]]:
    """Both with the second image that the configuration wants; training pictures get others' when they are shown."""
    taught, judged = (with_wanted_prior(samples, config.data) for samples in (training, validation))
    return taught, shuffled_once(judged) if config.data.prior == "shuffled" else judged


def _taught(
    training: Sequence[XraySample], validation: Sequence[XraySample], config: TrainConfig
) -> tuple[list[XraySample], tuple[str, ...]]:
    """What is learnt from, and what a card says of pictures that are known to be misplaced.

    Raises:
        TrainError: nothing is left that has a lesion.
    """
    odd, judged = ([one for one in some if is_misplaced(one.odd)] for some in (training, validation))
    leaves = config.data.leave_out_odd
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


def _with_insertions(facts: DataFacts, config: TrainConfig) -> DataFacts:
    share = config.insertion.share
    if not share:
        return facts
    note = (
        f"synthetic: shadows of other training patients' real nodules were added to {share:.0%} of the pictures "
        "shown in training, in display space; validation pictures are as published"
    )
    return replace(facts, notes=(*facts.notes, note))


def _facts(
    name: str, split_hash: str, splits: tuple[Sequence[XraySample], Sequence[XraySample]], failures: Sequence[Failure]
) -> DataFacts:
    patients = [{sample.patient for sample in split} for split in splits]
    every = patients[0] | patients[1]
    are_lidc = [is_lidc_patient(patient) for patient in every]
    counts = [(len(split), len(own)) for split, own in zip(splits, patients, strict=True)]
    return DataFacts(
        name=name,
        split_hash=split_hash,
        licence=LIDC_LICENCE if all(are_lidc) else UNKNOWN_LICENCE,
        has_lidc=any(are_lidc),
        training=counts[0],
        validation=counts[1],
        failed=tuple(one.input for one in failures),
    )
