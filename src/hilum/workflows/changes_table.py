"""`lesions_by_change.csv`: a row for each lesion that is or was there, for comparisons by kind of change."""

import csv
import io
import math
from collections.abc import Iterable
from pathlib import Path

from hilum.core import ChangedLesion, ChangeKind, InputError, UnreadableError

CHANGES = "lesions_by_change.csv"
_HEADS = (
    *("key", "patient", "id", "change", "size_mm", "prior_size_mm", "visibility", "is_synthetic", "row", "column"),
    *("is_found", "dice", "diameter_error_mm", "says_gone", "can_change"),
)


def changes_table(lesions: Iterable[ChangedLesion]) -> str:
    """One row a lesion; "nan" where something is undefined or unknown."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADS)
    for one in lesions:
        known = (one.size_mm, one.prior_size_mm, one.visibility)
        able = math.nan if one.can_change is None else one.can_change
        said = (one.is_found, one.dice, one.diameter_error_mm, one.says_gone, able)
        about = (one.key, one.patient, one.id, str(one.kind), *map(_cell, known), int(one.is_synthetic))
        writer.writerow((*about, *map(_cell, (*one.place, *said))))
    return text.getvalue()


def read_changes_table(folder: Path) -> tuple[ChangedLesion, ...]:
    """The lesions; none where there is no such file: not every data set knows an earlier picture.

    Raises:
        InputError: it can't be read.
        UnreadableError: it is not what `hilum evaluate` writes.
    """
    path = folder / CHANGES
    if not path.is_file():
        return ()
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return tuple(map(_lesion, csv.DictReader(stream)))
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}.", "Evaluate again.") from error
    except (KeyError, ValueError, TypeError) as error:
        raise UnreadableError(f"{path} is not a table of lesions.", "Evaluate again.") from error


def _lesion(row: dict[str, str]) -> ChangedLesion:
    able = row.get("can_change", "nan")  # tables of an older hilum lack it
    return ChangedLesion(
        key=row["key"],
        patient=row["patient"],
        id=int(row["id"]),
        kind=ChangeKind(row["change"]),
        size_mm=float(row["size_mm"]),
        prior_size_mm=float(row["prior_size_mm"]),
        visibility=float(row["visibility"]),
        is_synthetic=bool(int(row["is_synthetic"])),
        place=(float(row["row"]), float(row["column"])),
        is_found=float(row["is_found"]),
        dice=float(row["dice"]),
        diameter_error_mm=float(row["diameter_error_mm"]),
        says_gone=float(row["says_gone"]),
        can_change=None if able == "nan" else bool(int(able)),
    )


def _cell(value: float) -> str:
    return "nan" if math.isnan(value) else f"{value:g}" if float(value).is_integer() else repr(float(value))
