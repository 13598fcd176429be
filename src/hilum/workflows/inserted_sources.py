"""What a data set of inserted nodules is made of: whole CTs, cut-out nodules, and which goes where."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from hilum.core import InputError
from hilum.datasets.data_kind import CT_PATCHES
from hilum.datasets.insertion_places import Side
from hilum.datasets.patch_places import Marked
from hilum.datasets.patch_sample import POSITIVE
from hilum.datasets.prepared import CaseSource, Prepared
from hilum.datasets.splits import Role, role
from hilum.io.luna16 import DIAMETER, read_points
from hilum.workflows.whole_ct import WholeCt, whole_ct

TRAIN, VALIDATION = "train", "validation"


@dataclass(frozen=True)
class CtSource:
    """A whole CT that nodules are inserted into.

    Attributes:
        path: of it.
        name: unique, and safe as a file name.
        known: nodules, and what may look like one, that it has of its own.
        sides: by split, where nodules are inserted and pieces are taken.
        lidc: whose it is, of LIDC-IDRI's patients, where that is known.
        hash: of its files.
    """

    path: Path
    name: str
    known: tuple[Marked, ...]
    sides: tuple[tuple[str, Side], ...]
    lidc: str | None
    hash: str

    def side(self, split: str) -> Side:
        """Of a split."""
        return dict(self.sides)[split]

    @property
    def is_apart(self) -> bool:
        """Whether no voxel is of both splits."""
        return not self.side(TRAIN).meets(self.side(VALIDATION))

    def patient(self, split: str) -> str:
        """Of pieces without a nodule: no name that a rule of patients knows."""
        own = f"ct-{self.name}-{self.side(split)}"
        return own if self.is_apart else f"{own}-{split}"


@dataclass(frozen=True)
class ScanJob:
    """A synthetic scan to be made.

    Attributes:
        key: unique, and safe as a file name.
        ct: that is changed.
        split: that its nodules' patients are in.
        nodules: cases of cubes; none of the CT as it is, of which pieces without a nodule are taken.
    """

    key: str
    ct: CtSource
    split: str
    nodules: tuple[CaseSource, ...]


@dataclass(frozen=True)
class OwnJob:
    """A nodule's own cube, taken over as it is.

    Attributes:
        key: of the case.
        case: of the cubes' data set.
    """

    key: str
    case: CaseSource


def ct_sources(
    paths: Sequence[Path], annotations: Path | None, train: Sequence[Side], validation: Sequence[Side]
) -> list[CtSource]:
    """The CTs, with what is known of them.

    Args:
        paths: DICOM folders, NIfTI or MHD.
        annotations: LUNA16's columns; rows without a positive diameter may look like a nodule. None knows of nothing.
        train: one side for all CTs, or one for each.
        validation: likewise.

    Raises:
        InputError: a CT is missing, held out, there twice, or on a side that its patient isn't for.
        UnreadableError: the table is damaged.
    """
    sides = list(zip(_each(train, len(paths), TRAIN), _each(validation, len(paths), VALIDATION), strict=True))
    marks = _marks(annotations)
    found = [_ct(path, marks, learnt, judged) for path, (learnt, judged) in zip(paths, sides, strict=True)]
    names = [one.name for one in found]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two CTs are called {twice}.", "Rename one: its name is its scans'.")
    return found


def _each(sides: Sequence[Side], count: int, split: str) -> Sequence[Side]:
    if len(sides) not in (1, count):
        raise InputError(
            f"--{split}-side takes one side for all CTs or one for each, got {len(sides)} for {count} CTs.",
            "Leave some out, or name one for each.",
        )
    return [sides[0]] * count if len(sides) == 1 else sides


def _marks(path: Path | None) -> Mapping[str, list[Marked]]:
    found: dict[str, list[Marked]] = {}
    if path is not None:
        points = read_points(path, DIAMETER)
        rows = zip(points.series, points.centre_lps_mm.tolist(), points.value.tolist(), strict=True)
        for series, (x, y, z), diameter in rows:
            found.setdefault(series, []).append(Marked((x, y, z), max(diameter, 0.0) / 2, diameter > 0))
    return found


def _ct(path: Path, marks: Mapping[str, list[Marked]], train: Side, validation: Side) -> CtSource:
    ct = whole_ct(path)
    _require_role(path, ct.lidc, train, validation)
    return CtSource(path, ct.name, _known(ct, marks), ((TRAIN, train), (VALIDATION, validation)), ct.lidc, ct.hash)


def _known(ct: WholeCt, marks: Mapping[str, list[Marked]]) -> tuple[Marked, ...]:
    names = {ct.name, ct.path.name, *([ct.uid] if ct.uid else [])}
    return tuple(mark for name in sorted(names) for mark in marks.get(name, ()))


def own_marks(ct: WholeCt, annotations: Path | None) -> tuple[Marked, ...]:
    """Nodules, and what may look like one, that a CT has of its own; nothing without a table.

    Args:
        ct: see there.
        annotations: LUNA16's columns, as `ct_sources` takes them.

    Raises:
        UnreadableError: the table is damaged.
    """
    return _known(ct, _marks(annotations))


def _require_role(path: Path, lidc: str | None, train: Side, validation: Side) -> None:
    if lidc is None:
        return
    allowed = {Role.TRAIN: (TRAIN,), Role.VALIDATION: (VALIDATION,)}.get(role(lidc), (TRAIN, VALIDATION))
    for split, side in ((TRAIN, train), (VALIDATION, validation)):
        if side is not Side.NONE and split not in allowed:
            raise InputError(f"{path} is of {lidc}, who is for {role(lidc)}.", f"Add --{split}-side none for it.")


def cut_cases(cubes: Prepared, split: str) -> list[CaseSource]:
    """The nodules of a split's patients that can be inserted, sorted by key.

    Raises:
        InputError: it is no data set of CT pieces, or has a held-out patient in the split.
    """
    if cubes.kind != CT_PATCHES:
        raise InputError(f"{cubes.index} holds {cubes.kind}, and {CT_PATCHES} were expected.", "hilum prepare cubes")
    found = [one for one in cubes.cases_in(split) if one.patch is not None and one.patch.kind == POSITIVE]
    return sorted(found, key=lambda one: one.key)


def scan_jobs(ct: CtSource, split: str, count: int, deck: Iterator[CaseSource], per_scan: int) -> list[ScanJob]:
    """The scans of a CT and a split: number 0 without a nodule; to the others they are dealt equally often."""
    if ct.side(split) is Side.NONE or not count:
        return []
    own = (case for case in deck if case.patient != ct.lidc)
    dealt_out = [()] + [tuple(islice(own, per_scan)) for _ in range(count)]
    return [ScanJob(f"{ct.name}_{split}{number:02}", ct, split, some) for number, some in enumerate(dealt_out)]


def dealt(cases: Sequence[CaseSource], rng: np.random.Generator) -> Iterator[CaseSource]:
    """The cases again and again, each time in another order."""
    while cases:
        yield from (cases[place] for place in rng.permutation(len(cases)).tolist())


def own_job(case: CaseSource) -> OwnJob:
    """The job of a nodule's own cube."""
    return OwnJob(f"own_{case.key}", replace(case))
