"""The CTs of a follow-up before anything is compared: whose they are, of which days, and that they are different."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np

from hilum.core import InputError, Volume
from hilum.datasets.splits import leading_lidc_patient
from hilum.io.dicom.files import Header, read_header
from hilum.io.dicom.series import Series, choose_ct
from hilum.io.inputs import require_path
from hilum.io.kinds import VOLUMES, recognise
from hilum.io.read import files_in
from hilum.workflows.followup_patient import Who
from hilum.workflows.followup_synthetic import SYNTHETIC, is_synthetic
from hilum.workflows.whole_ct import ct_hash

_AIR_HU, _ROUNDING_HU = -1000.0, 0.5
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
        patient: whose it is, as its header says: the ID, else the name; None where nothing does.
        uid: of its series; None where it is no DICOM.
        hash: of its files.
        made: how, as far as its header says.
        notes: what a person should know.
        who: all that it says of the patient.
        is_synthetic: whether it says that it was made by a computer.
    """

    path: Path
    day: date
    patient: str | None
    uid: str | None
    hash: str
    made: ScanMade = ScanMade()
    notes: tuple[str, ...] = ()
    who: Who = field(default_factory=Who)
    is_synthetic: bool = False


@dataclass(frozen=True)
class StudyChoice:
    """How CTs are told apart.

    Attributes:
        dates: of each CT, in their order; empty leaves them to the files.
        one_patient: that they are of one patient although their names differ.
        today: no CT was done later; None for this day.
    """

    dates: tuple[date, ...] = ()
    one_patient: bool = False
    today: date | None = None


def dated_cts(paths: Sequence[Path], choice: StudyChoice | None = None) -> tuple[DatedCt, ...]:
    """The CTs of one patient, earliest first.

    Args:
        paths: DICOM folders, NIfTI, MHD or NRRD, earliest first.
        choice: see there.

    Raises:
        InputError: fewer than two, one has no date, they are not in the order of their days, two are of one day or the
            same, a stated day hasn't come yet, or they are of several patients.
        HilumError: one can't be read.
    """
    choice = choice or StudyChoice()
    if len(paths) < 2:
        raise InputError("a follow-up compares two CTs or more.", "hilum followup PRIOR CURRENT OUT")
    if choice.dates and len(choice.dates) != len(paths):
        raise InputError(f"{len(choice.dates)} dates were given for {len(paths)} CTs.", _DATES)
    stated: Sequence[date | None] = choice.dates or [None] * len(paths)
    tomorrow = (choice.today or date.today()) + timedelta(days=1)  # somewhere it is tomorrow already
    late = next((day for day in choice.dates if day > tomorrow), None)
    if late is not None:
        raise InputError(f"{late} was stated, a day that hasn't come yet.", _DATES)
    found = tuple(_dated(path, day, tomorrow) for path, day in zip(paths, stated, strict=True))
    _require_different(found)
    found = _of_one_patient(found, told=choice.one_patient)
    _require_order(found)
    return found


def require_unlike(paths: Sequence[Path], volumes: Sequence[Volume]) -> None:
    """Refuse one CT given twice: in two formats, or exported again under new numbers.

    Two scans never agree in every voxel, for each has noise of its own. Air is left out: formats fill what wasn't
    scanned with -1024, -2000 or -3024 HU.

    Args:
        paths: of the CTs.
        volumes: in HU, axes along the patient's.

    Raises:
        InputError: two are one.
    """
    for (path, one), (other, two) in combinations(zip(paths, volumes, strict=True), 2):
        if one.array.shape == two.array.shape and all(map(_is_same_slice, one.array, two.array)):
            raise _same(path, other)


def _is_same_slice(one: np.ndarray, other: np.ndarray) -> bool:
    first, second = (np.maximum(each.astype(np.float32), _AIR_HU) for each in (one, other))
    return bool((np.abs(first - second) <= _ROUNDING_HU).all())


def _dated(path: Path, stated: date | None, tomorrow: date) -> DatedCt:
    series = _series(path)
    day = stated or (series.date if series else None)
    if day is None:
        raise InputError(f"nothing says when {path} was done.", _DATES)
    header = None if series is None else read_header(series.files[0])
    who = Who(id=leading_lidc_patient(path.name) or "") if header is None else Who.of(header)
    made = ScanMade() if series is None or header is None else _made(series, header)
    notes = [*_notes(series, stated), *_told_of(who, series, day, tomorrow)]
    artificial = is_synthetic(path, header)
    return DatedCt(
        path=path,
        day=day,
        patient=who.id or who.name or None,
        uid=None if series is None else series.uid,
        hash=ct_hash(path, series),
        made=made,
        notes=(*([SYNTHETIC] if artificial else ()), *notes),
        who=who,
        is_synthetic=artificial,
    )


def _told_of(who: Who, series: Series | None, day: date, tomorrow: date) -> Iterator[str]:
    if series is not None and not who.is_told:
        yield "its header doesn't say whose CT it is"
    if day > tomorrow:
        yield f"its header says {day}, a day that hasn't come yet: dates may have been shifted"


def _made(series: Series, header: Header) -> ScanMade:
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
            raise _same(one.path, other.path)


def _same(one: Path, other: Path) -> InputError:
    return InputError(f"{one} and {other} are the same CT.", "Name two that were taken at different times.")


def _of_one_patient(cts: Sequence[DatedCt], *, told: bool) -> tuple[DatedCt, ...]:
    """The CTs, with a note on each that can't be told to be of the first one's patient.

    Raises:
        InputError: two contradict each other, and nobody said that they are of one patient.
    """
    for one, other in combinations(cts, 2):
        unlike = one.who.unlike(other.who)
        if unlike and not told:
            raise InputError(
                f"{one.path} and {other.path} are of 2 patients: {', '.join(unlike)}.",
                "If one person has several names or numbers, say so: --one-patient",
            )
    return cts[0], *(replace(one, notes=(*one.notes, *_beside(one.who, cts[0].who))) for one in cts[1:])


def _beside(who: Who, first: Who) -> Iterator[str]:
    unlike = first.unlike(who)
    if unlike:
        yield f"taken for the first one's patient because --one-patient says so: {', '.join(unlike)}"
    elif who.is_told and first.is_told and not first.shares(who):
        yield "nothing that both headers say tells whether it is of the first one's patient"


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
