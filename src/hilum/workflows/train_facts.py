"""What a training run has read, whatever kind of data it is, and what a card says of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from hilum.core import Failure, Failures, InputError, TooManyFailuresError
from hilum.datasets.insertion import NoduleBank
from hilum.datasets.prepared import Prepared
from hilum.datasets.splits import is_lidc_patient
from hilum.datasets.stored_split import StoredSplit
from hilum.datasets.xray_load import require_learnable
from hilum.datasets.xray_sample import XraySample
from hilum.io.json_file import read_json
from hilum.train.card import LIDC_LICENCE, DataFacts
from hilum.train.class_facts import ClassFacts
from hilum.train.data import JudgedSample

S = TypeVar("S", bound=JudgedSample)
D = TypeVar("D")

PACK = ".npz"
UNKNOWN_LICENCE = "as the data set's source says"


@dataclass(frozen=True, eq=False)
class TrainData(Generic[S]):
    """Samples of both splits, and what a card says of them.

    Attributes:
        training: to learn from.
        validation: to judge on.
        facts: for the card.
        failures: cases that could not be read.
        bank: nodules to insert; None where none are inserted.
        films: unlabeled ones to adapt to.
        classes: names and roles of the classes, of films by classes; None of others.
    """

    training: Sequence[S]
    validation: Sequence[S]
    facts: DataFacts
    failures: tuple[Failure, ...] = ()
    bank: NoduleBank | None = None
    films: Sequence[XraySample] = ()
    classes: ClassFacts | None = None


def require_apart(training: Sequence[JudgedSample], validation: Sequence[JudgedSample]) -> None:
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


def require_own_hash(prepared: Prepared) -> None:
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


def loaded(
    load: Callable[[Path, str, D], tuple[list[S], Failures]], data: Path, split: str, config: D
) -> tuple[list[S], Failures]:
    """A split's samples, and what could not be read.

    Raises:
        TooManyFailuresError: it says by which setting more are allowed.
    """
    try:
        return load(data, split, config)
    except TooManyFailuresError as error:
        remedy = "Mend what failed, or allow more: --set data.max_failures=NUMBER"
        raise TooManyFailuresError(error.message, remedy) from error


def facts_of(
    name: str,
    split_hash: str,
    splits: tuple[Sequence[JudgedSample], Sequence[JudgedSample]],
    failures: Sequence[Failure],
) -> DataFacts:
    """What a card says of a data set.

    Args:
        name: of the data set.
        split_hash: of its stored split; "" when there is none.
        splits: training and validation.
        failures: cases that could not be read.
    """
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


class OfNodule(Protocol):
    """A sample of a nodule, or of none."""

    @property
    def patient(self) -> str:
        """Whose it is."""

    @property
    def nodule(self) -> str:
        """Of the patient; "" for none."""


def nodules_of(samples: Sequence[OfNodule]) -> list[str]:
    """Which nodule each sample is of, unique over patients, so that those of one are judged together; "" for none."""
    return [f"{one.patient} {one.nodule}" if one.nodule else "" for one in samples]
