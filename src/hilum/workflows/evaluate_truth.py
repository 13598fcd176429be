"""What the true masks hold, looked at before anything is judged: their labels, and a hash of their content."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hilum.core import HilumError, UnsupportedError
from hilum.datasets.prepared import CaseSource, stored_points
from hilum.datasets.stored_changes import change_files
from hilum.io import read_mask
from hilum.io.kinds import RASTERS, recognise
from hilum.workflows.output import sha256_of
from hilum.workflows.pool import in_processes


@dataclass(frozen=True)
class TruthSeen:
    """One true mask, or one case's points.

    Attributes:
        key: the case.
        name: of the file.
        labels: other than background.
        content: SHA-256 of shape and labels, 255 alone taken as 1, or of the points; "" when the file can't be read.
        is_picture: whether it is a picture, where label maps and grey values look the same.
    """

    key: str
    name: str
    labels: tuple[int, ...] = ()
    content: str = ""
    is_picture: bool = False


def see_truths(cases: Sequence[CaseSource], workers: int, *, are_points: bool = False) -> tuple[TruthSeen, ...]:
    """Every true mask, or every case's points; what can't be read fails later, as a case."""
    return tuple(in_processes(_see_points if are_points else _see, cases, workers))


def _see_points(case: CaseSource) -> TruthSeen:
    try:
        points = stored_points(case.truth)
    except HilumError:
        return TruthSeen(case.key, case.truth.name)
    content = hashlib.sha256(repr((case.pixel_mm, points)).encode()).hexdigest()
    return TruthSeen(case.key, case.truth.name, (1,) if points else (), content)


def _see(case: CaseSource) -> TruthSeen:
    try:
        labels = read_mask(case.truth).labels
        is_picture = recognise(case.truth) in RASTERS
    except HilumError:
        return TruthSeen(case.key, case.truth.name)
    there = tuple(int(label) for label in np.unique(labels) if label)
    plain = (labels > 0).astype(np.uint16) if there == (255,) else labels.astype(np.uint16)
    content = hashlib.sha256(repr(plain.shape).encode() + np.ascontiguousarray(plain).tobytes()).hexdigest()
    return TruthSeen(case.key, case.truth.name, there, content, is_picture)


def truth_hash(seen: Sequence[TruthSeen]) -> str:
    """One hash of all masks by key: the same truth has the same, whatever its folder and files are called."""
    lines = sorted(f"{one.content}  {one.key}" for one in seen)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def beside_hash(cases: Sequence[CaseSource]) -> str:
    """One hash of the files that are looked at beside the truth: a second one, lungs, changes; "" without any."""
    beside = [path for case in cases for path in (case.consensus, case.lungs, *_changes_of(case)) if path is not None]
    files = [path for path in beside if path.is_file()]
    lines = sorted(f"{sha256_of(path)}  {path.name}" for path in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""


def _changes_of(case: CaseSource) -> tuple[Path, ...]:
    """What says what became of the lesions; what can't be read fails later, as a case."""
    if case.changes is None:
        return ()
    try:
        return change_files(case.changes)
    except HilumError:
        return (case.changes,)


def undeclared_labels(seen: Sequence[TruthSeen]) -> Mapping[int, str]:
    """Classes as the truth itself has them, when nobody declared any.

    Raises:
        UnsupportedError: pictures have several values, which may be classes, grey edges, or two ways to write a mask.
    """
    present = sorted({label for one in seen for label in one.labels})
    if present == [1, 255]:
        raise UnsupportedError(
            f"some true masks have 1 and some 255 ({_holder(seen, 1)}, {_holder(seen, 255)}): two classes, or one?",
            'If both mean the same lesion, say --classes "1=lesion".',
        )
    if len(present) <= 1:
        return {1 if present in ([255], []) else present[0]: "lesion"}
    picture = max((one for one in seen if one.is_picture), key=lambda one: len(one.labels), default=None)
    if picture is not None:
        shown = ", ".join(str(label) for label in present[:6]) + (", …" if len(present) > 6 else "")
        raise UnsupportedError(
            f"the true masks have {len(present)} values besides 0 ({shown}; {len(picture.labels)} in {picture.name}), "
            "and nobody declared classes.",
            'Declare them, --classes "1=lung,2=covid"; a mask of one class has 0 and 255, without grey edges.',
        )
    return {label: f"class {label}" for label in present}


def _holder(seen: Sequence[TruthSeen], label: int) -> str:
    return next(one.name for one in seen if label in one.labels)
