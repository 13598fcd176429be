"""Folds by patient, stored with a data set, so that everybody crosses over alike."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from hilum.core import InputError

FOLDS = 5


@dataclass(frozen=True)
class StoredFolds:
    """Patients by fold, each list sorted; every patient is in one.

    Attributes:
        rule: how they were told apart, for people.
        seed: of the draw.
        folds: each fold's patients.
    """

    rule: str
    seed: int
    folds: tuple[tuple[str, ...], ...]

    @property
    def hash(self) -> str:
        """SHA-256 of all of it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Self:
        """As `record` gave it."""
        return cls(str(record["rule"]), int(record["seed"]), tuple(tuple(map(str, one)) for one in record["folds"]))

    def record(self) -> dict[str, object]:
        """As it stands in `dataset.json`."""
        return {"rule": self.rule, "seed": self.seed, "hash": self.hash, "folds": self.folds}

    def patients(self, number: int, *, held_out: bool) -> frozenset[str]:
        """Who is learnt from, or judged, when one fold is held out.

        Args:
            number: of the fold that is held out, from 1.
            held_out: that fold's patients; else those of all others.

        Raises:
            InputError: there is no such fold.
        """
        if not 1 <= number <= len(self.folds):
            raise InputError(f"there are folds 1 to {len(self.folds)}, and {number} was asked for.", "Choose one.")
        own = frozenset(self.folds[number - 1])
        return own if held_out else frozenset(one for fold in self.folds for one in fold) - own


def folds_by_patient(strata: Mapping[str, str], seed: int, count: int = FOLDS) -> StoredFolds:
    """Deal patients to folds at random, each stratum evenly, so that folds differ by one patient at most.

    Args:
        strata: what each patient shows, in a word; patients of one word are spread over all folds.
        seed: of the draw.
        count: how many folds.
    """
    rng, order = np.random.default_rng(seed), []
    for stratum in sorted(set(strata.values())):
        own = sorted(patient for patient, word in strata.items() if word == stratum)
        order += [own[place] for place in rng.permutation(len(own))]
    dealt: list[list[str]] = [[] for _ in range(count)]
    for place, patient in enumerate(order):
        dealt[place % count].append(patient)
    rule = f"patients dealt to {count} folds at random, those that show the same evenly"
    return StoredFolds(rule, seed, tuple(tuple(sorted(fold)) for fold in dealt))


def spread(folds: StoredFolds, members: Mapping[str, Iterable[str]]) -> StoredFolds:
    """The folds of members, from those of the units that they belong to."""
    listed = tuple(tuple(sorted(one for unit in fold for one in members[unit])) for fold in folds.folds)
    return StoredFolds(folds.rule, folds.seed, listed)
