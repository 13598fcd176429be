"""Which CTs say that a computer made them (`hilum phantom`, and whoever marks a file likewise)."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from hilum.core import HilumError
from hilum.io.dicom.files import Header
from hilum.io.json_file import read_json
from hilum.io.kinds import Kind, recognise
from hilum.io.nifti import description_of
from hilum.workflows.phantom_plan import SCHEMA, TRUTH

SYNTHETIC = "SYNTHETIC: a computer made it, and no patient was scanned at this date"
_WORD = "synthetic"
_SAID_IN = ("PatientID", "PatientName", "SeriesDescription", "StudyDescription", "ImageComments")


def is_synthetic(path: Path, header: Header | None) -> bool:
    """Whether a CT's header, its name or the `truth.json` of a phantom beside it says so.

    Args:
        path: a file, or a folder of a DICOM series.
        header: of one of its slices; None for other formats.
    """
    said: Iterable[str] = (header.text(name) for name in _SAID_IN) if header is not None else _of_file(path)
    return any(_WORD in one.casefold() for one in (path.name, *said)) or _is_of_phantom(path)


def _of_file(path: Path) -> Iterator[str]:
    if path.is_file() and recognise(path) is Kind.NIFTI:
        yield description_of(path)


def _is_of_phantom(path: Path) -> bool:
    place = path.absolute()
    try:
        truth = read_json(place.parent / TRUTH)
        return truth["schema"] == SCHEMA and any(one["scan"] == place.name for one in truth["dates"])
    except (HilumError, KeyError, TypeError):
        return False
