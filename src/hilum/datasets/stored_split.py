"""A split as it is stored with a data set: which patients are learnt from, by which rule, with a hash."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from hilum.core import InputError
from hilum.datasets.splits import Role, is_lidc_patient, role

LIDC_RULE = (
    "LIDC-IDRI patient number: divisible by 5 held out and not here; mod 5 = 1 validation; 0001, the demonstration, "
    "in neither; the rest training"
)
OTHERS_RULE = (
    "patients that are not LIDC-IDRI's: last byte of the name's SHA-256 mod 5 = 1 validation, the rest training"
)


@dataclass(frozen=True)
class StoredSplit:
    """Patients by what they are for, each list sorted.

    Attributes:
        rule: how they were told apart, for people.
        train: everything is learnt from these.
        validation: choices are made on these.
        test: looked at once, in the end.
        seed: of a drawn split; None where nothing was drawn.
    """

    rule: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...] = ()
    seed: int | None = None

    @property
    def hash(self) -> str:
        """SHA-256 of all of it: two data sets with the same hash are split alike."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Self:
        """As `record` gave it; what is missing is empty."""
        lists = {name: tuple(record.get(name) or ()) for name in ("train", "validation", "test")}
        return cls(str(record.get("rule", "")), seed=record.get("seed"), **lists)

    def record(self) -> dict[str, object]:
        """As it stands in `dataset.json`."""
        return {
            "rule": self.rule,
            "seed": self.seed,
            "hash": self.hash,
            "train": self.train,
            "validation": self.validation,
            "test": self.test,
        }


def lidc_split(patients: Iterable[str]) -> StoredSplit:
    """The one split of LIDC's patients (`hilum.datasets.splits.role`).

    Raises:
        InputError: a held-out patient is among them, or a name is not a LIDC patient's.
    """
    by_role: dict[Role, list[str]] = {one: [] for one in Role}
    for patient in sorted(set(patients)):
        by_role[role(patient)].append(patient)
    if by_role[Role.HELD_OUT]:
        raise InputError(
            f"held-out patients are in no data set: {', '.join(by_role[Role.HELD_OUT])}.", "Leave them out."
        )
    return StoredSplit(LIDC_RULE, tuple(by_role[Role.TRAIN]), tuple(by_role[Role.VALIDATION]))


def split_of_any(patients: Iterable[str]) -> StoredSplit:
    """LIDC's patients by their one rule, all others by their names.

    Raises:
        InputError: a held-out patient of LIDC is among them.
    """
    names = sorted(set(patients))
    lidc = lidc_split(name for name in names if is_lidc_patient(name))
    others = [name for name in names if not is_lidc_patient(name)]
    if not others:
        return lidc
    judged = [name for name in others if _is_fifth(name)]
    learnt = [name for name in others if name not in judged]
    rule = f"{lidc.rule}; {OTHERS_RULE}" if len(others) < len(names) else OTHERS_RULE
    return StoredSplit(rule, tuple(sorted((*lidc.train, *learnt))), tuple(sorted((*lidc.validation, *judged))))


def _is_fifth(name: str) -> bool:
    return hashlib.sha256(name.encode()).digest()[-1] % 5 == 1
