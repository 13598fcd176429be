"""`changes.json`: what became of a case's lesions since the earlier picture (schema hilum.changes/1)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hilum.core import ChangeKind, GeometryError, UnreadableError
from hilum.core.mask import Labels, Selection
from hilum.io import read_json, read_mask

SCHEMA = "hilum.changes/1"
_AGAIN = "Prepare the data set again."


@dataclass(frozen=True)
class StoredChange:
    """One lesion of a `changes.json`.

    Attributes:
        id: its value in the label maps.
        kind: what became of it.
        centre_px: (row, column) on the current picture.
        size_mm: equivalent diameter now; NaN of one that is gone.
        prior_size_mm: equivalent diameter on the earlier picture; NaN of a new one.
        is_synthetic: whether it, or its change, was made.
        visibility: 0 to 1; NaN when nobody says.
        can_change: whether it could have had another kind; None when nobody says.
    """

    id: int
    kind: ChangeKind
    centre_px: tuple[float, float]
    size_mm: float
    prior_size_mm: float
    is_synthetic: bool
    visibility: float
    can_change: bool | None = None


@dataclass(frozen=True, eq=False)
class StoredChanges:
    """A case's lesions that are or were there.

    Attributes:
        lesions: all of them.
        labels: [y, x] each lesion's number where it is now, on the current picture's pixels.
        prior_labels: [y, x] the same where it was, registered to the current picture.
    """

    lesions: tuple[StoredChange, ...]
    labels: Labels
    prior_labels: Labels

    def now(self, lesion: StoredChange) -> Selection:
        """[y, x] where a lesion is."""
        return np.asarray(self.labels == lesion.id)

    def before(self, lesion: StoredChange) -> Selection:
        """[y, x] where a lesion was, registered."""
        return np.asarray(self.prior_labels == lesion.id)


def change_files(path: Path) -> tuple[Path, ...]:
    """The file itself and both label maps that it names.

    Raises:
        InputError: there is no such file.
        UnreadableError: it is another file, or damaged.
    """
    content = _content(path)
    return (path, *(path.parent / str(content[name]) for name in ("labels", "prior_labels")))


def stored_changes(path: Path) -> StoredChanges:
    """Read a `changes.json` and its label maps.

    Raises:
        InputError: a file is missing.
        UnreadableError: an entry is missing, of another type, or a lesion stands there twice.
        GeometryError: the two label maps differ in size.
    """
    content = _content(path)
    _, now, before = change_files(path)
    try:
        lesions = tuple(_lesion(entry) for entry in content["lesions"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableError(f"{path} is damaged: {type(error).__name__}, {error}.", _AGAIN) from error
    if len({one.id for one in lesions}) < len(lesions):
        raise UnreadableError(f"{path} has two lesions of one number.", _AGAIN)
    labels, prior_labels = read_mask(now).labels, read_mask(before).labels
    if labels.shape != prior_labels.shape:
        shapes = " and ".join(" × ".join(map(str, one.shape)) for one in (labels, prior_labels))
        raise GeometryError(f"{now.name} and {before.name} have {shapes} pixels.", _AGAIN)
    return StoredChanges(lesions, labels, prior_labels)


def _content(path: Path) -> Mapping[str, Any]:
    content = read_json(path)
    if not isinstance(content, Mapping) or content.get("schema") != SCHEMA:
        raise UnreadableError(f"{path} is no changes.json: {SCHEMA} was expected.", _AGAIN)
    if missing := [name for name in ("lesions", "labels", "prior_labels") if name not in content]:
        raise UnreadableError(f"{path} lacks {', '.join(missing)}.", _AGAIN)
    return content


def _lesion(entry: Mapping[str, Any]) -> StoredChange:
    row, column = entry["centre_px"]
    number = int(entry["id"])
    if number < 1:
        raise ValueError(f"a lesion's number is from 1, got {number}")
    return StoredChange(
        id=number,
        kind=ChangeKind(entry["change"]),
        centre_px=(float(row), float(column)),
        size_mm=_number(entry.get("size_mm")),
        prior_size_mm=_number(entry.get("prior_size_mm")),
        is_synthetic=bool(entry["is_synthetic"]),
        visibility=_number(entry.get("visibility")),
        can_change=_flag(entry.get("can_change")),
    )


def _flag(value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise ValueError(f"can_change is true, false or null, got {value!r}")


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
