"""The CTs of a follow-up before anything is compared: whose they are, of which days, and that they are different."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations, pairwise
from pathlib import Path

from hilum.core import InputError
from hilum.datasets.splits import leading_lidc_patient
from hilum.io.dicom.files import read_header
from hilum.io.dicom.series import Series, choose_ct
from hilum.io.inputs import require_path
from hilum.io.kinds import VOLUMES, recognise
from hilum.io.read import files_in
from hilum.workflows.whole_ct import ct_hash

_DATES = "State the days of all CTs, in the order of the CTs: --dates 2026-01-31 2026-05-02"


@dataclass(frozen=True)
class ScanMade:
    """How a CT was made; None is "nobody said".

    Attributes:
        thickness_mm: of its slices.
        kernel: of reconstruction.
        scanner: maker and model.
        contrast: whether an agent was given.
    """

    thickness_mm: float | None = None
    kernel: str | None = None
    scanner: str | None = None
    contrast: bool | None = None


@dataclass(frozen=True)
class DatedCt:
    """One CT of a follow-up.

    Attributes:
        path: a file, or a folder with one CT series.
        day: when it was done.
        patient: whose it is, as its header says; None where nothing does.
        uid: of its series; None where it is no DICOM.
        hash: of its files.
        made: how, as far as its header says.
        notes: what a person should know.
    """

    path: Path
    day: date
    patient: str | None
    uid: str | None
    hash: str
    made: ScanMade = ScanMade()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class StudyChoice:
    """How CTs are told apart.

    Attributes:
        dates: of each CT, in their order; empty leaves them to the files.
        one_patient: that they are of one patient although their names differ.

    """

    dates: tuple[date, ...] = ()
    one_patient: bool = False


def dated_cts(paths: Sequence[Path], choice: StudyChoice | None = None) -> tuple[DatedCt, ...]:
    """The CTs of one patient, earliest first.

    Args:
        paths: DICOM folders, NIfTI, MHD or NRRD, earliest first.
        choice: see there.

    Raises:
        InputError: fewer than two, one has no date, they are not in the order of their days, two are of one day or the
            same, or they are of several patients.
        HilumError: one can't be read.
    """
    choice = choice or StudyChoice()
    if len(paths) < 2:
        raise InputError("a follow-up compares two CTs or more.", "hilum followup PRIOR CURRENT OUT")
    if choice.dates and len(choice.dates) != len(paths):
        raise InputError(f"{len(choice.dates)} dates were given for {len(paths)} CTs.", _DATES)
    stated: Sequence[date | None] = choice.dates or [None] * len(paths)
    found = tuple(_dated(path, day) for path, day in zip(paths, stated, strict=True))
    _require_different(found)
    _require_one_patient(found, told=choice.one_patient)
    _require_order(found)
    return found


def _dated(path: Path, stated: date | None) -> DatedCt:
    series = _series(path)
    day = stated or (series.date if series else None)
    if day is None:
        raise InputError(f"nothing says when {path} was done.", _DATES)
    patient = series.patient if series else leading_lidc_patient(path.name)
    uid, made = (None, ScanMade()) if series is None else (series.uid, _made(series))
    return DatedCt(path, day, patient or None, uid, ct_hash(path, series), made, tuple(_notes(series, stated)))


def _made(series: Series) -> ScanMade:
    header = read_header(series.files[0])
    thickness = header.number("SliceThickness")
    scanner = " ".join(filter(None, (header.text("Manufacturer"), header.text("ManufacturerModelName"))))
    agent = header.text("ContrastBolusAgent")
    return ScanMade(thickness, series.kernel or None, scanner or None, True if agent else None)


def _series(path: Path) -> Series | None:
    require_path(path)
    if path.is_dir():
        volumes = [one for one in files_in(path) if recognise(one) in VOLUMES]
        return None if volumes else choose_ct(path, None)
    return None if recognise(path) in VOLUMES else choose_ct(path, None)


def _notes(series: Series | None, stated: date | None) -> Iterator[str]:
    if series is None:
        yield "the file says neither whose CT it is nor when it was done"
        return
    if stated and series.date and stated != series.date:
        yield f"its header says {series.date}, and {stated} was stated"
    yield from series.odd


def _require_different(cts: Sequence[DatedCt]) -> None:
    for one, other in combinations(cts, 2):
        if one.hash == other.hash or (one.uid is not None and one.uid == other.uid):
            raise InputError(
                f"{one.path} and {other.path} are the same CT.", "Name two that were taken at different times."
            )


def _require_one_patient(cts: Sequence[DatedCt], *, told: bool) -> None:
    names = {one.patient: one.path for one in cts if one.patient is not None}
    if len(names) > 1 and not told:
        said = ", ".join(f"{path} of {name!r}" for name, path in names.items())
        raise InputError(
            f"the CTs are of {len(names)} patients: {said}.",
            "If one person has several names or numbers, say so: --one-patient",
        )


def _require_order(cts: Sequence[DatedCt]) -> None:
    for one, other in pairwise(cts):
        if other.day == one.day:
            raise InputError(
                f"{one.path} and {other.path} are both of {one.day}: growth needs time between.",
                "Leave one out, or state their days: --dates",
            )
        if other.day < one.day:
            raise InputError(
                f"{one.path} is of {one.day}, after {other.path} of {other.day}.", "Name the earliest CT first."
            )
