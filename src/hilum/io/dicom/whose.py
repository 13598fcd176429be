"""Whose picture a DICOM file holds, and of which day."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from hilum.io.dicom.files import read_header
from hilum.io.dicom.series import date_of


@dataclass(frozen=True)
class Whose:
    """A picture's patient and day, as its header says.

    Attributes:
        patient: Patient ID; "" when the header has none.
        day: of the acquisition, the series or the study; None when there is none.
    """

    patient: str = ""
    day: date | None = None


def whose(path: Path) -> Whose:
    """Whose picture a DICOM file holds.

    Raises:
        InputError: it can't be read.
    """
    header = read_header(path)
    days = {keyword: header.text(keyword) for keyword in ("AcquisitionDate", "SeriesDate", "StudyDate")}
    return Whose(header.text("PatientID"), date_of(days))
