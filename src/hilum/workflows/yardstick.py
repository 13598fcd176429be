"""The human yardstick for a split or for any patients: LIDC's readers against each other."""

from collections.abc import Collection
from dataclasses import dataclass

from hilum.core import Failures, InputError
from hilum.datasets.splits import Role, is_held_out, role
from hilum.evaluate.bootstrap import require_draws
from hilum.evaluate.yardstick import (
    HEADLINE_READERS,
    LEVEL,
    YardstickRow,
    reader_agreements,
    yardstick,
)
from hilum.io.lidc import Read, lidc_reads
from hilum.ops import OutlineRule
from hilum.workflows.track import Track, silently

SPLITS: dict[str, frozenset[Role]] = {
    "validation": frozenset({Role.VALIDATION}),
    "train": frozenset({Role.TRAIN}),
    "all": frozenset({Role.VALIDATION, Role.TRAIN, Role.DEMONSTRATION}),
}
"""Which patients count; the held-out ones are in none."""


@dataclass(frozen=True)
class Yardstick:
    """The figures of some patients.

    Attributes:
        split: how the patients were chosen, for people.
        rows: the figures.
        patients: how many patients were looked at, with or without nodules.
        nodules: how many nodules two readers or more outlined.
        alone: how many nodules one reader only outlined; they have no figure.
        failures: nodules that could not be compared.
    """

    split: str
    rows: tuple[YardstickRow, ...]
    patients: int
    nodules: int
    alone: int
    failures: Failures

    def record(self) -> dict[str, object]:
        """As JSON (schema hilum.yardstick/1)."""
        return {
            "schema": "hilum.yardstick/1",
            "split": self.split,
            "truth": {"source": "LIDC-IDRI", "rule": OutlineRule.INSIDE, "level": LEVEL, "headline": HEADLINE_READERS},
            "patients": self.patients,
            "nodules": self.nodules,
            "nodules_of_one_reader": self.alone,
            "rows": [_record(row) for row in self.rows],
            "failures": list(self.failures),
        }


def _record(row: YardstickRow) -> dict[str, object]:
    figure = row.figure
    named = {"compared": row.view, "against": row.against, "group": row.group}
    return named | {
        "dice": {"value": figure.value, "low": figure.low, "high": figure.high, "n": figure.n},
        "patients": row.patients,
    }


def split_yardstick(split: str, bootstraps: int = 1000, seed: int = 0, track: Track = silently) -> Yardstick:
    """The yardstick of a split of LIDC's patients.

    Args:
        split: a key of `SPLITS`.
        bootstraps: draws of patients for the 95 % intervals; 0 for none.
        seed: of the draws.
        track: shows how far it is.

    Raises:
        InputError: there is no such split, or an option is out of range.
        MissingError: the readers' outlines are not installed.
    """
    if split not in SPLITS:
        raise InputError(f"a split is {', '.join(SPLITS)}, got {split!r}.")
    draw = _draw(bootstraps, seed)
    reads = [read for read in lidc_reads() if role(str(read.patient)) in SPLITS[split]]
    return _of_reads(split, reads, draw, track)


def patients_yardstick(patients: Collection[str], bootstraps: int = 1000, seed: int = 0) -> Yardstick:
    """The yardstick of some patients of LIDC: those that a model is judged on.

    Raises:
        InputError: one of them is held out or not LIDC's, or an option is out of range.
        MissingError: the readers' outlines are not installed.
    """
    draw, wanted = _draw(bootstraps, seed), set(patients)
    if refused := sorted(patient for patient in wanted if is_held_out(patient)):
        raise InputError(f"{', '.join(refused[:5])}: held out.", "Leave them out: hilum.datasets.splits.is_held_out.")
    reads = [read for read in lidc_reads() if read.patient in wanted]
    if unknown := wanted - {read.patient for read in reads}:
        raise InputError(f"LIDC's database has no {', '.join(sorted(unknown)[:5])}.", "Patients are LIDC-IDRI-0001 ….")
    return _of_reads(f"{len(wanted)} patients", reads, draw, silently)


def _draw(bootstraps: int, seed: int) -> tuple[int, int]:
    require_draws(bootstraps)
    if seed < 0:
        raise InputError(f"a seed is from 0, got {seed}.")
    return bootstraps, seed


def _of_reads(split: str, reads: list[Read], draw: tuple[int, int], track: Track) -> Yardstick:
    found = reader_agreements(track(reads, "comparing readers"))
    rows = yardstick(found.nodules, *draw)
    patients = len({read.patient for read in reads})
    return Yardstick(split, rows, patients, len(found.nodules), found.alone, found.failures)
